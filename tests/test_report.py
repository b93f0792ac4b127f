"""A report tells what the library gives, and the same whenever and wherever it is made."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import shutil
from datetime import date

import numpy as np
import pytest
from atlases import probability_atlas
from phantoms import AFFINE, SHAPE, write_masks
from reports import (
    MASKS_A,
    MASKS_B,
    atlas_of,
    cohorts,
    no_pictures,
    report_on,
    text_of,
    write_study,
)

import lesion_dash as ld
from lesion_dash.atlas.formats import Region
from lesion_dash.atlas.places import name_place
from lesion_dash.core.errors import Cancelled
from lesion_dash.core.tables import csv_bytes
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.images.masks import Binarization
from lesion_dash.report.report import file_names
from lesion_dash.stats.differences import FILE_NAMES as DIFFERENCES
from lesion_dash.stats.topography import FILE_NAMES as STATS


@pytest.fixture(autouse=True, scope="module")
def _without_pictures():
    with no_pictures():
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two folders, a table of participants and an atlas of two regions; not to be written to."""
    return write_study(tmp_path_factory.mktemp("reports") / "study")


@pytest.fixture
def copy(root, tmp_path):
    """The same, to be written to."""
    return shutil.copytree(root, tmp_path / "study")


@pytest.fixture(scope="module")
def a(root):
    return ld.load_cohort(root / "a")


@pytest.fixture(scope="module")
def pair(root):
    return cohorts(root)


@pytest.fixture(scope="module")
def atlas(root):
    return atlas_of(root)


@pytest.fixture(scope="module")
def likely(a):
    """The region of the most voxels is not the one of the highest sum of probabilities."""
    maps = [np.full(SHAPE, 0.25), np.zeros(SHAPE)]
    maps[1][:5] = 0.75
    return probability_atlas(maps, a.grid, [Region(1, "wide"), Region(2, "likely")])


@pytest.fixture(scope="module")
def report(pair, atlas):
    """On two cohorts and an atlas."""
    return report_on(*pair, atlas=atlas)


def number_columns(page: str) -> dict[str, list[str]]:
    """The cells of the columns of numbers with one quantity each, by their heads."""
    columns: dict[str, list[str]] = {}
    for table in re.findall("<table.*?</table>", page, re.DOTALL):
        head, *rows = re.findall("<tr>(.*?)</tr>", table, re.DOTALL)
        names = [text_of(name) for name in re.findall("<th[^>]*>(.*?)</th>", head)]
        if "k" in names or "region" in names:
            for row in rows:
                cells = re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row)
                for name, cell in list(zip(names, cells, strict=True))[1:]:
                    columns.setdefault(name, []).append(text_of(cell))
    return columns


def image_in(files, name: str) -> bytes:
    return gzip.decompress(files[f"{name}.gz"])


@pytest.mark.parametrize("letters", ["a", "ab"])
def test_files_are_the_library_s(root, atlas, letters):
    own = cohorts(root, letters)
    files = report_on(*own, atlas=atlas).files
    assert list(files) == file_names(len(own) > 1, ["region_counts.csv"])
    for letter, cohort in zip(letters, own, strict=False):
        prefix = f"{letter}_" if len(own) > 1 else ""
        stats = ld.volume_stats(cohort, 2)
        for key, name in STATS.items():
            assert image_in(files, prefix + name) == nifti_bytes(getattr(stats, key).to_nifti())
        assert files[f"{prefix}patients.csv"] == csv_bytes(cohort.files_table)
        assert files[f"{prefix}coverage.csv"] == csv_bytes(ld.threshold_coverage(cohort).table)
    counted = own[0].at_least(2)
    if len(own) > 1:
        counted = ld.overlap(counted, own[1].at_least(2)).both
        assert image_in(files, "overlap_map.nii") == nifti_bytes(counted.to_nifti())
        differences = ld.cohort_differences(*own, 2)
        for key, name in DIFFERENCES.items():
            expected = nifti_bytes(getattr(differences, key).to_nifti())
            assert image_in(files, name) == expected
    assert files["region_counts.csv"] == csv_bytes(ld.count_regions(counted, atlas).table)


