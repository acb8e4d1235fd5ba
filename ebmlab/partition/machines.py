"""`RBMPath`: a path from independent units to an RBM, with exact block Gibbs all the way."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab.energies import RBM, Bernoulli
from ebmlab.energies._discrete.bipartite import BlockConditionals, Layers, lit, softplus
from ebmlab.errors import ShapeError
from ebmlab.samplers import Gibbs
from ebmlab.types import GibbsState, Potential

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
        between = _Between(self, t)
        return Potential(between, origin=between)

    def kernel(self, t: float) -> Gibbs:
        """Block Gibbs of exp(-F_t)."""
        return Gibbs(BlockConditionals(_Between(self, t)))


@dataclass(frozen=True)
class _Between(Layers):
    """The machine at one t of a path, made of the parameters at both of its ends."""

    path: RBMPath
    t: float

    def __call__(self, v: Tensor) -> Tensor:
        """F_t(v)."""
        return self.summed(v, self.fields(v))

    @property
    def hidden(self) -> int:
        return self.path.rbm.hidden

    def require(self, v: Tensor) -> None:
        self.path.rbm.require(v)

    def another(self, v: Tensor) -> Tensor:
        return self.path.rbm.another(v)

    def fields(self, v: Tensor) -> Tensor:
        """Those of t = 1, so that they hold all along the path."""
        return self.path.rbm.fields(v)

    def summed(self, v: Tensor, fields: Tensor) -> Tensor:
        return -(v @ self._bias) - softplus(self.t * fields).sum(-1)

    def linked(self, state: GibbsState) -> Tensor:
        return self(state.y)

    def draw_hidden(self, fields: Tensor, noise: Tensor) -> Tensor:
        return lit(self.t * fields, noise)

    def noise(self, v: Tensor, rng: torch.Generator) -> Tensor:
        return self.path.rbm.noise(v, rng)

    def draw_visible(self, h: Tensor, noise: Tensor) -> Tensor:
        return lit(torch.addmm(self._bias, h, self.path.rbm.weights.mT, alpha=self.t), noise)

    @property
    def _bias(self) -> Tensor:
        """(1 - t) a + t b."""
        return torch.lerp(self.path.start.logits, self.path.rbm.visible_bias, self.t)
