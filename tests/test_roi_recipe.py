"""A recipe, its run, and the script that does the same in a process of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import SHAPE, image, random_masks, write_masks

import lesion_dash as ld
from lesion_dash.core.text import call, literal
from lesion_dash.images.events import list_conditions
from lesion_dash.rois.saving import names_of_run, record_of_run, run_files

ODD_NAME = """it's "two" \\ folders', 'really"""
LABELS = np.indices(SHAPE)[0] // 3 + 1
VOLUMES = 12


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Masks of two groups with a table, an atlas, a mask, and images, below an odd name."""
    folder = tmp_path_factory.mktemp("study") / ODD_NAME
    masks = random_masks(16, seed=3)
    for mask in masks[:8]:
        mask[2:5, 2:6, 2:6] = True
    names = [f"sub-{number:02}.nii.gz" for number in range(16)]
    write_masks(folder / "a", masks[:8], names=names[:8])
    write_masks(folder / "b", masks[8:], names=names[8:])
    write_masks(folder / "all", masks, names=names)
    rows = [f"sub-{n:02}\t{'yes' if n < 8 else 'no'}\t{n % 5 + (n < 8) * 4}" for n in range(16)]
    (folder / "participants.tsv").write_text("participant_id\tstroke\tscore\n" + "\n".join(rows))
    nib.save(image(LABELS.astype(np.uint8)), folder / "atlas.nii.gz")
    (folder / "atlas.csv").write_text('index,name\n1,"left, say"\n2,middle\n3,right\n')
    nib.save(image((np.indices(SHAPE)[1] < 6).astype(np.float32)), folder / "mask.nii.gz")
    generator = np.random.default_rng(1)
    for number, name in enumerate(names):
        values = generator.normal(100, 5, SHAPE).astype(np.float32)
        values[2:5, 3:6, 3:6] += 20 * (number < 8)
        place = folder / ("images_a" if number < 8 else "images_b")
        place.mkdir(exist_ok=True)
        nib.save(image(values), place / name)
    series = generator.normal(100, 5, (*SHAPE, 2 * VOLUMES)).astype(np.float32)
    series[2:5, 3:6, 3:6, ::2] += 20
    for run in (0, 1):
        part = series[..., run * VOLUMES : (run + 1) * VOLUMES]
        nib.save(image(part), folder / f"run-{run}.nii.gz")
        (folder / f"run-{run}.txt").write_text("labels\n" + "face\nhouse\n" * (VOLUMES // 2))
    return folder


@pytest.fixture(scope="module")
def recipes(study) -> dict[str, ld.rois.RoiRecipe]:
    """One of each kind of source, and every kind of step."""
    at = {name: str(study / name) for name in ("a", "b", "all", "images_a", "images_b")}
    mask, atlas = str(study / "mask.nii.gz"), str(study / "atlas.nii.gz")
    corrected = {"map_key": "minus_log10_corrected_p"}
    files = [tuple(f"{study}/run-{run}.{kind}" for run in (0, 1)) for kind in ("nii.gz", "txt")]
    return {
        "cohorts": ld.rois.RoiRecipe(
            ld.rois.CohortsSource(at["a"], at["b"], min_patients=4),
            ld.rois.Threshold(1.3),
            steps=(
                ld.rois.InsideFile(mask),
                ld.rois.InsideRegions(atlas, ("left, say", "middle")),
                ld.rois.Morph("dilate", 1),
                ld.rois.FillHoles(),
            ),
            atlas=atlas,
            picks=(1,),
        ),
        "split": ld.rois.RoiRecipe(
            ld.rois.SplitSource(at["all"], "stroke", "yes", "no"),
            ld.rois.Threshold(0.05, "below"),
            map_key="p",
            steps=(ld.rois.MoreIn("a"), ld.rois.Morph("close", 2.5, "mm")),
        ),
        "score": ld.rois.RoiRecipe(
            ld.rois.ScoreSource(at["all"], "score", test="welch", min_lesioned=3),
            ld.rois.Threshold(2.0, "both"),
            map_key="t",
            min_voxels=2,
        ),
        "images": ld.rois.RoiRecipe(
            ld.rois.ImagesSource(at["images_a"], at["images_b"], fwhm_mm=3.0, mask=mask),
            ld.rois.Threshold(2.0),
            correction="fwe",
            n_permutations=100,
            seed=7,
            steps=(ld.rois.MoreIn("a"),),
            **corrected,
        ),
        "series": ld.rois.RoiRecipe(
            ld.rois.SeriesSource(*files, "face", "house", delay_s=0.0, fwhm_mm=2.0, mask=mask),
            ld.rois.Threshold(2.0),
            correction="fdr",
            steps=(ld.rois.InsideFile(mask, 0.5),),
            min_voxels=3,
            **corrected,
        ),
        "map": ld.rois.RoiRecipe(
            ld.rois.MapSource(at["images_a"] + "/sub-00.nii.gz"), ld.rois.Threshold(115)
        ),
    }


KINDS = ("cohorts", "split", "score", "images", "series", "map")
# A process for each would spend its time on imports: one runs all scripts, each by itself.
RUN_ALL = """
import runpy, sys
for name in sys.argv[1:]:
    runpy.run_path(name)
