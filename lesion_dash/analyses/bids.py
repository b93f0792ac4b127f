"""Results as a BIDS derivative dataset: names with entities, sidecars, and what describes them all.

BIDS has no maps of statistics yet. Their names, ``stat-<label>`` and ``_statmap``, are those of its
extension proposal 41, which nilearn and FitLins write as well; the rules that hold for all
derivatives hold for them. `.bidsignore` lists what a validator does not know. Images are written
as ``.nii``, which BIDS takes as it takes ``.nii.gz``: SPM12 reads no compressed image.
https://github.com/bids-standard/bids-specification/issues/887
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .columns import describe_column
from .contents import Content

if TYPE_CHECKING:
    from ..core.grid import Grid
    from ..files.paths import AnyPath
    from ..images.maps import Map
    from ..images.masks import Mask

Files = Iterable[tuple[str, Content]]

BIDS_VERSION = "1.11.1"
"""Of the specification whose rules are followed."""

STANDARD_SPACES = frozenset(
    (
        *(f"MNI152NLin2009{release}{sides}" for release in "abc" for sides in ("Sym", "Asym")),
        *("MNI152NLin6Sym", "MNI152NLin6Asym", "MNI152Lin", "MNI305", "MNIColin27", "IXI549Space"),
        *("ICBM452AirSpace", "ICBM452Warp5Space", "UNCInfant", "Talairach", "fsaverage", "fsLR"),
    )
)
"""Those that BIDS defines, of the ones known here. An image in another one names a reference."""

OTHER_SPACE = "study"
"""BIDS's label of a space that no standard template defines."""

_DESCRIPTION = "dataset_description.json"
_IGNORED, _README = ".bidsignore", "README.md"
_LABELS, _LABEL_COLUMNS = "descriptions.tsv", "descriptions.json"
DATASET_FILES = (_DESCRIPTION, _README, _IGNORED, _LABELS, _LABEL_COLUMNS)
"""What each dataset has beside its maps, tables and provenance."""

_IGNORE = """\
# Maps of statistics: BIDS 1.11 has no names for them yet. stat- and _statmap are those of the BIDS
# extension proposal 41.
*_statmap.nii
*_statmap.json
# Tables of regions, clusters and patients: BIDS defines no table of an analysis.
*_table.tsv
*_table.json
# Versions, parameters and checksums; figures; Python that makes the same results.
provenance.json
*.png
*.py
"""

_ABOUT_COLUMNS: dict[str, Any] = {
    "Description": "What the entity desc- of each file name stands for",
    "desc_id": {"Description": "Entity desc- of the name of a file"},
    "description": {"Description": "What the file holds"},
}


def label(text: str) -> str:
    """A text as the value of an entity: letters and digits alone.

    Examples
    --------
    >>> label("lesion_patients_per_voxel"), label("corrected_p_v4.5")
    ('lesionPatientsPerVoxel', 'correctedPV4p5')
    """
    first, *others = re.findall("[A-Za-z0-9]+", re.sub(r"(?<=\d)\.(?=\d)", "p", text)) or ["x"]
    return first[:1].lower() + first[1:] + "".join(word[:1].upper() + word[1:] for word in others)


def space_label(grid: Grid) -> str:
    """The value of ``space-`` for images on a grid."""
    from ..images.space import space_of

    space = space_of(grid)
    is_named = space.kind == "template" and space.label.isalnum() and space.label.isascii()
    return space.label if is_named else OTHER_SPACE


def resolution_label(grid: Grid) -> str:
    """The value of ``res-`` for images on a grid: the edge of a voxel, or its three edges.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid
    >>> resolution_label(Grid((4, 4, 4), np.diag([1.5, 1.5, 1.5, 1])))
    '1p5mm'
    >>> resolution_label(Grid((4, 4, 4), np.diag([2, 2, 3, 1])))
    '2x2x3mm'
    """
    edges = [f"{edge:.4g}".replace(".", "p") for edge in grid.voxel_size]
    return ("x".join(edges) if len({*edges}) > 1 else edges[0]) + "mm"


def count_files(names: Iterable[str]) -> int:
    """How many files of a dataset come of files of the usual names: maps and tables have sidecars.

    Examples
    --------
    >>> count_files(["n.nii", "patients.csv", "scatter.png"]) - len(DATASET_FILES)
    5
    """
    return len(DATASET_FILES) + sum(1 + name.endswith((".nii", ".csv")) for name in names)


def earlier_files(folder: AnyPath, record: str) -> frozenset[str]:
    """The files of an earlier result in a folder, as its provenance lists them.

    Raises
    ------
    InputError
        Where the folder holds anything else: a validator would take it for a part of the dataset;
        or where it is not a folder of this computer.
    """
    from ..files.reading import read_bytes

    if not isinstance(folder, Path):
        problem = "a BIDS dataset is written into a folder of this computer"
        raise InputError(folder, problem, "give one, and copy it to the store when it is complete")
    if not folder.is_dir():
        return frozenset()
    names: frozenset[str] = frozenset()
    if (folder / record).is_file():
        try:
            outputs = json.loads(read_bytes(folder / record))["outputs"]
            names = frozenset({record, *map(str, outputs)})
        except (ValueError, KeyError, TypeError, RecursionError):
            names = frozenset({record})  # no provenance of ours
    try:
        present = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise InputError(folder, problem, "give another results folder") from error
    # Validators pass over hidden files, such as those of macOS.
    others = [name for name in present if name not in names and not name.startswith(".")]
    if others:
        problem = f"holds {others[0]}, which is not part of the dataset"
        raise InputError(folder, problem, "give a new folder: a BIDS dataset has one of its own")
    return frozenset(name for name in names if Path(name).name == name)


