"""Defaults that a library function and its command share, each defined once.

A default that one function alone has stands in its signature.
"""

from __future__ import annotations

from typing import Final

MIN_PATIENTS: Final = 5
"""A voxel qualifies where at least so many patients are lesioned.

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
