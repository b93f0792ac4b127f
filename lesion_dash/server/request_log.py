"""The log: a line for each request, and nothing in any line by which a visitor is known."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.web import RequestHandler


_LOG = logging.getLogger("lesion_dash.requests")
# Below whatever path the dashboard is served.
_QUIET = re.compile(r"/voila/(static|templates|labextensions|api)/|/scripts/|/health$")
_KERNEL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_QUERY = re.compile(r"(\?|%3f).*", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(
    r"(?<!\w)([0-9a-f:]{0,39}::[0-9a-f:.]{0,45}|([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}"
    r"|\d{1,3}(\.\d{1,3}){3})",
    re.IGNORECASE,
)
_LONGEST_PATH = 120
_LONGEST_LINE = 500
_MOST_READ = 4 * _LONGEST_LINE  # a request's first line has room for 64 kB
_FIRST_ERROR = 400


def log_request(handler: RequestHandler) -> None:
    """Log an answer; files of the page, and questions after the server's health, when they fail."""
    status, request = handler.get_status(), handler.request
    if status < _FIRST_ERROR and _QUIET.search(request.path):
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
    return plain_text(path)[:_LONGEST_PATH]


def plain_text(text: str) -> str:
    r"""A text for one line of the log, with nothing by which a visitor or a kernel is known.

    Parameters
    ----------
    text : str
        From the first question mark on it is left out: that may be a query.

    Examples
    --------
    >>> plain_text("404 GET /x (192.0.2.7): no file\n2026-01-01 forged")
    '404 GET /x (ADDRESS): no file?2026-01-01 forged'
    """
    known = _ADDRESS.sub("ADDRESS", _KERNEL.sub("ID", _QUERY.sub("", text[:_MOST_READ])))
    return "".join(letter if letter.isprintable() else "?" for letter in known[:_LONGEST_LINE])


class PlainLines(logging.Formatter):
    """A line for each record, and the lines of its error set in, whoever logged it.

    Examples
    --------
    >>> record = logging.makeLogRecord({"msg": "GET /x?patient=%r", "args": ("sub-01",)})
    >>> PlainLines("%(asctime)s").format(record).endswith(" GET /x")
    True
    """

    def format(self, record: logging.LogRecord) -> str:
        """The lines."""
        when = self.formatTime(record, "%Y-%m-%d %H:%M:%S")
        lines = [f"{when} {plain_text(record.getMessage())}"]
        if record.exc_info and record.exc_info[0]:
            for part in traceback.format_exception(*record.exc_info):
                is_place = part.lstrip().startswith("File ")
                shown = part.splitlines() if is_place else [part.strip()]
                lines += [f"    {plain_text(line)}" for line in shown]
        return "\n".join(lines)


def set_up_logs(other: logging.Logger) -> None:
    """Send all that is logged to stderr, in plain lines.

    Parameters
    ----------
    other : Logger
        Has a handler of its own so far.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainLines())
    handler.addFilter(is_news)
    logging.getLogger().addHandler(handler)
    for own in tuple(other.handlers):
        other.removeHandler(own)
    other.propagate = True
    other.setLevel(logging.ERROR)
    _LOG.setLevel(logging.INFO)


def log_sentence(sentence: str) -> None:
    """Log what is not an answer to a request."""
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
