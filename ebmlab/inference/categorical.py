"""An encoder that guesses discrete codes, with a gradient straight through their choice."""

import math

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_generator, require_positive
from ebmlab._limits import weighed
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._atoms import data_batch, in_front, one_atom, spread
from ebmlab.inference._encoding import encoded
from ebmlab.types import Rng, Tree

__all__ = ["AmortizedCategorical"]


class AmortizedCategorical(Inference):
    """One-hot z from an encoder's logits a, drawn at T > 0, the largest at T = 0.

    q is softmax(a) for each part on its own, the prior uniform, and the information
    KL(q || uniform) = Σ_parts (log K - H(q)), so that the value is in its mean an upper bound of
    the free energy over all codes. Backwards z counts as softmax(a): the encoder's gradient is
    then right in its mean where E is linear in each part while the others stand still (for one
    part even at every draw), and biased elsewhere. At T = 0 it is a heuristic.

    Args:
        encoder: maps (x, y), or y alone where there is no x, to logits (n, K), or (n, parts, K)
            where the energy's z_ndim is 2.
        samples: draws of z per datum at T > 0; None: nothing is drawn, all K codes of one part
            are weighed by softmax(a), and the encoder's gradient is exact whatever E is.
        relaxation: τ > 0: backwards z counts as softmax((a + g) / τ) instead, g the Gumbel noise
            of the draw: biased even where E is linear, but less where it bends, the less the
            smaller τ, at the price of noise.

    Example:
        >>> from ebmlab.energies import Reconstruction
        >>> energy = Reconstruction(nn.Linear(4, 2), takes_x=False)
        >>> AmortizedCategorical(nn.Linear(2, 4))(energy, None, torch.ones(3, 2)).atoms.sum(-1)
        tensor([[1., 1., 1.]], grad_fn=<SumBackward1>)

    Source: Bengio, Léonard, Courville 2013, arXiv:1308.3432 (straight through); Jang, Gu, Poole
    2017, arXiv:1611.01144 (with Gumbel noise).
    """

    stochastic = True

    def __init__(
        self, encoder: nn.Module, samples: int | None = 1, *, relaxation: float | None = None
    ) -> None:
        super().__init__()
        require_counts(samples=1 if samples is None else samples)
        if relaxation is not None:
            require_positive("relaxation", relaxation)
        self.encoder, self.samples, self.relaxation = encoder, samples, relaxation
        self.stochastic = samples is not None

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """The likeliest codes at T = 0, `samples` draws or all codes at T > 0; with a gradient."""
        logits = self._logits(energy, x, y)
        lead = logits.shape[: logits.ndim - energy.z_ndim]
        if temperature == 0:
            return one_atom(_through(logits, logits.softmax(-1)), energy.z_ndim)
        if self.samples is None:
            return _weighed(logits, len(lead))
        rng = require_generator(rng, "AmortizedCategorical", logits.device)
        shape = (self.samples, *logits.shape)
        uniform = torch.rand(shape, generator=rng, dtype=logits.dtype, device=logits.device)
        # A uniform number of 0 gives -∞, which is never the largest; 1 is not drawn.
        noisy = logits - (-uniform.log()).log()
        if self.relaxation is None:
            soft = logits.softmax(-1).expand(shape)
        else:
            soft = (noisy / self.relaxation).softmax(-1)
        weights = logits.new_full((self.samples, *lead), 1 / self.samples)
        nats = _information(logits, len(lead))
        return Posterior(_through(noisy, soft), weights, nats, torch.zeros_like(nats))

    def _logits(self, energy: Energy, x: Tree, y: Tree) -> Tensor:
        logits, other = encoded(self.encoder, energy, x, y)
        batch = data_batch(energy, x, y)
        if other is not None or logits.ndim != len(batch) + energy.z_ndim:
            raise ShapeError(
                f"the encoder returned {'a pair' if other is not None else tuple(logits.shape)} "
                f"for the batch {tuple(batch)}; logits are (*batch, K), or (*batch, parts, K) for "
                f"z_ndim 2, and z_ndim is {energy.z_ndim}"
            )
        return logits


def _weighed(logits: Tensor, batch: int) -> Posterior:
    """Every code, weighed by softmax(logits)."""
    if logits.ndim > batch + 1:
        raise ConfigurationError(
            f"logits {tuple(logits.shape)} are of several parts, whose codes are too many to be "
            "weighed one by one: draw some, samples=1"
        )
    codes = torch.eye(logits.shape[-1], dtype=logits.dtype, device=logits.device)
    atoms = spread(in_front(codes, logits.shape[:-1]), logits.shape[:-1])
    nats = _information(logits, batch)
    return Posterior(atoms, logits.softmax(-1).movedim(-1, 0), nats, torch.zeros_like(nats))


def _through(choose: Tensor, soft: Tensor) -> Tensor:
    """One-hot where `choose` is largest, with the gradient of `soft`."""
    hard = nn.functional.one_hot(choose.argmax(-1), choose.shape[-1]).to(soft.dtype)
    return hard + (soft - soft.detach())


def _information(logits: Tensor, batch: int) -> Tensor:
    """KL(softmax || uniform), summed over the parts: (*batch)."""
    log_q = logits.log_softmax(-1)
    nats = weighed(log_q.exp(), log_q).sum(-1) + math.log(logits.shape[-1])
    return nats.flatten(batch).sum(-1) if nats.ndim > batch else nats
