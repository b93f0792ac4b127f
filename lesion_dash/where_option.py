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
        Where that is so of all of them.
    """
    from .files import as_path

    masks = [place for place in places if options.where and not as_path(place).is_dir()]
    if masks and len(masks) == len(places):
        problem = f"{' and '.join(masks)} are no folders of masks, and have no participants table"
        raise InputError("--where", problem, "leave it out, or give a folder")
    for mask in masks:
        warn(f"note: {mask} is one mask, used as it is: --where asks about a folder of masks")
