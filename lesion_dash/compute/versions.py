"""What must be the same on this computer and on every worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from platform import python_version
from typing import Any, TypeVar

from ..errors import SetupError

A = TypeVar("A")


def own_versions() -> dict[str, str]:
    """What must be the same on every worker, for the same bits and to understand each other."""
    return versions_of(version("lesion-dash"), version("numpy"), python_version())


def worker_address() -> str:
    """The address of the worker that runs this function."""
    from distributed import get_worker

    return str(get_worker().address)


def versions_of(own: str | None, numpy: str | None, python: str) -> dict[str, str]:
    """The versions that are compared, from those that a worker states."""
    missing = "none"
    return {
        "lesion_dash": own or missing,
        "numpy": _minor(numpy or missing),
        "Python": _minor(python),
    }


def _minor(number: str) -> str:
    return ".".join(number.split(".")[:2])


def check_versions(worker: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Raise SetupError where a worker has other versions."""
    for name, expected in ours.items():
        if theirs[name] != expected:
            problem = f"worker runs {name} {theirs[name]}, this computer {expected}"
            raise SetupError(worker, problem, "install the same there and start the worker again")


def guarded(versions: Mapping[str, str], function: Callable[..., A], *arguments: Any) -> A:
    """Run a task, unless on a worker that came later and has other versions."""
    if (own := own_versions()) != versions:
        check_versions(worker_address(), own, versions)
    return function(*arguments)
