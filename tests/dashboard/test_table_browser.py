"""A table in Chromium: sorted, searched, paged and chosen from, by mouse and by keyboard.

The widget is shown without a kernel: the page has the state that Python sends, and what the browser
would send back is handed to Python's widget.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from visitor import HOSTILE, send

import lesion_dash.dashboard
from lesion_dash.core.formats import (
    COEFFICIENT,
    COORDINATE,
    COUNT,
    EFFECT,
    PERCENT,
    VALUE,
    VOLUME,
    VOLUME_DIFFERENCE,
    Format,
    P,
)
from lesion_dash.dashboard.widgets.table import Column, Table

pytestmark = pytest.mark.browser

FOLDER = Path(lesion_dash.dashboard.__file__).parent
STYLE = "".join(
    (FOLDER / name).read_text(encoding="utf-8")
    for name in ("static/style.css", "widgets/table.css")
)
SCRIPT = (FOLDER / "widgets" / "table.js").read_text(encoding="utf-8")
PAGE = f"""<!doctype html><html lang="en"><head><title>Tables</title><style>{STYLE}</style></head>
<body><main class="ld-app"><h1>Tables</h1><div class="ld-card"><div class="ld-table"></div></div>
</main></body></html>"""
# A model as anywidget gives it; new states come as they do from Python, all at once.
SHOW = """async ([script, state]) => {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const module = await import(url);
  const listeners = [];
  window.sent = [];
  window.format = module.format;
  window.model = {
    get: (name) => state[name],
    on: (event, listener) => listeners.push([event, listener]),
    send: (message) => window.sent.push(message),
  };
  window.update = (changed) => {
    Object.assign(state, changed);
    for (const [event, listener] of listeners) {
      if (event.replace("change:", "") in changed) listener();
    }
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  };
  const el = document.querySelector(".ld-table");
  el.replaceChildren();
  module.default.render({ model: window.model, el });
}"""

REGION = Column("region", "Region", wraps=True, help="As the atlas names it")
COLUMNS = (
    REGION,
    Column("voxels", "Voxels", COUNT),
    Column("mm3", "Volume (mL)", VOLUME, 0.001),
    Column("score", "Score"),
)
ROWS = 1449
OUTSIDE = "outside the atlas"


def regions(count: int = ROWS) -> pd.DataFrame:
    """Regions in no order; some scores are missing, and some are texts such as 89+."""
    generator = np.random.default_rng(4)
    voxels = generator.permutation(count)
    scores = [None if n % 7 == 0 else "89+" if n % 11 == 0 else str(n) for n in range(count)]
    names = [f"Region_{number}_L" for number in range(count)]
    return pd.DataFrame({"region": names, "voxels": voxels, "mm3": 8.0 * voxels, "score": scores})


class Shown:
    """A table on a page, and the widget of Python that it is the browser's side of."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.chosen: list[int | None] = []
        self.table = Table(
            "Regions", "regions", self.chosen.append, on_none=lambda: self.chosen.append(None)
        )

    @property
    def state(self) -> dict[str, Any]:
        return {name: getattr(self.table, name) for name in ("options", "content", "selected")}

    def open(self) -> None:
        self._sent = self.state
        self.page.set_content(PAGE)
        self.page.evaluate(SHOW, [SCRIPT, self.state])

    def show(self, frame: pd.DataFrame, columns: Any = COLUMNS, **options: Any) -> None:
        self.table.show(frame, columns, **options)
        self.open()

    def update(self) -> None:
        """The page hears of what Python changed."""
        changed = {name: value for name, value in self.state.items() if value != self._sent[name]}
        self._sent = self.state
        self.page.evaluate("(state) => window.update(state)", changed)

    def answer(self) -> None:
        """Python hears of what was chosen, and the page of what followed from it."""
        for message in self.page.evaluate("window.sent.splice(0)"):
            send(self.table, message)
        self.update()

    def column(self, number: int = 0) -> list[str]:
        cells = self.page.locator(f"tbody td:nth-child({number + 1})")
        return [text.strip() for text in cells.all_inner_texts()]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def focused(self) -> str:
        text: str = self.page.evaluate("document.activeElement.innerText.split('\\t')[0].trim()")
        return text

    @property
    def info(self) -> str:
        text: str = self.page.get_by_role("status").inner_text()
        return text


