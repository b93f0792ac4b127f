"""Published atlases by name, and how to cite them; nilearn downloads them on first use."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tarfile import TarError
from typing import Any, NamedTuple
from zipfile import BadZipFile

from ..core.errors import InputError, cause_of
from ..core.notes import InfoNote
from ..core.space import MNI, TALAIRACH, StatedSpace, space_named
from ..images.nifti import SpatialImage
from .formats import Region, is_background
from .tables import LabelTable

PREFIX = "nilearn:"
"""What a name begins with."""

_FSL = "FSL's, for non-commercial use: fsl.fmrib.ox.ac.uk/fsl/docs/#/license"
_RESEARCH = "unrestricted for non-commercial research"
_MNI6 = "MNI152 (FSL's, 6th generation)"
_LABELS = {
    _MNI6: "MNI152NLin6Asym",
    "MNI (Colin 27)": "MNIColin27",
    "MNI152 2009c": "MNI152NLin2009cAsym",
    "MNI152 2009a, symmetric": "MNI152NLin2009aSym",
    TALAIRACH: TALAIRACH,
}
"""Spaces by their names in BIDS; another one is an MNI template, and it is not known which."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A published atlas.

    Parameters
    ----------
    name : str
        What `load_atlas` takes, without the prefix, which is put before it.
    space : str
    citation, licence : str
        As nilearn and the authors state them.
    fetcher : str
        Function of `nilearn.datasets`, without ``fetch_atlas_``.
    options : dict
        Its arguments.
    file : str
        The image below nilearn's data folder, which tells whether it is on disk.
    kind : str
        ``labels`` or ``probabilities``.
    regions : int or None
        None where it is known only from the files.
    """

    name: str
    space: str
    citation: str
    fetcher: str
    options: dict[str, Any]
    file: str
    kind: str = "labels"
    regions: int | None = None
    licence: str = "see the authors"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", PREFIX + self.name)

    @property
    def stated_space(self) -> StatedSpace:
        """The space that the authors state, by its name in BIDS."""
        return space_named(_LABELS.get(self.space, MNI), "published")

    @property
    def credit(self) -> str:
        """Citation and licence in a sentence."""
        return InfoNote(f"cite {self.citation}; licence: {self.licence}")

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on any result with this atlas."""
        notes = [self.credit]
        if self.fetcher in ("difumo", "msdl"):
            notes.append("maps are weights of functional modes, not probabilities of an anatomy")
        return tuple(notes)

    @property
    def on_disk(self) -> bool:
        """Whether the image is in nilearn's cache; nothing is downloaded to find out."""
        from nilearn.datasets import get_data_dirs

        return any(Path(folder, self.file).is_file() for folder in get_data_dirs())


