"""`lesion-dash snr`: signal and contrast to noise of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from ..core import defaults
from ..core.errors import InputError
from ..core.text import printable
from . import fields
from .console import LONGEST_LIST, json_lines
from .fields import option, source
from .inputs import file_inputs
from .request import TABLE, Progress, Request, Result, shown_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..scans.signal_measures import SignalQuality


_NOISE = ("background", "second", "air")
_WIDEST = 24
"""Characters of a region's name in a printed line; arbitrary."""
_TRY = "give masks that lie where the image, as it was acquired, holds signal and noise"


class Snr(Request):
    """Signal and contrast to noise of an image, by every definition whose regions are given.

    Masks are brought to the image by nearest neighbour; the image is never resampled.
    """

    command = "snr"
    endings = TABLE
    example = "scan.nii.gz --signal lens_mask.nii.gz --air air.nii.gz"

    image: str = source(
        "as it was acquired, neither registered nor filtered; or 4D", "IMAGE", positional=True
    )
    signal: str | None = source("the region of interest, as a binary mask", "MASK", default=None)
    background: str | None = source(
        "other tissue; its SD is the noise of snr_plain", "MASK", default=None
    )
    second: str | None = source(
        "a second acquisition of the image, on its grid", "IMAGE", default=None
    )
    air: str | None = source("air around the head, without ghosts", "MASK", default=None)
    coils: int = option(
        "channels combined as the root of the sum of squares",
        "N",
        is_recorded=False,
        default=defaults.COILS,
    )
    atlas: str | None = source(
        "every region of it in place of --signal, in IMAGE's space", "ATLAS", default=None
    )
    labels: fields.Labels
    scale: fields.AtlasScale
    block_mm: float = option(
        "edge of the cubes of neighbours that the bootstrap draws together; 0: single voxels, "
        "taken as independent",
        "MM",
        is_recorded=False,
        default=defaults.BLOCK_MM,
    )
    as_json: fields.AsJson
    output: str | None = option(
        "write the table; provenance is written beside it",
        "OUT.csv",
        "-o",
        is_recorded=False,
        default=None,
    )
    overwrite: fields.Overwrite
    strict: fields.Strict

    @model_validator(mode="after")
    def _check_regions(self) -> Snr:
        if (self.signal is None) == (self.atlas is None):
            problem = "give one of them" if self.signal is None else "both given"
            raise InputError("--signal and --atlas", problem, "a mask, or all regions of an atlas")
        return self

    def run(self, progress: Progress) -> Result:
        from ..core.tables import csv_bytes

        quality = self._measure()
        if not any(row["value"] == row["value"] for row in quality.rows):
            reasons = tuple(dict.fromkeys(row["reason"] for row in quality.rows if row["reason"]))
            problem = ": ".join(["nothing could be measured", *reasons[:1]])
            raise InputError(quality.image, problem, _TRY, reasons[1:])
        written = [self.rows_line(quality.table)] if self.output else []
        return Result(
            files=((name, csv_bytes(quality.table)) for name in self.outputs()),
            inputs=file_inputs(quality.sources),
            counts={"measures": len(quality.measures), "notes": list(quality.notes)},
            parameters={"image": shown_path(self.image)} | self.parameters() | quality.parameters,
            lines=_json(quality) if self.as_json else [*_lines(quality), *written],
            notes=quality.notes,
        )

    def _measure(self) -> SignalQuality:
        from ..files.paths import as_path
        from ..images.series import count_volumes
        from ..scans.signal import measure_signal, snr_by_region, temporal_snr

        noise = {name: getattr(self, name) for name in _NOISE}
        options: dict[str, Any] = {**noise, "coils": self.coils, "block_mm": self.block_mm}
        if self.atlas is not None:
            from ..atlas.loading import load_atlas

            atlas = load_atlas(self.atlas, self.labels, scale=self.scale)
            return snr_by_region(self.image, atlas, **options)
        signal = self.signal or ""
        if count_volumes(as_path(self.image)) == 1:
            return measure_signal(self.image, signal, **options)
        if given := [name for name, path in noise.items() if path is not None]:
            problem = "given with a time series: its noise is the SD over time"
            raise InputError(f"--{given[0]}", problem, "omit it")
        return temporal_snr(self.image, signal, block_mm=self.block_mm)


def _json(quality: SignalQuality) -> list[str]:
    return json_lines(
        {
            "image": quality.image,
            "parameters": quality.parameters,
            "measures": quality.json_rows,
            "notes": list(quality.notes),
            "sources": quality.sources,
        }
    )


def _lines(quality: SignalQuality) -> list[str]:
    """A line for each number; of many regions the first ones."""
    rows = quality.rows
    lines = [f"{quality.image}: measured on the image as it is; masks were brought to it"]
    lines += [_line(row) for row in rows[:LONGEST_LIST]]
    if len(rows) > LONGEST_LIST:
        lines.append(f"and {len(rows) - LONGEST_LIST:,} more; -o OUT.csv writes them all")
    intervals = dict.fromkeys(row["interval"] for row in rows if row["interval"])
    return [*lines, *(f"intervals: {interval}" for interval in intervals)]


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
