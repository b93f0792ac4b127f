"""The page of a report runs nothing, asks for nothing, and shows what files are called."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from phantoms import write_masks
from reports import MASKS_A, write_study

from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.conditions import Condition
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.report.figures import Picture
from lesion_dash.report.findings import ReportRequest
from lesion_dash.report.report import make_report, save_report

HOSTILE = "<img src=x onerror=alert(1)>"
DAY = date(2026, 3, 1)
ELEMENTS = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main", "section"),
    *("footer", "h1", "h2", "h3", "p", "ul", "li", "table", "caption", "thead", "tbody", "tr"),
    *("th", "td", "figure", "img", "figcaption", "details", "summary", "pre", "code", "time"),
    *("blockquote", "strong", "wbr"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "rel", "href", "class", "id", "src"),
    *("alt", "scope", "datetime"),
}


class Elements(HTMLParser):
    """Every element of a page, with its attributes and the text right inside it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    """Everything a file can name is named to run a script; pictures are stand-ins."""
    root = tmp_path_factory.mktemp("hostile")
    folder = root / f"masks {HOSTILE}\nFORGED"
    names = [f"sub-{number}_{HOSTILE}\x1b[31m\u202e\nFORGED.nii.gz" for number in range(8)]
    write_masks(folder, MASKS_A, names=names)
    (folder / f"bad{HOSTILE}.nii.gz").write_bytes(b"broken")
    cells = "".join(f"sub-{number}\t{HOSTILE}\n" for number in range(8))
    (folder / "participants.tsv").write_text(f"participant_id\tgroup{HOSTILE}\n{cells}")
    write_study(root / "study")
    table = root / "study" / f"areas{HOSTILE}.csv"
    table.write_text(f"index,name\n1,left {HOSTILE}\n2,right {HOSTILE}\n")
    atlas = load_atlas(root / "study" / "areas.nii.gz", table)
    present = Condition(f"group{HOSTILE}", excludes=True)
    asked = ReportRequest(2, where=[present], title=f"title {HOSTILE}")
    picture = Picture(b"\x89PNG", f"alt {HOSTILE}", f"caption {HOSTILE}")
    with pytest.MonkeyPatch.context() as patch:
        names = ("volumes", "coverage_a", "n_a")
        drawings = {name: lambda: picture for name in names}
        patch.setattr("lesion_dash.report.report.drawings", lambda findings: drawings)
        return make_report(load_cohort(folder), None, atlas, asked, DAY).html


def test_what_files_name_is_text(hostile_page):
    elements = Elements(hostile_page)
    assert {tag for tag, _ in elements.found} <= ELEMENTS
    assert {key for _, attributes in elements.found for key in attributes} <= ATTRIBUTES
    shown = "".join(elements.texts)
    for words in ("masks", "title", "group", "left", "caption", "bad"):
        assert f"{words} {HOSTILE}" in shown or f"{words}{HOSTILE}" in shown
    assert all(sign.isprintable() or sign in "\n\xa0" for sign in hostile_page)
    assert not re.search("^FORGED", hostile_page, re.MULTILINE)
    assert "\\x1b[31m" in shown


def test_the_page_asks_for_nothing(hostile_page):
    elements = Elements(hostile_page)
    assert [one["href"] for one in elements.all("link")] == ["data:,"]
    assert all(one["src"].startswith("data:image/png;base64,") for one in elements.all("img"))
    style = re.search("<style>(.*?)</style>", hostile_page, re.DOTALL)
    assert style
    assert not re.search(r"url\(|@import|expression", style[1])
    policy = next(one["content"] for one in elements.all("meta") if "http-equiv" in one)
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_pictures_have_words_and_tables_captions(hostile_page):
    elements = Elements(hostile_page)
    assert all(one["alt"] for one in elements.all("img"))
    tags = [tag for tag, _ in elements.found]
    assert tags.count("figure") == tags.count("figcaption") == 3
    assert tags.count("table") == tags.count("caption") > 3
    assert tags.count("h1") == 1
    assert elements.all("html") == [{"lang": "en-GB"}]


def test_bytes_that_are_no_text_do_not_break_the_page(tmp_path, monkeypatch):
    """A file name of another encoding reaches Python as a lone surrogate."""
    monkeypatch.setattr("lesion_dash.report.report.drawings", lambda findings: {})
    folder = write_masks(tmp_path / "masks", MASKS_A)
    name = b"sub-900_\xff.nii.gz".decode("utf-8", "surrogateescape")
    shutil.copy(folder / "sub-000_lesion.nii.gz", folder / name)
    report = make_report(load_cohort(folder), None, None, ReportRequest(2), DAY)
    assert r"sub-900_\udcff.nii.gz" in report.html
    save_report(report, tmp_path / "out")


@pytest.mark.browser
def test_a_browser_shows_and_prints_it_without_a_request(chromium, sample_data, tmp_path):
    from playwright.sync_api import sync_playwright

    cohort = load_cohort(sample_data / "cohort_a")
    atlas = load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    report = make_report(cohort, None, atlas, ReportRequest(5), DAY)
    page_file = save_report(report, tmp_path / "out")
    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(page_file.as_uri())
        sizes: Any = page.evaluate("[...document.images].map(image => image.naturalWidth)")
        wide = page.evaluate("document.documentElement.scrollWidth")
        printed = page.pdf(prefer_css_page_size=True)
        browser.close()
    assert asked == [page_file.as_uri()]
    assert said == []
    assert len(sizes) == 5
    assert min(sizes) > 700
    assert wide <= 1280
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 7  # figures share pages


def test_the_style_is_where_the_wheel_takes_it():
    import lesion_dash.report

    assert (Path(lesion_dash.report.__file__).parent / "page.css").is_file()
