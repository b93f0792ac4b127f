"""What `lesion-dash load` does: the lesion load of a folder of masks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .console import say
from .options import (
    load_atlases,
    load_folder,
    names_by_atlas,
    notes_on_atlases,
    prepare_atlas,
    report_skipped,
    say_notes,
)

if TYPE_CHECKING:
    from ..files.writing import AtomicWriter
    from ..regions.load import LesionLoad, Measure


_MOST_REGIONS = 5
_PARAMETERS = ("by", "measure", "pattern", "threshold", "label", "participants", "where")


def run_load(options: argparse.Namespace) -> int:
    """Write the lesion load as tables and heat maps, the patients and the provenance."""
    from ..atlas.atlas import atlas_input
    from ..cohort.cohort import cohort_input
    from ..core.tables import csv_bytes
    from ..files.provenance import FILE_NAME, provenance_bytes
    from ..files.writing import write_atomically
    from ..regions.load import lesion_load

    names = _result_names(options)
    wanted = [*(name for pair in names.values() for name in pair), "patients.csv", FILE_NAME]
    with write_atomically(options.output, wanted, options.overwrite) as writer:
        atlases = load_atlases(options)
        cohort = load_folder(options.masks, options, options.participants)
        loads = [
            lesion_load(cohort, prepare_atlas(atlas, cohort.grid, options)) for atlas in atlases
        ]
        for (place, measure), files in names.items():
            _add_files(writer, loads[place], measure, files)
        writer.add("patients.csv", csv_bytes(cohort.files_table))
        parameters = {key: getattr(options, key) for key in _PARAMETERS}
        parameters["cluster"] = options.scheduler is not None
        inputs = [cohort_input(cohort), *map(atlas_input, atlases)]
        counts = {"patients": cohort.n_patients, "atlas_notes": notes_on_atlases(loads)}
        writer.add(FILE_NAME, provenance_bytes("load", parameters, inputs, counts, writer.sums))
    report_skipped(cohort)
    for load in loads:
        _print_load(load)
    say(f"{len(wanted)} files in {options.output}")
    return 0


def _result_names(options: argparse.Namespace) -> dict[tuple[int, Measure], tuple[str, str]]:
    """Table and heat map of each atlas (by its place) and measure."""
    from ..plotting import charts
    from ..regions.load import FILE_NAMES, MEASURES

    measures = [one for one in MEASURES if options.measure in (one, "all")]
    found = {}
    for measure in measures:
        tables = names_by_atlas(FILE_NAMES[measure], options)
        figures = names_by_atlas(charts.FILE_NAMES[measure], options)
        for place, pair in enumerate(zip(tables, figures, strict=True)):
            found[place, measure] = pair
    return found


def _add_files(
    writer: AtomicWriter, load: LesionLoad, measure: Measure, names: tuple[str, str]
) -> None:
    from ..core.tables import csv_bytes
    from ..plotting.charts import draw_load
    from ..plotting.figures import figure_bytes

    table, figure = names
    writer.add(table, csv_bytes(load.wide(measure)))
    writer.add(figure, figure_bytes(draw_load(load, measure)))


def _print_load(load: LesionLoad) -> None:
    """The regions that are lesioned most often, with their mean load over all patients."""
    say_notes(load.notes, "note on the atlas: ")
    patients, regions = load.voxels.shape
    touched = (load.voxels > 0).sum(axis=0)
    say(f"{load.atlas.name}: {patients} patients x {regions} regions; most often lesioned:")
    order = sorted(range(regions), key=lambda column: -int(touched[column]))
    for column in order[:_MOST_REGIONS]:
        if touched[column]:
            name, share = load.atlas.regions[column].name, load.of_region[:, column].mean()
            many = f"in {touched[column]} of {patients} patients"
            say(f"  {name}: {many}; {100 * share:.1f} % of the region, mean of all patients")
