"""What was read of a source of regions of interest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike, fspath

from ..cohort import Cohort
from ..conditions import Conditions
from ..images import Map, Mask, Series


@dataclass(frozen=True, eq=False)
class RoiData:
    """What was read of a source; what it does not hold is empty.

    Parameters
    ----------
    series : Series or None
    conditions : Conditions or None
    cohorts : tuple of Cohort
    tested : Mask or None
        The voxels to be tested; all where it is None.
    found : Map or None
        A map that was made elsewhere.
    """

    series: Series | None = None
    conditions: Conditions | None = None
    cohorts: tuple[Cohort, ...] = ()
    tested: Mask | None = None
    found: Map | None = None

    @property
    def of_volumes(self) -> tuple[Series, Conditions]:
        """The series and its conditions."""
        assert self.series is not None
        assert self.conditions is not None
        return self.series, self.conditions


def as_texts(given: object) -> tuple[str, ...]:
    """One path or text, or several, as texts.

    Examples
    --------
    >>> from pathlib import Path
    >>> as_texts("run-1.nii"), as_texts([Path("run-1.nii"), "run-2.nii"])
    (('run-1.nii',), ('run-1.nii', 'run-2.nii'))
    """
    several = [given] if isinstance(given, (str, PathLike)) else given
    assert isinstance(several, Iterable)
    return tuple(fspath(one) for one in several)
