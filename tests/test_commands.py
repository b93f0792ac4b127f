"""What holds of every command, and of the request behind it."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import SHAPE, image, random_masks, write_masks
from registered import make_registered

import lesion_dash
from lesion_dash import __version__, cli
from lesion_dash.analyses.fields import argument_of, choices_of, flag_of, value_type
from lesion_dash.analyses.request import ANALYSES, Request
from lesion_dash.cohort.dask import SCHEDULER_VARIABLE
from lesion_dash.core.errors import InputError
from lesion_dash.scans.registration import register

# A small run of each command, in the folder of the fixture `study`.
RUNS = {
    "stats": "stats a -o out -k 2 --where sex=F --participants people.tsv",
    "stats of a label": "stats labels -o out --label 2 --pattern 'sub-*' --std sample",
    "size-bias": "size-bias a -o out -k 3 --permutations 40 --side two-sided --seed 7",
    "overlap": "overlap a b --atlas atlas.nii.gz --atlas atlas.nii.gz -o out -k 2 --by hemisphere",
    "overlap of masks": "overlap a/sub-000.nii.gz b/sub-001.nii.gz --atlas atlas.nii.gz -o out",
    "overlap alone": "overlap a b -o out -k 2",
    "compare in regions": "compare a b --atlas atlas.nii.gz -o out -k 2",
    "clusters": "size-bias a -o out -k 3 --permutations 20 --clusters --atlas atlas.nii.gz",
    "compare": "compare a b -o out -k 2 --outside zero --where-a sex=F --where-b sex=M",
    "coverage": "coverage a -o out/k.csv --plot out/k.png -k 2",
    "report": "report a b --atlas atlas.nii.gz -k 2 -o out --title 'A & B'",
    "load": "load a --atlas atlas.nii.gz --labels atlas.csv --measure mm3 -o out",
    "assign": "assign map.nii.gz --atlas atlas.nii.gz --signs both -o out/regions.csv",
    "assign points": "assign --points -1 0.5 2 --atlas atlas.nii.gz -o out/points.csv",
    "roi": "roi --cohorts a b --threshold -0.5 --side below --use effect --pick 1 -o out",
    "roi of a map": "roi --map map.nii.gz --threshold 1 --step dilate:1 --cut 0 -1 2.5 -o out",
    "convert": "convert array.npy out/array.nii.gz --voxel-size 1 2 3 --orientation LPS",
    "register": "register map.nii.gz --template mni152 --lesion a/sub-000.nii.gz -o out "
    "--with regions.nii.gz flair.nii.gz",
    "warp": "warp map.nii.gz --transform there.txt --template map.nii.gz -o out/warped.nii",
    "mask": "mask map.nii.gz --prob atlas.nii.gz --label 'left area' -o out/cut.nii.gz",
    "snr": "snr map.nii.gz --signal one.nii.gz --background two.nii.gz -o out/s.csv",
}
PRINTING = {
    "check": "check a --like b",
    "check as json": "check atlas.nii.gz --json",
    "inspect": "inspect map.nii.gz --mm 1 -1.5 0",
    "inspect as json": "inspect map.nii.gz --voxel 1 2 3 --json",
    "atlases": "atlases --atlases . --all",
    "roi code": "roi --map map.nii.gz --threshold 1e-05 --print-code",
    "snr as json": "snr map.nii.gz --signal one.nii.gz --background two.nii.gz --json",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("study")
    for name, seed in (("a", 1), ("b", 2)):
        names = [f"sub-{number:03}.nii.gz" for number in range(6)]
        write_masks(root / name, random_masks(6, seed), names=names)
    write_masks(root / "labels", [2 * mask for mask in random_masks(6)])
    people = "".join(f"sub-{number:03}\t{'FM'[number % 2]}\n" for number in range(6))
    for name in ("people.tsv", "participants.tsv"):
        (root / name).write_text(f"participant_id\tsex\n{people}")
    labels = np.ones(SHAPE, np.uint8)
    labels[4:] = 2
    nib.save(image(labels), root / "atlas.nii.gz")
    for value, name in enumerate(("one", "two"), 1):
        nib.save(image((labels == value).astype(np.uint8)), root / f"{name}.nii.gz")
    (root / "atlas.csv").write_text("index,name\n1,left area\n2,right area\n")
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    nib.save(image(values), root / "map.nii.gz")
    np.save(root / "array.npy", values)
    matrix = "\n".join(" ".join(map(str, row)) for row in np.eye(4))
    (root / "there.txt").write_text(f"# moving image to template\n{matrix}\n")
    return root


@pytest.fixture
def study(files, tmp_path, monkeypatch) -> Path:
    """A folder of its own with the small study; figures and the search of `register` are quick."""
    for path in files.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    for name in ("report.report.drawings", "plotting.rois.draw_run"):
        monkeypatch.setattr(f"lesion_dash.{name}", lambda run, *_: quick(run))
    monkeypatch.setattr(register, "register_image", lambda *_, **__: make_registered())
    for name in ("figure_bytes", "draw_overlay", "draw_checkerboard"):
        place = f"lesion_dash.analyses.registration_files.{name}"
        monkeypatch.setattr(place, lambda *_, **__: b"picture")
    # Last: a module that is imported meanwhile would hold the replacement for good.
    monkeypatch.setattr("lesion_dash.plotting.figures.figure_bytes", lambda *_, **__: b"picture")
    return tmp_path


def quick(run):
    """No pictures of a report, and empty ones of a run of `roi`."""
    return [("", None)] * (len(run.masks) + 1) if hasattr(run, "masks") else {}


def main(command: str) -> int:
    try:
        return cli.main(shlex.split(command))
    except SystemExit as end:
        return int(end.code or 0)


def written(folder: Path) -> dict[str, bytes]:
    """The files, but for the lock; without the time, and the day of a report."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}
    return {
        name: re.sub(rb"20\d\d-[-0-9T:+]+", b"TIME", content) for name, content in found.items()
    }


