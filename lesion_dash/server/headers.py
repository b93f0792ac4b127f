"""Headers that tell a browser what a page of the dashboard may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform

if TYPE_CHECKING:
    from .access import Access


_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # "no-referrer" would also take the origin from the login form, by which it is checked.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "SAMEORIGIN",
}


class SecurityHeaders(OutputTransform):
    """Puts the headers on every answer, static files and errors included."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add what is not there, and leave out what the server is."""
        for name, value in _HEADERS.items():
            if name not in headers:
                headers[name] = value
        if "Server" in headers:
            del headers["Server"]
        return super().transform_first_chunk(status_code, headers, chunk, finishing)


def content_rules(access: Access) -> str:
    """The content security policy: nothing from elsewhere, sockets to the dashboard alone.

    Parameters
    ----------
    access : Access

    Examples
    --------
    >>> from lesion_dash.server.access import Access
    >>> content_rules(Access()).partition(";")[0]
    "default-src 'self'"
    """
    # Only the proxy in front of a socket file knows the name.
    names = [name for name in access.names if ":" not in name and access.socket_file is None]
    sockets = " ".join(f"ws://{name}:* wss://{name}:*" for name in names)
    rules = (
        "default-src 'self'",
        # Widgets are modules that Jupyter loads from blobs, and Voila's page has inline scripts.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline' data: blob:",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        # Not every browser counts sockets among 'self'.
        f"connect-src 'self' {sockets} data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
    return "; ".join(rules)