def test_the_sentences_hold_the_numbers_of_numpy(pair, atlas):
    sentences = report_on(*pair, atlas=atlas, k=3).sentences
    stacks = [np.stack(masks) for masks in (MASKS_A, MASKS_B)]
    volumes = stacks[0].reshape(8, -1).sum(axis=1) * 8 / 1000  # mL
    low, lower, median, upper, high = (
        f"{np.percentile(volumes, q):.2f}" for q in (0, 25, 50, 75, 100)
    )
    spread = f"median {median} mL (quartiles {lower} and {upper} mL, range {low} to {high} mL)."
    assert sentences[0] == f"A (a): 8 patients; total lesion volume {spread}"
    n = stacks[0].sum(axis=0)
    share = 100 * (n >= 3).sum() / (n > 0).sum()
    assert f"{(n >= 3).sum()} voxels" in sentences[1]
    assert f"{share:.1f} % of all lesioned voxels" in sentences[1]
    place = np.unravel_index(np.argmax(n.ravel(order="F")), SHAPE, order="F")
    point = ", ".join(f"{value:g}" for value in (AFFINE @ [*place, 1])[:3])
    assert f"Maximum overlap: {n.max()} of 8 patients, at MNI ({point}) mm" in sentences[1]
    enough = [stack.sum(axis=0) >= 3 for stack in stacks]
    both = enough[0] & enough[1]
    dice = 2 * both.sum() / (enough[0].sum() + enough[1].sum())
    assert sentences[4].startswith(f"Overlap: {both.sum()} voxels (")
    assert sentences[4].endswith(f"; Dice coefficient {dice:.3f}.")
    left, right = both[:3].sum(), both[4:].sum()
    name, size = ("left", left) if left > right else ("right", right)
    assert sentences[5].startswith(f"Region with the most overlap: {name} area, {size} voxels (")


def test_conditions_restrict_as_they_do_elsewhere(pair):
    a, b = pair
    made = report_on(a, b, where=["age>=62"], where_a=["sex=F"], where_b=["sex = M"])
    for letter, cohort, sex in (("a", a, "F"), ("b", b, "M")):
        part = ld.restrict_cohort(cohort, [f"sex={sex}", "age>=62"])
        expected = nifti_bytes(ld.volume_stats(part, 2).n.to_nifti())
        assert image_in(made.files, f"{letter}_{STATS['n']}") == expected
    assert made.title == "Lesion report: a, age >= 62, sex = F and b, age >= 62, sex = M"
    # Of eight, four are men; of the women, one has no age and none is younger.
    assert made.sentences[0].startswith("A (a, age >= 62, sex = F): 3 patients (5 excluded by")
    assert "excluded, value missing: age >= 62" in text_of(made.html)


def test_one_question_has_one_report_however_it_is_written(a):
    first = {"where": ["sex=F", "age>=61"], "title": "  My\n report "}
    second = {"where": ("age >= 61.0", "sex = F", "sex=F"), "title": "My report"}
    assert ld.ReportRequest(2, **first) == ld.ReportRequest(2, **second)
    assert report_on(a, **first).files == report_on(a, **second).files


def test_two_places_and_two_days_differ_in_the_day_alone(report, copy):
    """So no path of this computer is told."""
    other = report_on(*cohorts(copy), atlas=atlas_of(copy), day=date(2027, 12, 31))
    assert list(report.files) == list(other.files)
    for name, content in report.files.items():
        assert content == other.files[name].replace(b"2027-12-31", b"2026-03-01")
        assert (content == other.files[name]) == (name not in {"report.html", "provenance.json"})
        if not name.endswith(".gz"):
            assert str(copy).encode() not in other.files[name]


def test_folders_of_one_name_are_told_apart(copy):
    """Both are called masks; the folders above tell which is which."""
    for letter in "ab":
        shutil.copytree(copy / letter, copy / f"{letter}_study" / "masks")
    made = report_on(*(ld.load_cohort(copy / f"{letter}_study" / "masks") for letter in "ab"))
    assert made.title == "Lesion report: a_study/masks and b_study/masks"
    assert "lesion-dash report a_study/masks b_study/masks" in text_of(made.html)


def test_every_file_that_is_not_counted_stands_with_its_reason(copy):
    for number in range(6):  # more than are listed without being folded
        (copy / "a" / f"sub-10{number}_lesion.nii.gz").write_bytes(b"no image")
    a = ld.load_cohort(copy / "a")
    made = report_on(a)
    refused = [patient for patient in a.patients if patient.status == "skipped"]
    listed = ", ".join(patient.file for patient in refused)
    assert f"{refused[0].reason} 6 6 files {listed}" in text_of(made.html)
    assert "8 patients (6 of 14 files not usable)" in made.sentences[0]


def test_a_minimum_nobody_reaches_is_said(a, atlas):
    made = report_on(a, atlas=atlas, k=9)
    assert "0 voxels (0.00 mL) are lesioned in at least 9 patients" in made.sentences[1]
    assert "No voxel is lesioned in 9 patients: maximum overlap" in text_of(made.html)
    assert made.sentences[2].startswith("No region of the atlas holds any")
    assert "None of them holds any of the voxels" in text_of(made.html)


