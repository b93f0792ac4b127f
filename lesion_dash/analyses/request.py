"""An analysis as one frozen request, from which all that a user meets of it follows.

Its command and ``--help``, the text of that command, Python and JSON, the parameters in the
provenance and a row of the documentation come from the fields of the request, so that a default or
a bound stands in one place. A new analysis is one subclass of `Request` (see `size_bias`).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from ..cohort.dask import scheduler_to_use
from ..core.errors import InputError
from ..core.space import ATLAS
from ..core.text import counted, did_you_mean, layout, literal, printable, shell_word
from .bids import DATASET_FILES, Derivative, count_files, earlier_files
from .contents import Content, parts_of
from .fields import argument_of, choices_of, default_of, flag_of, value_type
from .notes import STRICT_EXIT_CODE, NotesAreErrors, counted_notes, errors_among, gather_notes

if TYPE_CHECKING:
    from ..files.paths import AnyPath

Progress = Callable[[str, str], Callable[..., None] | None]
"""Takes what is done and its unit; gives what is called with (done, total) and a step's name."""


def no_progress(text: str, unit: str) -> None:
    """Show nothing."""


ANALYSES: dict[str, type[Request]] = {}
"""Every request by the name of its command."""

IMAGE: tuple[str, ...] = (".nii.gz", ".nii")
TABLE: tuple[str, ...] = (".csv",)
_KINDS = {TABLE: "CSV", IMAGE: "NIfTI"}
_NOUNS: dict[Any, str] = {int: "a whole number", float: "a number", str: "text"}


@dataclass(frozen=True)
class Result:
    """What an analysis found, as files and as lines to print.

    Parameters
    ----------
    files : iterable of (str, bytes, sequence of bytes, Map or Mask)
        Names, as `Request.outputs` announces them, and contents. A generator makes each file when
        the one before it is written, so that only one of them is in memory.
    inputs : iterable of dict
        With checksums, for the provenance.
    counts : mapping
        For the provenance.
    parameters : mapping, optional
        For the provenance, in place of those of the request.
    lines : sequence of str
        For standard output.
    notes : sequence of str
        For standard error: what is to be known before the result is believed. Those on `inputs`
        need not be among them, see `gather_notes`.
    exit_code : int
    obsolete : sequence of path
        Files of an earlier run that the new ones contradict: removed once those are written.
    """

    files: Iterable[tuple[str, Content]] = ()
    inputs: Iterable[dict[str, Any]] = ()
    counts: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] | None = None
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()
    exit_code: int = 0
    obsolete: Sequence[AnyPath] = ()

    def __str__(self) -> str:
        """What the command shows: its notes, then its lines."""
        notes = (f"note: {note}" for note in self.notes)
        return "\n".join(map(printable, (*notes, *self.lines)))


class Target(NamedTuple):
    """Where the results of a request go."""

    folder: AnyPath
    path: AnyPath
    stem: str
    """Of the file, without its ending."""
    ending: str
    """As it was written, such as ``.NII.gz``."""
    record: str
    """Name of the provenance."""


