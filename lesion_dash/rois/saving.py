"""Regions of interest as files, and as the Python script that makes them."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass, replace
from os import fspath
from typing import Any

from ..atlas.atlas import atlas_input
from ..cohort.cohort import cohort_input
from ..core.tables import csv_bytes, tsv_bytes
from ..core.text import call, literal
from ..files.earlier import replacing
from ..files.paths import PathInput, as_path
from ..files.writing import FILE_NAME, file_input, provenance_bytes, write_atomically
from ..images.maps import labels_to_nifti, map_input, nifti_bytes
from ..images.masks import mask_input
from .calls import Call, evaluate, lines_of
from .recipe import InsideFile, InsideRegions, RoiRecipe, RoiRun
from .sources import FILE_CHOICES, ImagesSource, MapSource, SeriesSource
from .steps import Within
from .values import Rois, RoiValues


def script_of(recipe: RoiRecipe, folder: str = "rois") -> str:
    """Write a recipe as a script of the library's public functions.

    Parameters
    ----------
    recipe : RoiRecipe
    folder : str
        Where the script saves its results.

    Returns
    -------
    str
        Run in the same working directory it saves the same ``mask_atlas.nii``, bit by bit. Paths
        and names stand in it as text, whatever characters they hold.

    Examples
    --------
    >>> from lesion_dash.rois import CohortsSource, Morph, RoiRecipe, Threshold
    >>> source = CohortsSource("cohort_a", "cohort_b")
    >>> print(script_of(RoiRecipe(source, Threshold(2.0), steps=(Morph("dilate", 1),))))
    # Makes the same regions of interest anew; paths lead from the folder where it is run.
    <BLANKLINE>
    import lesion_dash as ld
    <BLANKLINE>
    # From the files to a map
    a = ld.load_cohort('cohort_a')
    b = ld.load_cohort('cohort_b')
    contrast = ld.rois.contrast_cohorts(a, b, test='fisher', min_patients=1)
    print(contrast.sentence)
    found = contrast.map('minus_log10_p')
    <BLANKLINE>
    # From the map to regions of interest
    mask = ld.rois.Threshold(2.0, 'above').apply(found)
    mask = ld.rois.Morph('dilate', 1, unit='voxels', connectivity=6).apply(mask)
    rois = ld.rois.find_rois(mask, found, side='above', connectivity=26, min_voxels=1, min_mm3=0.0)
    print(rois.table.to_string(index=False))
    ...
    """
    plan, written = recipe.plan, set[Call]()
    head = "# Makes the same regions of interest anew; paths lead from the folder where it is run."
    parts = [[head], ["import lesion_dash as ld"]]
    to_map = lines_of(plan.contrast, written)
    if plan.contrast is not None:
        to_map.append("print(contrast.sentence)")
    parts.append(["# From the files to a map", *to_map, *lines_of(plan.stat_map, written)])
    to_rois = [*lines_of(plan.rois, written), "print(rois.table.to_string(index=False))"]
    parts.append(["# From the map to regions of interest", *to_rois])
    if plan.values is None:
        parts.append(["# Saved", call("rois.save_rois", "rois", literal(folder))])
    else:
        to_values = lines_of(plan.values, written)
        shown = "print(values.summary.to_string(index=False))"
        saved = call("rois.save_rois", "rois", literal(folder), "values")
        parts.append(["# Values in the regions, saved with them", *to_values, shown, saved])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


# Regions of interest as files.


ATLAS_NAME = "mask_atlas.nii"
TABLE_NAME = "mask_atlas.tsv"
VALUES_NAME = "roi_values.csv"
SUMMARY_NAME = "roi_summary.csv"
MAP_NAME = "roi_map.nii"
SCRIPT_NAME = "roi_script.py"


def save_rois(
    rois: Rois,
    folder: PathInput,
    values: RoiValues | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write regions of interest as an atlas with its table of names, and their values.

    Parameters
    ----------
    rois : Rois
    folder : path or URL
        Made where it does not exist.
    values : RoiValues, optional
    overwrite : bool
        Replace earlier results.

    Raises
    ------
    InputError
        Where there is no region, or the folder cannot be written or holds results already.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map, load_atlas
    >>> from lesion_dash.rois import Threshold, find_rois
    >>> stat_map = Map("t", np.eye(3)[None] * 5, Grid((1, 3, 3), np.eye(4)), "", "")
    >>> rois = find_rois(Threshold(3).apply(stat_map), stat_map, connectivity=6)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_rois(rois, folder)
    ...     load_atlas(f"{folder}/mask_atlas.nii").region_at([0, 2, 2])
    'ROI 3'
    """
    names = [ATLAS_NAME, TABLE_NAME, *((VALUES_NAME, SUMMARY_NAME) if values else ()), FILE_NAME]
    with (
        replacing(folder, "roi", names),
        write_atomically(folder, names, overwrite) as writer,
    ):
        for name, content in _roi_files(rois, values).items():
            writer.add(name, content)
        writer.add(FILE_NAME, provenance_bytes("roi", {}, [], _counts(rois), writer.sums))


