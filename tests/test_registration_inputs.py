"""What a registration compares and tells: CT within a brain window, masks that a warp resizes."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from heads import (
    BRAIN,
    SKULL,
    WHOLE,
    apply,
    brain_points,
    errors,
    grid_around,
    make_grid,
    make_head,
    make_pose,
)

from lesion_dash.core.grid import Grid
from lesion_dash.images.hounsfield import brain_window, is_hounsfield
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.scans import register_image
from lesion_dash.scans.registration.process import Outcome
from lesion_dash.scans.registration.quality import Evidence, Fit, SimpleITKEngine
from lesion_dash.scans.registration.register import read_inputs
from lesion_dash.scans.registration.task import Quality
from lesion_dash.transforms.transform import Field, Transform, points_of

GRID = make_grid(*WHOLE)
HEAD = Map("head", make_head(GRID), GRID, "", "")
RANDOM = np.random.default_rng(0)


def scanned(grid, pose=None, air=-1000.0, bone=1100.0, noise=6.0):
    """The head in Hounsfield units: brain 15 to 45, skull, skin and air."""
    points = points_of(grid) if pose is None else apply(pose, points_of(grid))
    values = make_head(grid, pose)

    def inside(ellipsoid):
        centre, axes = np.array(ellipsoid, float)
        return np.linalg.norm((points - centre) / axes, axis=-1) < 1

    brain = 15 + 0.3 * values
    ct = np.select([inside(BRAIN), inside(SKULL), values > 30], [brain, bone, 20.0], air)
    return ct + noise * RANDOM.normal(size=ct.shape) * (ct > -500)


def phases(masked: bool):
    values = RANDOM.uniform(-4096, 4095, GRID.shape)
    return np.where(HEAD.array > 20, values, 0 if masked else values)


CT = scanned(GRID)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (CT, True),
        (CT.astype(np.int16), True),
        (np.where(np.indices(CT.shape)[0] < 4, np.nan, CT), True),
        (np.where(np.indices(CT.shape)[0] < 9, 0, CT), True),  # moved by another program before
        (np.where(CT < -500, -3024, CT), True),  # the padding of a scanner
        (scanned(GRID, noise=25), True),
        (scanned(GRID, air=-1024, bone=2800), True),
        (np.where(CT > 300, -1000, CT), True),  # without its skull
        (HEAD.array, False),
        (HEAD.array - 1000, False),
        (np.clip(CT, 0, 80), False),
        (phases(masked=True), False),
        (phases(masked=False), False),
        (RANDOM.normal(0, 300, GRID.shape), False),  # a field map
        (np.where(HEAD.array > 20, RANDOM.normal(0, 300, GRID.shape), 0), False),
        (np.full((9, 9, 9), -1000), False),
        (np.zeros((9, 9, 9), np.uint8), False),
        (np.full((9, 9, 9), np.nan), False),
    ],
)
def test_hounsfield_units_are_told_from_what_is_alike(array, expected):
    assert is_hounsfield(array) is expected
    cut = brain_window(array)
    assert cut.dtype == array.dtype
    np.testing.assert_array_equal(cut, np.clip(array, 0, 80) if expected else array)


@pytest.mark.parametrize("kind", ["rigid", "affine", "deformable"])
def test_engines_compare_a_ct_within_the_brain_window_and_a_note_says_so(kind):
    for moving, template in (
        (Map("ct", CT, GRID, "", ""), HEAD),
        (HEAD, Map("ct", CT, GRID, "", "")),
    ):
        inputs = read_inputs(moving, template, None, (), kind)
        task = inputs.task(kind)
        cut = {"ct": np.clip(CT, 0, 80).astype(np.float32), "head": HEAD.array}
        np.testing.assert_array_equal(task.moving.array, cut[moving.name])
        np.testing.assert_array_equal(task.template.array, cut[template.name])
        (note,) = inputs.notes
        assert note.startswith("ct looks like a CT in Hounsfield units")
        assert "0 ... 80" in note
    assert read_inputs(HEAD, HEAD, None, (), kind).notes == ()


def quiet(_done, _label):
    pass


def fit_of(transform) -> Fit:
    evidence = Evidence(0.6, 0.1, 0.1, 0.1, 1.0, starts=9, agreeing=9)  # nothing to doubt
    return Fit(transform, evidence, Quality(0.1, 0.6, 1.0, 1.0, 1.0, 1.0, 9, 9))


def test_a_tilted_ct_of_thick_slices_comes_to_lie_on_a_head_with_its_values(monkeypatch):
    """Refined from a place nearby; a whole search takes 10 s."""
    pose = make_pose((12, 3, -4), (8, 20, -15))
    around = grid_around(pose, 6)
    thick = Grid((41, 41, 30), around.affine @ np.diag([1, 1, 41 / 30, 1]))
    ct = Map("ct", scanned(thick, pose).astype(np.float32), thick, "", "")

    def run_in_worker(task, _engine, report):
        start = Transform(make_pose((2, -3, 2), (5, -4, 6)) @ pose)
        found = SimpleITKEngine(polishes=False).register(replace(task, start=start), report)
        return Outcome(fit_of(found), 1.0, 1.0)

    monkeypatch.setattr("lesion_dash.scans.registration.register.run_in_worker", run_in_worker)
    made = register_image(ct, HEAD, "rigid", report=quiet)
    assert errors(made.transform, pose, brain_points()).mean() < 2
    assert made.image.array.min() < -900
    assert made.image.array.max() > 900


@pytest.mark.parametrize(
    ("scale", "is_told"), [(1.0, False), (0.95, False), (0.8, True), (1.15, True)]
)
def test_a_mask_that_a_warp_resizes_is_told(monkeypatch, scale, is_told):
    """The affine part doubles volumes, which is not a reason; the warp scales beyond it."""
    centre, double = np.array(BRAIN[0]), make_pose(scale=2 ** (1 / 3))
    near = np.linalg.norm(points_of(GRID) - centre, axis=-1) < 40
    lesion = Mask.from_array(near, GRID, "lesion")
    whole = double @ make_pose(scale=scale)
    warp = Transform(
        double,
        Field.of(GRID, partial(apply, np.linalg.inv(whole))),
        Field.of(GRID, partial(apply, whole)),
    )
    outcome = Outcome(fit_of(warp), 1.0, 1.0)
    place = "lesion_dash.scans.registration.register.run_in_worker"
    monkeypatch.setattr(place, lambda *_: outcome)
    others = [
        lesion,
        Map("drawn", near.astype(np.uint8) * 3, GRID, "", ""),
        replace(HEAD, name="t2"),
    ]
    made = register_image(HEAD, HEAD, "deformable", others=others)
    told = [note for note in made.notes if "affine part" in note]
    assert [note.partition(":")[0] for note in told] == ["lesion", "drawn"] * is_told
    for note in told:
        assert "give it as the lesion" in note
        before, after = (float(size) for size in re.findall(r"([\d.]+) mL", note))
        assert after / before == pytest.approx(2 * scale**3, rel=0.03)
    linear = Outcome(fit_of(Transform(whole)), 1.0, 1.0)
    monkeypatch.setattr(place, lambda *_: linear)
    made = register_image(HEAD, HEAD, "affine", others=others)
    assert not any("affine part" in note for note in made.notes)