@dataclass(frozen=True)
class Derivative:
    """A result as a dataset.

    Parameters
    ----------
    command : str
        Such as ``stats``.
    sentence : str
        What it computes.
    command_line : str
    """

    command: str
    sentence: str
    command_line: str

    def files(self, files: Files, inputs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
        """The files of a result under their names in the dataset, and those it has in addition.

        Values are those of the usual files: maps have the same bytes, cells the same text.

        Parameters
        ----------
        files : iterable of (str, content)
            With their usual names.
        inputs : sequence of dict
            As in the provenance.
        """
        from ..images.maps import Map
        from ..images.masks import Mask

        described: dict[str, str] = {}
        reference = ""
        for name, content in files:
            stem, _, ending = name.rpartition(".")
            if ending == "csv" and isinstance(content, bytes):
                own = _own_label(stem, described)
                described[own] = f"Table {name} of a run without --bids"
                yield from _table_files(own, content, described[own])
            elif not isinstance(content, (Map, Mask)):
                yield name, content
            else:
                own = _own_label(stem, described)
                described[own] = _meaning(content)
                base = _image_name(content, own)
                reference = reference or f"bids::{base}.nii"
                yield f"{base}.nii", content
                yield f"{base}.json", _json(_sidecar(content, reference))
        yield _LABELS, _descriptions(described)
        yield _LABEL_COLUMNS, _json(_ABOUT_COLUMNS)
        yield _DESCRIPTION, _json(self._dataset(inputs))
        yield _README, self._readme().encode()
        yield _IGNORED, _IGNORE.encode()

    def _dataset(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        tool = {"Name": "lesion_dash", "Version": version("lesion-dash")}
        content = {
            "Name": f"lesion-dash {self.command}: {self.sentence}",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [tool | {"Description": self.command_line}],
        }
        sources = [source for each in inputs if (source := _source_dataset(each))]
        return content | ({"SourceDatasets": sources} if sources else {})

    def _readme(self) -> str:
        return f"""# lesion-dash {self.command}

{self.sentence}.

A BIDS derivative dataset, written by lesion_dash {version("lesion-dash")}:

    {self.command_line}

- `*_statmap.nii`: a number at each voxel. The JSON file of the same name says which, its unit, the
  space and the resolution.
- `*_mask.nii`: 0 and 1 at each voxel.
- `*_table.tsv`: tables. The JSON file of the same name describes the columns. `n/a` is a missing
  value.
- `descriptions.tsv`: what each `desc-` of a file name stands for.
- `provenance.json`: versions, parameters, inputs and outputs with SHA-256 checksums.

`.bidsignore` lists what BIDS has no names for yet, with the reason.
"""


def _own_label(stem: str, taken: Mapping[str, str]) -> str:
    """The label of a file that no other has, also where a file system takes A for a."""
    own, number, known = label(stem), 1, {name.casefold() for name in taken}
    while (name := own if number == 1 else f"{own}{number}").casefold() in known:
        number += 1
    return name


def _image_name(image: Map | Mask, own: str) -> str:
    """The name of an image without its ending: entities in the order of BIDS, and its suffix."""
    from ..images.masks import Mask

    place = f"space-{space_label(image.grid)}_res-{resolution_label(image.grid)}"
    if isinstance(image, Mask):
        return f"{place}_label-L_desc-{own}_mask"  # L is BIDS's label of a lesion
    return f"{place}_stat-{label(image.statistic)}_desc-{own}_statmap"


def _meaning(image: Map | Mask) -> str:
    from ..images.masks import Mask

    if isinstance(image, Mask):
        return f"Binary mask, {image.name}"
    return f"{image.name}: {image.meaning}" if image.meaning else image.name


def _sidecar(image: Map | Mask, reference: str) -> dict[str, Any]:
    from ..images.masks import Mask

    content: dict[str, Any] = {"Description": _meaning(image)}
    if isinstance(image, Mask):
        content["Type"] = "Lesion"
    else:
        content["Units"] = _UNITS.get(image.unit, image.unit)
    if space_label(image.grid) not in STANDARD_SPACES:
        content["SpatialReference"] = reference
    return content | {"Resolution": str(image.grid)}


_UNITS = {"mm³": "mm^3", "": "dimensionless"}
"""As BIDS writes them, where that differs."""


def _table_files(own: str, content: bytes, about: str) -> Iterator[tuple[str, bytes]]:
    from ..core.tables import tsv_of_csv

    table = tsv_of_csv(content)
    columns = table.partition(b"\n")[0].decode().split("\t")
    yield f"desc-{own}_table.tsv", table
    sidecar = {"Description": about} | {name: describe_column(name) for name in columns}
    yield f"desc-{own}_table.json", _json(sidecar)


def _descriptions(described: Mapping[str, str]) -> bytes:
    rows = ["desc_id\tdescription", *(f"desc-{own}\t{text}" for own, text in described.items())]
    return "".join(f"{row}\n" for row in rows).encode()


def _source_dataset(source: Mapping[str, Any]) -> dict[str, str]:
    """Where masks came from, where that is a URL or a BIDS dataset; else nothing."""
    from ..files.paths import as_path
    from ..files.reading import read_bytes

    if source.get("kind") != "cohort":
        return {}
    folder = as_path(source["folder"])
    if not isinstance(folder, Path):
        return {"URL": str(folder)}
    for place in (folder, *folder.absolute().parents):
        if (place / _DESCRIPTION).is_file():
            try:
                doi = json.loads(read_bytes(place / _DESCRIPTION)).get("DatasetDOI", "")
            except (InputError, ValueError, AttributeError, RecursionError):
                doi = ""  # whose dataset it is is known all the same
            content = {"URL": place.absolute().as_uri()}
            return content | ({"DOI": doi} if isinstance(doi, str) and doi else {})
    return {}


def _json(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")
