"""The words for a paper hold the library's numbers, each once, and name whom they cite."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest
from reports import DAY, atlas_of, cohorts, write_study

from lesion_dash.report.findings import ReportRequest
from lesion_dash.report.report import make_report
from lesion_dash.stats.overlap import overlap


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    """Pictures take seconds, and have tests of their own."""
    monkeypatch.setattr("lesion_dash.report.report.drawings", lambda findings: {})


@pytest.fixture
def root(tmp_path):
    return write_study(tmp_path / "study")


def words_of_methods(page: str) -> str:
    """The paragraphs for a paper, as text."""
    found = re.search("<blockquote>(.*?)</blockquote>", page, re.DOTALL)
    assert found
    return html.unescape(re.sub("<[^>]+>", " ", found[1])).replace("\u00a0", " ")


def test_methods_say_once_what_is_common_and_of_each_cohort_its_own(root):
    """Ages, sexes and shares are those of numpy and of the library."""
    (a, b), atlas = cohorts(root), atlas_of(root)
    report = make_report(a, b, atlas, ReportRequest(2), DAY)
    told = words_of_methods(report.html)
    sentences = [one.strip() for one in re.split(r"(?<=\.) (?=[A-Z])", told)]
    assert len(sentences) == len(set(sentences))
    assert told.count("We studied") == told.count("Total lesion volume per patient") == 1
    assert "two cohorts: A, 8 patients (a), and B, 6 patients (b)." in told
    # The first of eight has no age; B are the first six.
    spreads = [np.percentile(ages, (50, 25, 75)) for ages in (range(61, 68), range(61, 66))]
    (of_a, of_b) = ([f"{one:.1f}" for one in spread] for spread in spreads)
    assert f"Median age was {of_a[0]} years (quartiles {of_a[1]} and {of_a[2]}, " in told
    assert f"range 61 to 67; 1 missing) in A and {of_b[0]} years (quartiles {of_b[1]}" in told
    assert "Sex: 4 female (50.0 %), 4 male (50.0 %) in A and 3 female (50.0 %), 3 male" in told
    both = overlap(a.at_least(2), b.at_least(2)).both
    outside = int(both.array[3].sum())
    share = 100 * outside / both.voxels
    assert f"{outside} voxels ({share:.1f} %) of them lay outside the atlas" in told


def test_methods_say_in_plain_words_who_was_asked_for(root):
    a, b = cohorts(root)
    asked = ReportRequest(1, where=["age>=62"], where_a=["sex=F"], where_b=["sex!=F"])
    told = words_of_methods(make_report(a, b, None, asked, DAY).html)
    assert "Only patients with age of at least 62 years were included." in told
    assert "A holds only patients with female sex." in told
    assert "B holds only patients with sex other than F." in told
    assert "did not meet this were left out (5 of 8 files in A and 4 of 6 files in B)." in told
    alone = words_of_methods(make_report(a, None, None, ReportRequest(1, ["sex=M"]), DAY).html)
    assert "Only patients with male sex were included." in alone
    assert " in A" not in alone


def test_parts_of_one_folder_are_called_so(root):
    a, _ = cohorts(root)
    asked = ReportRequest(1, where_a=["sex=F"], where_b=["sex=M"])
    told = words_of_methods(make_report(a, a, None, asked, DAY).html)
    assert "two parts of the cohort a: A, 4 patients, and B, 4 patients." in told


def test_who_is_cited_stands_among_the_references(root):
    page = make_report(*cohorts(root), atlas_of(root), ReportRequest(2), DAY).html
    listed = page.partition("<h3>References</h3>")[2].partition("</ul>")[0]
    cited = set(re.findall(r"([A-Z][a-z]+)(?: et al\.| and [A-Z][a-z]+), \d{4}", page))
    assert {"Weaver", "Sperber", "Mah", "Harris", "Abraham", "Fonov"} == cited
    for name in (*cited, "Brett M", "Nilearn contributors", "Pustina D"):
        assert f"<li>{name}" in listed
