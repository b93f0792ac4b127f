"""Every command on the sample data gives the files it always gave.

The checksums stand in ``outputs.json``, beside this file. A change that is meant to leave results
alone leaves the table alone. Where a result is meant to change, write the table anew and read what
changed in the diff::

    python tests/test_outputs.py

Two kinds of lines of the table: ``command/file`` for files, ``command: text`` for what is printed.
The last digit of floating-point sums, of fits and of drawn lines depends on the processor and on
the releases of libraries. On another computer than the one that the table was written on, what is
compared is therefore what is counted exactly.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import image
from reports import text_of

from lesion_dash.analyses.columns import meaning_of
from lesion_dash.cli import main

SAMPLE_DATA = Path(__file__).resolve().parent.parent / "sample_data"
DOCS = SAMPLE_DATA.parent / "docs"
TABLE = Path(__file__).with_name("outputs.json")

A, B = "sample_data/cohort_a", "sample_data/cohort_b"
PEOPLE = ["--participants", "sample_data/participants.tsv"]
ATLAS = ["--atlas", "sample_data/atlas/synthetic_atlas.nii.gz"]
MEAN = "stats/lesion_totalvol_mean_given_voxel.nii"
RUN = "sample_data/series/sub-01_task-pictures_run-1"
EYE = "sample_data/template"
SCAN = "convert/scan.nii.gz"
OF_LENS = ["--prob", f"{EYE}/probability_maps.nii.gz", "--threshold", "0.95", "--transform"]
# A command may read what an earlier one wrote; each name is that of the folder it writes to.
COMMANDS = {
    "stats": ["stats", A, "-o", "stats", *PEOPLE],
    "stats of a part": [
        *("stats", A, "-o", "stats of a part", *PEOPLE, "--where", "sex=F", "--where", "age>=50"),
        *("-k", "2", "--std", "sample", "--outside", "nan"),
    ],
    "size-bias": ["size-bias", A, "-o", "size-bias", "--permutations", "100"],
    "overlap": ["overlap", A, B, *ATLAS, "-o", "overlap"],
    "overlap by lobe": ["overlap", A, B, *ATLAS, "--by", "parent", "-o", "overlap by lobe"],
    "compare": ["compare", A, B, "-o", "compare"],
    "lsm": [
        *("lsm", A, "--score", "nihss", "--covariates", "age", "sex", "-o", "lsm", *PEOPLE),
        *("--permutations", "100", "--multivariate", "ridge", *ATLAS),
    ],
    "predict": [
        *("predict", A, "--score", "nihss", "--covariates", "age", "sex", "-o", "predict"),
        *("--permutations", "100", *PEOPLE),
    ],
    "replicate": [
        *("replicate", A, B, "--score", "naming", "--permutations", "100", "-o", "replicate"),
        *("--min-lesioned-b", "3", *ATLAS, *PEOPLE),
    ],
    "coverage": ["coverage", A, "-o", "coverage/coverage.csv", "--plot", "coverage/coverage.png"],
    "report": ["report", A, "-o", "report", *ATLAS, *PEOPLE],
    "report of two": ["report", A, B, "-o", "report of two", *ATLAS, *PEOPLE, "--title", "A and B"],
    "load": ["load", A, *ATLAS, "-o", "load"],
    "assign": ["assign", MEAN, *ATLAS, "--threshold", "80000", "-o", "assign/regions.csv"],
    "assign like siibra": [
        *("assign", MEAN, *ATLAS, "--threshold", "80000", "--like", "siibra"),
        *("-o", "assign like siibra/regions.csv"),
    ],
    "assign points": [
        *("assign", *ATLAS, "--points", "-26", "0", "8", "--sigma", "3"),
        *("-o", "assign points/points.csv"),
    ],
    "roi of a series": [
        *("roi", "--series", f"{RUN}_bold.nii.gz", "--conditions", f"{RUN}_events.tsv"),
        *("--a", "face", "--b", "house", "--correction", "fdr", "--use", "t", "--threshold", "4"),
        *("--mask", "sample_data/series/sub-01_brain_mask.nii.gz", "-o", "roi of a series"),
    ],
    "roi of cohorts": [
        *("roi", "--cohorts", A, B, "--min-patients", "5", "--threshold", "1"),
        *("--min-voxels", "20", *ATLAS, "-o", "roi of cohorts"),
    ],
    "roi of a map": [
        *("roi", "--map", MEAN, "--threshold", "80000", "--step", "dilate:1"),
        *("--step", "fill-holes", "-o", "roi of a map"),
    ],
    "roi code": ["roi", "--map", MEAN, "--threshold", "80000", "--print-code"],
    "atlases": ["atlases", "--atlases", "sample_data/atlas", "--all"],
    "atlases as json": ["atlases", "--atlases", "sample_data/atlas", "--json"],
    "convert": ["convert", f"{EYE}/moving_image.pkl", SCAN],
    "register": ["register", SCAN, "--template", f"{EYE}/template.nii.gz", "-o", "register"],
    "warp": [
        *("warp", SCAN, "--transform", f"{EYE}/known_transform.txt"),
        *("--template", f"{EYE}/template.nii.gz", "-o", "warp/warped.nii.gz"),
    ],
    "warp back": [
        *("warp", f"{EYE}/max_prob_map.nii.gz", "--inverse", "--moving", SCAN),
        *("--transform", f"{EYE}/known_transform.txt", "-o", "warp back/labels.nii.gz"),
    ],
    "mask": [
        *("mask", SCAN, *OF_LENS, f"{EYE}/known_transform.txt", "--label", "lens"),
        *("-o", "mask/lens.nii.gz"),
    ],
    "mask of the globe": [
        *("mask", SCAN, *OF_LENS, f"{EYE}/known_transform.txt", "--label", "globe"),
        *("-o", "mask of the globe/globe.nii.gz"),
    ],
    "snr": [
        *("snr", SCAN, "--signal", "mask/lens_mask.nii.gz", "-o", "snr/snr.csv"),
        *("--background", "mask of the globe/globe_mask.nii.gz"),
        *("--second", f"{EYE}/second_acquisition.nii.gz", "--air", f"{EYE}/air_mask.nii.gz"),
    ],
    "snr over time": [
        *("snr", f"{RUN}_bold.nii.gz", "--signal", "sample_data/series/sub-01_brain_mask.nii.gz"),
        *("-o", "snr over time/snr.csv"),
    ],
    "check": ["check", A],
    "check as json": ["check", "sample_data/atlas", "--json"],
    "inspect": ["inspect", f"{RUN}_bold.nii.gz"],
    "inspect as json": ["inspect", "sample_data/atlas/synthetic_atlas.nii.gz", "--json"],
    "inspect a voxel": [
        *("inspect", "sample_data/atlas/synthetic_atlas.nii.gz", "--mm", "-26", "0", "8"),
    ],
    "schema": ["schema", "mask"],
    "help": ["--help"],
    "wrong": ["stats", "sample_data/nothing", "-o", "wrong"],
}
# What differs between two runs or two computers, in files of JSON.
PASSING = ("software", "created", "engine", "seconds", "memory_mb")

# Commands whose results are counts, sums of whole numbers, and what follows from them one by one.
EXACT = {
    *("stats", "stats of a part", "size-bias", "overlap", "overlap by lobe", "compare", "coverage"),
    *("load", "assign", "assign like siibra", "roi code", "atlases", "atlases as json", "check"),
    *("check as json", "inspect as json", "inspect a voxel", "schema", "help"),
    "wrong",
}


def computer() -> str:
    """What the last digit of a result may depend on: the processor and releases of libraries."""
    with contextlib.suppress(OSError):
        flags = re.search("^flags.*$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        processor = flags[0] if flags else ""
        libraries = ("numpy", "scipy", "matplotlib", "nilearn", "SimpleITK")
        releases = [f"{name} {version(name)}" for name in libraries]
        kernel = os.environ.get("OPENBLAS_CORETYPE", "")
        return checksum(" ".join([processor, kernel, *releases]).encode())
    return "unknown"


def exact(outputs: dict[str, str]) -> dict[str, str]:
    """The part that is the same on every computer."""
    return {
        name: checked
        for name, checked in outputs.items()
        if re.split("[:/]", name)[0] in EXACT and not name.endswith(".png")
    }


def run_all(folder: Path) -> dict[str, str]:
    """Run all commands in a folder; what is printed, and the checksum of each file."""
    shutil.copytree(SAMPLE_DATA, folder / "sample_data")
    outputs = {}
    with contextlib.chdir(folder):
        for name, arguments in COMMANDS.items():
            outputs[f"{name}: text"] = checksum(printed(arguments))
            files = sorted(path for path in Path(name).rglob("*") if path.is_file())
            outputs |= {path.as_posix(): checksum(content(path)) for path in files}
    return outputs


def printed(arguments: list[str]) -> bytes:
    """What a command prints, its exit code last."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = ended.code
    return without_versions(f"{text.getvalue()}{code}\n").encode()


