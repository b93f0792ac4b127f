"""Fields of requests: what they mean, how they are written on a command line, their bounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..cohort.dask import SCHEDULER_VARIABLE
from ..core import defaults
from ..core.defaults import MIN_PATIENTS, MIN_PERMUTATIONS, PERMUTATIONS, SEED
from ..core.errors import InputError
from ..core.space import ATLAS, check_statements
from ..images.mask_choices import label_text, parse_threshold


@dataclass(frozen=True)
class Argument:
    """How a field is written on the command line.

    Parameters
    ----------
    metavar : str or tuple of str
        What stands for the value in ``--help``; a tuple has one for each of several values.
    flag : str
        In place of ``--`` and the name of the field; or a short one in addition, such as ``-k``.
    positional : bool
        Without a flag.
    several : bool
        One flag takes all values of the field, in place of one flag for each.
    is_path : bool
        A path or URL that is read: provenance lists it under its inputs, with its checksum.
    is_recorded : bool
        Whether provenance lists it under its parameters.
    is_usual_recorded : bool
        Whether it does so where the value is the default.
    group : str
        Heading in ``--help``.
    """

    metavar: str | tuple[str, ...] = ""
    flag: str = ""
    positional: bool = False
    several: bool = False
    is_path: bool = False
    is_recorded: bool = True
    is_usual_recorded: bool = True
    group: str = ""


def option(
    text: str,
    metavar: str | tuple[str, ...] = "",
    flag: str = "",
    *,
    default: Any = PydanticUndefined,
    **more: Any,
) -> Any:
    """Define a field that is chosen; a required one has no default.

    Parameters
    ----------
    text : str
        What it means, in lower case, without a full stop; default and bounds are added in help.
    metavar, flag : str
        See `Argument`.
    default : object, optional
    **more : object
        The rest of an `Argument`, and bounds as pydantic's ``Field`` takes them, such as ``ge=1``.
    """
    names = [name for name in Argument.__dataclass_fields__ if name in more]
    argument = {name: more.pop(name) for name in names} | {"metavar": metavar, "flag": flag}
    extra: Any = {"argument": argument}
    return Field(default=default, description=text, json_schema_extra=extra, **more)


def source(text: str, metavar: str | tuple[str, ...], flag: str = "", **more: Any) -> Any:
    """Define a field that names what is read, as a path or URL; see `option`.

    What is required stands under the inputs of the provenance alone, with its checksum; what may
    be given stands under its parameters as well.
    """
    is_recorded = more.pop("is_recorded", "default" in more)
    return option(text, metavar, flag, is_path=True, is_recorded=is_recorded, **more)


def argument_of(info: FieldInfo) -> Argument:
    """How a field is written on the command line."""
    extra: Any = info.json_schema_extra
    return Argument(**extra["argument"])


def default_of(info: FieldInfo) -> Any:
    """The default of a field; pydantic's own mark where there is none."""
    return info.get_default(call_default_factory=True, validated_data={})


def flag_of(name: str, info: FieldInfo) -> str:
    """The long flag of a field, or its metavar where it is positional."""
    argument = argument_of(info)
    if argument.positional:
        return str(argument.metavar)
    return argument.flag if argument.flag.startswith("--") else f"--{name.replace('_', '-')}"


def value_type(info: FieldInfo) -> tuple[Any, int | None]:
    """The type of one value of a field, and how many it takes; None for any number.

    Examples
    --------
    >>> from lesion_dash.analyses.inspection import Inspect
    >>> [value_type(Inspect.model_fields[name]) for name in ("volume", "voxel")]
    [(<class 'int'>, 1), (<class 'int'>, 3)]
    """
    kind: Any = info.annotation
    if get_origin(kind) in (UnionType, Union):
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is not tuple:
        return kind, 1
    parts = get_args(kind)
    return parts[0], None if parts[-1] is Ellipsis else len(parts)


def choices_of(info: FieldInfo) -> tuple[Any, ...]:
    """The values of a field that has a few."""
    kind, _ = value_type(info)
    return get_args(kind) if get_origin(kind) is Literal else ()


_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most"}


def bounds_of(info: FieldInfo) -> str:
    """The bounds of a number as text."""
    bounds = [
        f"{relation} {getattr(extra, name)}"
        for extra in info.metadata
        for name, relation in _BOUNDS.items()
        if hasattr(extra, name)
    ]
    return ", ".join(bounds)


def default_text(info: FieldInfo) -> str:
    """The default of a field; empty where it has none, or none that is worth saying."""
    default = None if info.is_required() else default_of(info)
    is_shown = default is not None and default is not False and default not in ((), "")
    if isinstance(default, tuple):
        return " ".join(
            f"{value:g}" if isinstance(value, float) else str(value) for value in default
        )
    return str(default) if is_shown else ""