# Kind, ending of the name, and what FSL calls the file.
_VARIANTS = (
    ("labels", "", "maxprob-thr25-2mm"),
    ("probabilities", "_prob", "prob-2mm"),
)
_ENTRIES = (
    *(
        Entry(
            name=f"harvard_oxford_{part}{ending}",
            kind=kind,
            space=_MNI6,
            regions=regions,
            licence=_FSL,
            citation="Makris et al. 2006, Schizophr Res 83:155; Frazier et al. 2005, "
            "Am J Psychiatry 162:1256; Desikan et al. 2006, NeuroImage 31:968; "
            "Goldstein et al. 2007, Biol Psychiatry 61:935",
            fetcher="harvard_oxford",
            options={"atlas_name": f"{part}-{variant}"},
            file=f"fsl/data/atlases/HarvardOxford/HarvardOxford-{part}-{variant}.nii.gz",
        )
        for part, regions in (("cort", 48), ("cortl", 96), ("sub", 21))
        for kind, ending, variant in _VARIANTS
    ),
    *(
        Entry(
            name=f"juelich{ending}",
            kind=kind,
            space=_MNI6,
            licence=_FSL,
            citation="Amunts et al. 2020, Science 369:988",
            fetcher="juelich",
            options={"atlas_name": variant},
            file=f"fsl/data/atlases/Juelich/Juelich-{variant}.nii.gz",
        )
        for kind, ending, variant in _VARIANTS
    ),
    Entry(
        name="aal",
        space="MNI (Colin 27)",
        regions=116,
        citation="Tzourio-Mazoyer et al. 2002, NeuroImage 15:273",
        fetcher="aal",
        options={"version": "SPM12"},
        file="aal_SPM12/aal/atlas/AAL.nii",
    ),
    Entry(
        name="aal_3",
        space="MNI (Colin 27)",
        regions=166,
        citation="Rolls et al. 2020, NeuroImage 206:116189",
        fetcher="aal",
        options={"version": "3v2"},
        file="aal_3v2/AAL3/AAL3v1.nii",
    ),
    Entry(
        name="destrieux",
        space="MNI152 (from fsaverage)",
        citation="Destrieux et al. 2010, NeuroImage 53:1",
        fetcher="destrieux_2009",
        options={"lateralized": True},
        file="destrieux_2009/destrieux2009_rois_lateralized.nii.gz",
    ),
    *(
        Entry(
            name=f"schaefer_{regions}{ending}",
            space=_MNI6,
            regions=regions,
            licence="MIT",
            citation="Schaefer et al. 2018, Cereb Cortex 28:3095",
            fetcher="schaefer_2018",
            options={"n_rois": regions, "yeo_networks": networks, "resolution_mm": 2},
            file=f"schaefer_2018/Schaefer2018_{regions}Parcels_{networks}Networks_order_"
            "FSLMNI152_2mm.nii.gz",
        )
        for networks, ending in ((7, ""), (17, "_17networks"))
        for regions in range(100, 1100, 100)
    ),
    *(
        Entry(
            name=f"yeo_{networks}",
            space=_MNI6,
            regions=networks,
            licence="MIT",
            citation="Yeo et al. 2011, J Neurophysiol 106:1125",
            fetcher="yeo_2011",
            options={"n_networks": networks, "thickness": "thick"},
            file=f"yeo_2011/Yeo_JNeurophysiol11_MNI152/Yeo2011_{networks}Networks_MNI152_"
            "FreeSurferConformed1mm_LiberalMask.nii.gz",
        )
        for networks in (7, 17)
    ),
    *(
        Entry(
            name=f"difumo_{regions}",
            kind="probabilities",
            space=_MNI6,
            regions=regions,
            licence=_RESEARCH,
            citation="Dadi et al. 2020, NeuroImage 221:117126",
            fetcher="difumo",
            options={"dimension": regions, "resolution_mm": 2},
            file=f"difumo_atlases/{regions}/2mm/maps.nii.gz",
        )
        for regions in (64, 128, 256, 512, 1024)
    ),
    Entry(
        name="msdl",
        kind="probabilities",
        space="MNI152",
        regions=39,
        licence=_RESEARCH,
        citation="Varoquaux et al. 2011, IPMI, LNCS 6801:562",
        fetcher="msdl",
        options={},
        file="msdl_atlas/MSDL_rois/msdl_rois.nii",
    ),
    Entry(
        name="pauli_prob",
        kind="probabilities",
        space="MNI152 2009c",
        regions=16,
        licence="CC BY 4.0",
        citation="Pauli et al. 2018, Sci Data 5:180063",
        fetcher="pauli_2017",
        options={"atlas_type": "probabilistic"},
        file="pauli_2017/pauli_2017_prob.nii.gz",
    ),
    *(
        Entry(
            name=f"talairach_{level}",
            space="Talairach",
            citation="Lancaster et al. 2000, Hum Brain Mapp 10:120",
            fetcher="talairach",
            options={"level_name": level},
            file=f"talairach_atlas/{level}.nii.gz",
        )
        for level in ("lobe", "gyrus", "ba")
    ),
    *(
        Entry(
            name=f"basc_{regions}",
            space="MNI152 2009a, symmetric",
            regions=regions,
            citation="Bellec et al. 2010, NeuroImage 51:1126",
            fetcher="basc_multiscale_2015",
            options={"resolution": regions, "version": "sym"},
            file="basc_multiscale_2015/template_cambridge_basc_multiscale_nii_sym/"
            f"template_cambridge_basc_multiscale_sym_scale{regions:03}.nii.gz",
        )
        for regions in (7, 12, 20, 36, 64, 122, 197, 325, 444)
    ),
)

LIBRARY = {entry.name: entry for entry in _ENTRIES}
"""Published atlases by name, in the order in which they are listed."""


# Well-known atlases in files of the user's own, told by the file's name or the regions' names.


class _Known(NamedTuple):
    """An atlas of a user's: a pattern of its files' names, names only its table has, a citation."""

    name: str
    files: str
    regions: frozenset[str]
    citation: str


def _of_library(name: str, files: str, entry: str, *regions: str) -> _Known:
    return _Known(name, files, frozenset(regions), LIBRARY[PREFIX + entry].citation)


