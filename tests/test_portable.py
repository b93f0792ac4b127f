"""Nothing needs Linux: what one system lacks is used in one file, with what is done without it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from typeshed import is_everywhere, is_module_everywhere, stub_of

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lesion_dash"
FILES = sorted([*PACKAGE.rglob("*.py"), *ROOT.glob("sample_data/*.py"), *ROOT.glob("docs/**/*.py")])

SYSTEM = "lesion_dash/core/system.py"
OF_LINUX = {
    # Landlock is a part of Linux; elsewhere its version is 0, and kernels are not confined.
    "lesion_dash/server/landlock.py",
    # Names the files of Linux that a confined kernel may read; run where there is Landlock alone.
    "lesion_dash/server/confined_kernel.py",
    # macOS's libraries bear no fork, Windows has none: kernels are started as programs there.
    "lesion_dash/server/fork_server.py",
}
"""Files with a feature that only Linux has, which is looked for before it is used."""

PLATFORM = {("sys", "platform"), ("os", "name"), ("platform", "system"), ("os", "uname")}
PLACES = ("/proc/", "/dev/", "/sys/", "/etc/", "/tmp", "/usr/", "/var/", "/run/")
FORKING = {"multiprocessing", "concurrent.futures.ProcessPoolExecutor"}


def nodes(source: str) -> list[ast.AST]:
    return [*ast.walk(ast.parse(source))]


@cache
def nodes_of(file: Path) -> list[ast.AST]:
    return nodes(file.read_text(encoding="utf-8"))


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def modules_by_name(tree: Sequence[ast.AST]) -> dict[str, str]:
    """The names under which a file knows modules of Python's own."""
    known = {}
    for node in tree:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                known[alias.asname or top] = alias.name if alias.asname else top
    return {name: module for name, module in known.items() if stub_of(module) is not None}


def uses(tree: Sequence[ast.AST]) -> Iterator[tuple[str, str]]:
    """Module and name of all that a file uses of Python's own modules; the name may be empty."""
    known = modules_by_name(tree)
    for node in tree:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if stub_of(alias.name))
        elif isinstance(node, ast.ImportFrom) and not node.level and stub_of(str(node.module)):
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in known:
                yield known[node.value.id], node.attr
        elif isinstance(node, ast.Call) and _name(node.func) in {"getattr", "hasattr"}:
            owner, name = node.args[:2]
            if _name(owner) in known and isinstance(name, ast.Constant):
                yield known[_name(owner)], str(name.value)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


@cache
def is_portable(module: str, name: str) -> bool:
    if (module, name) in PLATFORM or not is_module_everywhere(module):
        return False
    return not name or is_everywhere(module, name)


def system_specific(tree: Sequence[ast.AST]) -> set[str]:
    """What a file uses that one of the three systems lacks, or that tells which one this is."""
    names = {f"{module}.{name}" for module, name in uses(tree) if not is_portable(module, name)}
    texts = {
        node.value
        for node in tree
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return names | {text for text in texts if text.startswith(PLACES) and " " not in text}


def test_what_a_system_lacks_is_used_in_one_file():
    users = {name_of(file): system_specific(nodes_of(file)) for file in FILES}
    others = {name: names for name, names in users.items() if name not in {SYSTEM, *OF_LINUX}}
    assert not {name: names for name, names in others.items() if names}
    assert all(users[name] for name in OF_LINUX), "is no exception any more"


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("import fcntl", {"fcntl."}),
        ("from resource import getrlimit", {"resource.getrlimit"}),
        ("import os\nos.getuid()", {"os.getuid"}),
        ("import os as system\nsystem.fork()", {"os.fork"}),
        ("import os\ngetattr(os, 'O_NOFOLLOW', 0)", {"os.O_NOFOLLOW"}),
        ("import signal\nsignal.SIGKILL", {"signal.SIGKILL"}),
        ("from signal import SIGCHLD", {"signal.SIGCHLD"}),
        ("import os\nos.name == 'nt'", {"os.name"}),
        ("import msvcrt", {"msvcrt."}),
        ("open('/proc/self/status')", {"/proc/self/status"}),
        ("import os, signal\nos.open('a', os.O_RDONLY)\nos.path.join\nsignal.SIGINT", set()),
    ],
)
def test_uses_are_seen(source: str, used: set[str]) -> None:
    assert system_specific(nodes(source)) == used


