"""The report made on the dashboard is the one of the command line, byte by byte."""

from __future__ import annotations

import io
import threading
import zipfile
from datetime import date
from pathlib import Path

import pytest
from reports import no_pictures
from visitor import choose, press

from lesion_dash import cli
from lesion_dash.analyses.report import make_report
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import Cancelled
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.archive import zip_of
from lesion_dash.dashboard.pages.report import ReportPanel
from lesion_dash.dashboard.reporting import ReportChoice, Reporting
from lesion_dash.report.findings import ReportRequest
from lesion_dash.report.page import PAGE_NAME

ATLAS = "atlas/synthetic_atlas.nii.gz"
DAY = date(2026, 1, 31)


@pytest.fixture(autouse=True, scope="module")
def _without_pictures():
    with no_pictures():
        yield


def make(reporting: Reporting, choice: ReportChoice) -> dict[str, bytes]:
    return reporting.make(choice, DAY, lambda _done, _total: None, threading.Event()).files


def test_report_of_a_part_is_the_commands(
    context: AppContext, sample_data: Path, tmp_path: Path
) -> None:
    panel = ReportPanel(context)
    assert panel.make.disabled
    assert panel.page.disabled
    assert "Choose folder A" in panel.state.value
    choose(context, folder_a="cohort_a", where_a=("age>=60",), min_patients=4)
    context.choices.where_a, context.choices.min_patients = ("age>=60",), 4
    panel.title.value = "Over sixty"
    press(context, panel.make)
    report = panel.report
    assert not panel.page.disabled
    options = ["--where", "age>=60", "-k", "4", "--title", "Over sixty"]
    atlas = ["--atlas", str(sample_data / ATLAS)]
    out, folder = tmp_path / "out", str(sample_data / "cohort_a")
    assert cli.main(["report", folder, *options, *atlas, "-o", str(out)]) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == report.files
    assert report.html.startswith("<!DOCTYPE html>")
    context.choices.min_patients += 1  # another choice takes it away
    assert panel.report is None
    assert panel.page.disabled
    assert not panel.make.disabled


def test_report_of_a_split_is_the_librarys(context: AppContext, sample_data: Path) -> None:
    session = context.session
    session.load("cohort_a")
    names = [session.part("cohort_a", (f"sex={sex}",)) for sex in "FM"]
    atlas_name = session.root.first_named_atlas()
    session.atlas(atlas_name)
    files = make(Reporting(session), ReportChoice(*names, 5, (atlas_name,)))
    whole = load_cohort(sample_data / "cohort_a")
    request = ReportRequest(5, where_a=["sex=F"], where_b=["sex=M"])
    expected = make_report(whole, whole, load_atlas(sample_data / ATLAS), request, DAY)
    assert files == expected.files


def test_a_stop_ends_it(context: AppContext) -> None:
    context.session.load("cohort_a")
    stop = threading.Event()
    stop.set()
    choice = ReportChoice("cohort_a", "", 5, ())
    with pytest.raises(Cancelled, match="stopped"):
        Reporting(context.session).make(choice, DAY, lambda _done, _total: None, stop)
    assert Reporting(context.session).known(choice, DAY) is None


def test_a_run_that_was_overtaken_hides_not_the_newer_one(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = ReportPanel(context)
    choose(context, folder_a="cohort_a")
    begun, let_go, running = threading.Event(), threading.Event(), []

    def make(choice, day, tell, stop):  # type: ignore[no-untyped-def]
        begun.set()
        assert let_go.wait(60)
        if stop.is_set():
            raise Cancelled
        running.append((choice.title, panel.make.disabled))

    monkeypatch.setattr(panel.reporting, "make", make)
    panel.make.click()
    assert begun.wait(60)
    panel.title.value = "second"
    panel.make.click()
    let_go.set()
    context.wait()
    assert running == [("second", True)]


def test_archive_holds_the_files() -> None:
    files = {PAGE_NAME: b"<p>", "map.nii.gz": b"zip"}
    with zipfile.ZipFile(io.BytesIO(zip_of(files))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
