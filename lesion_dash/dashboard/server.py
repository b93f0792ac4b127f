"""Serves the dashboard with stand-alone Voila on this computer's own address.

Stand-alone Voila drops every message that would run code; the same notebook served as a Jupyter
Server extension would run whatever a visitor sends.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .data_root import RESULTS_VARIABLE, ROOT_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traitlets.config import Config

ADDRESS = "127.0.0.1"
PORT = 8866
TEMPLATE = "lesion_dash"

_IDLE_SECONDS = 5 * 60  # without a page; a page that lost its connection comes back sooner
_CHECK_SECONDS = 60
_PING_MS = 60_000
_LARGEST_MESSAGE = 64 * 2**20

_CONTENT_RULES = (
    "default-src 'self'",
    # Widgets are modules that Jupyter loads from blobs, and Voila's page has inline scripts.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src 'self' 'unsafe-inline' data: blob:",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' ws://127.0.0.1:* ws://localhost:* data: blob:",
    "worker-src 'self' blob:",
    "frame-src 'self' data: blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "frame-ancestors 'self'",
)


def serve(
    data_root: str | os.PathLike[str],
    results: str | os.PathLike[str] | None = None,
    port: int = PORT,
    open_browser: bool = False,
) -> int:
    """Serve the dashboard until it is stopped with Ctrl+C.

    Parameters
    ----------
    data_root : path
        Folder whose sub-folders can be chosen; nothing outside it is read.
    results : path, optional
        Folder where results may be written.
    port : int
        Port on 127.0.0.1.
    open_browser : bool
        Whether to open the page in the default browser.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    InputError
        Where the data root is no folder, the port is taken, or Voila is not installed.
    """
    root = Path(data_root).expanduser()
    if not root.is_dir():
        raise InputError(root, "the data root is no folder", "give the folder that holds your data")
    _check_installed()
    _check_port(port)
    os.environ[ROOT_VARIABLE] = str(root.resolve())
    os.environ.pop(RESULTS_VARIABLE, None)
    if results is not None:
        os.environ[RESULTS_VARIABLE] = str(Path(results).expanduser().resolve())
    _find_template()
    with _served_folder() as folder:
        _run(folder, server_config(folder, port, open_browser))
    return 0


def server_config(folder: Path, port: int = PORT, open_browser: bool = False) -> Config:
    """The settings of Voila: this computer only, no files, no code, kernels of closed tabs culled.

    Parameters
    ----------
    folder : path
        Holds the notebook and nothing else.
    port : int
        Port on 127.0.0.1.
    open_browser : bool
        Whether to open the page in the default browser.
    """
    from traitlets.config import Config

    config = Config()
    config.Voila.ip = ADDRESS
    config.Voila.port = port
    config.Voila.port_retries = 0
    config.Voila.root_dir = str(folder)
    config.Voila.open_browser = open_browser
    config.Voila.log_level = "ERROR"
    config.Voila.tornado_settings = {
        "allow_remote_access": False,
        "local_hostnames": ["localhost", ADDRESS],
        "cookie_options": {"SameSite": "Strict"},
        "headers": {"Content-Security-Policy": "; ".join(_CONTENT_RULES)},
        "websocket_max_message_size": _LARGEST_MESSAGE,
        # In ms. By default the timeout is the longer one, and Tornado warns of that on every page.
        "ws_ping_interval": _PING_MS,
        "ws_ping_timeout": _PING_MS,
    }
    config.VoilaConfiguration.template = TEMPLATE
    config.VoilaConfiguration.theme = "light"
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.file_allowlist = []
    config.VoilaConfiguration.show_tracebacks = False
    config.VoilaConfiguration.strip_sources = True
    config.VoilaConfiguration.multi_kernel_manager_class = (
        "lesion_dash.dashboard.kernels.PatientKernelManager"
    )
    config.VoilaConfiguration.preheat_kernel = True
    config.VoilaConfiguration.default_pool_size = 1
    config.MappingKernelManager.cull_idle_timeout = _IDLE_SECONDS
    config.MappingKernelManager.cull_interval = _CHECK_SECONDS
    config.MappingKernelManager.cull_connected = False
    if os.name == "posix":
        # Sockets in the file system, of this account alone, instead of open local ports.
        config.KernelManager.transport = "ipc"
    config.MappingKernelManager.buffer_offline_messages = False
    return config


def _run(folder: Path, config: Config) -> None:
    from tornado.ioloop import IOLoop
    from voila.app import Voila

    url = f"http://{ADDRESS}:{config.Voila.port}/"
    IOLoop.current().add_callback(_announce, url)
    Voila.launch_instance([str(folder / "app.ipynb")], config=config)


def _announce(url: str) -> None:
    sys.stdout.write(f"The dashboard is at {url}  (Ctrl+C stops it)\n")
    sys.stdout.flush()


@contextmanager
def _served_folder() -> Iterator[Path]:
    """A folder with the notebook alone: Voila can hand out nothing else."""
    folder = Path(tempfile.mkdtemp(prefix="lesion_dash_"))
    try:
        shutil.copyfile(_shipped("app.ipynb"), folder / "app.ipynb")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _shipped(name: str) -> Path:
    places = (Path(__file__).parents[2] / name, Path(sys.prefix, "share", "lesion_dash", name))
    for place in places:
        if place.exists():
            return place
    raise InputError(name, "is missing from this installation", "install lesion-dash again")


def _check_installed() -> None:
    needed = ("voila", "ipykernel", "ipyniivue", "itables")
    missing = [name for name in needed if not find_spec(name)]
    if missing:
        problem = f"the dashboard needs {', '.join(missing)}"
        raise InputError("dashboard", problem, "install lesion-dash with its dashboard extra")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except (OSError, OverflowError) as error:
            problem = f"cannot be used (is another dashboard open at http://{ADDRESS}:{port}/?)"
            remedy = f"stop it, or choose another: lesion-dash demo --port {port + 1}"
            raise InputError(f"port {port}", problem, remedy) from error


def _find_template() -> None:
    """Let Jupyter find the template of a source checkout, where it is not installed."""
    share = Path(__file__).parents[2] / "share" / "jupyter"
    if (share / "voila" / "templates" / TEMPLATE).is_dir():
        known = os.environ.get("JUPYTER_PATH", "")
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(share), known]))
    # The kernel of the page must be this Python, whatever kernels the account has installed.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
