"""Which space each input states, and what is told where they differ."""

from __future__ import annotations

import json
import pickle
import shlex

import nibabel as nib
import numpy as np
import pytest
from grids import affine, rotation
from phantoms import AFFINE, SHAPE, random_masks, save

import lesion_dash as ld
from lesion_dash.analyses.load import Load
from lesion_dash.analyses.overlap import OverlapRequest
from lesion_dash.analyses.validation import check_path
from lesion_dash.cli import main, read_request
from lesion_dash.core.space import space_of_user
from lesion_dash.images.nifti import make_image
from lesion_dash.images.space import space_of

LABELS = np.ones(SHAPE, np.int16)
LABELS[4:] = 2
NATIVE = affine((0.45, 0.45, 6.5), (-27, -32, -26), rotation(x=12))


def folder_of(root, *, code=4, matrix=AFFINE, name="sub-{}_lesion.nii.gz", number=3):
    """Masks of one form code; `name` holds a place for the number."""
    root.mkdir(parents=True, exist_ok=True)
    for place, mask in enumerate(random_masks(number, 4), 1):
        save(root / name.format(place), mask.astype(np.uint8), matrix, code)
    return root


def atlas_in(root, name="atlas", code=4):
    path = save(root / f"{name}.nii.gz", LABELS, code=code)
    (root / f"{name}.csv").write_text("id,name\n1,Left region L\n2,Right region R\n")
    return path


@pytest.mark.parametrize(
    ("name", "code", "sidecar", "expected"),
    [
        ("lesion", 4, None, "MNI152 (sform code 4)"),
        ("lesion", 3, None, "Talairach space (sform code 3)"),
        ("lesion", 1, None, "scanner space (sform code 1)"),
        ("lesion", 2, None, "no standard space (sform code 2: aligned to another scan)"),
        ("sub-1_space-MNI152NLin6Asym_mask", 1, None, "MNI152NLin6Asym (space-"),
        ("sub-1_space-mni152nlin2009casym_res-2_mask", 1, None, "MNI152NLin2009cAsym (space-"),
        ("sub-1_space-T1w_label-lesion_mask", 4, None, "scanner space (space-T1w in the name)"),
        ("tpl-MNI152NLin2009cAsym_atlas-X_dseg", 4, None, "MNI152NLin2009cAsym (tpl-"),
        ("lesion_mni", 1, None, "MNI152 (mni in the name)"),
        ("NKI_001_lesion", 1, None, "scanner space (sform code 1)"),
        ("Talairach-labels-2mm", 0, None, "Talairach space (Talairach in the name)"),
        ("Schaefer2018_100Parcels_FSLMNI152_2mm", 0, None, "MNI152NLin6Asym (MNI"),
        ("lesion", 1, {"SpatialReference": "MNI152NLin6Asym"}, "MNI152NLin6Asym (SpatialRef"),
        (
            *("lesion", 4),
            {"SpatialReference": "https://templateflow.s3/tpl-MNI305_res-2_T1w.nii.gz"},
            "MNI305 (SpatialReference in lesion.json)",
        ),
        ("lesion", 4, {"SpatialReference": {"VolumeReference": "bids::sub-1_T1w.nii.gz"}}, "scan"),
        ("sub-1_space-MNI305_mask", 4, {"SpatialReference": "orig"}, "MNI305 (space-"),
        ("lesion", 4, {"SpatialReference": 5}, "MNI152 (sform code 4)"),
        ("lesion", 4, "no JSON", "MNI152 (sform code 4)"),
    ],
)
def test_the_space_is_what_name_sidecar_or_header_say(tmp_path, name, code, sidecar, expected):
    path = save(tmp_path / f"{name}.nii.gz", LABELS, code=code)
    if sidecar is not None:
        text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
        (tmp_path / f"{name}.json").write_text(text)
    grid = ld.read_map(path).grid
    assert str(space_of(grid)).startswith(expected)
    assert space_of(pickle.loads(pickle.dumps(grid))) == space_of(grid)
    assert space_of(ld.load_atlas(path).grid) == space_of(grid)


