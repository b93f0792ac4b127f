"""Run commands in a Python that has what Windows has, as far as that works.

``python -X warn_default_encoding as_windows.py FOLDER DATA`` writes into an empty folder.

Names of `os`, `signal` and other modules that Windows lacks are removed; so are whole modules. A
folder cannot be opened, a file that is open can neither be replaced nor removed, and text without a
stated encoding is an error. `os.name` stays as it is, for `pathlib`; nothing of ours reads it.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import io
import os
import pkgutil
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import typeshed

PARTLY = ("os", "signal", "socket", "select", "time", "errno")
WHOLLY = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog")
O_BINARY = 0x8000
OPEN_FILES = range(3, 100)

flags_of_ours: list[int] = []


def import_all() -> None:
    """Import every module of the package."""
    package = importlib.import_module("lesion_dash")
    for module in pkgutil.walk_packages(package.__path__, "lesion_dash."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def become_windows() -> None:
    """Take away what Windows lacks, and let it be as strict as Windows is."""
    locking: Any = ModuleType("msvcrt")
    locking.LK_NBLCK = 2
    flock, exclusive = fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB
    locking.locking = lambda descriptor, _mode, _size: flock(descriptor, exclusive)
    for name in PARTLY:
        module = sys.modules[name]
        for lacking in typeshed.lacking(name, "win32"):
            if hasattr(module, lacking):
                delattr(module, lacking)
    sys.modules.update(dict.fromkeys(WHOLLY))  # type: ignore[arg-type]
    sys.modules["msvcrt"] = locking
    sys.platform = "win32"
    os.supports_dir_fd.clear()
    os.O_BINARY = O_BINARY  # type: ignore[attr-defined]
    os.open = strict_open(os.open)
    for name in ("replace", "rename", "unlink", "remove"):
        setattr(os, name, strict(getattr(os, name)))
    tempfile.TemporaryFile = tempfile.NamedTemporaryFile  # type: ignore[assignment] - so it is there
    free = SimpleNamespace(free=10**12)
    shutil.disk_usage = lambda _path: free  # type: ignore[assignment,misc] - its own uses statvfs


def strict_open(open_before: Callable[..., int]) -> Callable[..., int]:
    def open_file(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        # Python's own modules were made for this system, whose folders they open.
        if "lesion_dash" in sys._getframe(1).f_code.co_filename:
            if Path(path).is_dir():
                raise PermissionError(13, "Permission denied", path)
            flags_of_ours.append(flags)
        return open_before(path, flags, *rest, **options)

    return open_file


def strict(before: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any, *rest: Any, **options: Any) -> Any:
        for place in (path, *rest):
            if not options and is_open(place):
                raise PermissionError(13, "used by another process", place)
        return before(path, *rest, **options)

    return call


def is_open(path: Any) -> bool:
    """Whether this process has the file open."""
    with contextlib.suppress(OSError):
        status = Path(path).lstat()
        for descriptor in OPEN_FILES:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), status):
                    return True
    return False


def run(*arguments: object) -> tuple[int, str]:
    """Exit code of a command, and what it says on standard error."""
    main = importlib.import_module("lesion_dash.cli").main
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        return main([str(argument) for argument in arguments]), said.getvalue()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock, as another run does."""
    system = importlib.import_module("lesion_dash.core.system")
    with path.open("wb") as file:
        system.lock(file)
        yield
    path.unlink()


def check(folder: Path, data: Path) -> None:
    """Write results, refuse to replace them, replace them, and wait for nobody."""
    command = ("stats", data / "cohort_a", "-k", 4, "-o", folder / "out")
    assert run(*command) == (0, ""), run(*command)
    names = {path.name for path in (folder / "out").iterdir()}
    assert "provenance.json" in names
    assert not [name for name in names if name.startswith(".")], "a lock or a journal is left"
    code, said = run(*command)
    assert code == 2
    assert "already holds results" in said
    assert run(*command, "--overwrite") == (0, "")
    with locked(folder / "out" / ".lesion_dash.lock"):
        code, said = run(*command, "--overwrite")
        assert code == 2
        assert "is in use by another run" in said
    assert {path.name for path in (folder / "out").iterdir()} == names
    assert flags_of_ours
    # The lock holds no text.
    binary = [flags for flags in flags_of_ours if not flags & os.O_RDWR]
    assert all(flags & O_BINARY for flags in binary)


def check_rest(folder: Path) -> None:
    """What is missing is said, or does without."""
    system = importlib.import_module("lesion_dash.core.system")
    memory = importlib.import_module("lesion_dash.core.memory")
    temporary = importlib.import_module("lesion_dash.files.temporary")
    access = importlib.import_module("lesion_dash.server.access")
    errors = importlib.import_module("lesion_dash.core.errors")
    serve = importlib.import_module("lesion_dash.server.serve")
    landlock = importlib.import_module("lesion_dash.server.landlock")
    kernels = importlib.import_module("lesion_dash.server.fork_server")
    assert (landlock.landlock_version(), kernels.CAN_FORK) == (0, False)
    landlock.keep_memory_private()
    system.limit_memory(1)
    system.kill_group(1)
    system.kill_own_group()
    system.flush_folder(folder)
    assert 0 < memory.free_memory() <= memory.all_memory()
    assert system.raise_descriptors(8192) == 512
    with temporary.temporary_folder() as made:
        (made / "file").touch()
    assert not made.exists()
    assert "transport" not in serve.server_config(folder).KernelManager
    (folder / "token").write_bytes(b"k" * 40)
    (folder / "token").chmod(0o644)  # as all files are there
    assert access.read_token(folder / "token") == "k" * 40
    with pytest.raises(errors.InputError, match="no sockets in the file system"):
        access.arrange_access(socket_file="socket")


def main(folder: Path, data: Path) -> None:
    import_all()  # other packages with it, which are made for the system that this is
    for name in [name for name in sys.modules if name.partition(".")[0] == "lesion_dash"]:
        del sys.modules[name]
    become_windows()
    warnings.filterwarnings("error", category=EncodingWarning, module="lesion_dash")
    import_all()
    check(folder, data)
    check_rest(folder)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
