"""An image inside the mask of one region."""

from __future__ import annotations

from dataclasses import dataclass

from ..files import PathInput
from ..grid import Grid
from ..images import Mask, SpatialImage, Stored, masked_bytes, read_volume, volume_grid
from ..transforms import Transform
from .native import native_region
from .placing import space_notes
from .reading import DEFAULT_THRESHOLD, RegionMap, read_region

_NOT_STANDARD = "not marked as standard space"
"""Beginning of a note that `space_notes` takes the place of."""


@dataclass(frozen=True, eq=False)
class MaskedImage:
    """An image, and the mask inside which it keeps its values.

    Parameters
    ----------
    stored : Stored
        The image as it was read.
    mask : Mask
        On the image's grid.
    threshold : float or None
        The probability that the mask's voxels have at least; None where they bear a label.
    notes : tuple of str
        What is unusual about map and image, and how the map was brought to the image.
    sources : dict
        SHA-256 of the files that were read, by path.
    """

    stored: Stored
    mask: Mask
    threshold: float | None
    notes: tuple[str, ...]
    sources: dict[str, str]

    def to_bytes(self, is_compressed: bool = True) -> tuple[bytes, tuple[str, ...]]:
        """The image with 0 outside the mask as a NIfTI file; see `images.masked_bytes`."""
        return masked_bytes(self.stored, self.mask, is_compressed)


def mask_image(
    image: PathInput | SpatialImage,
    prob: PathInput | SpatialImage,
    label: str | int | None = None,
    threshold: float | None = None,
    table: PathInput | None = None,
    percent: bool = False,
    transform: Transform | None = None,
) -> MaskedImage:
    """Cut a region out of an image by its probability or its label.

    The map is brought to the image, never the image to the map: values inside the mask stay what
    they are.

    Parameters
    ----------
    image : path, URL or nibabel image
        Of one volume.
    prob : path, URL or nibabel image
        Map of probabilities or of labels; see `read_region`.
    label : str or int, optional
        Name or number of the region, where the map holds several.
    threshold : float, optional
        Voxels of at least this probability (a share in (0, 1]) are kept; 0.5 by default.
    table : path, optional
        Names of the regions.
    percent : bool
        Whole numbers of a 3D map are percent.
    transform : Transform, optional
        From the image to the map's space, where the image was registered to it. Without one, both
        lie in one space.

    Returns
    -------
    MaskedImage

    Raises
    ------
    InputError
        Where map or image cannot be used, do not overlap, or the mask would be empty.

    Examples
    --------
    >>> atlas = "sample_data/atlas/synthetic_atlas.nii.gz"
    >>> cut = mask_image("sample_data/cohort_a/sub-a01_lesion.nii.gz", atlas, "Synthetic putamen L")
    >>> cut.mask.voxels
    507
    """
    region = read_region(prob, label, table, percent)
    stored = read_volume(image)
    grid = volume_grid(stored.path, stored.header)
    mask = native_region(region, threshold, transform, grid)
    # First what may be wrong, then how it was made.
    notes = _notes_of(stored, region, grid, transform is None) + region.notes + mask.notes
    sources = {str(stored.path): stored.sha256} | region.sources
    used = threshold if region.probabilities is None or threshold else DEFAULT_THRESHOLD
    return MaskedImage(stored, mask, used, notes, sources)


def _notes_of(stored: Stored, region: RegionMap, grid: Grid, shares_space: bool) -> tuple[str, ...]:
    """What is unusual about the image, by its name."""
    name = stored.path.name
    own = tuple(f"{name}: {note}" for note in stored.notes if not note.startswith(_NOT_STANDARD))
    return (space_notes("the map", region.grid, name, grid) if shares_space else ()) + own