def sources(content) -> list[dict]:
    """Whatever has a file and its checksum, anywhere in a provenance."""
    if isinstance(content, dict):
        own = [content] if {"file", "sha256"} <= content.keys() else []
        return own + [source for value in content.values() for source in sources(value)]
    return (
        [source for value in content for source in sources(value)]
        if isinstance(content, list)
        else []
    )


@pytest.mark.parametrize("name", RUNS)
def test_a_command_writes_what_it_announces_and_how_it_was_made(study, capsys, name):
    request = cli.read_request(shlex.split(RUNS[name]))
    assert main(RUNS[name]) == 0
    folder, record = request.target.folder, request.target.record
    assert {path.name for path in folder.iterdir()} == {*request.outputs(), record}
    assert re.search(rf"\b(in|open) {folder}", capsys.readouterr().out.splitlines()[-1])
    content = json.loads((folder / record).read_text())
    assert content["command"] == request.command
    assert content["software"]["lesion-dash"] == __version__
    for file, digest in content["outputs"].items():
        assert digest == hashlib.sha256((folder / file).read_bytes()).hexdigest()
    # The page of a report shows the checksums of the other files, and has none.
    assert {*request.outputs()} - {*content["outputs"]} <= {"report.html"}
    assert {*request.parameters()} <= {*content["parameters"]} or request.command in OWN_PARAMETERS
    read = [source for source in sources(content["inputs"]) if source["sha256"]]
    for source in read:
        path = study / source["file"]
        if path.is_file():
            assert source["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read or name in ("assign points", "register")


# Their library records what a run was asked for.
OWN_PARAMETERS = ("assign", "mask", "register", "report", "roi")


@pytest.mark.parametrize("name", RUNS)
def test_results_are_replaced_only_when_asked(study, capsys, name):
    assert main(RUNS[name]) == 0
    folder = study / "out"
    before = written(folder)
    assert main(RUNS[name]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert written(folder) == before
    (folder / next(iter(before))).write_bytes(b"changed")
    assert main(f"{RUNS[name]} --overwrite") == 0
    assert written(folder) == before


def shown(capsys) -> list[str]:
    """All lines that are printed: Python prints those in order that a terminal gets in two ways."""
    out, err = capsys.readouterr()
    return sorted([*out.splitlines(), *err.splitlines()])


@pytest.mark.parametrize("name", [*RUNS, *PRINTING])
def test_command_json_and_python_say_the_same_as_the_request(study, capsys, name):
    request = cli.read_request(shlex.split((RUNS | PRINTING)[name]))
    assert cli.read_request(shlex.split(request.as_command())[1:]) == request
    assert type(request)(**json.loads(json.dumps(request.changed))) == request
    main(request.as_command().removeprefix("lesion-dash "))
    printed, before = shown(capsys), {}
    if name in RUNS:
        before = written(study / "out")
        (study / "out").rename(study / "first")
    exec(request.as_python(), {})
    assert shown(capsys) == printed
    if name in RUNS:
        assert written(study / "out") == before


@pytest.mark.parametrize("name", RUNS)
def test_results_that_cannot_be_written_are_one_sentence(study, capsys, name):
    (study / "out").write_text("a file")
    assert main(RUNS[name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lesion-dash: error: ")
    assert "out" in line
    assert (study / "out").read_text() == "a file"


@pytest.mark.parametrize("name", [*RUNS, *PRINTING])
def test_an_input_that_is_not_there_leaves_nothing(study, capsys, name):
    command = (RUNS | PRINTING)[name]
    request = cli.read_request(shlex.split(command))
    paths = [
        (field, value)
        for field, info in type(request).model_fields.items()
        if argument_of(info).is_path and (value := getattr(request, field))
    ]
    if request.command == "register" or "--print-code" in command:
        return  # what reads its files is replaced here, or there is none
    field, value = paths[0]
    missing = tuple("nowhere" for _ in value) if isinstance(value, tuple) else "nowhere"
    broken = type(request)(**{**request.changed, field: missing})
    result = main(broken.as_command().removeprefix("lesion-dash "))
    shown = capsys.readouterr()
    assert result == 2
    assert "nowhere" in shown.err + shown.out
    assert "internal error" not in shown.err
    assert not (study / "out").exists()


@pytest.mark.parametrize("command", ANALYSES)
def test_help_explains_every_field_with_default_and_bounds(capsys, command):
    assert main(f"{command} --help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith(f"usage: lesion-dash {command} ")
    for name, info in ANALYSES[command].model_fields.items():
        assert flag_of(name, info) in text
        assert info.description
        assert " ".join(info.description.split())[:40] in text


def read_python(text: str) -> Request:
    """The request that a text in Python makes; it is not run."""
    made: list[Request] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Request, "execute", lambda request, *_: made.append(request))
        exec(text, {})
    [request] = made
    return request


def test_the_example_of_each_command_is_a_request(capsys):
    assert main("--help") == 0
    text = capsys.readouterr().out
    for command, kind in ANALYSES.items():
        assert f"lesion-dash {command} {kind.example}".rstrip() in text
        request = cli.read_request([command, *shlex.split(kind.example)])
        assert type(request) is kind
        assert cli.read_request(shlex.split(request.as_command())[1:]) == request
        assert read_python(request.as_python()) == request


# Characters that are not shown stand in $'...' and are in test_printed_names.py.
SHOWN = st.characters(categories=("L", "M", "N", "P", "S"), include_characters=" ")
TEXT = st.text(SHOWN, min_size=1, max_size=9)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def values_of(info) -> st.SearchStrategy:
    """Any value that the type of a field admits."""
    kind, count = value_type(info)
    if choices := choices_of(info):
        one = st.sampled_from(choices)
    elif kind is str:
        # argparse takes values of one flag up to the next word that begins with a hyphen.
        one = TEXT.filter(lambda text: not text.startswith("-") or not argument_of(info).several)
    else:
        one = {bool: st.booleans(), int: st.integers(1, 10**6), float: NUMBERS}[kind]
    if count is None:
        return st.lists(one, min_size=1, max_size=3).map(tuple)
    return st.tuples(*[one] * count) if count > 1 else one


@pytest.mark.parametrize("command", sorted(ANALYSES.keys() - {"demo", "serve"}))
@settings(max_examples=30)
@given(data=st.data())
def test_any_request_is_read_back_from_its_texts(command, data):
    kind = ANALYSES[command]
    fields = kind.model_fields.items()
    given_fields = [pair for pair in fields if pair[1].is_required() or data.draw(st.booleans())]
    try:
        request = kind(**{name: data.draw(values_of(info)) for name, info in given_fields})
    except InputError:  # values that do not fit each other, or are out of bounds
        return
    assert cli.read_request(shlex.split(request.as_command())[1:]) == request
    assert read_python(request.as_python()) == request
    assert kind(**json.loads(json.dumps(request.changed))) == request


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("laod masks", "COMMAND: 'laod' is not known; did you mean load?"),
        (
            "load m --atlas a -o o --mesure all",
            "--mesure: is not an option of lesion-dash load; did",
        ),
        ("load m --atlas a -o o --mesure=all", "did you mean --measure?"),
        ("load m --atlas a -o o --zzz", "`lesion-dash load --help` lists the options"),
        ("load m --atlas a -o o --measure reigon", "'reigon' is not known; did you mean region?"),
        ("assign t --signs q --atlas a -o b.csv", "--signs: 'q' is not known; choose one of posi"),
        ("assign t --connectivity 8 --atlas a -o b.csv", "choose one of 6, 18, 26"),
        ("stats m n -o o", "n: is one argument too many for lesion-dash stats"),
        ("stats m", "are required: -o/--output; `lesion-dash stats --help` explains the options"),
        ("", "the following arguments are required: COMMAND"),
        ("stats m -o o -k 0", "--min-patients: 0 is below 1"),
        ("stats m -o o -k 2.5", "--min-patients: '2.5' is not a whole number"),
        ("stats m -o o --threshold 1.5", "--threshold: 1.5 is not between 0 and 1"),
        ("stats m -o o --threshold nan", "--threshold: nan is not between 0 and 1"),
        ("size-bias m -o o --permutations 5", "--permutations: 5 is below 20"),
        ("size-bias m -o o --seed -4", "--seed: -4 is below 0"),
        ("size-bias m -o o --atlas a", "--atlas: names the regions of clusters; give --clusters"),
        (
            "roi --map t.nii --threshold 1 --labels l -o o",
            "--labels: names the regions of no atlas",
        ),
        ("inspect i --voxel 1 2 3 --mm 1 2 3", "--voxel and --mm: both given; give one of them"),
        ("assign t --atlas a -o out", "is not the name of a CSV file; let it end in .csv"),
        ("convert a out.mgz", "is not the name of a NIfTI file; let it end in .nii.gz or .nii"),
        (
            "mask a --prob b -o out.nii.gz.txt",
            "is not the name of a NIfTI file; let it end in .nii.gz",
        ),
        ("roi --map t.nii -o out", "the following arguments are required: --threshold"),
        ("inspect i --voxel 1 2 x", "--voxel: 'x' is not a whole number"),
    ],
)
def test_a_typing_error_is_one_sentence(capsys, command, sentence):
    assert main(command) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("lesion-dash: error: ")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "MASKS: is missing; give it as well"),
        ({"lable": 3}, "lable: is not a field of Stats; did you mean label?"),
        ({"std": "sampel"}, "--std: 'sampel' is not known; did you mean sample?"),
        ({"where": 5.0}, "--where: 5.0 cannot be used"),
        ({"min_patients": True}, "--min-patients: True is not a whole number"),
        ({"threshold": False}, "--threshold: False is not a number"),
        ({"participants": True}, "--participants: True cannot be used"),
        ({"threshold": float("inf")}, "--threshold: inf is not between 0 and 1"),
        ({"masks": {"a": 1}}, "MASKS: {'a': 1} cannot be used"),
        ({"pattern": False}, "--pattern: False cannot be used"),
        ({"masks": ""}, "MASKS: is empty; give a path"),
    ],
)
def test_values_from_python_or_a_link_are_checked_alike(values, problem):
    values = {"output": "o"} | ({"masks": "m"} if values else {}) | values
    stats = ANALYSES["stats"]
    for make in (lambda: stats(**values), lambda: stats.model_validate(values)):
        with pytest.raises(InputError, match=f"^{re.escape(problem)}"):
            make()


