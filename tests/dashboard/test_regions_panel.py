"""The region table: what is shown of either kind of atlas, and what is left out."""

from __future__ import annotations

import html
import json
import re
import shutil
import threading
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.regions import RegionsPanel
from lesion_dash.dashboard.region_patients import peak_mm
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.state import Selection
from lesion_dash.regions.counts import RegionCounts


@pytest.fixture
def likely_desk(sample_data: Path, tmp_path: Path) -> AppContext:
    """A context on folder A and an atlas of three maps: a ramp, its rest, and a far corner."""
    shutil.copytree(sample_data / "cohort_a", tmp_path / "cohort_a")
    first = nib.load(next((tmp_path / "cohort_a").glob("*.nii.gz")))
    ramp = np.broadcast_to(np.linspace(0, 1, first.shape[0])[:, None, None], first.shape)
    corner = np.zeros(first.shape)
    corner[0, 0, 0] = 1
    maps = np.stack([ramp, (1 - ramp) / 2, corner], axis=-1).astype(np.float32)
    (tmp_path / "atlas").mkdir()
    image = nib.Nifti1Image(maps, first.affine)
    image.set_sform(first.affine, 4)
    nib.save(image, tmp_path / "atlas" / "likely.nii.gz")
    (tmp_path / "atlas" / "likely.csv").write_text("index,name\n1,ramp\n2,rest\n3,corner\n")
    return AppContext(Session(DataRoot(tmp_path)))


def open_panel(context: AppContext) -> tuple[RegionsPanel, RegionCounts]:
    panel = RegionsPanel(context)
    context.open_first()
    context.wait()
    counts = context.session.regions(context.choices.selection)
    assert counts is not None
    return panel, counts


def test_regions_without_a_voxel_are_counted_not_shown(context: AppContext) -> None:
    panel, counts = open_panel(context)
    *regions, outside = counts.rows
    touched = [row.region for row in regions if row.voxels]
    assert 0 < len(touched) < len(regions)
    assert panel.table.frame["Region"].tolist() == [*touched, outside.region]
    hidden = f"and {len(regions) - len(touched)} regions without a voxel of the map"
    assert hidden in panel.remark.value
    assert len(counts.table) == len(regions) + 1


def test_a_labelled_atlas_shows_dice_and_no_probability(context: AppContext) -> None:
    panel, counts = open_panel(context)
    frame = panel.table.frame
    assert list(frame) == [
        "Region", "Label", "Voxels", "Volume (mL)", "% of map", "% of region", "Dice",
    ]  # fmt: skip
    assert frame["Voxels"].sum() == counts.mask.voxels
    assert frame["% of map"].sum() == pytest.approx(100, abs=0.1)


def test_a_probabilistic_atlas_shows_what_is_expected(likely_desk: AppContext) -> None:
    panel, counts = open_panel(likely_desk)
    assert likely_desk.banner.message == ""
    assert counts.probabilistic
    frame = panel.table.frame.set_index("Region")
    assert list(frame) == [
        "Label", "Voxels", "Expected (mL)", "Exp. % of map", "Exp. % of region",
        "Max. prob.",
    ]  # fmt: skip
    assert set(frame.index) == {"ramp", "rest", "outside the atlas"}
    assert "and 1 region without a voxel" in panel.remark.value
    # The two maps and what they leave of 1 are the whole map.
    assert frame["Exp. % of map"].sum() == pytest.approx(100, abs=0.1)
    assert frame["Expected (mL)"].sum() == pytest.approx(counts.mask.volume_mm3 / 1000, abs=0.01)
    assert frame.loc["ramp", "Voxels"] == counts.mask.voxels
    outside = f"{frame.loc['outside the atlas', 'Exp. % of map']:.0f} % outside the atlas"
    assert outside in html.unescape(panel.caption.value)


def test_a_row_of_a_probabilistic_atlas_moves_the_crosshair(likely_desk: AppContext) -> None:
    panel, counts = open_panel(likely_desk)
    panel.table.click(0)
    cohort = likely_desk.session.load("cohort_a")
    assert likely_desk.choices.mm == peak_mm(counts, counts.rows[0], [cohort])
    readout = likely_desk.session.readout(likely_desk.choices.selection, likely_desk.choices.mm)
    assert readout.region in {"ramp", "rest"}


def test_the_saved_table_lists_every_region(likely_desk: AppContext, tmp_path: Path) -> None:
    open_panel(likely_desk)
    selection = likely_desk.choices.selection
    file = tmp_path / "saved.csv"
    file.write_bytes(likely_desk.session.file_bytes(selection, "region_counts.csv"))
    table = pd.read_csv(file)
    assert set(table["region"]) == {"ramp", "rest", "corner", "outside the atlas"}
    assert {"expected_voxels", "max_probability"} <= set(table)
    assert set(table["label"].dropna()) == {1, 2, 3}


def test_all_files_are_saved_with_a_probabilistic_atlas(
    likely_desk: AppContext, tmp_path: Path
) -> None:
    open_panel(likely_desk)
    folder = likely_desk.export(tmp_path / "results")
    provenance = json.loads((folder / "provenance.json").read_text())
    files = [Path(one["file"]).name for one in provenance["inputs"][-1]["files"]]
    assert files == ["likely.nii.gz", "likely.csv"]
    assert (folder / "region_counts.csv").exists()


def test_a_swapped_atlas_is_told_in_red(sample_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(sample_data / "cohort_a", root / "cohort_a")
    shutil.copytree(sample_data / "atlas", root / "atlas")
    table = root / "atlas" / "synthetic_atlas.csv"
    swap = {" L,": " R,", " R,": " L,"}
    rows = table.read_text().splitlines()
    table.write_text("\n".join(re.sub(" [LR],", lambda m: swap[m.group()], row) for row in rows))
    context = AppContext(Session(DataRoot(root)))
    panel = RegionsPanel(context)
    context.open_first()
    context.wait()
    assert "left and right are swapped" in panel.remark.value
    assert "ld-alarm" in panel.remark._dom_classes


def test_regions_of_an_atlas_that_was_left_are_not_shown(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = RegionsPanel(context)
    begun, go, count = threading.Event(), threading.Event(), context.session.regions

    def wait(selection: Selection) -> RegionCounts | None:
        begun.set()
        assert go.wait(30)
        return count(selection)

    monkeypatch.setattr(context.session, "regions", wait)
    context.open_first()
    while not context.choices.loaded_atlas:
        context.run_calls()
    assert begun.wait(30)
    context.choices.atlas = ""
    go.set()
    context.wait()
    assert panel.table.frame.empty
    assert "Choose an atlas" in panel.caption.value


def test_a_row_of_the_atlas_before_asks_for_no_region(
    likely_desk: AppContext, sample_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sample_data / "atlas", likely_desk.session.root.path / "zones")
    context = AppContext(Session(DataRoot(likely_desk.session.root.path)))
    panel, _ = open_panel(context)
    go, count = threading.Event(), context.session.regions

    def wait(selection: Selection) -> RegionCounts | None:
        assert go.wait(30)
        return count(selection)

    monkeypatch.setattr(context.session, "regions", wait)
    context.session.atlas("synthetic_atlas")
    context.choices.atlas = "synthetic_atlas"
    place = context.choices.mm
    panel.table.click(1)
    assert (context.choices.loaded_atlas, context.choices.region) == ("synthetic_atlas", None)
    assert context.choices.mm == place
    go.set()
    context.wait()
    panel.table.click(0)
    assert context.choices.region is not None
