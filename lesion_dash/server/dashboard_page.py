"""The page itself, where there is a kernel for it."""

from __future__ import annotations

from tornado.web import authenticated
from voila.request_info_handler import RequestInfoSocketHandler
from voila.tornado.handler import TornadoVoilaHandler

from .kernels import NoFreeKernel
from .notices import PlainErrors, full_page

_RETRY_SECONDS = 60


class DashboardPage(PlainErrors, TornadoVoilaHandler):  # type: ignore[misc]
    """Serves the notebook to who is logged in, as long as there are kernels."""

    @authenticated
    async def get(self, path: str | None = None) -> None:
        """Give the page a kernel, or say that all are in use."""
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
