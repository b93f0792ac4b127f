"""Whether anything is still to come, as an attribute of the dashboard's root element."""

from __future__ import annotations

import anywidget
import traitlets as t

from ..tasks import Activity, running_loop
from .assets import asset

_CALM = 0.05  # s; a job that another follows at once is no rest, and each message costs


class Idle(anywidget.AnyWidget):
    """Sets `data-idle` of the element `.ld-app`, for tests and whatever else waits for the page.

    Parameters
    ----------
    activity : Activity
        Of the kernel; what the browser waits for is known there.
    """

    _esm = asset("idle.js")
    busy = t.Bool(True).tag(sync=True)

    def __init__(self, activity: Activity) -> None:
        super().__init__(busy=activity.is_busy)
        self._activity = activity
        activity.observe(self._changed)
        self.add_class("ld-invisible")

    def _changed(self) -> None:
        loop = running_loop()
        if self._activity.is_busy:
            self.busy = True
        elif loop is None:
            self.busy = False
        else:
            loop.call_later(_CALM, self._rest)

    def _rest(self) -> None:
        self.busy = self._activity.is_busy
