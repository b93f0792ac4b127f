"""Results as a BIDS derivative dataset, checked against the schema of the specification itself."""

from __future__ import annotations

import csv
import io
import json
import re
from fnmatch import fnmatch
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bidsschematools.schema import load_schema
from jsonschema import Draft202012Validator
from phantoms import SHAPE, image, random_masks, write_masks

from lesion_dash import InputError, cli
from lesion_dash.analyses import SizeBias, Stats
from lesion_dash.analyses.bids import STANDARD_SPACES, Derivative
from lesion_dash.analyses.request import ANALYSES
from lesion_dash.cli import main
from lesion_dash.cohort.reading import looks_like_result
from lesion_dash.core.space import KNOWN

SCHEMA = load_schema()
# Of BIDS extension proposal 41; the specification has no maps of a group of patients yet.
PROPOSED_ENTITY, PROPOSED_SUFFIX = "stat", "statmap"
TABLE_SUFFIX = "table"
RUNS = {
    "stats": "stats a -k 2",
    "size-bias": "size-bias a -k 3 --permutations 20 --clusters --atlas atlas.nii.gz",
    "overlap": "overlap a b -k 2 --atlas atlas.nii.gz --atlas ATLAS.nii.gz --space MNI152NLin6Asym",
    "compare": "compare a b -k 2 --atlas atlas.nii.gz",
    "lsm": "lsm a --score score --covariates age --permutations 20 --min-lesioned 3 --v 4.5 45 "
    "--multivariate ridge --compare-control --atlas atlas.nii.gz --features tracts.tsv "
    "--participants people.tsv",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Each run with and without the option, in folders of its name and of ``usual``."""
    root = tmp_path_factory.mktemp("study")
    numbers = np.random.default_rng(3)
    for name, seed in (("a", 1), ("b", 2)):
        write_masks(root / name, random_masks(24, seed))
    rows = [f"sub-{n:03}\t{numbers.normal():.3f}\t{50 + 3 * n}\n" for n in range(24)]
    (root / "people.tsv").write_text("participant_id\tscore\tage\n" + "".join(rows))
    tracts = "".join(f"sub-{n:03}\t{n % 2 * numbers.random():.3f}\n" for n in range(24))
    (root / "tracts.tsv").write_text(f"participant_id\ttract\n{tracts}")
    labels = np.ones(SHAPE, np.uint8)
    labels[4:] = 2
    table = "label,name\n1,front\n2,back\n"
    for name in ("atlas", "ATLAS"):
        nib.save(image(labels), root / f"{name}.nii.gz")
        (root / f"{name}.csv").write_text(table)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name, command in RUNS.items():
            assert main([*command.split(), "-o", f"usual/{name}"]) == 0
            assert main([*command.split(), "-o", f"bids/{name}", "--bids"]) == 0
    return root


@pytest.fixture(params=RUNS)
def run(request, study) -> tuple[Path, Path]:
    return study / "usual" / request.param, study / "bids" / request.param


def read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def parsed(name: str) -> tuple[dict[str, str], str, str]:
    """Entities, suffix and extension of a file name, by BIDS's definition of names."""
    stem, dot, extension = name.partition(".")
    *pairs, suffix = stem.split("_")
    entities = dict(pair.split("-") for pair in pairs)
    assert len(entities) == len(pairs)
    return entities, suffix, dot + extension


def named_files(folder: Path) -> list[Path]:
    """The files with entities in their names."""
    return [path for path in sorted(folder.iterdir()) if "-" in path.name]


def of_suffix(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.glob(f"*_{suffix}"))


def plain(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.replace("4.5", "4p5").lower())


def cells(content: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content), delimiter=delimiter))


def test_maps_have_the_bytes_of_the_usual_maps(run):
    usual, dataset = run
    maps = {plain(parsed(path.name)[0]["desc"]): path for path in dataset.glob("*.nii")}
    assert maps.keys() == {plain(path.stem) for path in usual.glob("*.nii")}
    for path in usual.glob("*.nii"):
        assert maps[plain(path.stem)].read_bytes() == path.read_bytes()


def test_tables_have_the_cells_of_the_usual_tables(run):
    usual, dataset = run
    tables = {plain(parsed(path.name)[0]["desc"]): path for path in of_suffix(dataset, "table.tsv")}
    assert tables.keys() == {plain(path.stem) for path in usual.glob("*.csv")}
    for path in usual.glob("*.csv"):
        expected = [[cell or "n/a" for cell in row] for row in cells(path.read_text(), ",")]
        assert cells(tables[plain(path.stem)].read_text(), "\t") == expected


