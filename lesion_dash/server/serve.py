"""Serves the dashboard with stand-alone Voila: on this computer alone, or for who has the token.

Stand-alone Voila drops every message that would run code; the same notebook served as a Jupyter
Server extension would run whatever a visitor sends.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.defaults import BASE_URL, LOOPBACK, MAX_KERNELS, PORT
from ..core.errors import InputError
from ..core.system import IS_WINDOWS, has_socket_files
from ..dashboard.environment import (
    ATLAS_VARIABLE,
    MEMORY_VARIABLE,
    OWN_SERVER,
    RESULTS_VARIABLE,
    ROOT_VARIABLE,
)
from ..dashboard.scripts import SERVED, served_scripts
from ..files.temporary import temporary_folder
from .kernel_memory import memory_of_kernels
from .landlock import keep_memory_private

if TYPE_CHECKING:
    from traitlets.config import Config

    from .access import Access


TEMPLATE = "lesion_dash"

_EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
)
"""Extensions of the page, which draw its widgets; voila.json has them as well."""

_IDLE_SECONDS = 5 * 60  # without a page; a page that lost its connection comes back sooner
_CHECK_SECONDS = 60
_SECONDS_TO_OPEN = 120


def serve(
    data_root: str | os.PathLike[str],
    results: str | os.PathLike[str] | None = None,
    port: int = PORT,
    open_browser: bool = False,
    *,
    host: str = LOOPBACK,
    hostname: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    base_url: str = BASE_URL,
    socket_file: str | os.PathLike[str] | None = None,
    max_kernels: int = MAX_KERNELS,
    kernel_memory: str | None = None,
    atlas: str = "",
) -> int:
    """Serve the dashboard until it is stopped with Ctrl+C.

    Parameters
    ----------
    data_root : path
        Folder whose sub-folders can be chosen; nothing outside it is read.
    results : path, optional
        Folder where results may be written.
    port : int
        Port to listen on.
    open_browser : bool
        Whether to open the page in the default browser.
    host : str
        IP address to listen on; any but this computer's own asks visitors for a token.
    hostname : str, optional
        Name visitors' browsers use, such as a proxy's; asks for a token as well.
    token_file : path, optional
        Holds the token; otherwise one is made up where one is needed, and printed once.
    base_url : str
        Path below which the dashboard is served, such as ``/lesions/``.
    socket_file : path, optional
        A socket to listen on, made here, in place of address and port. This account alone can open
        it, so that no token is needed; a proxy in front lets visitors in.
    max_kernels : int
        Pages that can be open at once.
    kernel_memory : str, optional
        The most that one page may take, such as ``4GB``; on Linux alone. Half of what the machine
        or the container has by default.
    atlas : str, optional
        The atlas that a page begins with where ``LESION_DASH_ATLAS`` names none, as the list calls
        it; where it is not there, the first of the data root.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    InputError
        Where the data root is not a folder, is the whole file system or lies in the results
        folder, the port is taken, Voila is not installed, or the address, the name, the token file,
        the path or the size of memory cannot be used.
    """
    root = Path(data_root).expanduser()
    if not root.is_dir():
        raise InputError(
            root, "the data root is not a folder", "give the folder that holds your data"
        )
    _check_folders(root.resolve(), results)
    _check_installed()
    from .access import arrange_access

    access = arrange_access(host, hostname, token_file, base_url, socket_file)
    most_memory = memory_of_kernels(kernel_memory)
    if socket_file is None:
        _check_port(port, access)
    os.environ[ROOT_VARIABLE] = str(root.resolve())
    os.environ.pop(RESULTS_VARIABLE, None)
    if atlas:
        os.environ.setdefault(ATLAS_VARIABLE, atlas)
    if results is not None:
        os.environ[RESULTS_VARIABLE] = str(Path(results).expanduser().resolve())
    os.environ[SERVED] = " ".join(served_scripts())
    os.environ[OWN_SERVER] = "1"
    os.environ[MEMORY_VARIABLE] = str(most_memory)
    _find_template()
    with temporary_folder() as folder:
        config = server_config(_put_notebook(folder), port, open_browser, access, max_kernels)
        # The sockets of kernels, and what is told of them.
        config.Voila.connection_dir_root = str(folder)
        _run(folder / "notebook", config)
    return 0


def server_config(
    folder: Path,
    port: int = PORT,
    open_browser: bool = False,
    access: Access | None = None,
    max_kernels: int = MAX_KERNELS,
) -> Config:
    """The settings of Voila: no files, no code, kernels of closed tabs culled.

    Parameters
    ----------
    folder : path
        Holds the notebook and nothing else.
    port : int
        Port to listen on.
    open_browser : bool
        Whether to open the page in the default browser.
    access : Access, optional
        Who may come; this computer alone by default.
    max_kernels : int
        Pages that can be open at once.
    """
    from traitlets.config import Config

    from .access import Access

    access = access or Access()
    config = Config()
    config.Voila.ip = access.address
    config.Voila.port = port
    config.Voila.port_retries = 0
    # Links of the page have the path; the routes are put below it by `Website`.
    config.Voila.base_url = access.base_url
    config.Voila.server_url = "/"
    config.Voila.root_dir = str(folder)
    config.Voila.open_browser = open_browser
    config.Voila.log_level = "ERROR"
    # A voila.json of the account or the current folder would win over all that is set here.
    config.Voila.config_file_paths = []
    config.Voila.token = access.token
    config.Voila.identity_provider_class = "lesion_dash.server.login.TokenLogin"
    config.Voila.tornado_settings = _tornado_settings(access)
    _settle_voila(config)
    _settle_kernels(config, max_kernels)
    return config


def _tornado_settings(access: Access) -> dict[str, object]:
    from .headers import content_rules
    from .kernel_socket import LARGEST_MESSAGE
    from .request_log import log_request

    return {
        "access": access,
        # Jupyter's own look at the Host, after ours; it knows loopback addresses and these names.
        "allow_remote_access": access.is_wide,
        "local_hostnames": list(access.names),
        # Instead, whatever changes something must come from a page of this origin.
        "disable_check_xsrf": True,
        "headers": {"Content-Security-Policy": content_rules(access)},
        "log_function": log_request,
        "websocket_max_message_size": LARGEST_MESSAGE,
    }


def _settle_voila(config: Config) -> None:
    settings = config.VoilaConfiguration
    settings.template = TEMPLATE
    settings.theme = "light"
    settings.allow_template_override = "NO"
    settings.allow_theme_override = "NO"
    settings.file_allowlist = []
    # Other extensions of a JupyterLab in the same environment ask for parts of it that Voila lacks.
    settings.extension_allowlist = list(_EXTENSIONS)
    settings.show_tracebacks = False
    settings.strip_sources = True
    settings.multi_kernel_manager_class = "lesion_dash.server.kernels.PatientKernelManager"
    settings.preheat_kernel = True
    settings.default_pool_size = 1
    # By default notebooks' signatures are kept in the home folder, which a service may not have.
    config.NotebookNotary.db_file = ":memory:"
    config.NotebookNotary.secret = secrets.token_bytes()
    # On a busy computer the page of a cell comes late. By default what came after 4 s was dropped
    # without a word, and the visitor got a page that stayed empty.
    config.VoilaExecutor.iopub_timeout = _SECONDS_TO_OPEN
    config.VoilaExecutor.raise_on_iopub_timeout = True


def _settle_kernels(config: Config, max_kernels: int) -> None:
    config.PatientKernelManager.max_kernels = max_kernels
    config.MultiKernelManager.kernel_manager_class = "lesion_dash.server.kernels.KernelProcess"
    config.MappingKernelManager.cull_idle_timeout = _IDLE_SECONDS
    config.MappingKernelManager.cull_interval = _CHECK_SECONDS
    config.MappingKernelManager.cull_connected = False
    if has_socket_files():
        # Sockets in the file system, of this account alone, instead of open local ports.
        config.KernelManager.transport = "ipc"
    config.MappingKernelManager.buffer_offline_messages = False


def _run(folder: Path, config: Config) -> None:
    from .website import Website

    keep_memory_private()
    Website.launch_instance([str(folder / "app.ipynb")], config=config)


def _put_notebook(folder: Path) -> Path:
    """A folder with the notebook alone: Voila can hand out nothing else."""
    notebooks = folder / "notebook"
    notebooks.mkdir()
    shutil.copyfile(_shipped("app.ipynb"), notebooks / "app.ipynb")
    return notebooks


def _shipped(name: str) -> Path:
    places = (Path(__file__).parents[2] / name, Path(sys.prefix, "share", "lesion_dash", name))
    for place in places:
        if place.exists():
            return place
    raise InputError(name, "is missing from this installation", "install lesion-dash again")


def _check_folders(root: Path, results: str | os.PathLike[str] | None) -> None:
    if root == Path(root.anchor):
        problem = "the data root is the whole file system, all of which pages could read"
        raise InputError(root, problem, "give the folder that holds your data")
    if results is not None and root.is_relative_to(Path(results).expanduser().resolve()):
        problem = "the results folder holds the data root, so that pages could change the data"
        raise InputError(results, problem, "give a folder of its own for results")


def _check_installed() -> None:
    needed = ("voila", "ipykernel")
    missing = [name for name in needed if not find_spec(name)]
    if missing:
        problem = f"the dashboard needs {', '.join(missing)}"
        raise InputError("dashboard", problem, "install lesion-dash again")


def _check_port(port: int, access: Access) -> None:
    family = socket.AF_INET6 if ":" in access.address else socket.AF_INET
    with socket.socket(family) as probe:
        # On Windows this would let two servers have one port:
        # https://learn.microsoft.com/windows/win32/winsock/using-so-reuseaddr-and-so-exclusiveaddruse
        if not IS_WINDOWS:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((access.address, port))
        except OverflowError as error:
            raise InputError(f"port {port}", "is none", "give one from 1024 to 65535") from error
        except OSError as error:
            problem, remedy = f"cannot be used ({error.strerror})", "give another --port"
            if isinstance(error, PermissionError):
                remedy = "give a --port from 1024 on: those below are the administrator's"
            elif error.errno == errno.EADDRNOTAVAIL:
                remedy = f"{access.address} is not an address of this computer: give one that is"
            elif error.errno == errno.EADDRINUSE:
                problem += f"; is a dashboard open at {access.url(port)}?"
                remedy = "stop it, or give another --port"
            raise InputError(f"port {port}", problem, remedy) from error


def _find_template() -> None:
    """Let Jupyter find the template of a source checkout, where it is not installed."""
    share = Path(__file__).parents[2] / "share" / "jupyter"
    if (share / "voila" / "templates" / TEMPLATE).is_dir():
        known = os.environ.get("JUPYTER_PATH", "")
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(share), known]))
    # The kernel of the page must be this Python, whatever kernels the account has installed.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
