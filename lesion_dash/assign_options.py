"""The options of `lesion-dash assign`."""

from __future__ import annotations

import argparse

TEXT = "which regions of an atlas the parts of a map, or points, lie in"


def add_assign_choices(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `lesion-dash assign`."""
    parser.add_argument("image", metavar="IMAGE", nargs="?", help="a map, such as a mask or t map")
    parser.add_argument(
        "--atlas",
        metavar="ATLAS",
        required=True,
        help="labelled or probabilistic NIfTI image, a folder of maps, or a name from "
        "`lesion-dash atlases`",
    )
    parser.add_argument(
        "--labels", metavar="TABLE", help="names of its regions (default: the table beside it)"
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT.csv", required=True, help="the table; provenance beside it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier OUT.csv")
    _add_component_choices(parser)
    _add_score_choices(parser)


def _add_component_choices(parser: argparse.ArgumentParser) -> None:
    """Which parts of a map there are; without a default here, as the library has it."""
    parser.add_argument(
        "--threshold", metavar="T", type=float, help="voxels with a value above T count (default 0)"
    )
    parser.add_argument(
        "--signs",
        choices=("positive", "negative", "both"),
        help="which side of the map; negative: below -T (default positive)",
    )
    parser.add_argument(
        "--connectivity",
        type=int,
        choices=(6, 18, 26),
        help="voxels of one part share a face, an edge too, or a corner too (default 18)",
    )
    parser.add_argument(
        "--min-size-voxels",
        metavar="N",
        type=int,
        help="parts with more than N voxels are kept (default 1)",
    )
    parser.add_argument(
        "--min-size-mm3", metavar="V", type=float, help="and at least V mm³ (default 0)"
    )


def _add_score_choices(parser: argparse.ArgumentParser) -> None:
    """How parts, or points, and regions are compared."""
    parser.add_argument(
        "--on", choices=("map", "atlas"), help="whose grid everything is on (default map)"
    )
    parser.add_argument(
        "--lower-threshold",
        metavar="P",
        type=float,
        help="probabilities of the atlas below P count as 0 (default 0)",
    )
    parser.add_argument(
        "--min-correlation",
        metavar="R",
        type=float,
        help="only rows with a correlation of at least R, the highest first",
    )
    parser.add_argument(
        "--like",
        choices=("siibra",),
        help="columns, order and numbers of siibra's assignment, on the atlas's grid",
    )
    parser.add_argument(
        "--points", nargs="+", metavar="P", help="in place of IMAGE: x y z in mm, or a file of them"
    )
    parser.add_argument(
        "--sigma", metavar="S", type=float, help="uncertainty of points in mm (default 0)"
    )