# Text: encoding and line ends are those of the system where none are stated.


def text_faults(tree: Sequence[ast.AST]) -> Iterator[str]:
    for node in tree:
        if not isinstance(node, ast.Call):
            continue
        stated = {word.arg for word in node.keywords}
        mode = _mode(node)
        function = ast.unparse(node.func)
        if mode is None or "b" in mode or function.startswith(("zipfile.", "archive.")):
            continue
        if "encoding" not in stated:
            yield f"{ast.unparse(node)[:80]}: no encoding"
        if set(mode) & set("wax+") and "newline" not in stated:
            yield f"{ast.unparse(node)[:80]}: no newline"


def _mode(node: ast.Call) -> str | None:
    """The mode in which a call opens a file as text; None of every other call."""
    function = ast.unparse(node.func)
    last = function.rpartition(".")[2]
    if last == "read_text" and "." in function:
        return None if node.args else "r"
    if last == "write_text" and "." in function:
        return "w"
    if any(word.arg in {"text", "universal_newlines"} for word in node.keywords):
        return "r" if function.startswith("subprocess.") else None
    if function == "os.open" or last not in {"open", "fdopen", "NamedTemporaryFile"}:
        return None
    modes = [word.value for word in node.keywords if word.arg == "mode"]
    modes += node.args[0 if function not in {"open", "io.open", "os.fdopen"} else 1 :][:1]
    constants = [mode.value for mode in modes if isinstance(mode, ast.Constant)]
    if modes and not constants:
        return "r" if function in {"open", "io.open", "os.fdopen"} else None
    mode = str(constants[0]) if constants else "r"
    return mode if set(mode) <= set("rwaxbt+") else None


def test_text_has_an_encoding_and_line_ends():
    faults = {name_of(file): found for file in FILES if (found := [*text_faults(nodes_of(file))])}
    assert not faults


# Paths as text


def path_faults(tree: Sequence[ast.AST]) -> Iterator[str]:
    """Paths that become text with the slashes of the system."""
    for node in tree:
        if isinstance(node, ast.Attribute) and node.attr in {"sep", "relpath"}:
            yield from {"os.sep", "os.path.relpath"} & {ast.unparse(node)}
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"str", "os.fspath", "map"}:
            text = " ".join(map(ast.unparse, node.args))
            if ".relative_to(" in text and "Posix" not in text:
                yield ast.unparse(node)
        if isinstance(node, ast.FormattedValue):
            text = ast.unparse(node.value)
            if ".relative_to(" in text and not text.endswith(".as_posix()"):
                yield text


def test_paths_below_a_folder_are_text_with_forward_slashes():
    faults = {name_of(file): found for file in FILES if (found := [*path_faults(nodes_of(file))])}
    assert not faults


def test_no_process_is_forked_by_python():
    users = {
        name_of(file)
        for file in FILES
        for module, name in uses(nodes_of(file))
        if {module, f"{module}.{name}"} & FORKING
    }
    assert not users


@pytest.mark.skipif(sys.platform == "win32", reason="this is Windows itself")
def test_commands_run_in_a_python_that_has_what_windows_has(tmp_path: Path) -> None:
    script = Path(__file__).parent / "as_windows.py"
    command = [sys.executable, "-X", "warn_default_encoding", script, tmp_path]
    process = subprocess.run(
        [*command, ROOT / "sample_data"], check=False, capture_output=True, text=True, timeout=120
    )
    assert process.returncode == 0, process.stderr