# Names are compared in lower case and without marks; see `_plain`.
_KNOWN = (
    _of_library("AAL3", r"\baal ?3", "aal_3", "precentral l", "thal av l"),
    _of_library("AAL", r"\baal\b|\brois? mni v4\b", "aal", "precentral l", "vermis 10"),
    _of_library(
        *("Harvard-Oxford", r"\bharvard ?oxford", "harvard_oxford_cort"),
        *("frontal pole", "insular cortex", "heschls gyrus"),
    ),
    _of_library("Juelich", r"\bj(ue|u)lich|\bjubrain", "juelich"),
    _of_library("Schaefer", r"\bschaefer", "schaefer_100"),
    _of_library("Destrieux", r"\bdestrieux", "destrieux"),
    _of_library("Yeo", r"\byeo", "yeo_7"),
    _of_library("DiFuMo", r"\bdifumo", "difumo_64"),
    _of_library("BASC", r"\bbasc\b", "basc_7"),
    _of_library("MSDL", r"\bmsdl\b", "msdl"),
    _Known(
        "Brainnetome",
        r"\bbn atlas|\bbrainnetome|\bbna\b",
        frozenset({"a8m l", "a8m r", "a8dl l"}),
        "Fan et al. 2016, Cereb Cortex 26:3508",
    ),
    _Known(
        "the arterial territories",
        r"\barterial ?atlas|\barterial territor",
        frozenset({"anterior cerebral artery left", "medial lenticulostriate left"}),
        "Liu et al. 2023, Sci Data 10:74",
    ),
)


def probable_credit(file: str, regions: Iterable[str]) -> str:
    """What to cite for an atlas that looks like a well-known one, or nothing.

    Only names are compared, so this is a guess, and says so.

    Examples
    --------
    >>> probable_credit("BN_Atlas_246_2mm", [])
    'probably Brainnetome: cite Fan et al. 2016, Cereb Cortex 26:3508'
    >>> probable_credit("mine", ["Precentral_L", "Vermis_10"])
    'probably AAL: cite Tzourio-Mazoyer et al. 2002, NeuroImage 15:273'
    >>> probable_credit("mine", ["A", "B"])
    ''
    """
    name, names = _plain(file), {*map(_plain, regions)}
    names |= {re.sub(r"^(left|right|l|r) ", "", region) for region in names}
    by_file = (known for known in _KNOWN if re.search(known.files, name))
    by_regions = (known for known in _KNOWN if known.regions and known.regions <= names)
    known = next(by_file, None) or next(by_regions, None)
    return f"probably {known.name}: cite {known.citation}" if known else ""


def _plain(text: str) -> str:
    """Lower case, single spaces between words, no marks within a word."""
    return re.sub(r"[\W_]+", " ", text.lower().replace("'", "")).strip()


# Fetch a published atlas: nilearn downloads it, or takes it from its cache.


_DAMAGE = (OSError, ValueError, RuntimeError, LookupError, EOFError, TarError, BadZipFile)
"""What a download that fails or breaks off may raise."""

_CONNECT_S = 4.0
"""Seconds in which a server must take a connection; arbitrary: a slow one takes well below 1."""


def is_library_name(text: str) -> bool:
    """Whether a text names an atlas of the library rather than a file.

    Examples
    --------
    >>> is_library_name("nilearn:aal"), is_library_name("atlases/aal.nii.gz")
    (True, False)
    """
    return text.startswith(PREFIX)


def alike_names(text: str) -> list[str]:
    """Names of published atlases that a word may stand for: the same but for the prefix, or alike.

    Examples
    --------
    >>> alike_names("aal"), alike_names("Schaefer400"), alike_names("atlases/aal.nii.gz")
    (['nilearn:aal'], ['nilearn:schaefer_400'], [])
    """
    if not re.fullmatch(r"[\w\- ]+", text):
        return []
    word = re.sub(r"\W+", "_", text.lower())
    known = [name.removeprefix(PREFIX) for name in LIBRARY]
    begun = [name for name in known if name.startswith(f"{word}_")][:3]
    alike = [word] if word in known else begun or get_close_matches(word, known, 1, 0.75)
    return [PREFIX + name for name in alike]


def will_download(name: str) -> bool:
    """Whether a name is one of the library whose atlas is not on this computer yet."""
    return name in LIBRARY and not LIBRARY[name].on_disk


