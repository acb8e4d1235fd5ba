"""The temperature at which a Gibbs distribution over known values explains data best."""

import math

from torch import Tensor

from ebmlab.errors import NonFiniteError

__all__ = ["likeliest_temperature", "lowest"]

_TINY = 1e-300


def likeliest_temperature(energies: Tensor, log_weights: Tensor, at: Tensor) -> float:
    """The T > 0 of least -mean log p(y_i), p(j) ∝ w_j exp(-E_ij / T).

    That is convex in 1/T: its one minimum is where the mean energy of the data equals the model's,
    a root in log T, searched for six decades beyond the energies' own scales.

    Args:
        energies: E_ij (n, m), float64; +∞ is allowed.
        log_weights: log w_j, (m,) or 0-d.
        at: the energies of the data themselves, (n,).

    Raises:
        NonFiniteError: an energy is NaN or -∞, a row has no finite energy, or a datum has infinite
            energy, so that no temperature explains it.
    """
    from scipy.optimize import root_scalar

    bottom = lowest(energies)
    if not bool(at.isfinite().all()):
        raise NonFiniteError(
            f"at {tuple(at.shape)} holds NaN or infinity: no temperature explains such data"
        )
    energies, mean = energies - bottom[:, None], (at - bottom).mean().item()
    finite = energies.where(energies.isfinite(), 0.0)
    scales = [scale for scale in (finite.mean().item(), abs(mean)) if scale > 0]
    if not scales:
        return 1.0
    low, high = math.log(1e-6 * min(scales)), math.log(1e6 * max(scales))

    def excess(log_temperature: float) -> float:
        """Log ratio of the model's mean energy to the data's; it grows with T."""
        model = (log_weights - energies / math.exp(log_temperature)).softmax(-1)
        expected = (model * finite).sum(-1).mean().item()
        return math.log(max(expected, _TINY)) - math.log(mean)

    if mean <= _TINY or excess(low) >= 0:
        return math.exp(low)
    if excess(high) <= 0:
        return math.exp(high)
    return math.exp(root_scalar(excess, bracket=(low, high), method="brentq", xtol=1e-10).root)


def lowest(energies: Tensor) -> Tensor:
    """The least of each row; raises unless all are finite."""
    least = energies.amin(-1)
    if not bool(least.isfinite().all()):
        raise NonFiniteError(
            f"energies {tuple(energies.shape)}: row {int(least.isfinite().int().argmin())} holds "
            "NaN or -inf, or nothing finite"
        )
    return least
