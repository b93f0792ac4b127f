"""The spaces of masks, atlases and maps: what files state, or what the user states instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...core.space import KNOWN, StatedSpace, space_of_user
from ...images.space import space_of
from ..app_context import AppContext
from ..atlas_use import AtlasUse
from ..controls import NameList, labelled, note, set_text

_OFFERED = (*KNOWN, "scanner")
_CHANGE, _CLOSE = "State another space", "Close"


class SpaceField(NameList):
    """A list of spaces, of which the first is what the file states."""

    def show(self, chosen: str, stated: StatedSpace | None = None) -> None:
        """Show the space that the user has stated, or else what the file states."""
        words = "As the file states" if chosen or stated is None else f"As stated: {stated}"
        offered = _OFFERED if chosen in ("", *_OFFERED) else (chosen, *_OFFERED)
        self.offer([(words, ""), *((space_of_user(name).words, name) for name in offered)])
        self.is_filling = True  # what is shown here was chosen before
        try:
            self.value = chosen
        finally:
            self.is_filling = False


@dataclass(frozen=True)
class _Input:
    """Masks or an atlas: short and whole name, space, what was stated, and what states another."""

    short: str
    words: str
    space: StatedSpace
    chosen: str
    choose: Callable[[str], None]


class SpacesPanel:
    """The spaces of the masks and atlases that are shown, and a list for each to state another.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._inputs: tuple[_Input, ...] = ()
        self._named: tuple[str, ...] = ()
        self.summary = note()
        self.toggle = widgets.Button(description=_CHANGE)
        self.toggle.add_class("ld-button")
        self.fields: list[SpaceField] = []
        """One for each input; once made, it is used again."""
        self._rows = widgets.VBox()
        self._rows.add_class("ld-spaces")
        self._rows.add_class("ld-hidden")
        self.widget = labelled("Space", self.summary, self.toggle, self._rows)
        guard = context.banner.guard
        self.toggle.on_click(guard(self._toggle))
        names = ["cohort_a", "cohort_b", "loaded_atlases"]
        context.choices.observe(guard(self._update), names=names)
        self._update()

    def _toggle(self, _button: widgets.Button) -> None:
        is_opening = self.toggle.description == _CHANGE
        self.toggle.description = _CLOSE if is_opening else _CHANGE
        (self._rows.remove_class if is_opening else self._rows.add_class)("ld-hidden")

    def _update(self, _change: Any = None) -> None:
        self._inputs = tuple(self._shown())
        spaces = {each.space.words for each in self._inputs}
        if len(spaces) == 1:
            text = next(iter(spaces))
        else:
            text = "; ".join(f"{each.short}: {each.space.words}" for each in self._inputs)
        set_text(self.summary, f"{text[:1].upper()}{text[1:]}")
        while len(self.fields) < len(self._inputs):
            field = SpaceField()
            choose = partial(self._choose, len(self.fields))
            field.observe(self._context.banner.guard(choose), names="value")
            self.fields.append(field)
        for field, each in zip(self.fields, self._inputs, strict=False):
            field.show(each.chosen, each.space)
        words = tuple(each.words for each in self._inputs)
        if words != self._named:  # widgets that are made anew stay in the browser
            self._named = words
            self._rows.children = list(map(labelled, words, self.fields))
        (self.widget.remove_class if self._inputs else self.widget.add_class)("ld-hidden")

    def _shown(self) -> Iterator[_Input]:
        choices, session = self._context.choices, self._context.session
        folders: set[str] = set()
        for side in "ab":
            name = str(getattr(choices, f"cohort_{side}"))
            folder, cohort = session.origin(name)[0], session.cohort(name)
            if cohort is not None and folder not in folders:
                folders.add(folder)
                chosen = session.files_of(name).space or ""
                choose = partial(self._choose_masks, side, folder)
                words = f"Masks of {session.root.words_of(folder)}"
                yield _Input(side.upper(), words, space_of(cohort.grid), chosen, choose)
        for name in choices.loaded_atlases:
            atlas = session.atlas(name)
            if atlas is not None:
                words = session.root.words_of(name)
                chosen, choose = session.use_of(name).space, partial(self._choose_atlas, name)
                yield _Input(words, f"Atlas {words}", space_of(atlas.grid), chosen, choose)

    def _choose(self, position: int, change: dict[str, Any]) -> None:
        if not self.fields[position].is_filling:
            self._inputs[position].choose(change["new"])

    def _choose_masks(self, side: str, folder: str, space: str) -> None:
        files = replace(self._context.session.file_choice(folder), space=space or None)
        self._context.choose_files(side, folder, files)

    def _choose_atlas(self, name: str, space: str) -> None:
        use: AtlasUse = replace(self._context.session.use_of(name), space=space)
        self._context.choose_use(name, use)
