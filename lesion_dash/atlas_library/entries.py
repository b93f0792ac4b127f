"""The published atlases that have a name, as they are listed before anything is downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "nilearn:"
"""What a name begins with."""

_ASK = "see the authors"
_FSL = "FSL's, for non-commercial use: fsl.fmrib.ox.ac.uk/fsl/docs/#/license"
_RESEARCH = "unrestricted for non-commercial research"
_MNI6 = "MNI152 (FSL's, 6th generation)"
_MODES = ("difumo", "msdl")


@dataclass(frozen=True)
class Entry:
    """A published atlas.

    Parameters
    ----------
    name : str
        What `load_atlas` takes.
    kind : str
        ``labels`` or ``probabilities``.
    space : str
    regions : int or None
        None where it is known only from the files.
    licence, citation : str
        As nilearn and the authors state them.
    fetcher : str
        Function of `nilearn.datasets`, without ``fetch_atlas_``.
    options : dict
        Its arguments.
    file : str
        The image below nilearn's data folder, which tells whether it is on disk.
    """

    name: str
    kind: str
    space: str
    regions: int | None
    licence: str
    citation: str
    fetcher: str
    options: dict[str, Any]
    file: str

    @property
    def credit(self) -> str:
        """Citation and licence in a sentence."""
        return f"cite {self.citation}; licence: {self.licence}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of any result with this atlas."""
        said: tuple[str, ...] = (self.credit,)
        if self.space == "Talairach":
            said += ("atlas is in Talairach space: its regions lie elsewhere in MNI space",)
        if self.fetcher in _MODES:
            said += ("maps are weights of functional modes, not probabilities of an anatomy",)
        return said

    @property
    def on_disk(self) -> bool:
        """Whether the image is in nilearn's cache; nothing is downloaded to find out."""
        from nilearn.datasets import get_data_dirs

        return any(Path(folder, self.file).is_file() for folder in get_data_dirs())


