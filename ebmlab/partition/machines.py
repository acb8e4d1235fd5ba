"""`RBMPath`: a path from independent units to an RBM, with exact block Gibbs all the way."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab.energies import RBM, Bernoulli
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.samplers import Gibbs
from ebmlab.samplers.discrete import BINARY
from ebmlab.types import Conditionals, Potential

__all__ = ["RBMPath"]


@dataclass(frozen=True, eq=False)
class RBMPath:
    """RBMs with parameters t W, t c and (1 - t) a + t b: independent units at t = 0.

    F_t(v) = -((1 - t) a + t b)ᵀv - Σ_j log(1 + exp(t (c + vW)_j)). Unlike the straight line
    between two free energies, each is an RBM, whose blocks are drawn exactly.

    Args:
        rbm: the machine at t = 1.
        start: the law at t = 0, with logits a (visible): base rates of the data are a good choice.

    Raises:
        ShapeError: the start is not as long as the visible side.

    Example:
        >>> from ebmlab.energies import Bernoulli
        >>> from ebmlab.partition import ais, rbm_log_z
        >>> rbm, rng = RBM(12, 4, std=0.5), torch.Generator().manual_seed(0)
        >>> path = RBMPath(rbm, Bernoulli(torch.zeros(12)))
        >>> estimate = ais(
        ...     rbm.given(), path.start, path.kernel, between=path.at,
        ...     times=torch.linspace(0, 1, 50), chains=200, rng=rng,
        ... )
        >>> abs(estimate.log_z - rbm_log_z(rbm).log_z) < 3 * estimate.standard_error
        tensor(True)

    Source: Salakhutdinov, Murray 2008.
    """

    rbm: RBM
    start: Bernoulli

    def __post_init__(self) -> None:
        if self.start.logits.shape != self.rbm.visible_bias.shape:
            units, visible = len(self.start.logits), len(self.rbm.visible_bias)
            raise ShapeError(f"the start has {units} units, the RBM {visible} visible ones")

    def at(self, t: float) -> Potential:
        """F_t."""

        def energy(v: Tensor) -> Tensor:
            rbm, base = self.rbm, self.start.logits
            own = functional.softplus(t * rbm.hidden_logits(v), threshold=40).sum(-1)
            return -(v @ torch.lerp(base, rbm.visible_bias, t)) - own

        return Potential(energy)

    def kernel(self, t: float) -> Gibbs:
        """Block Gibbs of exp(-F_t)."""
        return Gibbs(_Blocks(self, t))


@dataclass(frozen=True, eq=False)
class _Blocks(Conditionals):
    """h given v, then v given h, at one t of a path."""

    path: RBMPath
    t: float

    def check(self, u: Potential, y: Tensor) -> None:
        BINARY.require(y)
        probes = torch.cat([y, 1 - y])
        own = self.path.at(self.t)(probes)
        apart = u(probes) - own
        slack = torch.finfo(y.dtype).eps ** 0.5 * (1 + own.abs().max())
        if bool(((apart - apart[0]).abs() > slack).any()):
            raise ConfigurationError(
                f"the potential at t = {self.t} is not this path's: pass between=path.at, "
                "kernel=path.kernel, path.start and path.rbm.given() together"
            )

    def draw(self, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.path.rbm.conditionals().draw(y, rng)

    def sweep(self, u: Potential, y: Tensor, noise: Any) -> tuple[Tensor, Tensor]:
        rbm, base, t = self.path.rbm, self.path.start.logits, self.t
        with torch.no_grad():
            h = (noise[0] < (t * rbm.hidden_logits(y)).sigmoid()).to(y)
            v = (noise[1] < torch.lerp(base, rbm.visible_logits(h), t).sigmoid()).to(y)
            return v, u(v)
