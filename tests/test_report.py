"""A report tells what the library gives, and the same whenever and wherever it is made."""

from __future__ import annotations

import csv
import gzip
import html
import io
import json
import re
import shutil
from datetime import date

import numpy as np
import pytest
from atlases import probability_atlas
from phantoms import AFFINE, SHAPE, write_masks
from reports import DAY, MASKS_A, MASKS_B, atlas_of, cohorts, write_study

from lesion_dash.atlas.formats import Region
from lesion_dash.cohort.conditions import restrict_cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import Cancelled, InputError
from lesion_dash.core.tables import csv_bytes
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.images.masks import Binarization
from lesion_dash.regions.counts import count_regions
from lesion_dash.report.findings import ReportRequest
from lesion_dash.report.report import file_names, make_report, save_report
from lesion_dash.stats.coverage import threshold_coverage
from lesion_dash.stats.differences import FILE_NAMES as DIFFERENCES
from lesion_dash.stats.differences import cohort_differences
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import FILE_NAMES as STATS
from lesion_dash.stats.topography import volume_stats


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    """Pictures take seconds, and have tests of their own."""
    monkeypatch.setattr("lesion_dash.report.report.drawings", lambda findings: {})


@pytest.fixture
def root(tmp_path):
    """Two folders, a table of participants and an atlas of two regions."""
    return write_study(tmp_path / "study")


def number_columns(page: str) -> dict[str, list[str]]:
    """The cells of the columns of numbers with one quantity each, by their heads."""
    found: dict[str, list[str]] = {}
    for table in re.findall("<table.*?</table>", page, re.DOTALL):
        head, *rows = re.findall("<tr>(.*?)</tr>", table, re.DOTALL)
        names = re.findall("<th[^>]*>(.*?)</th>", head)
        if "k" not in names and "region" not in names:
            continue
        for row in rows:
            cells = re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row)
            for name, cell in list(zip(names, cells, strict=True))[1:]:
                found.setdefault(name, []).append(html.unescape(cell))
    return found


def unpacked(content: bytes) -> bytes:
    return gzip.decompress(content)


def test_files_of_one_cohort_are_the_library_s(root):
    a, atlas = load_cohort(root / "a"), atlas_of(root)
    report = make_report(a, None, atlas, ReportRequest(3), DAY)
    assert list(report.files) == file_names(is_pair=False, has_atlas=True)
    stats = volume_stats(a, 3)
    for key, name in STATS.items():
        made = unpacked(report.files[f"{name}.gz"])
        assert made == nifti_bytes(getattr(stats, key).to_nifti())
    assert report.files["patients.csv"] == csv_bytes(a.files_table)
    assert report.files["coverage.csv"] == csv_bytes(threshold_coverage(a).table)
    assert report.files["region_counts.csv"] == csv_bytes(count_regions(a.at_least(3), atlas).table)


def test_files_of_two_cohorts_are_the_library_s(root):
    (a, b), atlas = cohorts(root), atlas_of(root)
    report = make_report(a, b, atlas, ReportRequest(2), DAY)
    assert list(report.files) == file_names(is_pair=True, has_atlas=True)
    for letter, cohort in (("a", a), ("b", b)):
        stats = volume_stats(cohort, 2)
        for key, name in STATS.items():
            made = unpacked(report.files[f"{letter}_{name}.gz"])
            assert made == nifti_bytes(getattr(stats, key).to_nifti())
        assert report.files[f"{letter}_patients.csv"] == csv_bytes(cohort.files_table)
    both = overlap(a.at_least(2), b.at_least(2)).both
    assert unpacked(report.files["overlap_map.nii.gz"]) == nifti_bytes(both.to_nifti())
    found = cohort_differences(a, b, 2)
    for key, name in DIFFERENCES.items():
        made = unpacked(report.files[f"{name}.gz"])
        assert made == nifti_bytes(getattr(found, key).to_nifti())
    assert report.files["region_counts.csv"] == csv_bytes(count_regions(both, atlas).table)