@pytest.mark.parametrize(
    ("kind", "values", "problem"),
    [
        ("inspect", {"image": "i", "voxel": 5}, "--voxel: takes 3 values"),
        ("inspect", {"image": "i", "voxel": (1, 2)}, "--voxel: takes 3 values"),
        ("inspect", {"image": "i", "voxel": [True, 2, 3]}, "--voxel: True is not a whole number"),
        ("load", {"masks": "m", "output": "o", "atlas": []}, "--atlas: takes one or more values"),
        ("load", {"masks": "m", "output": "o", "atlas": ["a", ""]}, "--atlas: is empty"),
        ("size-bias", {"masks": "m", "output": "o", "seed": np.True_}, "--seed: True is not a w"),
    ],
)
def test_several_values_are_checked_each(kind, values, problem):
    with pytest.raises(InputError, match=f"^{problem}"):
        ANALYSES[kind](**values)


@pytest.mark.parametrize("text", ["{", "[]", '"m"'])
def test_text_that_is_no_mapping_makes_no_request(text):
    with pytest.raises(InputError, match=r"^Stats: "):
        ANALYSES["stats"].model_validate_json(text)


@pytest.mark.parametrize("given", ["sex=F", ["sex=F"], ("sex=F",)])
def test_one_value_where_several_may_be_given_is_one(given):
    request = ANALYSES["stats"](masks="m", output="o", where=given)
    assert request.where == ("sex=F",)
    assert ANALYSES["load"](masks="m", output="o", atlas=Path("a.nii")).atlas == ("a.nii",)
    assert ANALYSES["roi"](map="m", output="o", threshold=1, pick=3).pick == (3,)


