"""What the hypothesis's table compares: z or none, four regularizers, five ways to choose z."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebmlab import FreeEnergy, Method, methods
from ebmlab.energies import JointEmbedding, Reconstruction
from ebmlab.inference import LBFGS, Amortized, AmortizedCategorical, Circle, Enumerate
from ebmlab.networks import MLP, Conditional, Operators, Rotations
from ebmlab.objectives import Regularized
from ebmlab.regularizers import SIGReg, VICReg, Within
from ebmlab.teachers import EMA

DIM = 32


class Contender(NamedTuple):
    """A way to train the encoder; None trains nothing, and pixels are judged.

    `actions` counts the world's, 0 for any angle; `views` for methods that take pairs as views; of
    several `starts` that of lowest energy on training pairs is kept.
    """

    build: Callable[[nn.Module], Method | None]
    actions: int = 3
    views: bool = False
    starts: int = 1


def encoder() -> nn.Module:
    """196-128-128-32."""
    return nn.Sequential(nn.Flatten(), MLP(196, DIM, (128, 128)))


def jepa(f: nn.Module, codes: int = 3, **more: object) -> Method:
    """The recipe, on images."""
    return methods.jepa(f, DIM, codes, x_ndim=3, **more)  # pyright: ignore[reportArgumentType]


def mlp(codes: int = 3) -> nn.Module:
    """A predictor in which z may mean another thing for each x."""
    return Conditional(MLP(DIM + codes, DIM, (128,)))


class Pairwise(nn.Module):
    """Logits hyᵀ M_k hx + a_k(hx, hy): what tells an operator apart is bilinear in the codes."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.product = nn.Bilinear(DIM, DIM, outputs)
        self.sum = nn.Linear(2 * DIM, outputs)

    def forward(self, hx: Tensor, hy: Tensor) -> Tensor:
        """Logits (n, outputs)."""
        return self.product(hx, hy) + self.sum(torch.cat([hx, hy], -1))


class Gaussian(nn.Module):
    """Mean and log standard deviation of z, bilinear as in `Pairwise`."""

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.pair = Pairwise(2 * codes)

    def forward(self, hx: Tensor, hy: Tensor) -> tuple[Tensor, Tensor]:
        """Both (n, codes)."""
        mean, log_std = self.pair(hx, hy).chunk(2, -1)
        return mean, log_std.clamp(-4, 2)


def teacher(f: nn.Module, within: bool) -> Method:
    """A slow copy as the target, and no penalty of the population, or that within pairs only."""
    pair = JointEmbedding(f, EMA(f, 0.99), Reconstruction(Operators(DIM, 3)), x_ndim=3)
    energy = FreeEnergy(pair, Enumerate(torch.eye(3)), DIM / 10)
    kept = Within(VICReg()) if within else None
    return Method(energy, Regularized(kept, energy_weight=0.3), encoder=f)


def circle(f: nn.Module, frequencies: int, *, descend: bool = False) -> Method:
    """z an angle: on a grid of 24, or by L-BFGS from 4 starts."""
    infer = LBFGS(Circle().atoms(4), steps=8, tolerance=1.0) if descend else None
    atoms = Enumerate(Circle().atoms(24))
    return jepa(f, 1, predictor=Rotations(DIM, frequencies), infer=infer or atoms)


def warm(f: nn.Module, temperature: float) -> Method:
    """The default at another temperature."""
    return jepa(f, temperature=temperature)


VIC = VICReg()
SIG = SIGReg(256)

CONTENDERS = {
    "default": Contender(jepa),
    "no z, VICReg": Contender(lambda f: jepa(f, 0)),
    "MLP, VICReg": Contender(lambda f: jepa(f, predictor=mlp(), regularizer=VIC)),
    "MLP, VICReg + within": Contender(lambda f: jepa(f, predictor=mlp())),
    "operators, VICReg": Contender(lambda f: jepa(f, regularizer=VIC)),
    "operators, SIGReg": Contender(lambda f: jepa(f, regularizer=SIG)),
    "operators, SIGReg + within": Contender(lambda f: jepa(f, regularizer=SIG + Within(SIG))),
    "operators, EMA": Contender(lambda f: teacher(f, within=False)),
    "operators, EMA + within": Contender(lambda f: teacher(f, within=True)),
    "AmortizedCategorical, one draw": Contender(
        lambda f: jepa(f, infer=AmortizedCategorical(Pairwise(3)))
    ),
    "AmortizedCategorical, all codes": Contender(
        lambda f: jepa(f, infer=AmortizedCategorical(Pairwise(3), samples=None))
    ),
    "Gaussian z, MLP": Contender(
        lambda f: jepa(f, 2, predictor=mlp(2), infer=Amortized(Gaussian(2)))
    ),
    "LBFGS on a circle": Contender(lambda f: circle(f, 4, descend=True)),
    "SimCLR": Contender(lambda f: methods.simclr(f, DIM, x_ndim=3), views=True),
    "pixels": Contender(lambda f: None),
    "eight actions": Contender(lambda f: jepa(f, 8), actions=8),
    "any angle, 4 frequencies": Contender(lambda f: circle(f, 4), actions=0),
    "any angle, 2 frequencies": Contender(lambda f: circle(f, 2), actions=0),
    "any angle, 2 frequencies, best of 5": Contender(lambda f: circle(f, 2), actions=0, starts=5),
    "T = 0": Contender(lambda f: warm(f, 0.0)),
    "T = 10": Contender(lambda f: warm(f, 10.0)),
    "T = 30": Contender(lambda f: warm(f, 30.0)),
    "T = 100": Contender(lambda f: warm(f, 100.0)),
}