def test_names_hold_the_rules_of_entities(run):
    by_name = {entity.name: (key, entity) for key, entity in SCHEMA.objects.entities.items()}
    order = {key: place for place, key in enumerate(SCHEMA.rules.entities)}
    pattern = re.compile(SCHEMA.objects.formats.label.pattern)
    known = {suffix.value for suffix in SCHEMA.objects.suffixes.values()}
    for path in named_files(run[1]):
        entities, suffix, extension = parsed(path.name)
        assert all(pattern.fullmatch(value) and value.isalnum() for value in entities.values())
        own = [name for name in entities if name != PROPOSED_ENTITY]
        places = [order[by_name[name][0]] for name in own]
        assert places == sorted(places)
        assert own[-1] == "desc"
        if suffix == "mask":
            rule = SCHEMA.rules.files.deriv.imaging.anat_mask
            assert {by_name[name][0] for name in own} <= rule.entities.keys()
        assert suffix in known | {PROPOSED_SUFFIX, TABLE_SUFFIX}
        assert (PROPOSED_ENTITY in entities) is (suffix == PROPOSED_SUFFIX)
        assert extension in ((".tsv", ".json") if suffix == TABLE_SUFFIX else (".nii", ".json"))


def test_each_map_has_the_sidecar_that_its_entities_require(run):
    standard = SCHEMA.objects.enums["_StandardTemplateCoordSys"].enum
    for path in run[1].glob("*.nii"):
        entities, suffix, _ = parsed(path.name)
        sidecar = read_json(path.with_suffix(".json"))
        for field, value in sidecar.items():
            own = SCHEMA.objects.metadata["Type" if field == "Type" else field].to_dict()
            Draft202012Validator(own).validate(value)
        size = "2mm"
        assert entities["res"] == size
        assert "7 x 9 x 8 voxels of 2 x 2 x 2 mm" in sidecar["Resolution"]
        assert sidecar["Description"]
        assert sidecar["Units"] if suffix == PROPOSED_SUFFIX else sidecar["Type"] == "Lesion"
        if entities["space"] in standard:
            assert "SpatialReference" not in sidecar
        else:
            scheme, reference = sidecar["SpatialReference"].split("::")
            assert scheme == "bids"
            assert parsed(reference)[0]["space"] == entities["space"]
            assert (run[1] / reference).is_file()


def test_sidecars_of_tables_describe_every_column(run):
    known = {"score", "age", "volume_mm3"}
    for path in of_suffix(run[1], "table.tsv"):
        header = path.read_text().partition("\n")[0].split("\t")
        sidecar = read_json(path.with_suffix(".json"))
        assert sidecar.keys() == {"Description", *header}
        general = {name for name in header if "participants table" in sidecar[name]["Description"]}
        assert general <= known
        for name in header:
            assert ("Units" in sidecar[name]) is bool(re.search("mm|percent", name))


def test_the_description_of_the_dataset_has_what_is_required(run):
    description = read_json(run[1] / "dataset_description.json")
    rules = SCHEMA.rules.json.dataset
    required = {
        name
        for rule in (rules.dataset_description, rules.derivative_description)
        for name, level in rule.fields.items()
        if level == "required"
    }
    assert required <= description.keys()
    assert description["DatasetType"] == "derivative"
    assert description["BIDSVersion"] in SCHEMA.meta.versions
    for name, value in description.items():
        Draft202012Validator(SCHEMA.objects.metadata[name].to_dict()).validate(value)
    assert description["GeneratedBy"][0].keys() >= {"Name", "Version"}


def test_a_validator_knows_every_file_or_is_told_to_ignore_it(run):
    core = {"dataset_description.json", "README.md", "descriptions.tsv", "descriptions.json"}
    core |= {path.name for path in run[1].glob("*_mask.*")}
    lines = (run[1] / ".bidsignore").read_text().splitlines()
    ignored = [line for line in lines if not line.startswith("#")]
    for path in run[1].iterdir():
        is_ignored = any(fnmatch(path.name, pattern) for pattern in ignored)
        assert is_ignored is (path.name not in core | {".bidsignore"}), path.name


def test_each_desc_is_described(run):
    rows = cells((run[1] / "descriptions.tsv").read_text(), "\t")
    rule = SCHEMA.rules.tabular_data.derivatives.common_derivatives.Descriptions
    assert rows[0] == ["desc_id", "description"]
    assert [name.partition("__")[0] for name in rule.initial_columns] == rows[0]
    texts = [text for _, text in rows[1:]]
    assert len({*texts}) == len(texts)
    used = {f"desc-{parsed(path.name)[0]['desc']}" for path in named_files(run[1])}
    assert used == {row[0] for row in rows[1:]}


def test_provenance_lists_the_files_under_their_names_there(run):
    outputs = read_json(run[1] / "provenance.json")["outputs"]
    assert {*outputs, "provenance.json"} == {path.name for path in run[1].iterdir()}
    assert (run[1] / "README.md").stat().st_size > 150