def test_the_sentences_hold_the_numbers_of_numpy(root):
    (a, b), atlas = cohorts(root), atlas_of(root)
    sentences = make_report(a, b, atlas, ReportRequest(3), DAY).sentences
    stacks = [np.stack(masks) for masks in (MASKS_A, MASKS_B)]
    volumes = stacks[0].reshape(8, -1).sum(axis=1) * 8 / 1000  # mL
    low, lower, median, upper, high = (
        f"{np.percentile(volumes, q):.2f}" for q in (0, 25, 50, 75, 100)
    )
    words = f"median {median} mL (quartiles {lower} and {upper} mL, range {low} to {high} mL)."
    assert sentences[0] == f"A (a): 8 patients; total lesion volume {words}"
    n = stacks[0].sum(axis=0)
    share = 100 * (n >= 3).sum() / (n > 0).sum()
    assert f"{(n >= 3).sum()} voxels" in sentences[1]
    assert f"{share:.1f} % of all lesioned voxels" in sentences[1]
    place = np.unravel_index(np.argmax(n.ravel(order="F")), SHAPE, order="F")
    mm = AFFINE @ [*place, 1]
    point = ", ".join(f"{value:g}" for value in mm[:3])
    assert f"At most {n.max()} patients share a voxel, at MNI ({point}) mm" in sentences[1]
    enough = [stack.sum(axis=0) >= 3 for stack in stacks]
    both = enough[0] & enough[1]
    dice = 2 * both.sum() / (enough[0].sum() + enough[1].sum())
    assert sentences[4].startswith(f"Overlap: {both.sum()} voxels (")
    assert sentences[4].endswith(f"; Dice coefficient {dice:.3f}.")
    left, right = both[:3].sum(), both[4:].sum()
    most, size = ("left", left) if left > right else ("right", right)
    assert sentences[5].startswith(f"Region with the most overlap: {most} area, {size} voxels (")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({}, "All masks were binary and on one grid"),
        ({"threshold": 0.5}, "Masks were the voxels of probability 0.5 or more. All were on"),
        ({"label": 1}, "Masks were the voxels of label 1. All were on one grid"),
    ],
)
def test_the_methods_say_how_masks_were_made(root, choice, said):
    cohort = load_cohort(root / "a", choice=Binarization(**choice))
    page = make_report(cohort, None, None, ReportRequest(2, **choice)).files["report.html"]
    assert said in page.decode()


def test_conditions_restrict_as_they_do_elsewhere(root):
    a, b = cohorts(root)
    asked = ReportRequest(2, where=["age>=62"], where_a=["sex=F"], where_b=["sex = M"])
    report = make_report(a, b, None, asked, DAY)
    women = restrict_cohort(a, ["sex=F", "age>=62"])
    men = restrict_cohort(b, ["sex=M", "age>=62"])
    for letter, cohort in (("a", women), ("b", men)):
        made = unpacked(report.files[f"{letter}_{STATS['n']}.gz"])
        assert made == nifti_bytes(volume_stats(cohort, 2).n.to_nifti())
    assert report.title == "Lesion report: a, age >= 62, sex = F and b, age >= 62, sex = M"
    # Of eight, four are men; of the women, one has no age and none is younger.
    assert report.sentences[0].startswith("A (a, age >= 62, sex = F): 3 patients (5 left out by")
    assert "left out, value missing: age &gt;= 62" in report.html


def test_one_question_has_one_report_however_it_is_written(root):
    a, _ = cohorts(root)
    first = ReportRequest(2, where=["sex=F", "age>=61"], title="  My\n report ")
    second = ReportRequest(2, where=("age >= 61.0", "sex = F", "sex=F"), title="My report")
    assert first == second
    assert (
        make_report(a, None, None, first, DAY).files
        == make_report(a, None, None, second, DAY).files
    )


def test_two_places_and_two_days_differ_in_the_day_alone(root, tmp_path):
    other = tmp_path / "elsewhere" / "deep"
    shutil.copytree(root, other)
    reports = [
        make_report(*cohorts(place), atlas_of(place), ReportRequest(2), day)
        for place, day in ((root, DAY), (other, date(2027, 12, 31)))
    ]
    first, second = (report.files for report in reports)
    assert list(first) == list(second)
    changed = [name for name in first if first[name] != second[name]]
    assert changed == ["report.html", "provenance.json"]
    for name in changed:
        assert first[name] == second[name].replace(b"2027-12-31", b"2026-03-01")