class Request(BaseModel):
    """All choices of an analysis: validated, frozen and comparable.

    The first line of a subclass's docstring is the help of its command; what follows stands below
    the options.

    Raises
    ------
    InputError
        Where a value is missing, out of bounds, of another type, or does not fit the others.

    Examples
    --------
    >>> from lesion_dash.analyses.size_bias import SizeBias
    >>> request = SizeBias(masks="masks", output="out", min_patients=3)
    >>> request.as_command()
    'lesion-dash size-bias masks --output out --min-patients 3'
    >>> SizeBias(**request.changed) == request
    True
    >>> SizeBias(masks="masks", output="out", permutations=5)
    Traceback (most recent call last):
    lesion_dash.core.errors.InputError: --permutations: 5 is below 20
    """

    # Schemas are built when a request is made: of 20 commands, one run needs one. Numbers are
    # taken for text, as a point or a value of a column may be given as a number.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True,
        defer_build=True,
    )  # fmt: skip

    command: ClassVar[str]
    example: ClassVar[str]
    """Arguments of the command that are typical of its use."""
    endings: ClassVar[tuple[str, ...]] = ()
    """Of `output` where it is one file, `TABLE` or `IMAGE`; without them it is a folder."""
    exclusive: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Fields of which at most one may be given."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if "command" in cls.__dict__:
            ANALYSES[cls.command] = cls

    def __init__(self, **values: Any) -> None:
        with _input_errors(type(self)):
            super().__init__(**values)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Make a request of a mapping; see pydantic."""
        with _input_errors(cls):
            return super().model_validate(obj, **options)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Make a request of JSON; see pydantic."""
        with _input_errors(cls):
            return super().model_validate_json(json_data, **options)

    @field_validator("*", mode="before")
    @classmethod
    def _as_given(cls, value: Any, info: ValidationInfo) -> Any:
        """Paths are text, one value is a list of one, and True is neither 1 nor a text."""
        name = str(info.field_name)
        field = cls.model_fields[name]
        kind, count = value_type(field)
        is_list = isinstance(value, (list, tuple))
        values = [_plain(each) for each in (value if is_list else [value])]
        for each in values:
            if isinstance(each, bool) and kind is not bool:
                what = "int_type" if kind in (int, float) else ""
                raise InputError(cls.flag(name), *_problem(what, each, {}, field))
        is_one_of_several = count is None and isinstance(values[0] if values else None, (str, int))
        return values if is_list or is_one_of_several else values[0]

    @model_validator(mode="after")
    def _check_paths(self) -> Request:
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if argument_of(info).is_path and "" in (value if isinstance(value, tuple) else [value]):
                raise InputError(self.flag(name), "is empty", "give a path")
        return self

    @model_validator(mode="after")
    def _check_exclusive(self) -> Request:
        for names in self.exclusive:
            given = [self.flag(name) for name in names if getattr(self, name)]
            if len(given) > 1:
                raise InputError(" and ".join(given), "both given", "give one of them")
        values = vars(self)
        if "atlas" in values and values.get("labels") and not values["atlas"]:
            problem = "names the regions of no atlas"
            raise InputError(self.flag("labels"), problem, f"give {self.flag('atlas')} as well")
        of_atlas = [text for text in values.get("space", ()) if text.startswith(f"{ATLAS}=")]
        if of_atlas and not values["atlas"]:
            problem = "states the space of no atlas"
            raise InputError(self.flag("space"), problem, f"give {self.flag('atlas')} as well")
        return self

    @classmethod
    def flag(cls, name: str) -> str:
        """How a field is given on the command line, such as ``--min-patients``."""
        return flag_of(name, cls.model_fields[name])

    def outputs(self) -> list[str]:
        """Names of the files it writes, without the provenance; none where it only prints.

        By default the one that `output` names. A BIDS dataset is made of the same files under
        names that depend on the data.
        """
        return [self.target.path.name] if vars(self).get("output") else []

    def run(self, progress: Progress) -> Result:
        """Compute the result; files are written by `execute`."""
        raise NotImplementedError

    @property
    def target(self) -> Target:
        """The folder of the results; for a request with `endings`, the file as well.

        Raises
        ------
        InputError
            Where the file ends otherwise, or is one of the inputs.
        """
        from ..files.paths import as_path
        from ..files.writing import FILE_NAME

        output = vars(self)["output"]
        path = as_path(output)
        if not self.endings:
            return Target(path, path, "", "", FILE_NAME)
        ending = next((end for end in self.endings if path.name.lower().endswith(end)), "")
        if not ending:
            problem = f"is not the name of a {_KINDS[self.endings]} file"
            raise InputError(output, problem, f"let it end in {' or '.join(self.endings)}")
        if any(_is_same(path, as_path(file)) for file in self._paths()):
            problem = "is read and would be replaced by its own result"
            raise InputError(output, problem, "write to another file")
        stem = path.name[: -len(ending)]
        record = f"{stem}.provenance.json"
        return Target(path.parent, path, stem, path.name[-len(ending) :], record)

    def _paths(self) -> Iterator[str]:
        """The files and folders that are read."""
        for name, info in type(self).model_fields.items():
            if argument_of(info).is_path and (value := getattr(self, name)):
                yield from [value] if isinstance(value, str) else value

    def execute(self, progress: Progress = no_progress) -> Result:
        """Run, and write all files with their provenance, or none.

        Parameters
        ----------
        progress : callable, optional
            Takes what is done and its unit; gives a function that takes (done, total).

        Returns
        -------
        Result
            Its files are written already.

        Raises
        ------
        InputError
            Where an input cannot be used, or the results cannot be written.
        NotesAreErrors
            Where the request is strict and there are notes: no file is written. A request that
            only prints gives its result with exit code 1.
        """
        if not (names := self.outputs()):
            result = self._with_all_notes(self.run(progress))
            if errors := self._errors(result):
                notes = [*result.notes, counted_notes(errors)]
                return replace(result, notes=notes, exit_code=result.exit_code or STRICT_EXIT_CODE)
            return result
        from ..files.earlier import EarlierResult, earlier_result
        from ..files.writing import provenance_bytes, write_atomically

        folder, record, overwrite = self.target.folder, self.target.record, vars(self)["overwrite"]
        is_dataset = bool(vars(self).get("bids"))
        of_dataset = earlier_files(folder, record) if is_dataset else frozenset()
        earlier = earlier_result(folder, record) if overwrite else EarlierResult(folder)
        foreign = [] if earlier.command == self.command else earlier.beside(names, self._paths())
        names = [*DATASET_FILES] if is_dataset else names
        with write_atomically(folder, [*names, record], overwrite) as writer:
            result = self._with_all_notes(self.run(progress))
            if foreign and not is_dataset:
                note = note_on_others(earlier.command, folder, foreign)
                result = replace(result, notes=[*result.notes, note])
            if errors := self._errors(result):
                raise NotesAreErrors(errors)
            for name, content in self._as_dataset(result) if is_dataset else result.files:
                if is_dataset:  # the space of the data is part of the names
                    writer.announce(name, overwrite)
                writer.add(name, *parts_of(content))
                del content  # the next one takes its place in memory
            if record not in writer.sums:
                parameters = self.parameters() if result.parameters is None else result.parameters
                values = (self.command, parameters, list(result.inputs), result.counts)
                writer.add(record, provenance_bytes(*values, writer.sums))
        obsolete = [*result.obsolete, *(folder / name for name in of_dataset - writer.sums.keys())]
        if earlier.command == self.command:
            obsolete += earlier.beside([*writer.sums, record], self._paths())
        left = [note for path in obsolete if (note := _remove(path))]
        return replace(result, notes=[*result.notes, *left])

    def _as_dataset(self, result: Result) -> Iterator[tuple[str, Content]]:
        """The files of a result as those of a BIDS derivative dataset."""
        sentence, _ = about(type(self))
        derivative = Derivative(self.command, sentence, self.shareable.as_command())
        return derivative.files(result.files, list(result.inputs))

    def _errors(self, result: Result) -> list[str]:
        """The notes that are errors, as the request is strict."""
        return errors_among(result.notes) if vars(self).get("strict") else []

    @staticmethod
    def _with_all_notes(result: Result) -> Result:
        """A result with the notes on its inputs, so that no analysis can forget them."""
        inputs = list(result.inputs)
        return replace(result, inputs=inputs, notes=gather_notes(inputs, result.notes))

    def check_space(self, size: int) -> None:
        """Refuse, before a long computation, where the disk has fewer free bytes than that."""
        from ..files.writing import check_space

        folder = self.target.folder
        if not isinstance(folder, Path) or folder.exists():
            check_space(folder, size)

    def rows_line(self, table: Sized) -> str:
        """How many rows are written where, for the last line."""
        return f"{counted(len(table), 'row')} in {self.target.path}"

    def files_line(self) -> str:
        """How many files are written where, for the last line."""
        names = self.outputs()
        number = count_files(names) if vars(self).get("bids") else len(names)
        return f"{counted(number + 1, 'file')} in {self.target.folder}"

    @property
    def changed(self) -> dict[str, Any]:
        """The values that differ from their defaults, as JSON has them: enough to repeat it."""
        fields = type(self).model_fields
        names = {name for name, info in fields.items() if getattr(self, name) != default_of(info)}
        return self.model_dump(mode="json", include=names)

    def parameters(self) -> dict[str, Any]:
        """Every choice, as the provenance records it; of a URL no password."""
        recorded = {}
        for name, info in type(self).model_fields.items():
            argument, value = argument_of(info), getattr(self, name)
            if name == "scheduler":
                recorded["cluster"] = scheduler_to_use(value) is not None
            elif argument.is_recorded and (argument.is_usual_recorded or value != default_of(info)):
                recorded[name] = shown_path(value) if argument.is_path else value
        return recorded

    def as_python(self) -> str:
        """Python that writes the same files and prints the same lines and notes.

        Examples
        --------
        >>> from lesion_dash.analyses.inspection import Inspect
        >>> print(Inspect(image="scan.nii", volume=2).as_python())
        from lesion_dash.analyses import Inspect
        <BLANKLINE>
        print(Inspect(image='scan.nii', volume=2).execute())
        """
        return python_of([self])

    @property
    def call(self) -> str:
        """The line of `as_python` that runs it."""
        name = type(self).__name__
        values = [f"{field}={literal(value)}" for field, value in self.changed.items()]
        return f"print({layout(name, values)}.execute())"

    def as_command(self) -> str:
        """The command line of the same request."""
        positional, options = [], []
        for name, info in type(self).model_fields.items():
            if (value := getattr(self, name)) == default_of(info):
                continue
            if argument_of(info).positional:
                positional.append((name == "output", _as_text(value)))
            else:
                options += _as_option(self.flag(name), value, info)
        places = [text for _, text in sorted(positional, key=lambda pair: pair[0])]
        if any(text.startswith("-") for text in places):
            arguments = [*options, "--", *places]
        else:
            arguments = [*places, *options]
        return " ".join(map(shell_word, ["lesion-dash", self.command, *arguments]))

    @property
    def shareable(self) -> Self:
        """The request without passwords of URLs, for what is passed on with the results."""
        paths = {
            name: tuple(shown) if isinstance(shown := shown_path(value), list) else shown
            for name, value in self
            if argument_of(type(self).model_fields[name]).is_path
        }
        return self.model_copy(update=paths)

    @property
    def script(self) -> bytes:
        """Python, saved beside the results, that makes them anew in a folder next to theirs."""
        again = {"output": f"{shown_path(vars(self)['output'])}_again", "overwrite": False}
        return f"{self.shareable.model_copy(update=again).as_python()}\n".encode()


