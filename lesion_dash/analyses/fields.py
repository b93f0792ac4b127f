"""Fields that several requests share: each is bounded, explained and given its default once."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field

from ..cohort.dask import SCHEDULER_VARIABLE
from ..core.defaults import MIN_PATIENTS, MIN_PERMUTATIONS, PERMUTATIONS, SEED
from .request import Argument

# Results.

Output = Annotated[
    str,
    Argument("results folder, made if missing", "OUT", "-o", is_recorded=False),
]
OutputTable = Annotated[
    str,
    Argument("the table; provenance is written beside it", "OUT.csv", "-o", is_recorded=False),
]
OutputImage = Annotated[
    str,
    Argument("the image; provenance is written beside it", "OUT.nii.gz", "-o", is_recorded=False),
]
Overwrite = Annotated[
    bool, Field(default=False), Argument("replace earlier results", is_recorded=False)
]
AsJson = Annotated[bool, Field(default=False), Argument("print one JSON object", is_recorded=False)]

# Folders of masks, and how they are read.

Masks = Annotated[
    str,
    Argument(
        "folder or URL of binary masks, one file per patient",
        "MASKS", positional=True, is_path=True,
    ),
]  # fmt: skip
MinPatients = Annotated[
    int,
    Field(default=MIN_PATIENTS, ge=1),
    Argument("voxels lesioned in at least K patients count", "K", "-k"),
]
Pattern = Annotated[
    str,
    Field(default="*"),
    Argument("only masks whose name matches, such as '*lesion*'", "PATTERN"),
]
Threshold = Annotated[
    float | None,
    Field(default=None, gt=0, le=1),
    Argument("make masks of probability maps: voxels of at least P", "P"),
]
Label = Annotated[
    int | None,
    Field(default=None, ge=1),
    Argument("make masks of label maps: voxels of value N", "N"),
]
Where = Annotated[
    tuple[str, ...],
    Field(default=()),
    Argument(
        "only patients of whom the participants table says so, such as 'sex=F', 'age>=60', "
        "'age=60..80', 'group=A,B', 'sex!=F' or 'nihss=missing', in quotes; once for each of "
        "several conditions",
        "CONDITION",
    ),
]
WhereA = Annotated[
    tuple[str, ...],
    Field(default=()),
    Argument("as --where, for A alone: A and B may be parts of one folder", "CONDITION"),
]
WhereB = Annotated[
    tuple[str, ...],
    Field(default=()),
    Argument("as --where, for B alone", "CONDITION"),
]
Participants = Annotated[
    str | None,
    Field(default=None),
    Argument("participants .tsv or .csv", "TABLE", is_path=True, is_recorded=True),
]
Scheduler = Annotated[
    str | None,
    Field(default_factory=lambda: os.environ.get(SCHEDULER_VARIABLE, "").strip() or None),
    Argument(
        "read on the Dask cluster at ADDRESS, such as tcp://127.0.0.1:8786 (default: "
        f"{SCHEDULER_VARIABLE} where that is set, otherwise this computer)",
        "ADDRESS",
    ),
]

# Permutations.

Permutations = Annotated[
    int,
    Field(default=PERMUTATIONS, ge=MIN_PERMUTATIONS),
    Argument("random permutations; no p is below 1 / (N + 1)", "N"),
]
Seed = Annotated[int, Field(default=SEED, ge=0), Argument("of the random numbers", "S")]

# Atlases.

_ATLAS = (
    "labelled or probabilistic NIfTI image, a folder of maps, or a name from `lesion-dash atlases`"
)
_LABELS = "names of its regions (default: the table beside it)"

Atlas = Annotated[str, Argument(_ATLAS, "ATLAS", is_path=True)]
Atlases = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    Argument(f"{_ATLAS}; once for each of several atlases", "ATLAS", is_path=True),
]
Labels = Annotated[str | None, Field(default=None), Argument(_LABELS, "TABLE", is_path=True)]
LabelsOfEach = Annotated[
    tuple[str, ...],
    Field(default=()),
    Argument(f"{_LABELS}; once for each atlas, or never", "TABLE", is_path=True),
]
By = Annotated[
    Literal["region", "hemisphere", "parent"],
    Field(default="region"),
    Argument("put regions together by hemisphere, or by parent such as the lobe"),
]