def content(path: Path) -> bytes:
    """The content of a file, without what differs between two runs on two computers.

    Figures count as pixels, compressed images as what they hold, pages as what a reader sees;
    files of JSON without versions, times, the checksums of other files, and the folder this runs
    in.
    """
    data = path.read_bytes()
    if path.suffix == ".png":
        return image.imread(path).tobytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".json":
        text = data.decode().replace(str(Path.cwd()), "FOLDER")
        values = json.loads(text, object_hook=lasting)
        return json.dumps(values | {"outputs": sorted(values.get("outputs", ()))}).encode()
    return without_versions(text_of(data.decode())).encode() if path.suffix == ".html" else data


def lasting(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name not in PASSING}


def without_versions(text: str) -> str:
    """Text without version numbers, checksums, times, pictures, and the folder this runs in."""
    text = text.replace(str(Path.cwd()), "FOLDER")
    text = re.sub(r"data:image/png;base64,[\w+/=]+", "PICTURE", text)
    text = re.sub(r"\b[\d.]+ (s|MB)\b", "COST", text)
    extra = r"(of the extra atlases), (not )?installed(: pip install lesion-dash\[atlases\])?"
    text = re.sub(extra, r"\1", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "CHECKSUM", text)
    return re.sub(r"\b\d+\.\d+(\.\d+)+\w*\b|\d{4}-\d\d-\d\d(T[\d:+]+)?", "VERSION", text)


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def outputs(folder) -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")
        patch.setenv("MPLBACKEND", "agg")
        yield run_all(folder)