@pytest.fixture(scope="module")
def blank(chrome: Any) -> Iterator[Any]:
    context = chrome.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(f"a script ran: {dialog.message}"))
    yield page
    assert faults == []
    context.close()


@pytest.fixture
def shown(blank: Any) -> Shown:
    blank.set_viewport_size({"width": 1280, "height": 800})
    return Shown(blank)


def heading(shown: Shown, name: str) -> Any:
    return shown.page.get_by_role("columnheader", name=name).get_by_role("button")


def test_rows_are_sorted_and_missing_ones_come_last(shown: Shown) -> None:
    frame = regions()
    shown.show(frame)
    assert shown.column() == frame["region"][:8].tolist()
    heading(shown, "Voxels").click()
    assert shown.column(1) == [f"{ROWS - 1 - n:,}" for n in range(8)]
    head = shown.page.get_by_role("columnheader", name="Voxels")
    assert head.get_attribute("aria-sort") == "descending"
    heading(shown, "Voxels").click()
    assert shown.column(1) == [str(n) for n in range(8)]
    heading(shown, "Voxels").click()  # the third time as Python gave them
    assert shown.column() == frame["region"][:8].tolist()
    heading(shown, "Region").click()
    assert shown.column() == [f"Region_{n}_L" for n in range(8)]  # 2 before 10
    for order in ("ascending", "descending"):
        heading(shown, "Score").click()
        head = shown.page.get_by_role("columnheader", name="Score")
        assert head.get_attribute("aria-sort") == order
        assert "" not in shown.column(3)
        shown.page.get_by_role("button", name="Last page").click()
        assert set(shown.column(3)) == {""}


def test_rows_are_searched_word_by_word_and_paged(shown: Shown) -> None:
    shown.show(regions())
    assert shown.info == "1 to 8 of 1,449"
    search = shown.page.get_by_role("searchbox")
    search.fill("l region_14")
    matches = [name for name in regions()["region"] if "region_14" in name.casefold()]
    assert shown.info == f"1 to 8 of {len(matches)} (of 1,449)"
    assert shown.column() == matches[:8]
    shown.page.get_by_role("button", name="Next page").click()
    assert shown.column() == matches[8:16]
    search.fill("1,448")
    assert set(shown.column(1)) | set(shown.column()) >= {"1,448"}
    assert shown.info == "1 to 2 of 2 (of 1,449)"  # a region's number, and another one's voxels
    search.fill("no such region")
    assert "No row holds" in shown.column()[0]
    assert shown.page.get_by_role("navigation").is_hidden()
    search.fill("")
    shown.page.get_by_label("Rows of Regions").select_option("50 rows")
    assert len(shown.column()) == 50
    shown.page.get_by_label("Rows of Regions").select_option("All rows")
    assert len(shown.column()) == ROWS


def test_what_the_reader_chose_outlives_other_rows(shown: Shown) -> None:
    shown.show(regions())
    heading(shown, "Voxels").click()
    shown.page.get_by_text("Columns", exact=True).click()
    shown.page.get_by_role("checkbox", name="Volume (mL)").uncheck()
    assert shown.page.get_by_role("checkbox", name="Region").is_disabled()
    shown.press("Escape")
    assert shown.focused == "Columns"
    shown.page.get_by_role("button", name="Next page").click()
    assert "Volume (mL)" not in shown.page.locator("thead").inner_text()
    shown.table.show(regions(1000), COLUMNS)
    shown.update()
    assert shown.info == "9 to 16 of 1,000"
    assert shown.column(1) == [str(991 - n) for n in range(8)]
    assert "Volume (mL)" not in shown.page.locator("thead").inner_text()


