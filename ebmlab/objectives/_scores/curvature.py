"""How the slope of an energy changes along a direction: what exact and sliced scores share."""

import torch
from torch import Tensor

from ebmlab.energy import Energy
from ebmlab.errors import GradientError
from ebmlab.objectives._sloped import sloped
from ebmlab.types import Rng, Tree

__all__ = ["Curved"]


class Curved:
    """The slope of the energy at data, and products of the Hessian with directions.

    Raises:
        GradientError: the energy does not depend on y through differentiable operations, or is
            linear, so that its slope does not.
    """

    def __init__(self, energy: Energy, x: Tree, y: Tensor, rng: Rng) -> None:
        with torch.enable_grad():
            self.y = y.detach().requires_grad_()
            at = sloped(energy, lambda free: energy(x, free, rng=rng), self.y)
            self.slope = at.grad
            self.metrics = {"e_pos": at.energies.detach().mean(), "batch_norm": at.coupled}

    def along(self, way: Tensor) -> Tensor:
        """∇²E v, (b, *event), with its graph; v (b, *event), or one for all."""
        product = None
        if self.slope.requires_grad:
            (product,) = torch.autograd.grad(
                self.slope, self.y, way.expand_as(self.y), create_graph=True, allow_unused=True
            )
        if product is None:
            raise GradientError(
                f"the slope of the energy at y {tuple(self.y.shape)} does not depend on y: "
                "linear energies have no curvature to match; use smooth activations, such as "
                "SiLU, or DenoisingScore"
            )
        return product
