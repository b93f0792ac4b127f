"""The command line: the library's steps without a browser."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from . import commands
from .compute import SCHEDULER_VARIABLE
from .console import complain
from .errors import LesionDashError

_EXAMPLES = """examples:
  lesion-dash demo
      open the dashboard on the sample data
  lesion-dash stats masks/ -o results/ --min-patients 5
      four maps of lesion size topography, a table of patients, provenance
  lesion-dash overlap group_a/ group_b/ --atlas BN_Atlas_246_2mm.nii.gz -o overlap/
      where both groups have lesions in at least 5 patients, and in which regions
  lesion-dash serve --data-root /data/studies
      the dashboard on your own folders

Volumes are in mm³ in files. Errors are one sentence, exit code 2.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no "³" gets a "?" rather than an error.
            stream.reconfigure(errors="replace")
    options = _make_parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except LesionDashError as error:
        return complain(str(error), getattr(error, "details", ()))
    except KeyboardInterrupt:
        return complain("stopped by the user; nothing was changed", code=130)
    except BrokenPipeError:
        # The reader of our output has gone; whatever was to be written to files was written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return complain("not enough memory for these images; nothing was changed")
    except Exception as error:
        if os.environ.get("LESION_DASH_DEBUG"):
            raise
        kind = type(error).__name__
        return complain(f"internal error ({kind}: {error}); LESION_DASH_DEBUG=1 shows where")


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lesion-dash",
        description="Lesion masks in a common brain space: how big are the lesions that touch each "
        "voxel, where do two groups overlap, and what are those places called?",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version("lesion-dash"))
    parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_stats(parsers)
    _add_overlap(parsers)
    _add_check(parsers)
    _add_demo(parsers)
    _add_serve(parsers)
    return parser


def _add_command(parsers: Any, name: str, run: Callable[..., int], text: str) -> Any:
    parser = parsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="OUT", required=True, help="results folder, made if missing"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in OUT")


def _add_cohort_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-k",
        "--min-patients",
        metavar="K",
        type=_whole_number,
        default=5,
        help="voxels lesioned in at least K patients count (default 5)",
    )
    _add_mask_choices(parser)
    parser.add_argument(
        "--pattern", default="*", help="only masks whose name matches, such as '*lesion*'"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        default=os.environ.get(SCHEDULER_VARIABLE) or None,
        help="read on the Dask cluster at ADDRESS, such as tcp://127.0.0.1:8786 (default: "
        f"{SCHEDULER_VARIABLE} where that is set, otherwise this computer)",
    )


def _add_stats(parsers: Any) -> None:
    text = "mean, SD and median of total lesion volume at each voxel of a folder of masks"
    parser = _add_command(parsers, "stats", commands.run_stats, text)
    parser.add_argument(
        "masks", metavar="MASKS", help="folder or URL of binary masks, one a patient"
    )
    _add_results(parser)
    _add_cohort_choices(parser)
    parser.add_argument(
        "--std",
        choices=("population", "sample"),
        default="population",
        help="SD divided by n (population, the default) or by n - 1",
    )
    parser.add_argument(
        "--outside",
        choices=("zero", "nan"),
        default="zero",
        help="what maps hold where fewer than K patients are lesioned (default zero)",
    )
    parser.add_argument("--participants", metavar="TABLE", help="participants .tsv or .csv")


def _add_overlap(parsers: Any) -> None:
    text = "overlap of two binary maps, counted in the regions of an atlas"
    parser = _add_command(parsers, "overlap", commands.run_overlap, text)
    parser.add_argument("a", metavar="A", help="a mask, or a folder of masks, or the URL of one")
    parser.add_argument("b", metavar="B", help="a mask, or a folder of masks, or the URL of one")
    parser.add_argument("--atlas", metavar="IMAGE", required=True, help="labelled NIfTI image")
    parser.add_argument(
        "--labels", metavar="TABLE", help="names of its regions (default: the table beside IMAGE)"
    )
    _add_results(parser)
    _add_cohort_choices(parser)


def _add_check(parsers: Any) -> None:
    text = "what would become of each file of a folder, of a mask, an atlas or a table"
    parser = _add_command(parsers, "check", commands.run_check, text)
    parser.add_argument("path", metavar="PATH", help="folder, image or table, or the URL of one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--like", metavar="MASKS", help="a mask or folder on whose grid PATH is to be used"
    )
    _add_mask_choices(parser)
    parser.epilog = "Exit code: 0 all is well, 1 there are warnings, 2 nothing is usable."


def _add_mask_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        metavar="P",
        type=float,
        help="make masks of probability maps: voxels of at least P, between 0 and 1",
    )
    parser.add_argument(
        "--label", metavar="N", type=int, help="make masks of label maps: voxels of value N"
    )


def _add_demo(parsers: Any) -> None:
    parser = _add_command(parsers, "demo", commands.run_demo, "the dashboard on the sample data")
    parser.add_argument("--port", type=int, default=8866, help="port on this computer (8866)")


def _add_serve(parsers: Any) -> None:
    parser = _add_command(parsers, "serve", commands.run_serve, "the dashboard on your own data")
    parser.add_argument(
        "--data-root", metavar="DIR", required=True, help="nothing outside it is read"
    )
    parser.add_argument("--results", metavar="DIR", help="where results may be written")
    parser.add_argument("--port", type=int, default=8866, help="port on this computer (8866)")


def _whole_number(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small: it must be at least 1")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
