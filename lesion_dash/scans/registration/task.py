"""The task of a registration engine, and the result of a registration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ...core.defaults import Kind
from ...core.errors import InputError, SetupError
from ...core.grid import Grid
from ...images.maps import Map
from ...images.masks import Mask
from ...transforms.transform import Transform

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Quality:
    """How well an image lies on its template.

    Parameters
    ----------
    similarity_before, similarity_after : float
        Mean squared local correlation over the template's foreground that the moving image covers,
        0 to 1: header alignment, and where the registration does.
    coverage : float
        Share of the template's foreground that lies inside the moving image, 0 to 1.
    determinant : float
        How much larger a volume of the moving image is in the template, of the linear part.
    smallest_jacobian, largest_jacobian : float
        The same ratio at the voxels of the template; not above 0 where space is folded.
    starts : int
        From how many positions the search began.
    agreeing_starts : int
        How many of them ended within 2 mm of the best place, before it was refined.
    """

    similarity_before: float
    similarity_after: float
    coverage: float
    determinant: float
    smallest_jacobian: float
    largest_jacobian: float
    starts: int
    agreeing_starts: int


@dataclass(frozen=True, eq=False)
class Registration:
    """An image registered to a template, and what came with it.

    Parameters
    ----------
    moving, template : Map
        As they were read.
    kind : str
        ``rigid``, ``affine`` or ``deformable``.
    engine : str
        Name and version, such as ``SimpleITK 2.5.7``.
    transform : Transform
        From the moving image to the template.
    image : Map
        The moving image on the template's grid, linear interpolation, 0 outside.
    lesion, native_lesion : Mask or None
        In the template's space, and as it was given. The native volume is the lesion's volume.
    others : tuple of Map or Mask
        Further images, brought along; a name each as in their files.
    quality : Quality
    notes : tuple of str
        What was unusual or decided, a sentence each.
    sources : dict
        SHA-256 of every file that went in, by its path; a URL without its password.
    seconds, memory_mb : float
        What the engine's process took, wall time and its peak of memory.

    Examples
    --------
    `register_image` gives one. Here the transform is known, and the quality is made up:

    >>> from lesion_dash import read_map
    >>> from lesion_dash.scans import read_transform, warp_map
    >>> from lesion_dash.scans.registration.task import Quality
    >>> scan = read_map("sample_data/template/second_acquisition.nii.gz")
    >>> template = read_map("sample_data/template/template.nii.gz")
    >>> known = read_transform("sample_data/template/known_transform.txt")
    >>> quality = Quality(0.1, 0.9, 1.0, known.volume_factor, 1.03, 1.03, 1, 1)
    >>> brought = warp_map(scan, known, template.grid)
    >>> result = Registration(scan, template, "affine", "none", known, brought, quality)
    >>> result.image.grid == template.grid, round(result.transform.volume_factor, 2)
    (True, 1.03)
    """

    moving: Map
    template: Map
    kind: Kind
    engine: str
    transform: Transform
    image: Map
    quality: Quality
    lesion: Mask | None = None
    native_lesion: Mask | None = None
    others: tuple[Map | Mask, ...] = ()
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    memory_mb: float = 0.0


class NotCredible(InputError):
    """A registration that is not credible; it carries the result for a picture.

    Attributes
    ----------
    registration : Registration or None
        None where the error has travelled between processes.
    """

    registration: Registration | None = None


Report = Callable[[float, str], None]
"""Called with the fraction that is done, 0 to 1, and what is being done; what it raises ends the
work."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Intensities of one image.

    Parameters
    ----------
    array : array of float32, shape of the grid
        Finite.
    grid : Grid
    """

    array: NDArray[np.float32]
    grid: Grid


@dataclass(frozen=True, eq=False)
class Task:
    """Two images to be registered.

    Parameters
    ----------
    moving, template : Volume
    kind : str
        ``rigid``, ``affine`` or ``deformable``.
    start : Transform
        From the moving image to the template; close already. It is linear, and all that a
        deformable engine needs of a linear one.
    lesion : array of bool, shape of the moving grid, or None
        Voxels of the moving image whose intensities say nothing about where they belong.
    """

    moving: Volume
    template: Volume
    kind: Kind
    start: Transform
    lesion: NDArray[np.bool_] | None = None


class Engine(Protocol):
    """A program that refines a registration."""

    name: str
    kinds: tuple[Kind, ...]

    def version(self) -> str:
        """Its name and version; raises `SetupError` with the remedy where it is not installed."""

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""


def package_version(name: str, command: str) -> str:
    """Name and version of an engine's Python package; `SetupError` where it is not installed."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        raise SetupError(name, "is not installed", f"install it: {command}") from None