def test_headers_are_what_viewers_and_spm_read(run):
    for path in run[1].glob("*.nii"):
        header = nib.load(path).header
        assert header.get_data_dtype() in (np.float32, np.uint8)
        assert header["sform_code"] == header["qform_code"] == 4
        assert header.get_xyzt_units()[0] == "mm"
        assert header.get_slope_inter() in ((1, 0), (None, None))
        assert header.get_intent()[0] == "none"
        assert np.array_equal(header.get_sform(), header.get_qform())


def test_standard_spaces_are_those_of_the_specification():
    standard = SCHEMA.objects.enums["_StandardTemplateCoordSys"].enum
    assert {*standard} & {*KNOWN} == STANDARD_SPACES


def test_a_count_of_files_is_that_of_the_dataset(study, capsys, monkeypatch):
    monkeypatch.chdir(study)
    for name, command in RUNS.items():
        assert main([*command.split(), "-o", f"bids/{name}", "--bids", "--overwrite"]) == 0
        number = len([*(study / "bids" / name).iterdir()])
        assert f"{number} files in bids/{name}" in capsys.readouterr().out.replace(",", "")


@pytest.mark.parametrize(("code", "space"), [(4, "MNI152"), (3, "Talairach"), (1, "study")])
def test_the_space_is_that_of_the_masks(tmp_path, code, space):
    arrays = random_masks(3)
    for number, array in enumerate(arrays):
        path = tmp_path / "masks" / f"sub-{number}.nii"
        path.parent.mkdir(exist_ok=True)
        nib.save(image(array.astype(np.uint8), code=code), path)
    Stats(masks=tmp_path / "masks", output=tmp_path / "out", min_patients=1, bids=True).execute()
    assert {parsed(path.name)[0]["space"] for path in (tmp_path / "out").glob("*.nii")} == {space}


def test_results_replace_a_dataset_as_a_whole_and_no_other_folder(tmp_path):
    masks = write_masks(tmp_path / "masks", random_masks(4))
    known = {"masks": masks, "output": tmp_path / "out", "min_patients": 1, "bids": True}
    Stats(**known).execute()
    with pytest.raises(InputError, match="already holds results"):
        Stats(**known, space="MNI152NLin6Asym").execute()
    Stats(**known, space="MNI152NLin6Asym", overwrite=True).execute()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {*read_json(tmp_path / "out" / "provenance.json")["outputs"], "provenance.json"}
    (tmp_path / "out" / ".DS_Store").touch()
    Stats(**known, space="MNI152NLin6Asym", overwrite=True).execute()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match=r"mine\.txt.*new folder"):
        Stats(**known, overwrite=True).execute()
    assert {path.name for path in (tmp_path / "out").iterdir()} == names | {
        ".DS_Store",
        "mine.txt",
    }


def test_no_map_of_a_dataset_becomes_a_patient(run):
    assert all(looks_like_result(path.name) for path in run[1].glob("*.nii"))
    assert not looks_like_result("sub-01_space-MNI152_res-2mm_label-L_desc-manual_mask.nii")


def test_the_dataset_of_the_masks_is_named_as_a_source(tmp_path):
    masks = write_masks(tmp_path / "raw" / "derivatives" / "masks", random_masks(3))
    about = {"Name": "raw", "BIDSVersion": "1.10.0", "DatasetDOI": "doi:10.0/x"}
    (tmp_path / "raw" / "dataset_description.json").write_text(json.dumps(about))
    Stats(masks=masks, output=tmp_path / "out", min_patients=1, bids=True).execute()
    sources = read_json(tmp_path / "out" / "dataset_description.json")["SourceDatasets"]
    assert sources == [{"URL": (tmp_path / "raw").as_uri(), "DOI": "doi:10.0/x"}]


def test_masks_behind_a_url_are_a_source_and_no_password_is_passed_on():
    files = Derivative("stats", "Maps", "").files(
        [], [{"kind": "cohort", "folder": "https://lab.example/masks"}]
    )
    description = json.loads(dict(files)["dataset_description.json"])
    assert description["SourceDatasets"] == [{"URL": "https://lab.example/masks"}]
    request = SizeBias(masks="https://me:secret@lab.example/masks", output="out", bids=True)
    for text in (request.shareable.as_command(), request.script.decode()):
        assert "lab.example/masks" in text
        assert "secret" not in text


def test_commands_that_write_maps_of_patients_have_the_option():
    has = {command for command, kind in ANALYSES.items() if "bids" in kind.model_fields}
    assert has == {*RUNS}


def test_a_dataset_in_a_store_is_refused_before_the_work(capsys):
    arguments = ["stats", "sample_data/cohort_a", "-o", "s3://bucket/out", "--bids"]
    assert cli.main(arguments) == 2
    assert "a folder of this computer" in capsys.readouterr().err
