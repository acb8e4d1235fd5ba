"""How badly each of finitely many y fits x, seen from the energies of them all."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_non_negative
from ebmlab.types import Rng

__all__ = ["Adaptive", "Nonconformity", "RawEnergy", "Surprisal"]


class Nonconformity(ABC):
    """From E(x, v) of all values v to how badly each of them fits, by which sets are made.

    Energies are (n, k) in float64, none NaN or -inf, not all of a row +inf. What is returned is
    (n, k), the lower the better a value fits; a row is a function of that row of energies.
    """

    @abstractmethod
    def __call__(self, energies: Tensor, rng: Rng = None) -> Tensor:
        """What sets are cut by: {v : nonconformity <= τ}."""


@dataclass(frozen=True)
class RawEnergy(Nonconformity):
    """F(x, v) itself, as for a y that cannot be enumerated.

    One τ for all x: where energies are of one height for all x, as those of images by squared
    distance are, this is right; logits are free to move up and down with x.

    Example:
        >>> RawEnergy()(torch.tensor([[1.0, 2.0]]))
        tensor([[1., 2.]])
    """

    def __call__(self, energies: Tensor, rng: Rng = None) -> Tensor:
        """The energies."""
        return energies


@dataclass(frozen=True)
class Surprisal(Nonconformity):
    """F(x, v) + log Z(x) = -log p(v | x), in nats: the smallest sets on average.

    Of all sets that hold the truth as often, {v : p(v | x) >= t} have the least mean size, if p
    is right. Where x is hard, they promise less than where it is easy.

    Example:
        >>> Surprisal()(torch.tensor([[3.0, 3.0]])).exp()
        tensor([[2., 2.]])

    Source: Sadinle, Lei, Wasserman 2019, arXiv:1609.00451 (least ambiguous sets, "THR").
    """

    def __call__(self, energies: Tensor, rng: Rng = None) -> Tensor:
        """Minus the log-probabilities."""
        return energies + (-energies).logsumexp(1, keepdim=True)


@dataclass(frozen=True)
class Adaptive(Nonconformity):
    """APS and RAPS: the probability of all values before v and of a part u of v, by rank.

    s(x, v) = Σ p(v' | x) over v' before v + u p(v | x) + λ (rank(v) - k)₊, the most probable v
    being of rank 1, of equal ones the first. u is uniform, one for each x: where p is right and
    λ = 0, s of the truth is then uniform whatever x is, and every x is promised the same. With
    u = 1 nothing is random, and sets are larger than need be. λ > 0 keeps sets of more than k
    values small.

    Args:
        penalty: λ >= 0 for each rank beyond `free`; 0 is APS.
        free: k, so many ranks cost nothing.
        randomized: whether u is drawn, which asks for rng; or 1.

    Raises:
        ConfigurationError: penalty < 0, free < 0; no rng where it is randomized.

    Example:
        >>> p = torch.tensor([[0.2, 0.7, 0.1]])
        >>> Adaptive(randomized=False)(-p.log())
        tensor([[0.9000, 0.7000, 1.0000]])
        >>> Adaptive(penalty=0.5, free=1, randomized=False)(-p.log())
        tensor([[1.4000, 0.7000, 2.0000]])

    Source: Romano, Sesia, Candès 2020, arXiv:2006.02544; Angelopoulos, Bates, Jordan, Malik 2021,
    arXiv:2009.14193 (the penalty).
    """

    penalty: float = 0.0
    free: int = 1
    randomized: bool = True

    def __post_init__(self) -> None:
        require_non_negative("penalty", self.penalty)
        require_counts(0, free=self.free)

    def __call__(self, energies: Tensor, rng: Rng = None) -> Tensor:
        """The probabilities before each value, and the penalty."""
        p, order = (-energies).softmax(1).sort(dim=1, descending=True, stable=True)
        u = self._share(p, rng)
        rank = torch.arange(1, p.shape[1] + 1, device=p.device)
        # Sums from the small end: near 1 those from the large end would round values together.
        after = p.flip(1).cumsum(1).flip(1) - p
        ranked = 1 - after - (1 - u) * p + self.penalty * (rank - self.free).clamp(min=0)
        return torch.empty_like(ranked).scatter(1, order, ranked)

    def _share(self, p: Tensor, rng: Rng) -> Tensor:
        """u, (n, 1)."""
        if not self.randomized:
            return p.new_ones(len(p), 1)
        rng = require_generator(rng, "Adaptive", p.device)
        return torch.rand(len(p), 1, generator=rng, dtype=p.dtype, device=p.device)
