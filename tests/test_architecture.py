"""Who may import whom, checked file by file: imports inside functions and for types included."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import lesion_dash
import lesion_dash.analyses

PACKAGE = Path(__file__).resolve().parent.parent / "lesion_dash"
FILES = sorted(PACKAGE.rglob("*.py"))

# A package imports only packages before it.
PACKAGES = [
    "core", "files", "images", "transforms", "atlas", "cohort", "stats", "regions", "rois", "scans",
    "plotting", "report", "analyses", "dashboard", "server", "cli", "__main__",
]  # fmt: skip
# Libraries that only these packages know.
KEPT_TO = {
    "ipywidgets": {"dashboard"},
    "traitlets": {"dashboard", "server"},
    "anywidget": {"dashboard"},
    "IPython": {"dashboard"},
    "voila": {"server"},
    "tornado": {"server"},
    "nibabel": {"images"},
    "dask": {"cohort"},
    "distributed": {"cohort"},
    "SimpleITK": {"transforms", "scans"},
    "dipy": {"scans"},
    "sklearn": {"stats"},
}
# Modules that open files by themselves: their own, the system's, or other packages'. A user's
# images and tables are read by the package "files" alone, so that no link leads out of a root.
OPENERS = {
    "__init__.py", "analyses/console.py", "analyses/registration.py", "cli.py", "cohort/loading.py",
    "core/system.py", "dashboard/controls.py", "dashboard/scripts.py",
    "dashboard/widgets/assets.py", "images/template.py", "report/page.py",
    "scans/registration/deformable.py",
    "scans/registration/process.py", "server/access.py",
    "server/landlock.py",
}  # fmt: skip
OPENING = {
    "open", "read_text", "read_bytes", "from_filename", "ReadImage", "memmap", "fromfile",
    "loadtxt", "genfromtxt", "read_csv",
}  # fmt: skip
LONGEST_FILE = 600


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def name_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in FILES}


def package_of(module: str) -> str:
    return [*module.split("."), ""][1]


def imports(file: Path) -> Iterator[str]:
    """Absolute dotted name of everything the file imports, at its top or inside a function."""
    package = ("lesion_dash", *file.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def modules_used(file: Path) -> set[str]:
    """The modules of this package that a file imports, or names of which it imports."""
    own = [name for name in imports(file) if name.split(".")[0] == "lesion_dash"]
    return {name if name in MODULES else name.rpartition(".")[0] for name in own}


@pytest.fixture(scope="module")
def used_by_module() -> dict[str, set[str]]:
    return {module: modules_used(file) for module, file in MODULES.items()}


# Lists of public names; their own imports are one function.
CONTENTS = {"lesion_dash", "lesion_dash.analyses", "lesion_dash.rois", "lesion_dash.scans"}


def test_each_file_imports_only_packages_before_its_own(used_by_module):
    assert {package_of(module) for module in MODULES} - {""} == {*PACKAGES}
    upwards = {
        (module, used)
        for module, names in used_by_module.items()
        for used in names
        if module not in CONTENTS
        and (
            used == "lesion_dash"
            or PACKAGES.index(package_of(used)) > PACKAGES.index(package_of(module))
        )
    }
    assert not upwards


def test_no_files_import_each_other_in_a_circle(used_by_module):
    graph = {module: names - {module} for module, names in used_by_module.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle: {' -> '.join(error.args[1])}") from None


def test_libraries_stay_in_their_packages():
    strays = {
        (module, name)
        for module, file in MODULES.items()
        for name in imports(file)
        if package_of(module) not in KEPT_TO.get(name.split(".")[0], {package_of(module)})
    }
    assert not strays


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


def test_users_files_are_opened_in_one_package():
    openers = {
        file.relative_to(PACKAGE).as_posix()
        for file in FILES
        if package_of(name_of(file)) != "files"
        and any(opens_files(node) for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call))
    }
    assert openers <= OPENERS


def test_files_are_one_concept_each():
    assert not {file for file in FILES if file.stem in {"utils", "helpers", "common", "misc"}}
    texts = {module: file.read_text(encoding="utf-8") for module, file in MODULES.items()}
    longer = {module for module, text in texts.items() if len(text.splitlines()) > LONGEST_FILE}
    assert not longer


PUBLIC = (lesion_dash, lesion_dash.analyses, lesion_dash.rois, lesion_dash.scans)


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_listed_once_and_found(package):
    """Each package has a name once: an analysis is in one place, and no result type is lost."""
    assert {*package.__all__} <= {*dir(package)}
    for name in package.__all__:
        assert getattr(package, name).__name__.split(".")[-1] == name
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = package.nothing_of_the_kind


def test_no_public_name_is_in_two_packages():
    names = [name for package in PUBLIC for name in package.__all__]
    assert len({*names}) == len(names)


# Words of a private language that once ran through the code, with the terms that took their place.
RETIRED = {
    "door": "validation", "desk": "context", "outbox": "writer", "roster": "listing",
    "sight": "volumes", "seat": "kernel", "apart": "worker or difference", "told": "a noun",
    "asked": "request", "wanted": "request", "found": "a noun",
}  # fmt: skip
OF_OTHERS = {"FileNotFoundError", "PackageNotFoundError", "ModuleNotFoundError"}


def identifiers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for field in ("id", "arg", "attr", "name"):
            if isinstance(name := getattr(node, field, None), str):
                yield name


def test_retired_words_name_nothing():
    used = {
        f"{module}: {name}"
        for module, file in MODULES.items()
        for name in set(identifiers(ast.parse(file.read_text(encoding="utf-8")))) - OF_OTHERS
        if RETIRED.keys() & {part.lower() for part in re.findall("[a-z]+|[A-Z][a-z]*", name)}
    }
    assert not used
