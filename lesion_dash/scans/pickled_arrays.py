"""What a pickle asks numpy to make: checked and written down, made later or never."""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .npy import COPY_AGAIN, SAVE_AGAIN, ArrayFault, Layout, check_shape, number_type

LONGEST_NAME = 256
"""Bytes of a key, or of the name of a type or a function."""

_PIECE = 65536


class Name(Enum):
    """The functions and types that a pickle of an array names; each is only its own name."""

    NDARRAY = auto()
    DTYPE = auto()
    RECONSTRUCT = auto()
    SCALAR = auto()
    FROMBUFFER = auto()
    ENCODE = auto()


_HOMES = [f"numpy.{core}.{home}" for core in ("core", "_core") for home in
          ("multiarray", "_multiarray_umath")]  # fmt: skip
_KNOWN = {
    ("numpy", "ndarray"): Name.NDARRAY,
    ("numpy", "dtype"): Name.DTYPE,
    ("numpy.core.numeric", "_frombuffer"): Name.FROMBUFFER,
    ("numpy._core.numeric", "_frombuffer"): Name.FROMBUFFER,
    ("_codecs", "encode"): Name.ENCODE,
    **{(home, "_reconstruct"): Name.RECONSTRUCT for home in _HOMES},
    **{(home, "scalar"): Name.SCALAR for home in _HOMES},
}
_REFUSED = {
    "torch": ("a torch tensor", 'numpy.save("array.npy", tensor.cpu().numpy())'),
    "pandas": ("a pandas table", 'numpy.save("array.npy", table.to_numpy())'),
    "numpy.ma": ("a masked array", 'numpy.save("array.npy", array.filled(0))'),
    "scipy": ("an object of scipy", 'numpy.save("array.npy", matrix.toarray())'),
    "nibabel": ("a nibabel image", 'nibabel.save(image, "image.nii.gz")'),
    "SimpleITK": ("a SimpleITK image", 'SimpleITK.WriteImage(image, "image.nii.gz")'),
}


def known_name(module: str, name: str) -> Name:
    """The stand-in of one of the few names that arrays need, compared as a whole.

    Raises
    ------
    ArrayFault
        For every other name; nothing is imported.

    Examples
    --------
    >>> known_name("numpy", "dtype")
    <Name.DTYPE: 2>
    """
    if (module, name) in _KNOWN:
        return _KNOWN[module, name]
    for package, (what, command) in _REFUSED.items():
        if module == package or module.startswith(f"{package}."):
            raise ArrayFault(f"contains objects: {what} ({module}.{name})", f"save it by {command}")
    problem = f"contains code or objects: it names {module}.{name}, and nothing of it is run"
    raise ArrayFault(problem, SAVE_AGAIN)


