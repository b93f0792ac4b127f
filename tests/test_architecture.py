"""The arrows between the rooms run one way, and the rooms stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lesion_dash"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}

# A room may import the rooms above it, never one below: lazy imports included.
ROOMS = [
    "text", "errors", "memory", "grid", "runs", "files", "tables", "images", "arrays", "conditions",
    "template", "label_tables",
    "atlas_library", "atlas",
    "compute", "cohort", "subgroups", "voxel_volumes", "spread_runs",
    "components", "topography", "size_bias", "comparison", "differences", "thresholds",
    "region_shares", "regions", "matches", "assignment", "points", "loads", "regional_differences",
    "contrasts",
    "transforms", "region_masks", "signal_quality", "registration", "native_signal",
    "provenance", "roi", "door", "inspection",
    "map_scales", "plots", "threshold_plots", "heat_map", "roi_plots", "value_histogram",
    "registration_plots", "registration_report", "report", "__init__", "dashboard",
    "streams", "console", "arguments", "output_option", "atlas_option", "where_option",
    "commands", "atlases_command", "load_command",
    "size_bias_command", "compare_command", "coverage_command",
    "assign_report", "assign_options", "assign_command", "roi_options", "roi_command",
    "inspect_command",
    "mask_command", "snr_command", "convert_command", "register_command", "warp_command",
    "report_command", "cli",
]  # fmt: skip
# Libraries that only the named rooms know.
KEPT_TO = {
    "ipywidgets": {"dashboard"},
    "traitlets": {"dashboard"},
    "anywidget": {"dashboard"},
    "ipyniivue": {"dashboard"},
    "itables": {"dashboard"},
    "IPython": {"dashboard"},
    "nibabel": {"images", "template"},
    "dask": {"compute"},
    "distributed": {"compute"},
    "SimpleITK": {"registration"},
    "dipy": {"registration"},
}
# Modules that open files by themselves: their own, the system's, or other packages'; never a user's
# images and tables, which are read by the room "files" alone, so that no link leads out of a root.
OPENERS = {
    "cli.py", "cohort/positions.py", "memory.py", "register_command.py", "template.py",
    "dashboard/controls.py", "dashboard/scripts.py", "dashboard/serving/landlock.py",
    "dashboard/serving/served_folder.py", "dashboard/serving/token_file.py",
    "registration/apart.py", "registration/exchange.py", "registration/process.py",
    "registration/programs.py", "report/page.py", "streams.py",
}  # fmt: skip
OPENING = {
    "open", "read_text", "read_bytes", "from_filename", "ReadImage", "memmap", "fromfile",
    "loadtxt", "genfromtxt", "read_csv",
}  # fmt: skip
LONGEST_FILE = 400
LONGEST_FUNCTION = 40


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[str]:
    """Absolute dotted name of everything the file imports, at its top or inside a function."""
    package = ("lesion_dash", *file.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def rooms_used(file: Path) -> set[str]:
    names = [name.split(".") for name in imports(file) if name.startswith("lesion_dash")]
    used = {name[1] if len(name) > 1 else "__init__" for name in names}
    # `from lesion_dash import load_cohort` goes through the table of contents.
    return {room if room in ROOMS or (PACKAGE / room).exists() else "__init__" for room in used}


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    has_docstring = ast.get_docstring(function) is not None
    docstring = function.body[0].end_lineno - function.body[0].lineno + 1 if has_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring


each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))


@each_file
def test_a_room_imports_only_rooms_above_it(file):
    room = room_of(file)
    assert room in ROOMS, f"give {room} its place in ROOMS"
    below = {used for used in rooms_used(file) if ROOMS.index(used) > ROOMS.index(room)}
    assert not below, f"{room} must not import {sorted(below)}"


@each_file
def test_libraries_stay_in_their_rooms(file):
    for name in imports(file):
        rooms = KEPT_TO.get(name.split(".")[0])
        assert rooms is None or room_of(file) in rooms, f"{name} belongs to {rooms}"


def opens_files(call: ast.Call) -> bool:
    """Whether a call opens a file by its path; our own functions are called by their bare names."""
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    if last == "open":
        return name in {"open", "os.open", "io.open"} or any(
            isinstance(argument, ast.Constant) and argument.value in {"r", "rb"}
            for argument in call.args
        )
    is_array = name in {"np.load", "nib.load", "nibabel.load"}
    return is_array or (last in OPENING and "." in name)


@each_file
def test_users_files_are_opened_in_one_room(file):
    if room_of(file) != "files" and file.relative_to(PACKAGE).as_posix() not in OPENERS:
        calls = [node for node in ast.walk(TREES[file]) if isinstance(node, ast.Call)]
        assert not [ast.unparse(call) for call in calls if opens_files(call)]


@each_file
def test_a_file_is_one_noun_and_short(file):
    assert file.stem not in {"utils", "helpers", "common", "misc"}
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@each_file
def test_functions_are_short(file):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(TREES[file]) if isinstance(node, functions)]
    long = {node.name: code_lines(node) for node in nodes if code_lines(node) > LONGEST_FUNCTION}
    assert not long


def test_the_rooms_are_all_there():
    assert {"cli", "dashboard", "images"} <= {room_of(file) for file in FILES}
