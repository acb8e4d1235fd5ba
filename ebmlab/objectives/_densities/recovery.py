"""Recover data from noise by chains of the model: diffusion recovery likelihood."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_positive, require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._randomness import fork
from ebmlab._rows import row_sums, rows
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.negatives.coupling import batch_norm
from ebmlab.negatives.health import health
from ebmlab.protocols import Loss, Objective, Sampler
from ebmlab.samplers import run
from ebmlab.samplers._steps.start import noise_like
from ebmlab.types import Potential, Rng, Tree

__all__ = ["RecoveryLikelihood"]


class RecoveryLikelihood(Objective):
    """mean E(y) - E(y-), y- a chain of p(y | ỹ) ∝ exp(-E(y) - ‖y - ỹ‖² / 2σ²), ỹ = y + σξ.

    The gradient is that of -log p(y | ỹ), whose minimizer is the energy of the data for every σ.
    Where σ is small, p(y | ỹ) has one mode near ỹ and short chains that start at ỹ sample it, as
    those of p(y) would not: the smaller σ, the surer the chains and the less each datum tells.

    Several levels σ_1, …, σ_T add noise step by step, and each has an energy of its own: then x is
    the noise that y already carries, s_t = √(σ_1² + … + σ_t²), (b, 1), and each datum meets a
    level drawn at random. `energy.given(torch.zeros(1, 1))` is the model of the data.
    The paper shrinks y by √(1 - σ²) at each level; here it keeps its scale.

    Args:
        sigmas: σ > 0, in the units of y, of each level from clean to noisy; one number for an
            energy of y alone.
        sampler: moves (y - ỹ) / σ, so that one step size is right for all levels: a flat energy
            has a unit Gaussian there.
        steps: transitions, at least 1.

    Metrics: `e_pos`, `e_neg`, `gap` = e_neg - e_pos, `acceptance`, and those of chains that start
    at ỹ: `moved`, `strayed`, `still`, `coalesced`, `batch_norm`.

    Raises:
        ConfigurationError: x is given though levels are many, or levels are many and the energy
            takes no x.

    Example:
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.samplers import MALA
        >>> objective = RecoveryLikelihood((0.3, 0.6), MALA(0.1), steps=5)
        >>> rng = torch.Generator().manual_seed(0)
        >>> sorted(objective(MLP(2, x_dim=1), None, torch.zeros(8, 2), rng).terms)
        ['recovery']

    Source: Gao, Song, Poole, Wu, Kingma 2020, arXiv:2012.08125; Bengio et al. 2013 (one level).
    """

    shows = ("sigmas", "sampler", "steps")

    def __init__(self, sigmas: float | Sequence[float], sampler: Sampler, steps: int) -> None:
        super().__init__()
        require_counts(steps=steps)
        self.sigmas = tuple(sigmas) if isinstance(sigmas, Sequence) else (sigmas,)
        require_counts(levels=len(self.sigmas))
        for sigma in self.sigmas:
            require_positive("sigma", sigma)
        self.sampler, self.steps = sampler, steps

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The difference of the energies of data and of chains that start at noisy data."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "RecoveryLikelihood", y.device)
        x, y, sigma = self._level(energy, x, y, rng)
        noisy = (y + rows(sigma, y) * noise_like(y, rng)).detach()
        coupled = batch_norm(energy, y, stacklevel=4)
        end, acceptance = self._recovered(energy, x, noisy, sigma, rng)
        e_pos, e_neg = energy(x, y, rng=rng).mean(), energy(x, end, rng=rng).mean()
        metrics = {"e_pos": e_pos, "e_neg": e_neg, "gap": e_neg - e_pos, "acceptance": acceptance}
        metrics |= {**health(y, noisy, end), "batch_norm": coupled}
        value = e_pos - e_neg
        return Loss(
            value,
            {"recovery": value.detach()},
            {name: metric.detach() for name, metric in metrics.items()},
        )

    def _level(
        self, energy: Energy, x: Tree, y: Tensor, rng: torch.Generator
    ) -> tuple[Tree, Tensor, Tensor]:
        """x of a level for each datum, y with the noise of the levels before, and σ (b,)."""
        sigmas = torch.tensor(self.sigmas, dtype=precise(y).dtype, device=y.device).to(y.dtype)
        if len(sigmas) == 1:
            return x, y, sigmas.expand(len(y))
        if x is not None or not energy.takes_x:
            raise ConfigurationError(
                f"{len(sigmas)} levels are told apart by x, the noise in y: give an energy that "
                "takes x of one number, as MLP(dim, x_dim=1), and x=None; or one sigma"
            )
        level = torch.randint(len(sigmas), (len(y),), generator=rng, device=y.device)
        before = (sigmas.square().cumsum(0) - sigmas.square()).sqrt()[level]
        return before[:, None], y + rows(before, y) * noise_like(y, rng), sigmas[level]

    def _recovered(
        self, energy: Energy, x: Tree, noisy: Tensor, sigma: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Where chains of p(y | ỹ) end, and their mean acceptance."""
        # The energy's own noise must not be that of the chain.
        u = energy.given(x, rng=fork(rng) if energy.stochastic else None)
        scale = rows(sigma, noisy)

        def value_and_grad(v: Tensor) -> tuple[Tensor, Tensor]:
            value, grad = u.value_and_grad(noisy + scale * v)
            return value + 0.5 * row_sums(precise(v).square()), scale * grad + v

        def total(v: Tensor) -> Tensor:
            return u(noisy + scale * v) + 0.5 * row_sums(precise(v).square())

        start = torch.zeros_like(noisy)
        chain = run(
            self.sampler, Potential(total, value_and_grad), start, steps=self.steps, rng=rng
        )
        end = noisy + scale * chain.state.y.to(noisy.dtype)
        return end.detach(), chain.acceptance.mean()