@pytest.mark.parametrize(
    ("shape", "first", "edges", "is_mni"),
    [
        ((91, 109, 91), (-90, -126, -72), (2, 2, 2), True),
        ((91, 109, 91), (90, -126, -72), (-2, 2, 2), True),
        ((182, 218, 182), (90, -126, -72), (-1, 1, 1), True),
        ((197, 233, 189), (-98, -134, -72), (1, 1, 1), True),
        ((193, 229, 193), (-96, -132, -78), (1, 1, 1), True),
        ((157, 189, 136), (78, -112, -50), (-1, 1, 1), True),  # SPM8's box
        ((61, 73, 61), (-90, -126, -72), (3, 3, 3), True),
        ((141, 172, 110), (70, -104, -44), (-1, 1, 1), True),  # cut to the brain
        ((91, 109, 91), (-90.5, -126.3, -72.2), (2, 2, 2), False),
        ((256, 256, 256), (-128, -128, -128), (1, 1, 1), False),
        ((91, 109, 60), (-90, -126, -72), (2, 2, 3), False),
        ((20, 24, 20), (-20, -26, -18), (2, 2, 2), False),
    ],
)
def test_a_scanner_code_on_an_mni_grid_is_mni_and_no_alarm(shape, first, edges, is_mni):
    assert space_of(ld.Grid(shape, affine(edges, first), 1)).is_mni == is_mni


def test_masks_in_scanner_space_are_told_once_for_all(tmp_path, capsys):
    """Every patient's scan has the same matrix, as one protocol gives it."""
    masks = folder_of(tmp_path / "masks", code=1, matrix=NATIVE)
    cohort = ld.load_cohort(masks)
    (note,) = [note for note in cohort.notes if "common space" in note]
    assert note.startswith("all 3 masks, such as sub-1_lesion.nii.gz, state scanner space (sform")
    assert "oblique grid of voxels of 0.45 x 0.45 x 6.5 mm" in note
    assert not any("space" in reason for each in cohort.used for reason in each.reasons)
    for command in (["stats", str(masks), "-k", "1", "-o", str(tmp_path / "out")],
                    ["check", str(masks)]):  # fmt: skip
        main(command)
        printed = "".join(capsys.readouterr())
        assert printed.count(note) == 1
    assert "space: scanner space (sform code 1)" in printed


def test_masks_in_talairach_space_are_told_alone_and_beside_others(tmp_path, capsys):
    talairach = folder_of(tmp_path / "old", code=3, name="old-{}.nii.gz")
    (note,) = ld.load_cohort(talairach).notes
    assert note.startswith(
        "all 3 masks, such as old-1.nii.gz, state Talairach space (sform code 3)"
    )
    assert not ld.load_cohort(talairach, space="MNI152").notes
    other = folder_of(tmp_path / "new", name="new-{}.nii.gz")
    out = str(tmp_path / "out")
    for command in ("overlap", "compare", "report"):
        assert main([command, str(talairach), str(other), "-k", "1", "-o", out + command]) == 0
        printed = "".join(capsys.readouterr())
        assert printed.count("A states Talairach space (sform code 3), B MNI152") == 1, command
    (atlas, mask) = atlas_in(tmp_path, code=3), talairach / "old-1.nii.gz"
    for path in (atlas, mask):
        assert main(["check", str(path)]) == 1
        assert "Talairach space (sform code 3)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([{"code": 4}], ()),
        ([{"code": 2}], ("all 3 masks", "no standard space")),
        ([{"code": 0}], ("all 3 masks", "no standard space")),
        ([{"name": "sub-{}_space-T1w_mask.nii.gz"}], ("all 3 masks", "space-T1w in the name")),
        (
            [{"name": "a-{}.nii.gz"}, {"code": 1, "name": "b-{}.nii.gz", "number": 1}],
            ("3 masks MNI152 (sform code 4), such as a-1", "1 mask scanner space", "as b-1"),
        ),
        (
            [
                {"name": f"sub-{{}}_space-{label}_mask.nii.gz"}
                for label in ("MNI305", "IXI549Space")
            ],
            ("3 masks MNI305", "3 masks IXI549Space"),
        ),
        ([{"name": "a-{}.nii.gz"}, {"name": "a-{}_space-MNI152NLin6Asym.nii.gz"}], ()),
    ],
)
def test_a_cohort_says_what_its_masks_state(tmp_path, made, words):
    for options in made:
        folder_of(tmp_path / "masks", **options)
    cohort = ld.load_cohort(tmp_path / "masks", several_files="separate")
    notes = [note for note in cohort.notes if "common space" in note]
    assert len(notes) == bool(words)
    assert all(word in notes[0] for word in words)
    stated = ld.load_cohort(tmp_path / "masks", space="MNI152NLin6Asym", several_files="separate")
    assert not [note for note in stated.notes if "common space" in note]
    assert str(space_of(stated.grid)) == "MNI152NLin6Asym (stated by the user)"
    assert stated.grid.code == 4


