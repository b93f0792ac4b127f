"""What `lesion-dash register` does: an image, and what belongs to it, onto a template."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..core.text import printable
from .console import say, warn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..images.maps import MapLike
    from ..scans.registration.task import NotCredible, Registration, Report


TEXT = "register an image to a template, its lesion mask and other images along with it"
ENGINES = ("auto", "simpleitk", "dipy", "greedy", "ants")
KINDS = ("rigid", "affine", "deformable")
MNI = "mni152"


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("moving", metavar="MOVING", help="NIfTI image of one volume, or its URL")
    parser.add_argument(
        "--template",
        metavar="IMAGE",
        required=True,
        help=f"where it is brought: a NIfTI image, or {MNI} for the MNI152 brain that is shipped",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", required=True, help="results folder, made if missing"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in DIR")
    parser.add_argument(
        "--kind", choices=KINDS, default="affine", help="what may be moved (default affine)"
    )
    parser.add_argument(
        "--lesion",
        metavar="MASK",
        help="lesion on MOVING's grid: left out of the comparison, and brought along",
    )
    parser.add_argument(
        "--with",
        dest="others",
        metavar="IMAGE",
        nargs="+",
        action="extend",
        default=[],
        help="other images in MOVING's space, brought along; masks stay masks, labels labels",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="auto: simpleitk for rigid and affine, dipy for deformable; greedy and ants are "
        "programs that you have installed, for deformable",
    )


def run_register(options: argparse.Namespace) -> int:
    """Write the registered images, the transform, pictures, quality and provenance."""
    from ..files.listing import strip_ending
    from ..files.paths import as_path, local_path
    from ..files.writing import write_atomically
    from ..scans.registration.task import NotCredible
    from .registration_files import REFUSED, file_names, registration_files

    others = [strip_ending(as_path(path).name) for path in options.others]
    names = file_names(options.kind, options.lesion is not None, others)
    try:
        with write_atomically(options.output, names, options.overwrite) as writer:
            earlier = _earlier_files(local_path(options.output), names)
            found = _register(options)
            for name, content in registration_files(found, _parameters(options)).items():
                writer.add(name, content)
    except NotCredible as error:
        raise _with_picture(error, options.output) from None
    # What an earlier run left would speak against this one, or be taken for a part of it.
    for path in (*earlier, local_path(options.output) / REFUSED):
        path.unlink(missing_ok=True)
    _print(found)
    say(f"{len(names)} files in {options.output}")
    return 0


def _earlier_files(folder: Path, names: list[str]) -> list[Path]:
    """What the run before wrote, by its provenance, and this one will not replace."""
    from ..files.provenance import FILE_NAME
    from ..files.reading import checksum

    try:
        earlier = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        outputs = dict(earlier["outputs"]) if earlier["command"] == "register" else {}
        paths = {folder / name: digest for name, digest in outputs.items()}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    replaced = {name.casefold() for name in names}
    return [
        path
        for path, digest in paths.items()
        if path.parent == folder and path.name.casefold() not in replaced and path.is_file()
        # One that was changed since is not that run's any more.
        if checksum(path.read_bytes()) == digest
    ]


def _register(options: argparse.Namespace) -> Registration:
    from ..scans.registration.register import register_image

    with _progress() as report:
        return register_image(
            options.moving,
            open_template(options.template),
            options.kind,
            lesion=options.lesion,
            others=options.others,
            engine=options.engine,
            report=report,
        )


def open_template(name: str) -> MapLike:
    """The brain that is shipped where the name says so, else the path of an image."""
    if name != MNI:
        return name
    from dataclasses import replace

    from ..images.maps import as_map
    from ..images.template import load_template

    return replace(as_map(load_template()), name=MNI)


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    # A URL may hold a password, which its path does not show.
    images = {name: getattr(options, name) for name in ("moving", "template", "lesion")}
    return {
        "asked_engine": options.engine,
        **{name: shown_image(image) for name, image in images.items()},
        "with": [shown_image(image) for image in options.others],
    }


def shown_image(image: str | None) -> str | None:
    """An image as provenance names it: by its path, or as the brain that is shipped."""
    from ..files.paths import as_path

    return image if image in (None, MNI) else str(as_path(image))


@contextmanager
def _progress() -> Iterator[Report | None]:
    """A progress bar on stderr, where somebody may be looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    bar = tqdm(total=100, leave=False, bar_format="{desc} {percentage:3.0f} %|{bar}| {elapsed}")

    def show(share: float, words: str) -> None:
        bar.set_description_str(printable(words), refresh=False)
        bar.n = 100 * min(max(share, 0.0), 1.0)
        bar.refresh()

    try:
        yield show
    finally:
        bar.close()


def _with_picture(error: NotCredible, folder: str) -> InputError:
    """The error with the place of a picture of what was found."""
    from ..files.paths import local_path
    from ..files.writing import write_atomically
    from .registration_files import REFUSED, refused_picture

    picture = refused_picture(error)
    if picture is None:
        return error
    with write_atomically(folder, [REFUSED], overwrite=True) as writer:
        writer.add(REFUSED, picture)
    place = f"{local_path(folder) / REFUSED} shows it"
    remedy = f"{error.remedy}; {place}" if error.remedy else place
    others = tuple(reason for reason in error.details if reason not in error.problem)
    return InputError(error.subject, error.problem, remedy, others)


def _print(found: Registration) -> None:
    from .registration_files import all_notes

    for note in all_notes(found):
        warn(f"note: {note}")
    quality = found.quality
    names = f"{found.moving.name} on {found.template.name}"
    say(f"{names}: {found.kind} by {found.engine}, {found.seconds:.0f} s")
    say(
        f"similarity {quality.similarity_before:.2f} before, {quality.similarity_after:.2f} after; "
        f"{quality.coverage:.0%} of the template covered; volumes x {quality.determinant:.3f}"
    )
    if found.kind == "deformable":
        low, high = quality.smallest_jacobian, quality.largest_jacobian
        say(f"volumes x {low:.2f} to x {high:.2f} from place to place")
    if found.native_lesion is not None and found.lesion is not None:
        native = f"{found.native_lesion.volume_mm3:,.0f} mm³ in its own image, the one to report"
        say(f"lesion volume: {native} ({found.lesion.volume_mm3:,.0f} mm³ in the template)")
