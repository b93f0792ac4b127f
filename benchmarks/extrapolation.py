"""What more masks would cost a script that was measured on some; always the lowest guess."""

from __future__ import annotations

from measure import Cost

NAIVE_BYTES = 16  # a voxel and mask: double precision, in nibabel's cache and in the stack


def naive_cost(part: Cost, measured: int, masks: int, voxels: float, grid_voxels: int) -> Cost:
    """The least that the naive script takes for more masks.

    Reading and stacking grow with the masks. The loop over the voxels is harder to tell, and of
    two guesses the lower one is taken: that it grows with the masks too, or that it grows with
    the qualifying voxels only, whose true number is known. The second is certainly too low, as
    each voxel's turn gets slower with the masks.

    Parameters
    ----------
    part : Cost
        Of the masks that were measured.
    measured, masks : int
    voxels : float
        Voxels that qualify among all masks.
    grid_voxels : int
        Voxels of one mask.
    """
    read, loop, looped = (part.told[key] for key in ("read", "loop", "voxels"))
    fixed = part.wall - read - loop
    growth = masks / measured
    loop_growth = min(growth, voxels / looped) if looped else growth
    wall = fixed + read * growth + loop * loop_growth
    peak = part.peak + (masks - measured) * NAIVE_BYTES * grid_voxels / 1e6
    return Cost(wall, part.cpu * wall / part.wall, peak)


def loop_cost(part: Cost, measured: int, masks: int) -> Cost:
    """What the nibabel loop takes for more masks: each takes as long as the others."""
    wall = part.wall + part.told["loop"] * (masks / measured - 1)
    return Cost(wall, part.cpu * wall / part.wall, part.peak)