def names_of_run(source_has_values: bool) -> list[str]:
    """Names of the files of a run, the provenance last."""
    values = (VALUES_NAME, SUMMARY_NAME) if source_has_values else ()
    return [ATLAS_NAME, TABLE_NAME, MAP_NAME, *values, SCRIPT_NAME, FILE_NAME]


def record_of_run(run: RoiRun) -> dict[str, Any]:
    """Parameters, inputs and counts of a run, for its provenance."""
    return {
        "parameters": _parameters(_shareable(run.recipe)),
        "inputs": _inputs_of(run),
        "counts": _counts_of(run),
    }


def run_files(run: RoiRun) -> dict[str, bytes]:
    """The files of a run by their names, the provenance left out.

    Raises
    ------
    InputError
        Where there is no region.
    """
    files = _roi_files(run.rois, run.values)
    files[TABLE_NAME] = tsv_bytes(run.table_of(run.rois))
    files[MAP_NAME] = nifti_bytes(run.stat_map.to_nifti())
    files[SCRIPT_NAME] = script_of(_shareable(run.recipe)).encode("utf-8", "backslashreplace")
    return files


def _parameters(recipe: RoiRecipe) -> dict[str, Any]:
    """Every choice, with paths as text."""
    given, own = asdict(recipe.source), type(recipe.source).__annotations__
    known = (key for key in given if key not in FILE_CHOICES or given[key] is not None)
    chosen = {key: given[key] for key in sorted(known, key=lambda key: key not in own)}
    source = {"kind": type(recipe.source).__name__, **chosen}
    steps = [{"step": type(step).__name__, **asdict(step)} for step in recipe.steps]
    choices = {**asdict(recipe), "source": source, "steps": steps}
    parameters: dict[str, Any] = json.loads(json.dumps(choices, default=fspath))
    return parameters


def _shareable(value: Any) -> Any:
    """A recipe, or a part of one, in which no URL holds a password."""
    if isinstance(value, tuple):
        return tuple(map(_shareable, value))
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        return replace(value, **{name: _shareable(getattr(value, name)) for name in names})
    return str(as_path(value)) if isinstance(value, str) and "://" in value else value


def _roi_files(rois: Rois, values: RoiValues | None) -> dict[str, bytes]:
    image = labels_to_nifti(rois.atlas.labels, rois.grid, "lesion_dash: regions of interest")
    files = {ATLAS_NAME: nifti_bytes(image), TABLE_NAME: tsv_bytes(rois.table)}
    if values is not None:
        files[VALUES_NAME] = csv_bytes(values.table)
        files[SUMMARY_NAME] = csv_bytes(values.summary)
    return files


def _counts(rois: Rois) -> dict[str, Any]:
    return {
        "rois": len(rois),
        "voxels": {part.name: part.voxels for part in rois},
        "notes": list(rois.notes),
    }


def _counts_of(run: RoiRun) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    if run.contrast is not None:
        counts["test"] = run.contrast.sentence
        counts["tested_voxels"] = run.contrast.tested
        counts["test_notes"] = list(run.contrast.notes)
    steps = zip(run.summary, run.masks, strict=True)
    counts["masks"] = [{"step": summary, "voxels": mask.voxels} for summary, mask in steps]
    return counts | _counts(run.rois)


def _inputs_of(run: RoiRun) -> list[dict[str, Any]]:
    data, source = run.data, run.recipe.source
    inputs = [cohort_input(cohort) for cohort in data.cohorts]
    if data.series is not None and data.conditions is not None:
        pairs = zip(data.series.paths, data.series.sha256, strict=True)
        inputs += [{"kind": "image", "file": str(path), "sha256": sha} for path, sha in pairs]
        inputs += [file_input("table", path) for path in data.conditions.sources]
    if data.tested is not None and isinstance(source, (SeriesSource, ImagesSource)):
        inputs.append(mask_input(as_path(source.mask or ""), data.tested, is_lesion=False))
    if isinstance(source, MapSource):
        inputs.append(map_input(as_path(source.image), run.stat_map))
    if run.atlas is not None:
        inputs.append(atlas_input(run.atlas))
    for step, prepared in zip(run.recipe.steps, run.steps, strict=True):
        if isinstance(step, InsideFile) and isinstance(prepared, Within):
            inputs.append(mask_input(as_path(step.path), prepared.mask, is_lesion=False))
        if isinstance(step, InsideRegions) and step.atlas_call != run.recipe.atlas_call:
            inputs.append(atlas_input(evaluate(step.atlas_call, {})))
    return inputs
