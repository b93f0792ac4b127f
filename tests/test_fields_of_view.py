"""Cohorts and maps whose fields of view differ by whole voxels: compared on their union."""

from __future__ import annotations

import numpy as np
import pytest
from cohorts import cohort_of
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import random_masks, write_masks

import lesion_dash as ld
from lesion_dash.cli import main
from lesion_dash.dashboard.comparison_service import ComparisonService, PairRequest
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.compare_place import place_html
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.state import Selection
from lesion_dash.report.figures import drawings
from lesion_dash.report.findings import find_all
from lesion_dash.rois import contrast_cohorts

WORLD = (9, 8, 7)
"""Voxels of 2 mm in which all boxes of these tests lie."""

BOXES = st.tuples(*(st.integers(0, 3) for _ in WORLD), *(st.integers(4, 5) for _ in WORLD))
"""First voxel and size of a field of view."""


def affine_at(first, flip=False):
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = 2 * np.array(first)
    return affine @ np.diag([-1.0, 1, 1, 1]) if flip else affine


def part_of(box):
    first, size = box[:3], [min(n, w - f) for n, w, f in zip(box[3:], WORLD, box[:3], strict=True)]
    return tuple(slice(f, f + n) for f, n in zip(first, size, strict=True))


def cohort_in(box, patients, seed, name, flip=False):
    """A cohort in a box of the world, and its masks in the world."""
    part = part_of(box)
    shape = tuple(s.stop - s.start for s in part)
    masks = random_masks(patients, seed, shape)
    world = np.zeros((patients, *WORLD), bool)
    world[(slice(None), *part)] = masks
    affine = affine_at(box[:3])
    if flip:
        affine = affine @ np.diag([-1.0, 1, 1, 1])
        affine[0, 3] += 2 * (shape[0] - 1)
        masks = [mask[::-1] for mask in masks]
    return cohort_of(masks, affine, name), world


def in_world(mapped, background=np.nan):
    """The values of a map at the voxels of the world, and those of no voxel elsewhere."""
    world = np.indices(WORLD).reshape(3, -1).T
    places = np.rint(mapped.grid.to_voxel(2.0 * world)).astype(int)
    inside = ((places >= 0) & (places < mapped.grid.shape)).all(axis=1)
    values = np.full(len(world), float(background))
    values[inside] = mapped.array[tuple(places[inside].T)]
    return values.reshape(WORLD)


def seen_in(box):
    seen = np.zeros(WORLD, bool)
    seen[part_of(box)] = True
    return seen


@given(BOXES, BOXES, st.integers(0, 999), st.booleans())
@settings(max_examples=25, deadline=None)
def test_differences_are_those_of_the_world_and_turn_their_sign(box_a, box_b, seed, flip):
    (a, world_a), (b, world_b) = (
        cohort_in(box_a, 4, seed, "a"), cohort_in(box_b, 3, seed + 1, "b", flip)
    )  # fmt: skip
    there, back = ld.cohort_differences(a, b, 1), ld.cohort_differences(b, a, 1)
    seen = seen_in(box_a) & seen_in(box_b)
    expected = 100 * (world_a.mean(axis=0) - world_b.mean(axis=0))
    found = in_world(there.frequency)
    np.testing.assert_allclose(found[seen], expected[seen], atol=1e-12)
    assert np.isnan(found[~seen]).all()  # what one cohort has no data of is not known
    for key in there.keys:
        np.testing.assert_array_equal(in_world(there.map(key)), -in_world(back.map(key)))
    n_a = world_a.sum(axis=0) > 0
    beyond = int((n_a & ~seen_in(box_b)).sum())
    text = f"{beyond:,} voxels of A ({100 * beyond / max(n_a.sum(), 1):.1f} %) lie outside B's"
    assert any(note.startswith(text) for note in there.notes) == (beyond > 1)


