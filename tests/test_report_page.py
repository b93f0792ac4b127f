"""The page of a report runs nothing, asks for nothing, and shows what files are called."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser
from typing import Any

import pytest
from phantoms import write_masks
from reports import MASKS_A, no_pictures, report_on, write_study

from lesion_dash import load_atlas, load_cohort, save_report
from lesion_dash.cohort.conditions import Condition
from lesion_dash.report.figures import Picture

# Elements, the end of an attribute, and the marks of the templates.
HOSTILE = "<img src=x onerror=alert(1)>\"'{{ 7 * 7 }}{% endif %}"
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
    """Every element of a page, with its attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.text = page, ""
        self.tags: list[str] = []
        self.attributes: list[dict[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append({key: value or "" for key, value in attrs})

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        pairs = zip(self.tags, self.attributes, strict=True)
        return [attributes for name, attributes in pairs if name == tag]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Everything a file can name is named to run a script; pictures are stand-ins."""
    root = tmp_path_factory.mktemp("hostile")
    folder = root / f"masks {HOSTILE}\nFORGED"
    names = [f"sub-{number}_{HOSTILE}\x1b[31m\u202e\nFORGED.nii.gz" for number in range(8)]
    write_masks(folder, MASKS_A, names=names)
    (folder / f"bad{HOSTILE}.nii.gz").write_bytes(b"broken")
    column = f"group{HOSTILE}"
    cells = "".join(f"sub-{number}\t{HOSTILE}\n" for number in range(8))
    (folder / "participants.tsv").write_text(f"participant_id\t{column}\n{cells}")
    write_study(root / "study")
    table = root / "study" / f"areas{HOSTILE}.csv"
    quoted = HOSTILE.replace('"', '""')
    table.write_text(f'index,name\n1,"left {quoted}"\n2,"right_{quoted}"\n')
    atlas = load_atlas(root / "study" / "areas.nii.gz", table)
    picture = Picture(b"\x89PNG", "Mean", "mL", "1", "2", 3.0)
    with pytest.MonkeyPatch.context() as patch:
        drawings = {name: lambda: picture for name in ("volumes", "coverage_a", "n_a")}
        patch.setattr("lesion_dash.report.report.drawings", lambda findings: drawings)
        present = Condition(column, excludes=True)
        made = report_on(
            load_cohort(folder), atlas=atlas, where=[present], title=f"title {HOSTILE}"
        )
    return Elements(made.html)


def test_what_files_name_is_text(hostile):
    assert set(hostile.tags) <= ELEMENTS
    assert {key for attributes in hostile.attributes for key in attributes} <= ATTRIBUTES
    for name in ("masks ", "title ", "group", "left ", "right_", "bad"):
        assert f"{name}{HOSTILE}" in hostile.text
    assert all(HOSTILE in image["alt"] for image in hostile.all("img")[:2])
    assert all(character.isprintable() or character in "\n\xa0" for character in hostile.page)
    assert not re.search("^FORGED", hostile.page, re.MULTILINE)
    assert "\\x1b[31m" in hostile.text


def test_the_page_asks_for_nothing(hostile):
    assert [link["href"] for link in hostile.all("link")] == ["data:,"]
    assert all(img["src"].startswith("data:image/png;base64,") for img in hostile.all("img"))
    style = re.search("<style>(.*?)</style>", hostile.page, re.DOTALL)
    assert style
    assert not re.search(r"url\(|@import|expression", style[1])
    policy = next(meta["content"] for meta in hostile.all("meta") if "http-equiv" in meta)
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_pictures_have_words_and_tables_captions(hostile):
    assert all(image["alt"] for image in hostile.all("img"))
    tags = hostile.tags
    assert tags.count("figure") == tags.count("figcaption") == 3
    assert tags.count("table") == tags.count("caption") > 3
    assert tags.count("h1") == 1
    assert hostile.all("html") == [{"lang": "en-GB"}]


def test_numbers_stay_with_their_units_and_long_names_may_break(hostile):
    assert "\xa0mL" in hostile.page.partition("Summary")[2].partition("</section>")[0]
    assert "right_<wbr>" in hostile.page


def test_bytes_that_are_no_text_do_not_break_the_page(tmp_path):
    """A file name of another encoding reaches Python as a lone surrogate."""
    folder = write_masks(tmp_path / "masks", MASKS_A)
    name = b"sub-900_\xff.nii.gz".decode("utf-8", "surrogateescape")
    shutil.copy(folder / "sub-000_lesion.nii.gz", folder / name)
    with no_pictures():
        made = report_on(load_cohort(folder))
    assert r"sub-900_\udcff.nii.gz" in made.html
    save_report(made, tmp_path / "out")


@pytest.mark.browser
def test_a_browser_shows_and_prints_it_without_a_request(chromium, sample_data, tmp_path):
    """Of real pictures, as their sizes on paper count: some seconds."""
    from playwright.sync_api import sync_playwright

    cohort = load_cohort(sample_data / "cohort_a")
    atlas = load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    page_file = save_report(report_on(cohort, atlas=atlas, k=5), tmp_path / "out")
    requests: list[str] = []
    messages: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.goto(page_file.as_uri())
        sizes: Any = page.evaluate("[...document.images].map(image => image.naturalWidth)")
        width = page.evaluate("document.documentElement.scrollWidth")
        printed = page.pdf(prefer_css_page_size=True)
        browser.close()
    assert requests == [page_file.as_uri()]
    assert messages == []
    assert len(sizes) == 5
    assert min(sizes) > 700
    assert width <= 1280
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 7  # figures share pages
