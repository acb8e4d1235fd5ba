"""What the explorer must compute: the library's answers to questions with all numbers given.

`python explorer/reference.py` prints them as JSON: {name: {"given": …, "answer": …}}, arrays flat.
"""

import json
import sys
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from ebmlab import Energy, FreeEnergy, FunctionEnergy
from ebmlab.energies import (
    Assignment,
    Banana,
    Cosine,
    Density,
    DoubleWell,
    Funnel,
    Gaussian,
    GaussianMixture,
    Ring,
    SquaredDistance,
)
from ebmlab.inference import Enumerate, Sinkhorn
from ebmlab.inference._clusters.sinkhorn import balanced
from ebmlab.losses import HeldDifference
from ebmlab.metrics import rankme, rhat
from ebmlab.objectives import NCE, DenoisingScore, EnergyDiscrepancy, Likelihood, NTXent, Regularized
from ebmlab.partition import nodes, trapezoid
from ebmlab.perturbations import Perturbation
from ebmlab.prediction import calibrate
from ebmlab.protocols import Objective
from ebmlab.regularizers import VICReg
from ebmlab.samplers import HMC, MALA, Langevin, ParallelTempering
from ebmlab.samplers._steps.leapfrog import Phase, leap
from ebmlab.samplers._steps.start import noise_like
from ebmlab.samplers.hmc import HMCNoise
from ebmlab.samplers.mala import MetropolisNoise
from ebmlab.samplers.metric import IDENTITY

__all__ = ["questions"]

Flat = dict[str, list[float]]
HOLD, WIDTH, STEPS = 0.1, 32, 50
MEANS = ((-2.0, 0.0), (2.0, 0.0), (0.0, 1.5))


def questions() -> dict[str, dict[str, Flat]]:
    """Every question by name: what is given, and the library's answer."""
    asked: dict[str, dict[str, Flat]] = {}
    for ask in (_landscapes, _chains, _mixing, _networks, _latent, _codes, _sets):
        asked |= {name: _question(*pair) for name, pair in ask().items()}
    return asked


Parts = dict[str, Tensor]
Asked = dict[str, tuple[Parts, Parts]]