def python_of(requests: Iterable[Request]) -> str:
    """Python that does one request after another."""
    names: dict[str, set[str]] = {}
    calls = []
    for request in requests:
        names.setdefault(home_of(type(request)), set()).add(type(request).__name__)
        calls.append(request.call)
    imports = [f"from {home} import {', '.join(sorted(names[home]))}" for home in sorted(names)]
    return "\n".join([*imports, "", *calls])


def home_of(kind: type[Request]) -> str:
    """What a request is imported from: its package where that lists it, else its module."""
    package = kind.__module__.rpartition(".")[0]
    is_listed = getattr(sys.modules.get(package), kind.__name__, None) is kind
    return package if is_listed else kind.__module__


# What requests need.


def about(kind: type[Request]) -> tuple[str, str]:
    """The first sentence of a request's documentation, and the rest."""
    first, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")
    return " ".join(first.split()).removesuffix("."), rest


def shown_path(value: Any) -> Any:
    """A path, or several, as text in which no password of a URL stands."""
    from ..files.paths import as_path

    if isinstance(value, tuple):
        return [shown_path(path) for path in value]
    return value and str(as_path(value))


def _plain(value: Any) -> Any:
    """A path as text, a number of numpy as one of Python."""
    if isinstance(value, PathLike):
        return fspath(value)
    return value.item() if getattr(value, "shape", None) == () else value


