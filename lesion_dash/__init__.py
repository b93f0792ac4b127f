"""Lesion masks in a common brain space: size topography, overlap, and the regions it falls in.

What is done with single scans is in `lesion_dash.scans`, what makes regions of interest in
`lesion_dash.rois`. Public names are imported when they are first used, so that ``--help`` need not
wait: a package lists them once, in the stub ``__init__.pyi`` beside its ``__init__.py``, as imports
that type checkers read, and `lazy_names` reads the same lines at run time. (`lazy_loader`, which
does so too, takes only names of modules below the package itself.)
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_names(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """What a package's `__init__` calls ``__getattr__``, ``__dir__`` and ``__all__``.

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
    listed : callable
        Gives what `dir` lists: the names, and what the package holds otherwise.
    names : list of str
        The names of the stub.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    modules = {
        alias.name: "." * node.level + (node.module or "")
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if modules[name] == ".":
            return import_module(f".{name}", package)
        return getattr(import_module(modules[name], package), name)

    def listed() -> list[str]:
        return sorted({*vars(import_module(package)), *modules})

    return get, listed, list(modules)


_get, __dir__, __all__ = lazy_names(__name__, __file__)


def __getattr__(name: str) -> Any:
    """A public name, a part such as `scans`, or the version."""
    if name != "__version__":
        return _get(name)
    from importlib.metadata import version

    return version("lesion-dash")
