"""A recipe, its run, and the script that does the same in a process of its own."""

from __future__ import annotations

import ast
import json
import shutil
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

from lesion_dash.core.errors import InputError
from lesion_dash.core.python_code import call, literal
from lesion_dash.files.writing import write_atomically
from lesion_dash.rois.recipe import InsideFile, InsideRegions, MoreIn, RoiRecipe, run_recipe
from lesion_dash.rois.saving import add_run, names_of_run, save_rois, script_of
from lesion_dash.rois.sources import (
    CohortsSource,
    ImagesSource,
    MapSource,
    ScoreSource,
    SeriesSource,
    SplitSource,
)
from lesion_dash.rois.steps import FillHoles, Morph, Threshold

ODD_NAME = """it's "two" \\ folders', 'really"""
LABELS = np.indices(SHAPE)[0] // 3 + 1


@pytest.fixture
def study(tmp_path):
    """Masks of two groups with a table, an atlas, a mask, and images, below an odd name."""
    folder = tmp_path / ODD_NAME
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
    return folder


def recipes_of(folder) -> dict[str, RoiRecipe]:
    """One of each kind of source, and every kind of step."""
    at = {name: str(folder / name) for name in ("a", "b", "all", "images_a", "images_b")}
    mask, atlas = str(folder / "mask.nii.gz"), str(folder / "atlas.nii.gz")
    regions = InsideRegions(atlas, ("left, say", "middle"))
    return {
        "cohorts": RoiRecipe(
            CohortsSource(at["a"], at["b"], min_patients=4),
            Threshold(1.3),
            steps=(InsideFile(mask), regions, Morph("dilate", 1), FillHoles()),
            atlas=atlas,
            picks=(1,),
        ),
        "split": RoiRecipe(
            SplitSource(at["all"], "stroke", "yes", "no"),
            Threshold(0.05, "below"),
            map_key="p",
            steps=(MoreIn("a"), Morph("close", 2.5, "mm")),
        ),
        "score": RoiRecipe(
            ScoreSource(at["all"], "score", test="welch", min_lesioned=3),
            Threshold(2.0, "both"),
            map_key="t",
            min_voxels=2,
        ),
        "images": RoiRecipe(
            ImagesSource(at["images_a"], at["images_b"], fwhm_mm=3.0, mask=mask),
            Threshold(2.0),
            map_key="minus_log10_corrected_p",
            correction="fwe",
            n_permutations=100,
            seed=7,
            steps=(MoreIn("a"),),
        ),
        "map": RoiRecipe(MapSource(at["images_a"] + "/sub-00.nii.gz"), Threshold(115)),
    }


KINDS = ("cohorts", "split", "score", "images", "map")


def run_script(text, folder):
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-W", "error", "script.py"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)


def check_script(recipe, tmp_path):
    """The script's files are those of the run, byte by byte, but for the date."""
    run = run_recipe(recipe)
    assert len(run.rois) > 0
    save_rois(run.rois, tmp_path / "here", run.values)
    run_script(script_of(recipe, "out"), tmp_path / "there")
    for file in (tmp_path / "here").iterdir():
        if file.name != "provenance.json":
            assert file.read_bytes() == (tmp_path / "there" / "out" / file.name).read_bytes()
    stored = nib.load(tmp_path / "there" / "out" / "mask_atlas.nii")
    np.testing.assert_array_equal(np.asarray(stored.dataobj), run.rois.atlas.labels)


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_gives_the_same_files_in_a_process_of_its_own(study, tmp_path, kind):
    check_script(recipes_of(study)[kind], tmp_path)


def test_the_script_of_the_sample_series_does_so_too(sample_data, tmp_path):
    folder = tmp_path / ODD_NAME
    shutil.copytree(sample_data / "series", folder)
    runs = [str(folder / f"sub-01_task-pictures_run-{number}") for number in (1, 2)]
    source = SeriesSource(
        tuple(f"{run}_bold.nii.gz" for run in runs),
        tuple(f"{run}_events.tsv" for run in runs),
        "face",
        "house",
        fwhm_mm=8.0,
    )
    steps = (InsideFile(str(folder / "sub-01_brain_mask.nii.gz")), Morph("dilate", 1))
    recipe = RoiRecipe(source, Threshold(3.0), correction="fdr", steps=steps, min_voxels=3)
    check_script(replace(recipe, map_key="minus_log10_corrected_p"), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_names_public_functions_only(study, kind):
    tree = ast.parse(script_of(recipes_of(study)[kind]))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "ld"
    }
    import lesion_dash

    assert used <= set(lesion_dash.__all__)
    imported = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert len(imported) == 1
    assert max(map(len, script_of(recipes_of(study)[kind]).splitlines())) < 400


