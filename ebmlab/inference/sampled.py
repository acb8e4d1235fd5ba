"""z drawn by Markov chains from its posterior."""

import torch
from torch import Tensor

from ebmlab._checks import leaves, require_counts, require_generator
from ebmlab._parts import single_ndim
from ebmlab._randomness import fork
from ebmlab.energies import Density
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import Bound, Inference, Posterior
from ebmlab.inference._atoms import data_batch, starts_of_each
from ebmlab.inference._solvers.point import clamped
from ebmlab.protocols import Sampler
from ebmlab.samplers import run
from ebmlab.types import Potential, Rng, Tree

__all__ = ["Sampled"]


class Sampled(Inference):
    """z by Markov chains: q(z) ∝ p(z) exp(-E(x, y, z) / T), each datum with its own chains.

    The sampler runs at temperature 1 on u(z) = E(x, y, z) / T - log p(z). The gradient of the free
    energy -T log ∫ p(z) exp(-E / T) dz in the parameters of E is the mean of ∂E over q, which the
    chains' ends estimate; they are constants. What they cannot tell is not invented: the
    information is given as 0 and the residual as 0, so the value is the mean energy, no bound, and
    right in its gradient only.

    Args:
        sampler: of `ebmlab.samplers`, at temperature 1.
        steps: transitions from each start; only the last state is kept.
        chains: k, chains per datum.
        start: where they begin: (k, *event), or (1, *event) for all alike, or (k, *batch, *event)
            for each datum's own. None draws them from the prior.
        prior: p, a normalized `Density` of vectors z, held fixed; None is a flat one, where E
            itself confines z.

    Raises:
        ConfigurationError: there is neither a start nor a prior, T is 0, or there is no rng.
        NonFiniteError: a chain starts where E is not finite.

    Example:
        >>> from torch import nn
        >>> from ebmlab.energies import Gaussian, Reconstruction
        >>> from ebmlab.samplers import HMC
        >>> prior = Gaussian(torch.zeros(1), torch.eye(1))
        >>> infer = Sampled(HMC(0.3, 5), steps=10, chains=4, prior=prior)
        >>> energy, rng = Reconstruction(nn.Linear(1, 2), takes_x=False), torch.Generator()
        >>> infer(energy, None, torch.ones(3, 2), 1.0, rng=rng).atoms.shape
        torch.Size([4, 3, 1])

    Source: Neal, Hinton 1998 (free energies); Han, Lu, Zhu, Wu 2017, arXiv:1606.08571 (decoders).
    """

    bound: Bound = "gradient"
    stochastic = True
    start: Tensor | None

    def __init__(
        self,
        sampler: Sampler,
        steps: int,
        chains: int = 1,
        *,
        start: Tensor | None = None,
        prior: Density | None = None,
    ) -> None:
        super().__init__()
        require_counts(steps=steps, chains=chains)
        if start is None and prior is None:
            raise ConfigurationError(
                "chains over z begin at `start` (k, *event) or at draws of `prior`; give one"
            )
        if start is not None and (start.ndim < 1 or len(start) not in {1, chains}):
            raise ShapeError(
                f"start has shape {tuple(start.shape)} for {chains} chains per datum; expected "
                f"({chains}, *event) or (1, *event)"
            )
        self.sampler, self.steps, self.chains, self.prior = sampler, steps, chains, prior
        self.register_buffer("start", None if start is None else start.detach().clone())

    def resume(self, z: Tensor) -> "Sampled":
        """The same inference, begun at z (k, *batch, *event): the atoms of an earlier one."""
        return Sampled(self.sampler, self.steps, len(z), start=z, prior=self.prior)

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """Where the chains of each datum end, equally weighted."""
        if temperature == 0:
            raise ConfigurationError(
                "Sampled draws z at a temperature T > 0, and T is 0; use Descent or LBFGS there"
            )
        device = leaves(y)[0].device
        rng = require_generator(rng, "Sampled", device)
        begin = self._begin(energy, data_batch(energy, x, y), rng)
        event = begin.shape[begin.ndim - single_ndim(energy) :]
        # The energy's own noise must not be that of the chains.
        own = fork(rng) if energy.stochastic else None
        cost = clamped(energy, x, y, begin.shape, own)

        def tempered(z: Tensor) -> Tensor:
            u = cost(z) / temperature
            return u if self.prior is None else u + self.prior(None, z)

        u = Potential(tempered)
        end = run(self.sampler, u, begin.reshape(-1, *event), steps=self.steps, rng=rng).state.y
        atoms = end.detach().to(begin.dtype).reshape(begin.shape)
        one = atoms.new_ones(begin.shape[: begin.ndim - single_ndim(energy)])
        return Posterior(atoms, one / len(one), torch.zeros_like(one[0]), torch.zeros_like(one[0]))

    def _begin(self, energy: Energy, batch: torch.Size, rng: torch.Generator) -> Tensor:
        """Starts of every datum's chains, (k, *batch, *event)."""
        if self.prior is not None and single_ndim(energy) != 1:
            raise ShapeError(f"a prior is of vectors z, but z_ndim is {single_ndim(energy)}")
        if self.start is None:
            assert self.prior is not None
            draws = self.prior.sample(self.chains * batch.numel(), rng)
            return draws.reshape(self.chains, *batch, self.prior.dim)
        start = self.start.expand(self.chains, *self.start.shape[1:])
        return starts_of_each(start, single_ndim(energy), batch, "Sampled")
