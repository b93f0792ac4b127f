"""What a measurement is made in: the image, where its noise is, and a second acquisition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import as_path
from ..grid import Grid
from ..images import Map, MapLike, Mask, MaskLike, SpatialImage, as_map
from ..region_masks import binary_mask, place_mask, space_notes
from .factors import noise_factor
from .measures import Estimate, check_apart, estimate
from .samples import Sample, take_pair, take_sample

FEWEST_RESAMPLES = 100

_ABOUT_LESIONS = ("lesion ", "mask is empty", "not marked as standard space")
"""Beginnings of notes that are said of lesion masks in a standard space only."""

_LIKE_AIR = (
    "the background looks like air: its mean is 1.9 times its SD, as Rayleigh's distribution has "
    "it; give air as air, so that the factor corrects its SD"
)
_CLOSE = 0.15


@dataclass(frozen=True)
class Drawing:
    """How intervals are found.

    Parameters
    ----------
    block_mm : float
        Edge of the cubes of neighbours that are drawn together; 0 for single voxels.
    resamples : int
    seed : int

    Raises
    ------
    InputError
        Where the edge or the seed is negative, or there are fewer than 100 resamples.
    """

    block_mm: float = 0.0
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.block_mm < np.inf:
            raise InputError("block_mm", f"{self.block_mm} is no edge of a cube", "give mm, or 0")
        if self.resamples < FEWEST_RESAMPLES:
            problem = f"{self.resamples} are too few for an interval"
            raise InputError("resamples", problem, f"give at least {FEWEST_RESAMPLES}")
        if self.seed < 0:
            raise InputError("seed", f"{self.seed} is below 0", "give a whole number from 0")


@dataclass(frozen=True, eq=False)
class Scene:
    """All that the regions of one image are measured with.

    Parameters
    ----------
    image : Map
    second : Map or None
        Another acquisition of the image, on its grid.
    masks : dict of role to Mask
        Background and air, on the image's grid.
    noises : dict of role to Estimate
        Of these masks, and of the background of both acquisitions.
    drawing : Drawing
    coils : int
    notes : tuple of str
    sources : dict
        SHA-256 of the files that were read, by path.
    """

    image: Map
    second: Map | None
    masks: dict[str, Mask]
    noises: dict[str, Estimate]
    drawing: Drawing
    coils: int
    notes: tuple[str, ...]
    sources: dict[str, str]

    def estimates(self, signal: Mask) -> dict[str, Estimate]:
        """The noises, and what the signal's mask gives."""
        found = dict(self.noises)
        samples = {"signal": take_sample(self.image, signal, self.drawing.block_mm)}
        if self.second is not None:
            both, apart = take_pair(self.image, self.second, signal, self.drawing.block_mm)
            samples |= {"pair_signal": both, "difference": apart}
        for role, sample in samples.items():
            found[role] = estimate(role, sample, self.drawing.resamples, self.drawing.seed)
        return found


def check_same_grid(image: Map, second: Map) -> None:
    """Raise InputError where a second acquisition has another shape or lies elsewhere."""
    if not image.grid.matches(second.grid):
        problem = f"is not on the grid of {image.name}: {second.grid.difference(image.grid)}"
        remedy = "give two acquisitions of one grid; resampling would smooth the noise away"
        raise InputError(second.name, problem, remedy)


def check_pair(image: Map, second: Map) -> None:
    """Raise InputError where two acquisitions are not on one grid, or are one and the same."""
    check_same_grid(image, second)
    if np.array_equal(image.array, second.array, equal_nan=True):
        problem = f"has the values of {image.name}: their difference holds no noise"
        raise InputError(second.name, problem, "give a second acquisition")


