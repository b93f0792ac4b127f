"""Find the images below a folder, and let no link lead out of it."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import overload

from ..core.errors import InputError
from ..core.file_names import is_reserved
from ..core.system import READ, open_without_links
from .contents import dead_link, is_no_image, name_finding, unknown_finding
from .paths import AnyPath, PathInput, UrlPath, as_path, path_below

IMAGE_ENDINGS = (
    ".nii", ".nii.gz", ".img", ".hdr", ".voi", ".mgz", ".mgh", ".mgh.gz",
    ".head", ".brik", ".brik.gz",
)  # fmt: skip
"""File name endings that are read as images, in any case; those preferred come first.

MRIcron's ``.voi`` is NIfTI under another name, ``.mgz`` is FreeSurfer's, the last three are AFNI's.
"""

_ENDING = re.compile(f"({'|'.join(map(re.escape, IMAGE_ENDINGS[::-1]))})$", re.IGNORECASE)
_PAIRS = ((".hdr", ".img"), (".head", ".brik"))  # header and voxels

ARRAY_ENDINGS = (".npy", ".npz", ".pkl", ".pickle")
"""Of files that hold arrays without a space, of which `lesion-dash convert` makes images."""

_SIDE_FILES = {"._": "macOS side file", "~$": "lock file of an office program"}
_SNIFFED = 1024  # bytes that tell what a file without a telling name holds, arbitrary
_UNFINISHED = re.compile(
    r"\.nii(\.gz)?(\.(part|crdownload|tmp)|~)$|^\..*\.nii(\.gz)?\.(?!icloud$)[a-z0-9]{6}$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Listing:
    """The images below a folder, and what was passed over and why."""

    images: tuple[AnyPath, ...]
    skipped: tuple[tuple[AnyPath, str], ...]
    twins: dict[AnyPath, AnyPath] = field(default_factory=dict)
    """A mask in another format, which was passed over, to the file that is preferred."""
    outside: tuple[AnyPath, ...] = ()
    """Of the images, those that a link leads to out of the folder, other than into a store."""


def matches(pattern: str, file: str) -> bool:
    """Whether a file's name, or its path from some folder on, matches a pattern.

    Parameters
    ----------
    pattern : str
        As the shell has them; ``*`` stands for slashes as well.
    file : str
        Path below the folder that is searched.

    Examples
    --------
    >>> file = "sub-01/ses-1/lesion.nii"
    >>> [matches(pattern, file) for pattern in ("lesion.*", "*ses-1*", "ses-1/*", "ses-2/*")]
    [True, True, True, False]
    """
    return fnmatch(f"/{file}", f"*/{pattern}")


def list_images(folder: PathInput, pattern: str = "*") -> Listing:
    """Find every image below a folder, in alphabetical order, and what else may be one.

    Parameters
    ----------
    folder : path or URL
    pattern : str
        Only files whose name, or path below the folder, matches, such as ``*lesion*`` or
        ``ses-1/*``; see `matches`.

    Notes
    -----
    Links are followed, where the process is confined to a folder only within that, and no folder is
    entered twice. A file that is neither an image that is read nor plainly none, by its name or by
    its first bytes, is among those skipped; those behind a URL are judged by their names alone.

    Raises
    ------
    InputError
        Where the folder is missing, is a file, or may not be read.
    """
    root = check_folder(folder)
    if isinstance(root, UrlPath):
        return _list_url(root, pattern)
    walk = _Walk(root, pattern)
    walk.run()
    listing = _pair_up(sorted(walk.images), sorted(walk.skipped))
    return replace(listing, outside=walk.outside(listing.images))


class _Walk:
    """A walk through a folder that enters no folder and counts no file twice."""

    def __init__(self, root: Path, pattern: str) -> None:
        self._root, self._real_root, self._pattern = root, os.path.realpath(root), pattern
        self._folders, self._links = [root], list[Path]()
        self._entered: set[str] = set()
        self._linked_files: list[Path] = []
        self._real: dict[Path, str] = {}  # where images lie, links resolved
        self.images: list[Path] = []
        self.skipped: list[tuple[Path, str]] = []

    def run(self) -> None:
        """Walk. Links come last, so that what they lead to is counted where it lies."""
        while self._folders or self._links:
            self._enter(self._folders.pop() if self._folders else self._links.pop())
        self._real = {path: os.path.realpath(path) for path in self.images}
        counted = set(self._real.values())
        for path in sorted(self._linked_files):
            real = os.path.realpath(path)
            if real in counted:
                self.skipped.append((path, f"link to {Path(real).name}, which is counted already"))
            else:
                counted.add(real)
                self._real[path] = real
                self.images.append(path)

    def _enter(self, folder: Path) -> None:
        real = os.path.realpath(folder)
        if real in self._entered:
            self.skipped.append((folder, "link loop or second link to one folder, not followed"))
            return
        self._entered.add(real)
        if real != self._real_root and Path(self._real_root).is_relative_to(real):
            self.skipped.append((folder, "link to a folder around this one, not followed"))
            return
        try:
            with os.scandir(_check_local(folder, folder)) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    self._sort_in(entry)
        except InputError:
            if folder == self._root:
                raise
            self.skipped.append((folder, "folder cannot be read, passed over"))

    def _sort_in(self, entry: os.DirEntry[str]) -> None:
        path, is_folder = Path(entry.path), False
        with suppress(OSError):
            is_folder = entry.is_dir()
        if not is_folder and not self._matches(path):
            return
        reason = self._link_fault(entry, path, is_folder)
        if not is_folder:
            reason = reason or _name_fault(entry.name)
        if reason:
            self.skipped.append((path, reason))
        elif is_folder:
            if has_image_ending(entry.name):
                self.skipped.append((path, "is a folder, although its name is an image's"))
            if not entry.name.startswith("."):
                (self._links if entry.is_symlink() else self._folders).append(path)
        elif has_image_ending(entry.name):
            (self._linked_files if entry.is_symlink() else self.images).append(path)
        elif reason := other_format(path):
            self.skipped.append((path, reason))

    def outside(self, images: Sequence[AnyPath]) -> tuple[AnyPath, ...]:
        """Of the images, those that lie outside the folder, other than in a store of git-annex."""
        root = os.path.join(self._real_root, "")
        real = {path: self._real[path] for path in images if isinstance(path, Path)}
        return tuple(
            path
            for path, place in real.items()
            if not place.startswith(root) and dead_link(place) is None
        )

    def _matches(self, path: Path) -> bool:
        pattern = self._pattern
        return pattern == "*" or matches(pattern, path_below(path, self._root))

    def _link_fault(self, entry: os.DirEntry[str], path: Path, is_folder: bool) -> str:
        """Why a link is not followed; of a pair this is asked of both files."""
        if not is_folder and not has_image_ending(entry.name):
            return ""
        if entry.is_symlink() and (reason := _target_fault(path)):
            return reason
        halves = () if is_folder else halves_of(path)
        other = next((half for half in halves if half != path and half.is_symlink()), None)
        reason = "" if other is None else _target_fault(other)
        return f"{other.name} beside it: {reason}" if other and reason else ""


def _list_url(root: UrlPath, pattern: str) -> Listing:
    """What lies behind a URL, by the rules of a local folder; there are no links."""
    images: list[AnyPath] = []
    skipped: set[tuple[AnyPath, str]] = set()
    for file in root.find():
        path = root / file
        *folders, name = file.split("/")
        if any(folder.startswith(".") for folder in folders):
            continue
        for depth, folder in enumerate(folders, start=1):
            if has_image_ending(folder):
                place = root / "/".join(folders[:depth])
                skipped.add((place, "is a folder, although its name is an image's"))
        if not name or not matches(pattern, file):
            continue
        reason = _name_fault(name)
        if has_image_ending(name) and path.relative_to(root).as_posix() != file:
            reason = "its key holds two slashes in a row or a dot as a folder, skipped"
        if reason:
            skipped.add((path, reason))
        elif has_image_ending(name):
            images.append(path)
        elif finding := name_finding(name):
            skipped.add((path, finding.reason))
    return _pair_up(sorted(images), sorted(skipped))


def _pair_up(images: Sequence[AnyPath], skipped: Sequence[tuple[AnyPath, str]]) -> Listing:
    """Count a pair such as .hdr and .img once, and a mask stored in several formats once.

    Names that differ in capitals or in the code of an accent are one: many file systems, and all
    that copy from them, take them for one.
    """
    groups: dict[tuple[AnyPath, str], list[AnyPath]] = {}
    passed_over = list(skipped)
    for path in images:
        name = unicodedata.normalize("NFC", strip_ending(path.name)).casefold()
        groups.setdefault((path.parent, name), []).append(path)
    preferred: list[AnyPath] = []
    twins: dict[AnyPath, AnyPath] = {}
    for group in groups.values():
        group.sort(key=_rank)
        headers: set[AnyPath] = set()  # of which the voxels lie in a file of their own
        for path in group:
            header = halves_of(path)[0]
            if header in headers:
                continue
            headers.add(header)
            if path == group[0]:
                preferred.append(path)
                continue
            is_format = _rank(path) != _rank(group[0])
            what = "patient twice" if is_format else "name twice, but for capitals or accents"
            passed_over.append((path, f"same {what}: {group[0].name} is preferred"))
            twins[path] = group[0]
    return Listing(tuple(sorted(preferred)), tuple(sorted(passed_over)), twins)


def _rank(path: AnyPath) -> int:
    """Place of a file's format among those of one mask: the simplest first."""
    name = path.name.lower()
    return next(i for i, ending in enumerate(IMAGE_ENDINGS) if name.endswith(ending))


def has_image_ending(name: str) -> bool:
    """Whether a file name ends as an image's does, in capitals or not."""
    return name.lower().endswith(IMAGE_ENDINGS)


@overload
def halves_of(path: Path) -> tuple[Path, Path]: ...
@overload
def halves_of(path: UrlPath) -> tuple[UrlPath, UrlPath]: ...
def halves_of(path: AnyPath) -> tuple[AnyPath, AnyPath]:
    """The files that hold an image's header and its voxels: one, but for .hdr and .img, and AFNI's.

    Examples
    --------
    >>> [half.name for half in halves_of(Path("sub-1.img"))]
    ['sub-1.hdr', 'sub-1.img']
    >>> [half.name for half in halves_of(Path("sub-1+tlrc.BRIK.gz"))]
    ['sub-1+tlrc.HEAD', 'sub-1+tlrc.BRIK.gz']
    """
    bare = path.with_suffix("") if path.name.lower().endswith(".brik.gz") else path
    pair = next((pair for pair in _PAIRS if bare.suffix.lower() in pair), None)
    if pair is None:
        return path, path
    head, voxels = (half.upper() if bare.suffix.isupper() else half for half in pair)
    given_voxels = bare.suffix.lower() == pair[1]
    return bare.with_suffix(head), path if given_voxels else bare.with_suffix(voxels)


def strip_ending(name: str) -> str:
    """A file's name without the ending of an image, such as ``.nii.gz``.

    Examples
    --------
    >>> strip_ending("sub-01_lesion.nii.gz")
    'sub-01_lesion'
    """
    return _ENDING.sub("", name)


def check_folder(folder: PathInput) -> AnyPath:
    """Return the folder as a path (``~`` expanded), or say why it cannot be read."""
    path = as_path(folder)
    if not isinstance(path, UrlPath):
        return _check_local(folder, path)
    if path.is_web:
        problem = "cannot be searched for masks: a web server does not list its folders"
        remedy = (
            "download it and give the folder, or use a store such as s3://; a single file can "
            "be given by its URL"
        )
        raise InputError(path, problem, remedy)
    if not path.exists():
        remedy = "check the spelling of the URL, and that the bucket is there"
        raise InputError(path, "folder not found", remedy)
    if not path.is_dir():
        raise InputError(path, "is a file, not a folder", "give the folder that holds the masks")
    return path


def _check_local(folder: object, path: Path) -> Path:
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise InputError(str(folder), f"is not a path ({error})", "check its spelling") from None
    if not exists:
        raise InputError(path, "folder not found", "check the spelling of the path")
    if not path.is_dir():
        raise InputError(path, "is a file, not a folder", "give the folder that holds the masks")
    # An administrator may read everything; a folder closed to all is closed to us as well.
    if not os.access(path, os.R_OK | os.X_OK) or not path.stat().st_mode & 0o444:
        raise InputError(path, "no permission to read this folder", "ask its owner for access")
    return path


def _target_fault(link: Path) -> str:
    target = os.path.realpath(link)
    if not os.path.exists(target):
        finding = dead_link(os.readlink(link)) if link.is_symlink() else None
        return finding.reason if finding else "link target is missing"
    mode = os.stat(target).st_mode
    # A device or pipe is refused when it is read, wherever it lies.
    is_data = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    if is_data and not all(Path(target).is_relative_to(root) for root in _roots_above(link)):
        return "link points outside the data folder, not followed"
    return ""


def other_format(path: Path) -> str:
    """What is said of a file that is not read as an image.

    Empty where it plainly is none, or the image that is made of it lies beside it.
    """
    if finding := name_finding(path.name):
        return "" if _is_converted(path) else finding.reason
    if path.suffix.lower() in (".raw", ".zraw") and any(
        path.with_suffix(header).is_file() for header in (".mhd", ".nhdr")
    ):
        return ""  # the voxels of a header, of which it is said
    if path.name.startswith(".") or is_no_image(path.name) or not path.is_file():
        return ""
    try:
        descriptor = open_confined(path, READ)
    except (InputError, OSError):
        return ""
    try:
        finding = unknown_finding(os.read(descriptor, _SNIFFED))
    finally:
        os.close(descriptor)
    return finding.reason if finding else ""


def _is_converted(path: Path) -> bool:
    """Whether the NIfTI image of a file lies beside it, named as converters name it."""
    names = (path.name, path.with_suffix("").name)
    images = {name + ending for name in names for ending in ("", ".nii", ".nii.gz")}
    return any(path.with_name(image).is_file() for image in images - {path.name})


def _name_fault(name: str) -> str:
    for prefix, what in _SIDE_FILES.items():
        if name.startswith(prefix):
            return f"{what}, skipped"
    if _UNFINISHED.search(name):
        return "unfinished copy, skipped"
    if name.startswith(".") and has_image_ending(name):
        return "hidden file, skipped"
    return ""


def odd_name(name: str) -> str:
    """Say what is unusual about a file name, or return an empty string."""
    if any(unicodedata.category(character) in ("Cc", "Cf") for character in name):
        return "control character in the name"
    if is_reserved(name):
        return "reserved name on Windows"
    return ""


_roots: dict[Path, Path] = {}
"""The folders of this process, as they are named, to where they lie with links resolved."""

_roots_of_task: ContextVar[dict[Path, Path]] = ContextVar("_roots_of_task")
"""Those of the task that runs in this thread, where a worker of a cluster runs it."""


def confine_to(root: Path) -> None:
    """From now on, read a file named below a folder only where it also lies there.

    Links within the folder are followed, such as those of git-annex to its store; those that lead
    out of it are refused. This holds for all threads of this process, and for every read: all of
    them go through `open_confined`.
    """
    _roots.update(_named(root))


def kept_roots() -> tuple[Path, ...]:
    """The folders that were given to `confine_to`, for a task that another process runs."""
    return tuple(_roots)


@contextmanager
def confine_task(roots: Sequence[Path]) -> Iterator[None]:
    """The same as `confine_to` for what this thread reads within the block, and nothing else."""
    token = _roots_of_task.set({key: real for root in roots for key, real in _named(root).items()})
    try:
        yield
    finally:
        _roots_of_task.reset(token)


def _named(root: Path) -> dict[Path, Path]:
    real = Path(os.path.realpath(root))
    return {Path(os.path.abspath(root)): real, real: real}


def is_confined(path: Path) -> bool:
    """Whether a file named below such a folder lies there, of a pair both files."""
    roots = _roots_above(path)
    places = [Path(os.path.realpath(half)) for half in {path, *halves_of(path)}]
    return bool(roots) and all(place.is_relative_to(root) for place in places for root in roots)


def open_confined(path: Path, flags: int) -> int:
    """Open a file and give its descriptor.

    Raises InputError where it leads out of a folder it is confined to, and OSError as `os.open`.
    """
    roots = _roots_above(path)
    if not roots:
        return os.open(path, flags)
    real = Path(os.path.realpath(path))
    if not all(real.is_relative_to(root) for root in roots):
        problem = "is reached by a link that leads out of the data root"
        raise InputError(path, problem, "put the file itself where the link is")
    # Every part of the path is looked at again: a link may have been put there since.
    return open_without_links(roots[0], real.relative_to(roots[0]).parts, flags)


def _roots_above(path: Path) -> list[Path]:
    maps = [roots for roots in (_roots, _roots_of_task.get({})) if roots]
    if not maps:  # of a command: nothing is confined
        return []
    named = Path(os.path.abspath(path))
    places = (named, *named.parents)
    return [roots[place] for roots in maps for place in places if place in roots]
