"""Atlas images and the label tables that belong to them, found by their names."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import overload

from ..files import AnyPath, PathInput, UrlPath, as_path, list_images, path_below, strip_ending
from ..label_tables import ENDINGS, is_label_table

_GENERIC = frozenset(
    ("atlas", "label", "labels", "lut", "names", "table", "map", "dseg", "nii", "gz")
)
_GENERIC |= {
    "",
    "atlases",
    "name",
    "maps",
    "region",
    "regions",
    "prob",
    "1mm",
    "2mm",
    "lesion",
    "mask",
}
"""Words in a file's name that do not tell one atlas from another."""


@overload
def find_label_table(image: Path) -> Path | None: ...
@overload
def find_label_table(image: UrlPath) -> UrlPath | None: ...
def find_label_table(image: AnyPath) -> AnyPath | None:
    """The label table beside an atlas image that is named after it.

    Words such as "labels" or "2mm" aside, every word of the table's name is one of the image's:
    ``BN_Atlas_246_LUT.txt`` belongs to ``BN_Atlas_246_2mm.nii.gz``. A file that is no label table
    is none, whatever its name.
    """
    if not image.parent.is_dir():
        return None
    stem, own = strip_ending(image.name).lower(), _words(image.name)
    beside: list[AnyPath] = list(image.parent.iterdir())
    tables = [path for path in beside if path.suffix.lower() in ENDINGS]
    tables.sort(key=lambda path: path.name)
    same = [table for table in tables if strip_ending(table.stem).lower() == stem]
    alike = [table for table in tables if _words(table.name) <= own and _words(table.name)]
    ranked = same + sorted(alike, key=lambda table: -len(_words(table.name)))
    return next((table for table in ranked if is_label_table(table)), None)


def find_atlases(folder: PathInput) -> dict[str, tuple[AnyPath, AnyPath]]:
    """Atlas images below a folder that have a label table beside them: name to both paths.

    Atlases of one file name are told apart by their path below the folder.
    """
    root = as_path(folder)
    pairs = [(image, find_label_table(image)) for image in list_images(root).images]
    found = [(image, table) for image, table in pairs if table is not None]
    times = Counter(image.name for image, _ in found)
    return {
        strip_ending(image.name if times[image.name] == 1 else path_below(image, root)): (
            image,
            table,
        )
        for image, table in found
    }


def _words(name: str) -> frozenset[str]:
    words = re.split(r"[^a-z0-9]+", strip_ending(Path(name).stem if "." in name else name).lower())
    return frozenset(words) - _GENERIC
