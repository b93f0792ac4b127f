"""The few widgets that all pages share, and what ties a widget to a trait."""

from __future__ import annotations

import contextlib
import html
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets as t
from traitlets.log import get_logger

from ..core.errors import Cancelled, LesionDashError
from ..core.text import printable
from .scripts import static_text
from .sentences import without_options
from .tasks import guarded

_STYLES = (
    "style.css",
    "inspect.css",
    "roi.css",
    "template.css",
    "compare.css",
    "tour.css",
    "filters.css",
    "loading.css",
    "symptoms.css",
)

_MOST_DETAILS = 200
_NO_MEMORY = (
    "Not enough memory; nothing was changed. Choose fewer patients or coarser images, or ask the "
    "administrator of the dashboard."
)
_MIME = {
    ".nii": "application/octet-stream",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".py": "text/x-python",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".zip": "application/zip",
}


class NameList(widgets.Dropdown):  # type: ignore[misc]
    """A list of names, the first of them for none, that are offered anew as files come and go."""

    is_filling = False
    """Whether what is chosen changes only because other names are offered."""

    def offer(self, options: Sequence[tuple[str, str]]) -> None:
        """Offer names, each after what it is called; the one that is chosen stays if it is there.

        Where it is not, whoever removed it chooses another one.
        """
        if tuple(options) == self.options:  # type: ignore[has-type]
            return
        chosen = self.value  # type: ignore[has-type]
        self.is_filling = True  # options choose the first of them
        try:
            self.options = tuple(options)
            names = [name for _, name in options]
            self.value = chosen if chosen in names else names[0]
        finally:
            self.is_filling = False


def bind(model: t.HasTraits, trait: str, widget: widgets.Widget, attribute: str = "value") -> None:
    """Keep a trait of a model and an attribute of a widget equal.

    What the model refuses goes back in the widget, so that the screen never shows a choice that
    does not hold.
    """

    def to_model(change: dict[str, Any]) -> None:
        if getattr(widget, "is_filling", False):
            return
        with contextlib.suppress(t.TraitError):
            setattr(model, trait, change["new"])
        setattr(widget, attribute, getattr(model, trait))

    def to_widget(_change: dict[str, Any]) -> None:
        # Another observer may have changed the trait back before this one hears of it.
        setattr(widget, attribute, getattr(model, trait))

    setattr(widget, attribute, getattr(model, trait))
    widget.observe(to_model, names=attribute)
    model.observe(to_widget, names=trait)


class CloseButton(anywidget.AnyWidget):
    """Closes a message; so does the Escape key, wherever the reader is on the page.

    Parameters
    ----------
    on_close : callable
    """

    _esm = static_text("close.js")

    def __init__(self, on_close: Callable[[], None]) -> None:
        super().__init__()
        self.on_msg(lambda *_: on_close())


class Banner:
    """The one place where an error is shown.

    Parameters
    ----------
    without_paths : callable, optional
        Takes the folders of the server out of a sentence.
    """

    def __init__(self, without_paths: Callable[[str], str] = str) -> None:
        self._without_paths = without_paths
        self._text = widgets.HTML()
        self.widget = widgets.HBox([self._text, CloseButton(self.clear)])
        self.widget.add_class("ld-banner")
        self.clear()

    @property
    def message(self) -> str:
        """What is shown, as HTML; empty where nothing is."""
        return str(self._text.value)

    def show(self, error: Exception) -> None:
        """Show an error as one clear sentence."""
        if isinstance(error, Cancelled):
            return
        if isinstance(error, LesionDashError):
            sentence, rest = str(error), list(getattr(error, "details", ()))
        elif isinstance(error, MemoryError):
            sentence, rest = _NO_MEMORY, []
            get_logger().error("A page needed more memory than it may take (--kernel-memory)")
        else:
            sentence, rest = f"Unexpected error: {str(error) or type(error).__name__}", []
            get_logger().error("Unexpected %s", _where(error))
        if len(rest) > _MOST_DETAILS:
            rest[_MOST_DETAILS:] = [f"and {len(rest) - _MOST_DETAILS:,} more"]
        lines = "".join(f"<li>{self._escape(line)}</li>" for line in rest)
        more = f"<ul>{lines}</ul>" if lines else ""
        self._text.value = f'<div role="alert">{self._escape(sentence)}{more}</div>'
        self.widget.remove_class("ld-hidden")

    def _escape(self, text: str) -> str:
        return html.escape(self._without_paths(printable(without_options(text))))

    def clear(self) -> None:
        """Show nothing."""
        self._text.value = ""
        self.widget.add_class("ld-hidden")

    def guard(self, action: Callable[..., Any]) -> Callable[..., None]:
        """Wrap a callback, so that what goes wrong in it is shown here."""
        return guarded(action, self.show)


def _where(error: Exception) -> str:
    """Kind and place of an error, for the log of a server: its message may name a patient."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


class Saver(anywidget.AnyWidget):
    """Hands bytes to the browser, which saves them as a file."""

    _esm = static_text("download.js")

    def save(self, name: str, content: bytes) -> None:
        """Let the browser save `content` under `name`."""
        mime = _MIME.get(Path(name).suffix, "application/octet-stream")
        self.send({"type": "save", "name": name, "mime": mime}, buffers=[content])


class Names(anywidget.AnyWidget):
    """Names the controls of a page for screen readers, which the widgets themselves do not do."""

    _esm = static_text("names.js")


def card(title: widgets.Widget | str, *children: widgets.Widget, name: str) -> widgets.VBox:
    """A framed part of a page with a title."""
    head = widgets.HBox([heading(title)]) if isinstance(title, str) else title
    head.add_class("ld-card-head")
    box = widgets.VBox([head, *children])
    box.add_class("ld-card")
    box.add_class(f"ld-{name}")
    return box


def heading(text: str) -> widgets.HTML:
    """A title; the text is escaped."""
    return widgets.HTML(f"<h2>{html.escape(printable(text))}</h2>")


def labelled(text: str, *children: widgets.Widget) -> widgets.VBox:
    """Widgets under a label."""
    label = widgets.Label(text)
    label.add_class("ld-label")
    box = widgets.VBox([label, *children])
    box.add_class("ld-field")
    return box


def note(text: str = "") -> widgets.HTML:
    """Small grey text; the text is escaped."""
    widget = widgets.HTML()
    widget.add_class("ld-note")
    set_text(widget, text)
    return widget


def set_text(widget: widgets.HTML, text: str) -> None:
    """Put plain text in an HTML widget; it names no option of a command."""
    widget.value = html.escape(without_options(printable(text)))


def download_button(text: str, tooltip: str, action: Callable[[], None]) -> widgets.Button:
    """A button that saves a file."""
    button = widgets.Button(description=text, icon="download", tooltip=tooltip)
    button.add_class("ld-button")
    button.on_click(lambda _: action())
    return button


def style_sheet() -> widgets.Box:
    """The style of all pages and the names of their controls, as a widget to be shown once."""
    rules = "".join(map(static_text, _STYLES))
    sheet = widgets.Box([widgets.HTML(f"<style>{rules}</style>"), Names()])
    sheet.add_class("ld-invisible")
    return sheet


def css_colour(colour: tuple[int, int, int]) -> str:
    """A colour for a style."""
    return f"rgb({colour[0]},{colour[1]},{colour[2]})"