def test_paths_and_lists_do_as_well_as_texts_and_tuples(study, tmp_path):
    atlas, mask = study / "atlas.nii.gz", study / "mask.nii.gz"
    given = RoiRecipe(
        CohortsSource(study / "a", study / "b", min_patients=4),
        Threshold(np.float64(1.3)),
        steps=[InsideFile(mask), InsideRegions(atlas, ["left, say", "middle"])],
        atlas=atlas,
        picks=[np.int64(1)],
    )
    recipe = replace(recipes_of(study)["cohorts"], steps=recipes_of(study)["cohorts"].steps[:2])
    assert script_of(given) == script_of(recipe)
    run = run_recipe(given)
    same_runs(run, run_recipe(recipe))
    names = names_of_run(source_has_values=True)
    with write_atomically(tmp_path / "out", names) as writer:
        add_run(writer, run)
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["parameters"]["steps"][0]["path"] == str(mask)
    one = SeriesSource(study / "1.nii", study / "1.tsv", "a", "b")
    assert one == SeriesSource((str(study / "1.nii"),), [study / "1.tsv"], "a", "b")


VALUES = st.recursive(
    st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda values: st.lists(values, max_size=9),
    max_leaves=20,
)


@given(VALUES, VALUES)
def test_a_value_stands_in_the_code_as_the_same_value(one, other):
    assert ast.literal_eval(literal(one)) == one
    kept = {}
    ld = SimpleNamespace(take=lambda *given, **named: kept.update(given=given, named=named))
    exec(call("take", literal(one), other=other, nothing=None), {"ld": ld})
    assert kept == {"given": (one,), "named": {"other": other}}


def same_runs(one, other):
    np.testing.assert_array_equal(one.found.array, other.found.array)
    for a, b in zip(one.masks, other.masks, strict=True):
        np.testing.assert_array_equal(a.indices, b.indices)
    assert one.every.table.equals(other.every.table)
    assert one.rois.table.equals(other.rois.table)
    assert one.summary == other.summary


CHANGES = {
    "threshold": {"threshold": Threshold(1.0)},
    "side": {"threshold": Threshold(1.3, "both")},
    "map": {"map_key": "effect"},
    "correction": {"correction": "fdr", "map_key": "corrected_p", "picks": ()},
    "no steps": {"steps": ()},
    "other steps": {"steps": (Morph("dilate", 2), FillHoles())},
    "parts": {"connectivity": 6, "min_voxels": 3},
    "no picks": {"picks": ()},
    "no atlas": {"atlas": None},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_earlier_run_has_already_changes_no_result(study, change):
    first = recipes_of(study)["cohorts"]
    second = replace(first, **CHANGES[change])
    runs = {recipe: run_recipe(recipe) for recipe in (first, second)}
    same_runs(run_recipe(second, runs[first]), runs[second])
    same_runs(run_recipe(first, runs[second]), runs[first])


@pytest.mark.parametrize("kind", ["split", "score"])
def test_another_question_about_the_same_files_does_not_read_them_again(study, kind):
    recipes = recipes_of(study)
    split = run_recipe(recipes["split"])
    run = run_recipe(recipes[kind], split)
    assert run.data.cohorts[0] is split.data.cohorts[0]
    same_runs(run, run_recipe(recipes[kind]))


def test_a_step_that_asks_the_contrast_is_not_taken_from_another_one(study):
    recipe = replace(recipes_of(study)["split"], steps=(MoreIn("a"),))
    turned = replace(recipe, source=replace(recipe.source, a="no", b="yes"))
    run = run_recipe(recipe)
    same_runs(run_recipe(turned, run), run_recipe(turned))
    assert run_recipe(turned, run).masks[-1].voxels != run.masks[-1].voxels


def test_only_what_follows_a_change_is_computed_again(study):
    recipe = recipes_of(study)["cohorts"]
    run = run_recipe(recipe)
    for mask in study.glob("*/*.nii.gz"):
        mask.unlink()
    (study / "mask.nii.gz").unlink()
    undone = run_recipe(recipe.undone, run)
    assert undone.contrast is run.contrast
    assert undone.found is run.found
    assert all(a is b for a, b in zip(undone.masks, run.masks[:-1], strict=True))
    moved = run_recipe(replace(recipe, threshold=Threshold(1.0)), run)
    assert moved.found is run.found
    assert moved.steps == run.steps
    with pytest.raises(InputError, match="no masks found"):
        run_recipe(recipe)


def test_undone_recipes_lead_back_to_the_threshold(study):
    recipe = recipes_of(study)["cohorts"]
    for left in (3, 2, 1, 0, 0):
        recipe = recipe.undone
        assert len(recipe.steps) == left
        assert recipe.picks == ()


def test_a_map_from_a_file_has_no_groups(study):
    recipe = recipes_of(study)["map"]
    assert run_recipe(recipe).values is None
    with pytest.raises(InputError, match="no groups in a map from a file"):
        run_recipe(replace(recipe, steps=(MoreIn("a"),)))
    with pytest.raises(InputError, match="correction: is 'fdr'"):
        run_recipe(replace(recipe, correction="fdr"))


def test_more_in_a_and_more_in_b_part_the_map(study):
    recipe = replace(recipes_of(study)["cohorts"], steps=(), picks=())
    sides = [run_recipe(replace(recipe, steps=(MoreIn(group),))) for group in ("a", "b")]
    effect = sides[0].contrast.map("effect").array
    beyond = sides[0].masks[0].array
    np.testing.assert_array_equal(sides[0].masks[1].array, beyond & (effect > 0))
    np.testing.assert_array_equal(sides[1].masks[1].array, beyond & (effect < 0))
    assert effect[beyond & (effect < 0)].size > 0
