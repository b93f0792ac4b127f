"""The card “Show code” of the pages that show what the choices give."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import ipywidgets as widgets
from traitlets import HasTraits

from ..app_context import AppContext
from ..code import Code
from ..controls import card, download_button, heading, note
from ..tasks import PAUSE, Debounce
from .roi_code import CopyButton

if TYPE_CHECKING:
    from collections.abc import Callable

    Lines = Callable[[], tuple[str, str]]


SCRIPT_NAME = "lesion_dash_script.py"
_ABOUT = "Gives the same numbers and files. Run it in the folder that contains {}."
_NOTHING = "# Choose a folder: the Python code appears here."
CHOSEN = ("cohort_a", "cohort_b", "min_patients", "loaded_atlases")


class CodeCard:
    """Python and commands for the choices of a page.

    Parameters
    ----------
    context : AppContext
    lines : callable
        Gives the Python and the commands, both empty where nothing is chosen yet.
    nothing : str
        What stands there then.
    """

    def __init__(self, context: AppContext, lines: Lines, nothing: str = _NOTHING) -> None:
        self._lines, self._nothing = lines, nothing
        self.python, self.commands = widgets.HTML(), widgets.HTML()
        self.copy, self.copy_commands = CopyButton(), CopyButton()
        self._script = ""
        save = context.banner.guard(lambda: context.saver.save(SCRIPT_NAME, self._script.encode()))
        self.script = download_button("Script", f"Save {SCRIPT_NAME}", save)
        self._later = Debounce(PAUSE, context.banner.guard(self.update))
        for code in (self.python, self.commands):
            code.add_class("ld-code")
        about = _ABOUT.format(context.session.root.path.name)
        head = widgets.HBox([heading("Show code"), note(about), self.copy, self.script])
        below = widgets.HBox([note("The same in a terminal"), self.copy_commands])
        below.add_class("ld-card-head")
        self._terminal = widgets.VBox([below, self.commands])
        self._terminal.add_class("ld-terminal")
        self.widget = card(head, self.python, self._terminal, name="page-code")
        self.update()

    def update(self) -> None:
        """Write the lines anew."""
        python, commands = self._lines()
        self._script = python
        self.python.value = f'<pre tabindex="0">{html.escape(python or self._nothing)}</pre>'
        self.commands.value = f'<pre tabindex="0">{html.escape(commands)}</pre>'
        self.copy.text, self.copy_commands.text = python, commands
        self.script.disabled = not python
        hide = self._terminal.remove_class if commands else self._terminal.add_class
        hide("ld-hidden")

    def follow(self, source: HasTraits, *names: str) -> CodeCard:
        """Write the lines anew, a moment after one of these traits has changed."""
        source.observe(lambda _: self._later(), names=list(names))
        return self


def topography_code(context: AppContext, page: widgets.Box) -> widgets.Box:
    """The page, and below it the code of maps, overlap and regions."""
    code = Code(context.session)
    made = CodeCard(context, lambda: code.topography(context.choices.selection))
    return place_below(page, made.follow(context.choices, *CHOSEN))


def place_below(page: widgets.Box, made: CodeCard) -> widgets.Box:
    """The page, and below it a card of code."""
    page.children = [*page.children, made.widget]
    return page
