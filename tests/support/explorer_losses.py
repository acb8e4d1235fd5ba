"""The explorer's network and the losses of its weights, in double precision."""

from collections.abc import Callable

import torch
from explorer_numbers import Asked, Parts, normal, number
from torch import Generator, Tensor, nn

from ebmlab import Energy
from ebmlab.energies import Density, Gaussian
from ebmlab.losses import HeldDifference
from ebmlab.objectives import NCE, DenoisingScore, EnergyDiscrepancy, Likelihood
from ebmlab.partition import nodes, trapezoid
from ebmlab.perturbations import Perturbation
from ebmlab.protocols import Objective
from ebmlab.samplers._steps.start import noise_like

__all__ = ["networks"]

HOLD, WIDTH = 0.1, 32


class _Held(Energy):
    """network(y) + ½ κ ‖y‖²: the explorer's landscape, in double precision."""

    takes_x = False

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Linear(2, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU()]
        self.network = nn.Sequential(*layers, nn.Linear(WIDTH, 1)).double()
        with torch.no_grad():
            for seed, weight in enumerate(self.parameters()):
                weight.copy_(0.4 * normal(*weight.shape, seed=seed))

    def forward(self, x: object, y: Tensor, z: object = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.network(y).squeeze(-1) + 0.5 * HOLD * y.square().sum(-1)

    def gradient(self) -> Tensor:
        """All weights' gradients in one row."""
        grads = (torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters())
        return torch.cat([grad.flatten() for grad in grads])

    @property
    def numbers(self) -> Parts:
        weights = torch.cat([p.detach().flatten() for p in self.parameters()])
        return {"weights": weights, "hold": number(HOLD)}


class _Back(Perturbation):
    """Leads to given points."""

    def __init__(self, points: Tensor) -> None:
        self.points = points

    def forward(self, y: Tensor, rng: Generator) -> Tensor:
        return y

    def back(self, y: Tensor, rng: Generator) -> Tensor:
        return self.points


class _Given(Density):
    """A Gaussian whose draws are given."""

    def __init__(self, scale: float, points: Tensor) -> None:
        super().__init__()
        self.dim, self.points = 2, points
        eye = torch.eye(2, dtype=torch.float64)
        self.law = Gaussian(torch.zeros(2, dtype=torch.float64), scale**2 * eye)

    def potential(self, y: Tensor) -> Tensor:
        return self.law.potential(y)

    @property
    def log_z(self) -> Tensor:
        return self.law.log_z

    def sample(self, n: int, rng: Generator) -> Tensor:
        return self.points


def networks() -> Asked:
    energy, y = _Held(), normal(24, 2, seed=9)
    heights, slope = energy.given().value_and_grad(y)
    lo, hi, box = number(-4.0, -4.0), number(4.0, 4.0), number(-4.0, 4.0, 40)
    points, log_weights = nodes(lo, hi, 40, trapezoid)
    with torch.no_grad():
        log_z = (log_weights - energy(None, points)).logsumexp(0)
    nll = Likelihood.on_grid(lo, hi, 40)(energy, None, y, None).value
    asked: Asked = {
        "network": (energy.numbers | {"y": y}, {"energy": heights, "slope": slope}),
        "nll": (energy.numbers | {"y": y, "box": box}, {"log_z": log_z, "nll": nll}),
    }
    noise, back = 2 * normal(96, 2, seed=10), y.repeat(4, 1) + 0.5 * normal(96, 2, seed=11)
    drawn = noise_like(y, Generator().manual_seed(12))
    losses: dict[str, tuple[Objective, Parts]] = {
        "likelihood": (Likelihood.on_grid(lo, hi, 40), {"box": box}),
        "noise_contrast": (NCE(_Given(2.0, noise), 4), {"noise": noise, "scale": number(2.0)}),
        "denoising_score": (DenoisingScore(0.3), {"noise": drawn, "sigma": number(0.3)}),
        "energy_discrepancy": (EnergyDiscrepancy(_Back(back)), {"back": back}),
    }
    for name, (objective, given) in losses.items():
        asked[name] = _loss(
            lambda e, o=objective: o(e, None, y, Generator().manual_seed(12)).value,
            {"y": y} | given,
        )
    negatives = normal(24, 2, seed=13)

    def apart(e: _Held) -> Tensor:
        return HeldDifference(0.02)(e(None, y), e(None, negatives)[:, None]).mean()

    return asked | {
        "contrastive_divergence": _loss(
            apart, {"y": y, "negatives": negatives, "alpha": number(0.02)}
        )
    }


def _loss(of: Callable[[_Held], Tensor], given: Parts) -> tuple[Parts, Parts]:
    energy = _Held()
    value = of(energy)
    value.backward()
    return energy.numbers | given, {"value": value.detach(), "gradient": energy.gradient()}
