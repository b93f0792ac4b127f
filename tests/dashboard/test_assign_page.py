"""The page Assign without a kernel: it shows and saves what the library computes."""

from __future__ import annotations

import html
import shutil
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from lesion_dash import (
    Grid,
    assign_regions,
    load_atlas,
    load_cohort,
    overlap,
    read_map,
    volume_stats,
)
from lesion_dash.atlas import OUTSIDE
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.assigning import CHOSEN, CONTOUR, OTHERS
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.desk import Desk
from lesion_dash.dashboard.image_files import ImageFiles
from lesion_dash.dashboard.pages.assign import AssignPage, ranked
from lesion_dash.dashboard.picture import contour
from lesion_dash.dashboard.session import Session
from lesion_dash.errors import InputError
from lesion_dash.tables import csv_bytes

HOSTILE = "<img src=x onerror=alert(1)>"
AFFINE = np.array([[4.0, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
SHAPE = (24, 28, 24)


@pytest.fixture(scope="module")
def root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample data, an atlas of probabilities, a map of both signs, and unusable files."""
    root = tmp_path_factory.mktemp("assign")
    for name in ("cohort_a", "cohort_b", "atlas"):
        shutil.copytree(sample_data / name, root / name)
    generator = np.random.default_rng(8)
    save(generator.normal(size=SHAPE).astype(np.float32), root / "maps" / "both.nii.gz")
    save(generator.normal(size=(*SHAPE, 2)).astype(np.float32), root / "maps" / "series.nii.gz")
    save(np.zeros(SHAPE, np.float32), root / "maps" / "zero.nii.gz")
    save(np.ones(SHAPE, np.uint8), root / "maps" / "sub-1" / "anat" / f"one {HOSTILE}.nii.gz")
    chances = np.zeros((*SHAPE, 3), np.float32)
    chances[:14, ..., 0], chances[10:, ..., 1] = 0.5, np.linspace(0, 1, 28)[:, None]
    chances[0, 0, 0, 2] = 1
    save(chances, root / "likely" / "likely.nii.gz")
    names = f"index,name\n1,left\n2,{HOSTILE}\n3,corner\n"
    (root / "likely" / "likely.csv").write_text(names)
    return root


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, AFFINE)
    image.set_sform(AFFINE, 4)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


@pytest.fixture
def desk(root: Path) -> Desk:
    return Desk(Session(DataRoot(root)))


@pytest.fixture
def page(desk: Desk) -> AssignPage:
    """The page on folder A and the synthetic atlas."""
    desk.choices.folder_a = "cohort_a"
    desk.wait()
    desk.choices.atlas = "synthetic_atlas"
    page = AssignPage(desk)
    desk.wait()
    assert desk.banner.message == ""
    return page


def choose(page: AssignPage, **choices: object) -> None:
    for name, value in choices.items():
        getattr(page.ask, name).value = value
        page._desk.wait()


def saved(page: AssignPage, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    monkeypatch.setattr(page._desk.saver, "save", files.__setitem__)
    page.download.click()
    return files


def text(widget: object) -> str:
    return html.unescape(widget.value)


def test_the_first_page_leads_to_an_answer(app: App) -> None:
    app.tabs.selected_index = 1
    app.desk.wait()
    assert app.tabs.titles[1] == "Assign"
    assert app.desk.banner.message == ""


@pytest.mark.parametrize("source", ["n", "mean", "overlap"])
def test_file_is_the_librarys(
    page: AssignPage, root: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    page._desk.choices.folder_b = "cohort_b"
    page._desk.wait()
    choose(page, source=source)
    choose(page, threshold={"n": 7, "mean": 60.0, "overlap": 0}[source], min_size_mm3=100)
    a, b = (load_cohort(root / name) for name in ("cohort_a", "cohort_b"))
    stats = volume_stats(a, 5)
    both = overlap(a.at_least(5), b.at_least(5)).both
    expected = {"n": (stats.n, 7), "mean": (stats.mean, 60_000), "overlap": (both, 0)}[source]
    atlas = load_atlas(root / "atlas" / "synthetic_atlas.nii.gz")
    found = assign_regions(expected[0], atlas, threshold=expected[1], min_size_mm3=100)
    assert len(found.table)
    assert saved(page, monkeypatch) == {"assignment.csv": csv_bytes(found.table)}
    assert page.best.frame is not None
    assert sorted(page.best.frame["No."]) == found.best["component"].tolist()
    assert f"{len(found.components)} component" in page.caption.value


@pytest.mark.parametrize("signs", ["positive", "negative", "both"])
@pytest.mark.parametrize("connectivity", [6, 26])
def test_any_file_below_the_root_is_assigned(
    page: AssignPage, root: Path, monkeypatch: pytest.MonkeyPatch, signs: str, connectivity: int
) -> None:
    choose(page, atlas="likely", source="maps", file="both.nii.gz", signs=signs)
    choose(page, threshold=2.5, connectivity=connectivity, lower_threshold=0.3)
    likely, image = load_atlas(root / "likely" / "likely.nii.gz"), root / "maps" / "both.nii.gz"
    found = assign_regions(
        read_map(image),
        likely,
        threshold=2.5,
        signs=signs,
        connectivity=connectivity,
        lower_threshold=0.3,
    )
    assert len(found.table)
    assert saved(page, monkeypatch) == {"assignment.csv": csv_bytes(found.table)}
    assert page.table.frame is not None
    assert ("Sign" in page.table.frame) == (signs != "positive")
    assert {"Mean prob.", "Max. prob."} <= set(page.table.frame)


def test_controls_fit_the_map_and_the_atlas(page: AssignPage) -> None:
    ask = page.ask
    assert (ask.threshold.max, ask.threshold.step, ask.threshold_name.value) == (
        15,
        1,
        "Values above (patients)",
    )
    assert (ask.lower_threshold.disabled, ask.signs.disabled) == (True, True)
    choose(page, source="mean")
    assert ask.threshold_name.value == "Values above (mL)"
    choose(page, atlas="likely", source="maps", file="both.nii.gz")
    assert (ask.lower_threshold.disabled, ask.signs.disabled) == (False, False)
    choose(page, source="overlap")
    page._desk.choices.folder_b = "cohort_b"
    page._desk.wait()
    assert ask.threshold.disabled


@pytest.mark.parametrize(
    ("signs", "threshold", "words", "name"),
    [
        ("negative", 2.5, "below −2.5", "Values below −"),
        ("both", 2.5, "beyond ±2.5", "Values beyond ±"),
        ("both", 0, "other than 0", "Values beyond ±"),
    ],
)
def test_the_sign_is_said(
    page: AssignPage, signs: str, threshold: float, words: str, name: str
) -> None:
    choose(page, source="maps", file="both.nii.gz", signs=signs, threshold=threshold)
    assert words in page.caption.value
    assert page.ask.threshold_name.value == name


def test_another_map_starts_without_threshold_and_file(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz", threshold=2.0)
    choose(page, source="mean")
    assert (page.choices.threshold, page.choices.file) == (0, "")
    assert page.ask.file.disabled


def test_what_is_missing_is_said(desk: Desk) -> None:
    page = AssignPage(desk)
    assert "Choose folder A" in page.caption.value
    assert page.brain.readout.value == f"<div>{page.caption.value}</div>"
    choose(page, source="maps")
    assert "Choose a file" in page.caption.value
    choose(page, file="both.nii.gz", atlas="")
    assert "Choose an atlas" in page.caption.value
    assert page.download.disabled
    desk.choices.folder_a = "cohort_a"
    desk.wait()
    choose(page, source="overlap")
    assert "Choose folder B" in page.caption.value
    assert page.answer is None
    assert desk.banner.message == ""


def test_nothing_above_the_threshold_is_no_error(page: AssignPage) -> None:
    choose(page, source="maps", file="zero.nii.gz")
    assert "No component is left" in page.caption.value
    assert page.table.frame is not None
    assert page.table.frame.empty
    assert page._desk.banner.message == ""


def test_a_file_that_is_no_map_shows_one_banner(page: AssignPage) -> None:
    choose(page, source="maps", file="series.nii.gz")
    assert "several volumes" in page._desk.banner.message
    assert page.answer is None
    assert "see the message at the top" in page.caption.value
    choose(page, file="both.nii.gz")
    assert page._desk.banner.message == ""
    assert page.answer is not None


def test_rows_are_ranked_and_filtered(page: AssignPage) -> None:
    assert page.answer is not None
    frame = page.table.frame
    assert frame is not None
    assert frame["Region"].iloc[-1] == OUTSIDE
    numbers = pd.to_numeric(frame["Correlation"]).dropna()
    assert numbers.is_monotonic_decreasing
    choose(page, min_correlation=0.1)
    kept = page.answer.found.filter(0.1)
    assert 0 < len(kept) < len(frame)
    assert page.table.frame["Region"].tolist() == kept["region"].tolist()


def test_ranking_keeps_every_row_that_shares_a_voxel(page: AssignPage) -> None:
    assert page.answer is not None
    table = page.answer.table
    columns = ["component", "region"]
    shared = table.loc[table["voxels"] > 0, columns]
    pd.testing.assert_frame_equal(
        ranked(table, -1.0)[columns].sort_values(columns, ignore_index=True),
        shared.sort_values(columns, ignore_index=True),
    )


@pytest.mark.parametrize("atlas", ["synthetic_atlas", "likely"])
def test_a_row_leads_into_component_and_region(page: AssignPage, atlas: str) -> None:
    choose(page, atlas=atlas, threshold=7, lower_threshold=0.2)
    answer = page.answer
    assert answer is not None
    grid = answer.source.found.grid
    for row, region in enumerate(page.table.frame["Region"]):
        page.table.click(row)
        voxel = grid.nearest_voxel(page.brain.viewer.mm)
        assert voxel is not None
        assert answer.source.found.array[voxel] > 7
        likely = answer.atlas.maps[[grid.linear_index(voxel)]].toarray()[0]
        names = [one.name for one, p in zip(answer.atlas.regions, likely, strict=True) if p >= 0.2]
        assert region in (names or [OUTSIDE])
        shown = page.brain.picture.levels[voxel]
        assert shown in (CHOSEN.value, CONTOUR.value)
        assert html.escape(region) in page.brain.legend.value or region == OUTSIDE


def test_the_peak_is_gone_to_where_the_region_holds_it(page: AssignPage) -> None:
    table = page.answer.table
    held = table[table["region"] == table["region_at_peak"]]
    for row in held.itertuples():
        match = page.answer.match_of(row.component, row.label, row.region)
        peak = (row.peak_x_mm, row.peak_y_mm, row.peak_z_mm)
        assert page.answer.place_of(match) == pytest.approx(peak)
    assert len(held)


def test_picture_shows_all_components_and_one_contour(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz", threshold=2.5)
    answer = page.answer
    assert answer is not None
    first, *rest = answer.found.components
    parts = answer.picture(first)
    np.testing.assert_array_equal(parts.levels == CHOSEN.value, first.mask.array)
    others = np.any([part.mask.array for part in rest], axis=0)
    np.testing.assert_array_equal(parts.levels == OTHERS.value, others)
    column = int(np.diff(answer.atlas.maps.indptr).argmax())
    region = np.asarray(answer.atlas.labels == answer.atlas.regions[column].label)
    place = np.argwhere(region)[region.sum() // 2]
    levels = answer.with_contour(parts, column, tuple(parts.grid.to_mm(place))).levels
    np.testing.assert_array_equal(levels == CONTOUR.value, brute_force_contour(region, [place]))
    assert answer.with_contour(parts, -1, (0.0, 0.0, 0.0)) is parts


def brute_force_contour(region: np.ndarray, places: list) -> np.ndarray:
    """Voxels beside one outside the region in a plane through one of the places."""
    padded = np.pad(region, 1)
    found = np.zeros_like(region)
    for voxel in np.argwhere(region):
        for place, axis in product(places, range(3)):
            if voxel[axis] == place[axis]:
                around = [slice(v, v + 1 if a == axis else v + 3) for a, v in enumerate(voxel)]
                around[axis] = slice(voxel[axis] + 1, voxel[axis] + 2)
                found[tuple(voxel)] |= not padded[tuple(around)].all()
    return found


@pytest.mark.parametrize("affine", [np.diag([2.0, 2, 2, 1]), AFFINE[[0, 1, 2, 3]][:, [2, 0, 1, 3]]])
def test_contour_of_any_region_in_any_planes(affine: np.ndarray) -> None:
    region = np.random.default_rng(2).random((8, 9, 7)) < 0.95
    grid = Grid(region.shape, affine)
    voxels = np.flatnonzero(region.ravel(order="F"))
    for low, high in (((3, 4, 5), (3, 4, 5)), ((3, 4, 5), (4, 5, 6)), ((0, 8, 9), (0, 8, 9))):
        found = np.zeros(region.size, bool)
        found[contour(voxels, grid, tuple(grid.to_mm(np.mean([low, high], axis=0))))] = True
        expected = brute_force_contour(region, [low, high])
        np.testing.assert_array_equal(found, expected.ravel(order="F"))
    assert contour(np.empty(0, np.int64), grid, (0.0, 0.0, 0.0)).size == 0


def test_contour_of_fine_voxels_is_as_wide_in_mm() -> None:
    fine, coarse = Grid((20, 20, 20), np.eye(4)), Grid((10, 10, 10), np.diag([2.0, 2, 2, 1]))
    cube = np.zeros((10, 10, 10), bool)
    cube[1:8, 2:9, 1:9] = True
    doubled = cube.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    found = []
    for region, grid, mm in ((cube, coarse, (8.0, 8, 8)), (doubled, fine, (8.5, 8.5, 8.5))):
        flat = np.zeros(region.size, bool)
        flat[contour(np.flatnonzero(region.ravel(order="F")), grid, mm)] = True
        found.append(flat.reshape(region.shape, order="F"))
    np.testing.assert_array_equal(found[1], found[0].repeat(2, 0).repeat(2, 1).repeat(2, 2))


def test_the_contour_follows_the_crosshair(page: AssignPage) -> None:
    page.table.click(0)
    answer, grid = page.answer, page.answer.source.found.grid
    x, y, z = page.brain.viewer.mm
    for mm in ((x, y, z), (x + 4, y, z)):
        page.brain.viewer.move_to(mm)
        expected = answer.with_contour(page.brain._parts, page.brain._column, mm).levels
        np.testing.assert_array_equal(page.brain.picture.levels, expected)
        np.testing.assert_array_equal(
            page.brain.viewer._picture.levels,
            page.brain.viewer._box.crop(page.brain.picture).levels,
        )
    assert grid.nearest_voxel((x, y, z)) != grid.nearest_voxel((x + 4, y, z))


def test_the_picked_region_stays_while_the_threshold_moves(page: AssignPage) -> None:
    page.table.click(1)
    place, column = page.brain._picked
    choose(page, threshold=6)
    assert page.brain._picked == (place, column)
    assert page.brain.viewer.mm == place
    choose(page, source="mean")
    assert page.brain._picked != (place, column)


def test_names_are_shown_as_text(page: AssignPage) -> None:
    choose(page, atlas="likely", source="maps", file=f"sub-1/anat/one {HOSTILE}.nii.gz")
    page.table.click(page.table.frame["Region"].tolist().index(HOSTILE))
    for widget in (page.caption, page.brain.legend, page.brain.readout, page.remark):
        assert "<img" not in widget.value
    assert HOSTILE in text(page.brain.legend)


def test_a_lower_threshold_of_the_probability_is_in_the_legend(page: AssignPage) -> None:
    choose(page, atlas="likely", source="maps", file="both.nii.gz", lower_threshold=0.3)
    assert "(probability ≥ 0.3)" in page.brain.legend.value


def test_the_minimum_patients_of_the_first_page_hold(page: AssignPage) -> None:
    page._desk.choices.min_patients = 9
    page._desk.wait()
    assert "≥ 9 patients" in page.caption.value
    counts = page.answer.source.found.array
    assert counts[counts > 0].min() == 9


def test_without_webgl_nilearn_draws(page: AssignPage) -> None:
    page.brain.canvas.probe.set_state({"webgl": "no"})
    page._desk.wait()
    assert 'sandbox="allow-scripts"' in page.brain.canvas.fallback.value


def test_images_are_listed_by_folder(root: Path) -> None:
    files = ImageFiles(DataRoot(root))
    assert files.folders["maps"] == len(files.names("maps")) == 4
    assert f"sub-1/anat/one {HOSTILE}.nii.gz" in files.names("maps")
    assert files.path("maps", "zero.nii.gz") == root / "maps" / "zero.nii.gz"


@pytest.mark.parametrize("name", ["../secret.nii.gz", "/etc/passwd", "sub-1", ""])
def test_other_files_are_refused(root: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no image of this folder"):
        ImageFiles(DataRoot(root)).path("maps", name)


@pytest.mark.parametrize("folder", ["..", "/etc", "../maps"])
def test_other_folders_are_refused(root: Path, folder: str) -> None:
    with pytest.raises(InputError, match="is no folder of images"):
        ImageFiles(DataRoot(root)).names(folder)


def test_links_out_of_the_root_are_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "linked.nii.gz").symlink_to(root / "maps" / "zero.nii.gz")
    with pytest.raises(InputError, match="lies outside the data root"):
        ImageFiles(DataRoot(tmp_path)).path("maps", "linked.nii.gz")