def _question(given: Parts, answer: Parts) -> dict[str, Flat]:
    flat = {"given": given, "answer": answer}
    return {
        side: {name: t.double().flatten().tolist() for name, t in parts.items()}
        for side, parts in flat.items()
    }


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def _uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def _number(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _mixture() -> GaussianMixture:
    return GaussianMixture(torch.tensor(MEANS, dtype=torch.float64), 0.5)


def _landscapes() -> Asked:
    y = 1.5 * _normal(40, 2)
    named = {
        "double_well": DoubleWell(2.0),
        "mixture": _mixture(),
        "ring": Ring(),
        "banana": Banana(),
        "funnel": Funnel(),
    }
    asked: Asked = {}
    for name, energy in named.items():
        heights, slope = energy.given().value_and_grad(y)
        asked[name] = {"y": y}, {"energy": heights, "slope": slope}
    return asked


def _chains() -> Asked:
    u, start = _mixture().given(), _number(-1.5, 0.5)[None]
    push, limits = _normal(STEPS, 1, 2, seed=1), _uniform(STEPS, 1, seed=2)
    given = {"start": start, "push": push, "threshold": limits}
    place = _number(0.5)[0]
    kernels = {
        "langevin": (Langevin(0.05), lambda i: push[i]),
        "mala": (MALA(0.2), lambda i: MetropolisNoise(push[i], limits[i])),
        "hmc": (HMC(0.3, 8), lambda i: HMCNoise(push[i], limits[i], place)),
    }
    asked: Asked = {}
    for name, (kernel, noise) in kernels.items():
        state, kept = kernel.init(u, start, Generator()), []
        for i in range(STEPS):
            state, _ = kernel.move(u, state, noise(i))
            kept.append(state.y)
        size = {"size": _number(kernel.step_size), "steps": _number(8)}
        asked[name] = given | size, {"y": torch.stack(kept), "energy": state.energy}
    return asked | {"tempering": _tempering(), "leapfrog": _leapfrog()}


def _tempering() -> tuple[Parts, Parts]:
    temperatures = (1.0, 3.0, 9.0, 27.0)
    push, limits = _normal(STEPS, 4, 1, 2, seed=3), _uniform(STEPS, 4, 1, seed=4)
    swap, start = _uniform(STEPS, 1, 3, seed=5), _number(-2.0, 0.0)[None]
    kernel = ParallelTempering(lambda t: MALA(0.1 * t), temperatures)
    u, kept = _mixture().given(), []
    state = kernel.init(u, start, Generator())
    for i in range(STEPS):
        moves = tuple(MetropolisNoise(push[i, k], limits[i, k]) for k in range(4))
        state, _ = kernel.move(u, state, (moves, swap[i]))
        kept.append(state.y)
    given = {"start": start, "push": push, "threshold": limits, "swap": swap}
    given |= {"size": _number(0.1), "temperatures": _number(*temperatures)}
    return given, {"y": torch.stack(kept)}


def _leapfrog() -> tuple[Parts, Parts]:
    u, start, push = Banana().given(), _number(0.5, -0.5)[None], _normal(1, 2, seed=6)
    phase, kept = Phase(start, *u.value_and_grad(start), push), []
    for _ in range(20):
        phase = leap(u, IDENTITY, phase, 0.1)
        kept.append(torch.cat([phase.y, phase.momentum], -1))
    given = {"start": start, "push": push, "size": _number(0.1), "steps": _number(20)}
    return given, {"y": torch.stack(kept)}


def _mixing() -> Asked:
    samples = (_normal(101, 6, 1, seed=7) + 0.1 * torch.arange(6.0)[:, None]).round(decimals=1)
    p = _uniform(200, seed=8)
    return {
        "rhat": ({"samples": samples[..., 0].mT, "chains": _number(6)}, {"rhat": rhat(samples)}),
        "quantile": ({"p": p}, {"quantile": torch.special.ndtri(p)}),
    }


class _Held(Energy):
    """network(y) + ½ κ ‖y‖²: the explorer's landscape, in double precision."""

    takes_x = False

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Linear(2, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU()]
        self.network = nn.Sequential(*layers, nn.Linear(WIDTH, 1)).double()
        with torch.no_grad():
            for seed, weight in enumerate(self.parameters()):
                weight.copy_(0.4 * _normal(*weight.shape, seed=seed))

    def forward(self, x: object, y: Tensor, z: object = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.network(y).squeeze(-1) + 0.5 * HOLD * y.square().sum(-1)

    def gradient(self) -> Tensor:
        """All weights' gradients in one row."""
        grads = (torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters())
        return torch.cat([grad.flatten() for grad in grads])

    @property
    def numbers(self) -> Parts:
        weights = torch.cat([p.detach().flatten() for p in self.parameters()])
        return {"weights": weights, "hold": _number(HOLD)}


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


def _networks() -> Asked:
    energy, y = _Held(), _normal(24, 2, seed=9)
    heights, slope = energy.given().value_and_grad(y)
    lo, hi, box = _number(-4.0, -4.0), _number(4.0, 4.0), _number(-4.0, 4.0, 40)
    points, log_weights = nodes(lo, hi, 40, trapezoid)
    with torch.no_grad():
        log_z = (log_weights - energy(None, points)).logsumexp(0)
    nll = Likelihood.on_grid(lo, hi, 40)(energy, None, y, None).value
    asked: Asked = {
        "network": (energy.numbers | {"y": y}, {"energy": heights, "slope": slope}),
        "nll": (energy.numbers | {"y": y, "box": box}, {"log_z": log_z, "nll": nll}),
    }
    noise, back = 2 * _normal(96, 2, seed=10), y.repeat(4, 1) + 0.5 * _normal(96, 2, seed=11)
    drawn = noise_like(y, Generator().manual_seed(12))
    losses: dict[str, tuple[Objective, Parts]] = {
        "likelihood": (Likelihood.on_grid(lo, hi, 40), {"box": box}),
        "noise_contrast": (NCE(_Given(2.0, noise), 4), {"noise": noise, "scale": _number(2.0)}),
        "denoising_score": (DenoisingScore(0.3), {"noise": drawn, "sigma": _number(0.3)}),
        "energy_discrepancy": (EnergyDiscrepancy(_Back(back)), {"back": back}),
    }
    for name, (objective, given) in losses.items():
        asked[name] = _loss(
            lambda e, o=objective: o(e, None, y, Generator().manual_seed(12)).value, {"y": y} | given
        )
    negatives = _normal(24, 2, seed=13)

    def apart(e: _Held) -> Tensor:
        return HeldDifference(0.02)(e(None, y), e(None, negatives)[:, None]).mean()

    return asked | {"contrastive_divergence": _loss(apart, {"y": y, "negatives": negatives, "alpha": _number(0.02)})}


def _loss(of: Callable[[_Held], Tensor], given: Parts) -> tuple[Parts, Parts]:
    energy = _Held()
    value = of(energy)
    value.backward()
    return energy.numbers | given, {"value": value.detach(), "gradient": energy.gradient()}


def _latent() -> Asked:
    return {"latent": _gaussians(), "ellipse": _ellipse()}


def _gaussians() -> tuple[Parts, Parts]:
    """F at T = 1 over which of five Gaussians: the uniform prior's 1/K is given back."""
    logits, log_scale = 0.3 * _normal(5, seed=14), 0.2 * _normal(5, seed=15)
    weights = [t.requires_grad_() for t in (logits, log_scale, _normal(5, 2, seed=16))]

    def gaussian(y: Tensor, z: Tensor) -> Tensor:
        logits, log_scale, means = weights
        k = z[..., 0].long()
        off = (y - means[k]).square().sum(-1) / (2 * (2 * log_scale).exp()[k])
        level = torch.log(2 * _number(torch.pi)[0]) + 2 * log_scale[k]
        return off + level - logits.log_softmax(0)[k] - _number(5).log()[0]

    energy = FunctionEnergy(gaussian, variables=("y", "z"))
    free = FreeEnergy(energy, Enumerate(torch.arange(5.0, dtype=torch.float64)[:, None]), 1.0)
    y = _normal(24, 2, seed=17)
    value = free(None, y).mean()
    grads = torch.autograd.grad(value, weights)
    whole = torch.cat([t.detach().flatten() for t in weights])
    answer = {"value": value.detach(), "gradient": torch.cat([g.flatten() for g in grads])}
    return {"weights": whole, "y": y}, answer


def _ellipse() -> tuple[Parts, Parts]:
    angles = torch.arange(48, dtype=torch.float64)[:, None] * (2 * torch.pi / 48)
    radii, y, temperatures = _number(2.0, 1.5), _number(0.7, -0.4)[None], _number(0.3, 1.0, 5.0)

    def distance(y: Tensor, z: Tensor) -> Tensor:
        circle = torch.cat([z.cos(), z.sin()], -1)
        return (y - radii * circle).square().sum(-1)

    energy = FunctionEnergy(distance, variables=("y", "z"))
    frees = [FreeEnergy(energy, Enumerate(angles), float(t)) for t in temperatures]
    coldest = FreeEnergy(energy, Enumerate(angles))(None, y)
    hottest = energy(None, y[None], angles[:, None]).mean(0)
    answer = {
        "free": torch.cat([free(None, y) for free in frees]),
        "limits": torch.cat([coldest, hottest]),
        "q": frees[0].posterior(None, y).weights,
    }
    given = {"y": y, "radii": radii, "atoms": _number(48), "temperatures": temperatures}
    return given, answer


def _codes() -> Asked:
    first, second, prototypes = _normal(12, 2, seed=18), _normal(12, 2, seed=19), _normal(5, 2)
    prototypes = nn.functional.normalize(prototypes)
    views = {"first": first, "second": second}

    class _Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(prototypes.clone())

        def forward(self, h: Tensor) -> Tensor:
            return nn.functional.normalize(h, dim=-1) @ self.weight.mT

    scores = _Scores()
    head = FreeEnergy(Assignment(scores, 0.1), Sinkhorn())
    value, grads = _pulled(lambda a, b: 0.5 * (head(a, b) + head(b, a)).mean(), views)
    moved = {"prototypes": scores.weight.grad}
    assigned = views | {"prototypes": prototypes, "temperature": _number(0.1)}
    vicreg = Regularized(VICReg(25.0, 1.0), energy_weight=25.0 / 2)
    nt_xent, s = NTXent(0.5), scores(first).detach()
    return {
        "swav": (assigned, {"value": value} | grads | moved),
        "sinkhorn": ({"scores": s, "clusters": _number(5)}, {"q": balanced(s)[0]}),
        "info_nce": _pull(
            lambda a, b: 0.5 * (nt_xent(Cosine(), a, b, None).value + nt_xent(Cosine(), b, a, None).value),
            views,
            {"temperature": _number(0.5)},
        ),
        "vicreg": _pull(lambda a, b: vicreg(SquaredDistance(), a, b, None).value, views, {}),
        "cosine": _pull(lambda a, b: Cosine()(a, b).mean(), views, {}),
        "rank": ({"codes": first}, {"rank": _number(rankme(first))}),
    }


def _pulled(of: Callable[[Tensor, Tensor], Tensor], views: Parts) -> tuple[Tensor, Parts]:
    sides = {name: t.clone().requires_grad_() for name, t in views.items()}
    value = of(*sides.values())
    value.backward()
    return value.detach(), {name: t.grad for name, t in sides.items() if t.grad is not None}


def _pull(
    of: Callable[[Tensor, Tensor], Tensor], views: Parts, given: Parts
) -> tuple[Parts, Parts]:
    value, grads = _pulled(of, views)
    return views | given, {"value": value} | grads


def _sets() -> Asked:
    y, levels = _normal(99, 1, seed=20), _number(0.5, 0.8, 0.95)
    energy = FunctionEnergy(lambda y: y.square().sum(-1), variables=("y",))
    found = [calibrate(energy, None, y, float(level)).threshold for level in levels]
    given = {"energies": energy(None, y), "level": levels}
    return {"conformal": (given, {"threshold": torch.stack(found)})}


if __name__ == "__main__":
    json.dump(questions(), sys.stdout)
