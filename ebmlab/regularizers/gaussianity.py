"""Gaussianity: SIGReg, the distance of random projections from the standard normal."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_positive, require_seed
from ebmlab._randomness import stream
from ebmlab._ranks import gathered, rank_count, totaled
from ebmlab.protocols import Stepped
from ebmlab.regularizers.characteristic import characteristic_sums
from ebmlab.regularizers.populations import Population, require_population

__all__ = ["SIGReg"]


class SIGReg(Population, Stepped):
    """Sketched isotropic Gaussian: along random directions codes look standard normal.

    The mean over unit directions a of b Σ_j w_j [(mean cos t_j a·h - φ_j)² + (mean sin t_j a·h)²],
    the Epps-Pulley distance of characteristic functions, with φ = exp(-t²/2), t evenly spaced on
    [0, reach] and w = 2 dt φ (dt φ at the ends). Of independent draws from N(0, I) its expectation
    is Σ_j w_j (1 - φ_j²) = 1.052 whatever b is; of codes that are all 0 it is
    b Σ_j w_j (1 - φ_j)² = 0.402 b, a stationary point: the gradient vanishes there.

    Directions are drawn anew in each step from (seed, clock), the same on every rank and for every
    view. With several ranks the population is that of all of them, of whatever sizes.

    Args:
        directions: how many a.
        points: how many t, at least 2.
        reach: the largest t, > 0.
        seed: of the directions.

    Example:
        >>> h = torch.zeros(100, 8)
        >>> SIGReg()(h, h) / 100
        tensor(0.4020)

    Source: Balestriero, LeCun 2025, arXiv:2511.08544; Epps, Pulley 1983.
    """

    shows = ("directions", "points", "reach")
    clock: Tensor

    def __init__(
        self, directions: int = 1024, points: int = 17, reach: float = 3.0, seed: int = 0
    ) -> None:
        super().__init__()
        require_counts(directions=directions)
        require_counts(2, points=points)
        require_positive("reach", reach)
        require_seed(seed)
        self.directions, self.points, self.reach, self.seed = directions, points, reach, seed
        self.register_buffer("clock", torch.zeros((), dtype=torch.long))
        # The clock on the host: asking the buffer in each step would wait for the device.
        self._steps = 0
        self.register_load_state_dict_post_hook(_read_clock)

    def step(self) -> None:
        """Turn to the next directions."""
        self._steps += 1
        self.clock += 1

    def directions_for(self, h: Tensor) -> Tensor:
        """This step's unit directions (dim, directions) for codes (…, dim)."""
        rng = stream(self.seed, self._steps, device=h.device, rank=0)
        shape = h.shape[-1], self.directions
        raw = torch.randn(shape, generator=rng, dtype=h.dtype, device=h.device)
        return raw / torch.linalg.vector_norm(raw, dim=0)

    def penalty(self, h: Tensor) -> Tensor:
        """The value for one population (b, d)."""
        require_population(h)
        step = self.reach / (self.points - 1)
        t = step * torch.arange(self.points, dtype=h.dtype, device=h.device)
        normal = (-0.5 * t.square()).exp()
        weights = 2 * step * normal
        weights[0] *= 0.5
        weights[-1] *= 0.5
        sums = characteristic_sums(h @ self.directions_for(h), step, self.points)
        count: Tensor | int = len(h)
        if rank_count() > 1:
            count = totaled(torch.full((), len(h), dtype=h.dtype, device=h.device))
            sums = gathered("SIGReg's sums", sums[None]).sum(0)
        cosine, sine = (sums / count).unbind(1)
        apart = (cosine - normal[:, None]).square() + sine.square()
        return count * (weights @ apart).mean()


def _read_clock(module: nn.Module, _: object) -> None:
    assert isinstance(module, SIGReg)
    module._steps = int(module.clock)
