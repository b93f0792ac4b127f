"""Login with the token, typed into a form or sent as a header, never as part of an address."""

from __future__ import annotations

import hmac
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import RequestHandler

from .notices import PlainErrors, login_page


class TokenLogin(IdentityProvider):
    """Knows a visitor by the cookie that the token was exchanged for.

    Jupyter's own provider also takes the token from the address, from where it gets into histories
    and logs, and lets a visitor set a password that is written to a file.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.cookie_options = {"SameSite": "Strict"}

    @property
    def auth_enabled(self) -> bool:
        """Whether a token is asked for."""
        return bool(self.token)

    def get_handlers(self) -> list[tuple[str, object]]:
        """The login page, where there is anything to log in with."""
        return [("/login", LoginPage)] if self.auth_enabled else []

    def accepts(self, given: str) -> bool:
        """Whether it is the token, in a time that does not tell how much of it was right."""
        token = str(self.token)
        return bool(token) and hmac.compare_digest(given.encode(), token.encode())

    def get_token(self, handler: RequestHandler) -> str | None:
        """The token of an Authorization header, if it is the right one."""
        match = self.auth_header_pat.match(handler.request.headers.get("Authorization", ""))
        return str(self.token) if match and self.accepts(match.group(2).strip()) else None

    def process_login_form(self, handler: RequestHandler) -> User | None:
        """The visitor who typed the token."""
        given = handler.get_body_argument("token", "")
        return self.generate_anonymous_user(handler) if self.accepts(given) else None

    def set_login_cookie(self, handler: RequestHandler, user: User) -> None:
        """Set the cookie; it stays on TLS where the browser came by TLS to the proxy."""
        self.secure_cookie = handler.request.headers.get("Origin", "").startswith("https:")
        super().set_login_cookie(handler, user)


class LoginPage(PlainErrors, JupyterHandler):
    """Asks for the token, and goes on to the page that was wanted."""

    @allow_unauthenticated
    def get(self) -> None:
        """Show the form."""
        if self.current_user:
            self.redirect(self._target)
        else:
            self.finish(login_page(self._target))

    @allow_unauthenticated
    def post(self) -> None:
        """Take the token."""
        user = self.identity_provider.process_login_form(self)
        if user is None:
            self.set_status(401)
            self.finish(login_page(self._target, wrong=True))
            return
        self.identity_provider.set_login_cookie(self, user)
        self.redirect(self._target)

    @property
    def _target(self) -> str:
        """Only the dashboard itself, with its choices: never another site."""
        home = self.base_url
        target = self.get_argument("next", home)
        return target if target.startswith(f"{home}?") and target.isprintable() else home
