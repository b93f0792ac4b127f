"""Names from files that look like HTML are shown as text, everywhere, in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_steps import LONG, choose_option, settle
from visitor import HOSTILE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def hostile_root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, patients, participants' values and regions, all named to run a script."""
    root = tmp_path_factory.mktemp("hostile")
    folder = root / f"cohort {HOSTILE}"
    folder.mkdir()
    for number, source in enumerate(sorted((sample_data / "cohort_a").glob("*.nii.gz"))):
        shutil.copy(source, folder / f"{number}{HOSTILE}.nii.gz")
    (folder / f"bad{HOSTILE}.nii.gz").write_bytes(b"broken")
    (folder / "participants.tsv").write_text(
        f"participant_id\tgroup{HOSTILE}\n0{HOSTILE}\t{HOSTILE}\n"
    )
    units = json.dumps({f"group{HOSTILE}": {"Units": HOSTILE}})
    (folder / "participants.json").write_text(units)
    (root / "atlas").mkdir()
    shutil.copy(sample_data / "atlas" / "synthetic_atlas.nii.gz", root / "atlas")
    table = (sample_data / "atlas" / "synthetic_atlas.csv").read_text()
    (root / "atlas" / "synthetic_atlas.csv").write_text(table.replace("Synthetic", HOSTILE))
    other = root / "atlas" / f"territories {HOSTILE}.nii.gz"
    shutil.copy(sample_data / "atlas" / "synthetic_atlas.nii.gz", other)
    other.with_name(f"territories {HOSTILE}.csv").write_text(table.replace("Synthetic", HOSTILE))
    return root


def test_nothing_runs_and_everything_is_shown(
    serve: Callable[[Path], str], hostile_root: Path, open_page: Callable[..., Any]
) -> None:
    page = open_page(serve(hostile_root))
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    rows = ".ld-regions tbody:last-child tr"
    page.wait_for_selector(f"{rows}:nth-child(5)", timeout=LONG)
    first = page.locator(rows).nth(1)
    assert HOSTILE in first.inner_text()
    first.click()
    page.wait_for_function(
        "([text]) => document.querySelector('.ld-readout').innerText.includes(text)",
        arg=[HOSTILE],
    )
    choose_option(page.get_by_label("Further atlases", exact=True), f"territories {HOSTILE}")
    line = page.locator(".ld-name-here").nth(1)
    line.wait_for(timeout=LONG)
    assert line.inner_text().startswith(f"territories {HOSTILE}: {HOSTILE}")
    settle(page)
    assert f"territories {HOSTILE}" in page.locator(".ld-further-atlas").inner_text()
    choose_option(page.get_by_label("Regions: Atlas"), f"territories {HOSTILE}")
    settle(page)
    assert HOSTILE in page.locator(rows).nth(1).inner_text()
    page.get_by_role("tab", name="Patients").click()
    page.get_by_alt_text("Histogram of lesion volumes in mL").wait_for(timeout=LONG)
    assert HOSTILE in page.locator(".ld-patients tbody:last-child").inner_text()
    assert f"({HOSTILE})" in page.locator(".ld-patients thead").inner_text()
    assert HOSTILE in page.locator(".ld-report-card tbody:last-child").inner_text()
    settle(page)
    assert page.locator("img[src=x]").count() == 0
