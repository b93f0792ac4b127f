"""Fields that several requests share: each is bounded, explained and given its default once."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field

from ..cohort.dask import SCHEDULER_VARIABLE
from ..core.defaults import MIN_PATIENTS, MIN_PERMUTATIONS, PERMUTATIONS, SEED
from .options import option, source

# Results.

_BESIDE = "provenance is written beside it"

Output = Annotated[str, option("results folder, made if missing", "OUT", "-o", is_recorded=False)]
OutputTable = Annotated[str, option(f"the table; {_BESIDE}", "OUT.csv", "-o", is_recorded=False)]
OutputImage = Annotated[str, option(f"the image; {_BESIDE}", "OUT.nii.gz", "-o", is_recorded=False)]
Overwrite = Annotated[bool, option("replace earlier results", default=False, is_recorded=False)]
AsJson = Annotated[
    bool, option("print one JSON object", flag="--json", default=False, is_recorded=False)
]

# Folders of masks, and how they are read.

_MASKS = "folder or URL of binary masks, one file per patient"

Masks = Annotated[str, source(_MASKS, "MASKS", positional=True)]
MasksA = Annotated[str, source(_MASKS, "A", positional=True)]
MinPatients = Annotated[
    int,
    option("voxels lesioned in at least K patients count", "K", "-k", default=MIN_PATIENTS, ge=1),
]
Pattern = Annotated[
    str, option("only masks whose name matches, such as '*lesion*'", "PATTERN", default="*")
]
Threshold = Annotated[
    float | None,
    option("make masks of probability maps: voxels of at least P", "P", default=None, gt=0, le=1),
]
Label = Annotated[
    int | None, option("make masks of label maps: voxels of value N", "N", default=None, ge=1)
]
Where = Annotated[
    tuple[str, ...],
    option(
        "only patients of whom the participants table says so, such as 'sex=F', 'age>=60', "
        "'age=60..80', 'group=A,B', 'sex!=F' or 'nihss=missing', in quotes; once for each of "
        "several conditions",
        "CONDITION",
        default=(),
    ),
]
WhereA = Annotated[
    tuple[str, ...],
    option("as --where, for A alone: A and B may be parts of one folder", "CONDITION", default=()),
]
WhereB = Annotated[tuple[str, ...], option("as --where, for B alone", "CONDITION", default=())]
Participants = Annotated[str | None, source("participants .tsv or .csv", "TABLE", default=None)]
Scheduler = Annotated[
    str | None,
    option(
        "read on the Dask cluster at ADDRESS, such as tcp://127.0.0.1:8786 (default: "
        f"{SCHEDULER_VARIABLE} where that is set, otherwise this computer)",
        "ADDRESS",
    ),
    Field(default_factory=lambda: os.environ.get(SCHEDULER_VARIABLE, "").strip() or None),
]

# Permutations.

Permutations = Annotated[
    int,
    option(
        "random permutations; no p is below 1 / (N + 1)",
        "N",
        default=PERMUTATIONS,
        ge=MIN_PERMUTATIONS,
    ),
]
Seed = Annotated[int, option("of the random numbers", "S", default=SEED, ge=0)]

# Atlases.

_ATLAS = (
    "labelled or probabilistic NIfTI image, a folder of maps, or a name from `lesion-dash atlases`"
)
_LABELS = "names of its regions (default: the table beside it)"

Atlas = Annotated[str, source(_ATLAS, "ATLAS")]
Atlases = Annotated[
    tuple[str, ...], source(f"{_ATLAS}; once for each of several atlases", "ATLAS", min_length=1)
]
Labels = Annotated[str | None, source(_LABELS, "TABLE", default=None, is_recorded=False)]
LabelsOfEach = Annotated[
    tuple[str, ...],
    source(f"{_LABELS}; once for each atlas, or never", "TABLE", default=(), is_recorded=False),
]
By = Annotated[
    Literal["region", "hemisphere", "parent"],
    option("put regions together by hemisphere, or by parent such as the lobe", default="region"),
]

# Single images.

Image = Annotated[str, source("NIfTI image of one volume, or its URL", "IMAGE", positional=True)]
Connectivity = Annotated[
    Literal[6, 18, 26], option("voxels of one part share a face, an edge too, or a corner too")
]
