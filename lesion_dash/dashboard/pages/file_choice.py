"""Under a folder: which of a patient's files count, where patients have several."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ipywidgets as widgets

from ...cohort.file_choice import FileChoice
from ..app_context import AppContext
from ..controls import labelled, note, set_text


class FileChoicePanel:
    """Offers what was tried on a folder; hidden where every patient has one file.

    Parameters
    ----------
    context : AppContext
    side : str
        ``a`` or ``b``.
    """

    def __init__(self, context: AppContext, side: str) -> None:
        self._context, self._side = context, side
        self.choice = widgets.Dropdown()
        self.why = note()
        self.widget = labelled(f"Files that count, {side.upper()}", self.choice, self.why)
        self._is_showing = False
        names = [f"folder_{side}", f"pending_{side}", f"files_{side}"]
        context.choices.observe(context.banner.guard(self._update), names=names)
        self.choice.observe(context.banner.guard(self._chosen), names="value")
        self._update()

    @property
    def _folder(self) -> str:
        """The folder that waits for a choice, or the one that is shown."""
        choices = self._context.choices
        return str(
            getattr(choices, f"pending_{self._side}") or getattr(choices, f"folder_{self._side}")
        )

    def _update(self, _change: Any = None) -> None:
        session, folder = self._context.session, self._folder
        error = session.pending_choice(folder)
        chosen = str(replace(session.file_choice(folder), space=None))
        offers = [] if error is None else error.offers
        options = [(f"Choose for {session.root.words_of(folder)}", "")]
        options += [(offer.words, str(offer.choice)) for offer in offers]
        if chosen not in [text for _, text in options]:  # as a link has it
            options.append((FileChoice.parse(chosen).words, chosen))
        self._is_showing = True
        try:
            self.choice.options = options
            self.choice.value = chosen
        finally:
            self._is_showing = False
        set_text(self.why, "" if error is None else f"{folder}: {error.problem}.")
        is_needed = len(options) > 1
        (self.widget.remove_class if is_needed else self.widget.add_class)("ld-hidden")

    def _chosen(self, change: dict[str, Any]) -> None:
        if not self._is_showing:
            before = self._context.session.file_choice(self._folder)
            files = replace(FileChoice.parse(str(change["new"])), space=before.space)
            self._context.choose_files(self._side, self._folder, files)