def set_scene(
    image: MapLike,
    background: MaskLike | None,
    second: MapLike | None,
    air: MaskLike | None,
    coils: int,
    drawing: Drawing,
) -> Scene:
    """Read the image, bring the masks of noise to it, and see that they hold noise.

    Raises
    ------
    InputError
        Where a file cannot be used, two masks overlap, or a region of noise is empty, constant,
        zero-filled or quantised.
    """
    noise_factor(coils)  # raises where it is no number of coils, whether air is given or not
    found = as_map(image)
    other = as_map(second) if second is not None else None
    if other is not None:
        check_pair(found, other)
    given = {"background": background, "air": air}
    masks = {
        role: native_mask(mask, found.name, found.grid)
        for role, mask in given.items()
        if mask is not None
    }
    refuse_overlap(masks)
    noises = {
        role: estimate(role, take_sample(found, mask, drawing.block_mm), *_draws(drawing))
        for role, mask in masks.items()
    }
    for role, noise in noises.items():
        if noise.fault:
            remedy = f"let {role} lie where the image, as it was acquired, has noise"
            raise InputError(noise.sample.name, noise.fault, remedy)
    if other is not None and "background" in masks:
        both, _ = take_pair(found, other, masks["background"], drawing.block_mm)
        noises["pair_background"] = estimate("pair_background", both, *_draws(drawing))
    notes = _notes_of(found, other, masks, noises)
    sources = source_of(image, found)
    if other is not None and second is not None:
        sources |= source_of(second, other)
    for role, mask in given.items():
        if mask is not None:
            sources |= source_of(mask, masks[role])
    return Scene(found, other, masks, noises, drawing, coils, notes, sources)


def _draws(drawing: Drawing) -> tuple[int, int]:
    return drawing.resamples, drawing.seed


def native_mask(source: MaskLike, name: str, grid: Grid) -> Mask:
    """A mask on the grid of the image of that name; the image is never brought to the mask."""
    mask = binary_mask(source)
    placed = place_mask(mask, grid)
    said = space_notes(f"mask {mask.name}", mask.grid, name, grid)
    return replace(placed, notes=(*placed.notes, *said))


def refuse_overlap(masks: Mapping[str, Mask]) -> None:
    """Raise InputError where two masks share voxels of the image."""
    if said := check_apart(masks):
        raise InputError("masks", said, "give regions that share no voxel")


def source_of(given: Any, found: Map | Mask) -> dict[str, str]:
    """Checksum of what was read, by its path, or by its name where it came from memory."""
    is_file = not isinstance(given, Map | Mask | SpatialImage)
    return {str(as_path(given)) if is_file else found.name: found.sha256}


def _notes_of(
    image: Map, second: Map | None, masks: Mapping[str, Mask], noises: Mapping[str, Estimate]
) -> tuple[str, ...]:
    said = [*native_notes(image.notes), *(native_notes(second.notes) if second else ())]
    for mask in masks.values():
        said += native_notes(mask.notes)
    for role in masks:
        said += sample_notes(noises[role].sample)
    if "background" in noises and looks_like_air(noises["background"].sample.values):
        said.append(_LIKE_AIR)
    return tuple(dict.fromkeys(said))


def native_notes(notes: tuple[str, ...]) -> list[str]:
    """What is unusual about an image, as far as it matters for one in its native space."""
    return [
        note.replace("treated as background", "left out")
        for note in notes
        if not note.startswith(_ABOUT_LESIONS)
    ]


def looks_like_air(values: NDArray[np.float64]) -> bool:
    """Whether the mean is as many times the SD as in the magnitude of noise alone, for one coil.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> looks_like_air(generator.rayleigh(5, 1000)), looks_like_air(generator.normal(5, 1, 1000))
    (True, False)
    """
    rayleigh = np.sqrt(np.pi / 2) / noise_factor(1)
    return bool(abs(values.mean() / values.std() - rayleigh) < _CLOSE)


def sample_notes(sample: Sample) -> list[str]:
    """What was left out, and zeros that are there."""
    notes = []
    if sample.unknown:
        notes.append(f"{sample.name}: {sample.unknown:,} voxels of NaN left out")
    if sample.zeros:
        notes.append(f"{sample.name}: {sample.zeros:.1%} of its voxels are 0")
    return notes


def choices_of(made: Scene | Drawing) -> dict[str, Any]:
    """The parameters that numbers and intervals depend on."""
    drawing = made if isinstance(made, Drawing) else made.drawing
    coils = {} if isinstance(made, Drawing) else {"coils": made.coils}
    return coils | {
        "block_mm": drawing.block_mm,
        "resamples": drawing.resamples,
        "seed": drawing.seed,
    }
