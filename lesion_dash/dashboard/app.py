"""The dashboard as a whole: pages in tabs under one error banner."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..core.errors import LesionDashError
from .app_context import AppContext
from .controls import style_sheet
from .data_notes import DataNotes
from .data_root import configured_root
from .own_server import check_host, is_plain_voila
from .page_messages import filter_page_messages
from .pages import PAGES
from .pages.loading import mark_old
from .session import Session
from .tour import Tour
from .url_state import UrlState

_PLAIN_VOILA = (
    '<div role="note">Voila itself shows this page, without a token and without the limits of '
    "<code>lesion-dash serve</code>: use it alone, on this computer, or start "
    "<code>lesion-dash serve --data-root FOLDER</code> instead.</div>"
)


class App:
    """Pages in tabs; a page is built when its tab is first opened.

    Parameters
    ----------
    context : AppContext
        What the pages share.
    """

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self._built: set[int] = set()
        self.tabs = widgets.Tab([widgets.Box() for _ in PAGES])
        self.tabs.titles = [page.TITLE for page in PAGES]
        self.tabs.add_class("ld-tabs")
        self.tabs.observe(context.banner.guard(self._opened), names="selected_index")
        context.show_brain = self._open_first
        self._build(0)
        names = [page.__name__.rpartition(".")[2] for page in PAGES]
        self.url_state = UrlState(context, self.tabs, names)
        hidden = [context.saver, self.url_state.bar]
        head = [style_sheet(), self._header(), *_warnings()]
        self.notes = DataNotes(context)
        parts = [*head, context.banner.widget, self.notes.widget, self.tabs, *hidden]
        self.widget = widgets.VBox(parts)
        self.widget.add_class("ld-app")
        mark_old(context, self.widget)
        for part in hidden:
            part.add_class("ld-invisible")

    def _header(self) -> widgets.HBox:
        root = html.escape(self.context.session.root.path.name)
        title = widgets.HTML(
            f"<header><h1>lesion_dash</h1><span>lesion size topography and overlap</span>"
            f'<span class="ld-root">data: {root}</span></header>'
        )
        header = widgets.HBox([title, self.url_state.menu, Tour(self._open_first)])
        header.add_class("ld-header")
        return header

    def _open_first(self) -> None:
        self.tabs.selected_index = 0

    def _opened(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            self._build(int(change["new"]))

    def _build(self, index: int) -> None:
        if index not in self._built:
            self._built.add(index)
            built = PAGES[index].build(self.context)
            pages = list(self.tabs.children)
            pages[index] = built
            self.tabs.children = pages


def _warnings() -> list[widgets.HTML]:
    if not is_plain_voila():
        return []
    warning = widgets.HTML(_PLAIN_VOILA)
    warning.add_class("ld-plain-voila")
    return [warning]


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
    put(app.widget)
    app.url_state.begin()