def note_on_others(command: str, folder: AnyPath, paths: Sequence[AnyPath]) -> str:
    """That results of another command stay in the folder, whose provenance names them no more."""
    which = f"{counted(len(paths), 'file')} of an earlier {command}, such as {paths[0].name},"
    stay = "stays" if len(paths) == 1 else "stay"
    return f"{which} {stay} in {folder}: provenance.json no longer lists them"


def _remove(path: AnyPath) -> str:
    """Remove a file of an earlier run; what is to be said where that cannot be done."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return f"{path} contradicts these results and cannot be removed: {error.strerror}"
    except InputError as error:
        return f"{path} contradicts these results and cannot be removed: {error.problem}"
    return ""


def _is_same(path: AnyPath, other: AnyPath) -> bool:
    if isinstance(path, Path) and isinstance(other, Path):
        return path.exists() and other.exists() and path.samefile(other)
    return path == other


def _as_text(value: Any) -> str:
    # Not in the form 1e-05: the command line would take -1e-05 for an option.
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)


def _as_option(flag: str, value: Any, info: FieldInfo) -> list[str]:
    if value is True:
        return [flag]
    _, count = value_type(info)
    texts = [_as_text(item) for item in (value if isinstance(value, tuple) else (value,))]
    if (count or 1) > 1 or argument_of(info).several:
        if argument_of(info).is_path:  # one that begins with a hyphen would be taken for an option
            texts = [f"./{text}" if text.startswith("-") else text for text in texts]
        return [flag, *texts]
    return [
        argument
        for text in texts
        for argument in ([f"{flag}={text}"] if text.startswith("-") else [flag, text])
    ]


# What pydantic finds, as one sentence.


@contextmanager
def _input_errors(kind: type[Request]) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise _as_input_error(kind, error) from None


def _as_input_error(kind: type[Request], error: ValidationError) -> InputError:
    first = error.errors(include_url=False)[0]
    context, what, value = first.get("ctx", {}), first["type"], first["input"]
    if isinstance(context.get("error"), InputError):
        return context["error"]
    if what in ("json_invalid", "model_type", "dict_type"):
        return InputError(kind.__name__, "takes its fields by name", "give a mapping of them")
    name = str(first["loc"][0]) if first["loc"] else kind.command
    if what == "extra_forbidden":
        return InputError(
            name, f"is not a field of {kind.__name__}", did_you_mean(name, kind.model_fields)
        )
    info = kind.model_fields[name]
    subject = kind.flag(name)
    if what == "missing" and len(first["loc"]) == 1:
        return InputError(subject, "is missing", "give it as well")
    return InputError(subject, *_problem(what, value, context, info))


def _problem(what: str, value: Any, context: Mapping[str, Any], info: FieldInfo) -> tuple[str, str]:
    """What is wrong with a value, and what to give."""
    if what == "literal_error":
        choices = [str(choice) for choice in choices_of(info)]
        is_number = isinstance(choices_of(info)[0], int)  # 18 is not what 8 was meant to be
        alike = "" if is_number else did_you_mean(str(value), choices)
        remedy = alike or f"choose one of {', '.join(choices)}"
        return f"{value!r} is not known", remedy
    for bound, relation in (("ge", "is below"), ("gt", "is not above"), ("le", "is above")):
        if bound in context:
            return f"{value} {relation} {context[bound]:g}", ""
    kind, count = value_type(info)
    if what.startswith(("int_", "float_", "finite_")):
        return f"{value!r} is not {_NOUNS.get(kind, 'a number')}", ""
    is_wrong_number = what in ("too_short", "too_long", "missing")
    if is_wrong_number or (what == "tuple_type" and count is not None):
        return f"takes {count or 'one or more'} values", ""
    return f"{value!r} cannot be used", "see --help"
