"""The pages without a kernel: widgets follow the choices, and nothing takes the page down."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
from visitor import HOSTILE, Opened, choose, click_row, enter, new_context, text, titles

from lesion_dash.analyses.validation import FileReport, report_of
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.controls import Banner, bind
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.brain import BrainPanel, readout_html
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.patients import PatientsPage, shown_report
from lesion_dash.dashboard.pages.regions import RegionsPanel
from lesion_dash.dashboard.region_patients import peak_mm
from lesion_dash.dashboard.session import Readout
from lesion_dash.dashboard.state import Choices
from lesion_dash.stats.topography import FILE_NAMES

NAN = float("nan")


def test_every_page_is_built_on_its_first_visit(app: App) -> None:
    assert app.context.choices.cohort_a == "cohort_a"
    assert not app.context.loading.running
    for index in range(len(app.pages.children)):
        app.navigation.selected_index = index
        assert app.pages.children[index].children, index
    assert app.context.banner.message == ""
    app.context.show_brain()
    assert app.navigation.selected_index == 0


def test_nilearn_draws_where_there_is_no_webgl(opened: Opened, context: AppContext) -> None:
    panel = opened(BrainPanel)
    panel.viewer.set_state({"webgl": "yes"})
    context.wait()
    assert panel.viewer.page == ""
    panel.viewer.set_state({"webgl": "no", "painted": True})
    context.wait()
    assert "<html" in panel.viewer.page
    assert context.loading.painted


def test_row_moves_the_crosshair(opened: Opened, context: AppContext) -> None:
    brain, panel = BrainPanel(context), opened(RegionsPanel)
    click_row(panel.table, 0)
    counts = context.session.regions(context.choices.selection)
    first = next(row for row in counts.rows if row.label == context.choices.region)
    assert first.region == panel.table.frame["region"][0]
    assert context.choices.mm == peak_mm(counts, first, [context.session.load("cohort_a")])
    assert tuple(brain.viewer.mm) == context.choices.mm
    assert first.region in brain.readout.value
    choose(context, folder_a="cohort_b", min_patients=13)
    counts = context.session.regions(context.choices.selection)
    assert counts.rows[-1].voxels == 0  # the row of what lies outside is always shown
    before = context.choices.mm
    click_row(panel.table, len(panel.table.frame) - 1)
    assert context.choices.mm == before
    assert context.banner.message == ""


def test_the_table_says_what_it_counts_and_why_it_is_empty(
    opened: Opened, context: AppContext
) -> None:
    regions, choices = opened(RegionsPanel), ChoicesPanel(context)
    assert "A alone: voxels lesioned in ≥ 5 patients of A" in text(regions.caption)
    choose(context, folder_b="cohort_b")
    assert "Overlap: voxels lesioned in ≥ 5 patients of A and of B" in text(regions.caption)
    maxima = [context.session.load(name).counts.max() for name in ("cohort_a", "cohort_b")]
    bound = f"Maximum overlap: {maxima[0]} of 40 patients of A, {maxima[1]} of 40 patients of B"
    assert choices.bound.value == bound
    k = int(maxima[0])
    choose(context, min_patients=k)
    shown = text(regions.caption)
    assert f"No voxel is lesioned in ≥ {k} patients of A and of B: lower the minimum" in shown
    assert "Dice" not in shown


def test_overlap_is_offered_with_a_second_folder(opened: Opened, context: AppContext) -> None:
    panel = opened(ChoicesPanel)
    assert "overlap" not in dict(panel.map_key.options).values()
    choose(context, folder_b="cohort_a")
    assert "A and B are the same folder" in panel.overlap_hint.value
    choose(context, folder_b="cohort_b")
    assert panel.overlap_hint.value == ""
    panel.map_key.value = "overlap"
    assert context.choices.map_key == "overlap"
    assert "overlap_map.nii" in dict(panel.file.options).values()
    panel.folder_b.value = ""
    assert context.choices.map_key == panel.map_key.value == "n"
    assert "overlap_map.nii" not in dict(panel.file.options).values()


def test_the_map_that_is_shown_is_the_first_to_be_saved(
    opened: Opened, context: AppContext
) -> None:
    panel = opened(ChoicesPanel)
    files = FILE_NAMES | {"overlap": "overlap_map.nii"}
    everything = set(panel.file.options)
    for key in ("std", "median", "n", "mean"):
        panel.map_key.value = key
        assert panel.file.value == panel.file.options[0][1] == files[key]
        assert panel.file_name.value == f"{files[key]}.gz"
        assert set(panel.file.options) == everything
    panel.folder_b.value = "cohort_b"  # which shows the overlap
    context.wait()
    assert context.choices.map_key == "overlap"
    assert panel.file.value == panel.file.options[0][1] == files["overlap"]
    panel.file.value = "region_counts.csv"  # what the user chose stays
    panel.map_key.value = "mean"
    assert panel.file.value == "region_counts.csv"
    assert panel.file.options[0][1] == files["mean"]
    panel.folder_a.value = ""
    assert (panel.file.value, panel.file.disabled) == (None, True)


def test_what_a_map_is_to_be_read_with_stands_below_its_colours(
    opened: Opened, context: AppContext
) -> None:
    panel = opened(BrainPanel)
    maximum = int(context.session.load("cohort_a").counts.max())
    assert maximum == 13
    assert "Maximum overlap: 13 of 40 patients; colour scale 0–16" in panel.remark.value
    assert scale_of(panel) == (16, "patients")
    for key in ("mean", "median"):
        context.choices.map_key = key
        assert "Biased towards large lesions" in panel.remark.value
        assert scale_of(panel)[1] == "mL"
    context.choices.map_key = "std"
    assert "of the population, divided by n" in panel.remark.value
    assert scale_of(panel)[1] == "mL"
    context.choices.folder_a = ""
    assert panel.remark.value == ""
    assert [data.facts["kind"] for data in panel.viewer.layers] == ["scan", "label"]


def scale_of(panel: BrainPanel) -> tuple[float, str]:
    """Value of the last colour, and its unit."""
    facts = panel.viewer.layers[1].facts
    return facts["scale"]["high"], facts["unit"]


def test_unusable_folder_shows_one_banner_and_goes_back(own_root: Path) -> None:
    context = new_context(own_root)
    panel = ChoicesPanel(context)
    choose(context, folder_a="cohort_a")
    broken = next(name for name in context.session.root.cohorts if "broken" in name)
    for name, reason in (
        (broken, "no readable mask"),
        *((name, "is not a folder of the data root") for name in ("..", "/etc", "../../secret")),
    ):
        choose(context, folder_a=name)
        assert reason in context.banner.message
        assert "<img" not in context.banner.message
        assert panel.folder_a.value == context.choices.cohort_a == "cohort_a"
    enter(context, panel.folder_a, "cohort_b")
    assert (context.banner.message, context.choices.cohort_a) == ("", "cohort_b")


def test_unreadable_atlas_goes_back(sample_data: Path, tmp_path: Path) -> None:
    (tmp_path / "atlas").mkdir()
    (tmp_path / "atlas" / "bad.nii").write_bytes(b"no image")
    (tmp_path / "atlas" / "bad.csv").write_text("index,name\n1,one\n")
    context = new_context(tmp_path)
    assert context.choices.atlas == "bad"
    context.open_first()
    context.wait()
    assert "bad.nii" in context.banner.message
    assert context.choices.atlas == ""


def test_reading_can_be_cancelled(sample_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = new_context(sample_data)
    reached, go = threading.Event(), threading.Event()
    original = context.session.load

    def slow(name: str, *watchers: Any) -> Any:
        reached.set()
        assert go.wait(10)
        return original(name, *watchers)

    monkeypatch.setattr(context.session, "load", slow)
    context.choices.folder_a = "cohort_b"
    assert reached.wait(10)
    assert context.loading.running
    context.cancel()
    go.set()
    context.wait()
    assert not context.loading.running
    assert (context.choices.folder_a, context.banner.message) == ("", "")


def test_patients_page(app: App, context: AppContext) -> None:
    page = PatientsPage(context)
    context.wait()
    assert len(page.table.frame) == 40
    assert "Volume (mL)" in titles(page.table)
    assert "<img" in page.histogram.widget.value
    page.side.value = "b"
    assert "Choose folder B" in page.caption.value
    assert "Choose folder B" in page.report_caption.value
    assert page.report.frame.empty
    assert page.histogram.widget.value == ""


def test_a_warning_of_all_files_is_one_row_and_rare_ones_come_first() -> None:
    marks = ("not marked; fine",)
    files = [FileReport(f"{n}.nii", "warn", marks, True) for n in range(200)]
    files.append(FileReport(".", "warn", ("two are alike",), True))
    files[150] = FileReport("150.nii", "warn", ("rare", *marks), True)
    files[20] = FileReport("20.nii", "warn", ("touches", *marks), True)
    files[30] = FileReport("30.nii", "warn", ("touches", *marks), True)
    assert shown_report(files).to_numpy().tolist() == [
        ["all 200 files", "warning", "not marked; fine"],
        ["the whole folder", "note", "two are alike"],
        ["150.nii", "warning", "rare"],
        ["20.nii", "warning", "touches"],
        ["30.nii", "warning", "touches"],
    ]
    shifts = [FileReport(f"{n}.nii", "warn", (f"differs by 0.{n} mm",), True) for n in range(1, 9)]
    assert shown_report(shifts).to_numpy().tolist() == [
        ["all 8 files, such as 1.nii", "warning", "differs by 0.1 mm"]
    ]


def test_the_report_on_files_tells_the_worst_first(own_root: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(own_root / "cohort_a", tmp_path / "c")
    (folder / "sub-z.nii.gz").write_bytes(b"broken")
    (folder / "._sub-z.nii.gz").write_bytes(b"side file")
    report = report_of(load_cohort(folder))
    assert report.sentence == "40 used, 2 skipped, 0 with warnings"
    shown = shown_report(report.files)
    assert shown["File"].tolist() == ["sub-z.nii.gz", "._sub-z.nii.gz"]
    assert shown["Outcome"].tolist() == ["refused", "warning"]
    assert "not a gzip file" in shown["Reason"][0]


def test_readout_reads_as_one_line() -> None:
    def shown(region: str, *values: Any, **options: Any) -> str:
        regions = (region,) if region else ()
        return readout_html(Readout((-30.0, 12.4, 6.0), regions, *values), 5, **options)

    text = shown("A44d_L", 7, 34.24, 12.05, None)
    assert "MNI −30, 12.4, 6</b> · A44d_L · 7 patients · mean 34.2, SD 12.1 mL" in text
    outside = "outside the atlas, 3.0 mm from IFJ_R"
    assert f" · {outside} · " in shown(outside, 7, 2.0, 0.0, None)
    assert "· 7 patients" in shown("", 7, 2.0, 0.0, None).replace("6</b> ", "")
    few = shown(HOSTILE, 1, 2.0, 0.0, 3, 4.5, 0.25)
    assert "A 1 patient, B 3 (fewer than 5 in A and B) · " in few
    assert "· A volume 2.0 mL; B mean 4.5, SD 0.3 mL</div>" in few
    assert "<img" not in few
    assert "· B mean 4.5, SD 0.3 mL</div>" in shown("", 0, NAN, NAN, 2, 4.5, 0.25)
    assert shown("", 0, NAN, NAN, 0).endswith("B 0</div>")
    assert "patient (fewer than 5) · volume 2.0 mL<" in shown("", 1, 2.0, 0.0, None)


def test_banner_escapes_and_names_files_below_the_root() -> None:
    banner = Banner(DataRoot(Path("/data/root")).without_paths)
    banner.show(InputError(f"/data/root/{HOSTILE}.nii", "is broken"))
    assert "<img" not in banner.message
    assert "/data/root" not in banner.message
    banner.guard(lambda: 1 / 0)()
    assert "Unexpected error: division by zero" in banner.message


def test_bind_puts_back_what_is_refused() -> None:
    choices = Choices(most_patients=7)
    slider = widgets.IntSlider(min=1, max=100)
    bind(choices, "min_patients", slider)
    slider.value = 50
    assert (choices.min_patients, slider.value) == (7, 7)
    choices.min_patients = 2
    assert slider.value == 2