def test_patients_without_a_lesion_make_a_report_too(tmp_path):
    write_masks(tmp_path / "empty", [np.zeros(SHAPE), np.zeros(SHAPE)])
    made = report_on(ld.load_cohort(tmp_path / "empty"), k=1)
    assert "No patient has a lesioned voxel." in made.sentences[1]


def test_columns_are_summed_up(copy):
    table = copy / "participants.tsv"
    table.write_text(table.read_text().replace("\t67\n", "\t89+\n"))
    page = text_of(report_on(ld.load_cohort(copy / "a")).html)
    ages = [61, 62, 63, 64, 65, 66, 89]  # the last one is 89 or more
    lower, median, upper = (f"{np.percentile(ages, q):.1f}" for q in (25, 50, 75))
    assert f"age (years) {median} ({lower} and {upper}; 61 to 89+), n = 7" in page
    assert "F: 4 (50.0 %), M: 4 (50.0 %)" in page


def test_regions_of_probabilities_are_told_by_expected_voxels(a, likely):
    """The atlas has no file, and is called by its name."""
    made = report_on(a, atlas=likely)
    inside = a.at_least(2).array[:5].sum()
    share = 100 * inside / (5 * SHAPE[1] * SHAPE[2])
    assert f"likely, {0.75 * inside:,.1f} expected voxels" in made.sentences[2]
    assert made.sentences[2].endswith(f"mL), {share:.1f} % of the region.")
    page = text_of(made.html)
    assert f"{likely.name} lies elsewhere: write its path there." in page
    assert f"atlas=['{likely.name}']" in page


def test_each_of_several_atlases_has_its_own_table_and_words(a, atlas, likely):
    made, counted = report_on(a, atlas=[atlas, likely]), a.at_least(2)
    for each in (atlas, likely):
        expected = csv_bytes(ld.count_regions(counted, each).table)
        assert made.files[f"region_counts_{each.name}.csv"] == expected
        alone = report_on(a, atlas=each).sentences[2].removeprefix("Region with")
        assert f"Region of {each.name} with{alone}" in made.sentences
        assert f"<h2>Regions of {each.name}</h2>" in made.html
    peak = report_on(a).sentences[1].partition("Maximum overlap")[2].partition(" at MNI ")[2]
    mm = [float(value) for value in re.findall(r"-?[\d.]+", peak)[:3]]
    words = "; ".join(f"{each.name}: {name_place(each, mm).words}" for each in (atlas, likely))
    assert made.sentences[1].endswith(f"({words}).")


def test_how_the_masks_were_kept_is_not_told(root, a, monkeypatch):
    """A computer with less memory gives the same report."""
    monkeypatch.setenv("LESION_DASH_MEMORY", "1kB")
    small = ld.load_cohort(root / "a")
    assert any("kept on disk" in note for note in small.notes)
    assert report_on(small).files == report_on(a).files


def test_provenance_names_inputs_and_outputs(pair, atlas):
    files = report_on(*pair, atlas=atlas, where=["sex=F"]).files
    content = json.loads(files["provenance.json"])
    assert content["created"] == "2026-03-01"
    assert [each.get("folder", each.get("name")) for each in content["inputs"]] == [
        "a",
        "b",
        "areas",
    ]
    assert content["parameters"]["where"] == ["sex=F"]
    assert set(content["outputs"]) == set(files) - {"report.html", "provenance.json"}
    sums = {file["file"]: file["sha256"] for file in content["inputs"][0]["files"]}
    assert sums == {patient.file: patient.sha256 for patient in pair[0].patients}


def test_region_table_of_the_page_is_the_file_s(report):
    for row in csv.DictReader(io.StringIO(report.files["region_counts.csv"].decode())):
        name, voxels = row["region"], f"{int(row['voxels']):,}"
        (cells,) = re.findall(f'<th scope="row">{re.escape(name)}</th>(.*)</tr>', report.html)
        assert f'<td class="number">{voxels}</td>' in cells


def test_decimals_of_a_column_line_up(pair, atlas, likely):
    for each in (atlas, likely):
        tables = number_columns(report_on(*pair, atlas=each, k=1).html)
        assert {"voxels (n)", "volume (mL)", "% of region", "x (mm)"} <= set(tables)
        for head, cells in tables.items():
            numbers = [cell for cell in cells if cell[-1].isdigit() and cell[0] != "<"]
            places = {len(cell.partition(".")[2]) for cell in numbers}
            assert len(places) == 1, (head, cells)
        assert all("." not in cell for cell in tables["voxels (n)"])


def test_progress_goes_to_the_end_and_may_stop_the_work(a):
    steps = []
    ld.make_report(a, progress=lambda *step: steps.append(step))
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled, match="stopped by the user"):
        ld.make_report(a, progress=stop)


