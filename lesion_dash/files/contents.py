"""What a file is that is not a NIfTI image, told by its name and its first bytes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import NamedTuple

UNFETCHED = "content not fetched"
"""What is said first of a placeholder: the file is known here, and its content lies elsewhere."""

LONGEST_PLACEHOLDER = 32_768
"""Bytes of the longest placeholder: what git-annex reads of a file to tell whether it is one."""

_SNIFFED = 1024  # bytes that tell a format, arbitrary: the marks below lie within the first 400

_KEY = r"(\.git|git)?/?annex/objects/"
_ANNEX = re.compile(rf"^(/|(\.\./)*)?{_KEY}\S+\s*$".encode())
_ANNEX_LINK = re.compile(r"(^|/)(\.git|git)?/?annex/objects/")
_LFS = re.compile(rb"^version https://(git-lfs|hawser)\.github\.com/spec/")


class Finding(NamedTuple):
    """What a file is, and what to do with it, as the problem and the remedy of an error.

    Parameters
    ----------
    problem, remedy : str
    is_image : bool
        Whether it may hold a mask: it is said of a folder that it was skipped.
    """

    problem: str
    remedy: str
    is_image: bool = True

    @property
    def reason(self) -> str:
        """Both in one sentence."""
        return f"{self.problem}; {self.remedy}"


_OF_ANNEX = Finding(
    f"{UNFETCHED}: placeholder of git-annex", "`datalad get` or `git annex get` fetches it"
)
_OF_LFS = Finding(f"{UNFETCHED}: pointer of Git LFS", "`git lfs pull` fetches it")
_OF_DVC = Finding(f"{UNFETCHED}: placeholder of DVC", "`dvc pull` fetches it")
_OF_CLOUD = Finding(f"{UNFETCHED}: placeholder of iCloud", "download it in the Finder")


def placeholder(content: bytes) -> Finding | None:
    """What stands for a file whose content was never fetched, None for every other file.

    Examples
    --------
    >>> placeholder(b"/annex/objects/MD5E-s13--0a.nii.gz").problem
    'content not fetched: placeholder of git-annex'
    >>> placeholder(b"version https://git-lfs.github.com/spec/v1").remedy
    '`git lfs pull` fetches it'
    """
    if len(content) > LONGEST_PLACEHOLDER:
        return None
    # A pointer file of git-annex may have further lines; a link that was checked out as text has
    # one line, the path it leads to.
    if _ANNEX.match(content.partition(b"\n")[0]):
        return _OF_ANNEX
    return _OF_LFS if _LFS.match(content) else None


def dead_link(target: str) -> Finding | None:
    """What a link stands for that leads nowhere; None where its target tells nothing.

    Examples
    --------
    >>> dead_link("../.git/annex/objects/ab/cd/KEY/KEY").problem
    'content not fetched: placeholder of git-annex'
    """
    return _OF_ANNEX if _ANNEX_LINK.search(target.replace("\\", "/")) else None


def _simple_itk(kind: str) -> Finding:
    write = "python -c \"import SimpleITK as s; s.WriteImage(s.ReadImage('FILE'), 'FILE.nii.gz')\""
    return Finding(f"{kind}, not NIfTI", f"convert it: {write}")


_DICOM = Finding("DICOM, not NIfTI", "convert it with dcm2niix")
_NRRD, _META = _simple_itk("NRRD"), _simple_itk("MetaImage")
_GIFTI = Finding(
    "GIFTI: a surface or values on one, not a volume", "use the volume version of it, as .nii.gz"
)
_SURFACE = _GIFTI._replace(problem="a surface of FreeSurfer, not a volume")
_MINC = Finding("MINC, not NIfTI", "convert it: mnc2nii FILE FILE.nii")
_MRTRIX = Finding("MRtrix image, not NIfTI", "convert it: mrconvert FILE FILE.nii.gz")
_PHILIPS = Finding("Philips PAR/REC, not NIfTI", "convert it with dcm2niix")
_BRAINVOYAGER = Finding("BrainVoyager file, not NIfTI", "save it as NIfTI from BrainVoyager")
_ARRAY = Finding("is an array, not an image", "make one by `lesion-dash convert`")
_MATLAB = Finding("MATLAB file, not NIfTI", "write the image with spm_write_vol or niftiwrite")
_HDF5 = Finding("HDF5 file, not NIfTI", "export the image in it as .nii.gz")
_ARCHIVE = Finding("an archive", "unpack it")
_PACKED = Finding("compressed otherwise than by gzip", "unpack it, or compress it with gzip")
_PAIR = Finding("a compressed pair of .hdr and .img", "unpack both with gunzip")
_WEB_PAGE = Finding(
    "a web page, not the file itself", "download the file again, signed in if need be", False
)
_PICTURE = Finding("a picture, not an image of voxels", "give the NIfTI image", False)

_BY_ENDING = {
    (".nrrd", ".nhdr"): _NRRD,
    (".mha", ".mhd"): _META,
    (".gii",): _GIFTI,
    (".dcm", ".ima", ".dicom"): _DICOM,
    (".mnc", ".mnc.gz"): _MINC,
    (".mif", ".mif.gz", ".mih"): _MRTRIX,
    (".par", ".rec"): _PHILIPS,
    (".vmr", ".vmp"): _BRAINVOYAGER,
    (".npy", ".npz", ".pkl", ".pickle"): _ARRAY,
    (".h5", ".hdf5"): _HDF5,
    (".hdr.gz", ".img.gz"): _PAIR,
    (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar"): _ARCHIVE,
    (".bz2", ".xz", ".zst", ".lzma", ".z"): _PACKED,
    (".nii.dvc", ".nii.gz.dvc"): _OF_DVC,
    (".nii.icloud", ".nii.gz.icloud"): _OF_CLOUD,
}

_NO_IMAGE = re.compile(
    r"\.(jsonl?|[tc]sv|txt|md|rst|log|html?|xml|pdf|png|jpe?g|gif|tiff?|bmp|svg|webp|e?ps|"
    r"bvals?|bvecs?|xls[xm]?|od[ts]|docx?|pptx?|rtf|pyc?|ipynb|m|mat|r|rda|rds|rdata|rmd|sas|sav|"
    r"spv|do|dta|jl|sh|bat|ya?ml|toml|ini|cfg|conf|lut|clut|ctbl|cmap|bib|tex|url|webloc|lnk|db|"
    r"sqlite|md5|sha\d+|sum|css|js|dvc|lock|avi|mp4|mov)$",
    re.IGNORECASE,
)
"""Endings of files that are plainly no images, whatever lies in them."""


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(marks)


def _matches(pattern: bytes) -> Callable[[bytes], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda head: compiled.search(head) is not None


_BY_CONTENT: tuple[tuple[Callable[[bytes], bool], Finding], ...] = (
    (lambda head: head[128:132] == b"DICM", _DICOM),
    # Without the preamble: the first element of group 2 or 8, as old scanners wrote them.
    (_starts(b"\x02\x00\x00\x00UL", b"\x08\x00\x00\x00\x04\x00", b"\x08\x00\x05\x00"), _DICOM),
    (_matches(rb"<GIFTI[\s>]|<!DOCTYPE\s+GIFTI"), _GIFTI),
    (_starts(b"\xff\xff\xfe", b"\xff\xff\xff"), _SURFACE),
    (_starts(b"NRRD000"), _NRRD),
    (_matches(rb"^\s*(ObjectType|NDims)\s*=|^\s*Comment\s*=.*\n\s*ObjectType\s*="), _META),
    (_starts(b"mrtrix image"), _MRTRIX),
    (_starts(b"CDF\x01", b"CDF\x02"), _MINC),
    (_starts(b"\x89HDF\r\n\x1a\n"), _HDF5),
    (_starts(b"MATLAB 5.0 MAT-file"), _MATLAB),
    (_starts(b"\x93NUMPY"), _ARRAY),
    (_matches(rb"^\s*FileVersion:\s*\d"), _BRAINVOYAGER),
    (_starts(b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!"), _ARCHIVE),
    (lambda head: head[257:262] == b"ustar", _ARCHIVE),
    (_starts(b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\x1f\x9d"), _PACKED),
    (_matches(rb"^(\xef\xbb\xbf)?\s*<(!DOCTYPE\s+html|html[\s>])"), _WEB_PAGE),
    (_starts(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"II*\0", b"MM\0*", b"BM"), _PICTURE),
)


def content_finding(head: bytes) -> Finding | None:
    """What the first bytes of a file say it is; None where they are of no format known here.

    Parameters
    ----------
    head : bytes
        Compressed by gzip or not.

    Examples
    --------
    >>> content_finding(bytes(128) + b"DICM").reason
    'DICOM, not NIfTI; convert it with dcm2niix'
    """
    plain = _inflated(head)
    unfetched = placeholder(plain)
    plain = plain[:_SNIFFED]
    return unfetched or next((finding for fits, finding in _BY_CONTENT if fits(plain)), None)


def _inflated(head: bytes) -> bytes:
    if head[:2] != b"\x1f\x8b":
        return head
    try:
        return zlib.decompressobj(31).decompress(head, _SNIFFED)
    except zlib.error:
        return head


def name_finding(name: str) -> Finding | None:
    """What a file's name says it is; None where it is not a format that is known here.

    Examples
    --------
    >>> name_finding("sub-01.nrrd").problem, name_finding("sub-01.nii.gz")
    ('NRRD, not NIfTI', None)
    """
    lower = name.lower()
    return next((finding for ends, finding in _BY_ENDING.items() if lower.endswith(ends)), None)


def is_no_image(name: str) -> bool:
    """Whether a file's name says plainly that it holds no image.

    Examples
    --------
    >>> is_no_image("participants.tsv"), is_no_image("IM0001")
    (True, False)
    """
    return _NO_IMAGE.search(name) is not None


def unknown_finding(head: bytes) -> Finding | None:
    """What is said of a file whose name tells nothing: nothing where it holds text."""
    finding = content_finding(head)
    if finding is not None:
        return finding if finding.is_image else None
    is_gzip = head[:2] == b"\x1f\x8b"
    plain = _inflated(head)[:_SNIFFED]
    if plain[:4] in (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c", b"\x1c\x02\x00\x00"):
        ending = ".nii.gz" if is_gzip else ".nii"
        return Finding("a NIfTI image by its content, not by its name", f"let it end in {ending}")
    return (
        None
        if is_text(plain) and not is_gzip
        else Finding("format not known", "save it as .nii.gz")
    )


def is_text(content: bytes) -> bool:
    """Whether bytes are text, without control characters.

    Examples
    --------
    >>> is_text(b'{"message": "rate limit exceeded"}'), is_text(bytes(4))
    (True, False)
    """
    return not re.search(rb"[\x00-\x08\x0e-\x1a]", content)


WORKBOOK_ENDINGS = (".xlsx", ".xls", ".ods")
_WORKBOOK_STARTS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
"""ZIP, which .xlsx and .ods are, and the compound file that .xls is."""


def is_workbook(name: str, head: bytes = b"") -> bool:
    r"""Whether a file that is to be a table is a spreadsheet's, by its name or its first bytes.

    Examples
    --------
    >>> is_workbook("atlas.xlsx"), is_workbook("a.csv", b"PK\x03\x04"), is_workbook("a.csv")
    (True, True, False)
    """
    return name.lower().endswith(WORKBOOK_ENDINGS) or head.startswith(_WORKBOOK_STARTS)
