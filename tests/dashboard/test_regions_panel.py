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
from visitor import arrive, choose, click_row, new_context, open_app, styles, titles

from lesion_dash.atlas.grouping import group_regions
from lesion_dash.atlas.levels import By
from lesion_dash.cohort.cohort import Cohort
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.code import Code
from lesion_dash.dashboard.pages.atlas_names import AtlasNames
from lesion_dash.dashboard.pages.regions import RegionsPanel
from lesion_dash.dashboard.state import Selection
from lesion_dash.regions.counts import RegionCounts, count_regions


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


def masks_of(cohort: Cohort) -> list[np.ndarray]:
    """The lesions of all patients, read anew, flat."""
    folder = Path(cohort.folder)
    paths = [folder / patient.file for patient in cohort.used]
    return [np.ravel(nib.load(path).get_fdata() > 0, order="F") for path in paths]


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
    regions_shown, outside_shown = frame[: len(touched)], frame[len(touched) :]
    assert sorted(regions_shown["region"]) == sorted(touched)
    assert outside_shown["region"].iloc[0] == outside.region
    hidden = f"{len(regions) - len(touched)} regions without overlap omitted"
    assert hidden in panel.remark.value
    assert titles(panel.table) == [
        "Region", "Lobe", "Hemisphere", "Patients", "≥ 10 % of it", "Most at a voxel",
        "Mean load %", "Volume (mL)", "% of map", "% of region", "Dice", "Voxels", "Label",
    ]  # fmt: skip
    whole = frame[: len(touched) + 1]
    assert whole["voxels"].sum() == counts.mask.voxels
    assert panel.table.content["pinned"] == len(outside_shown)  # what lies outside is not a region
    assert whole["percent_of_map"].sum() == pytest.approx(100, abs=0.1)


def test_what_lies_outside_is_parted_by_distance(context: AppContext) -> None:
    panel, counts = open_panel(context)
    frame, parents = panel.table.frame, panel.table.content["parents"]
    at = frame["region"].tolist().index("outside the atlas")
    assert parents[:at] == [-1] * at
    assert parents[at:] == [-1, *[at] * (len(frame) - at - 1)]
    outside, bands = frame.iloc[at], frame[at + 1 :]
    assert bands["region"].str.contains("mm from the nearest region").all()
    assert bands["voxels"].sum() == outside["voxels"] == counts.rows[-1].voxels
    assert bands["percent_of_map"].sum() == pytest.approx(outside["percent_of_map"])


def test_regions_with_most_patients_come_first(context: AppContext) -> None:
    panel, _ = open_panel(context)
    frame = panel.table.frame
    regions = frame[: frame["region"].tolist().index("outside the atlas")]
    assert regions["patients"].is_monotonic_decreasing
    image = nib.load(context.session.root.atlases["synthetic_atlas"][0])
    labels = np.ravel(np.asanyarray(image.dataobj), order="F")
    cohort = context.session.load("cohort_a")
    for row in regions.itertuples():
        inside = labels == row.label
        of_region = [np.count_nonzero(mask[inside]) / inside.sum() for mask in masks_of(cohort)]
        assert row.patients == np.count_nonzero(of_region)
        assert row.patients_at_least == sum(share >= 0.1 for share in of_region)
        assert row.mean_percent_lesioned == pytest.approx(100 * sum(of_region) / row.patients)
        assert row.max_patients_at_voxel == np.ravel(cohort.counts, order="F")[inside].max()


