"""Public names that are imported when they are first used, so that ``--help`` need not wait.

A package lists its names once, in the stub ``__init__.pyi`` beside its ``__init__.py``, as imports
that type checkers read. `lazy_names` reads the same lines at run time. (`lazy_loader`, which does
so too, takes only names of modules below the package itself.)
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_names(package: str, file: str) -> tuple[Callable[[str], Any], list[str]]:
    """What a package's `__init__` calls ``__getattr__`` and ``__all__``.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    file : str
        Its ``__file__``.

    Returns
    -------
    get : callable
        Imports the module of a name, and gives what it names.
    names : list of str
        The names of the stub.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    modules = {
        alias.name: "." * node.level + (node.module or "")
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if modules[name] == ".":
            return import_module(f".{name}", package)
        return getattr(import_module(modules[name], package), name)

    return get, list(modules)
