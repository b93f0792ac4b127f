"""Pages that need nothing but themselves: a sentence, or a form with one field."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import Any

from tornado.web import HTTPError, RequestHandler

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem }
h1 { font-size: 1.4rem }
input, button, a.button { font: inherit; padding: .4rem .8rem }
input { width: 100%; box-sizing: border-box; margin: .3rem 0 1rem }
"""

_TOKEN_FORM = """<form method="post">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<input name="next" type="hidden" value="{target}">
<button>Log in</button>
</form>"""


def notice_page(title: str, sentences: str, below: str = "") -> str:
    """A page of one heading and one paragraph.

    Parameters
    ----------
    title, sentences : str
        Plain text.
    below : str
        HTML of ours to follow.

    Examples
    --------
    >>> "<h1>Full &amp; busy</h1>" in notice_page("Full & busy", "Come back later.")
    True
    """
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<title>{escape(title)} · lesion_dash</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1><p>{escape(sentences)}</p>{below}</main></body></html>"
    )


def full_page(limit: int, minutes: int) -> str:
    """What a visitor reads when every kernel is taken."""
    people = "somebody else is" if limit == 1 else f"{limit} pages are"
    sentences = (
        f"All places are taken: {people} using the dashboard, and the computer it runs on has "
        "memory for no more. A place becomes free as soon as a page is closed, or at the latest "
        f"{minutes} minutes after its computer has gone offline. Please try again in a minute. "
        "Nothing of yours was lost."
    )
    button = '<p><a class="button" href="">Try again</a></p>'
    return notice_page("The dashboard is full", sentences, button)


def login_page(target: str, wrong: bool = False) -> str:
    """The form that asks for the token."""
    sentences = (
        "This token is not the right one. Please try again."
        if wrong
        else "Whoever runs this dashboard can give you its token."
    )
    form = _TOKEN_FORM.format(target=escape(target, quote=True))
    return notice_page("Log in", sentences, form)


class PlainErrors(RequestHandler):
    """Errors as pages of ours: Jupyter's own need files that Voila does not serve."""

    def write_error(self, status_code: int, **_: Any) -> None:
        """Say what kind of error it is, and nothing of its cause."""
        kind = HTTPStatus(status_code).phrase
        self.finish(notice_page(f"{status_code} {kind}", "Reload the page to go on."))

    def log_exception(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Log what failed here; a refused request has its own line, and may hold what was typed."""
        if not isinstance(error, HTTPError):
            super().log_exception(kind, error, trace)
