"""One relation, many answers: six families of energies on the same pairs, and their results."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebmlab import methods
from ebmlab.data import Standardizer
from ebmlab.data.relations import inverse_sine
from ebmlab.energies import MLP, Uniform
from ebmlab.energy import Energy
from ebmlab.metrics import (
    branch_matches,
    code_std,
    conditional_nll,
    effective_rank,
    fit_temperature,
    grid_energies,
)
from ebmlab.networks import MLP as Net
from ebmlab.networks import Choice
from ebmlab.protocols import Method
from ebmlab.slices import over_pairs
from ebmlab.training import Recording, Stepping, falling_cosine, fit
from ebmlab.types import Potential

__all__ = [
    "FAMILIES",
    "Family",
    "Problem",
    "Trained",
    "draw_problem",
    "judged",
    "precision",
    "same_temperature",
    "train",
]

CODES, DIM, WARM, RATE, DEPTH = 3, 4, 0.2, 1e-2, 5.0
LO, HI = -0.1, 1.1
SIZES = {"train": 8192, "validation": 2000, "test": 4000}


class Problem(NamedTuple):
    """The inverse problem x = y + 0.3 sin 2πy + noise, split and standardized.

    `splits` holds raw pairs; networks see them through `x_scale` and `y_scale`. `grid` is of
    raw y.
    """

    splits: dict[str, tuple[Tensor, Tensor]]
    x_scale: Standardizer
    y_scale: Standardizer
    grid: Tensor

    def seen(self, split: str) -> tuple[Tensor, Tensor]:
        """The standardized pairs of a split."""
        x, y = self.splits[split]
        return self.x_scale.apply(x), self.y_scale.apply(y)

    @property
    def seen_grid(self) -> Tensor:
        """The grid in standardized units."""
        return self.y_scale.apply(self.grid[:, None])[:, 0]

    def true_nll(self) -> float:
        """The true density's result on the test pairs, in nats: no model can do better."""
        x, y = self.splits["test"]
        return float(-inverse_sine.log_density(x.double(), y.double()).mean())

    def over_plane(self, energy: Energy, temperature: float) -> Potential:
        """E(x, y) / T as a function of raw points (x, y)."""
        u = over_pairs(energy)
        mean = torch.cat([self.x_scale.mean, self.y_scale.mean])
        std = torch.cat([self.x_scale.std, self.y_scale.std])
        return Potential(lambda point: u((point - mean) / std) / temperature)


class Family(NamedTuple):
    """One way to learn the relation: how it is built, and what to look for in its picture.

    `temperature` is that of its energy, where it has one; else it is fitted.
    """

    key: str
    title: str
    build: Callable[[Problem], Method]
    lesson: str
    temperature: float | None = None


@dataclass(frozen=True)
class Trained:
    """A trained family: its method, its results, and the temperature that fits it."""

    family: Family
    method: Method
    results: dict[str, float]


def _contrastive(problem: Problem) -> Method:
    low, high = problem.seen_grid[:1], problem.seen_grid[-1:]
    return methods.noise_contrastive(MLP(1, x_dim=1, hidden=(64, 64)), Uniform(low, high), k=16)


def _latent(temperature: float) -> Method:
    decoder = Choice(Net(1, CODES, (64, 64)), CODES)
    return methods.latent_prediction(decoder, torch.eye(CODES), temperature)


def _encoder() -> nn.Module:
    return Net(1, DIM, (64, 64))


FAMILIES = (
    Family(
        "regression",
        "regression",
        lambda problem: methods.regression(Net(1, 1, (64, 64))),
        "It failed. One valley for each x: where three y are right it goes through their middle.",
    ),
    Family(
        "joint_embedding",
        "joint embedding, no cure",
        lambda problem: methods.joint_embedding(_encoder(), _encoder()),
        "It failed. Two networks, the encoders, turn x and y into codes (short lists of numbers); "
        "the energy is the distance between them. Pushed down on the data only, both encoders "
        "give one code for everything, which is called collapse: the energy is flat, and every y "
        "fits every x.",
    ),
    Family(
        "contrastive",
        "contrastive",
        _contrastive,
        "It shows the energy wrong pairs, called negatives, and pushes those up. Valleys remain "
        "at the right answers, and their depth says how likely each is.",
    ),
    Family(
        "vicreg",
        "joint embedding, VICReg",
        lambda problem: methods.vicreg(_encoder(), DIM, _encoder(), cov=5.0),
        "No wrong pair is ever shown. The same two encoders, but their codes must keep their "
        "spread, and that alone cures the collapse.",
    ),
    Family(
        "latent",
        "latent variable, min over z",
        lambda problem: _latent(0.0),
        "A hidden choice z picks one of three predictions; the best choice counts. It finds all "
        "three answers, but keeps three where only one is right: see the false valleys left and "
        "right. All are equally wide, though the true ones are not.",
    ),
    Family(
        "latent_warm",
        f"latent variable, T = {WARM}",
        lambda problem: _latent(WARM),
        "All choices z count, weighed at a temperature T: the ridges between valleys melt, and "
        "with them the sharp answers. Compare it with the panel before.",
        WARM,
    ),
)


