"""Laws of how numbers are written; that the browser writes the same is in the browser's tests."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesion_dash.core.formats import (
    COEFFICIENT,
    COORDINATE,
    COUNT,
    EFFECT,
    MISSING,
    PERCENT,
    POINTS,
    PROBABILITY,
    VALUE,
    VOLUME,
    VOLUME_DIFFERENCE,
    Format,
    P,
)

FORMATS = (
    *(COUNT, VOLUME, VOLUME_DIFFERENCE, PERCENT, POINTS, PROBABILITY, COEFFICIENT),
    *(P, COORDINATE, VALUE, EFFECT, Format(2, 2)),
)
HOW = st.sampled_from(FORMATS)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
USUAL = st.floats(1e-3, 1e6) | st.integers(0, 10**6).map(lambda n: n / 8)


def number_of(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace("−", "-"))


@given(HOW, USUAL | USUAL.map(lambda value: -value))
def test_the_text_is_the_number_to_its_last_digit(how: Format, value: float) -> None:
    text = how.text(value)
    if text.startswith("<"):
        assert 0 < abs(value) < number_of(text[2:])
    else:
        digits = Decimal(10) ** number_of(text).as_tuple().exponent
        unit = max(digits, Decimal(10) ** -how.decimals) if how.strip else digits
        assert abs(number_of(text) - Decimal(value)) <= unit / 2


@given(HOW, NUMBERS)
def test_a_number_and_its_opposite_differ_in_their_signs_alone(how: Format, value: float) -> None:
    assert how.text(-value).lstrip("−+") == how.text(value).lstrip("−+")
    assert "-" not in how.text(value)
    assert how.text(value)[0] != "+" or how.plus


@given(st.sampled_from((VOLUME, PERCENT, PROBABILITY, P)), st.floats(0, 1e9, exclude_min=True))
def test_what_is_there_is_never_shown_as_nothing(how: Format, value: float) -> None:
    text = how.text(value)
    assert text.startswith("< ") or number_of(text) > 0


@given(HOW, USUAL, USUAL)
def test_a_larger_number_has_no_smaller_text(how: Format, a: float, b: float) -> None:
    texts = [how.text(value) for value in sorted((a, b))]
    low, high = (0 if text.startswith("<") else number_of(text) for text in texts)
    assert low <= high


@given(HOW)
def test_what_is_no_number_says_so(how: Format) -> None:
    assert how.text(math.nan) == how.with_unit(math.nan) == MISSING
    assert [how.text(value) for value in (math.inf, -math.inf)] == ["∞", "−∞"]


@pytest.mark.parametrize(
    ("how", "value", "text"),
    [
        (VOLUME, 99.94, "99.9"),
        (VOLUME, 99.95, "100"),
        (VOLUME, 0.0004, "< 0.001"),
        (PERCENT, 0.25, "0.3"),  # as browsers round
        (PERCENT, 0.049, "< 0.1"),
        (COUNT, 1449, "1,449"),
        (COORDINATE, -30.0, "−30"),
        (POINTS, 1e-15, "0.0"),  # a difference of two equal shares
        (VALUE, 123456.7, "123,457"),
        (VALUE, 0.00000012345, "1.23e−7"),
        (EFFECT, 2.0, "+2.00"),
        (P, 0.00003, "< 0.0001"),
    ],
)
def test_numbers_as_they_are_read(how: Format, value: float, text: str) -> None:
    assert how.text(value) == text
