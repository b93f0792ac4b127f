"""The notes on the data that are chosen, above every page: their number, and a fold with all."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import ipywidgets as widgets

from ..core.text import counted, printable
from .app_context import AppContext
from .sentences import without_options


class DataNotes:
    """How many notes there are on A, B and the atlas; unfolded, what they say."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.widget = widgets.HTML()
        self.widget.add_class("ld-data-notes")
        update = context.banner.guard(self._update)
        context.choices.observe(update, names=["cohort_a", "cohort_b", "loaded_atlases"])
        self._update()

    def _update(self, _change: Any = None) -> None:
        groups = [(owner, notes) for owner, notes in self._groups() if notes]
        self.widget.value = _as_html(groups) if groups else ""
        (self.widget.remove_class if groups else self.widget.add_class)("ld-hidden")

    def _groups(self) -> Iterator[tuple[str, list[str]]]:
        """The notes by what they are on; of two parts of one folder, each sentence once."""
        choices, session = self._context.choices, self._context.session
        said: set[tuple[str, str]] = set()
        for side, name in (("A", choices.cohort_a), ("B", choices.cohort_b)):
            if (cohort := session.cohort(name)) is not None:
                folder = session.origin(name)[0]
                notes = [note for note in cohort.all_notes if (folder, note) not in said]
                said.update((folder, note) for note in notes)
                yield f"{side}, {cohort.name}", notes
        for atlas in filter(None, map(session.atlas, choices.loaded_atlases)):
            yield f"atlas {atlas.name}", list(dict.fromkeys(atlas.notes))


def _as_html(groups: list[tuple[str, list[str]]]) -> str:
    total = sum(len(notes) for _, notes in groups)
    title = f"{counted(total, 'note')} on the data"
    parts = "".join(
        f"<p>{_escape(owner)}:</p><ul>{''.join(f'<li>{_escape(note)}</li>' for note in notes)}</ul>"
        for owner, notes in groups
    )
    return f"<details><summary>{title}</summary>{parts}</details>"


def _escape(text: str) -> str:
    return html.escape(printable(without_options(text)))