def test_rows_are_chosen_by_mouse_and_by_keyboard(shown: Shown) -> None:
    shown.show(regions())
    row = shown.page.locator("tbody tr")
    row.nth(2).click()
    assert row.nth(2).get_attribute("aria-selected") == "true"  # before Python has answered
    shown.answer()
    assert (shown.chosen, shown.table.selected) == ([2], 2)
    row.nth(2).click()
    shown.answer()
    assert (shown.chosen, shown.table.selected) == ([2, None], None)
    shown.page.get_by_role("button", name="Score").focus()
    shown.press("Tab")
    assert shown.focused == "Region_2_L"  # where one was last
    shown.press("ArrowDown", "Enter", "End", "ArrowDown", " ")  # over to the next page
    shown.answer()
    assert shown.focused == "Region_8_L"
    assert shown.chosen == [2, None, 3, 8]
    shown.press("ArrowUp")
    assert shown.focused == "Region_7_L"
    shown.press("PageDown")
    assert shown.focused == "Region_8_L"
    shown.press("Home", "ArrowUp", "Home")
    assert shown.focused == "Region_0_L"
    shown.page.get_by_role("button", name="Region").focus()
    shown.press("ArrowRight", "Enter")
    assert shown.column(1)[0] == "1,448"
    assert shown.focused == "Voxels"


def test_each_control_is_reached_by_tab_once(shown: Shown) -> None:
    shown.show(regions())
    reached = []
    shown.page.get_by_role("searchbox").focus()
    for _ in range(9):
        shown.press("Tab")
        reached.append(
            shown.page.evaluate(
                "document.activeElement.closest('thead, tbody, details, nav, select')?.tagName"
            )
        )
    assert reached == ["DETAILS", "THEAD", "TBODY", "SELECT", *["NAV"] * 4, None]


def test_rows_that_are_replaced_while_one_is_clicked(shown: Shown) -> None:
    shown.show(regions())
    shown.page.locator("tbody tr").nth(1).click()
    shown.table.show(regions()[::-1].reset_index(drop=True), COLUMNS)  # before the click arrives
    shown.answer()
    assert (shown.chosen, shown.table.selected) == ([], None)
    assert shown.page.locator("tr.selected").count() == 0
    shown.page.locator("tbody tr").nth(1).click()
    shown.answer()
    assert shown.chosen == [1]
    assert shown.page.locator("tr.selected td").first.inner_text() == "Region_1447_L"
    shown.page.locator("tbody tr").nth(4).focus()
    shown.table.show(regions(20), COLUMNS)
    shown.update()
    assert shown.focused == "Region_0_L"  # the focus stays in the table


def test_what_python_highlights_is_brought_into_sight(shown: Shown) -> None:
    shown.show(regions())
    shown.table.mark(100)
    shown.update()
    assert shown.page.locator("tr.selected td").first.inner_text() == "Region_100_L"
    shown.page.get_by_role("button", name="First page").click()
    shown.table.show(regions(200), COLUMNS, selected=100)
    shown.update()
    assert shown.column()[0] == "Region_0_L"  # new rows turn no page


def test_a_pinned_row_stays_on_every_page_and_is_not_counted(shown: Shown) -> None:
    frame = regions(20)
    frame.loc[20] = [OUTSIDE, 9999, 80000.0, None]
    shown.show(frame, pinned=1)
    pinned = shown.page.locator(".ld-table-pinned")
    heading(shown, "Voxels").click()
    shown.page.get_by_role("searchbox").fill("region_1")
    assert OUTSIDE in pinned.inner_text()
    assert shown.column()[0] == OUTSIDE
    assert OUTSIDE not in shown.column()[1:]
    assert shown.info == "1 to 8 of 11 (of 20)"
    pinned.locator("tr").click()
    shown.answer()
    assert shown.chosen == [20]