def help_of(info: FieldInfo) -> str:
    """What a field means, with its default and its bounds."""
    default = default_text(info)
    more = "; ".join(filter(None, [default and f"default {default}", bounds_of(info)]))
    return (info.description or "") + (f" ({more})" if more else "")


_BESIDE = "provenance is written beside it"

Output = Annotated[str, option("results folder, made if missing", "OUT", "-o", is_recorded=False)]
OutputTable = Annotated[str, option(f"the table; {_BESIDE}", "OUT.csv", "-o", is_recorded=False)]
OutputImage = Annotated[str, option(f"the image; {_BESIDE}", "OUT.nii.gz", "-o", is_recorded=False)]
Overwrite = Annotated[bool, option("replace earlier results", default=False, is_recorded=False)]
Bids = Annotated[
    bool,
    option(
        "write a BIDS derivative dataset, into a folder of its own: maps with entities in their "
        "names and a JSON sidecar, tables as .tsv",
        default=False,
        is_usual_recorded=False,
    ),
]
Strict = Annotated[
    bool,
    option(
        "notes that give a reason to doubt the data are errors: no file is written, exit code 1",
        default=False,
        is_recorded=False,
    ),
]
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
    str,
    option(
        "only masks whose name, or path below the folder, matches, such as '*lesion*' or 'ses-1/*'",
        "PATTERN",
        default="*",
    ),
]
_SESSION = "session to use for each patient: first, last, or a name such as ses-1"
_SEVERAL_FILES = (
    "several files of a patient, such as left and right: refuse them, take the union of their "
    "voxels, or count each file as a patient (separate), where folders reuse names"
)
Session = Annotated[str, option(_SESSION, "NAME", default="", is_usual_recorded=False)]
SeveralFiles = Annotated[
    Literal["refuse", "union", "separate"],
    option(_SEVERAL_FILES, default="refuse", is_usual_recorded=False),
]
PatternOfMasks = Annotated[
    str | None,
    option(
        "of folders of masks, as --pattern of `stats`",
        "PATTERN",
        default=None,
        is_usual_recorded=False,
    ),
]
SessionOfMasks = Annotated[
    str | None,
    option(f"of folders of masks, {_SESSION}", "NAME", default=None, is_usual_recorded=False),
]
SeveralOfMasks = Annotated[
    Literal["refuse", "union", "separate"] | None,
    option(f"of folders of masks, {_SEVERAL_FILES}", default=None, is_usual_recorded=False),
]


@contextmanager
def _on_command_line(flag: str) -> Iterator[None]:
    """Name an option as it is given there."""
    try:
        yield
    except InputError as error:
        raise InputError(flag, error.problem, error.remedy) from None


def _threshold(given: Any, flag: str = "--threshold") -> Any:
    """A share or a percentage, checked, as the text of a command line."""
    with _on_command_line(flag):
        return parse_threshold(given)


_Share = Annotated[float, Field(gt=0, le=1)] | Annotated[str, Field(pattern="%$")] | None

Threshold = Annotated[
    _Share,
    option(
        "make masks of probability maps: voxels of at least P, above 0 and at most 1, or such as "
        "50% for maps in percent",
        "P",
        default=None,
    ),
    BeforeValidator(_threshold),
]


def _label(given: Any, flag: str = "--label") -> int | str | None:
    with _on_command_line(flag):
        return label_text(given)


Label = Annotated[
    int | str | None,
    option(
        "make masks of label maps: voxels of value N, of several such as 1,4, or of any above 0",
        "N",
        default=None,
    ),
    BeforeValidator(_label),
]
ThresholdOfMasks = Annotated[
    _Share,
    option(
        "of folders of masks, as --threshold of `stats`", "P", default=None, is_usual_recorded=False
    ),
    BeforeValidator(partial(_threshold, flag="--mask-threshold")),
]
LabelOfMasks = Annotated[
    int | str | None,
    option(
        "of folders of masks, as --label of `stats`", "N", default=None, is_usual_recorded=False
    ),
    BeforeValidator(partial(_label, flag="--mask-label")),
]


def _one_or_several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _spaces_of(*kinds: str) -> Any:
    """What a field of spaces means, and how it is checked, where inputs are of these kinds."""
    text = (
        "space of the inputs, such as MNI152NLin6Asym, MNI152 or Talairach, where files state "
        "none or a wrong one; nothing is resampled"
    )
    if len(kinds) > 1:
        text += f"; {' or '.join(f'{kind}=SPACE' for kind in kinds)}: of these inputs alone"
    if ATLAS in kinds:
        text += "; atlas=SPACE once for each of several atlases, or once for all"
    return option(text, "SPACE", default=())


