"""Maps in files of arrays, which take the space of the image that lies beside them."""

from __future__ import annotations

from ..arrays import ENDINGS, StoredArray, convert_array, read_array
from ..errors import InputError
from ..files import AnyPath, has_image_ending, strip_ending
from ..grid import Grid
from ..images import SpatialImage, read_header


def is_array_file(path: AnyPath) -> bool:
    """Whether a file's name says that it holds an array, such as ``.npy``."""
    return path.suffix.lower() in ENDINGS


def open_array(path: AnyPath) -> tuple[SpatialImage, tuple[str, ...], dict[str, str]]:
    """An array as an image, at the place of the NIfTI image beside it.

    Returns
    -------
    image : nibabel image
        Named after the file.
    notes : tuple of str
        Whose space it took, and what else was changed.
    sources : dict
        SHA-256 of the file, and of the one whose space it took, by path.

    Raises
    ------
    InputError
        Where the array cannot be read, no image of its shape lies beside it, or several do that
        lie in different places.
    """
    stored = read_array(path)
    like = find_space(path, stored) if stored.affine is None else None
    made = convert_array(stored, like)
    image = made.to_nifti()
    image.file_map["image"].filename = str(path)  # for messages; its voxels are in memory
    said = (f"{path.name} takes the space of {like.name} beside it",) if like else ()
    sources = {str(path): stored.sha256} | made.placement.sources
    return image, (*stored.notes, *made.notes, *said), sources


def find_space(path: AnyPath, stored: StoredArray) -> AnyPath:
    """The image beside an array whose space it takes.

    The one of the same name counts, else the only one of the same shape; several of them may
    stand for one another where they share a grid. Others that cannot be read, or do not say
    where left is, say nothing of the array.

    Raises
    ------
    InputError
        Where there is none, or it is not clear which.
    """
    shape = tuple(stored.array.shape[:3])
    remedy = "make an image of it with `lesion-dash convert`"
    beside = sorted(
        (file for file in path.parent.iterdir() if has_image_ending(file.name)),
        key=lambda file: file.name,
    )
    named = [file for file in beside if strip_ending(file.name) == path.stem]
    found = [(file, grid) for file in named or beside if (grid := _grid_of(file, bool(named)))]
    fitting = [(file, grid) for file, grid in found if grid.shape == shape]
    words = " x ".join(map(str, shape))
    if not fitting:
        problem = f"has no space of its own, and no NIfTI image of {words} voxels lies beside it"
        raise InputError(path, f"{problem} that states its orientation", remedy)
    _check_one_grid(path, fitting, remedy)
    return fitting[0][0]


def _grid_of(file: AnyPath, is_meant: bool) -> Grid | None:
    try:
        header = read_header(file)
    except InputError:
        if is_meant:
            raise
        return None
    return header.grid if is_meant or header.form != "none" else None


def _check_one_grid(path: AnyPath, fitting: list[tuple[AnyPath, Grid]], remedy: str) -> None:
    first, grid = fitting[0]
    for file, other in fitting[1:]:
        if not grid.matches(other):
            problem = f"{first.name} and {file.name} beside it lie in different places"
            raise InputError(path, problem, remedy)
