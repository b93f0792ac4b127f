"""What `lesion-dash snr` does: signal and contrast to noise of an image."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..core.text import printable
from .console import LONGEST_LIST, say, say_json, warn
from .options import TABLE, output_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..scans.signal_measures import SignalQuality


TEXT = "signal and contrast to noise of an image, by every definition whose regions are given"
_NOISE = ("background", "second", "air")
_WIDEST = 24
_TRY = "give masks that lie where the image, as it was acquired, holds signal and noise"


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "image", metavar="IMAGE", help="as it was acquired, neither registered nor filtered; or 4D"
    )
    parser.add_argument("--signal", metavar="MASK", help="the region of interest, as a binary mask")
    parser.add_argument(
        "--background", metavar="MASK", help="whose SD is the plain recipe's noise; other tissue"
    )
    parser.add_argument(
        "--second", metavar="IMAGE", help="a second acquisition of the image, on its grid"
    )
    parser.add_argument("--air", metavar="MASK", help="air around the head, without ghosts")
    parser.add_argument(
        "--coils",
        metavar="N",
        type=int,
        default=1,
        help="channels combined as the root of the sum of squares (default 1)",
    )
    parser.add_argument(
        "--atlas", metavar="ATLAS", help="every region of it in place of --signal, in IMAGE's space"
    )
    parser.add_argument(
        "--labels", metavar="TABLE", help="names of its regions (default: the table beside it)"
    )
    parser.add_argument(
        "--block-mm",
        metavar="MM",
        type=float,
        default=0.0,
        help="edge of the cubes of neighbours that the bootstrap draws together (default 0: single "
        "voxels, taken as independent)",
    )
    _add_results(parser)


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "-o", "--output", metavar="OUT.csv", help="write the table; provenance beside it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier OUT.csv")
    parser.epilog = (
        "Masks are brought to the image by nearest neighbour; the image is never resampled."
    )


def run_snr(options: argparse.Namespace) -> int:
    """Measure, print, and write the table where it is asked for."""
    if (options.signal is None) == (options.atlas is None):
        problem = "give one of them" if options.signal is None else "both given"
        raise InputError("--signal and --atlas", problem, "a mask, or all regions of an atlas")
    if options.labels is not None and options.atlas is None:
        raise InputError("--labels", "names regions of an atlas, and there is none", "leave it out")
    measure = _measure if options.output is None else _measure_and_write
    found = measure(options)
    if options.json:
        _print_json(found)
    else:
        _print(found)
    return 0


def _measure(options: argparse.Namespace) -> SignalQuality:
    """The numbers; an error where there is none."""
    found = _find(options)
    if any(row["value"] == row["value"] for row in found.rows):
        return found
    reasons = tuple(dict.fromkeys(row["reason"] for row in found.rows if row["reason"]))
    problem = f"nothing could be measured: {reasons[0]}" if reasons else "nothing could be measured"
    raise InputError(found.image, problem, _TRY, reasons[1:])


def _find(options: argparse.Namespace) -> SignalQuality:
    from ..files.paths import as_path
    from ..images.series import count_volumes
    from ..scans.signal import measure_signal, snr_by_region, temporal_snr

    noise = {name: getattr(options, name) for name in _NOISE}
    if options.atlas is not None:
        from ..atlas.loading import load_atlas

        atlas = load_atlas(options.atlas, options.labels)
        return snr_by_region(
            options.image, atlas, **noise, coils=options.coils, block_mm=options.block_mm
        )
    if count_volumes(as_path(options.image)) == 1:
        return measure_signal(
            options.image, options.signal, **noise, coils=options.coils, block_mm=options.block_mm
        )
    if given := [name for name, value in noise.items() if value is not None]:
        problem = "given with a time series, whose noise is its spread over time"
        raise InputError(f"--{given[0]}", problem, "leave it out")
    return temporal_snr(options.image, options.signal, block_mm=options.block_mm)


def _measure_and_write(options: argparse.Namespace) -> SignalQuality:
    from ..core.tables import csv_bytes
    from ..files.paths import as_path
    from ..files.provenance import provenance_bytes
    from ..files.writing import write_atomically

    output, _, _ = output_file(options.output, TABLE)
    beside = f"{output.stem}.provenance.json"
    with write_atomically(output.parent, [output.name, beside], options.overwrite) as writer:
        found = _measure(options)
        writer.add(output.name, csv_bytes(found.table))
        inputs = [
            {"kind": "file", "file": file, "sha256": sha256 or None}
            for file, sha256 in found.sources.items()
        ]
        given = {name: getattr(options, name) for name in ("image", "signal", *_NOISE, "atlas")}
        # As a path, a URL does not show its password.
        masks = {name: file and str(as_path(file)) for name, file in given.items()}
        counts = {"measures": len(found.measures), "notes": list(found.notes)}
        parameters = masks | found.parameters
        writer.add(beside, provenance_bytes("snr", parameters, inputs, counts, writer.sums))
    return found


def _print_json(found: SignalQuality) -> None:
    content = {
        "image": found.image,
        "parameters": found.parameters,
        "measures": found.json_rows,
        "notes": list(found.notes),
        "sources": found.sources,
    }
    say_json(content)


def _print(found: SignalQuality) -> None:
    """A line for each number; of many regions the first ones."""
    for note in found.notes:
        warn(f"note: {note}")
    say(f"{found.image}: measured on the image as it is; masks were brought to it")
    rows = found.rows
    for row in rows[:LONGEST_LIST]:
        say(_line(row))
    if len(rows) > LONGEST_LIST:
        say(f"and {len(rows) - LONGEST_LIST:,} more; -o OUT.csv writes them all")
    for words in dict.fromkeys(row["interval"] for row in rows if row["interval"]):
        say(f"intervals: {words}")


def _line(row: Mapping[str, Any]) -> str:
    region = f"{printable(row['region'])[:_WIDEST]:{_WIDEST}}  " if "region" in row else ""
    if row["value"] != row["value"]:
        return f"{region}{row['measure'] or '-':15}not measured: {row['reason']}"
    spread = f"({row['low']:.4g} to {row['high']:.4g})" if row["low"] == row["low"] else "(-)"
    factor = f", factor {row['factor']:.3f}" if row["factor"] == row["factor"] else ""
    signal = f"{row['signal']}: n {row['signal_voxels']:,}"
    noise = f"{row['noise']}: n {row['noise_voxels']:,}, zeros {row['noise_zeros_percent']:.1f} %"
    place = signal if row["signal"] == row["noise"] else f"{signal}; {noise}"
    if row["against"] not in ("", row["noise"]):
        place = f"{place}; against {row['against']}"
    numbers = f"{row['value']:9.4g} {spread:22}"
    return f"{region}{row['measure']:15}{numbers} = {row['formula']}{factor} [{place}]"
