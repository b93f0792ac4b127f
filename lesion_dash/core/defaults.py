"""Choices and defaults that a library function and its command share, each defined once.

A default that one function alone has stands in its signature.
"""

from __future__ import annotations

from typing import Final, Literal

Std = Literal["population", "sample"]
STD: Final = "population"
"""Divided by n: the patients at a voxel are all there are."""

Outside = Literal["zero", "nan"]
OUTSIDE: Final = "zero"
"""What a map holds where too few patients are lesioned, as viewers show it as background."""

OUTSIDE_OF_DIFFERENCES: Final = "nan"
"""The same of a difference, of which 0 is a value."""

VolumeSide = Literal["larger", "smaller", "two-sided"]
VOLUME_SIDE: Final = "larger"
"""What counts as extreme of the mean volume at a voxel: the question that is usually asked."""

SymptomTest = Literal["ols", "rank", "welch", "brunner-munzel", "liebermeister", "fisher"]
SYMPTOM_TEST: Final = "ols"
"""Of a score: takes covariates, and gives effects in the score's own unit."""

Control = Literal["log-volume", "volume", "none", "behaviour", "lesion", "dtlvc"]
CONTROL: Final = "log-volume"
"""Of lesion volume: scores that follow it alone give findings nearly everywhere without it."""

SymptomSide = Literal["two-sided", "larger", "smaller"]
SYMPTOM_SIDE: Final = "two-sided"
"""A lesion may go with higher or lower scores, whichever way a score is counted."""

EXCEEDANCES_MM3: Final = (1.0, 10.0, 100.0, 1000.0)
"""Volumes of false findings that a corrected p allows: those of Mirman et al. 2018."""

CLUSTER_P: Final = 0.001
"""From which on voxels form clusters. With a lower threshold clusters reach far beyond the truth
(Mirman et al. 2018)."""

Signs = Literal["positive", "negative", "both"]
SIGNS: Final = "positive"
"""Which side of a map forms components, as in siibra 1.0.1."""

Connectivity = Literal[6, 18, 26]
ContrastTest = Literal["student", "welch", "fisher"]
TTest = Literal["student", "welch"]
T_TEST: Final = "student"
MASK_TEST: Final = "fisher"
"""Of two groups of masks: exact however few patients there are."""

Correction = Literal["none", "bonferroni", "fdr", "fwe"]
CORRECTION: Final = "none"

ThresholdSide = Literal["above", "below", "both"]
THRESHOLD_SIDE: Final = "above"

Kind = Literal["rigid", "affine", "deformable"]
KIND: Final = "affine"
"""What a registration may move: heads differ in size, and a deformation is to be asked for."""

Engine = Literal["auto", "simpleitk", "dipy", "greedy", "ants"]
ENGINE: Final = "auto"

MIN_PATIENTS: Final = 5
"""A voxel qualifies where at least this many patients are lesioned.

Weaver et al. (2019) name 5 to 10; see `stats.coverage`.
"""

SIGNIFICANCE_LEVEL: Final = 0.05
"""Largest p that counts as significant, by convention."""

PERMUTATIONS: Final = 1000
"""No p is below 1 / 1001; nilearn's `permuted_ols` takes 10,000, which takes ten times as long."""

MIN_PERMUTATIONS: Final = 20
"""With fewer, no p reaches `SIGNIFICANCE_LEVEL`."""

SEED: Final = 0
"""Arbitrary: of random numbers, so that two runs give the same result."""

THRESHOLD: Final = 0.0
"""Voxels of a map above it belong to a component."""

CONNECTIVITY: Final = 18
"""Voxels of a component share a face or an edge, as in siibra 1.0.1."""

MIN_SIZE_VOXELS: Final = 1
"""A component has more voxels than this, as in siibra 1.0.1."""

MIN_SIZE_MM3: Final = 0.0
"""A component has at least this volume."""

LOWER_THRESHOLD: Final = 0.0
"""Probabilities of an atlas below it count as 0."""

CLUSTER_CONNECTIVITY: Final = 26
"""Voxels of a cluster share a face, an edge or a corner, as in FSL's `cluster`."""

MIN_PATIENTS_OF_TWO: Final = 1
"""A voxel is tested where at least so many patients of both groups together are lesioned."""

LEAST_PERCENT: Final = 10.0
"""Share of a region that is lesioned, in per cent, from which a patient counts; arbitrary."""

MIN_ROI_VOXELS: Final = 1
MIN_ROI_MM3: Final = 0.0
"""A region of interest has at least so many voxels, and this volume."""

DELAY_S: Final = 5.0
"""Seconds from an event to the peak of the haemodynamic response: Glover 1999, NeuroImage 9:416."""

REGION_THRESHOLD: Final = 0.5
"""Probability from which a voxel belongs to a region: as likely inside as outside."""

POINT_SIGMA_MM: Final = 0.0
"""Uncertainty of a point: none, as in siibra 1.0.1."""

UNPACK_MB: Final = 64.0
"""Megabytes to which an array may unpack without being asked for: measured, a head at 1 mm."""

COILS: Final = 1
"""Channels of a magnitude image."""

RESAMPLES: Final = 1000
"""Of a bootstrap; arbitrary: its interval varies by a few percent from one seed to another."""

BLOCK_MM: Final = 0.0
"""Edge of the cubes of a bootstrap: none, single voxels."""

LOOPBACK: Final = "127.0.0.1"
"""The dashboard listens on this computer alone."""

PORT: Final = 8866
"""As Voila has it."""

BASE_URL: Final = "/"
"""The dashboard has a name, or a port, of its own."""

MAX_KERNELS: Final = 10
"""Pages open at once: with 200 MB each, what a computer of 4 GB has room for."""
