"""The page for every pair of eyes and for the keyboard: axe-core on each tab, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser_steps import LONG, choose_option, open_tab, page_names, settle

pytestmark = pytest.mark.browser

AXE = {"resultTypes": ["violations"]}
# Nothing but colours differs in the dark.
COLOURS = ["color-contrast", "link-in-text-block"]
RULES = {"light": {}, "dark": {"runOnly": {"type": "rule", "values": COLOURS}}}
ATLAS = "synthetic_atlas.nii.gz"
SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
FOCUS = """() => {
  const node = document.activeElement, style = getComputedStyle(node);
  const isRinged = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const isThere = node.matches(".ld-brain .ld-viewer-stage canvas");
  return [isThere, isRinged ? "" : node.outerHTML.slice(0, 200)];
}"""

# The Tab key goes on from where the focus was last, wherever the test before left it.
FROM_THE_TOP = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""


@pytest.fixture
def page(address: str, shared_page: Callable[..., Any]) -> Any:
    page = shared_page(address, script=SHIFTS)
    settle(page)
    return page


def choose(page: Any, card: str, number: int, option: str) -> None:
    choose_option(page.locator(f"{card} select:visible").nth(number), option)


def violations(page: Any) -> list[str]:
    """What axe-core finds serious or critical, in light and in dark."""
    from axe_playwright_python.sync_playwright import Axe

    faults = []
    settle(page)  # what is being worked out is dimmed until it is there, at once without motion
    for scheme in RULES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_selector(f"html[data-ld-theme={scheme}]", state="attached")
        for fault in Axe().run(page, options=AXE | RULES[scheme]).response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                nodes = [node["html"][:160] for node in fault["nodes"]]
                faults.append(f"{scheme}: {fault['id']}: {fault['help']}: {nodes}")
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    return faults


def test_nothing_jumps_while_loading_and_nothing_moves_unasked(page: Any) -> None:
    assert page.evaluate("window.shift") < 0.02  # cumulative layout shift; 0.1 counts as good
    page.emulate_media(reduced_motion="reduce")
    moving = """[...document.querySelectorAll('.ld-app *')].filter((node) => {
        const style = getComputedStyle(node);
        return parseFloat(style.transitionDuration) > 0 || style.animationName !== 'none';
    }).length"""
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")


def test_axe_finds_nothing_serious_on_any_tab(page: Any) -> None:
    choose(page, ".ld-choices", 1, "cohort_b")
    page.locator(".ld-choices label", has_text="Overlap of A and B").wait_for(timeout=LONG)
    filled = {
        "Symptoms": fill_symptoms,
        "ROI": fill_lab,
        "Registration and signal": fill_signal,
        "Inspect": inspect,
    }
    names = page_names(page)
    assert {"Maps", "Regions of a map", *filled} <= set(names)
    for name in names:
        open_tab(page, name)
        if name in filled:
            filled[name](page)
        assert violations(page) == [], name


def fill_symptoms(page: Any) -> None:
    """A score is tested and predicted."""
    page.get_by_label("Score", exact=True).select_option(label="naming")
    settle(page)
    assert violations(page) == []
    page.locator(".ld-symptoms").get_by_role("button", name="Run permutation test").click()
    page.get_by_role("button", name="Predict left-out patients").click()
    page.get_by_alt_text("True against predicted scores").wait_for(timeout=LONG)


def fill_lab(page: Any) -> None:
    """The test is run and one step added."""
    choose(page, ".ld-roi-input", 1, "series")
    settle(page)
    page.get_by_role("button", name="Run the test").click()
    page.get_by_alt_text("separate parts").wait_for(timeout=LONG)
    page.get_by_role("button", name="Add step").click()
    page.get_by_alt_text("3. separate parts").wait_for(timeout=LONG)


def fill_signal(page: Any) -> None:
    """An image, a region, and the table of its signal; then with a template beside it."""
    choose_file(page, "images", 0, "template.nii.gz")
    choose_file(page, "region", 0, "lens_prob")
    page.locator(".ld-signal-table tbody tr").first.wait_for(timeout=LONG)
    assert violations(page) == []
    choose_file(page, "images", 0, "second_acquisition")
    choose_file(page, "images", 1, "template.nii.gz")
    view = page.locator(".ld-template-view")
    view.get_by_text("header alignment").wait_for(timeout=LONG)


def choose_file(page: Any, card: str, place: int, name: str) -> None:
    lists = f".ld-template-{card} .ld-file-field"  # each of two: folder and file
    choose(page, lists, 2 * place, "template")
    choose(page, lists, 2 * place + 1, name)


def inspect(page: Any) -> None:
    choose(page, ".ld-inspect-ask", 0, "atlas")
    choose(page, ".ld-inspect-ask", 1, ATLAS)
    page.get_by_alt_text("Histogram of the values of the image").wait_for(timeout=LONG)


def test_an_error_covers_nothing_and_escape_takes_it_away(page: Any) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    tabs = page.get_by_role("tab").first.bounding_box()
    card = page.locator(".ld-regions").bounding_box()
    choose(page, ".ld-choices", 0, "broken")
    alert = page.get_by_role("alert").filter(has_text="no readable mask")
    alert.wait_for(timeout=LONG)
    assert "among 2 files, such as sub-1_lesion.nii" in alert.inner_text()
    banner = page.locator(".ld-banner").bounding_box()
    moved = page.get_by_role("tab").first.bounding_box()
    assert moved == tabs
    assert banner["y"] >= tabs["y"] + tabs["height"]
    lower = page.locator(".ld-regions").bounding_box()
    # The page is pushed down by it.
    assert lower["y"] - card["y"] == pytest.approx(banner["height"], abs=12)
    assert violations(page) == []
    page.keyboard.press("Escape")
    alert.wait_for(state="hidden", timeout=LONG)
    choose(page, ".ld-choices", 0, "broken")
    alert.wait_for(timeout=LONG)
    page.get_by_role("button", name="Close this message").click()
    alert.wait_for(state="hidden", timeout=LONG)
    choose(page, ".ld-choices", 0, "cohort_b")  # the page lives
    page.get_by_text("A: 40 patients.").wait_for(timeout=LONG)


def test_the_keyboard_leads_to_the_brain_and_to_the_next_tab(page: Any) -> None:
    readout = page.locator(".ld-brain .ld-readout")
    fields = page.locator(".ld-brain .ld-viewer-place input").all()
    x, y, z = (round(float(field.input_value())) for field in fields)
    page.evaluate(FROM_THE_TOP)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to brain"
    for _ in range(60):
        page.keyboard.press("Tab")
        is_there, without_ring = page.evaluate(FOCUS)
        assert without_ring == ""
        if is_there:
            break
    else:
        pytest.fail("the Tab key never reached the brain")
    # Neurological: the patient's right is on the right of the screen.
    for key in ("ArrowRight", "Shift+ArrowUp", "PageDown"):
        page.keyboard.press(key)
    moved = f"MNI {x + 1}, {y - 1}, {z + 10}".replace("-", "−")
    readout.filter(has_text=moved).wait_for(timeout=LONG)
    page.get_by_label("x in mm", exact=True).first.fill("40")
    page.keyboard.press("Enter")
    moved = f"MNI 40, {y - 1}, {z + 10}".replace("-", "−")
    readout.filter(has_text=moved).wait_for(timeout=LONG)
    row = page.locator(".ld-regions tbody:last-child tr").nth(1)
    row.press("Enter")
    readout.filter(has_text=row.locator("td").first.inner_text()).wait_for(timeout=LONG)
    tabs = page.get_by_role("tab")
    tabs.nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    name = tabs.nth(1).inner_text()
    page.get_by_role("tabpanel", name=name, exact=True).wait_for(timeout=LONG)
    code = "([text]) => document.activeElement.innerText === text"
    page.wait_for_function(code, arg=[name])  # the focus outlives the new tabs


def test_light_and_dark_are_chosen_and_remembered(page: Any) -> None:
    colour = "getComputedStyle(document.querySelector('.ld-app')).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(colour) != light
    assert page.evaluate("localStorage.getItem('lesion-dash-theme')") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.ldTheme") == "dark"
    page.wait_for_selector(".ld-app .ld-card", timeout=LONG)
    assert page.evaluate(colour) != light
    page.get_by_role("button", name="Light colours").click()
    # What the system says itself needs no memory, and is followed again.
    assert page.evaluate("localStorage.getItem('lesion-dash-theme')") is None
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html[data-ld-theme=dark]", state="attached")
