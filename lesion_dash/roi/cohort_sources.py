"""Sources of a map that are lesion masks: which folders are read, and what is asked of them.

Each kind of source tells twice how its map is made: as a call, and as Python that makes the same
calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..cohort import Cohort, load_cohort
from ..contrasts import (
    Contrast,
    ContrastTest,
    contrast_cohorts,
    contrast_scores,
    split_cohort,
)
from .data import RoiData
from .image_sources import TTest
from .python_code import call, literal
from .regions_of_interest import Rois
from .values import RoiValues, load_in_rois


@dataclass(frozen=True)
class CohortsSource:
    """Two folders of lesion masks; see `contrast_cohorts`.

    Parameters
    ----------
    a, b : str
        Paths of the folders.
    test : {"fisher", "student", "welch"}
    min_patients : int
    within : str or None
        Path of a folder: no participants table is looked for outside it.
    """

    a: str
    b: str
    test: ContrastTest = "fisher"
    min_patients: int = 1
    within: str | None = None

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which masks are read."""
        return ("cohorts", self.a, self.b, self.within)

    def read(self) -> RoiData:
        """Both cohorts."""
        a, b = (load_cohort(folder, within=self.within) for folder in (self.a, self.b))
        return RoiData(cohorts=(a, b))

    def contrast(self, data: RoiData) -> Contrast:
        """The test at each voxel."""
        a, b = data.cohorts
        return contrast_cohorts(a, b, test=self.test, min_patients=self.min_patients)

    def values(self, data: RoiData, rois: Rois) -> RoiValues:
        """Lesion load of each patient."""
        return load_in_rois(data.cohorts, rois)

    @property
    def code(self) -> list[str]:
        """Lines of Python that make `contrast`."""
        choices = {"test": self.test, "min_patients": self.min_patients}
        return [
            f"a = {call('load_cohort', literal(self.a), within=self.within)}",
            f"b = {call('load_cohort', literal(self.b), within=self.within)}",
            f"contrast = {call('contrast_cohorts', 'a', 'b', **choices)}",
        ]

    values_code = "ld.load_in_rois((a, b), rois)"


@dataclass(frozen=True)
class SplitSource:
    """One folder of lesion masks, split by its participants table; see `split_cohort`.

    Parameters
    ----------
    folder : str
    column : str
    a, b : str or float
        Values of the column.
    participants : str or None
        Path of the table; by default the one beside the masks.
    test : {"fisher", "student", "welch"}
    min_patients : int
    within : str or None
        Nothing outside this folder is read.
    """

    folder: str
    column: str
    a: str | float
    b: str | float
    participants: str | None = None
    test: ContrastTest = "fisher"
    min_patients: int = 1
    within: str | None = None

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which masks are read."""
        return ("cohort", self.folder, self.participants, self.within)

    def read(self) -> RoiData:
        """The whole cohort."""
        return RoiData(cohorts=(load_cohort(self.folder, self.participants, within=self.within),))

    def _split(self, data: RoiData) -> tuple[Cohort, Cohort]:
        return split_cohort(data.cohorts[0], self.column, self.a, self.b)

    def contrast(self, data: RoiData) -> Contrast:
        """The test at each voxel."""
        a, b = self._split(data)
        return contrast_cohorts(a, b, test=self.test, min_patients=self.min_patients)

    def values(self, data: RoiData, rois: Rois) -> RoiValues:
        """Lesion load of each patient of the two groups."""
        return load_in_rois(self._split(data), rois)

    @property
    def code(self) -> list[str]:
        """Lines of Python that make `contrast`."""
        folder, table = literal(self.folder), self.participants
        split = ("cohort", literal(self.column), literal(self.a), literal(self.b))
        choices = {"test": self.test, "min_patients": self.min_patients}
        return [
            f"cohort = {call('load_cohort', folder, participants=table, within=self.within)}",
            f"a, b = {call('split_cohort', *split)}",
            f"contrast = {call('contrast_cohorts', 'a', 'b', **choices)}",
        ]

    values_code = "ld.load_in_rois((a, b), rois)"


@dataclass(frozen=True)
class ScoreSource:
    """One folder of lesion masks with a score of each patient; see `contrast_scores`.

    Parameters
    ----------
    folder : str
    column : str
        Of the participants table.
    participants : str or None
        Path of the table; by default the one beside the masks.
    test : {"student", "welch"}
    min_lesioned : int
    within : str or None
        Nothing outside this folder is read.
    """

    folder: str
    column: str
    participants: str | None = None
    test: TTest = "student"
    min_lesioned: int = 5
    within: str | None = None

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which masks are read."""
        return ("cohort", self.folder, self.participants, self.within)

    def read(self) -> RoiData:
        """The cohort."""
        return RoiData(cohorts=(load_cohort(self.folder, self.participants, within=self.within),))

    def contrast(self, data: RoiData) -> Contrast:
        """The test at each voxel."""
        least = self.min_lesioned
        return contrast_scores(data.cohorts[0], self.column, test=self.test, min_lesioned=least)

    def values(self, data: RoiData, rois: Rois) -> RoiValues:
        """Lesion load of each patient."""
        return load_in_rois(data.cohorts, rois)

    @property
    def code(self) -> list[str]:
        """Lines of Python that make `contrast`."""
        folder, column = literal(self.folder), literal(self.column)
        choices = {"test": self.test, "min_lesioned": self.min_lesioned}
        places = {"participants": self.participants, "within": self.within}
        return [
            f"cohort = {call('load_cohort', folder, **places)}",
            f"contrast = {call('contrast_scores', 'cohort', column, **choices)}",
        ]

    values_code = "ld.load_in_rois((cohort,), rois)"
