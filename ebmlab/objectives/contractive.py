"""Hold the code still where the datum moves: the Jacobian of z."""

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ebmlab._checks import require_counts, require_generator, require_tensor
from ebmlab._kinds import require_a, require_floats
from ebmlab.energy import Energy
from ebmlab.errors import GradientError
from ebmlab.free_energy import FreeEnergy
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["Contractive"]


class Contractive(Objective):
    """mean ‖∂z/∂y‖²_F, z the code inferred from y (the mean of several atoms).

    Exact with one backward pass for each entry of z, or estimated without bias by
    mean ‖vᵀ ∂z/∂y‖² over random signs v.

    Args:
        probes: how many v per datum; None is exact.

    Terms: `contractive`.

    Raises:
        ConfigurationError: rng is missing where probes draw, or no z is inferred.
        GradientError: z does not depend on y through differentiable operations.

    Example:
        >>> from ebmlab import methods
        >>> encoder = torch.nn.Linear(3, 2)
        >>> energy = methods.autoencoder(encoder, torch.nn.Linear(2, 3)).energy
        >>> value = Contractive()(energy, None, torch.ones(4, 3)).value
        >>> torch.allclose(value, encoder.weight.square().sum())
        True

    Source: Rifai, Vincent, Muller, Glorot, Bengio 2011; Hutchinson 1990 (the estimate).
    """

    shows = ("probes",)

    def __init__(self, probes: int | None = None) -> None:
        super().__init__()
        require_counts(probes=1 if probes is None else probes)
        self.probes = probes

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The squared Jacobian; its graph holds second derivatives of the encoder."""
        mend = "FreeEnergy(energy, infer)"
        energy = require_a(FreeEnergy, "Contractive infers z: the energy", energy, mend)
        y = require_floats("y", require_tensor("y", y))
        # Fused attention has no second derivatives.
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            free = y.detach().requires_grad_()
            q = energy.posterior(x, free, rng=rng)
            z = q.single()
            weights = q.weights.reshape(*q.weights.shape, *[1] * (z.ndim - q.weights.ndim))
            codes = (weights * z).sum(0).reshape(*q.information.shape, -1)
            rows = [_pulled(codes, free, way) for way in self._ways(codes, rng)]
        total = torch.stack(rows).sum() / (1 if self.probes is None else self.probes)
        value = total / q.information.numel()
        return Loss(value, {"contractive": value.detach()}, {})

    def _ways(self, codes: Tensor, rng: Rng) -> list[Tensor]:
        """Directions v in the space of codes, each shaped as they are."""
        if self.probes is None:
            eye = torch.eye(codes.shape[-1], dtype=codes.dtype, device=codes.device)
            return [row.expand_as(codes) for row in eye]
        rng = require_generator(rng, "Contractive", codes.device)
        shape = (self.probes, *codes.shape)
        signs = torch.randint(2, shape, generator=rng, device=codes.device)
        return list((2 * signs - 1).to(codes.dtype))


def _pulled(codes: Tensor, y: Tensor, way: Tensor) -> Tensor:
    """Σ ‖vᵀ ∂z/∂y‖² over the batch."""
    grad = None
    if codes.requires_grad:
        (grad,) = torch.autograd.grad(codes, y, way, create_graph=True, allow_unused=True)
    if grad is None:
        raise GradientError(
            f"z {tuple(codes.shape)} carries no gradient to y; use an encoder, as Amortized does"
        )
    return grad.square().sum()
