"""The command line: the library's steps without a browser."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any, NoReturn

from pydantic.fields import FieldInfo

from .analyses import (
    assignment,
    atlases,
    check,
    conversion,
    coverage,
    differences,
    inspection,
    load,
    mask,
    overlap,
    registration,
    report,
    rois,
    signal,
    size_bias,
    topography,
    warping,
)
from .analyses.console import (
    complain,
    lasting_streams,
    open_missing_streams,
    progress_bar,
    sentences_for_warnings,
    show,
    tell_faults,
)
from .analyses.options import add_where, add_where_each
from .analyses.request import Request, about, argument_of, choices_of, flag_of, help_of, value_types
from .cohort.dask import SCHEDULER_VARIABLE
from .core.errors import LesionDashError


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong, and what may have been meant, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        """End the program with one sentence and exit code 2."""
        found = re.fullmatch(r"argument (.+): invalid choice: (.+?) \(choose from (.+)\)", message)
        if found:
            name, given, choices = (part.replace("'", "") for part in found.groups())
            remedy = _suggest(given, choices.split(", ")) or f"choose from {choices}"
            message = f"{name}: {given!r} is not known; {remedy}"
        else:
            message += f"; `{self.prog} --help` explains the options"
        raise SystemExit(complain(message))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Read the arguments; those left over are an error here, where the options are known.

        argparse leaves those of a command to the parser above it, which knows none of its options.
        """
        known, left = super().parse_known_args(args, namespace)
        unknown = [word for word in left if word.startswith("-")] or left
        if unknown:
            word = unknown[0].partition("=")[0]
            options = [option for action in self._actions for option in action.option_strings]
            remedy = _suggest(word, options) or f"`{self.prog} --help` lists the options"
            what = "is no option of" if word.startswith("-") else "is one word too many for"
            raise SystemExit(complain(f"{word}: {what} {self.prog}; {remedy}"))
        return known, left


def _suggest(word: str, choices: Sequence[str]) -> str:
    alike = get_close_matches(word, choices, 1)
    return f"did you mean {alike[0]}?" if alike else ""


# The command line: the library's steps without a browser.


_EXAMPLES = """examples:
  lesion-dash demo
      open the dashboard on the sample data
  lesion-dash stats masks/ -o results/ --min-patients 5
      four maps of lesion size topography, a table of patients, provenance
  lesion-dash size-bias masks/ -o size_bias/ --permutations 1000
      where lesions are larger than with volumes shuffled among patients
  lesion-dash overlap group_a/ group_b/ --atlas BN_Atlas_246_2mm.nii.gz -o overlap/
      where both groups have lesions in at least 5 patients, and in which regions
  lesion-dash compare group_a/ group_b/ -o difference/
      how many more are lesioned at each voxel in A than in B, and how much larger
  lesion-dash coverage masks/ -o coverage.csv --plot coverage.png
      help to choose K: how much of the brain each minimum number of patients leaves
  lesion-dash report group_a/ group_b/ --atlas BN_Atlas_246_2mm.nii.gz -o report/
      one HTML file to read, print and hand on: patients, maps, tables, methods, how to repeat it
  lesion-dash load masks/ --atlas BN_Atlas_246_2mm.nii.gz -o load/
      how much of each region every patient's lesion takes, as tables and heat maps
  lesion-dash assign t_map.nii.gz --atlas maps_4d.nii.gz --threshold 3 -o regions.csv
      which regions the parts of a map lie in
  lesion-dash atlases --atlases my_atlases/
      which atlases there are, yours and published ones, and how to cite them
  lesion-dash convert scan.pkl scan.nii.gz --like template.nii.gz
      an image of an array, which is read without running the pickle
  lesion-dash register scan.nii.gz --template mni152 --lesion lesion.nii.gz -o registered/
      an image and its lesion brought to MNI152 together, with pictures to judge it by
  lesion-dash warp atlas.nii.gz --transform 0GenericAffine.mat --template t1.nii.gz -o out.nii.gz
      transforms of ANTs, FSL or ITK applied to an image, a mask or labels
  lesion-dash mask scan.nii.gz --prob eye_4d.nii.gz --label lens -o lens.nii.gz
      an image inside one region
  lesion-dash snr scan.nii.gz --signal lens_mask.nii.gz --air air.nii.gz
      signal and contrast to noise, with formulas and intervals
  lesion-dash serve --data-root /data/studies
      the dashboard on your own folders

Volumes are in mm³ in files. Errors are one sentence, exit code 2; code 3 where all was done, and
what was to be printed could not be.
"""


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
    options = _make_parser().parse_args(arguments)
    try:
        if "request" in options:
            values = {k: v for k, v in vars(options).items() if k != "request"}
            result = options.request(**values).execute(progress_bar)
            show(result)
            return result.exit_code
        return int(options.run(options) or 0)
    except LesionDashError as error:
        return complain(str(error), getattr(error, "details", ()))
    except KeyboardInterrupt:
        return complain("stopped by the user; nothing was changed", code=130)
    except MemoryError:
        return complain("not enough memory for these images; nothing was changed")
    except Exception as error:
        if os.environ.get("LESION_DASH_DEBUG"):
            raise
        kind = type(error).__name__
        return complain(f"internal error ({kind}: {error}); LESION_DASH_DEBUG=1 shows where")


