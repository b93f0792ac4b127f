"""What `lesion-dash inspect` does: say what is in an image file."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from .console import say, say_json

if TYPE_CHECKING:
    from ..scans.inspection import Inspection


def run_inspect(options: argparse.Namespace) -> int:
    """Print what an image holds, or the value at a voxel or place."""
    from ..scans.inspection import inspect_image

    found = inspect_image(options.image)
    point = _point(found, options)
    if options.json:
        say_json(found.to_json() | ({"at": point} if point else {}))
    elif point:
        _print_point(point)
    else:
        _print_all(found)
    return 2 if found.fault else 0


def add_inspect_choices(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("image", metavar="IMAGE", help="a NIfTI image, or the URL of one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--voxel",
        nargs=3,
        type=int,
        metavar=("I", "J", "K"),
        help="print place and value of this voxel, counted from 0",
    )
    place.add_argument(
        "--mm",
        nargs=3,
        type=float,
        metavar=("X", "Y", "Z"),
        help="print the voxel at this place, and its value",
    )
    parser.add_argument(
        "--volume", type=int, default=0, metavar="T", help="of a 4D image, counted from 0 (0)"
    )
    parser.epilog = "Exit code: 0; 2 where the image cannot be used, though its header is shown."


def _point(found: Inspection, options: argparse.Namespace) -> dict[str, Any] | None:
    """The voxel that was asked for, its place and its value."""
    if options.voxel is None and options.mm is None:
        return None
    voxel = tuple(options.voxel) if options.voxel else found.nearest_voxel(*options.mm)
    i, j, k = voxel
    value = found.value_at(i, j, k, options.volume)
    at = {"voxel": [i, j, k], "mm": list(found.to_mm(i, j, k)), "volume": options.volume}
    return at | {"value": value if math.isfinite(value) else str(value)}


def _print_point(point: dict[str, Any]) -> None:
    from ..images.nifti import numbers

    mm, voxel = (numbers(round(value, 4) for value in point[key]) for key in ("mm", "voxel"))
    say(f"voxel (i, j, k)  {voxel}")
    say(f"centre (x, y, z) {mm} mm")
    say(f"value            {point['value']}")
    if point["volume"]:
        say(f"volume           {point['volume']}")


def _print_all(found: Inspection) -> None:
    from ..scans.inspection_text import describe

    for section in describe(found):
        say(section.title)
        for name, text in section.rows:
            say(f"  {name:<18}{text}")
