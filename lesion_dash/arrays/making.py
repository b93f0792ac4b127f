"""What a pickle asks numpy to make: checked and written down, made later or never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .faults import COPY_AGAIN, SAVE_AGAIN, ArrayFault
from .layout import Layout, check_shape, number_type
from .stand_ins import Name, PickledArray, PickledType, Raw

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
