"""z of several discrete parts, chosen part by part: iterated conditional modes and mean field."""

import math
import warnings

import torch
from torch import Tensor

from ebmlab._checks import leaves, require_counts, require_positive
from ebmlab._randomness import replayed
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._atoms import data_batch, pick, starts_of_each
from ebmlab.inference._mean_field import Parts
from ebmlab.inference._solvers.point import NotConvergedWarning
from ebmlab.types import Rng, Tree

__all__ = ["Factorized"]


class Factorized(Inference):
    """z of `parts` discrete codes, each updated given the others, in turn, until nothing moves.

    z is (parts, codes), one-hot in each part, or (parts,) of 0 and 1. At T = 0 each part takes its
    best code given the others (iterated conditional modes): a z that no change of one part lowers.
    At T > 0 the posterior is approximated by q(z) = Π_i q_i(z_i), the prior is uniform, and each
    update q_i(k) ∝ exp(-E_q[E | z_i = k] / T) lowers F = E_q[E] + T Σ_i KL(q_i || uniform) (mean
    field). Both are upper bounds, exact where E is a sum over the parts, and the gradient is that
    at the q found, a constant.

    E must be multilinear in the parts: linear in each of them while the others stand still, as are
    an Ising model or a table of interactions. Then E_q[E] is E at the mean codes, which are handed
    on as one relaxed atom of weight 1. At T = 0 this matters for the default start only.

    Args:
        parts: how many codes make a z.
        codes: values of each, K >= 2; None for binary parts.
        sweeps: the most updates of each part.
        starts: (k, *event), or (k, *batch, *event) for each datum's own: codes or probabilities,
            from which the lowest result is kept. None is one start where all codes weigh the
            same; that is a saddle where E has a symmetry between codes: break it with starts.
        tolerance: a datum has converged where no probability moves by more in a sweep; None is √ε
            of the dtype. A warning tells of data that end before; `residual` is that move.

    Raises:
        NonFiniteError: the energy is NaN, or infinite at every code of a part.

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> def cost(y, z):
        ...     return (y.unsqueeze(-1) * z).sum((-2, -1)) + 3 * (z[:, 0, 0] * z[:, 1, 0])
        >>> energy = FunctionEnergy(cost, ("y", "z"), z_ndim=2)
        >>> Factorized(2, 2)(energy, None, torch.tensor([[-1.0, -2.0]])).atoms[0]
        tensor([[[0., 1.],
                 [1., 0.]]])

    Source: Besag 1986 (conditional modes); Saul, Jaakkola, Jordan 1996, arXiv:cs/9603102.
    """

    starts: Tensor | None

    def __init__(
        self,
        parts: int,
        codes: int | None = None,
        *,
        sweeps: int = 100,
        starts: Tensor | None = None,
        tolerance: float | None = None,
    ) -> None:
        super().__init__()
        require_counts(parts=parts, sweeps=sweeps)
        require_counts(2, codes=2 if codes is None else codes)
        if tolerance is not None:
            require_positive("tolerance", tolerance)
        self.parts, self.codes, self.sweeps, self.tolerance = parts, codes, sweeps, tolerance
        self.register_buffer("starts", None if starts is None else starts.detach().clone())
        if starts is not None:
            self._require(starts)

    @property
    def values(self) -> int:
        """How many values a part takes."""
        return 2 if self.codes is None else self.codes

    @property
    def event(self) -> tuple[int, ...]:
        """The shape of z."""
        return (self.parts,) if self.codes is None else (self.parts, self.codes)

    def resume(self, z: Tensor) -> "Factorized":
        """The same inference, begun at z (*batch, *event), such as an earlier one found."""
        settings = {"sweeps": self.sweeps, "tolerance": self.tolerance}
        return Factorized(self.parts, self.codes, starts=z[None], **settings)

    def _require(self, starts: Tensor) -> None:
        lead = starts.ndim - len(self.event)
        if lead < 1 or len(starts) == 0 or starts.shape[lead:] != self.event:
            raise ShapeError(
                f"starts has shape {tuple(starts.shape)}; it must be (k, *event) or "
                f"(k, *batch, *event), k >= 1, with the event {self.event}"
            )
        q = self._table(starts)
        if not bool((q >= 0).all() & ((q.sum(-1) - 1).abs() <= 1e-5).all()):
            raise ConfigurationError(
                "starts hold codes or probabilities: >= 0, and of sum 1 over the codes of a part"
            )

    def capacity(self) -> float:
        """Log K for each part."""
        return self.parts * math.log(self.values)

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """One atom: the best z found at T = 0, the mean of the best q found at T > 0."""
        if energy.z_ndim != len(self.event):
            raise ShapeError(
                f"z of {type(self).__name__} is {self.event}, but the energy's z_ndim is "
                f"{energy.z_ndim}"
            )
        batch = data_batch(energy, x, y)
        replay = replayed(rng, type(energy).__name__) if energy.stochastic else lambda: None
        parts = Parts(self.values, temperature, lambda q: energy(x, y, self._z(q), rng=replay()))
        with torch.no_grad():
            q, residual, settled = parts.settle(self._begin(batch, y), self.sweeps, self.tolerance)
            information = parts.information(q)
            free = parts.cost(q) + temperature * information
            best = free.argmin(0, keepdim=True)
            _require_finite(pick(free, best)[0])
        if not bool(pick(settled, best).all()):
            warnings.warn(
                f"Factorized(sweeps={self.sweeps}) ended before every datum had converged: "
                "`residual` says how far; take more sweeps",
                NotConvergedWarning,
                stacklevel=2,
            )
        one = torch.ones_like(pick(free, best))
        return Posterior(
            self._z(pick(q, best)), one, pick(information, best)[0], pick(residual, best)[0]
        )

    def _begin(self, batch: torch.Size, y: Tree) -> Tensor:
        """Probabilities (k, *batch, parts, K) of y's type to start from."""
        like = next((leaf for leaf in leaves(y) if leaf.is_floating_point()), self.starts)
        starts = self.starts
        if starts is None:
            dtype = None if like is None else like.dtype
            share = 1 / self.values
            starts = torch.full((1, *self.event), share, dtype=dtype, device=leaves(y)[0].device)
        starts = starts_of_each(starts, len(self.event), batch, "Factorized")
        return self._table(starts if like is None else starts.to(like))

    def _table(self, z: Tensor) -> Tensor:
        """z (…, *event) as probabilities (…, parts, K)."""
        return z if self.codes is not None else torch.stack([1 - z, z], -1)

    def _z(self, q: Tensor) -> Tensor:
        """Probabilities (…, parts, K) as mean codes (…, *event)."""
        return q if self.codes is not None else q[..., 1]


def _require_finite(free: Tensor) -> None:
    if not bool(free.isfinite().all()):
        datum = tuple((~free.isfinite()).nonzero()[0].tolist())
        raise NonFiniteError(
            f"the free energy of datum {datum} is {float(free[datum])} from every start, or NaN "
            "from one; the energy must be finite at codes and, for temperatures above 0, at means"
        )
