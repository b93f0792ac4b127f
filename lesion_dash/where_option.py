"""The option `--where` of the commands that read a folder of masks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .console import warn
from .errors import InputError

if TYPE_CHECKING:
    from .subgroups import Condition


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add the option, which may be given several times."""
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        action="append",
        default=[],
        help="only patients of whom the participants table says so, such as 'sex=F', 'age>=60', "
        "'age=60..80', 'group=A,B', 'sex!=F' or 'nihss=missing', in quotes; once for each of "
        "several conditions",
    )


def add_where_each(parser: argparse.ArgumentParser) -> None:
    """Add the same for A and for B alone."""
    for letter in "ab":
        parser.add_argument(
            f"--where-{letter}",
            metavar="CONDITION",
            action="append",
            default=[],
            help=f"as --where, for {letter.upper()} alone: A and B may be parts of one folder",
        )


def options_of(options: argparse.Namespace, letter: str) -> argparse.Namespace:
    """The options as they are for A, or for B: its conditions are those of both and its own."""
    where = [*options.where, *getattr(options, f"where_{letter}")]
    return argparse.Namespace(**vars(options) | {"where": where})


def conditions_of(options: argparse.Namespace) -> tuple[Condition, ...]:
    """The conditions that were given."""
    if not options.where:
        return ()
    from .subgroups import parse_conditions

    return parse_conditions(options.where)


def say_unasked(options: argparse.Namespace, places: Sequence[str]) -> None:
    """Say of which places nothing can be asked: a mask is one patient's, or a map of many.

    Raises
    ------
    InputError
        Where that is so of all of them, or of the one that was asked alone.
    """
    from .files import as_path

    for letter, place in zip("ab", places, strict=False):
        if getattr(options, f"where_{letter}", None) and not as_path(place).is_dir():
            problem = f"{place} is no folder of masks, and has no participants table"
            raise InputError(f"--where-{letter}", problem, "leave it out, or give a folder")
    masks = [place for place in places if options.where and not as_path(place).is_dir()]
    if masks and len(masks) == len(places):
        problem = f"{' and '.join(masks)} are no folders of masks, and have no participants table"
        raise InputError("--where", problem, "leave it out, or give a folder")
    for mask in masks:
        warn(f"note: {mask} is one mask, used as it is: --where asks about a folder of masks")
