"""How much narrower noise looks in air, where an image is the magnitude of noise alone."""

from __future__ import annotations

from math import exp, lgamma, sqrt

from ..errors import InputError

MOST_COILS = 1024
"""More would leave no digits of the difference the factor is the root of."""


def noise_factor(coils: int = 1) -> float:
    """SD of the magnitude of pure noise, for a noise of SD 1 in each channel.

    Where nothing gives a signal, the root of the sum of squares of N coils follows the central
    chi distribution with 2N degrees of freedom; for one coil that is Rayleigh's. Its mean is
    √2 Γ(N + 1/2) / Γ(N), and its SD √(2N − mean²). The SD of air divided by this factor is the
    SD of the noise where there is signal.

    Parameters
    ----------
    coils : int
        Channels combined as the root of the sum of squares, uncorrelated and of equal noise; 1
        for a single coil, and for an adaptive combination of many.

    Returns
    -------
    float
        0.655 for one coil, 0.695 for 4, 0.706 for 32; 1/√2 in the limit.

    Raises
    ------
    InputError
        Where it is no number of coils.

    References
    ----------
    Constantinides, Atalar, McVeigh (1997), Magn Reson Med 38, 852-857. Dietrich et al. (2007),
    J Magn Reson Imaging 26, 375-385, appendix.

    Examples
    --------
    >>> [round(noise_factor(coils), 3) for coils in (1, 4, 32)]
    [0.655, 0.695, 0.706]
    """
    if not 1 <= coils <= MOST_COILS or coils != int(coils):
        problem = f"{coils} is no number of coils"
        raise InputError("coils", problem, f"give a whole number from 1 to {MOST_COILS}")
    mean_square = 2 * exp(2 * (lgamma(coils + 0.5) - lgamma(coils)))
    return sqrt(2 * coils - mean_square)