@pytest.mark.parametrize("by", ["lobe", "hemisphere"])
def test_regions_stand_under_their_groups(context: AppContext, by: By) -> None:
    panel, counts = open_panel(context)
    before = panel.table.frame
    context.choices.regions_by = by
    context.wait()
    frame, parents = panel.table.frame, panel.table.content["parents"]
    at = frame["region"].tolist().index("outside the atlas")
    groups = [position for position in range(at) if parents[position] == -1]
    merged = count_regions(counts.mask, group_regions(counts.atlas, by)).table
    merged = merged.set_index("region")
    assert len(groups) == (merged["voxels"].drop("outside the atlas") > 0).sum()
    for group in groups:
        parts = frame[[parent == group for parent in parents]]
        assert parts["voxels"].sum() == frame.loc[group, "voxels"]
        assert merged.loc[frame.loc[group, "region"], "voxels"] == frame.loc[group, "voxels"]
        assert frame.loc[group, "patients"] >= parts["patients"].max()
    assert len(frame) == len(before) + len(groups)
    row = groups[-1] + 1
    click_row(panel.table, row)
    assert context.choices.region == frame.loc[row, "label"]
    click_row(panel.table, groups[0])
    assert context.choices.region is None
    assert by in [value for _, value in panel.by.options]
    assert "gyrus" not in [value for _, value in panel.by.options]  # no region has one


def test_a_probabilistic_atlas_shows_what_is_expected(likely: AppContext) -> None:
    panel, counts = open_panel(likely)
    assert likely.banner.message == ""
    assert counts.probabilistic
    frame = panel.table.frame.set_index("region")
    assert titles(panel.table) == [
        "Region", "Patients", "≥ 10 % of it", "Most at a voxel", "Mean load %", "Expected (mL)",
        "Exp. % of map", "Exp. % of region", "Max. prob.", "Voxels", "Label",
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


@pytest.fixture
def swapped(sample_data: Path, tmp_path: Path) -> App:
    """A dashboard on an atlas whose table calls right what is left."""
    root = tmp_path / "root"
    shutil.copytree(sample_data / "cohort_a", root / "cohort_a")
    shutil.copytree(sample_data / "atlas", root / "atlas")
    table = root / "atlas" / "synthetic_atlas.csv"
    swap = {" L,": " R,", " R,": " L,"}
    rows = table.read_text().splitlines()
    table.write_text("\n".join(re.sub(" [LR],", lambda m: swap[m.group()], row) for row in rows))
    return open_app(root)


def test_a_swapped_atlas_is_told_in_red(swapped: App) -> None:
    context = swapped.context
    panel = RegionsPanel(context)
    context.open_first()
    context.wait()
    assert "left and right are swapped" in panel.remark.value
    assert "ld-alarm" in styles(panel.remark)
    assert panel.table.frame["region"].str.contains("side doubtful").any()


def test_doubtful_names_are_marked_until_somebody_decides(swapped: App, tmp_path: Path) -> None:
    context = swapped.context
    panel, names = RegionsPanel(context), AtlasNames(context, 0)
    context.open_first()
    context.wait()

    def offered() -> set[str]:
        return {
            button.description
            for button in names.buttons.values()
            if "ld-hidden" not in styles(button)
        }

    def regions() -> pd.Series:
        return panel.table.frame["region"]

    def decide(words: str) -> None:
        names.buttons[words].click()
        context.wait()

    left, right = "Synthetic insula L", "Synthetic insula R"  # the lesions are on the left
    assert offered() == {"Use anyway", "Mirror the atlas"}
    assert "ld-alarm" in styles(names.text)
    assert f"{right} (side doubtful)" in set(regions())
    decide("accepted")
    assert offered() == {"Undo"}
    assert right in set(regions())
    assert not regions().str.contains("doubtful").any()
    place = context.export(tmp_path / "results")
    assert json.loads((place / "provenance.json").read_text())["parameters"]["accept_swapped"]
    assert "--accept-swapped" in Code(context.session).topography(context.choices.selection)[1]
    link = swapped.url_state.bar.text
    assert "use=accepted" in link
    decide("mirrored")
    assert left in set(regions())
    assert right not in set(regions())
    assert "--mirror-atlas" in Code(context.session).topography(context.choices.selection)[1]
    decide("")
    assert f"{right} (side doubtful)" in set(regions())
    arrive(swapped, link)
    assert context.session.use_of("synthetic_atlas").sides == "accepted"
    assert right in set(regions())


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
