"""The engines of registration by name."""

from __future__ import annotations

from contextlib import suppress

from ...core.defaults import Kind
from ...core.errors import InputError, SetupError
from .deformable import AntsEngine, DipyEngine, GreedyEngine
from .quality import SimpleITKEngine
from .task import KINDS, Engine

ENGINES: tuple[Engine, ...] = (SimpleITKEngine(), DipyEngine(), GreedyEngine(), AntsEngine())
"""All engines, installed or not."""

AUTO: dict[Kind, str] = {"rigid": "simpleitk", "affine": "simpleitk", "deformable": "dipy"}
"""What `engine="auto"` stands for."""


def engine_named(name: str, kind: Kind) -> Engine:
    """Find the engine for a kind of registration.

    Parameters
    ----------
    name : str
        Of the engine, or ``auto``.
    kind : str
        ``rigid``, ``affine`` or ``deformable``.

    Raises
    ------
    InputError
        Where there is no such kind or engine, or it does not do this kind.
    SetupError
        Where it is not installed; the sentence says how to.

    Examples
    --------
    >>> engine_named("auto", "affine").name
    'simpleitk'
    """
    if kind not in KINDS:
        raise InputError("kind", f"{kind!r} is none of {', '.join(KINDS)}")
    engines = {engine.name: engine for engine in ENGINES}
    chosen = engines.get(AUTO[kind] if name == "auto" else name)
    if chosen is None:
        raise InputError("engine", f"{name!r} is none of {', '.join(['auto', *engines])}")
    if kind not in chosen.kinds:
        able = ", ".join(engine.name for engine in ENGINES if kind in engine.kinds)
        raise InputError("engine", f"{name} does no {kind} registration", f"choose one of: {able}")
    chosen.version()
    return chosen


def installed_engines() -> tuple[Engine, ...]:
    """The engines that are installed on this machine."""
    installed = []
    for engine in ENGINES:
        with suppress(SetupError):
            engine.version()
            installed.append(engine)
    return tuple(installed)
