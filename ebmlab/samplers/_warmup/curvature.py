"""Metrics from the curvature where chains stand, one for each."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._rows import finite_rows, rows
from ebmlab.samplers.metric import Dense, Metric
from ebmlab.types import Potential, State

__all__ = ["Local", "bend", "local", "shared"]

# A direction without curvature is no more than so many times as wide as it was before.
WIDER = 10.0


@dataclass(frozen=True, eq=False)
class Local(Metric):
    """A metric of each chain's own: M = L Lᵀ with L (chains, d, d), of any form."""

    factor: Tensor

    def spread(self, v: Tensor) -> Tensor:
        return (self.factor @ v.reshape(len(v), -1, 1)).reshape(v.shape)

    def gather(self, grad: Tensor) -> Tensor:
        return (self.factor.mT @ grad.reshape(len(grad), -1, 1)).reshape(grad.shape)

    def whiten(self, y: Tensor) -> Tensor:
        return torch.linalg.solve(self.factor, y.reshape(len(y), -1, 1)).reshape(y.shape)


def local(metric: Metric, y: Tensor) -> Local:
    """The same metric for every chain of y (chains, *event)."""
    basis = torch.eye(y[0].numel(), dtype=y.dtype, device=y.device)
    factor = metric.spread(basis.reshape(-1, *y.shape[1:])).reshape(len(basis), -1).mT
    return Local(factor.expand(len(y), -1, -1))


def bend(u: Potential, state: State, metric: Local, takes: Tensor, width: Tensor) -> Local:
    """The metric |H|⁻¹ of each chain taken, (chains,) of bool, H the Hessian of u where it stands.

    In coordinates whitened by the metric so far, so that each call sees finer than the last:
    columns of Lᵀ H L are differences of gradients along those of L, d gradients in all; of its
    eigenvalues the absolute values count. Where a difference is not finite the metric stays.
    Differences are taken over a share of `width`, (chains,): the standard deviation of the draws
    of a chain in these coordinates, √T at a temperature T.

    Source: Betancourt 2013, arXiv:1212.4693, for |H|.
    """
    factor = metric.factor
    step = torch.finfo(factor.dtype).eps ** (1 / 3) * rows(width, factor)
    ends = (state.y + column.reshape(state.y.shape) for column in (step * factor).unbind(-1))
    changes = [u.value_and_grad(end)[1] - state.grad for end in ends]
    columns = torch.stack([change.reshape(len(change), -1) for change in changes], -1)
    hessian = factor.mT @ columns / step
    known = rows(finite_rows(hessian), hessian)
    hessian = torch.where(known, 0.5 * (hessian + hessian.mT), 0.0)
    eigenvalues, vectors = torch.linalg.eigh(hessian)
    scales = eigenvalues.abs().clamp(min=WIDER**-2).rsqrt()
    bent = factor @ (vectors * scales[:, None])
    return Local(torch.where(known & rows(takes & finite_rows(bent), bent), bent, factor))


def shared(metric: Local, takes: Tensor) -> Dense:
    """One metric for all chains: the mean of the logarithms of those taken, (chains,) of bool.

    Logarithms keep one chain in a narrow or a wide place from deciding for all others.

    Source: Arsigny, Fillard, Pennec, Ayache 2006, the log-Euclidean mean.
    """
    factors = metric.factor[takes]
    # Relative to one of them, numbers stay near 1 however ill-conditioned all are.
    relative = torch.linalg.solve(factors[:1], factors)
    values, vectors = torch.linalg.eigh(relative @ relative.mT)
    logs = values.clamp(min=torch.finfo(values.dtype).tiny).log()
    logarithm = (vectors * logs[:, None]) @ vectors.mT
    values, vectors = torch.linalg.eigh(logarithm.mean(0))
    factor = factors[0] @ (vectors * (0.5 * values).exp())
    # The triangular factor by QR squares nothing.
    lower = torch.linalg.qr(factor.mT).R.mT
    return Dense(lower * lower.diagonal().sign())
