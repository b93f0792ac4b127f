"""Lists of patients show columns of the participants table as they are, whatever their names."""

from __future__ import annotations

import json
from pathlib import Path

from phantoms import random_masks, write_masks

from lesion_dash.cohort.loading import load_cohort
from lesion_dash.dashboard.pages.patients import shown_columns
from lesion_dash.dashboard.pages.patients_at_voxel import here_columns
from lesion_dash.dashboard.patients_at_voxel import find_patients_at

NAMES = ("Patient", "Status", "Voxels", "Volume (mL)", "% of lesion")


def test_columns_named_like_ours_hide_none(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "cohort", random_masks(4))
    rows = [
        "\t".join([f"sub-00{number}", *(f"{name} {number}" for name in NAMES)])
        for number in range(4)
    ]
    header = "\t".join(["participant_id", *NAMES])
    (folder / "participants.tsv").write_text("\n".join([header, *rows]) + "\n")
    units = {name: {"Units": "ours"} for name in (*NAMES, "In region (mL)")}
    (folder / "participants.json").write_text(json.dumps(units))
    cohort = load_cohort(folder)
    shown = shown_columns(cohort.used_table, cohort.units)
    assert shown["Patient"].tolist() == [f"sub-00{number}" for number in range(4)]
    assert shown["Voxels"].tolist() == cohort.volumes.tolist()
    for name in NAMES:
        assert shown[f"{name} (table)"].tolist() == [f"{name} {number}" for number in range(4)]
    voxel = cohort.mask(0).grid.mm_of_index(cohort.mask(0).indices[:1])[0]
    here = find_patients_at(cohort, cohort.used_table, tuple(voxel))
    assert "sub-000" in here_columns(here, cohort.units)["Patient"].tolist()