def draw_problem(seed: int, device: torch.device) -> Problem:
    """Draw all splits from one generator."""
    rng = torch.Generator(device).manual_seed(seed)
    splits = {name: inverse_sine(n, rng) for name, n in SIZES.items()}
    x, y = splits["train"]
    grid = torch.linspace(LO, HI, 601, device=device)
    return Problem(splits, Standardizer.fit(x), Standardizer.fit(y), grid)


def train(family: Family, problem: Problem, *, steps: int, seed: int, progress: bool) -> Trained:
    """Build, train and judge one family; the seed decides its weights and its batches."""
    x, y = problem.seen("train")
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(seed)
        method = family.build(problem).to(x.device)
    before = _codes(method, problem)
    began = time.perf_counter()
    fit(
        method,
        (x, y),
        steps=steps,
        rng=torch.Generator(x.device).manual_seed(seed),
        batch_size=256,
        lr=RATE,
        stepping=Stepping(schedule=falling_cosine),
        record=Recording(title=family.title, progress=progress),
    )
    results = judged(method.energy, problem, family.temperature) | {
        "seconds": time.perf_counter() - began
    }
    after = _codes(method, problem)
    if before is not None and after is not None:
        results |= {
            "code_std_start": code_std(before),
            "code_std": code_std(after),
            "effective_rank": effective_rank(after),
        }
    return Trained(family, method, results)


@torch.no_grad()
def _codes(method: Method, problem: Problem) -> Tensor | None:
    """Codes of the held-out x, where the family has codes of more than the answer itself."""
    if method.encoder is None:
        return None
    codes = method.encode(problem.seen("test")[0])
    return codes if codes.shape[-1] > 1 else None


def judged(energy: Energy, problem: Problem, temperature: float | None = None) -> dict[str, float]:
    """Held-out likelihood by exact normalization on the grid, and the right answers found.

    The temperature is fitted on the validation pairs unless given, the likelihood measured on the
    test pairs; recall is taken where three y are right, precision over all x.
    """
    grid, seen_grid = problem.grid, problem.seen_grid
    with torch.no_grad():
        if temperature is None:
            x, y = problem.seen("validation")
            temperature = fit_temperature(grid_energies(energy, x, seen_grid), grid, energy(x, y))
        x, y = problem.seen("test")
        nll = conditional_nll(grid_energies(energy, x, seen_grid), grid, energy(x, y), temperature)
        middle = torch.linspace(0.45, 0.55, 41, device=grid.device)
        rows = grid_energies(energy, problem.x_scale.apply(middle[:, None]), seen_grid)
    found = branch_matches(rows, grid, inverse_sine.branches(middle), temperature, depth=DEPTH)
    return {
        "nll": float(nll),
        "nll_above_truth": float(nll) - problem.true_nll(),
        "temperature": temperature,
        "branch_recall": found.recall,
        "branch_precision": precision(energy, problem, temperature),
    }


@torch.no_grad()
def precision(energy: Energy, problem: Problem, temperature: float) -> float:
    """The share of the minima of E(x, ·), over 101 x from 0 to 1, that are right answers.

    Right is what lies near a minimum of -log p(y | x) within `DEPTH` of the lowest: beside a fold
    the noise leaves an answer where the noise-free curve has none.
    """
    grid = problem.grid
    x = torch.linspace(0, 1, 101, device=grid.device)[:, None]
    rows = grid_energies(energy, problem.x_scale.apply(x), problem.seen_grid)
    truth = -inverse_sine.log_density(x[:, None], grid[None, :, None])
    walled = torch.nn.functional.pad(truth, (1, 1), value=torch.inf)
    lowest = (truth < walled[:, :-2]) & (truth <= walled[:, 2:])
    right = lowest & (truth - truth.amin(1, keepdim=True) <= DEPTH)
    answers = [grid[row] for row in right]
    return branch_matches(rows, grid, answers, temperature, depth=DEPTH).precision


def same_temperature(trained: list[Trained], problem: Problem) -> list[Trained]:
    """The embedding without a cure, judged again at the temperature of the one with VICReg.

    Its own fitted temperature is tiny, and magnifies what is left of a flat energy.
    """
    cured = {t.family.key: t.results["temperature"] for t in trained}.get("vicreg")
    if cured is None:
        return trained
    return [
        replace(t, results=t.results | judged(t.method.energy, problem, cured))
        if t.family.key == "joint_embedding"
        else t
        for t in trained
    ]
