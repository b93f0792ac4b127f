"""What the server answers: the page itself, whether it is well, scripts and styles."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.metadata import version

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, RequestHandler, authenticated
from voila.request_info_handler import RequestInfoSocketHandler
from voila.static_file_handler import TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from ..dashboard.scripts import served_scripts
from .kernels import NoFreeKernel
from .notices import PlainErrors, full_page

_RETRY_SECONDS = 60


class DashboardPage(PlainErrors, TornadoVoilaHandler):  # type: ignore[misc]
    """Serves the notebook to who is logged in, as long as there are kernels."""

    @authenticated
    async def get(self, path: str | None = None) -> None:
        """Give the page a kernel, or say that all are in use."""
        await self.kernel_manager.end_empty()
        if not await self.kernel_manager.has_free_kernel():
            self._say_full()
            return
        try:
            await TornadoVoilaHandler.get(self, path)
        except NoFreeKernel:
            self._say_full()
        finally:
            # Voila does so itself, but not where the kernel it kept ready could not be used.
            self.kernel_manager.fill_if_needed(notebook_name=self.notebook_path)
            # Voila keeps what each request said, for a route that is closed here.
            RequestInfoSocketHandler._cache.clear()  # noqa: SLF001

    def _say_full(self) -> None:
        self.clear()
        self.set_status(503)
        self.set_header("Retry-After", str(_RETRY_SECONDS))
        self.set_header("Cache-Control", "no-store")
        minutes = self.kernel_manager.minutes_to_free
        self.finish(full_page(self.kernel_manager.max_kernels, minutes))


class HealthPage(RequestHandler):
    """Answers without a login."""

    def get(self) -> None:
        """Say that the server answers, and how many kernels are in use."""
        kernels = self.settings["kernel_manager"]
        self.set_header("Cache-Control", "no-store")
        self.finish(
            {
                "status": "ok",
                "version": version("lesion-dash"),
                "kernels": kernels.in_use(),
                "max_kernels": kernels.max_kernels,
            }
        )


_YEAR = 365 * 24 * 60 * 60


class ScriptFile(PlainErrors, JupyterHandler):
    """Gives out a script under its name, which no other script will ever have."""

    @authenticated
    def get(self, name: str) -> None:
        """Send it, packed where the browser can unpack it."""
        if name not in served_scripts():
            raise HTTPError(404)
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", f"private, max-age={_YEAR}, immutable")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(_packed(name))
        else:
            self.finish(served_scripts()[name].encode())

    head = get


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(served_scripts()[name].encode(), 6, mtime=0)


class TemplateFile(PlainErrors, TemplateStaticFileHandler):  # type: ignore[misc]
    """Gives out a file of a template; Voila's own fails at each path that is none."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send the file."""
        try:
            await TemplateStaticFileHandler.get(self, path, include_body)
        except (AssertionError, ValueError) as error:
            raise HTTPError(404) from error
