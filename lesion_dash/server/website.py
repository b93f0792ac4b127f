"""Stand-alone Voila with a gate in front, and without the routes the dashboard has no use for."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from jupyter_server.base.handlers import APIHandler
from tornado.ioloop import IOLoop
from tornado.web import RedirectHandler, RequestHandler
from voila.app import Voila
from voila.static_file_handler import TemplateStaticFileHandler

from ..core.system import IS_LINUX, raise_descriptors
from .access import Access
from .connections import MOST_DESCRIPTORS, BoundedServer, connection_limit
from .gate import Gate, Refusal
from .handlers import DashboardPage, HealthPage, ScriptFile, TemplateFile
from .headers import SecurityHeaders
from .kernel_socket import KernelSocket
from .landlock import landlock_version
from .notices import PlainErrors
from .request_log import set_up_logs

_LARGEST_FORM = 64 * 2**10
# Files of the notebook's folder; and what a request said, told to whoever knows a kernel's id.
_CLOSED = ("/voila/files/", "/voila/query/")
# Any other path would lead to the files.
_ADDRESSES = {"/(.*)": "/"}


class Website(Voila):  # type: ignore[misc]
    """Serves one notebook to whom the settings let in."""

    @property
    def access(self) -> Access:
        """Who is let in."""
        return self.tornado_settings["access"]

    def init_settings(self) -> dict[str, Any]:
        """The settings; the sockets of kernels lie beside the notebook's folder.

        Voila has just made a folder below that, and the path of a socket has a hundred letters.
        """
        Path(self.connection_dir).rmdir()  # type: ignore[has-type]
        self.connection_dir = self.connection_dir_root
        settings: dict[str, Any] = super().init_settings()
        return settings

    def init_handlers(self) -> list[Any]:
        """The routes: the gate first, then health, scripts, login, page, sockets, static files.

        Each is written as if the dashboard were served at `/`, and put below its path here alone.
        """
        self.app.add_transform(SecurityHeaders)
        routes: list[Any] = [("/health", HealthPage), (r"/scripts/([\w.-]+)", ScriptFile)]
        for path, handler, *settings in super().init_handlers():
            if not path.startswith(_CLOSED):
                routes.append((_ADDRESSES.get(path, path), _ours(path, handler), *settings))
        base = self.access.base_url.removesuffix("/")
        # jupyter-server-proxy quotes the path of a user's server once more:
        # https://github.com/jupyterhub/jupyter-server-proxy/blob/v4.6.0/jupyter_server_proxy/handlers.py
        pattern = re.escape(base).replace("%", "%(?:25)?")
        below: list[Any] = [(f"{pattern}{path}", *rest) for path, *rest in routes]
        if base:
            below.append((pattern, RedirectHandler, {"url": self.access.base_url}))
        return [(Gate(self.access), Refusal), *below]

    def listen(self) -> None:
        """Serve until stopped."""
        set_up_logs(self.log)
        max_connections = connection_limit(
            raise_descriptors(MOST_DESCRIPTORS), self.kernel_manager.max_kernels
        )
        server = BoundedServer(self.app, max_connections, max_body_size=_LARGEST_FORM)
        if self.access.socket_file is None:
            server.accept_at(self.port, self.ip)
            announce(self.access, self.port)
        else:
            server.accept_at_file(self.access.socket_file)
        if self.open_browser:
            self.launch_browser()
        self.ioloop = IOLoop.current()
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def stop(self) -> None:
        """End the kernels, and only then remove the folder that they use."""
        run_sync(self.kernel_manager.shutdown_all)()
        super().stop()


def _ours(path: str, handler: type[RequestHandler]) -> type[RequestHandler]:
    """The handler of a route of Voila's, with errors that say and log no more than needed."""
    if path in _ADDRESSES:
        return DashboardPage
    if path.endswith("/channels"):
        return KernelSocket
    if issubclass(handler, TemplateStaticFileHandler):
        return TemplateFile
    if issubclass(handler, PlainErrors | APIHandler):
        return handler
    return type(handler.__name__, (PlainErrors, handler), {})


def announce(access: Access, port: int) -> None:
    """Say where the dashboard is, and once its token where nobody else knows it."""
    lines = [f"The dashboard is at {access.url(port)}  (Ctrl+C stops it)"]
    if access.generated:
        lines.append(f"Its token, told only here and only now: {access.token}")
    if access.token:
        lines.append("What is sent is not encrypted: use it behind a proxy with TLS, or a tunnel")
    if not landlock_version():
        reason = "lacks Landlock" if IS_LINUX else "is not Linux"
        lines.append(f"Kernels are not confined to their files: this system {reason}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