def _make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="lesion-dash",
        description="Lesion masks in a common brain space: how big are the lesions that touch each "
        "voxel, where do two groups overlap, and what are those places called?",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version("lesion-dash"))
    parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_stats(parsers)
    _add_request(parsers, size_bias.SizeBias)
    _add_overlap(parsers)
    _add_compare(parsers)
    _add_coverage(parsers)
    _add_report(parsers)
    _add_load(parsers)
    _add_assign(parsers)
    _add_roi(parsers)
    _add_atlases(parsers)
    conversion.add_choices(
        _add_command(parsers, "convert", conversion.run_convert, conversion.TEXT)
    )
    for name, command, run in (
        ("register", registration, registration.run_register),
        ("warp", warping, warping.run_warp),
        ("mask", mask, mask.run_mask),
        ("snr", signal, signal.run_snr),
    ):
        command.add_choices(_add_command(parsers, name, run, command.TEXT))
    _add_check(parsers)
    _add_inspect(parsers)
    _add_demo(parsers)
    _add_serve(parsers)
    return parser


def _add_request(parsers: Any, kind: type[Request]) -> None:
    """The command of a request: its fields as arguments, its documentation as help."""
    first, rest = about(kind)
    parser = parsers.add_parser(
        kind.command,
        help=first[0].lower() + first[1:],
        description=f"{first}.",
        epilog=rest.replace("%", "%%"),
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
    value, count = value_types(info)
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
        # A text that is no choice stays a text, which the request refuses in its own words.
        options["type"] = lambda text: next((c for c in choices if str(c) == text), text)
    if argument.positional:
        nargs = {} if info.is_required() else {"nargs": "?"}
        parser.add_argument(name, **options, **nargs)
    else:
        flags = dict.fromkeys(filter(None, [argument.flag, flag_of(kind, name)]))
        parser.add_argument(*flags, dest=name, required=info.is_required(), **options)


def _add_command(parsers: Any, name: str, run: Callable[..., int], text: str) -> Any:
    parser = parsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="OUT", required=True, help="results folder, made if missing"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in OUT")


def _add_cohort_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-k",
        "--min-patients",
        metavar="K",
        type=_whole_number,
        default=5,
        help="voxels lesioned in at least K patients count (default 5)",
    )
    _add_folder_choices(parser)