def test_no_path_of_this_computer_is_told(root):
    report = make_report(*cohorts(root), atlas_of(root), ReportRequest(2), DAY)
    for name in ("report.html", "provenance.json"):
        assert str(root).encode() not in report.files[name]
        assert b"tmp/" not in report.files[name]


def test_folders_of_one_name_are_told_apart(root):
    """Both are called masks; the folders above tell which is which."""
    for letter in "ab":
        (root / f"{letter}_study").mkdir()
        shutil.copytree(root / letter, root / f"{letter}_study" / "masks")
    a, b = (load_cohort(root / f"{letter}_study" / "masks") for letter in "ab")
    report = make_report(a, b, None, ReportRequest(2), DAY)
    assert report.title == "Lesion report: a_study/masks and b_study/masks"
    assert "lesion-dash report a_study/masks b_study/masks" in report.html


def test_every_file_that_is_not_counted_stands_with_its_reason(root):
    (root / "a" / "sub-100_lesion.nii.gz").write_bytes(b"no image")
    a = load_cohort(root / "a")
    report = make_report(a, None, None, ReportRequest(2), DAY)
    refused = next(patient for patient in a.patients if patient.status == "skipped")
    assert refused.reason.replace("'", "&#x27;") in report.html
    assert refused.file in report.html
    assert "8 patients (1 of 9 files not usable)" in report.sentences[0]


def test_a_minimum_nobody_reaches_is_said(root):
    report = make_report(load_cohort(root / "a"), None, atlas_of(root), ReportRequest(9), DAY)
    assert "0 voxels (0.00 mL) are lesioned in at least 9 patients" in report.sentences[1]
    assert "No voxel is lesioned in 9 patients: at most" in report.html
    assert report.sentences[2].startswith("No region of the atlas holds any")


def test_patients_without_a_lesion_make_a_report_too(tmp_path):
    write_masks(tmp_path / "empty", [np.zeros(SHAPE), np.zeros(SHAPE)])
    report = make_report(load_cohort(tmp_path / "empty"), None, None, ReportRequest(1), DAY)
    assert "No patient has a lesioned voxel." in report.sentences[1]


def test_columns_are_summed_up(root):
    table = root / "participants.tsv"
    table.write_text(table.read_text().replace("\t67\n", "\t89+\n"))
    page = make_report(load_cohort(root / "a"), None, None, ReportRequest(2), DAY).html
    ages = [61, 62, 63, 64, 65, 66, 89]  # the last one is 89 or more
    lower, median, upper = (f"{np.percentile(ages, q):.1f}" for q in (25, 50, 75))
    assert f"{median} ({lower} and {upper}; 61 to 89+), n = 7" in page
    assert '<th scope="row">age (years)</th>' in page
    assert "F: 4 (50.0 %), M: 4 (50.0 %)" in page


def test_regions_of_probabilities_are_told_by_expected_voxels(root):
    """The region of the most voxels is not the one of the highest sum of probabilities."""
    a = load_cohort(root / "a")
    maps = [np.full(SHAPE, 0.25), np.zeros(SHAPE)]
    maps[1][:5] = 0.75
    atlas = probability_atlas(maps, a.grid, [Region(1, "wide"), Region(2, "likely")])
    report = make_report(a, None, atlas, ReportRequest(2), DAY)
    inside = a.at_least(2).array[:5].sum()
    share = 100 * inside / (5 * SHAPE[1] * SHAPE[2])
    assert f"likely, {0.75 * inside:,.1f} expected voxels" in report.sentences[2]
    assert report.sentences[2].endswith(f"mL), {share:.1f} % of the region.")


def test_an_atlas_without_a_file_is_called_by_its_name(root):
    a = load_cohort(root / "a")
    atlas = probability_atlas([np.full(SHAPE, 0.5)], a.grid, [Region(1, "all")])
    page = make_report(a, None, atlas, ReportRequest(2), DAY).html
    assert f"{atlas.name} lies elsewhere: write its path there." in page
    assert f"load_atlas(&#x27;{atlas.name}&#x27;)" in page


