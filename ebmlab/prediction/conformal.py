"""Sets of predictions that hold the truth as often as promised: split conformal prediction."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from ebmlab._checks import leaves
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.prediction.balls import LogVolume, balls_volume
from ebmlab.prediction.centers import centers
from ebmlab.prediction.chunked import chunked, rows_of
from ebmlab.prediction.volume import Volume, low_energy_volume
from ebmlab.types import Rng, Tree

__all__ = ["Coverage", "PredictionSet", "calibrate", "least_size", "threshold_rank"]


class Coverage(NamedTuple):
    """How often a set held the truth.

    Attributes:
        share: of the data.
        standard_error: √(share (1 - share) / n), from the number of data judged. That of the
            calibration, √(level (1 - level) / (n_cal + 2)), comes on top.
    """

    share: float
    standard_error: float

    @classmethod
    def of(cls, held: Tensor) -> Self:
        """Of which sets held their truth, bool (n,)."""
        share = float(held.double().mean())
        return cls(share, math.sqrt(share * (1 - share) / len(held)))


@dataclass(frozen=True, eq=False)
class PredictionSet:
    """C(x) = {y : F(x, y) <= τ}, which holds the y of a new x with probability `level` or more.

    Args:
        energy: F.
        threshold: τ, 0-d, in the units of the energy.
        level: the coverage aimed at.
        size: how many data it was calibrated on.
    """

    energy: Energy
    threshold: Tensor
    level: float
    size: int

    def contains(self, x: Tree, y: Tree, *, rng: Rng = None, chunk: int = 1024) -> Tensor:
        """Which y_i lie in C(x_i), bool (n,)."""
        return chunked(self.energy, x, y, rng, chunk) <= self.threshold

    def coverage(self, x: Tree, y: Tree, *, rng: Rng = None, chunk: int = 1024) -> Coverage:
        """The share of data in their sets; of data that neither trained nor calibrated F."""
        return Coverage.of(self.contains(x, y, rng=rng, chunk=chunk))

    def volume(
        self, x: Tree, lo: Tensor, hi: Tensor, *, points: int = 2**16, rng: Rng = None
    ) -> Volume:
        """The volume of C(x_i) within a box, for every x_i, or for one x that is None.

        Other arguments and errors are those of `low_energy_volume`.
        """
        count = 1 if x is None else len(leaves(x)[0])
        potentials = (self.energy.given(rows_of(x, i, i + 1)) for i in range(count))
        each = [
            low_energy_volume(u, self.threshold, lo, hi, points=points, rng=rng)
            for u in potentials
        ]
        return Volume(*(torch.stack(parts) for parts in zip(*each, strict=True)))

    def log_volume(
        self, x: Tree, rng: torch.Generator, *, draws: int = 32, chunk: int = 64
    ) -> LogVolume:
        """Log volumes of C(x_i), (n,), in any dimension; one where x is None.

        C is a union of balls where F(x, y) = min over codes z of ‖g(x, z) - y‖², see
        `balls_volume`; what lies outside the range of y, as of pixels, is counted too.

        Raises:
            ConfigurationError: F is of another form.
        """
        radius = self.threshold.sqrt()
        if x is None:
            return balls_volume(centers(self.energy, None), radius, rng, draws=draws)
        parts = [
            balls_volume(centers(self.energy, rows_of(x, i, i + chunk)), radius, rng, draws=draws)
            for i in range(0, len(leaves(x)[0]), chunk)
        ]
        return LogVolume(*(torch.cat(each) for each in zip(*parts, strict=True)))


def calibrate(
    energy: Energy, x: Tree, y: Tree, level: float = 0.9, *, rng: Rng = None, chunk: int = 1024
) -> PredictionSet:
    """τ = the ⌈(n + 1) level⌉-th smallest F on held-out data, and the sets {y : F(x, y) <= τ}.

    If calibration data and the new pair are exchangeable, whatever F is,
    level <= P(F(x, y) <= τ) <= level + 1 / (n + 1); the upper bound where no two F tie. The
    probability is over both: given the calibration data, coverage is Beta(k, n + 1 - k)
    distributed for the k-th smallest. F must not have been trained or chosen on these data.

    Args:
        energy: F; a `FreeEnergy` where there is a latent.
        x: (n, *event), or None.
        y: (n, *event).
        level: in (0, 1).
        rng: for energies that are stochastic.
        chunk: data at a time.

    Raises:
        ConfigurationError: level is not in (0, 1); n is too small for it, n < level / (1 - level);
            or the energy couples the data of a batch.
        NonFiniteError: an energy is NaN.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> y = torch.arange(1.0, 10.0)[:, None]
        >>> found = calibrate(SquaredDistance(), torch.zeros(9, 1), y, level=0.8)
        >>> found.threshold, found.coverage(torch.zeros(9, 1), y).share
        (tensor(64.), 0.8888888888888888)

    Source: Vovk, Gammerman, Shafer 2005; Lei et al. 2018, arXiv:1604.04173.
    """
    # A wrong level is told before energies are computed.
    least_size(level)
    found = chunked(energy, x, y, rng, chunk)
    threshold = found.kthvalue(threshold_rank(len(found), level)).values
    return PredictionSet(energy, threshold, level, len(found))


def least_size(level: float) -> int:
    """How many calibration data a level takes at least, n >= level / (1 - level).

    Raises:
        ConfigurationError: level is not in (0, 1).

    Example:
        >>> least_size(0.9), least_size(0.99)
        (9, 99)
    """
    if not 0 < level < 1:
        raise ConfigurationError(f"level is {level}; it must lie between 0 and 1")
    # Rounded, since 0.9 / (1 - 0.9) is a little more than 9 in floating point.
    return math.ceil(round(level / (1 - level), 9))


def threshold_rank(n: int, level: float) -> int:
    """⌈(n + 1) level⌉: which of n calibration data, the lowest being 1, is the threshold.

    Raises:
        ConfigurationError: level is not in (0, 1), or n is too small for it.

    Example:
        >>> threshold_rank(30, 0.9), threshold_rank(99, 0.55)
        (28, 55)
    """
    least = least_size(level)
    if n < least:
        raise ConfigurationError(
            f"{n} calibration data cannot hold a level of {level}: at least {least} are needed"
        )
    return math.ceil(round((n + 1) * level, 9))