@dataclass(frozen=True, eq=False)
class Raw:
    """Bytes or text of the file, left where they lie until they are needed.

    Parameters
    ----------
    view : memoryview
        The part of the file.
    encoding : str
        Of text, such as ``utf-8``; empty where bytes stand as they are.
    """

    view: memoryview
    encoding: str = ""

    def text(self) -> str:
        """A short text, such as a name or a key.

        Raises
        ------
        ArrayFault
            Where it is longer than `LONGEST_NAME`.
        """
        if len(self.view) > LONGEST_NAME:
            raise ArrayFault(
                f"holds a name of {len(self.view):,} bytes, {LONGEST_NAME} at most", COPY_AGAIN
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unknown escape stands for itself
            return bytes(self.view).decode(self.encoding or "latin-1")

    def fill(self, target: NDArray[np.uint8]) -> None:
        """Write the bytes into an array of exactly their number; text is taken as Latin-1.

        Protocols 0 to 2 and Python 2 keep bytes as text. It is decoded piece by piece, so that no
        second copy is ever held.
        """
        filled = 0
        for piece in self._pieces():
            if filled + piece.size > target.size:
                raise ArrayFault(f"holds more than its {target.size:,} bytes", COPY_AGAIN)
            target[filled : filled + piece.size] = piece
            filled += piece.size
        if filled < target.size:
            raise ArrayFault(f"holds {filled:,} of its {target.size:,} bytes", COPY_AGAIN)

    def _pieces(self) -> Iterator[NDArray[np.uint8]]:
        decoder = codecs.getincrementaldecoder(self.encoding or "latin-1")()
        for start in range(0, len(self.view), _PIECE):
            piece = bytes(self.view[start : start + _PIECE])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an unknown escape stands for itself
                text = decoder.decode(piece, start + _PIECE >= len(self.view))
            yield np.frombuffer(text.encode("latin-1"), np.uint8)


@dataclass(eq=False)
class PickledType:
    """Takes the place of a numpy.dtype."""

    dtype: np.dtype
    is_whole: bool = False


@dataclass(eq=False)
class PickledArray:
    """Takes the place of a numpy.ndarray: how it lies, and where its bytes are."""

    found: tuple[Layout, Raw] | None = None

    def describe(self, layout: Layout, raw: Raw) -> None:
        """Say what the array is, once; nothing is allocated.

        Raises
        ------
        ArrayFault
            Where the bytes can't be those of the shape.
        """
        if self.found is not None:
            raise ArrayFault("describes one array twice: it was changed by hand", SAVE_AGAIN)
        present = len(raw.view)
        # A character of text takes at least one byte.
        if layout.nbytes > present or (layout.nbytes != present and not raw.encoding):
            problem = (
                f"impossible size: {layout} needs {layout.nbytes:,} bytes, {present:,} are there"
            )
            raise ArrayFault(problem, COPY_AGAIN)
        self.found = (layout, raw)

    @property
    def layout(self) -> Layout:
        """Type, shape and order."""
        return self._whole()[0]

    def build(self) -> NDArray:
        """The array; where its bytes stand as they are, it is a view of the file's content."""
        layout, raw = self._whole()
        if not raw.encoding:
            return layout.arrange(np.frombuffer(raw.view, layout.dtype))
        content = np.empty(layout.nbytes, np.uint8)
        try:
            raw.fill(content)
        except UnicodeError:
            raise ArrayFault("holds text that stands for no bytes", COPY_AGAIN) from None
        return layout.arrange(content.view(layout.dtype))

    def _whole(self) -> tuple[Layout, Raw]:
        if self.found is None:
            raise ArrayFault("names an array but holds no values of it", COPY_AGAIN)
        return self.found


# What a pickle asks numpy to make: checked and written down, made later or never.


_NUMPY_1 = "latin1"
"""The only encoding by which protocols 0 to 2 keep the bytes of an array as text."""


_PLAIN = [-1, -1, 0]
"""Size, alignment and flags of a type of numbers, as numpy writes them."""


def key_text(key: object) -> str:
    """A key of a dict as text, whatever it was.

    Raises
    ------
    ArrayFault
        Where it is neither text nor a number.
    """
    if isinstance(key, Raw):
        return key.text()
    if key is None or isinstance(key, (bool, int, float)):
        return str(key)
    raise ArrayFault("holds a dict whose keys are neither text nor numbers", SAVE_AGAIN)


def make(name: Name, arguments: tuple[Any, ...]) -> object:
    """What a call of a known name stands for; the call is not made.

    Parameters
    ----------
    name : Name
    arguments : tuple
        As the pickle gives them, of any kind and number.

    Raises
    ------
    ArrayFault
        Where they are not what numpy writes.
    """
    try:
        return _MAKE[name](*arguments)
    except (TypeError, KeyError):
        raise _unusual(name) from None


def _make_blank(kind: object, _shape: object, _letter: object) -> PickledArray:
    if kind is not Name.NDARRAY:
        raise _unusual(Name.RECONSTRUCT)
    return PickledArray()


def _make_type(code: object, align: object = False, copy: object = True) -> PickledType:
    # Whole numbers in Python 2.
    if not isinstance(code, Raw) or not isinstance(align, int) or not isinstance(copy, int):
        raise _unusual(Name.DTYPE)
    return PickledType(number_type(code.text()))


def _make_bytes(text: object, encoding: object) -> Raw:
    if not isinstance(text, Raw) or not isinstance(encoding, Raw) or encoding.text() != _NUMPY_1:
        raise _unusual(Name.ENCODE)
    return text


def _make_number(kind: object, raw: object) -> PickledArray:
    return _array(kind, (), "C", None, raw)


def _make_array(
    raw: object, kind: object, shape: object, order: object, axes: object = None
) -> PickledArray:
    letter = order.text() if isinstance(order, Raw) else ""
    if letter not in ("C", "F", "K"):
        raise _unusual(Name.FROMBUFFER)
    # K: the axes of the memory come first, then the order in which they are meant.
    return _array(kind, shape, "F" if letter == "F" else "C", axes if letter == "K" else None, raw)


def _array(kind: object, shape: object, order: str, axes: object, raw: object) -> PickledArray:
    made = PickledArray()
    _describe(made, kind, shape, order, axes, raw)
    return made


def _describe(
    made: PickledArray, kind: object, shape: object, order: str, axes: object, raw: object
) -> None:
    lengths = check_shape(shape)
    if not isinstance(kind, PickledType):
        raise ArrayFault("holds an array without the type of its values", COPY_AGAIN)
    if not isinstance(raw, Raw):
        raise ArrayFault("not a number array: its values are objects, not bytes", SAVE_AGAIN)
    made.describe(Layout(kind.dtype, lengths, order, _check_axes(axes, len(lengths))), raw)


def _check_axes(axes: object, count: int) -> tuple[int, ...] | None:
    if axes is None:
        return None
    if (
        not isinstance(axes, tuple)
        or not all(type(axis) is int for axis in axes)
        or sorted(axes) != list(range(count))
    ):
        raise ArrayFault("holds an array whose axes are in no order", COPY_AGAIN)
    return axes


def finish_type(made: PickledType, state: object) -> None:
    """Give a type its byte order.

    Raises
    ------
    ArrayFault
        Where it is none of plain numbers.
    """
    # Version, byte order, sub-array, names, fields, size, alignment, flags, and maybe metadata.
    if not isinstance(state, tuple) or len(state) not in (8, 9) or made.is_whole:
        raise _unusual(Name.DTYPE)
    if any(part is not None for part in state[2:5]):
        raise ArrayFault("not a number array: it holds records of several fields", SAVE_AGAIN)
    if not isinstance(state[1], Raw) or list(state[5:8]) != _PLAIN:
        raise _unusual(Name.DTYPE)
    made.dtype = number_type(made.dtype.str[1:], state[1].text())
    made.is_whole = True


def finish_array(made: PickledArray, state: object) -> None:
    """Give a blank array its shape, type and bytes.

    Raises
    ------
    ArrayFault
        Where they don't belong together.
    """
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise _unusual(Name.RECONSTRUCT)
    shape, kind, is_fortran, raw = state[-4:]  # a version stands before them, or not
    if not isinstance(is_fortran, int):
        raise _unusual(Name.RECONSTRUCT)
    _describe(made, kind, shape, "F" if is_fortran else "C", None, raw)


def _unusual(name: Name) -> ArrayFault:
    problem = f"contains code: it calls numpy's {name.name.lower()} otherwise than numpy writes it"
    return ArrayFault(problem, SAVE_AGAIN)


_MAKE: dict[Name, Callable[..., object]] = {
    Name.RECONSTRUCT: _make_blank,
    Name.DTYPE: _make_type,
    Name.SCALAR: _make_number,
    Name.FROMBUFFER: _make_array,
    Name.ENCODE: _make_bytes,
}
