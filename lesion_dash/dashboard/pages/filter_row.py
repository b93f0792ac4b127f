"""A condition as the controls of the page show it, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from ...cohort.cells import number_of, value_text
from ...cohort.columns import Column, with_unit
from ...cohort.conditions import Condition, parse_condition

Row = dict[str, Any]

_FEW_VALUES = 7
"""A column of at most so many numbers, such as 0 and 1, is ticked like one of words."""
_MOST_LISTED = 200


def shown_column(column: Column) -> Row:
    """What the page must know of a column: the control that it gets, and what can be chosen."""
    listed = column.counts[:_MOST_LISTED] if _is_listed(column) else ()
    return {
        "name": column.name,
        "kind": column.kind,
        "form": "list" if _is_listed(column) else "range",
        "caption": _caption(column),
        "values": [{"value": value, "count": count} for value, count in listed],
        "more": len(column.counts) - len(listed) if _is_listed(column) else 0,
        "ends": [column.counts[0][0], column.counts[-1][0]] if column.counts else ["", ""],
        "whole": column.is_whole,
        "cut": column.even_cut,
        "missing": column.missing,
    }


def shown_counts(column: Column) -> Row:
    """How many patients have each value, and none."""
    return {"values": dict(column.counts), "missing": column.missing}


def _is_listed(column: Column) -> bool:
    return column.kind == "category" or len(column.counts) <= _FEW_VALUES


def _caption(column: Column) -> str:
    """The column with its kind, such as ``age (years) · 42–89, 3 missing``."""
    values = [value for value, _ in column.counts]
    name = with_unit(column.name, column.unit)
    if not values:
        return f"{name} · no values"
    kind = f"{values[0]}–{values[-1]}"
    if column.kind == "category":
        kind = values[0] if len(values) == 1 else f"{len(values)} values"
    elif len(values) == 1:
        kind = values[0]
    gaps = f", {column.missing:,} missing" if column.missing else ""
    return f"{name} · {kind}{gaps}"


def condition_of(row: Mapping[str, Any]) -> Condition | None:
    """The condition that a row of controls asks; None where nothing is chosen in it yet.

    Raises
    ------
    InputError
        Where it is not a condition.
    KeyError, TypeError
        Where it is not a row.
    """
    form, column, missing = row["form"], str(row["column"]), bool(row.get("missing"))
    if form == "fixed":
        return parse_condition(str(row["text"]))
    if form == "list":
        values = tuple(str(value) for value in row["values"])
        return Condition(column, values, missing=missing) if values or missing else None
    low, high = (number_of(str(row.get(end))) for end in ("low", "high"))
    if low is None and high is None:
        return None
    if low == high and low is not None:
        return Condition(column, (value_text(low),), missing=missing)
    low, high = -inf if low is None else low, inf if high is None else high
    return Condition(column, low=low, high=high, missing=missing)


def row_of(condition: Condition, columns: Sequence[Column]) -> Row:
    """The row of controls that shows a condition; a fixed text where no control can."""
    column = next((column for column in columns if column.name == condition.column), None)
    fixed: Row = {"column": condition.column, "form": "fixed", "text": str(condition)}
    fixed["words"] = condition.summary
    if column is None or condition.strict:
        return fixed
    row: Row = {"column": condition.column, "missing": condition.missing}
    if condition.is_range:
        return fixed if _is_listed(column) else row | _range_row(condition.low, condition.high)
    if _is_listed(column) and len(column.counts) <= _MOST_LISTED:
        met = [value for value, _ in column.counts if condition.is_met(value)]
        return row | {"form": "list", "values": met}
    number = number_of(condition.values[0]) if len(condition.values) == 1 else None
    if number is None or condition.excludes or column.kind == "category":
        return fixed
    return row | _range_row(number, number)


def _range_row(low: float, high: float) -> Row:
    """A range; a side without a bound is empty."""
    bounds = [None if bound in (-inf, inf) else bound for bound in (low, high)]
    return {"form": "range", "low": bounds[0], "high": bounds[1]}
