"""Whom a report cites: methods, software, rules for k, and the atlas."""

from __future__ import annotations

from ..atlas.published import LIBRARY, is_library_name, probable_credit
from .findings import Findings, atlas_files
from .formatting import enumerated

REFERENCES = {
    "Weaver et al., 2019": (
        "Weaver NA, Zhao L, Biesbroek JM, Kuijf HJ, et al.; Meta VCI Map consortium (2019). The "
        "Meta VCI Map consortium for meta-analyses on strategic lesion locations for vascular "
        "cognitive impairment using lesion-symptom mapping: Design and multicenter pilot study. "
        "Alzheimer's & Dementia: Diagnosis, Assessment & Disease Monitoring 11, 310-326. "
        "doi:10.1016/j.dadm.2019.02.007"
    ),
    "Sperber and Karnath, 2017": (
        "Sperber C, Karnath HO (2017). Impact of correction factors in human brain "
        "lesion-behavior inference. Human Brain Mapping 38(3), 1692-1701. doi:10.1002/hbm.23490"
    ),
    "Mah et al., 2014": (
        "Mah YH, Husain M, Rees G, Nachev P (2014). Human brain lesion-deficit inference "
        "remapped. Brain 137(9), 2522-2531. doi:10.1093/brain/awu164"
    ),
    "Fonov et al., 2011": (
        "Fonov V, Evans AC, Botteron K, Almli CR, McKinstry RC, Collins DL (2011). Unbiased "
        "average age-appropriate atlases for pediatric studies. NeuroImage 54(1), 313-327. "
        "doi:10.1016/j.neuroimage.2010.07.033"
    ),
    "Abraham et al., 2014": (
        "Abraham A, Pedregosa F, Eickenberg M, Gervais P, Mueller A, Kossaifi J, Gramfort A, "
        "Thirion B, Varoquaux G (2014). Machine learning for neuroimaging with scikit-learn. "
        "Frontiers in Neuroinformatics 8, 14. doi:10.3389/fninf.2014.00014"
    ),
    "Harris et al., 2020": (
        "Harris CR, Millman KJ, van der Walt SJ, et al. (2020). Array programming with NumPy. "
        "Nature 585, 357-362. doi:10.1038/s41586-020-2649-2"
    ),
    "Brett et al.": (
        "Brett M, Markiewicz CJ, Hanke M, Côté MA, Cipollini B, McCarthy P, et al. NiBabel. "
        "Zenodo, a record for each version. doi:10.5281/zenodo.591597; nipy.org/nibabel"
    ),
    "Nilearn contributors": (
        "Nilearn contributors. Nilearn. Zenodo, a record for each version. "
        "doi:10.5281/zenodo.8397156; nilearn.github.io"
    ),
    "LESYMAP (Pustina)": (
        "Pustina D. LESYMAP, lesion to symptom mapping in R; option minSubjectPerVoxel. "
        "github.com/dorianps/LESYMAP"
    ),
}
"""What is cited in a text, and the whole reference."""


def cited_in(text: str) -> tuple[str, ...]:
    """The references of a text, in the order of the alphabet.

    Examples
    --------
    >>> [reference[:9] for reference in cited_in("Weaver et al., 2019; Mah et al., 2014")]
    ['Mah YH, H', 'Weaver NA']
    """
    # A line of a template may end within a name.
    line = " ".join(text.split())
    return tuple(sorted(whole for short, whole in REFERENCES.items() if short in line))


def rules(findings: Findings) -> tuple[str, ...]:
    """Who asks for which minimum of patients, a line for each source with its rules."""
    labels: dict[str, dict[str, None]] = {}
    for side in findings.sides:
        for mark in side.coverage.marks:
            labels.setdefault(mark.reference, {})[mark.label] = None
    return tuple(f"{enumerated([*names])}: {source}" for source, names in labels.items())


def atlas_credit(findings: Findings) -> str:
    """Whom to cite for the atlas, as far as that is known."""
    atlas = findings.atlas
    if atlas is None:
        return ""
    if is_library_name(atlas.name):
        known = LIBRARY.get(atlas.name)
        return f"Atlas: {known.credit}" if known else ""
    guess = probable_credit(atlas_files(atlas)[0], (region.name for region in atlas.regions))
    if not guess:
        return f"Atlas {atlas.name}: cite its authors; this report does not know who they are."
    return f"Atlas {atlas.name}: {guess} (a guess by its names; check it)."
