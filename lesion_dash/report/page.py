"""The page of a report: one file that asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
from datetime import date
from functools import lru_cache
from pathlib import Path

from .chapters import (
    Pictures,
    coverage_section,
    map_section,
    region_section,
    volume_section,
)
from .cohorts import cohort_section
from .findings import Findings
from .limits import limit_section
from .markup import Html, element, items, join, prose
from .methods import methods_section
from .parameters import parameter_section
from .reproduction import reproduction_section
from .summary import summary
from .versions import versions

PAGE_NAME = "report.html"


def make_page(
    findings: Findings, pictures: Pictures, files: list[tuple[str, str]], day: date
) -> str:
    """The page as text.

    Parameters
    ----------
    findings : Findings
    pictures : mapping
    files : list of (str, str)
        Name of each file beside the page, and what it holds.
    day : date
        On which the report was made.
    """
    body = element(
        "body",
        _header(findings, day),
        element(
            "main",
            element(
                "section",
                element("h2", "In short"),
                items(map(prose, summary(findings))),
                class_="short",
            ),
            cohort_section(findings),
            volume_section(pictures),
            parameter_section(findings),
            map_section(findings, pictures),
            coverage_section(findings, pictures),
            region_section(findings),
            limit_section(findings),
            methods_section(findings),
            reproduction_section(findings),
            _files(files),
        ),
        _footer(),
    )
    page = element("html", _head(findings.title), body, lang="en-GB")
    return f"<!DOCTYPE html>\n{page}\n"


def _head(title: str) -> Html:
    style = _style()
    # The page may show its own pictures in its own style, and nothing else, whatever it holds.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Html(style)),
    )


@lru_cache(maxsize=1)
def _style() -> str:
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def _header(findings: Findings, day: date) -> Html:
    words = f"lesion_dash {versions()['lesion_dash']}"
    stamp = element("time", day.isoformat(), datetime=day.isoformat())
    return element(
        "header",
        element("h1", findings.title),
        element("p", "Made on ", stamp, f" with {words}."),
    )


def _files(files: list[tuple[str, str]]) -> Html:
    """What lies beside the page; the same of A and of B in one line."""
    names: dict[str, list[str]] = {}
    for name, words in files:
        names.setdefault(words, []).append(element("code", name))
    listed = items(join([join(own, ", "), f": {words}"]) for words, own in names.items())
    return element("section", element("h2", "Files beside this page"), listed, class_="files")


def _footer() -> Html:
    told = (
        "This page loads nothing from anywhere and sends nothing. It names the files of patients: "
        "look at it before you hand it on."
    )
    return element("footer", told)
