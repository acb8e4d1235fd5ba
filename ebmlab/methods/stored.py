"""Recipes in which z is stored for each datum."""

import torch
from torch import nn

from ebmlab._checks import require_generator
from ebmlab.energies import Reconstruction
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Stored
from ebmlab.methods.cards import card
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method

__all__ = ["glo"]


@card(energy="‖g(z) - y‖²", z="stored for each datum", collapse="z narrower than y")
def glo(
    decoder: nn.Module,
    n: int,
    dim: int,
    rng: torch.Generator,
    *,
    radius: float = 1.0,
    distance: Energy | None = None,
) -> Method:
    """GLO: F(x, y) = distance(g(z_x), y), a z in the ball for each datum, learned with g.

    The few dimensions of z prevent collapse. x is the number of the datum, (batch,) whole numbers;
    `fit(method, (torch.arange(n), y), …)`.

    Args beside those that recipes share:
        decoder: g, from (n, dim).
        n: how many data there are.
        dim: length of z.
        rng: for the first z, Gaussian, put into the ball.
        radius: of the ball.

    Source: Bojanowski, Joulin, Lopez-Paz, Szlam 2018, arXiv:1707.05776.
    """
    rng = require_generator(rng, "glo", rng.device)
    infer = Stored(torch.randn(n, dim, generator=rng, device=rng.device), radius=radius)
    infer.step()
    energy = Reconstruction(decoder, distance, takes_x=False, x_ndim=0)
    return Method(FreeEnergy(energy, infer), Regularized())
