"""Whether the server is well, for whatever watches it; nothing about data or visitors."""

from __future__ import annotations

from importlib.metadata import version

from tornado.web import RequestHandler


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