def test_how_the_masks_were_kept_is_not_told(root, monkeypatch):
    """A computer with less memory gives the same report."""
    usual = make_report(load_cohort(root / "a"), None, None, ReportRequest(2), DAY)
    monkeypatch.setenv("LESION_DASH_MEMORY", "1kB")
    small = load_cohort(root / "a")
    assert any("kept on disk" in note for note in small.notes)
    assert make_report(small, None, None, ReportRequest(2), DAY).files == usual.files


def test_provenance_names_inputs_and_outputs(root):
    a, b = cohorts(root)
    files = make_report(a, b, atlas_of(root), ReportRequest(2, where=["sex=F"]), DAY).files
    found = json.loads(files["provenance.json"])
    assert found["created"] == "2026-03-01"
    assert [one.get("folder", one.get("name")) for one in found["inputs"]] == ["a", "b", "areas"]
    assert found["parameters"]["where"] == ["sex=F"]
    assert set(found["outputs"]) == set(files) - {"report.html", "provenance.json"}
    sums = {one["file"]: one["sha256"] for one in found["inputs"][0]["files"]}
    assert sums == {patient.file: patient.sha256 for patient in a.patients}


def test_region_table_of_the_page_is_the_file_s(root):
    report = make_report(*cohorts(root), atlas_of(root), ReportRequest(2), DAY)
    rows = csv.DictReader(io.StringIO(report.files["region_counts.csv"].decode()))
    for row in rows:
        cells = (
            f'<th scope="row">{row["region"]}</th><td class="number">{int(row["voxels"]):,}</td>'
        )
        assert cells in report.html


def test_decimals_of_a_column_line_up(root):
    a, b = cohorts(root)
    maps = [np.full(SHAPE, 0.25), np.zeros(SHAPE)]
    maps[1][:5] = 0.75
    likely = probability_atlas(maps, a.grid, [Region(1, "wide"), Region(2, "likely")])
    for atlas in (atlas_of(root), likely):
        tables = number_columns(make_report(a, b, atlas, ReportRequest(1), DAY).html)
        assert {"voxels (n)", "volume (mL)", "% of region", "x (mm)"} <= set(tables)
        for head, cells in tables.items():
            numbers = [cell for cell in cells if cell[-1].isdigit() and cell[0] != "<"]
            places = {len(cell.partition(".")[2]) for cell in numbers}
            assert len(places) == 1, (head, cells)
        assert all("." not in cell for cell in tables["voxels (n)"])


def test_progress_goes_to_the_end_and_may_stop_the_work(root):
    a, steps = load_cohort(root / "a"), []
    make_report(a, None, None, ReportRequest(2), DAY, lambda *step: steps.append(step))
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled, match="stopped by the user"):
        make_report(a, None, None, ReportRequest(2), DAY, stop)


def test_a_report_is_saved_whole_and_replaces_nothing_unasked(root, tmp_path):
    report = make_report(load_cohort(root / "a"), None, None, ReportRequest(2), DAY)
    page = save_report(report, tmp_path / "out")
    assert page.read_text(encoding="utf-8") == report.html
    written = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    assert {name: written[name] for name in report.files} == report.files
    with pytest.raises(InputError, match="already holds results"):
        save_report(report, tmp_path / "out")


def test_a_saved_report_among_the_masks_is_no_patient(root):
    """Somebody writes the report into the folder of the masks, and makes it again."""
    a, b = cohorts(root)
    save_report(make_report(a, b, None, ReportRequest(2), DAY), root / "a" / "report")
    again = load_cohort(root / "a")
    assert again.n_patients == a.n_patients
    assert all("looks like a result" in one.reason for one in again.patients if one.voxels == 0)


def test_a_part_of_a_cohort_is_refused(root):
    """Its page could not tell how to make it again."""
    part = restrict_cohort(load_cohort(root / "a"), ["sex=F"])
    with pytest.raises(InputError, match="give the whole cohort, and the conditions in the req"):
        make_report(part, None, None, ReportRequest(2), DAY)


def test_a_condition_for_b_needs_b(root):
    with pytest.raises(InputError, match="there is no cohort B to ask"):
        make_report(load_cohort(root / "a"), None, None, ReportRequest(2, where_b=["sex=F"]), DAY)
