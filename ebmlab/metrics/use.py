"""Which codes z takes, and how many nats of that tell data apart."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ebmlab._distances import nearest_rows
from ebmlab._kinds import require_a
from ebmlab._limits import weighed
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.metrics.populations import population
from ebmlab.types import Posterior, Rng, Tree

__all__ = ["CodeUse", "assignments", "code_use"]

_SINGLE = "of several parts, look at one"


@torch.no_grad()
def assignments(energy: Energy, x: Tree, y: Tree, rng: Rng = None) -> Tensor:
    """q(z_k | x, y) of every datum, (n, K), where z is one of K codes; the rows sum to 1.

    The codes are those that the inference lists (`Inference.possible`), in that order; of one
    that lists none z must be one-hot, and draws of it are averaged.

    Raises:
        ConfigurationError: the energy is no `FreeEnergy`, or z is no code.

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> from ebmlab.inference import Enumerate
        >>> energy = FunctionEnergy(lambda y, z: (y - z).square().sum(-1), ("y", "z"))
        >>> free = FreeEnergy(energy, Enumerate(torch.tensor([[-1.0], [1.0]])))
        >>> assignments(free, None, torch.tensor([[0.3], [-2.0]]))
        tensor([[0., 1.],
                [1., 0.]])
    """
    mend = "one that infers z, such as method.energy"
    free = require_a(FreeEnergy, "energy", energy, mend)
    found, listed = free.posterior(x, y, rng=rng), free.infer.possible()
    codes = None if listed is None else require_a(Tensor, "z", listed, _SINGLE)
    each = _one_hot(found) if codes is None else _listed(found, codes)
    weights = found.weights.expand(each.shape[:-1])[..., None]
    return (weights * each).sum(0).flatten(0, -2)


def _listed(found: Posterior, codes: Tensor) -> Tensor:
    """Which of the listed codes each atom is: one-hot (k, *batch, K)."""
    z = require_a(Tensor, "z", found.atoms, _SINGLE)
    lead = z.shape[: z.ndim - codes.ndim + 1]
    # Straight-through atoms may be off by rounding; of equal codes the first one counts.
    rows, known = z.reshape(lead.numel(), -1), codes.reshape(len(codes), -1)
    index = nearest_rows(rows.double(), known.double())
    return one_hot(index, len(codes)).unflatten(0, lead).to(found.weights.dtype)


def _one_hot(found: Posterior) -> Tensor:
    z = require_a(Tensor, "z", found.atoms, _SINGLE)
    corner = z.is_floating_point() and z.ndim > found.information.ndim + 1
    if not corner or not bool(((z.amax(-1) - 1).abs() + (z.sum(-1) - 1).abs() < 1e-4).all()):
        raise ConfigurationError(
            f"z has shape {tuple(z.shape)} and is not one-hot, and the inference lists no codes; "
            "r_squared and circular_correlation judge continuous z"
        )
    return z


class CodeUse(NamedTuple):
    """How codes are used, in nats: kl = information + marginal.

    Attributes:
        kl: mean KL(q(z | x, y) || prior): what the free energy pays for.
        information: I(x, y; z) of the aggregate, which tells data apart.
        marginal: KL(mean q || prior), which all data share: 0 where codes are used as the prior
            says.
        entropy: H(mean q); log K where all codes are used alike.
        perplexity: exp of it, the number of codes in use.
    """

    kl: float
    information: float
    marginal: float
    entropy: float
    perplexity: float


@torch.no_grad()
def code_use(q: Tensor, prior: Tensor | None = None) -> CodeUse:
    """Split what z carries: mean KL(q || prior) = I(x, y; z) + KL(mean q || prior).

    Where one code has all data, KL may be large and the information is 0.

    Args:
        q: posteriors (n, K), of rows that sum to 1: see `assignments`.
        prior: (K,), not negative; None is uniform.

    Raises:
        ShapeError, ConfigurationError: q are no such rows, or the prior does not fit them.

    Example:
        >>> code_use(torch.tensor([[1.0, 0.0], [1.0, 0.0]])).information
        0.0
        >>> round(code_use(torch.eye(3)).perplexity, 3)
        3.0

    Source: Hoffman, Johnson 2016, "ELBO surgery".
    """
    q = distributions("q", q)
    if prior is None:
        prior = q.new_full(q.shape[1:], 1 / q.shape[1])
    if prior.shape != q.shape[1:] or bool((prior < 0).any()) or not float(prior.sum()) > 0:
        raise ShapeError(
            f"prior {tuple(prior.shape)} must hold {q.shape[1]} numbers, none of them negative"
        )
    log_prior = (prior.to(q) / prior.sum()).log()
    mean = q.mean(0)
    kl = (_minus_entropy(q) - weighed(q, log_prior)).sum(-1).mean()
    marginal = (_minus_entropy(mean) - weighed(mean, log_prior)).sum()
    entropy = float(-_minus_entropy(mean).sum())
    information = (_minus_entropy(q).mean(0) - _minus_entropy(mean)).sum().clamp(min=0)
    numbers = (float(kl), float(information), float(marginal), entropy, math.exp(entropy))
    return CodeUse(*numbers)


def _minus_entropy(p: Tensor) -> Tensor:
    return torch.xlogy(p, p)


def distributions(name: str, q: Tensor) -> Tensor:
    """The rows (n, K) in float64, or raise unless each is a distribution."""
    q = population(name, q).double()
    off = float((q.sum(1) - 1).abs().max())
    if off > 0.02 or bool((q < -1e-6).any()):
        raise ConfigurationError(
            f"{name} {tuple(q.shape)} is negative somewhere, or misses a sum of 1 by {off:.3g}; "
            "pass probabilities, (n, K)"
        )
    q = q.clamp(min=0)
    return q / q.sum(1, keepdim=True)