def test_every_command_gives_what_it_always_gave(outputs):
    expected = json.loads(TABLE.read_text(encoding="utf-8"))
    if expected.pop("computer") != computer():
        outputs, expected = exact(outputs), exact(expected)
    assert outputs == expected


def header(path: Path) -> list[str]:
    separator = "\t" if path.suffix == ".tsv" else ","
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file, delimiter=separator))


def test_every_column_is_explained(outputs, folder):
    own = {*header(SAMPLE_DATA / "participants.tsv"), "sex=M"}
    region = re.compile(r"\d+_Synthetic .*|ROI \d+")
    tables = [path for path in folder.rglob("*.[ct]sv") if "sample_data" not in path.parts]
    assert len(tables) > 30
    for table in tables:
        names = [name for name in header(table) if not region.fullmatch(name)]
        unknown = [name for name in names if not meaning_of(name)]
        assert set(unknown) <= own, table


def test_five_commands_of_the_docs_lead_from_an_array_to_signal_to_noise(
    outputs, folder, monkeypatch
):
    monkeypatch.chdir(folder)
    page = (DOCS / "scans.md").read_text(encoding="utf-8")
    lines = page.replace("\\\n", " ").splitlines()
    workflow = [shlex.split(line)[1:] for line in lines if line.startswith("lesion-dash ")]
    assert [name for name, *_ in workflow] == ["convert", "register", "mask", "mask", "snr"]
    for arguments in workflow:
        if arguments[0] == "register":  # it takes long, and has run
            moved = {"results/eye/scan.nii.gz": SCAN, "results/eye/registered": "register"}
            assert [moved.get(text, text) for text in arguments] == COMMANDS["register"]
            shutil.copytree("register", "results/eye/registered")
        else:
            assert main(arguments) == 0
    values = pd.read_csv("results/eye/snr.csv").set_index("measure")["value"]
    assert "SNR of 29.8 (95 % interval 29.2 to 30.3)" in page
    assert "CNR of 17.7" in page
    # Another processor may shift the result by a hundredth of a millimetre, and so a voxel.
    assert values["snr_air"] == pytest.approx(29.8, abs=0.3)
    assert values["cnr_air"] == pytest.approx(17.7, abs=0.3)


def test_every_command_is_run():
    names = {arguments[0] for arguments in COMMANDS.values()}
    help_text = printed(["--help"]).decode()
    commands = set(re.findall(r"^    ([a-z][a-z-]+)(?=  |$)", help_text, re.MULTILINE))
    assert commands - names == {"demo", "serve"}


if __name__ == "__main__":
    os.environ |= {"COLUMNS": "100", "MPLBACKEND": "agg"}
    with tempfile.TemporaryDirectory() as place:
        table = {"computer": computer()} | run_all(Path(place).resolve())
        TABLE.write_text(json.dumps(table, indent=0) + "\n", encoding="utf-8")
    sys.stdout.write(f"{TABLE} is written anew\n")