def _harvard_oxford() -> Iterator[Entry]:
    for part, regions in (("cort", 48), ("cortl", 96), ("sub", 21)):
        for kind, ending, variant in _VARIANTS:
            yield Entry(
                name=f"{PREFIX}harvard_oxford_{part}{ending}",
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


def _juelich() -> Iterator[Entry]:
    for kind, ending, variant in _VARIANTS:
        yield Entry(
            name=f"{PREFIX}juelich{ending}",
            kind=kind,
            space=_MNI6,
            regions=None,
            licence=_FSL,
            citation="Amunts et al. 2020, Science 369:988",
            fetcher="juelich",
            options={"atlas_name": variant},
            file=f"fsl/data/atlases/Juelich/Juelich-{variant}.nii.gz",
        )


def _aal() -> Iterator[Entry]:
    yield Entry(
        name=f"{PREFIX}aal",
        kind="labels",
        space="MNI (Colin 27)",
        regions=116,
        licence=_ASK,
        citation="Tzourio-Mazoyer et al. 2002, NeuroImage 15:273",
        fetcher="aal",
        options={"version": "SPM12"},
        file="aal_SPM12/aal/atlas/AAL.nii",
    )
    yield Entry(
        name=f"{PREFIX}aal_3",
        kind="labels",
        space="MNI (Colin 27)",
        regions=166,
        licence=_ASK,
        citation="Rolls et al. 2020, NeuroImage 206:116189",
        fetcher="aal",
        options={"version": "3v2"},
        file="aal_3v2/AAL3/AAL3v1.nii",
    )


def _destrieux() -> Iterator[Entry]:
    yield Entry(
        name=f"{PREFIX}destrieux",
        kind="labels",
        space="MNI152 (from fsaverage)",
        regions=None,
        licence=_ASK,
        citation="Destrieux et al. 2010, NeuroImage 53:1",
        fetcher="destrieux_2009",
        options={"lateralized": True},
        file="destrieux_2009/destrieux2009_rois_lateralized.nii.gz",
    )


def _schaefer() -> Iterator[Entry]:
    for networks, ending in ((7, ""), (17, "_17networks")):
        for regions in range(100, 1100, 100):
            stem = f"Schaefer2018_{regions}Parcels_{networks}Networks_order"
            yield Entry(
                name=f"{PREFIX}schaefer_{regions}{ending}",
                kind="labels",
                space=_MNI6,
                regions=regions,
                licence="MIT",
                citation="Schaefer et al. 2018, Cereb Cortex 28:3095",
                fetcher="schaefer_2018",
                options={"n_rois": regions, "yeo_networks": networks, "resolution_mm": 2},
                file=f"schaefer_2018/{stem}_FSLMNI152_2mm.nii.gz",
            )


def _yeo() -> Iterator[Entry]:
    for networks in (7, 17):
        stem = f"Yeo2011_{networks}Networks_MNI152_FreeSurferConformed1mm_LiberalMask"
        yield Entry(
            name=f"{PREFIX}yeo_{networks}",
            kind="labels",
            space=_MNI6,
            regions=networks,
            licence="MIT",
            citation="Yeo et al. 2011, J Neurophysiol 106:1125",
            fetcher="yeo_2011",
            options={"n_networks": networks, "thickness": "thick"},
            file=f"yeo_2011/Yeo_JNeurophysiol11_MNI152/{stem}.nii.gz",
        )


def _difumo() -> Iterator[Entry]:
    for regions in (64, 128, 256, 512, 1024):
        yield Entry(
            name=f"{PREFIX}difumo_{regions}",
            kind="probabilities",
            space=_MNI6,
            regions=regions,
            licence=_RESEARCH,
            citation="Dadi et al. 2020, NeuroImage 221:117126",
            fetcher="difumo",
            options={"dimension": regions, "resolution_mm": 2},
            file=f"difumo_atlases/{regions}/2mm/maps.nii.gz",
        )


def _msdl() -> Iterator[Entry]:
    yield Entry(
        name=f"{PREFIX}msdl",
        kind="probabilities",
        space="MNI152",
        regions=39,
        licence=_RESEARCH,
        citation="Varoquaux et al. 2011, IPMI, LNCS 6801:562",
        fetcher="msdl",
        options={},
        file="msdl_atlas/MSDL_rois/msdl_rois.nii",
    )


def _pauli() -> Iterator[Entry]:
    yield Entry(
        name=f"{PREFIX}pauli_prob",
        kind="probabilities",
        space="MNI152 2009c",
        regions=16,
        licence="CC BY 4.0",
        citation="Pauli et al. 2018, Sci Data 5:180063",
        fetcher="pauli_2017",
        options={"atlas_type": "probabilistic"},
        file="pauli_2017/pauli_2017_prob.nii.gz",
    )


def _talairach() -> Iterator[Entry]:
    for level in ("lobe", "gyrus", "ba"):
        yield Entry(
            name=f"{PREFIX}talairach_{level}",
            kind="labels",
            space="Talairach",
            regions=None,
            licence=_ASK,
            citation="Lancaster et al. 2000, Hum Brain Mapp 10:120",
            fetcher="talairach",
            options={"level_name": level},
            file=f"talairach_atlas/{level}.nii.gz",
        )


def _basc() -> Iterator[Entry]:
    folder = "basc_multiscale_2015/template_cambridge_basc_multiscale_nii_sym"
    for regions in (7, 12, 20, 36, 64, 122, 197, 325, 444):
        yield Entry(
            name=f"{PREFIX}basc_{regions}",
            kind="labels",
            space="MNI152 2009a, symmetric",
            regions=regions,
            licence=_ASK,
            citation="Bellec et al. 2010, NeuroImage 51:1126",
            fetcher="basc_multiscale_2015",
            options={"resolution": regions, "version": "sym"},
            file=f"{folder}/template_cambridge_basc_multiscale_sym_scale{regions:03}.nii.gz",
        )


# Kind, ending of the name, and what FSL calls the file.
_VARIANTS = (
    ("labels", "", "maxprob-thr25-2mm"),
    ("probabilities", "_prob", "prob-2mm"),
)
_FAMILIES = (
    *(_harvard_oxford, _juelich, _aal, _destrieux, _schaefer, _yeo),
    *(_difumo, _msdl, _pauli, _talairach, _basc),
)

LIBRARY = {entry.name: entry for family in _FAMILIES for entry in family()}
"""Published atlases by name, in the order in which they are listed."""
