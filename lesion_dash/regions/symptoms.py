"""Which regions' damage goes with a score."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.defaults import (
    CONTROL,
    MIN_PATIENTS,
    PERMUTATIONS,
    SEED,
    SYMPTOM_SIDE,
    SYMPTOM_TEST,
    Control,
    SymptomSide,
)
from ..images.reading import Progress
from ..stats.lesion_symptom.column_tests import (
    ColumnChoice,
    ColumnTest,
    ColumnTests,
    compare_columns,
)
from ..stats.lesion_symptom.patients import select_patients
from .load import LesionLoad


def region_symptoms(
    load: LesionLoad,
    score: str,
    *,
    test: ColumnTest = SYMPTOM_TEST,
    covariates: Sequence[str] = (),
    control: Control = CONTROL,
    min_damaged: int = MIN_PATIENTS,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    side: SymptomSide = SYMPTOM_SIDE,
    blocks: str | None = None,
    progress: Progress | None = None,
) -> ColumnTests:
    """Test in each region of an atlas whether a score goes with the share that is lesioned.

    Parameters
    ----------
    load : LesionLoad
        Of a cohort with a participants table; labelled atlases, probability maps of regions or of
        tracts.
    score, test, covariates, control, permutations, seed, side, blocks, progress
        As for `map_symptom`.
    min_damaged : int
        Regions in which fewer patients have any damage are not tested.

    Returns
    -------
    ColumnTests
        The effect is the difference of the score between a region that is lesioned completely and
        one that is spared, with its 95 % interval. Corrected p are for the family-wise error over
        all tested regions.

    Raises
    ------
    InputError
        As for `map_symptom`.

    Examples
    --------
    >>> from lesion_dash import lesion_load, load_atlas, load_cohort
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> load = lesion_load(load_cohort("sample_data/cohort_a"), atlas)
    >>> tests = region_symptoms(load, "nihss", permutations=99)
    >>> list(tests.table.columns[:4])
    ['name', 'damaged', 'spared', 't']
    """
    choice = ColumnChoice(test, control, min_damaged, permutations, seed, side)
    patients = select_patients(load.cohort, score, covariates, test, control, blocks)
    names = [region.name for region in load.atlas.regions]
    return compare_columns(load.of_region[patients.rows], names, patients, choice, progress)