def test_a_report_is_saved_whole_and_replaces_nothing_unasked(report, tmp_path):
    page = ld.save_report(report, tmp_path / "out")
    written = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    assert {name: written[name] for name in report.files} == report.files
    assert written[page.name].decode() == report.html
    with pytest.raises(ld.InputError, match="already holds results"):
        ld.save_report(report, tmp_path / "out")


def test_a_saved_report_among_the_masks_is_no_patient(report, copy):
    """Somebody writes the report into the folder of the masks, and makes it again."""
    ld.save_report(report, copy / "a" / "report")
    again = ld.load_cohort(copy / "a")
    assert again.n_patients == 8
    skipped = [patient for patient in again.patients if patient.voxels == 0]
    assert all("looks like a result" in patient.reason for patient in skipped)


def test_what_cannot_be_made_again_or_asked_is_refused(a):
    part = ld.restrict_cohort(a, ["sex=F"])
    with pytest.raises(ld.InputError, match="give the whole cohort, and the conditions in the req"):
        report_on(part)
    with pytest.raises(ld.InputError, match="there is no cohort B; give cohort B, or"):
        report_on(a, where_b=["sex=F"])


# The methods, for a paper.


def methods_of(page: str) -> str:
    match = re.search("<blockquote>(.*?)</blockquote>", page, re.DOTALL)
    assert match
    return text_of(match[1])


def test_methods_say_once_what_is_common_and_of_each_cohort_its_own(pair, report):
    """Ages, sexes and shares are those of numpy and of the library."""
    text = methods_of(report.html)
    sentences = re.split(r"(?<=\.) (?=[A-Z])", text)
    assert len(sentences) == len(set(sentences))
    assert text.count("We studied") == text.count("Total lesion volume per patient") == 1
    assert "two cohorts: A, 8 patients (a), and B, 6 patients (b)." in text
    # The first of eight has no age; B are the first six.
    spreads = [np.percentile(ages, (50, 25, 75)) for ages in (range(61, 68), range(61, 66))]
    (of_a, of_b) = ([f"{value:.1f}" for value in spread] for spread in spreads)
    assert f"Median age was {of_a[0]} years (quartiles {of_a[1]} and {of_a[2]}, " in text
    assert f"range 61 to 67; 1 missing) in A and {of_b[0]} years (quartiles {of_b[1]}" in text
    assert "Sex: 4 female (50.0 %), 4 male (50.0 %) in A and 3 female (50.0 %), 3 male" in text
    both = ld.overlap(*(cohort.at_least(2) for cohort in pair)).both
    outside = int(both.array[3].sum())
    share = 100 * outside / both.voxels
    assert f"{outside} voxels ({share:.1f} %) of them lay outside the atlas" in text


def test_methods_say_in_plain_words_who_was_asked_for(pair):
    made = report_on(*pair, where=["age>=62"], where_a=["sex=F"], where_b=["sex!=F"])
    text = methods_of(made.html)
    assert "Only patients with age of at least 62 years were included." in text
    assert "A holds only patients with female sex." in text
    assert "B holds only patients with sex other than F." in text
    assert "did not meet this were excluded (5 of 8 files in A and 4 of 6 files in B)." in text
    alone = methods_of(report_on(pair[0], where=["sex=M"]).html)
    assert "Only patients with male sex were included." in alone
    assert " in A" not in alone


def test_parts_of_one_folder_are_called_so(a):
    text = methods_of(report_on(a, a, where_a=["sex=F"], where_b=["sex=M"]).html)
    assert "two parts of the cohort a: A, 4 patients, and B, 4 patients." in text


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({}, "All masks were binary and on one grid"),
        ({"threshold": 0.5}, "Masks were the voxels of probability 0.5 or more. All were on"),
        ({"label": 1}, "Masks were the voxels of label 1. All were on one grid"),
    ],
)
def test_the_methods_say_how_masks_were_made(root, choice, sentence):
    cohort = ld.load_cohort(root / "a", choice=Binarization(**choice))
    assert sentence in methods_of(report_on(cohort, **choice).html)


def test_who_is_cited_stands_among_the_references(report):
    listed = report.html.partition("<h3>References</h3>")[2].partition("</ul>")[0]
    text = text_of(report.html)
    cited = set(re.findall(r"([A-Z][a-z]+)(?: et al\.| and [A-Z][a-z]+), \d{4}", text))
    assert {"Weaver", "Sperber", "Mah", "Harris", "Abraham", "Fonov"} == cited
    for name in (*cited, "Brett M", "Nilearn contributors", "Pustina D"):
        assert f"<li>{name}" in listed
