"""Tables: what is sent to the browser, and clicks into rows that have been replaced."""

from __future__ import annotations

import asyncio
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
from hypothesis import given
from hypothesis import strategies as st
from visitor import choose, every_widget, new_context, styles

from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.pages.regions import RegionsPanel
from lesion_dash.dashboard.scripts import _CHANGES, table_script
from lesion_dash.dashboard.state import Selection
from lesion_dash.dashboard.steady_table import SteadyTable
from lesion_dash.dashboard.tables import Table, without_gaps
from lesion_dash.regions.counts import RegionCounts


def test_missing_values_are_empty_cells() -> None:
    frame = pd.DataFrame({"age": [64.0, None], "part": [0.25, None], "sex": ["f", None]})
    assert without_gaps(frame).to_numpy().tolist() == [[64, "0.25", "f"], ["", "", ""]]
    frame = pd.DataFrame({"volume": [7.0, 0.032], "age": ["89+", "64.0"]})
    assert without_gaps(frame)["volume"].tolist() == ["7.000", "0.032"]


def test_the_script_of_tables_is_found_and_changed() -> None:
    """A release of itables that is written otherwise is to be looked at."""
    assert all(change in table_script() for change in _CHANGES.values())
    assert "function m(){u||(" not in table_script()


@pytest.fixture
def clicked() -> list[int]:
    return []


@pytest.fixture
def table(clicked: list[int]) -> Table:
    """A table whose rows have been replaced once."""
    table = Table("patients", clicked.append)
    table.show(pd.DataFrame({"patient": ["ann", "bob", "cid"]}))
    table.show(pd.DataFrame({"patient": ["ann", "cid", "dan"]}))
    return table


def select(table: Table, rows: list[int], edition: int | None) -> None:
    """What the browser sends when a row is clicked, or clicked again."""
    shown = next(w for w in every_widget(table.widget) if isinstance(w, SteadyTable))
    shown.set_state({"selected_rows": rows, "clicked_in": edition})


def test_a_click_into_rows_that_were_replaced_is_no_click(table: Table, clicked: list[int]) -> None:
    table.mark(0)
    select(table, [1], edition=0)  # bob, who is gone: cid stands there now
    assert (clicked, table.marked) == ([], 0)
    select(table, [], edition=0)
    assert (clicked, table.marked) == ([], 0)
    select(table, [1], edition=1)
    assert (clicked, table.marked) == ([1], 1)
    table.show(pd.DataFrame({"patient": ["cid"]}))
    assert table.marked is None
    select(table, [0], edition=2)
    assert clicked == [1, 0]
    select(table, [0], edition=None)  # where the script could not be changed
    assert table.marked == 0


VALUES = [st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6), st.text(max_size=40)]
ROWS = st.sampled_from(VALUES).flatmap(
    lambda values: st.lists(
        st.tuples(st.text(max_size=8), st.integers(0, 99), st.none() | values),
        min_size=1,
        max_size=6,
    )
)


@given(ROWS)
def test_rows_are_sent_as_itables_sends_them(rows: list[tuple[str, int, object]]) -> None:
    frame = without_gaps(pd.DataFrame(rows, columns=["region", "voxels", "value"]))
    replaced, whole = (SteadyTable(frame.iloc[:1], selected_rows=[]) for _ in range(2))
    replaced.replace_rows(frame)
    whole.update(frame, selected_rows=[])
    assert replaced.get_state("_dt_args") == whole.get_state("_dt_args")


def test_what_is_chosen_after_a_row_was_taken_back_stays() -> None:
    """A link comes in the moment in which the table waits for a click on another row."""
    left: list[str] = []

    def take_back(table: Table) -> None:
        table.show(pd.DataFrame({"patient": ["ann", "bob"]}))
        select(table, [0], edition=0)
        select(table, [], edition=0)

    async def take_back_and_choose() -> None:
        passed = asyncio.Event()
        table, later, third = (
            Table(name, lambda _row: None, on_none=on_none)
            for name, on_none in (
                ("patients", lambda: left.append("first")),
                ("clock", passed.set),
                ("replaced", lambda: left.append("third")),
            )
        )
        take_back(table)
        take_back(later)
        table.mark(None)  # what the link asks for has no row here
        await passed.wait()
        assert left == []
        take_back(third)
        assert left == []
        third.show(pd.DataFrame({"patient": ["cid"]}))
        assert left == ["third"]  # told before the row is replaced

    asyncio.run(asyncio.wait_for(take_back_and_choose(), 60))


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
    assert frame["Region"].tolist() == [*touched, outside.region]
    hidden = f"{len(regions) - len(touched)} regions without overlap omitted"
    assert hidden in panel.remark.value
    assert list(frame) == [
        "Region", "Label", "Voxels", "Volume (mL)", "% of map", "% of region", "Dice",
    ]  # fmt: skip
    assert frame["Voxels"].sum() == counts.mask.voxels
    assert frame["% of map"].sum() == pytest.approx(100, abs=0.1)


def test_a_probabilistic_atlas_shows_what_is_expected(likely: AppContext) -> None:
    panel, counts = open_panel(likely)
    assert likely.banner.message == ""
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
    panel.table.click(1)
    assert (context.choices.region, context.choices.mm) == (None, place)
    go.set()
    context.wait()
    panel.table.click(0)
    assert context.choices.region is not None
