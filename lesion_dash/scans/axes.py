"""The order of an array's axes: as the user says, as the shape alone can tell, or asked for."""

from __future__ import annotations

from itertools import permutations

from numpy.typing import NDArray

from ..core.errors import InputError
from ..files.paths import AnyPath

Shape = tuple[int, ...]

VOLUMES = "t"
"""The letter of the axis that counts volumes, classes or channels."""

_SPACE = "xyz"
_SPATIAL = tuple(map("".join, permutations(_SPACE)))
_USUAL = {
    "xyz": "of nibabel",
    "zyx": "of SimpleITK and nnU-Net",
    "yxz": "of rows, columns and slices",
}
"""Whose arrays lie in an order: their documentations say so; the third is pydicom's."""


def arrange(
    path: AnyPath,
    array: NDArray,
    target: Shape | None,
    axes: str | None = None,
    channel: int | None = None,
    *,
    is_placed: bool = False,
) -> tuple[NDArray, tuple[str, ...]]:
    """Bring the axes of an array into the order x, y, z, and the volumes last.

    Parameters
    ----------
    path : Path or UrlPath
        Of the array, for messages.
    array : array of three or four axes
    target : tuple of int, length 3, or None
        Voxels along x, y and z of the image that the array shall lie on, where there is one.
    axes : str, optional
        The order of the axes in the array, such as ``zyx``, or ``tzyx`` where the first counts
        volumes. Without it, the only order that fits the target is taken and told, and x, y, z
        where there is no target.
    channel : int, optional
        Which volume is taken, from 0; of the first axis, where neither target nor axes say which.
    is_placed : bool
        An affine in the array's own file says where its axes lead: they are x, y, z.

    Returns
    -------
    array
        A view, of three axes or four.
    notes : tuple of str

    Raises
    ------
    InputError
        Where no order fits, several do and none was given, or there is no such volume.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> arranged, notes = arrange(Path("a.npy"), np.zeros((5, 4, 3)), (3, 4, 5))
    >>> arranged.shape, notes[0]
    ((3, 4, 5), 'axes taken as z, y, x: 5 x 4 x 3 fits 3 x 4 x 5 voxels in no other order')
    """
    order, notes = _order_of(path, array.shape, target, axes, channel, is_placed)
    letters = _SPACE + VOLUMES * (array.ndim == 4)
    arranged = array.transpose([order.index(letter) for letter in letters])
    if channel is not None:
        return _one_volume(path, arranged, channel), notes
    if arranged.ndim == 4 and arranged.shape[3] == 1:
        where = "first" if order[0] == VOLUMES else "trailing"
        note = f"of shape {array.shape}: the {where} axis of length one is dropped"
        return arranged[..., 0], (*notes, note)
    return arranged, notes


def fitting_orders(shape: Shape, target: Shape) -> tuple[str, ...]:
    """The orders of axes in which an array fits an image; volumes lie first or last.

    Examples
    --------
    >>> fitting_orders((91, 109, 91), (91, 109, 91)), fitting_orders((2, 5, 4, 3), (3, 4, 5))
    (('xyz', 'zyx'), ('tzyx',))
    """
    return tuple(order for order in _orders(len(shape)) if _arranged(shape, order) == target)


def _orders(axes: int) -> tuple[str, ...]:
    if axes == len(_SPACE):
        return _SPATIAL
    return (*(order + VOLUMES for order in _SPATIAL), *(VOLUMES + order for order in _SPATIAL))


def _arranged(shape: Shape, order: str) -> Shape:
    return tuple(shape[order.index(letter)] for letter in _SPACE)


def _order_of(
    path: AnyPath,
    shape: Shape,
    target: Shape | None,
    axes: str | None,
    channel: int | None,
    is_placed: bool,
) -> tuple[str, tuple[str, ...]]:
    """The order of the axes, and notes on what was taken for granted."""
    given = _checked(axes, len(shape))
    possible = [order for order in _orders(len(shape)) if given in (None, order, _space(order))]
    if target is None:
        return _without_target(shape, possible, given, channel)
    fits = [order for order in possible if _arranged(shape, order) == target]
    if given is None and is_placed:
        fits = [order for order in fits if _space(order) == _SPACE]
    if not fits:
        raise InputError(path, *_no_fit(shape, target, given))
    if len(shape) == 4:
        fits = _with_known_volumes(path, shape, fits, given, channel)
    if len(fits) > 1:
        raise InputError(path, *_many(shape, target, fits))
    order = fits[0]
    if given is not None or _space(order) == _SPACE:
        return order, ()
    shown = f"{_joined(shape)} fits {_joined(target)} voxels in no other order"
    return order, (f"axes taken as {', '.join(order)}: {shown}",)


