"""Requests that are refused before any handler sees them: wrong Host, or made by another site."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher
from tornado.web import RequestHandler

from .access import Access

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_SITE = "The request comes from a page of another site, and is not carried out."
# What browsers say of a request: https://www.w3.org/TR/fetch-metadata/. Older ones, and what is no
# browser, say nothing.
_OWN_SITES = frozenset({None, "none", "same-origin"})
# Only what is fetched ahead has one. Sec-Purpose is today's; Safari and older browsers send others.
_PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


class Gate(Matcher):
    """Matches what is to be refused, so that it is the first rule of the routes.

    Parameters
    ----------
    access : Access
    """

    def __init__(self, access: Access) -> None:
        self.access = access

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """The reason to refuse a request, for the handler that says it."""
        reason = refusal(self.access, request)
        return {"target_kwargs": {"reason": reason}} if reason else None


class Refusal(RequestHandler):
    """Says why a request is refused."""

    def initialize(self, reason: str) -> None:
        """Take the sentence."""
        self.reason = reason

    def prepare(self) -> None:
        """Answer, whatever the method."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{self.reason}\n")


def refusal(access: Access, request: HTTPServerRequest) -> str:
    """Why a request is refused; empty where it is let through."""
    hosts = request.headers.get_list("Host")
    if len(hosts) != 1 or not access.answers_to(hosts[0]):
        return (
            "The dashboard does not answer to this name. Whoever runs it can add the name: "
            "lesion-dash serve --hostname NAME"
        )
    origin = request.headers.get("Origin")
    is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
    changes = is_socket or request.method not in _SAFE_METHODS
    # What is not a browser sends no origin, and cannot be made to act for somebody else.
    if changes and origin is not None and _netloc(origin) != hosts[0].lower():
        return _OTHER_SITE
    if request.headers.get("Sec-Fetch-Site") not in _OWN_SITES and not _follows_link(request):
        return _OTHER_SITE
    # It would have a kernel, and perhaps never be looked at; the browser asks again where it is.
    if any(name in request.headers for name in _PURPOSES):
        return "The dashboard is not fetched ahead. Open its page."
    return ""


def _follows_link(request: HTTPServerRequest) -> bool:
    """Whether a whole page is to be opened, in no frame: what a link on another site does."""
    return (
        request.method == "GET"
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") == "document"
    )


def _netloc(origin: str) -> str:
    """Host and port of an origin, empty where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