@pytest.mark.parametrize(
    ("atlas", "map_name", "words"),
    [
        ({"code": 3}, "t_map", ("Talairach space (sform code 3)", "MNI152 (sform", "10 mm")),
        ({"code": 1}, "t_map", ("scanner space (sform code 1)", "MNI152 (sform")),
        ({"code": 5}, "t_map", ("another template (sform code 5)",)),
        (
            {"name": "tpl-MNI152NLin2009cAsym_dseg"},
            *(
                "x_space-MNI152NLin6Asym_stat",
                ("MNI152NLin2009cAsym", "MNI152NLin6Asym", "some mm"),
            ),
        ),
        ({"name": "tpl-MNI152NLin6Asym_dseg"}, "t_map", ()),
        ({"code": 4}, "t_map", ()),
    ],
)
def test_map_and_atlas_of_two_spaces_are_told_before_the_numbers(
    tmp_path, capsys, atlas, map_name, words
):
    path = atlas_in(tmp_path, **atlas)
    values = save(tmp_path / f"{map_name}.nii.gz", random_masks(1)[0].astype(np.float32))
    out = tmp_path / "out.csv"
    assert main(["assign", str(values), "--atlas", str(path), "-o", str(out)]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "states" in line]
    assert len(told) == bool(words)
    assert all(word in told[0] for word in words)
    record = json.loads((tmp_path / "out.provenance.json").read_text())
    assert {each["kind"]: each["space"]["name"] for each in record["inputs"]}["map"]
    assert len([note for note in record["counts"]["notes"] if "states" in note]) == bool(words)
    command = ["assign", str(values), "--atlas", str(path), "--space", "MNI152", "--overwrite"]
    assert main([*command, "-o", str(out)]) == 0
    assert "states" not in capsys.readouterr().err
    assert "stated by the user" in (tmp_path / "out.provenance.json").read_text()


SOURCES = {
    "name": ({"name": "atlas_space-Talairach"}, "space-Talairach in the name"),
    "sidecar": ({"name": "sided"}, "SpatialReference in sided.json"),
    "form code": ({"code": 3}, "sform code 3"),
    "nothing": ({"code": 0}, "no form code"),
}
NOTES = {
    (): 1,
    ("atlas=Talairach",): 0,  # as stated: what the user knows needs no note
    ("atlas=MNI152",): 0,
    ("MNI152",): 0,
    ("MNI152", "atlas=Talairach"): 0,
    ("masks=MNI152NLin6Asym",): 1,  # the atlas differs from what is stated of the masks as well
    ("masks=Talairach",): 0,
}
"""What a user states, and how many notes there are then on an atlas in Talairach space."""


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("stated", NOTES, ids=" ".join)
def test_an_atlas_alone_is_stated_to_lie_in_another_space(tmp_path, capsys, source, stated):
    made, words = SOURCES[source]
    path = atlas_in(tmp_path, **made)
    (tmp_path / "sided.json").write_text('{"SpatialReference": "Talairach"}')
    command = ["load", str(folder_of(tmp_path / "masks")), "--atlas", str(path)]
    for text in stated:
        command += ["--space", text]
    assert main([*command, "-o", str(tmp_path / "out")]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if " states " in line]
    assert len(told) == (0 if source == "nothing" else NOTES[stated])
    record = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert record["parameters"]["space"] == list(stated)
    of_masks, of_atlas = (each["space"] for each in record["inputs"])
    is_of_atlas = any(text == "MNI152" or text.startswith("atlas=") for text in stated)
    assert of_atlas["source"].startswith("stated by the user" if is_of_atlas else words)
    expected = dict(text.partition("=")[::2] for text in stated if "=" in text)
    if "atlas" in expected:
        assert of_atlas["name"].removesuffix(" space") == expected["atlas"]
    if "masks" in expected:
        assert of_masks["name"].removesuffix(" space") == expected["masks"]


def test_each_of_several_atlases_may_lie_in_a_space_of_its_own(tmp_path):
    masks = folder_of(tmp_path / "masks")
    files = [str(atlas_in(tmp_path, name, code=0)) for name in ("one", "two")]
    spaces = ("atlas=Talairach", "atlas=MNI152NLin6Asym")
    request = Load(masks=str(masks), atlas=files, output=str(tmp_path / "out"), space=spaces)
    found = [each["space"]["name"] for each in request.execute().inputs if each["kind"] == "atlas"]
    assert found == ["Talairach space", "MNI152NLin6Asym"]
    with pytest.raises(ld.InputError, match="given 2 times, for 1 input"):
        request.model_copy(update={"atlas": files[:1], "overwrite": True}).execute()


