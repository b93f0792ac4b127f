"""Quantities at the voxels of a grid: their values, and what files, legends and captions say.

A result with a number at each voxel is a `VoxelMaps`; each of its numbers is a `Quantity`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import check_choice
from ..core.grid import Grid, find_index
from ..images.maps import Map

MM3_PER_ML = 1000.0


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number at each voxel, with all that files, legends and captions say of it.

    Parameters
    ----------
    key : str
        Such as ``mean``.
    label : str
        The name of its map, such as ``mean total lesion volume``.
    unit : str
        Of its values, such as ``mm³``; empty where there is none.
    file : str
        Name of the file that holds its map.
    meaning : str
        What it is, in one sentence.
    title, short_title : str
        Above a figure, and on a button; made of the label where they are empty.
    colormap : str
    header : str
        How its map was made, for the header of its file (79 characters at most).
    background : float
        Value of its map at voxels that are not among those of a result.
    statistic : str
        In one word, such as ``t``, for ``stat-`` in names of BIDS; the key where it is empty.

    Examples
    --------
    >>> quantity = Quantity(key="mean", label="mean total lesion volume", unit="mm³")
    >>> quantity.title, quantity.display
    ('Mean total lesion volume', (0.001, 'mL'))
    """

    key: str
    label: str
    unit: str = ""
    file: str = ""
    meaning: str = ""
    title: str = ""
    short_title: str = ""
    colormap: str = "viridis"
    header: str = ""
    background: float = np.nan
    statistic: str = ""

    def __post_init__(self) -> None:
        title = self.title or f"{self.label[:1].upper()}{self.label[1:]}"
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "short_title", self.short_title or title)
        object.__setattr__(self, "statistic", self.statistic or self.key)

    @property
    def display(self) -> tuple[float, str]:
        """What values are multiplied with to be shown, and their unit then: mL for mm³."""
        return (1 / MM3_PER_ML, "mL") if self.unit == "mm³" else (1.0, self.unit)

    def made(self, how: str, **changes: Any) -> Self:
        """The quantity of one result: the header of its file says how it was computed."""
        of_result = replace(self, **changes)
        unit = f" [{self.unit}]" if self.unit else ""
        header = f"lesion_dash: {of_result.header or of_result.label}{unit}{how}"
        return replace(of_result, header=header.replace("³", "3"))  # headers hold ASCII

    def map(self, grid: Grid, values: NDArray) -> Map:
        """The map of a value at every voxel of a grid, the first axis fastest."""
        values.setflags(write=False)
        array = values.reshape(grid.shape, order="F")
        return Map(
            self.label,
            array,
            grid,
            self.unit,
            self.header,
            statistic=self.statistic,
            meaning=self.meaning,
        )


def file_names(quantities: Iterable[Quantity]) -> dict[str, str]:
    """Name of the file of each quantity, by key."""
    return {quantity.key: quantity.file for quantity in quantities}


class Columns(Mapping[str, NDArray]):
    """Arrays by key; one that is given as a function is computed when it is first asked for.

    Examples
    --------
    >>> columns = Columns({"n": np.array([4, 9]), "root": lambda: np.sqrt([4, 9])})
    >>> columns["root"].tolist(), list(columns)
    ([2.0, 3.0], ['n', 'root'])
    """

    def __init__(self, columns: Mapping[str, NDArray | Callable[[], NDArray]]) -> None:
        self._columns = dict(columns)

    def __getitem__(self, key: str) -> NDArray:
        column = self._columns[key]
        if callable(column):
            column = self._columns[key] = column()
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __reduce__(self) -> tuple[type[Columns], tuple[dict[str, NDArray]]]:
        return Columns, (dict(self),)  # a pickle holds arrays, no functions


def minus_log10(columns: Mapping[str, NDArray]) -> dict[str, Callable[[], NDArray]]:
    """Columns ``minus_log10_p`` and ``minus_log10_corrected_p`` of those of p that are given.

    A p below the smallest number that a float holds counts as that number: infinity has no colour.
    """

    def logarithm(p: NDArray) -> NDArray:
        return np.asarray(-np.log10(np.maximum(p, np.finfo(np.float64).tiny)))

    keys = columns.keys() & {"p", "corrected_p"}
    return {f"minus_log10_{key}": partial(logarithm, columns[key]) for key in keys}


class Column:
    """One of `VoxelMaps.values` as an attribute of its own name."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = name

    def __get__(self, maps: VoxelMaps | None, owner: type) -> NDArray:
        if maps is None:  # documentation tools look at the class itself
            raise AttributeError(f"{owner.__name__}.{self._key} is an attribute of its instances")
        return maps.values[self._key]


class MapSet:
    """Maps of several quantities, each made when it is asked for."""

    grid: Grid
    quantities: tuple[Quantity, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the quantities."""
        return tuple(quantity.key for quantity in self.quantities)

    @property
    def files(self) -> dict[str, Map]:
        """All maps under the names they are saved as."""
        return {quantity.file: self.map(quantity.key) for quantity in self.quantities}

    def map(self, key: str) -> Map:
        """The map of the quantity in `keys`.

        Raises
        ------
        InputError
            Where there is none of this key.
        """
        check_choice("map", key, self.keys)
        quantity = self.quantities[self.keys.index(key)]
        return quantity.map(self.grid, self._at_all_voxels(quantity))

    def _at_all_voxels(self, quantity: Quantity) -> NDArray:
        raise NotImplementedError


@dataclass(frozen=True, eq=False, kw_only=True)
class VoxelMaps(MapSet):
    """Quantities at some voxels of a grid.

    Parameters
    ----------
    grid : Grid
    indices : array of int32, shape (voxels,)
        Linear positions in ascending order, the first axis fastest.
    values : mapping of array, shape (voxels,)
        Those of each quantity under its key, and others that a result knows.
    quantities : tuple of Quantity
        Those that have a map.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Quantity
    >>> maps = VoxelMaps(
    ...     grid=Grid((2, 2, 1), np.diag([2.0, 2, 2, 1])),
    ...     indices=np.array([1, 3], np.int32),
    ...     values={"t": np.array([2.5, -1.0])},
    ...     quantities=(Quantity(key="t", label="t"),),
    ... )
    >>> maps.voxels, maps.row_at([2, 2, 0])
    (2, 1)
    >>> maps.map("t").array[..., 0].tolist()
    [[nan, nan], [2.5, -1.0]]
    >>> maps.select(maps.values["t"] > 0).voxels
    1
    """

    grid: Grid
    indices: NDArray[np.int32]
    values: Mapping[str, NDArray]
    quantities: tuple[Quantity, ...]

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(self.indices.size)

    def row_at(self, mm: ArrayLike) -> int | None:
        """Position among `indices` of the voxel nearest to a world point in mm, None elsewhere."""
        voxel = self.grid.nearest_voxel(mm)
        return None if voxel is None else self.row_of(self.grid.linear_index(voxel))

    def row_of(self, index: int) -> int | None:
        """Position of a voxel among `indices`, None where it is not one of them."""
        return find_index(self.indices, index)

    def select(self, chosen: NDArray[np.bool_]) -> Self:
        """The same at some of the voxels."""

        def column(key: str) -> NDArray:
            return self.values[key][chosen]

        values = Columns({key: partial(column, key) for key in self.values})
        return replace(self, indices=self.indices[chosen], values=values)

    def _at_all_voxels(self, quantity: Quantity) -> NDArray:
        flat = np.full(self.grid.size, quantity.background)
        flat[self.indices] = self.values[quantity.key]
        return flat
