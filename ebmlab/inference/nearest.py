"""z as the nearest code of a codebook: vector quantization."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebmlab._checks import require_tensor
from ebmlab._parts import single_ndim
from ebmlab.energy import Energy
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._atoms import data_batch, one_atom
from ebmlab.inference._encoding import encoded
from ebmlab.networks import Codebook
from ebmlab.types import Rng, Tree

__all__ = ["Nearest", "Quantized"]


class Quantized(NamedTuple):
    """Vectors and what stands for them.

    Attributes:
        encoded: h, (*batch, d) or (*batch, parts, d), with the encoder's gradient.
        codes: the nearest codes, as h, with the codebook's gradient.
        number: which they are, as h without d.
    """

    encoded: Tensor
    codes: Tensor
    number: Tensor


class Nearest(Inference):
    """z = the code nearest to h = encoder(x, y), or to y itself where there is no encoder.

    Nearest in squared distance. Behind an encoder z carries the gradient to h as if it were h
    (straight-through), and none to the codebook; without one it carries the codebook's. Where h is
    (n, parts, d), as are the positions of a code map, every part is quantized by itself. A code
    that is no Parameter moves on commit to the mean of what it stands for. The value is that of
    one z, hence an upper bound of the free energy.

    Args:
        codebook: codes (K, d); a Parameter where gradients are to move them.
        encoder: maps (x, y), or y alone where there is no x, to (n, d) or (n, parts, d).
        decay: how much of earlier commits' counts is kept, see `Codebook`.
        restart: share of the mean count at or below which a code begins again at the vector
            farthest from its code; None: never.

    Example:
        >>> from ebmlab.energies import Reconstruction
        >>> energy = Reconstruction(nn.Identity(), takes_x=False)
        >>> infer = Nearest(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
        >>> infer(energy, None, torch.tensor([[0.9, 0.4]])).atoms
        tensor([[[1., 1.]]])

    Source: van den Oord, Vinyals, Kavukcuoglu 2017, arXiv:1711.00937; Bengio, Léonard, Courville
    2013, arXiv:1308.3432 (straight-through).
    """

    point = True

    def __init__(
        self,
        codebook: Tensor,
        encoder: nn.Module | None = None,
        *,
        decay: float = 0.99,
        restart: float | None = 0.01,
    ) -> None:
        super().__init__()
        self.codebook = Codebook(codebook, decay=decay, restart=restart)
        self.encoder = encoder

    def quantize(self, energy: Energy, x: Tree, y: Tree) -> Quantized:
        """What the encoder gives, and the codes nearest to it."""
        if self.encoder is None:
            h = require_tensor("y", y)
            h = h.expand(*data_batch(energy, x, y), *h.shape[h.ndim - single_ndim(energy) :])
        else:
            h, _ = encoded(self.encoder, energy, x, y)
        number = self.codebook.nearest(h)
        return Quantized(h, self.codebook(number).to(h.dtype), number)

    def posterior(self, energy: Energy, found: Quantized) -> Posterior:
        """The codes as one atom; behind an encoder with its gradient, straight through."""
        codes, h = found.codes, found.encoded
        if self.encoder is not None:
            codes = codes.detach() + (h - h.detach())
        return one_atom(codes, single_ndim(energy))._replace(encoded=h)

    def capacity(self) -> float:
        """Log K for K codes; z may have several parts, each of which carries as much."""
        return math.log(len(self.codebook.codes))

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """The nearest code for each datum, or for each of its parts."""
        return self.posterior(energy, self.quantize(energy, x, y))

    @torch.no_grad()
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior]) -> None:
        """Move the codebook to what it stands for."""
        rows = require_tensor("encoded", q().encoded).flatten(0, -2)
        index = self.codebook.nearest(rows)
        self.codebook.learn(rows, index[None], torch.ones_like(rows[None, :, 0]))
