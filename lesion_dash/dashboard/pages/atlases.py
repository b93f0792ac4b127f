"""The choice of atlases: the first, whose contours are drawn, and further ones beside it."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets as widgets

from ..app_context import AppContext
from ..controls import NameList, labelled, note, set_text
from ..state import MOST_ATLASES
from .atlas_names import AtlasNames


class AtlasFields:
    """A list for the first atlas, and one that adds further ones, each with its own line.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.first, self.add = NameList(), NameList()
        self.lines: list[FurtherAtlas] = []
        """Of the further atlases; once made, a line is used again."""
        self._chosen = widgets.VBox()
        self._further = labelled("Further atlases", self._chosen, self.add)
        guard = context.banner.guard
        self.first.observe(guard(self._first_chosen), names="value")
        self.add.observe(guard(self._added), names="value")
        context.choices.observe(guard(lambda _: self.update()), names="atlases")
        self.update()
        self.names = AtlasNames(context, 0)
        first = labelled("Atlas", self.first, self.names.widget)
        self.widget = widgets.VBox([first, self._further])
        self.widget.add_class("ld-atlases")

    def update(self) -> None:
        """Offer the atlases there are, and show those that are chosen."""
        root, chosen = self._context.session.root, self._context.choices.atlases
        options = root.atlas_options
        self.first.offer([("None", ""), *options])
        self.first.value = self._context.choices.atlas
        others = [(words, name) for words, name in options if name not in chosen]
        self.add.offer([("Add an atlas", ""), *others])
        is_full = not others or len(chosen) == MOST_ATLASES
        (self.add.add_class if is_full else self.add.remove_class)("ld-hidden")
        (self._further.remove_class if chosen else self._further.add_class)("ld-hidden")
        further = chosen[1:]
        while len(self.lines) < len(further):
            self.lines.append(FurtherAtlas(self._context, len(self.lines) + 1))
        for line, name in zip(self.lines, further, strict=False):
            line.name(root.words_of(name))
        self._chosen.children = [line.widget for line in self.lines[: len(further)]]

    def _first_chosen(self, change: dict[str, Any]) -> None:
        if not self.first.is_filling:
            self._context.choices.atlas = change["new"]
            self.first.value = self._context.choices.atlas

    def _added(self, change: dict[str, Any]) -> None:
        if change["new"] and not self.add.is_filling:
            self._context.choices.atlases = (*self._context.choices.atlases, change["new"])


class FurtherAtlas:
    """The name of an atlas, a button that removes it, and what is doubtful about its names.

    Parameters
    ----------
    context : AppContext
    position : int
        Among the atlases, the first of which is 0.
    """

    def __init__(self, context: AppContext, position: int) -> None:
        self._context, self._position = context, position
        self.words = note()
        self.remove = widgets.Button(description="Remove")
        self.remove.add_class("ld-button")
        self.remove.on_click(context.banner.guard(partial(self._remove)))
        line = widgets.HBox([self.words, self.remove])
        line.add_class("ld-further-atlas")
        self.names = AtlasNames(context, position)
        self.widget = widgets.VBox([line, self.names.widget])

    def name(self, words: str) -> None:
        """Show what the atlas is called."""
        set_text(self.words, words)
        self.remove.tooltip = f"Remove {words}"

    def _remove(self, _button: widgets.Button) -> None:
        atlases = self._context.choices.atlases
        gone = atlases[self._position]
        self._context.choices.atlases = tuple(name for name in atlases if name != gone)
