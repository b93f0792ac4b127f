"""The dashboard below a person's Jupyter server, for jupyter-server-proxy: JupyterLab, JupyterHub.

The Jupyter server starts it as ``python -m ...jupyter_proxy SOCKET BASE_URL``, logs visitors in and
passes their requests on.
"""

from __future__ import annotations

import asyncio
import os
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from ..core.errors import InputError
from ..core.system import has_socket_files
from ..dashboard.environment import RESULTS_VARIABLE, ROOT_VARIABLE
from ..files.listing import check_folder
from ..files.paths import local_path
from ..files.writing import prepare_results
from .notices import notice_page
from .serve import serve

NAME = "lesion_dash"
"""Of the entry point in pyproject.toml, and by it the last part of the dashboard's path."""

_SECONDS_TO_START = 120  # on a busy computer


def server_process() -> dict[str, Any]:
    """What jupyter-server-proxy has to know of the dashboard; the name of its entry point.

    It listens on a socket in a folder of the account: other accounts, which can reach any port of
    the computer, cannot open it.

    Returns
    -------
    dict
        Options of ``ServerProcess`` of jupyter-server-proxy.

    Examples
    --------
    >>> server_process()["launcher_entry"]["title"]
    'lesion_dash'
    """
    # Nothing is imported from the folder in which a person works.
    command = [sys.executable, "-P", "-m", __name__, "{unix_socket}", f"{{base_url}}{NAME}/"]
    return {
        "command": command,
        "unix_socket": True,
        "absolute_url": True,
        "timeout": _SECONDS_TO_START,
        # An open page looks every half minute whether the server is there: nobody is at work.
        "exclude_last_activity_patterns": [".*/voila/static/"],
        "launcher_entry": {
            "title": NAME,
            # jupyter-server-proxy needs such sockets.
            "enabled": has_socket_files(),
        },
    }


def main(socket_file: Path, base_url: str) -> None:
    """Serve the data root of the environment, or a page that says why it cannot be."""
    try:
        root = local_path(check_folder(local_path(_data_root())))
        results = os.environ.get(RESULTS_VARIABLE)
        prepared = prepare_results(results, ()) if results else None
        serve(root, prepared, base_url=base_url, socket_file=socket_file)
    except InputError as error:
        asyncio.run(_say(socket_file, error))


def _data_root() -> str:
    root = os.environ.get(ROOT_VARIABLE, "")
    if not root:
        problem = "names no folder"
        remedy = (
            "set it to the folder that holds your data in the environment of the Jupyter server, "
            "and start that server anew; on a Hub its administrator does so"
        )
        raise InputError(ROOT_VARIABLE, problem, remedy)
    return root


async def _say(socket_file: Path, error: InputError) -> None:
    from tornado.netutil import bind_unix_socket  # which Tornado has not on Windows

    application = Application([(".*", FaultPage, {"sentence": f"{error}."})])
    server = HTTPServer(application)
    server.add_socket(bind_unix_socket(str(socket_file), mode=0o600))
    await asyncio.Event().wait()


class FaultPage(RequestHandler):
    """Says why there is no dashboard."""

    def initialize(self, sentence: str) -> None:
        """Take the sentence."""
        self.sentence = sentence

    def get(self) -> None:
        """Answer."""
        self.set_status(HTTPStatus.SERVICE_UNAVAILABLE)
        self.finish(notice_page("The dashboard cannot be shown", self.sentence))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
