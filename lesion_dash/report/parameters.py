"""What was chosen, defaults included."""

from __future__ import annotations

from ..grid import Grid
from .columns import condition_words
from .findings import Findings, Side
from .markup import Html, section, table
from .names import atlas_files, file_name
from .quantities import count_words

_SPACES = {3: "Talairach", 4: "MNI152"}
"""NIfTI form codes that name a space."""


def parameter_section(findings: Findings) -> Html:
    """The chapter on the parameters."""
    rows = [[name, value] for name, value in _rows(findings)]
    caption = "Every choice, defaults included."
    return section("Parameters", table(caption, ["parameter", "value"], rows, numbers=9))


def _rows(findings: Findings) -> list[tuple[str, str]]:
    asked = findings.request
    least = f"{asked.min_patients}: voxels lesioned in at least so many patients count"
    rows = [("Minimum patients (k)", least + (" (of A, and of B)" if findings.is_pair else ""))]
    for side in findings.sides:
        units = side.cohort.units
        conditions = asked.conditions(side.letter)
        words = " and ".join(condition_words(one, units) for one in conditions)
        rows.append((f"Conditions{_of(findings, side)}", words or "none"))
        rows.append((f"Participants table{_of(findings, side)}", _participants(side)))
    rows += [
        ("Files read", f"names that match {asked.pattern}"),
        ("Masks", _masks(asked.threshold, asked.label)),
        ("Grid", _grid(findings.a.cohort.grid)),
        ("Space", space_words(findings.a.cohort.grid)),
        ("Standard deviation", "of the population (divided by n)"),
        (
            "Outside the voxels that count",
            "maps of A and of B hold 0" if findings.is_pair else "maps hold 0",
        ),
    ]
    if findings.is_pair:
        rows.append(
            ("Outside, in the difference of means", "the map holds NaN, as 0 is no difference")
        )
    return [*rows, ("Atlas", _atlas(findings))]


def space_words(grid: Grid) -> str:
    """The space that the headers of the masks state."""
    named = _SPACES.get(grid.code)
    if named:
        return f"{named}, as the headers of the masks state"
    return "not stated by the headers of the masks; taken to be MNI152"


def _of(findings: Findings, side: Side) -> str:
    return f" of {side.letter.upper()}" if findings.is_pair else ""


def _participants(side: Side) -> str:
    table_of = side.cohort.participants
    return "none" if table_of is None else file_name(str(table_of.path))


def _masks(threshold: float | None, label: int | None) -> str:
    if threshold is not None:
        return f"voxels of probability {threshold:g} or more"
    return f"voxels of label {label}" if label is not None else "binary, as they are"


def _grid(grid: Grid) -> str:
    return f"{grid}; a voxel is {grid.voxel_volume:.6g} mm³"


def _atlas(findings: Findings) -> str:
    if findings.atlas is None:
        return "none"
    kind = "probabilities" if findings.regions and findings.regions.probabilistic else "labels"
    files = ", ".join(atlas_files(findings.atlas))
    size = count_words(len(findings.atlas.regions), "region")
    return f"{findings.atlas.name} ({files}): {kind}, {size}"
