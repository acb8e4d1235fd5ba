"""NT-Xent and InfoNCE without the matrix of logits: memory O(b d), not O(b²)."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_positive, require_tensor
from ebmlab._ranks import gathered, rank_count, rank_number
from ebmlab.algebra import Scaled, Tempered
from ebmlab.codes import Codes
from ebmlab.energies import Cosine, unit
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.kernels.products import log_sum_exp_others, log_sum_exp_products
from ebmlab.networks import Memory
from ebmlab.protocols import CodeObjective, Loss
from ebmlab.types import Rng

__all__ = ["NTXent"]


class _Part(NamedTuple):
    """Losses (rows,) of some anchors, the cosines of their positives and of their negatives."""

    losses: Tensor
    positives: Tensor
    negatives: Tensor


class NTXent(CodeObjective):
    """SimCLR's loss: `Contrastive(InfoNCE(τ), InBatch(both=True))` of a cosine, tile by tile.

    L = mean over the codes of -cos(h, h⁺) / τ + log Σ exp(cos(h, ·) / τ), the sum over the 2b - 1
    other codes of both views; over the b codes of the other view alone where `both` is False,
    which is InfoNCE. Gradients are exact, computed in float32 or better, and reach both
    encoders and a learned temperature (`Cosine() / T`). With several ranks the negatives are
    those of all of them.

    Args:
        temperature: τ > 0, 0.5 for small images, 0.1 for large ones.
        memory: past codes y as further negatives; each commit pushes the batch's.
        both: whether the other codes of the same view are negatives too.

    Raises:
        ConfigurationError: the head is no (weighted) `Cosine` of codes, each worked on by itself.
        ShapeError: the batch holds one datum, or x and y differ in number.

    Example:
        >>> from ebmlab import energies, losses, negatives, objectives
        >>> h = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
        >>> matrix = objectives.Contrastive(losses.InfoNCE(0.5), negatives.InBatch(both=True))
        >>> free = objectives.NTXent(0.5)(energies.Cosine(), h, h.flip(1))
        >>> torch.allclose(free.value, matrix(energies.Cosine(), h, h.flip(1)).value)
        True

    Source: Chen, Kornblith, Norouzi, Hinton 2020, arXiv:2002.05709; van den Oord, Li, Vinyals
    2018, arXiv:1807.03748.
    """

    shows = ("temperature", "both")

    def __init__(
        self, temperature: float = 0.5, memory: Memory | None = None, *, both: bool = True
    ) -> None:
        super().__init__()
        require_positive("temperature", temperature)
        self.temperature, self.memory, self.both = temperature, memory, both

    def of(self, codes: Codes, rng: Rng) -> Loss:
        """The mean over all pairs of views."""
        codes = codes.apart()
        weight = _weight(codes.head)
        parts = self._parts(codes, weight / self.temperature)
        value = torch.stack([part.losses.mean() for part in parts]).mean()
        low = (-weight * torch.stack([part.positives.mean() for part in parts]).mean()).detach()
        high = (-weight * torch.stack([part.negatives for part in parts]).mean()).detach()
        metrics = {"e_pos": low, "e_neg": high, "gap": high - low}

        def commit() -> None:
            if self.memory is not None:
                self.memory.push(require_tensor("y", codes.stacked()[1]))

        return Loss(value, {"contrastive": value.detach()}, metrics, commit)

    def _parts(self, codes: Codes, scale: float | Tensor) -> list[_Part]:
        """One for each pair of views: both ways at once where one encoder made both codes."""
        done = {id(h): unit(require_tensor("codes", h)) for h in (*codes.x, *codes.y)}
        pairs = [(done[id(x)], done[id(y)]) for x, y in codes.each()]
        past = self._past(pairs[0][1])
        if not self.both:
            return [_one_way(a, b, past, scale, own=False) for a, b in pairs]
        ways = {(id(a), id(b)) for a, b in pairs}
        alike = all((b, a) in ways and a != b for a, b in ways)
        if alike and isinstance(scale, float) and rank_count() == 1:
            once = {frozenset((id(a), id(b))): (a, b) for a, b in pairs}
            return [_both_ways(a, b, past, scale) for a, b in once.values()]
        return [_one_way(a, b, past, scale, own=True) for a, b in pairs]

    def _past(self, like: Tensor) -> Tensor:
        """Unit codes of the memory, (m, d); m is 0 where there is none."""
        if self.memory is None:
            return like.new_zeros(0, like.shape[-1])
        return unit(self.memory.codes.to(like.dtype))


def _weight(head: Energy) -> float | Tensor:
    """What the cosine is multiplied by."""
    weight: float | Tensor = 1.0
    while isinstance(head, Scaled | Tempered):
        weight, head = weight * head.weight, head.energy
    if not isinstance(head, Cosine):
        raise ConfigurationError(
            f"the head is {type(head).__name__}; without the matrix only Cosine (or c * Cosine(), "
            "Cosine() / T) will do: take Contrastive(InfoNCE(…), InBatch(…)) for other energies"
        )
    return weight


def _both_ways(a: Tensor, b: Tensor, past: Tensor, scale: float) -> _Part:
    """All 2b codes as anchors."""
    _require_pairs(a, b)
    u = torch.cat([a, b])
    positives = torch.einsum("bd,bd->b", a, b).repeat(2)
    total = log_sum_exp_others(u, scale)
    if len(past):
        total = total.logaddexp(log_sum_exp_products(u, past, scale))
    keys = torch.cat([u, past])
    return _Part(
        total - scale * positives, positives, _mean_of_others(u, keys, positives, own=True)
    )


def _one_way(a: Tensor, b: Tensor, past: Tensor, scale: float | Tensor, *, own: bool) -> _Part:
    """The codes a as anchors, among all b, the past and, with `own`, all other a."""
    _require_pairs(a, b)
    keys = torch.cat([gathered("y", b), past])
    index = torch.arange(len(a), device=a.device) + len(a) * rank_number()
    left_out = None
    if own:
        left_out = len(keys) + index
        keys = torch.cat([keys, gathered("x", a)])
    positives = torch.einsum("bd,bd->b", a, b)
    losses = log_sum_exp_products(a, keys, scale, left_out) - scale * positives
    return _Part(losses, positives, _mean_of_others(a, keys, positives, own=own))


def _require_pairs(a: Tensor, b: Tensor) -> None:
    if len(a) < 2 or a.shape != b.shape:
        raise ShapeError(
            f"x has shape {tuple(a.shape)}, y {tuple(b.shape)}: negatives are the others of the "
            "batch, as many x as y; a batch of one holds none"
        )


@torch.no_grad()
def _mean_of_others(a: Tensor, keys: Tensor, positives: Tensor, *, own: bool) -> Tensor:
    """The mean cosine of anchors and negatives: of all pairs, less positives and each with itself.

    The mean of all products is the product of the sums.
    """
    total = a.sum(0) @ keys.sum(0) - positives.sum() - own * a.square().sum()
    return total / (len(a) * (len(keys) - 1 - own))