def fetch_atlas(name: str) -> tuple[Entry, Path | SpatialImage, LabelTable]:
    """Download an atlas by its name, or take it from nilearn's cache.

    Parameters
    ----------
    name : str
        Such as ``nilearn:aal``; see `LIBRARY`.

    Raises
    ------
    InputError
        Where there is no atlas of that name, or it cannot be downloaded.
    """
    from nilearn import datasets

    entry = LIBRARY.get(name)
    if entry is None:
        alike = ", ".join(get_close_matches(name, LIBRARY, 3, 0.4))
        remedy = f"did you mean {alike}?" if alike else "`lesion-dash atlases` lists the names"
        raise InputError(name, "no atlas of this name is known", remedy)
    try:
        with _short_wait():
            bunch = getattr(datasets, f"fetch_atlas_{entry.fetcher}")(**entry.options, verbose=0)
    except _DAMAGE as error:
        problem = f"nilearn ({entry.fetcher}) could not download it: {_reason(error)}"
        otherwise = "or download the atlas elsewhere, and give its image in place of the name"
        raise InputError(name, problem, f"{_remedy(error)}; {otherwise}") from error
    maps = bunch["maps"]
    image = maps if isinstance(maps, SpatialImage) else Path(maps)
    return entry, image, LabelTable(Path(name), _rows_of(entry, bunch))


@contextmanager
def _short_wait() -> Iterator[None]:
    """Let nilearn give up on a server that takes no connection after seconds.

    Its own limit is 15 s and no option; where another release keeps it elsewhere, that one holds.
    """
    from nilearn.datasets import _utils

    name = "_REQUESTS_TIMEOUT"
    usual = getattr(_utils, name, None)
    if not isinstance(usual, tuple):
        yield
        return
    setattr(_utils, name, (_CONNECT_S, *usual[1:]))
    try:
        yield
    finally:
        setattr(_utils, name, usual)


def _reason(error: Exception) -> str:
    """What went wrong, briefly: the text of a failed request tells its whole history."""
    url = getattr(getattr(error, "request", None), "url", None)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if url is not None:
        return f"{url} answers {status}" if status is not None else f"no answer from {url}"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _remedy(error: Exception) -> str:
    """What mends the cause of a failed download."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return "try again later, as its server does not give it out now"
    cause, folder = cause_of(error), _cache()
    if cause == "full":
        return f"free some space for nilearn's cache, {folder}, or name another in NILEARN_DATA"
    # Nilearn's own sentence about folders that it cannot make bears no number.
    is_plain = type(error) is OSError and error.errno is None
    if cause == "closed" or (is_plain and not _can_be_written(folder)):
        return f"nilearn cannot write its cache, {folder}: name a folder of yours in NILEARN_DATA"
    if cause == "network" or getattr(error, "request", None) is not None or is_plain:
        return "connect to the internet and try again"
    if cause == "memory":
        return "free some memory and try again"
    return f"try again, and where that does not help remove what is of it in {folder}"


def _cache() -> Path:
    """The folder into which nilearn downloads: the first that can be written, if there is one."""
    from nilearn.datasets import get_data_dirs

    folders = [Path(folder) for folder in get_data_dirs()]
    return next(filter(_can_be_written, folders), folders[0])


def _can_be_written(folder: Path) -> bool:
    """Whether files can be made in a folder, or in the nearest one above it that is there."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _rows_of(entry: Entry, bunch: Any) -> tuple[Region, ...]:
    """The regions as nilearn tells them: a look-up table, a table of components, or a list."""
    lut, labels = bunch.get("lut"), bunch["labels"]
    pairs: Iterable[tuple[Any, Any]]
    if entry.kind == "labels" and lut is not None:
        pairs = zip(lut["index"].tolist(), lut["name"].tolist(), strict=True)
    elif hasattr(labels, "columns"):
        pairs = zip(labels["component"].tolist(), labels["difumo_names"].tolist(), strict=True)
    else:
        pairs = enumerate(labels, start=0 if is_background(str(labels[0])) else 1)
    parents = _parents_of(entry, bunch)
    return tuple(
        Region(int(label), str(name).strip(), parents(place, str(name)))
        for place, (label, name) in enumerate(pairs)
    )


def _parents_of(entry: Entry, bunch: Any) -> Callable[[int, str], dict[str, str]]:
    """The network of a region, where its name or a list says it."""
    if entry.fetcher == "schaefer_2018":
        # 7Networks_LH_Vis_1 is the first region of the network Vis.
        return lambda _, name: {"parent": name.split("_")[2]} if name.count("_") > 2 else {}
    networks = bunch.get("networks")
    if networks is not None:
        return lambda place, _: {"parent": str(networks[place])}
    return lambda _place, _name: {}