"""


def test_the_scripts_give_the_same_files_in_another_process(recipes, tmp_path):
    (tmp_path / "run_all.py").write_text(RUN_ALL)
    runs = {kind: ld.rois.run_recipe(recipe) for kind, recipe in recipes.items()}
    for kind, run in runs.items():
        ld.rois.save_rois(run.rois, tmp_path / kind / "here", run.values)
        text = ld.rois.script_of(run.recipe, f"{kind}/there")
        (tmp_path / f"{kind}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-W", "error", "run_all.py", *(f"{kind}.py" for kind in KINDS)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    for kind, run in runs.items():
        assert len(run.rois) > 0
        for file in (tmp_path / kind / "here").iterdir():
            if file.name != "provenance.json":
                there = tmp_path / kind / "there" / file.name
                assert file.read_bytes() == there.read_bytes(), file
        stored = nib.load(tmp_path / kind / "there" / "mask_atlas.nii")
        np.testing.assert_array_equal(np.asarray(stored.dataobj), run.rois.atlas.labels)


def test_each_source_reads_its_files(recipes):
    data = {kind: recipe.source.read() for kind, recipe in recipes.items()}
    cohorts = {kind: len(own.cohorts) for kind, own in data.items() if own.cohorts}
    assert cohorts == {"cohorts": 2, "split": 1, "score": 1}
    assert {kind for kind, own in data.items() if own.series and own.conditions} == {
        "images",
        "series",
    }
    assert data["map"].stat_map.name == "sub-00"


def test_paths_and_lists_do_as_well_as_texts_and_tuples(study, recipes, tmp_path):
    atlas, mask = study / "atlas.nii.gz", study / "mask.nii.gz"
    recipe = ld.rois.RoiRecipe(
        ld.rois.CohortsSource(study / "a", study / "b", min_patients=4),
        ld.rois.Threshold(np.float64(1.3)),
        steps=[ld.rois.InsideFile(mask), ld.rois.InsideRegions(atlas, ["left, say", "middle"])],
        atlas=atlas,
        picks=[np.int64(1)],
    )
    plain = replace(recipes["cohorts"], steps=recipes["cohorts"].steps[:2])
    assert ld.rois.script_of(recipe) == ld.rois.script_of(plain)
    run = ld.rois.run_recipe(recipe)
    check_same(run, ld.rois.run_recipe(plain))
    assert {*run_files(run), "provenance.json"} == {*names_of_run(source_has_values=True)}
    assert record_of_run(run)["parameters"]["steps"][0]["path"] == str(mask)
    series = ld.rois.SeriesSource(study / "1.nii", study / "1.tsv", "a", "b")
    assert series == ld.rois.SeriesSource((str(study / "1.nii"),), [study / "1.tsv"], "a", "b")


VALUES = st.recursive(
    st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda values: st.lists(values, max_size=5),
    max_leaves=10,
)


@given(VALUES, VALUES)
def test_a_value_stands_in_the_code_as_the_same_value(value, other):
    assert ast.literal_eval(literal(value)) == value
    taken = {}
    ld = SimpleNamespace(take=lambda *given, **named: taken.update(given=given, named=named))
    exec(call("take", literal(value), other=other, nothing=None), {"ld": ld})
    assert taken == {"given": (value,), "named": {"other": other}}


def check_same(run, other):
    np.testing.assert_array_equal(run.stat_map.array, other.stat_map.array)
    for a, b in zip(run.masks, other.masks, strict=True):
        np.testing.assert_array_equal(a.indices, b.indices)
    assert run.every.table.equals(other.every.table)
    assert run.rois.table.equals(other.rois.table)
    assert run.summary == other.summary


CHANGES = {
    "threshold": {"threshold": ld.rois.Threshold(1.0)},
    "side": {"threshold": ld.rois.Threshold(1.3, "both")},
    "map": {"map_key": "effect"},
    "correction": {"correction": "fdr", "map_key": "corrected_p", "picks": ()},
    "no steps": {"steps": ()},
    "other steps": {"steps": (ld.rois.Morph("dilate", 2), ld.rois.FillHoles())},
    "parts": {"connectivity": 6, "min_voxels": 3},
    "no picks": {"picks": ()},
    "no atlas": {"atlas": None},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_earlier_run_has_already_changes_no_result(recipes, change):
    first = recipes["cohorts"]
    second = replace(first, **CHANGES[change])
    runs = {recipe: ld.rois.run_recipe(recipe) for recipe in (first, second)}
    check_same(ld.rois.run_recipe(second, runs[first]), runs[second])
    check_same(ld.rois.run_recipe(first, runs[second]), runs[first])


def test_another_question_about_the_same_files_does_not_read_them_again(recipes):
    split = ld.rois.run_recipe(recipes["split"])
    run = ld.rois.run_recipe(recipes["score"], split)
    assert run.data.cohorts[0] is split.data.cohorts[0]
    check_same(run, ld.rois.run_recipe(recipes["score"]))
    # A step that takes the contrast is not that of another contrast.
    source = replace(recipes["split"].source, a="no", b="yes")
    turned = replace(recipes["split"], source=source)
    check_same(ld.rois.run_recipe(turned, split), ld.rois.run_recipe(turned))
    assert ld.rois.run_recipe(turned, split).masks[1].voxels != split.masks[1].voxels


def test_only_what_follows_a_change_is_computed_again(study, recipes, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for file in (study / name).iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    mask = tmp_path / "mask.nii.gz"
    mask.write_bytes((study / "mask.nii.gz").read_bytes())
    source = ld.rois.CohortsSource(str(tmp_path / "a"), str(tmp_path / "b"), min_patients=4)
    steps = (ld.rois.InsideFile(str(mask)), *recipes["cohorts"].steps[1:])
    recipe = replace(recipes["cohorts"], source=source, steps=steps)
    run = ld.rois.run_recipe(recipe)
    for file in (mask, *tmp_path.glob("?/*.nii.gz")):
        file.unlink()
    undone = ld.rois.run_recipe(recipe.undone, run)
    assert undone.contrast is run.contrast
    assert undone.stat_map is run.stat_map
    assert all(a is b for a, b in zip(undone.masks, run.masks[:-1], strict=True))
    moved = ld.rois.run_recipe(replace(recipe, threshold=ld.rois.Threshold(1.0)), run)
    assert moved.stat_map is run.stat_map
    assert moved.steps == run.steps
    with pytest.raises(ld.InputError, match="no masks found"):
        ld.rois.run_recipe(recipe)
    for left in (3, 2, 1, 0, 0):
        recipe = recipe.undone
        assert len(recipe.steps) == left
        assert recipe.picks == ()


def test_a_map_from_a_file_has_no_groups(recipes):
    recipe = recipes["map"]
    assert ld.rois.run_recipe(recipe).values is None
    for change, match in (
        ({"steps": (ld.rois.MoreIn("a"),)}, "no groups in a map from a file"),
        ({"correction": "fdr"}, "correction: is 'fdr'"),
    ):
        for use in (ld.rois.run_recipe, ld.rois.script_of):
            with pytest.raises(ld.InputError, match=match):
                use(replace(recipe, **change))


def test_no_password_of_a_url_is_recorded(recipes):
    run = ld.rois.run_recipe(recipes["map"])
    source = replace(run.recipe.source, image="https://me:secret@example.org/map.nii")
    run = replace(run, recipe=replace(run.recipe, source=source))
    for text in (str(record_of_run(run)["parameters"]), run_files(run)["roi_script.py"].decode()):
        assert "secret" not in text
        assert "example.org" in text


def test_more_in_a_and_more_in_b_part_the_map(recipes):
    recipe = replace(recipes["cohorts"], steps=(), picks=())
    a, b = (
        ld.rois.run_recipe(replace(recipe, steps=(ld.rois.MoreIn(group),))) for group in ("a", "b")
    )
    effect, beyond = a.contrast.map("effect").array, a.masks[0].array
    np.testing.assert_array_equal(a.masks[1].array, beyond & (effect > 0))
    np.testing.assert_array_equal(b.masks[1].array, beyond & (effect < 0))
    assert b.masks[1].voxels > 0
    # The table says which group has more at each peak.
    for run, group in ((a, "a"), (b, "b")):
        table = run.table_of(run.rois)
        peaks = [run.stat_map.grid.nearest_voxel(roi.peak_mm) for roi in run.rois]
        assert table["peak_effect"].tolist() == [effect[voxel] for voxel in peaks]
        assert set(table["higher_in"]) == {group}


# What a caller that waits is told.


def test_conditions_are_listed_without_images(recipes, tmp_path):
    source = recipes["series"].source
    read = ld.rois.read_conditions(source.tables, ld.read_series(source.images))
    assert list_conditions(source.tables) == tuple(read.counts)
    labels = tmp_path / "labels.txt"
    labels.write_text("labels chunks\nrest 0\nface 0\nn/a 1\nface 1\n")
    assert list_conditions([labels]) == ("face", "rest")
    assert list_conditions([labels, *source.tables]) == ("face", "house", "rest")
    (tmp_path / "notes.txt").write_text("a b\n1 2\n")
    with pytest.raises(ld.InputError, match="no column of conditions"):
        list_conditions([tmp_path / "notes.txt"])


def test_only_what_is_computed_is_reported(recipes):
    reports: list[str] = []
    recipe = replace(recipes["series"], correction="fwe", n_permutations=100)
    run = ld.rois.run_recipe(recipe, watch=reports.append)
    assert reports[:2] == ["reading the images", "testing each voxel"]
    assert reports[-2:] == ["permutation 100 of 100", "steps and regions of interest"]
    reports.clear()
    ld.rois.run_recipe(replace(recipe, threshold=ld.rois.Threshold(4.0)), run, watch=reports.append)
    assert reports == ["steps and regions of interest"]
    ld.rois.run_recipe(replace(recipe, correction="fdr"), run, watch=reports.append)
    assert reports[1:] == ["testing each voxel", "steps and regions of interest"]


def test_what_the_watcher_raises_stops_the_run(recipes):
    calls: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        calls.append((done, total))
        raise ld.Cancelled

    contrast = ld.rois.run_recipe(
        replace(recipes["series"], correction="none", map_key="t")
    ).contrast
    with pytest.raises(ld.Cancelled, match="stopped"):
        ld.rois.correct_contrast(contrast, "fwe", n_permutations=1000, progress=stop)
    [(done, total)] = calls
    assert 0 < done < total == 1000