@pytest.mark.parametrize("stated", [(), "MNI152", ("MNI152NLin6Asym", "atlas=Talairach")])
def test_stated_spaces_are_read_back_from_command_and_python(stated):
    request = OverlapRequest(a="a", b="b", atlas="atlas.nii", output="out", space=stated)
    assert read_request(shlex.split(request.as_command())[1:]) == request
    assert OverlapRequest(**request.changed) == request


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (("map=MNI152",), "of no input there is"),
        (("masks=MNI152", "masks=MNI305"), "two are stated of masks"),
        (("MNI152", "MNI305"), "two are stated of all inputs"),
        (("atlas=Talairch",), "did you mean Talairach"),
        (("atlas=",), "not the name of a space"),
        (("atlas=Talairach",), "states the space of no atlas"),
    ],
)
def test_a_statement_that_fits_no_input_is_refused(stated, words):
    with pytest.raises(ld.InputError, match=words):
        OverlapRequest(a="a", b="b", output="out", space=stated)


def test_a_recipe_states_the_space_of_its_atlas(tmp_path, capsys):
    atlas = atlas_in(tmp_path, code=3)
    values = save(tmp_path / "t_map.nii.gz", random_masks(1)[0].astype(np.float32))
    command = ["roi", "--map", str(values), "--threshold", "0.5", "--correction", "none"]
    command += ["--atlas", str(atlas), "--step", "regions:Left region L", "-o"]
    for stated, number in (([], 1), (["--space", "atlas=MNI152"], 0)):
        out = tmp_path / f"out{number}"
        assert main([*command, str(out), *stated]) == 0
        assert ("Talairach" in capsys.readouterr().err) == bool(number)
    assert main([*command, str(out), *stated, "--print-code"]) == 0
    assert capsys.readouterr().out.count("space='MNI152'") == 2
    assert main([*command, str(out), "--space", "masks=MNI152", "--overwrite"]) == 2


def test_each_way_to_use_an_atlas_tells_that_it_is_in_another_space(tmp_path):
    atlas = ld.load_atlas(atlas_in(tmp_path, code=3))
    a = ld.load_cohort(folder_of(tmp_path / "a"))
    b = ld.load_cohort(folder_of(tmp_path / "b", number=2))
    results = (
        ld.count_regions(a.at_least(1), atlas),
        ld.lesion_load(a, atlas),
        ld.region_differences(a, b, atlas, 1),
        ld.assign_regions(a.at_least(1), atlas),
        ld.assign_regions(a.at_least(1), atlas, on="atlas"),
    )
    for result in results:
        assert sum("Talairach" in note for note in result.notes) == 1
    assert not any("Talairach" in note for note in ld.load_atlas(atlas_in(tmp_path)).notes)
    stated = ld.load_atlas(atlas_in(tmp_path, code=3), space="MNI152")
    assert not any("Talairach" in note for note in ld.lesion_load(a, stated).notes)


def test_two_cohorts_of_two_spaces_are_told(tmp_path):
    names = [f"sub-{{}}_space-{label}_mask.nii.gz" for label in ("MNI152NLin6Asym", "Talairach")]
    a, b = (ld.load_cohort(folder_of(tmp_path / name, name=name)) for name in names)
    for result in (
        ld.cohort_differences(a, b, 1),
        ld.rois.contrast_cohorts(a, b),
        ld.overlap(a.at_least(1), b.at_least(1)),
    ):
        assert sum("A states MNI152NLin6Asym" in note for note in result.notes) == 1


@pytest.mark.parametrize("name", ["MNI152NLin6sym7", "mni 152", "", "MNI152NLin2009dAsym"])
def test_a_space_that_is_misspelt_is_refused(name):
    with pytest.raises(ld.InputError, match="MNI152"):
        space_of_user(name)


def test_a_qform_that_cannot_hold_a_grid_bears_no_code(tmp_path):
    """Programs such as SimpleITK read the qform where its code says that they may."""
    sheared = AFFINE.copy()
    sheared[0, 1] = 0.4
    array = np.zeros(SHAPE, np.uint8)
    for matrix, code in ((sheared, 0), (AFFINE, 4), (NATIVE, 4)):
        made = make_image(ld.Grid(SHAPE, matrix, 4), array, "test")
        assert (int(made.header["qform_code"]), int(made.header["sform_code"])) == (code, 4)
        nib.save(made, tmp_path / "made.nii")
        np.testing.assert_allclose(nib.load(tmp_path / "made.nii").affine, matrix, atol=1e-6)


def test_check_says_the_space_of_an_atlas(tmp_path):
    assert check_path(atlas_in(tmp_path, code=3)).space == "Talairach space (sform code 3)"
    assert "Talairach" in "".join(
        line for line in ld.scans.inspect_image(atlas_in(tmp_path, code=3)).stated_space.words
    )
