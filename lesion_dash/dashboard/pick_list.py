"""A list of names to choose several from, with a field that narrows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import traitlets as t

from .controls import note, set_text

_SEVERAL = "Hold Ctrl (⌘ on a Mac) to choose several."
_MOST_SHOWN = 1000


def fits(name: str, search: str) -> bool:
    """Whether every word of a search begins a word or a number of a name.

    Examples
    --------
    >>> fits("Temporal pole L", "temp l"), fits("Temporal pole R", "temp l")
    (True, False)
    >>> fits("run001/bold_25mm.nii.gz", "25mm")
    True
    """
    beginnings = (rf"(?<![^\W_]){re.escape(word)}" for word in search.split())
    return all(re.search(beginning, name, re.IGNORECASE) for beginning in beginnings)


def offer_several(
    choice: widgets.SelectMultiple, options: Sequence[Any], chosen: Sequence[Any]
) -> None:
    """Give a list other options, some of them chosen."""
    choice.value = ()  # the browser looks for chosen ones among the new options otherwise
    choice.options = options
    choice.value = tuple(chosen)


class PickList(t.HasTraits):
    """Names, of which any number can be chosen.

    Parameters
    ----------
    name : str
        Of one of them, in the singular.
    rows : int
        Lines that are seen at once.
    """

    value = t.Tuple(help="the chosen names, in the order of the list")

    def __init__(self, name: str, rows: int = 5) -> None:
        super().__init__()
        self._name = name
        self._names: tuple[str, ...] = ()
        self._is_narrowing = False
        self.search = widgets.Text(placeholder="Only names with ...", continuous_update=True)
        self.all = widgets.Button(description="All shown", tooltip="Choose all that are shown")
        self.list = widgets.SelectMultiple(rows=rows)
        self.caption = note()
        self.all.add_class("ld-button")
        row = widgets.HBox([self.search, self.all])
        row.add_class("ld-pick-row")
        self.widget = widgets.VBox([row, self.list, self.caption])
        self.widget.add_class("ld-pick")
        self.search.observe(self._narrow, names="value")
        self.list.observe(self._picked, names="value")
        self.all.on_click(lambda _: self._pick_all())
        self.observe(self._show, names="value")
        self._say()

    def offer(self, names: Sequence[str]) -> None:
        """Offer other names; nothing of them is chosen."""
        self._names = tuple(names)
        self.search.value = ""
        self._narrow()
        self.value = ()
        self._say()

    @property
    def shown(self) -> tuple[str, ...]:
        """The names that fit the search; see `fits`."""
        return tuple(n for n in self._names if fits(n, self.search.value))[:_MOST_SHOWN]

    def _narrow(self, _change: Any = None) -> None:
        shown = self.shown
        chosen = self._chosen_of(shown)
        self._is_narrowing = True  # other options choose nothing, which nobody asked for
        offer_several(self.list, shown, chosen)
        self._is_narrowing = False
        self.value = chosen
        self.all.disabled = not shown

    def _chosen_of(self, names: Sequence[str]) -> tuple[str, ...]:
        present = frozenset(names)
        return tuple(name for name in self.value if name in present)

    def _pick_all(self) -> None:
        self.list.value = self.shown

    def _picked(self, change: dict[str, Any]) -> None:
        if not self._is_narrowing:
            self.value = tuple(change["new"])

    def _show(self, _change: Any) -> None:
        chosen = self._chosen_of(self.shown)
        if chosen != self.list.value:
            self.list.value = chosen
        self._say()

    def _say(self) -> None:
        if not self._names:
            set_text(self.caption, "None to choose from.")
        elif not self.value:
            set_text(self.caption, _SEVERAL)
        else:
            chosen = f"{len(self.value)} of {len(self._names)}"
            set_text(self.caption, f"{chosen} {self._name}{'s' * (len(self._names) > 1)} chosen.")
