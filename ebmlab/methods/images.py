"""Recipes that predict images from images."""

import math

import torch
from torch import nn

from ebmlab.energies import JointEmbedding, Reconstruction, SquaredDistance
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Enumerate
from ebmlab.methods.cards import card
from ebmlab.networks import MLP, Modulated
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method

__all__ = ["image_prediction"]


@card(energy="‖g(f(x), z) - y‖²", z="one of k codes", collapse="z carries log k nats")
def image_prediction(
    x_shape: tuple[int, int, int],
    y_shape: tuple[int, int, int],
    codes: int = 16,
    temperature: float = 0.0,
    *,
    width: int = 512,
) -> Method:
    """Predict a *set* of images y from x: F(x, y) = min over codes z of ‖g(f(x), z) - y‖².

    z takes few values and carries at most log k nats, which prevents collapse; one code is
    regression. x is encoded once for all z, which scale and shift its code.

    Args:
        x_shape: of one x, (c, h, w).
        y_shape: of one y.
        codes: k, how many values z may take.
        temperature: T >= 0; above 0 all codes learn from every datum, each by its share.
        width: length of x's code f(x).

    Source: LeCun 2022, "A path towards autonomous machine intelligence"; Perez et al. 2018,
    arXiv:1709.07871.
    """
    encoder = nn.Sequential(nn.Flatten(), MLP(math.prod(x_shape), width, (width,)))
    pixels = MLP(width, math.prod(y_shape), (width // 2,))
    network = nn.Sequential(nn.SiLU(), pixels, nn.Unflatten(1, y_shape))
    head = Reconstruction(Modulated(network, width, codes), SquaredDistance(len(y_shape)))
    energy = JointEmbedding(encoder, nn.Identity(), head, x_ndim=3)
    infer = Enumerate(torch.eye(codes))
    return Method(FreeEnergy(energy, infer, temperature), Regularized(), encoder=encoder)
