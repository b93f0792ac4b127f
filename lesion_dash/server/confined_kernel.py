"""A kernel that opens what a page needs: ``python -m ...confined_kernel -f CONNECTION_FILE``.

The folder of the connection file is its own: sockets, temporary files and settings lie there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..core.system import limit_memory
from ..dashboard.environment import (
    MEMORY_VARIABLE,
    READABLE_VARIABLE,
    RESULTS_VARIABLE,
    ROOT_VARIABLE,
)
from .landlock import LIST, READ, RUN, WRITE, confine, landlock_version

_SOFTWARE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
_SETTINGS = (
    # Libraries, time, language, fonts, Python of Debian, IPython, Dask
    *("ld.so.cache", "ld.so.preload", "localtime", "timezone", "locale.alias", "fonts"),
    *("mime.types", "python3", f"python3.{sys.version_info.minor}", "ipython", "dask"),
    # Names and certificates, for a cluster
    *("hosts", "host.conf", "resolv.conf", "nsswitch.conf", "gai.conf", "services", "protocols"),
    *("ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf"),
    *("pki/ca-trust", "crypto-policies", "ca-certificates"),
)
_SYSTEM = (
    *("/dev/urandom", "/dev/random", "/dev/zero", "/run/systemd/resolve", "/var/cache/fontconfig"),
    # Memory and processors that are free, in a container or not
    *("/proc/meminfo", "/proc/cpuinfo", "/proc/stat"),
    *("/sys/fs/cgroup", "/sys/devices/system/cpu", "/sys/devices/system/node"),
)
_LIBRARIES = ("lib", "lib64")  # beside a `bin`
# Of the process itself. Not `net`, which names the sockets of others, nor `cwd`, `exe` and `root`,
# which stand for what they lead to.
_PROCESS = (
    *("cgroup", "cmdline", "fd", "maps", "mountinfo", "mounts", "smaps", "stat", "statm", "status"),
)
_ABOVE_PACKAGE = Path(__file__).resolve().parents[2]
_FILE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "FSLDIR", "ANTSPATH")

Allowed = Iterator[tuple[Path, int]]


def main(connection_file: Path) -> None:
    """Give up what a page does not need, then run a kernel until it is ended."""
    folder = connection_file.parent
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)))
    os.environ["IPYTHONDIR"] = str(folder)
    if limit := int(os.environ.get(MEMORY_VARIABLE, "0")):
        limit_memory(limit)
    if landlock_version():
        # Without it the home folder is looked up in /etc/passwd.
        os.environ.setdefault("HOME", os.path.expanduser("~"))  # noqa: PTH111
        # joblib would try a semaphore in /dev/shm, and warn.
        os.environ["JOBLIB_MULTIPROCESSING"] = "0"
        _show_no_other_process(folder / "proc")
        confine([*_own_files(folder), *_system_files(), *_software(folder), *_account_files()])
    _run_kernel()


def import_all() -> None:
    """Import what a kernel and a page need; it takes seconds."""
    import ipykernel.ipkernel  # noqa: F401 - before ipywidgets, which it lets speak to pages

    from ..dashboard import app  # noqa: F401
    from ..plotting.drawing import prepare_drawing

    prepare_drawing()


def _run_kernel() -> None:
    # Only now: NumPy starts threads when it is imported. Those of the fork server, where
    # there is one, are not in this process.
    import numpy as np
    from ipykernel.kernelapp import IPKernelApp

    np.random.seed()  # noqa: NPY002 - used by libraries: forked kernels would draw the same numbers

    class PageKernel(IPKernelApp):
        """A kernel that loses no message to its page, however busy the computer is."""

        def init_iopub(self, context: Any) -> None:
            """Open the socket to the page.

            By default ZeroMQ drops, without a word, what lies beyond 1,000 messages that were not
            fetched; all pages that are opened at once send 2,500.
            """
            context.sndhwm = 0
            super().init_iopub(context)  # type: ignore[no-untyped-call]

    PageKernel.launch_instance()


def _show_no_other_process(folder: Path) -> None:
    """Have psutil, with which ipykernel looks for children, list this process alone."""
    import psutil

    folder.mkdir(exist_ok=True)
    for name in ("meminfo", "stat", str(os.getpid())):
        with suppress(FileExistsError):
            (folder / name).symlink_to(Path("/proc", name))
    psutil.PROCFS_PATH = str(folder)


def _own_files(folder: Path) -> Allowed:
    yield folder, WRITE
    yield Path.cwd(), READ  # the notebook
    if root := os.environ.get(ROOT_VARIABLE):
        yield Path(root), READ
    if results := os.environ.get(RESULTS_VARIABLE):
        yield _made(Path(results)), WRITE


def _system_files() -> Allowed:
    yield Path("/dev/null"), WRITE
    yield from ((Path(name), READ) for name in _SYSTEM)
    yield from ((Path("/etc", name), READ) for name in _SETTINGS)
    yield from ((Path(f"/proc/{os.getpid()}", name), READ) for name in _PROCESS)


def _software(own: Path) -> Allowed:
    """Python with its packages, programs such as those for registration, and their libraries."""
    yield from ((Path(name), RUN) for name in (*_SOFTWARE, sys.prefix, sys.base_prefix))
    libraries = (Path(folder).parent / name for folder in _listed("PATH") for name in _LIBRARIES)
    listed = map(Path, (*sys.path, *_listed("PATH"), *_listed("LD_LIBRARY_PATH")))
    # On a path, these would open all that the account has, or the files of all pages.
    private = (Path.home().resolve(), own.resolve().parent)
    for folder in (*listed, *libraries):
        place = folder.resolve()
        if place == _ABOVE_PACKAGE and (place / "pyproject.toml").exists():
            yield from _clone(place)
        elif not any(path.is_relative_to(place) for path in private):
            yield folder, RUN
    named = (os.environ[name] for name in _FILE_VARIABLES if name in os.environ)
    yield from ((Path(name), RUN) for name in (*named, *_listed(READABLE_VARIABLE)))


def _clone(folder: Path) -> Allowed:
    """The package in its sources, which may have a repository, results and tokens beside it."""
    yield from ((folder / name, RUN) for name in ("lesion_dash", "sample_data"))
    # Python looks for the package in the list of files, in programs that the kernel starts.
    yield folder, LIST


def _listed(name: str) -> list[str]:
    return [entry for entry in os.environ.get(name, "").split(os.pathsep) if entry]


def _account_files() -> Allowed:
    """Fonts, and settings of Matplotlib and of Dask."""
    home = Path.home()
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    own = os.environ.get("MPLCONFIGDIR")
    # Where these are missing Matplotlib makes them.
    yield _made(Path(own or settings / "matplotlib")), READ
    yield _made(Path(own or cache / "matplotlib")), WRITE
    yield from ((home / name, READ) for name in (".fonts", ".local/share/fonts"))
    yield settings / "dask", READ
    for name, value in os.environ.items():
        if name.startswith("DASK_DISTRIBUTED__") and value.startswith("/"):
            yield Path(value), READ


def _made(folder: Path) -> Path:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[sys.argv.index("-f") + 1]))
