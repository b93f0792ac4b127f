"""In a real Chromium: a click in the brain lists the patients there, and one's lesion is shown."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from browser_steps import settle
from numpy.typing import NDArray

from lesion_dash.cohort.cohort import Cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.formats import VOLUME

pytestmark = pytest.mark.browser

RING = 12  # px


@pytest.fixture(scope="module")
def cohort(own_root: Path) -> Cohort:
    return load_cohort(own_root / "cohort_a")


@pytest.fixture
def page(address: str, shared_page: Callable[..., Any]) -> Any:
    page = shared_page(address, 1280, 1500, draws=True)
    settle(page)
    return page


def picture(page: Any) -> NDArray[np.float32]:
    """The brain, inside the ring of the focus, once the kernel has nothing more to say of it."""
    settle(page)
    png = page.locator(".ld-viewer-stage canvas").screenshot()
    return matplotlib.image.imread(io.BytesIO(png))[RING:-RING, RING:-RING, :3]


def outlined_pixels(page: Any, bare: NDArray[np.float32]) -> int:
    """How many pixels are clearly lighter or darker than without the outline and its edge."""
    return int((np.abs(picture(page) - bare).max(axis=-1) > 0.25).sum())


def wait_for(page: Any, is_so: Callable[[], bool]) -> None:
    settle(page)
    assert is_so()


def place_of(page: Any) -> tuple[float, float, float]:
    text = page.locator(".ld-readout").inner_text().replace("−", "-")
    x, y, z = map(float, re.match(r"MNI (-?[\d.]+), (-?[\d.]+), (-?[\d.]+) · ", text).groups())
    return x, y, z


def listed(page: Any) -> list[str]:
    return page.locator(".ld-here tbody tr:visible td:first-child").all_inner_texts()


def lists_at(cohort: Cohort, mm: tuple[float, float, float]) -> list[list[str]]:
    """The patients, largest lesion first, of each voxel that a place in whole mm may stand for."""
    volumes = {patient.id: -patient.volume_mm3 for patient in cohort.used}
    places = product(*[(v - 0.49, v, v + 0.49) for v in mm])
    lists = [[patient.id for patient in cohort.patients_at(place)] for place in places]
    return [sorted(patients, key=volumes.__getitem__) for patients in lists]


def test_a_click_in_the_brain_lists_who_is_lesioned_there(page: Any, cohort: Cohort) -> None:
    box = page.locator(".ld-viewer-stage canvas").bounding_box()
    for across, down in ((0.14, 0.45), (0.2, 0.35)):
        before = page.locator(".ld-readout").inner_text()
        page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        wait_for(page, lambda old=before: page.locator(".ld-readout").inner_text() != old)
        mm = place_of(page)
        x, y, z = (f"{v:g}".replace("-", "−") for v in mm)
        page.get_by_text(f"of cohort_a are lesioned at MNI {x}, {y}, {z}").wait_for()
        expected = lists_at(cohort, mm)
        wait_for(page, lambda every=expected: listed(page) in [names[:6] for names in every])
        patients = next(names for names in expected if names[:6] == listed(page))
        caption = f"{len(patients)} of 40 patients of cohort_a are lesioned at MNI {x}, {y}, {z}"
        assert page.get_by_text(caption).count() == 1
    check_outlines(page, cohort)


def check_outlines(page: Any, cohort: Cohort) -> None:
    """A patient is outlined by a click and by a key, and the outline is taken away."""
    volumes = {patient.id: patient.volume_mm3 / 1000 for patient in cohort.used}
    rows = page.locator(".ld-here tbody tr:visible")
    line, place = page.locator(".ld-brain .ld-outline-text"), place_of(page)
    bare, patient = picture(page), listed(page)[1]
    rows.nth(1).click()
    line.get_by_text(f"Outline: {patient}, {VOLUME.with_unit(volumes[patient])}").wait_for()
    wait_for(page, lambda: outlined_pixels(page, bare) > 50)
    assert place_of(page) == place  # the crosshair was in the lesion
    patient = listed(page)[3]
    rows.nth(3).focus()
    page.keyboard.press("Enter")
    line.get_by_text(f"Outline: {patient}, ").wait_for()
    wait_for(page, lambda: "selected" in rows.nth(3).get_attribute("class"))
    page.get_by_title("Hide outline").locator("visible=true").click()
    line.wait_for(state="hidden")
    wait_for(page, lambda: outlined_pixels(page, bare) == 0)
    wait_for(page, lambda: page.locator(".ld-here tr.selected").count() == 0)