def _checked(axes: str | None, length: int) -> str | None:
    """The order that the user gave, checked for the number of axes."""
    if axes is None:
        return None
    order = axes.replace(",", "").replace(" ", "").lower()
    if order not in (*_SPATIAL, *_orders(4)):
        remedy = "give x, y and z in the array's order, such as zyx; t before or behind them is "
        raise InputError("--axes", f"{axes!r} is no order of axes", f"{remedy}the axis of volumes")
    if VOLUMES in order and length == len(_SPACE):
        problem = f"{axes!r} names four axes, and the array has three"
        raise InputError("--axes", problem, f"give {_space(order)}")
    return order


def _space(order: str) -> str:
    return order.replace(VOLUMES, "")


def _without_target(
    shape: Shape, possible: list[str], given: str | None, channel: int | None
) -> tuple[str, tuple[str, ...]]:
    """The order where nothing has a shape to compare with."""
    ends = [order for order in possible if _space(order) == (_space(given) if given else _SPACE)]
    if len(shape) == len(_SPACE) or len(ends) == 1:
        return ends[0], ()
    last, first = ends
    if channel is not None or (shape[0] == 1 and shape[3] > 1):
        return first, ()
    if shape[0] < min(shape[1:]):
        note = f"of shape {shape}, taken as {shape[3]:,} volumes of {_joined(shape[:3])} voxels"
        return last, (f"{note}: where the first axis counts volumes, give --channel or --axes",)
    return last, ()


def _with_known_volumes(
    path: AnyPath, shape: Shape, fits: list[str], given: str | None, channel: int | None
) -> list[str]:
    """The orders that fit where the first axis counts volumes only if the user knows of it."""
    is_first = all(order[0] == VOLUMES for order in fits)
    if not is_first or channel is not None or shape[0] == 1 or given in fits:
        return fits
    problem = f"is {_joined(shape)}: its first axis counts {shape[0]:,} classes or volumes"
    remedy = "take one by `lesion-dash convert --channel 1`, which is the second"
    spatial = [_space(order) for order in fits]
    if len(fits) > 1:
        remedy += f", and say the order of the other axes: {_choices(spatial)}"
    all_of_it = f"t{spatial[0]}" if len(fits) == 1 else f"{' or '.join(fits)}"
    raise InputError(path, problem, f"{remedy}; --axes {all_of_it} keeps all of them")


def _no_fit(shape: Shape, target: Shape, given: str | None) -> tuple[str, str]:
    fits = fitting_orders(shape, target)
    if given is None:
        problem = f"is {_joined(shape)}, which fits {_joined(target)} voxels as {_listed(fits)}"
        return f"{problem} alone, and the affine in its file is of x, y, z", "omit one of the two"
    problem = f"--axes {given} makes {_joined(shape)} no image of {_joined(target)} voxels"
    return problem, f"what fits is --axes {' or '.join(fits)}"


def _many(shape: Shape, target: Shape, fits: list[str]) -> tuple[str, str]:
    if len({order.index(VOLUMES) for order in fits if VOLUMES in order}) == 1:
        fits = [_space(order) for order in fits]  # where the volumes lie is known
    shown = f"{_joined(shape)} fits {_joined(target)} voxels in {len(fits)} orders of axes"
    problem = f"{shown} ({_listed(fits)}), and a shape cannot tell which"
    return problem, f"say which: {_choices(fits)}"


def _choices(orders: list[str]) -> str:
    """The options to type, with whose arrays they are."""
    usual = [order for order in orders if _space(order) in _USUAL]
    named = [f"--axes {order} for arrays {_USUAL[_space(order)]}" for order in usual]
    return ", ".join(named + [f"--axes {order}" for order in orders if order not in usual])


def _one_volume(path: AnyPath, array: NDArray, channel: int) -> NDArray:
    if array.ndim == len(_SPACE):
        problem = f"holds one volume, {_joined(array.shape)}, and no axis of channels"
        raise InputError(path, problem, "omit --channel")
    count = array.shape[3]
    if not 0 <= channel < count:
        problem = f"has no channel {channel}: it holds {count:,}"
        raise InputError(path, problem, f"give --channel 0 to {count - 1}")
    return array[..., channel]


def _joined(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _listed(orders: list[str] | tuple[str, ...]) -> str:
    return ", ".join(orders)