def _add_folder_choices(parser: argparse.ArgumentParser) -> None:
    _add_mask_choices(parser)
    parser.add_argument(
        "--pattern", default="*", help="only masks whose name matches, such as '*lesion*'"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        default=os.environ.get(SCHEDULER_VARIABLE, "").strip() or None,
        help="read on the Dask cluster at ADDRESS, such as tcp://127.0.0.1:8786 (default: "
        f"{SCHEDULER_VARIABLE} where that is set, otherwise this computer)",
    )
    add_where(parser)


def _add_stats(parsers: Any) -> None:
    text = "mean, SD and median of total lesion volume at each voxel of a folder of masks"
    parser = _add_command(parsers, "stats", topography.run_stats, text)
    parser.add_argument(
        "masks", metavar="MASKS", help="folder or URL of binary masks, one a patient"
    )
    _add_results(parser)
    _add_cohort_choices(parser)
    parser.add_argument(
        "--std",
        choices=("population", "sample"),
        default="population",
        help="SD divided by n (population, the default) or by n - 1",
    )
    parser.add_argument(
        "--outside",
        choices=("zero", "nan"),
        default="zero",
        help="what maps hold where fewer than K patients are lesioned (default zero)",
    )
    parser.add_argument("--participants", metavar="TABLE", help="participants .tsv or .csv")


def _add_overlap(parsers: Any) -> None:
    text = "overlap of two binary maps, counted in the regions of an atlas"
    parser = _add_command(parsers, "overlap", overlap.run_overlap, text)
    parser.add_argument("a", metavar="A", help="a mask, or a folder of masks, or the URL of one")
    parser.add_argument("b", metavar="B", help="a mask, or a folder of masks, or the URL of one")
    add_where_each(parser)
    _add_atlas_choices(parser)
    _add_results(parser)
    _add_cohort_choices(parser)


def _add_compare(parsers: Any) -> None:
    run, text = differences.run_compare, differences.TEXT
    parser = _add_command(parsers, "compare", run, text)
    differences.add_choices(parser)
    _add_results(parser)
    _add_cohort_choices(parser)


def _add_coverage(parsers: Any) -> None:
    run, text = coverage.run_coverage, coverage.TEXT
    parser = _add_command(parsers, "coverage", run, text)
    coverage.add_choices(parser)
    _add_cohort_choices(parser)


def _add_report(parsers: Any) -> None:
    parser = _add_command(parsers, "report", report.run_report, report.TEXT)
    report.add_choices(parser)
    _add_results(parser)
    _add_cohort_choices(parser)


def _add_load(parsers: Any) -> None:
    text = "lesion load: how much of each region of an atlas every patient's lesion takes"
    parser = _add_command(parsers, "load", load.run_load, text)
    parser.add_argument(
        "masks", metavar="MASKS", help="folder or URL of binary masks, one a patient"
    )
    _add_atlas_choices(parser)
    parser.add_argument(
        "--measure",
        choices=("region", "lesion", "mm3", "all"),
        default="all",
        help="share of the region, share of the lesion, or volume (default all three)",
    )
    parser.add_argument("--participants", metavar="TABLE", help="participants .tsv or .csv")
    _add_results(parser)
    _add_folder_choices(parser)


def _add_atlas_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--atlas",
        metavar="ATLAS",
        required=True,
        action="append",
        help="labelled or probabilistic NIfTI image, a folder of maps, or a name from "
        "`lesion-dash atlases`; once for each of several atlases",
    )
    parser.add_argument(
        "--labels",
        metavar="TABLE",
        action="append",
        help="names of its regions (default: the table beside it); once for each atlas, or never",
    )
    parser.add_argument(
        "--by",
        choices=("region", "hemisphere", "parent"),
        default="region",
        help="put regions together by hemisphere, or by parent such as the lobe (default region)",
    )