@given(BOXES, BOXES, st.integers(0, 999), st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_overlap_is_that_of_the_world_whichever_comes_first(box_a, box_b, seed, flip):
    (a, world_a), (b, world_b) = (
        cohort_in(box_a, 4, seed, "a"), cohort_in(box_b, 3, seed + 1, "b", flip)
    )  # fmt: skip
    masks = [cohort.at_least(2) for cohort in (a, b)]
    sets = [world.sum(axis=0) >= 2 for world in (world_a, world_b)]
    there, back = ld.overlap(*masks), ld.overlap(*reversed(masks))
    for result, (one, other) in ((there, sets), (back, sets[::-1])):
        assert result.both.voxels == (one & other).sum()
        assert result.either.voxels == (one | other).sum()
        assert result.only_a.voxels == (one & ~other).sum()
        np.testing.assert_array_equal(in_world(result.both, 0) > 0, one & other)
    assert there.dice == pytest.approx(back.dice, nan_ok=True)


@given(BOXES, BOXES, st.integers(0, 999), st.booleans())
@settings(max_examples=15, deadline=None)
def test_a_contrast_tests_what_both_cohorts_have_data_of(box_a, box_b, seed, flip):
    (a, world_a), (b, world_b) = (
        cohort_in(box_a, 5, seed, "a"), cohort_in(box_b, 4, seed + 1, "b", flip)
    )  # fmt: skip
    seen = seen_in(box_a) & seen_in(box_b) & (world_a.any(axis=0) | world_b.any(axis=0))
    for test in ("fisher", "welch"):
        there = contrast_cohorts(a, b, test=test)
        back = contrast_cohorts(b, a, test=test)
        p = in_world(there.map("p"))
        assert p.shape == WORLD
        assert there.voxels <= seen.sum()
        effect = 100 * (world_a.mean(axis=0) - world_b.mean(axis=0))
        places = tuple(np.rint(there.grid.mm_of_index(there.indices) / 2).astype(int).T)
        assert seen[places].all()
        np.testing.assert_allclose(there.effect, effect[places], atol=1e-12)
        np.testing.assert_array_equal(in_world(there.map("p"), -1), in_world(back.map("p"), -1))


def test_permutations_of_cohorts_in_two_fields_are_those_in_one():
    a, world_a = cohort_in((0, 0, 0, 5, 5, 5), 5, 3, "a")
    b, world_b = cohort_in((1, 2, 1, 5, 5, 5), 4, 4, "b", flip=True)
    seen = seen_in((0, 0, 0, 5, 5, 5)) & seen_in((1, 2, 1, 5, 5, 5))
    whole = [cohort_of(world & seen, affine_at((0, 0, 0)), name) for world, name in
             ((world_a, "a"), (world_b, "b"))]  # fmt: skip
    results = [
        ld.rois.correct_contrast(
            contrast_cohorts(*pair, test="student"), "fwe", n_permutations=50
        ).map("corrected_p")
        for pair in ((a, b), whole)
    ]
    np.testing.assert_array_equal(*(in_world(result) for result in results))


def test_fields_that_do_not_meet_are_refused():
    a, _ = cohort_in((0, 0, 0, 4, 4, 4), 2, 0, "a")
    b = cohort_of(random_masks(2, 1, (4, 4, 4)), affine_at((40, 0, 0)), "b")
    for compare in (ld.cohort_differences, contrast_cohorts):
        with pytest.raises(ld.InputError, match=r"b: .*fields of view"):
            compare(a, b)
    with pytest.raises(ld.InputError, match="fields of view"):
        ld.overlap(a.at_least(1), b.at_least(1))


@pytest.fixture
def folders(tmp_path):
    """B reaches a voxel less far to the right than A; stray voxels of A lie there."""
    masks = random_masks(4, 5, (6, 5, 5))
    write_masks(tmp_path / "a", masks, affine_at((0, 0, 0)))
    write_masks(
        tmp_path / "b", [mask[:5] for mask in random_masks(3, 6, (6, 5, 5))], affine_at((0, 0, 0))
    )
    labels = np.ones((6, 5, 5), np.int16)
    labels[5] = 2
    write_masks(tmp_path, [labels], affine_at((0, 0, 0)), ["atlas.nii.gz"])
    (tmp_path / "atlas.csv").write_text("id,name\n1,Inner\n2,Rim\n")
    beyond = int(np.stack(masks).any(axis=0)[5].sum())
    return tmp_path, beyond


@pytest.mark.parametrize("command", ["compare", "overlap", "roi"])
@pytest.mark.parametrize("order", ["ab", "ba"])
def test_every_command_compares_them_in_either_order_and_counts(folders, command, order, capsys):
    folder, beyond = folders
    places = [str(folder / name) for name in order]
    atlas = ["--atlas", str(folder / "atlas.nii.gz")]
    options = {
        "compare": [*places, "-k", "1"],
        "overlap": [*places, *atlas, "-k", "1"],
        "roi": ["--cohorts", *places, "--use", "p", "--side", "below", "--threshold", "1.1"],
    }[command]  # fmt: skip
    assert main([command, *options, "-o", str(folder / "out")]) == 0
    who, other = ("A", "B") if order[0] == "a" else ("B", "A")
    said = capsys.readouterr().err
    assert f"{beyond} voxels of {who} (" in said
    assert f"outside {other}'s field of view: {other} has no data there" in said


def test_a_report_tells_them_and_draws_what_lies_beyond(folders):
    folder, beyond = folders
    b, a = (ld.load_cohort(folder / name) for name in "ba")
    findings = find_all(b, a, (), ld.ReportRequest(1))
    assert f"{beyond} voxels of B (" in "".join(findings.differences.notes)
    pictures = drawings(findings)
    assert all(pictures[name]().png for name in ("mean_a", "frequency"))


def test_the_page_shows_them_in_either_order(folders):
    folder, beyond = folders
    session = Session(DataRoot(folder))
    beside = (10.0, 4.0, 4.0)  # a place that A alone has data of
    for a, b in ("ab", "ba"):
        session.check_pair(a, b)
        chosen = Selection(a, b, 1, "", "overlap")
        assert (
            f"{beyond} voxels of {'A' if a == 'a' else 'B'} (" in session.overlap(chosen).notes[0]
        )
        assert session.layer(chosen).array.shape == (6, 5, 5)
        service, request = ComparisonService(session), PairRequest(a, b, 1)
        place = service.place(request, beside)
        side = place.b if a == "a" else place.a
        assert not side.is_seen
        assert np.isnan(place.difference("frequency"))
        assert "outside its field of view" in place_html("frequency", place)
        assert service.pair(request).a.grid.shape == (6, 5, 5)


def test_regions_beyond_a_field_are_told(folders):
    folder, _ = folders
    a, b = (ld.load_cohort(folder / name) for name in "ab")
    found = ld.region_differences(a, b, ld.load_atlas(folder / "atlas.nii.gz"), 1)
    assert any("1 of 2 regions" in note and "Rim" in note for note in found.notes)


def test_a_step_within_a_larger_mask_is_cut_and_told():
    a, _ = cohort_in((0, 0, 0, 4, 4, 4), 4, 1, "a")
    larger = ld.Mask.from_array(np.ones(WORLD), ld.Grid(WORLD, affine_at((0, 0, 0))), "larger")
    small = a.at_least(1)
    kept = ld.rois.Within(larger).apply(small)
    np.testing.assert_array_equal(kept.indices, small.indices)
    assert any(f"{larger.voxels - small.grid.size} voxels" in note for note in kept.notes)
