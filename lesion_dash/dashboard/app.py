"""The dashboard as a whole: its pages under one header and one error banner."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..core.errors import LesionDashError
from ..plotting.drawing import prepare_drawing
from .app_context import AppContext
from .controls import style_sheet
from .data_notes import DataNotes
from .data_root import configured_root
from .help import add_help
from .own_server import check_host, is_plain_voila
from .page_messages import filter_page_messages
from .pages import FIRST_TOOL, PAGES
from .pages.loading import mark_old
from .session import Session
from .state import Loading
from .tasks import ACTIVITY
from .tour import Tour
from .url_state import UrlState
from .widgets.idle import Idle
from .widgets.navigation import Navigation

# Seconds without a page after which a kernel is one that is kept ready: a page that started its
# kernel has painted by then on most computers, and would share the processor until it has.
_WAITS = 3.0
_PLAIN_VOILA = (
    '<div role="note">Voila itself shows this page, without a token and without the limits of '
    "<code>lesion-dash serve</code>: use it alone, on this computer, or start "
    "<code>lesion-dash serve --data-root FOLDER</code> instead.</div>"
)


class App:
    """Pages under one header; a page is built when it is first opened.

    Parameters
    ----------
    context : AppContext
        What the pages share.
    """

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self._built: set[int] = set()
        self.navigation = Navigation(
            titles=[page.TITLE for page in PAGES],
            first_tool=FIRST_TOOL,
            root=context.session.root.path.name,
        )
        self.pages = widgets.Box([widgets.Box() for _ in PAGES])
        self.pages.add_class("ld-pages")
        self.navigation.observe(context.banner.guard(self._opened), names="selected_index")
        context.show_brain = self._open_first
        self._build(0)
        names = [page.__name__.rpartition(".")[2] for page in PAGES]
        self.url_state = UrlState(context, self.navigation, names, self.pages)
        hidden = [context.saver, self.url_state.bar, Idle(ACTIVITY)]
        head = [style_sheet(), self._header(), *_warnings()]
        self.notes = DataNotes(context)
        parts = [*head, context.banner.widget, self.notes.widget, self.pages, *hidden]
        self.widget = widgets.VBox(parts)
        self.widget.add_class("ld-app")
        mark_old(context, self.widget)
        for part in hidden:
            part.add_class("ld-invisible")

    def _header(self) -> widgets.HBox:
        tour = Tour(self._open_first)
        parts = [self.navigation, self.url_state.menu, tour, self.context.appearance]
        header = widgets.HBox(parts)
        header.add_class("ld-header")
        return header

    def _open_first(self) -> None:
        self.navigation.selected_index = 0

    def _opened(self, change: dict[str, Any]) -> None:
        self._build(int(change["new"]))

    def _build(self, index: int) -> None:
        if index not in self._built:
            self._built.add(index)
            page = PAGES[index].build(self.context)
            add_help(page)
            self.pages.children[index].children = [page]


def _warnings() -> list[widgets.HTML]:
    if not is_plain_voila():
        return []
    warning = widgets.HTML(_PLAIN_VOILA)
    warning.add_class("ld-plain-voila")
    return [warning]


def _await_paint(loading: Loading) -> None:
    """Count the first drawing of the brain as work to be done: figures are drawn after it."""
    ACTIVITY.begin()
    loading.observe(lambda _: ACTIVITY.end(), names="painted")  # which changes once


def _prepare_while_waiting(loading: Loading) -> None:
    """Import what figures need while no page has come; where one has, its first figure does."""
    waiting = threading.Timer(_WAITS, prepare_drawing)
    waiting.daemon = True
    waiting.start()
    loading.observe(lambda _: waiting.cancel(), names="painted")


def show() -> None:
    """Show the dashboard in a notebook cell, under Voila or in JupyterLab."""
    from IPython.display import display

    put: Callable[..., None] = display
    # Before this cell ends, the kernel takes no message of a page.
    filter_page_messages()
    try:
        check_host()
        app = App(AppContext(Session(configured_root())))
    except LesionDashError as error:
        message = html.escape(str(error))
        put(style_sheet(), widgets.HTML(f'<div class="ld-banner">{message}</div>'))
        return
    _await_paint(app.context.loading)
    put(app.widget)
    app.url_state.begin()
    _prepare_while_waiting(app.context.loading)