def _add_atlases(parsers: Any) -> None:
    text = "list the atlases there are: bundled, in a folder of yours, and published ones by name"
    parser = _add_command(parsers, "atlases", atlases.run_atlases, text)
    parser.add_argument(
        "--atlases", metavar="DIR", help="folder whose atlases are listed as well, with subfolders"
    )
    parser.add_argument(
        "--all", action="store_true", help="a row for every name, where several differ in a number"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with all names")
    parser.epilog = "Nothing is downloaded to list them."


def _add_assign(parsers: Any) -> None:
    parser = _add_command(parsers, "assign", assignment.run_assign, assignment.TEXT)
    assignment.add_assign_choices(parser)


def _add_roi(parsers: Any) -> None:
    text = "regions of interest: test, threshold, masks, morphology, parts and their values"
    parser = _add_command(parsers, "roi", rois.run_roi, text)
    rois.add_roi_choices(parser)


def _add_check(parsers: Any) -> None:
    text = "what would become of each file of a folder, of a mask, an atlas or a table"
    parser = _add_command(parsers, "check", check.run_check, text)
    parser.add_argument("path", metavar="PATH", help="folder, image or table, or the URL of one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--like", metavar="MASKS", help="a mask or folder on whose grid PATH is to be used"
    )
    _add_mask_choices(parser)
    parser.epilog = "Exit code: 0 all is well, 1 there are warnings, 2 nothing is usable."


def _add_inspect(parsers: Any) -> None:
    text = "what is in an image file: header, space, values, and how it is validated"
    parser = _add_command(parsers, "inspect", inspection.run_inspect, text)
    inspection.add_inspect_choices(parser)


def _add_mask_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        metavar="P",
        type=float,
        help="make masks of probability maps: voxels of at least P, between 0 and 1",
    )
    parser.add_argument(
        "--label", metavar="N", type=int, help="make masks of label maps: voxels of value N"
    )


def _add_demo(parsers: Any) -> None:
    parser = _add_command(parsers, "demo", run_demo, "the dashboard on the sample data")
    parser.add_argument("--port", type=int, default=8866, help="port on this computer (8866)")


def _add_serve(parsers: Any) -> None:
    parser = _add_command(parsers, "serve", run_serve, "the dashboard on your own data")
    parser.add_argument(
        "--data-root", metavar="DIR", required=True, help="nothing outside it is read"
    )
    parser.add_argument("--results", metavar="DIR", help="where results may be written")
    parser.add_argument("--port", type=int, default=8866, help="port on this computer (8866)")
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="IP address to listen on (127.0.0.1: this computer); any other asks for a token",
    )
    parser.add_argument(
        "--hostname",
        metavar="NAME",
        help="name of the proxy in front, as visitors type it; asks for a token",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="holds the token, 32 characters or more, readable by you alone (default: one is made "
        "where it is needed, and printed once)",
    )
    parser.add_argument(
        "--max-kernels",
        metavar="N",
        type=_whole_number,
        default=10,
        help="pages open at once, about 200 MB each and more with large cohorts (10)",
    )
    parser.add_argument(
        "--kernel-memory",
        metavar="SIZE",
        help="the most one page may take, such as 4GB; on Linux (half of the computer's memory)",
    )


def _whole_number(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small: it must be at least 1")
    return value


def run_demo(options: argparse.Namespace) -> int:
    """Serve the dashboard on the sample data."""
    from .files.paths import sample_data
    from .server.serve import serve

    serve(sample_data(), None, options.port)
    return 0


def run_serve(options: argparse.Namespace) -> int:
    """Serve the dashboard on a folder of the user's."""
    from .files.listing import check_folder
    from .files.paths import local_path
    from .files.writing import prepare_results
    from .server.serve import serve

    root = local_path(check_folder(local_path(options.data_root)))
    results = prepare_results(options.results, ()) if options.results else None
    serve(
        root,
        results,
        options.port,
        host=options.host,
        hostname=options.hostname,
        token_file=options.token_file,
        max_kernels=options.max_kernels,
        kernel_memory=options.kernel_memory,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
