"""How far the reading of masks or of an atlas has come, and what is old until it ends."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ...core.text import counted
from ..app_context import AppContext
from ..controls import note, set_text
from ..state import Loading


class LoadingLine:
    """Progress and a cancel button while reading, what was read otherwise, in one fixed space."""

    def __init__(self, context: AppContext) -> None:
        self._loading = context.loading
        self.bar = widgets.IntProgress(min=0, max=1)
        self.text = note()
        self._summary = ""
        self.cancel = widgets.Button(description="Cancel", tooltip="Stop reading")
        self.cancel.add_class("ld-button")
        self.cancel.on_click(lambda _: context.cancel())
        self.row = widgets.HBox([self.bar, self.cancel])
        self.widget = widgets.VBox([self.text, self.row])
        self.widget.add_class("ld-loading")
        self._loading.observe(context.banner.guard(self._update))
        self._update()

    def set_summary(self, text: str) -> None:
        """What to say while nothing is being read."""
        self._summary = text
        self._update()

    def _update(self, _change: Any = None) -> None:
        loading = self._loading
        self.bar.max = max(loading.total, 1)
        self.bar.value = min(loading.done, self.bar.max)
        set_text(self.text, loading_words(loading) if loading.running else self._summary)
        (self.row.remove_class if loading.running else self.row.add_class)("ld-hidden")


def loading_words(loading: Loading) -> str:
    """What is read, and how much of it is.

    Examples
    --------
    >>> loading = Loading()
    >>> loading.start("soop")
    >>> loading.show(312, 1449)
    >>> loading_words(loading)
    'Reading soop: 312 of 1,449 masks'
    """
    total = counted(loading.total, loading.noun)
    far = f": {loading.done:,} of {total}" if loading.total else " ..."
    return "; ".join(filter(None, [f"Reading {loading.folder}{far}", loading.notice]))


def mark_old(context: AppContext, page: widgets.DOMWidget) -> None:
    """Dim what belongs to the folders, or to the atlas, that is being replaced.

    The page bears `ld-old-cohort` or `ld-old-atlas` as long; the style says which of its parts are
    meant. Where the choice that is shown has not changed, nothing is.
    """
    choices, loading = context.choices, context.loading

    def update(_change: Any = None) -> None:
        folders = (choices.folder_a, choices.folder_b)
        shown = tuple(
            context.session.origin(name)[0] for name in (choices.cohort_a, choices.cohort_b)
        )
        is_old = {
            "ld-old-cohort": loading.running and folders != shown,
            "ld-old-atlas": loading.running and choices.atlas != choices.loaded_atlas,
        }
        for name, is_marked in is_old.items():
            (page.add_class if is_marked else page.remove_class)(name)

    loading.observe(update, names=["running", "folder"])
    choices.observe(update, names=["cohort_a", "cohort_b", "loaded_atlases"])
