"""A line for each request: time, status, method and path, and nothing a visitor typed or chose."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.web import RequestHandler

_LOG = logging.getLogger("lesion_dash.requests")
_QUIET = (
    *("/voila/static/", "/voila/templates/", "/voila/labextensions/", "/voila/api/"),
    *("/scripts/", "/health"),
)
_KERNEL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_QUERY = re.compile(r"\?[^\s'\"]*")
_LONGEST_PATH = 120
_FIRST_ERROR = 400


def log_request(handler: RequestHandler) -> None:
    """Log an answer; files of the page, and questions after the server's health, when they fail."""
    status, request = handler.get_status(), handler.request
    if status < _FIRST_ERROR and request.path.startswith(_QUIET):
        return
    _LOG.info("%d %s %s", status, request.method, plain_path(request.path))


def plain_path(path: str) -> str:
    """A path without query and without the id of a kernel, which is as good as a key to it.

    Parameters
    ----------
    path : str

    Examples
    --------
    >>> plain_path("/api/kernels/0f1e2d3c-0000-1111-2222-0123456789ab/channels")
    '/api/kernels/ID/channels'
    >>> plain_path("/?patient=sub-01")
    '/'
    """
    shown = _KERNEL.sub("ID", path.partition("?")[0])[:_LONGEST_PATH]
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def set_up_logs() -> None:
    """Send the lines to stderr, and keep queries out of what the web server itself logs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False
    for name in ("tornado.application", "tornado.general", "tornado.access"):
        logging.getLogger(name).addFilter(_without_query)
    for name in ("asyncio", "tornado.general"):
        logging.getLogger(name).addFilter(is_news)


def log_sentence(sentence: str) -> None:
    """Log what is no answer to a request."""
    _LOG.info("%s", sentence)


def is_news(record: logging.LogRecord) -> bool:
    """Whether a record says more than that a page was closed while something was sent to it.

    Parameters
    ----------
    record : LogRecord
        Of a task that nobody waited for, or of a stream of messages.

    Examples
    --------
    >>> closed = "Got events for closed stream %s"
    >>> is_news(logging.LogRecord("tornado.general", 30, "", 0, closed, (), None))
    False
    """
    if str(record.msg).startswith("Got events for closed stream"):
        return False
    error = record.exc_info[1] if record.exc_info else None
    return type(error).__name__ not in ("WebSocketClosedError", "StreamClosedError")


def _without_query(record: logging.LogRecord) -> bool:
    record.msg, record.args = _QUERY.sub("", record.getMessage()), ()
    return True