def test_parts_unfold_below_what_they_are_parts_of(shown: Shown) -> None:
    names = ["Frontal", "SFG", "MFG", "Parietal", "SPL", "left SPL"]
    frame = regions(6).assign(region=names, voxels=[7, 4, 3, 9, 9, 5])
    shown.show(frame, parents=[None, 0, 0, None, 3, 4])
    assert shown.column() == ["Frontal", "Parietal"]
    heading(shown, "Voxels").click()
    assert shown.column() == ["Parietal", "Frontal"]
    rows = shown.page.locator("tbody tr")
    rows.nth(1).focus()
    shown.press("ArrowRight")
    assert shown.column() == ["Parietal", "Frontal", "SFG", "MFG"]
    assert [row.get_attribute("aria-level") for row in rows.all()] == ["1", "1", "2", "2"]
    assert rows.nth(1).get_attribute("aria-expanded") == "true"
    shown.press("ArrowDown", "Enter")
    shown.answer()
    assert shown.chosen == [1]
    shown.press("ArrowUp", "ArrowLeft")
    assert shown.column() == ["Parietal", "Frontal"]
    rows.nth(0).locator(".ld-table-fold").click()
    assert shown.column() == ["Parietal", "SPL", "Frontal"]
    assert shown.chosen == [1]  # unfolding chooses nothing
    shown.page.get_by_role("searchbox").fill("left")
    assert shown.column() == ["Parietal", "SPL", "left SPL"]
    shown.page.get_by_role("searchbox").fill("frontal")
    assert shown.column() == ["Frontal", "SFG", "MFG"]


def test_names_are_shown_as_they_are(shown: Shown) -> None:
    frame = regions(3).assign(region=[HOSTILE, "a_b__c_", "0"])
    columns = (Column("region", HOSTILE, help=HOSTILE), *COLUMNS[1:])
    shown.show(frame, columns)
    assert shown.column() == frame["region"].tolist()
    assert heading(shown, HOSTILE).get_attribute("title") == HOSTILE
    assert shown.page.locator("img").count() == 0


def test_an_empty_table_says_so(shown: Shown) -> None:
    shown.open()
    assert shown.column() == ["Nothing to show yet"]
    shown.show(regions(0))
    assert shown.column() == ["Nothing to show yet"]
    assert shown.info == ""
    shown.page.get_by_role("searchbox").press("Tab")
    shown.press("ArrowDown", "Enter")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("parents", [None, [None, 0, 0, None, 3]])
def test_axe_finds_nothing(shown: Shown, scheme: str, parents: list[int | None] | None) -> None:
    from axe_playwright_python.sync_playwright import Axe

    shown.page.set_viewport_size({"width": 420, "height": 700})  # the table is wider
    shown.show(regions(5), selected=1, parents=parents)
    shown.page.evaluate("(theme) => { document.documentElement.dataset.ldTheme = theme; }", scheme)
    shown.page.get_by_text("Columns", exact=True).click()
    assert Axe().run(shown.page).response["violations"] == []


FORMATS = (
    *(COUNT, VOLUME, VOLUME_DIFFERENCE, PERCENT, COEFFICIENT, P, COORDINATE, VALUE, EFFECT),
    *(Format(decimals, decimals) for decimals in (1, 2)),
)


def numbers() -> list[float]:
    """Of every size and sign, and those that lie just between two texts."""
    generator = np.random.default_rng(8)
    spread = 10 ** generator.uniform(-12, 17, 400) * generator.choice([-1, 1], 400)
    halves = np.arange(-400, 400) / 8
    edges = [0.0, 0.05, 0.0005, 0.095, 0.995, 9.995, 99.95, 99.949999, 100.0, 999.5, 1e15, 1e-7]
    near = np.nextafter(edges, math.inf).tolist() + np.nextafter(edges, -math.inf).tolist()
    return [*spread.tolist(), *halves.tolist(), *edges, *near]


@pytest.mark.parametrize("how", FORMATS)
def test_browser_and_python_write_the_same(shown: Shown, how: Format) -> None:
    shown.show(regions(1))
    format_each = "([values, how]) => values.map((value) => window.format(value, how))"
    column = Column("value", "Value", how)
    frame = pd.DataFrame({"value": numbers()})
    shown.table.show(frame, (column,))
    (sent,) = shown.table.content["columns"]
    state = json.loads(json.dumps(sent))
    texts = shown.page.evaluate(format_each, [state["cells"], state["format"]])
    assert texts == [how.text(value) for value in numbers()]
    assert shown.page.evaluate(format_each, [[None], state["format"]]) == [""]