def test_a_request_is_the_same_wherever_it_is_made(monkeypatch):
    """The scheduler of an environment is looked up when it runs."""
    make = partial(ANALYSES["stats"], masks="m", output="o")
    first = make()
    monkeypatch.setenv(SCHEDULER_VARIABLE, "tcp://127.0.0.1:8786")
    assert make() == first
    assert "scheduler" not in first.changed
    assert first.parameters()["cluster"]
    assert make(scheduler="tcp://other:1").as_command().endswith("--scheduler tcp://other:1")


def test_public_names_are_listed():
    for part in (lesion_dash, lesion_dash.rois, lesion_dash.scans):
        assert {*part.__all__} <= {*dir(part)}
    assert "load_cohort" in dir(lesion_dash)


IMPORTED = """
import sys
import lesion_dash
assert not {"pydantic", "numpy"} & {*sys.modules}, "import lesion_dash is quick"
from lesion_dash import cli
try:
    cli.main(["--help"])
except SystemExit:
    heavy = {"numpy", "pandas", "scipy", "nibabel", "nilearn", "matplotlib", "SimpleITK", "dask"}
    assert not heavy & {*sys.modules}, heavy & {*sys.modules}
"""


def test_help_and_import_load_no_heavy_library():
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_what_nobody_foresaw_is_still_one_sentence(study, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "/cache/fonts.json")

    def fail(*_, **__):
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("lesion_dash.stats.topography.folder_stats", full)
    assert main(RUNS["stats"]) == 2
    assert "error: /cache/fonts.json: no space is left; free some" in capsys.readouterr().err
    monkeypatch.setattr("lesion_dash.stats.topography.folder_stats", fail)
    assert main(RUNS["stats"]) == 2
    assert "internal error (ZeroDivisionError: surprise)" in capsys.readouterr().err
    monkeypatch.setenv("LESION_DASH_DEBUG", "1")
    with pytest.raises(ZeroDivisionError, match="surprise"):
        main(RUNS["stats"])


@pytest.mark.parametrize("command", ["overlap", "size-bias"])
@pytest.mark.parametrize(
    "made", [ValueError("not a valid PEP 3118 format"), InputError("a.nii", "is damaged", "see")]
)
def test_an_interrupt_that_a_library_makes_an_error_of_is_an_interrupt(
    study, capsys, monkeypatch, command, made
):
    """As numpy does, where Python code that its C code calls is interrupted."""

    def read(*_, **__):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise made from None

    monkeypatch.setattr("lesion_dash.cohort.loading.load_cohort", read)
    # A shell has its background jobs ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(RUNS[command]) == 130
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert "stopped by the user; nothing was changed" in capsys.readouterr().err
    assert not (study / "out").exists()


def test_an_interrupt_while_code_is_loaded_is_one_sentence():
    """A library may make another error of it then as well, as classes of pydantic do."""
    code = """
import signal, sys
from importlib.abc import MetaPathFinder
class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "pydantic":
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt as error:
                raise RuntimeError("cannot make a class") from error
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
from lesion_dash.__main__ import main
sys.exit(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130
    assert ended.stderr == "lesion-dash: error: stopped by the user; nothing was changed\n"