def _checked(*kinds: str) -> AfterValidator:
    def check(value: tuple[str, ...]) -> tuple[str, ...]:
        with _on_command_line("--space"):
            check_statements(value, kinds)
        return value

    return AfterValidator(check)


_OF_MASKS, _OF_MAPS, _OF_EACH = ("masks",), ("map", ATLAS), ("masks", "map", ATLAS)
_WITH_ATLAS = ("masks", ATLAS)

Space = Annotated[tuple[str, ...], _checked(*_OF_MASKS), _spaces_of(*_OF_MASKS)]
SpaceWithAtlas = Annotated[tuple[str, ...], _checked(*_WITH_ATLAS), _spaces_of(*_WITH_ATLAS)]
SpaceOfMap = Annotated[tuple[str, ...], _checked(*_OF_MAPS), _spaces_of(*_OF_MAPS)]
SpaceOfEach = Annotated[tuple[str, ...], _checked(*_OF_EACH), _spaces_of(*_OF_EACH)]


Where = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_several),
    option(
        "only patients who meet this condition on the participants table, such as 'sex=F', "
        "'age>=60', 'age=60..80', 'group=A,B', 'sex!=F' or 'nihss=missing', in quotes; once per "
        "condition",
        "CONDITION",
        default=(),
    ),
]
WhereA = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_several),
    option("as --where, for A alone: A and B can be parts of one folder", "CONDITION", default=()),
]
WhereB = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_several),
    option("as --where, for B alone", "CONDITION", default=()),
]
Participants = Annotated[str | None, source("participants .tsv or .csv", "TABLE", default=None)]
Scheduler = Annotated[
    str | None,
    option(
        "read the masks on the Dask cluster at ADDRESS, such as tcp://127.0.0.1:8786 (default: "
        f"{SCHEDULER_VARIABLE} where that is set, otherwise this computer)",
        "ADDRESS",
        default=None,
    ),
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
Seed = Annotated[int, option("seed of the random numbers", "S", default=SEED, ge=0)]

# Atlases.

_ATLAS = (
    "labelled or probabilistic NIfTI image, a folder of maps, or a name from `lesion-dash atlases`"
)
_SCALE = "unit of an atlas's probabilities: up to 1 or up to 100 (default: by the largest value)"
_LABELS = "names of its regions (default: the table beside it)"

Atlas = Annotated[str, source(_ATLAS, "ATLAS")]
Atlases = Annotated[
    tuple[str, ...], source(f"{_ATLAS}; once for each of several atlases", "ATLAS", min_length=1)
]
AtlasIfAny = Annotated[str | None, source(_ATLAS, "ATLAS", default=None, is_recorded=False)]
AtlasesIfAny = Annotated[
    tuple[str, ...],
    source(f"{_ATLAS}; once for each of several", "ATLAS", default=(), is_recorded=False),
]
Labels = Annotated[str | None, source(_LABELS, "TABLE", default=None, is_recorded=False)]
LabelsOfEach = Annotated[
    tuple[str, ...],
    source(f"{_LABELS}; once for each atlas, or never", "TABLE", default=(), is_recorded=False),
]
AtlasScale = Annotated[
    Literal["fraction", "percent"] | None,
    option(_SCALE, default=None),
]
AtlasScaleIfAny = Annotated[
    Literal["fraction", "percent"] | None, option(_SCALE, default=None, is_usual_recorded=False)
]
AcceptSwapped = Annotated[
    bool,
    option(
        "use the names of an atlas although its regions lie on the opposite side",
        default=False,
        is_usual_recorded=False,
    ),
]
MirrorAtlas = Annotated[
    bool,
    option(
        "exchange left and right of the atlas, about x = 0 mm; of several atlases, only of those "
        "with names on the wrong side",
        default=False,
        is_usual_recorded=False,
    ),
]
By = Annotated[
    Literal["region", "lobe", "gyrus", "hemisphere", "system", "parent"],
    option(
        "group regions by a level of their names; parent is the group in their table",
        default="region",
    ),
]

# Single images.

Image = Annotated[str, source("NIfTI image of one volume, or its URL", "IMAGE", positional=True)]
Connectivity = Annotated[
    defaults.Connectivity,
    option("voxels are connected by faces (6), also by edges (18), or also by corners (26)"),
]
Axes = Annotated[
    str | None,
    option(
        "order of the axes of an array, such as xyz or zyx (SimpleITK, nnU-Net), with t before or "
        "behind them for volumes; needed where it fits in more than one",
        "ORDER",
        default=None,
    ),
]
