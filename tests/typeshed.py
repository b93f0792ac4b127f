"""What each module of Python's own holds on Linux, macOS and Windows, by the stubs of mypy."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

SYSTEMS = ("linux", "darwin", "win32")


@cache
def _stubs() -> Path:
    place = find_spec("mypy")
    assert place is not None, "mypy is not installed; it brings the stubs of Python's own modules"
    assert place.origin is not None
    return Path(place.origin).parent / "typeshed" / "stdlib"


@cache
def stub_of(module: str) -> Path | None:
    """The stub of one of Python's own modules; None of any other."""
    place = _stubs().joinpath(*module.split("."))
    places = (place.with_suffix(".pyi"), place / "__init__.pyi")
    return next((path for path in places if path.is_file()), None)


@cache
def names_on(module: str, system: str) -> frozenset[str]:
    """The names that a module has on a system; none where it is missing there."""
    stub = stub_of(module)
    assert stub is not None, module
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    return frozenset(_names(tree.body, system, stub))


def _names(body: Iterable[ast.stmt], system: str, stub: Path) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _names(node.body if _holds(node.test, system) else node.orelse, system, stub)
        elif isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            assert node.module is not None
            yield from names_on(_absolute(node, stub), system)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            # What a stub imports is a name of its module only where it is named anew.
            yield from (alias.asname for alias in node.names if alias.asname)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _absolute(node: ast.ImportFrom, stub: Path) -> str:
    if not node.level:
        return str(node.module)
    folder = stub.parents[node.level - 1].relative_to(_stubs())
    return ".".join([*folder.parts, str(node.module)])


def _holds(test: ast.expr, system: str) -> bool:
    known = SimpleNamespace(platform=system, version_info=sys.version_info)
    source = compile(ast.Expression(test), "stub", "eval")
    return bool(eval(source, {"sys": known, "TYPE_CHECKING": True}))


def is_everywhere(module: str, name: str) -> bool:
    """Whether a module has a name on each of the three systems."""
    if stub_of(f"{module}.{name}") is not None:
        return True
    return all(name in names_on(module, system) for system in SYSTEMS)


def is_module_everywhere(module: str) -> bool:
    """Whether there is such a module on each of the three systems, or none of them has a name."""
    public = [{*filter(_is_public, names_on(module, system))} for system in SYSTEMS]
    return all(public) or not any(public)


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def lacking(module: str, system: str) -> frozenset[str]:
    """The names of a module that Linux has and another system lacks."""
    return names_on(module, "linux") - names_on(module, system)
