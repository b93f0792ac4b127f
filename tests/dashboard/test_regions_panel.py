"""The table of regions: which rows it has, and what a click into it leads to."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from threading import Event

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from visitor import choose, click_row, new_context, styles, titles

from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.pages.regions import RegionsPanel
from lesion_dash.dashboard.state import Selection
from lesion_dash.regions.counts import RegionCounts


@pytest.fixture
def likely(sample_data: Path, tmp_path: Path) -> AppContext:
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
    return new_context(tmp_path)


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
    frame = panel.table.frame
    assert frame["region"].tolist() == [*touched, outside.region]
    hidden = f"{len(regions) - len(touched)} regions without overlap omitted"
    assert hidden in panel.remark.value
    assert titles(panel.table) == [
        "Region", "Label", "Voxels", "Volume (mL)", "% of map", "% of region", "Dice",
    ]  # fmt: skip
    assert frame["voxels"].sum() == counts.mask.voxels
    assert panel.table.content["pinned"] == 1  # what lies outside is no region
    assert frame["percent_of_map"].sum() == pytest.approx(100, abs=0.1)


def test_a_probabilistic_atlas_shows_what_is_expected(likely: AppContext) -> None:
    panel, counts = open_panel(likely)
    assert likely.banner.message == ""
    assert counts.probabilistic
    frame = panel.table.frame.set_index("region")
    assert titles(panel.table) == [
        "Region", "Label", "Voxels", "Expected (mL)", "Exp. % of map", "Exp. % of region",
        "Max. prob.",
    ]  # fmt: skip
    assert set(frame.index) == {"ramp", "rest", "outside the atlas"}
    assert "1 region without overlap omitted" in panel.remark.value
    # The two maps and what they leave of 1 are the whole map.
    assert frame["mean_probability"].sum() == pytest.approx(1, abs=0.001)
    assert frame["expected_volume_mm3"].sum() == pytest.approx(counts.mask.volume_mm3, rel=1e-3)
    assert frame.loc["ramp", "voxels"] == counts.mask.voxels
    outside = f"{100 * frame.loc['outside the atlas', 'mean_probability']:.1f} % outside the atlas"
    assert outside in html.unescape(panel.caption.value)


def test_all_files_are_saved_with_a_probabilistic_atlas(likely: AppContext, tmp_path: Path) -> None:
    open_panel(likely)
    folder = likely.export(tmp_path / "results")
    provenance = json.loads((folder / "provenance.json").read_text())
    files = [Path(record["file"]).name for record in provenance["inputs"][-1]["files"]]
    assert files == ["likely.nii.gz", "likely.csv"]
    table = pd.read_csv(folder / "region_counts.csv")
    assert set(table["region"]) == {"ramp", "rest", "corner", "outside the atlas"}
    assert {"expected_voxels", "max_probability"} <= set(table)
    assert set(table["label"].dropna()) == {1, 2, 3}


def test_a_swapped_atlas_is_told_in_red(sample_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(sample_data / "cohort_a", root / "cohort_a")
    shutil.copytree(sample_data / "atlas", root / "atlas")
    table = root / "atlas" / "synthetic_atlas.csv"
    swap = {" L,": " R,", " R,": " L,"}
    rows = table.read_text().splitlines()
    table.write_text("\n".join(re.sub(" [LR],", lambda m: swap[m.group()], row) for row in rows))
    context = new_context(root)
    panel = RegionsPanel(context)
    context.open_first()
    context.wait()
    assert "left and right are swapped" in panel.remark.value
    assert "ld-alarm" in styles(panel.remark)


@pytest.fixture
def slow(context: AppContext, monkeypatch: pytest.MonkeyPatch) -> tuple[Event, Event]:
    """The counting of regions waits from now on: whether it began, and what lets it go on."""
    begun, go, count = Event(), Event(), context.session.regions

    def wait(selection: Selection) -> RegionCounts | None:
        begun.set()
        assert go.wait(30)
        return count(selection)

    monkeypatch.setattr(context.session, "regions", wait)
    return begun, go


def test_regions_of_an_atlas_that_was_left_are_not_shown(
    context: AppContext, slow: tuple[Event, Event]
) -> None:
    begun, go = slow
    panel = RegionsPanel(context)
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
    context: AppContext, slow: tuple[Event, Event]
) -> None:
    _, go = slow
    go.set()
    panel = RegionsPanel(context)
    choose(context, folder_a="cohort_a", atlas="synthetic_atlas")
    go.clear()
    context.session.atlas("synthetic_atlas")
    context.choices.atlas = ""
    context.choices.atlas = "synthetic_atlas"
    place = context.choices.mm
    click_row(panel.table, 1)
    assert (context.choices.region, context.choices.mm) == (None, place)
    go.set()
    context.wait()
    click_row(panel.table, 0)
    assert context.choices.region is not None
