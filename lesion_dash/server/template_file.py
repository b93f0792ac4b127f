"""The scripts and styles of Voila's page."""

from __future__ import annotations

from tornado.web import HTTPError
from voila.static_file_handler import TemplateStaticFileHandler

from .notices import PlainErrors


class TemplateFile(PlainErrors, TemplateStaticFileHandler):  # type: ignore[misc]
    """Gives out a file of a template; Voila's own fails at each path that is none."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send the file."""
        try:
            await TemplateStaticFileHandler.get(self, path, include_body)
        except (AssertionError, ValueError) as error:
            raise HTTPError(404) from error
