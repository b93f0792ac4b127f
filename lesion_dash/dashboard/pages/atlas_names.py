"""Below the choice of an atlas: that its names are doubtful, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import ipywidgets as widgets

from ...atlas.doubts import side_doubt
from ..app_context import AppContext
from ..controls import note, set_text

_WORDS = {
    "": "Names are marked. Look at some regions, then choose:",
    "accepted": "Names are used as they are.",
    "mirrored": "Left and right of the atlas are exchanged.",
}
_BUTTONS = {
    "accepted": ("Use anyway", "Use the names as they are"),
    "mirrored": ("Mirror the atlas", "Exchange its left and right; names stay as they are"),
    "": ("Undo", "Use the atlas as it is stored, its names marked"),
}


class AtlasNames:
    """A notice and its remedies; hidden where names and sides of the atlas agree.

    Parameters
    ----------
    context : AppContext
    position : int
        Of the atlas among those that are chosen.
    """

    def __init__(self, context: AppContext, position: int) -> None:
        self._context, self._position = context, position
        guard = context.banner.guard
        self.text = note()
        self.buttons = {}
        for sides, (words, tooltip) in _BUTTONS.items():
            button = widgets.Button(description=words, tooltip=tooltip)
            button.add_class("ld-button")
            button.on_click(guard(partial(self._choose, sides)))
            self.buttons[sides] = button
        row = widgets.HBox(list(self.buttons.values()))
        row.add_class("ld-save-row")
        self.widget = widgets.VBox([self.text, row])
        context.choices.observe(guard(lambda _: self._update()), names="loaded_atlases")
        self._update()

    def _choose(self, sides: str, _button: widgets.Button) -> None:
        use = self._context.session.use_of(self._name)
        self._context.choose_use(self._name, replace(use, sides=sides))

    @property
    def _name(self) -> str:
        """The atlas, empty where none is loaded at this position."""
        names = self._context.choices.loaded_atlases[self._position :]
        return names[0] if names else ""

    def _update(self) -> None:
        name, session = self._name, self._context.session
        atlas = session.atlas(name)
        doubt, sides = side_doubt(atlas) if atlas is not None else "", session.use_of(name).sides
        (self.widget.remove_class if doubt or sides else self.widget.add_class)("ld-hidden")
        start = f"{doubt[:1].upper()}{doubt[1:]}. " if doubt else ""
        set_text(self.text, f"{start}{_WORDS[sides]}")
        (self.text.add_class if doubt and not sides else self.text.remove_class)("ld-alarm")
        for own, button in self.buttons.items():
            is_offered = bool(own) is not bool(sides)
            (button.remove_class if is_offered else button.add_class)("ld-hidden")
