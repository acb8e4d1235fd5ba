"""Gradient descent on z (or on y), every row with its own step size."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmlab.checks import require_positive
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, DivergenceError, NonFiniteError
from ebmlab.free_energy import Bound, Inference, Posterior
from ebmlab.inference.atoms import data_batch, in_front, pick, spread
from ebmlab.randomness import replayed
from ebmlab.types import Minimum, Potential, Tree

__all__ = ["Descent"]

GROW, SHRINK = 1.2, 0.5


class Descent(nn.Module, Inference):
    """Minimize by z' = z - η ∇u(z) from many starts; η grows while u falls and halves where not.

    A step that would raise the energy (or reach NaN) is not taken, so the result is never above
    its start. On a non-convex energy the best of the starts is an upper bound of the minimum.
    `residual` is the norm of the gradient at the result. In a free energy the z found is a
    constant: first derivatives are right (envelope theorem), second ones lack its motion.

    Args:
        starts: (k, *event), where each datum's descents begin; needed for inference, not for
            `minimize`.
        steps: gradient steps.
        step_size: the first η.

    Raises:
        ConfigurationError: steps < 1, step_size <= 0, a temperature other than 0, no starts.
        NonFiniteError: the energy is not finite at a start.
        DivergenceError: the energy falls without bound.

    Example:
        >>> from ebmlab.types import Potential
        >>> u = Potential(lambda z: (z - 1).square().sum(-1))
        >>> Descent(steps=50).minimize(u, torch.zeros(2, 3)).energy < 1e-8
        tensor([True, True])

    Source: Vogl et al. 1988 (the step-size rule, here per row).
    """

    bound: ClassVar[Bound] = "upper"
    starts: Tensor | None

    def __init__(
        self, starts: Tensor | None = None, *, steps: int = 100, step_size: float = 0.1
    ) -> None:
        super().__init__()
        require_positive("step_size", step_size)
        if steps < 1:
            raise ConfigurationError(f"steps is {steps}; it must be at least 1")
        self.register_buffer("starts", None if starts is None else starts.clone())
        self.steps, self.step_size = steps, step_size

    def minimize(self, u: Potential, start: Tensor, *, unroll: bool = False) -> Minimum:
        """Descend every row of start (rows, *event); `unroll` keeps the graph of the steps."""

        def grad_of(point: Tensor) -> tuple[Tensor, Tensor]:
            return _differentiable(u, point) if unroll else u.value_and_grad(point)

        z = start if unroll else start.detach()
        energy, grad = grad_of(z)
        _require_finite(energy, grad, z)
        floor = energy.detach() - (1 + energy.detach().abs()) / torch.finfo(energy.dtype).eps
        size = torch.full_like(energy.detach(), self.step_size)
        for _ in range(self.steps):
            trial = z - _rows(size, z) * grad
            value, slope = grad_of(trial)
            better = (value <= energy) & _finite(slope)
            z = torch.where(_rows(better, z), trial, z)
            grad = torch.where(_rows(better, z), slope, grad)
            energy = torch.where(better, value, energy)
            size = torch.where(better, GROW * size, SHRINK * size)
        if not bool((energy >= floor).all()):
            row = int((~(energy >= floor)).nonzero()[0])
            raise DivergenceError(
                f"row {row}: the energy falls without bound (now {float(energy[row])}); an energy "
                "must be bounded below: check its sign, or add a term that holds the variable"
            )
        return Minimum(z, energy, torch.linalg.vector_norm(grad.reshape(len(z), -1), dim=1))

    def __call__(
        self,
        energy: Energy,
        x: Tree,
        y: Tree,
        temperature: float = 0.0,
        *,
        rng: torch.Generator | None = None,
    ) -> Posterior:
        """The lowest z found for each datum, and its residual."""
        self.require_point(temperature)
        if self.starts is None:
            raise ConfigurationError("Descent infers z from `starts` (k, *event); none were given")
        batch = data_batch(energy, x, y)
        start = spread(in_front(self.starts, batch), batch)
        replay = replayed(rng, "Descent") if energy.stochastic else lambda: None

        def flat(z: Tensor) -> Tensor:
            return energy(x, y, z.reshape(start.shape), rng=replay()).flatten()

        rows = start.reshape(-1, *self.starts.shape[1:])
        found = self.minimize(Potential(flat), rows)
        energies = found.energy.reshape(len(start), *batch)
        best = energies.argmin(0, keepdim=True)
        atom = pick(found.argmin.reshape(start.shape), best)
        residual = pick(found.residual.reshape(energies.shape), best)[0]
        return Posterior(atom, torch.ones_like(energies[:1]), torch.zeros_like(residual), residual)


def _finite(t: Tensor) -> Tensor:
    return t.reshape(len(t), -1).isfinite().all(1)


def _rows(value: Tensor, like: Tensor) -> Tensor:
    return value.reshape(-1, *[1] * (like.ndim - 1))


def _differentiable(u: Potential, z: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        z = z if z.requires_grad else z.detach().requires_grad_()
        energy = u(z)
        (grad,) = torch.autograd.grad(energy.sum(), z, create_graph=True)
    return energy, grad


def _require_finite(energy: Tensor, grad: Tensor, z: Tensor) -> None:
    bad = ~(energy.isfinite() & _finite(grad))
    if bad.any():
        row = int(bad.nonzero()[0])
        raise NonFiniteError(
            f"start: row {row} has energy {float(energy[row])} or a gradient that is not finite, "
            f"at {z[row].flatten()[:4].tolist()}; start where u is finite"
        )
