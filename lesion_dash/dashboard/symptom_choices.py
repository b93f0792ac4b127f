"""What the user chooses on the page Symptoms, and the frozen request it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

import traitlets as t

from ..core.defaults import (
    CONTROL,
    MIN_PERMUTATIONS,
    PERMUTATIONS,
    SEED,
    SYMPTOM_SIDE,
    SYMPTOM_TEST,
    Control,
    SymptomSide,
    SymptomTest,
)

BY_SHARE = 0
"""Of lesioned patients at a voxel: 5 % of all, as is usual."""
MIN_LESIONED = (BY_SHARE, 3, 5, 10, 15, 20, 30, 50)
_MOST_PERMUTATIONS = 100_000  # arbitrary: minutes on most computers


@dataclass(frozen=True)
class SymptomRequest:
    """A cohort and a score, and how they are tested; see `map_symptom`.

    Parameters
    ----------
    cohort, score : str
    covariates : tuple of str
    test, control, side, permutations, seed
    min_lesioned : int or None
    compares : bool
        Whether the map without control of lesion volume is wanted as well.
    """

    cohort: str
    score: str
    covariates: tuple[str, ...] = ()
    test: SymptomTest = SYMPTOM_TEST
    control: Control = CONTROL
    side: SymptomSide = SYMPTOM_SIDE
    min_lesioned: int | None = None
    permutations: int = PERMUTATIONS
    seed: int = SEED
    compares: bool = False

    @property
    def without_control(self) -> SymptomRequest:
        """The same without control of lesion volume."""
        return replace(self, control="none", compares=False)

    @property
    def question(self) -> SymptomRequest:
        """What patients, power and resolution depend on; the rest is as usual."""
        return replace(
            self, side=SYMPTOM_SIDE, permutations=PERMUTATIONS, seed=SEED, compares=False
        )


class SymptomChoices(t.HasTraits):
    """Every value is checked here, whatever the browser sends."""

    cohort = t.Enum(["a", "b"], default_value="a")
    score = t.Unicode("", help="column of the participants table")
    covariates = t.Tuple(help="columns that are held constant")
    test = t.Enum(list(get_args(SymptomTest)), default_value=SYMPTOM_TEST)
    control = t.Enum(list(get_args(Control)), default_value=CONTROL)
    side = t.Enum(list(get_args(SymptomSide)), default_value=SYMPTOM_SIDE)
    min_lesioned = t.Enum(list(MIN_LESIONED), default_value=BY_SHARE)
    permutations = t.Int(PERMUTATIONS, min=MIN_PERMUTATIONS, max=_MOST_PERMUTATIONS)
    seed = t.Int(SEED, min=0, max=2**31 - 1)
    compares = t.Bool(False, help="whether the map without control of volume is made as well")

    @t.validate("covariates")
    def _each_once(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(str, proposal["value"])))

    def request(self, cohort: str, offered: Sequence[str]) -> SymptomRequest | None:
        """What is asked of a cohort; None without a cohort or a score.

        Parameters
        ----------
        cohort : str
        offered : sequence of str
            The covariates that it has; others are left out.
        """
        if not (cohort and self.score):
            return None
        return SymptomRequest(
            cohort,
            self.score,
            tuple(name for name in self.covariates if name in offered and name != self.score),
            cast("SymptomTest", self.test),
            cast("Control", self.control),
            cast("SymptomSide", self.side),
            None if self.min_lesioned == BY_SHARE else int(self.min_lesioned),
            int(self.permutations),
            int(self.seed),
            bool(self.compares) and self.control != "none",
        )
