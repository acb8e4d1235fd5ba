"""Sound calls of all that is public, with their tensors by name, so that one can be damaged."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import torch
from laws_support import CODES, X1, X3, Y2, Joined, embedding, free, latent, net, normal
from test_laws_shipped_energies import ENERGIES
from test_laws_shipped_inferences import INFERENCES, OTHER_Y
from test_laws_shipped_objectives import LOSSES, NEGATIVES, OBJECTIVES
from test_laws_shipped_samplers import COUPLED, DISCRETE, SAMPLERS
from torch import nn

from ebmlab import FreeEnergy, metrics, partition, prediction, regularizers, run, samplers
from ebmlab.energies import MLP, DoubleWell, Gaussian
from ebmlab.inference import Descent, Enumerate
from ebmlab.losses import Hinge
from ebmlab.objectives import Contrastive

Inputs = dict[str, Any]


class Call(NamedTuple):
    """A function of named trees of tensors, and sound ones for it."""

    use: Callable[..., object]
    inputs: Inputs


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _xyz(energy, x, y, z=None) -> tuple[Any, Inputs]:
    return energy, {"x": x, "y": y} | ({} if z is None else {"z": z})


def _energy(build: Callable[[], tuple]) -> Call:
    energy, inputs = _xyz(*build())
    draws = {"rng": rng()} if energy.stochastic else {}
    return Call(lambda **t: energy(**t, **draws), inputs)


def _gradient(build: Callable[[], tuple]) -> Call:
    energy, inputs = _xyz(*build())
    draws = {"rng": rng()} if energy.stochastic else {}

    def use(x, y, z=None):
        return energy.given(x, z=z, **draws).value_and_grad(y)

    return Call(use, inputs)


def _posterior(name: str) -> Call:
    infer, energy, x, temperature, _ = INFERENCES[name]()
    whole = FreeEnergy(energy, infer, temperature)
    return Call(
        lambda x, y: whole.posterior(x, y, rng=rng()), {"x": x, "y": OTHER_Y.get(name, Y2)}
    )


def _shaped(build: Callable[[], tuple]) -> Call:
    objective, energy, x, y = build()
    return Call(lambda x, y: objective(energy, x, y, rng()), {"x": x, "y": y})


def _shown(kind: str) -> Call:
    energy, x, y, points = NEGATIVES[kind]()
    return _shaped(lambda: (Contrastive(Hinge(), points), energy, x, y))


def _states(build: Callable[[], tuple]) -> Call:
    sampler, u, y = build()
    return Call(lambda y: run(sampler, u, y, steps=2, rng=rng()), {"y": y})


def _chains(build: Callable[[], tuple]) -> Call:
    return _states(lambda: (build()[0], SCALARS, Y2))


SCALARS = nn.Sequential(net(2, 1), nn.Flatten(0))
LOGITS, WHICH6 = normal(6, 3, seed=31), torch.tensor([0, 1, 2, 0, 1, 2])
DRAWS, MORE = normal(12, 2, seed=32), normal(12, 2, seed=33)
CHAINS = normal(8, 3, 2, seed=34)
HALVES = torch.tensor([0, 1] * 6)
GRID, ENERGIES_OF_GRID = torch.linspace(-2, 2, 9), normal(4, 9, seed=35)
AT = normal(4, seed=36)
PAIR = {"x": X1, "y": Y2}
PROBABLE = {"probabilities": LOGITS.softmax(1), "labels": WHICH6}
LABELED = {"codes": DRAWS, "labels": HALVES, "test_codes": MORE, "test_labels": HALVES}
BOX = {"lo": -torch.ones(2), "hi": torch.ones(2)}
WELL = DoubleWell().given()

# Metrics: name -> (function, its tensors, what else it takes).
METRICS: dict[str, tuple[Callable, Inputs, dict]] = {
    **{
        name: (getattr(metrics, name), {"codes": DRAWS}, {})
        for name in ("effective_rank", "rankme", "code_std", "dimension_std", "uniformity")
    },
    **{
        name: (getattr(metrics, name), {"samples": CHAINS}, {})
        for name in (
            "autocorrelation", "ess", "ess_mean", "ess_std", "ess_tail", "mcse", "mcse_std",
            "rhat", "summary",
        )
    },
    "alpha_req": (metrics.alpha_req, {"codes": normal(30, 8)}, {}),
    "auroc": (metrics.auroc, {"usual": DRAWS[:, 0], "odd": MORE[:, 0]}, {}),
    "reliability": (metrics.reliability, PROBABLE, {}),
    "calibration_error": (
        metrics.calibration_error, PROBABLE, {},
    ),
    "temperature_scaling": (metrics.temperature_scaling, {"logits": LOGITS, "labels": WHICH6}, {}),
    "circular_correlation": (
        metrics.circular_correlation, {"a": DRAWS[:, 0], "b": MORE[:, 0]}, {},
    ),
    "conditional_nll": (
        metrics.conditional_nll,
        {"energies": ENERGIES_OF_GRID, "grid": GRID, "at": AT},
        {"temperature": 1.0},
    ),
    "fit_temperature": (
        metrics.fit_temperature, {"energies": ENERGIES_OF_GRID, "grid": GRID, "at": AT}, {},
    ),
    "branch_matches": (
        lambda energies, grid, a, b: metrics.branch_matches(energies, grid, [a, b], 1.0),
        {"energies": ENERGIES_OF_GRID[:2], "grid": GRID, "a": AT, "b": -AT},
        {},
    ),
    "grid_energies": (
        lambda x, grid: metrics.grid_energies(MLP(1, 1, hidden=(4,)), x, grid),
        {"x": X1, "grid": GRID},
        {},
    ),
    "ebfmi": (metrics.ebfmi, {"energies": normal(12, 3)}, {}),
    "potential_ebfmi": (metrics.potential_ebfmi, {"energies": normal(12, 3)}, {"dim": 2}),
    "energy_score": (metrics.energy_score, {"draws": CHAINS, "truth": normal(3, 2)}, {}),
    "energy_score, weights": (
        lambda draws, truth, weights: metrics.energy_score(draws, truth, weights=weights),
        {"draws": CHAINS, "truth": normal(3, 2), "weights": normal(8, 3).softmax(0)},
        {},
    ),
    "frechet_distance": (metrics.frechet_distance, {"a": DRAWS, "b": MORE}, {}),
    "information": (
        lambda x, y: metrics.information(free(Enumerate(CODES), 0.5), x, y), PAIR, {},
    ),
    "gain": (
        lambda x, y, z: metrics.gain(free(Enumerate(CODES), 0.5), x, y, z),
        {"x": X1, "y": Y2, "z": CODES},
        {},
    ),
    "leak": (
        metrics.leak,
        {"x": normal(30, 2, seed=1), "z": normal(30, 2, seed=2), "y": normal(30, 2, seed=3)},
        {"rng": None},
    ),
    "precision_recall": (metrics.precision_recall, {"samples": DRAWS, "data": MORE}, {}),
    "memorization": (
        metrics.memorization, {"samples": DRAWS, "train": MORE, "held": normal(5, 2)}, {},
    ),
    "nearest": (metrics.nearest, {"points": DRAWS, "data": MORE}, {}),
    "mode_weights": (metrics.mode_weights, {"points": DRAWS, "modes": normal(2, 2)}, {}),
    "mutual_information": (
        metrics.mutual_information, {"z": HALVES, "factor": WHICH6.repeat(2)}, {"rng": None},
    ),
    "adjusted_rand": (metrics.adjusted_rand, {"z": HALVES, "factor": WHICH6.repeat(2)}, {}),
    "knn_accuracy": (metrics.knn_accuracy, LABELED, {"k": 3}),
    "linear_probe": (metrics.linear_probe, LABELED, {}),
    "r_squared": (
        metrics.r_squared,
        {"codes": DRAWS, "targets": MORE, "test_codes": MORE, "test_targets": DRAWS},
        {},
    ),
    "probes": (
        lambda codes, labels: metrics.probes({"h": codes}, labels, rng=rng()),
        {"codes": normal(40, 2), "labels": torch.tensor([0, 1] * 20)},
        {},
    ),
    "nll": (lambda y: metrics.nll(WELL, y, 0.5), {"y": Y2}, {}),
    "rate_distortion": (
        lambda x, y: metrics.rate_distortion(free(Enumerate(CODES)), x, y, (0.5, 1.0)),
        PAIR,
        {},
    ),
    "ksd": (lambda samples: metrics.ksd(samples, WELL), {"samples": DRAWS}, {}),
    "straightness": (metrics.straightness, {"codes": normal(3, 5, 2)}, {}),
    "mmd": (metrics.mmd, {"x": DRAWS, "y": MORE}, {}),
    "mmd_test": (metrics.mmd_test, {"x": DRAWS, "y": MORE}, {"rng": None, "permutations": 9}),
    "typicality": (metrics.typicality, {"usual": DRAWS[:, 0], "energies": MORE[:, 0]}, {}),
    "assignments": (
        lambda x, y: metrics.assignments(free(Enumerate(CODES), 0.5), x, y), PAIR, {},
    ),
    "code_use": (metrics.code_use, {"q": normal(6, 3).softmax(1)}, {}),
    "alignment": (metrics.alignment, {"hx": DRAWS, "hy": MORE}, {}),
}  # fmt: skip


def _noisy(data, generator):
    return None, data + 0.1 * torch.randn(data.shape, generator=generator)


# Predictions and partition functions: name -> (function, its tensors).
PREDICTIONS: dict[str, tuple[Callable, Inputs]] = {
    "balls_volume": (
        lambda centers, radius: prediction.balls_volume(centers, radius, rng()),
        {"centers": normal(3, 4, 2), "radius": torch.tensor(0.7)},
    ),
    "calibrate": (
        lambda x, y: prediction.calibrate(MLP(2, 3, hidden=(4,)), x, y, 0.5),
        {"x": normal(9, 3), "y": normal(9, 2)},
    ),
    "calibrate_choices": (
        lambda values, x, y: prediction.calibrate_choices(
            MLP(2, 3, hidden=(4,)), values, x, y, 0.5
        ),
        {"values": normal(3, 2), "x": normal(9, 3), "y": normal(3, 2)[torch.arange(9) % 3]},
    ),
    "centers": (lambda x: prediction.centers(free(Enumerate(CODES)), x), {"x": X1}),
    "anomaly": (lambda data: prediction.anomaly(DoubleWell(), data, _noisy, rng()), {"data": Y2}),
    "low_energy_volume": (
        lambda threshold, lo, hi: prediction.low_energy_volume(
            WELL, threshold, lo, hi, points=64, rng=rng()
        ),
        {"threshold": torch.tensor(1.0), **BOX},
    ),
    "predict": (
        lambda x: prediction.predict(free(Enumerate(CODES), 0.5), x, 2, rng=rng()), {"x": X1},
    ),
    "rank": (
        lambda x, candidates, right: prediction.rank(embedding(), x, candidates, right),
        {"x": X3, "candidates": normal(6, 3), "right": torch.tensor([0, 1, 2, 5])},
    ),
    "retrieve": (
        lambda x, candidates: prediction.retrieve(embedding(), x, candidates, 2),
        {"x": X3, "candidates": normal(6, 3)},
    ),
    "slope_norms": (
        lambda data: prediction.slope_norms(MLP(2, hidden=(4,)), data), {"data": Y2},
    ),
    "think": (
        lambda x, start: prediction.think(
            MLP(2, 3, hidden=(4,)), x, start, solver=Descent(steps=2), steps=2
        ),
        {"x": X3, "start": Y2},
    ),
    "quadrature": (lambda lo, hi: partition.quadrature(WELL, lo, hi, resolution=8), BOX),
    "nodes": (lambda lo, hi: partition.nodes(lo, hi, 8), BOX),
    "ais": (
        lambda times: partition.ais(
            WELL, Gaussian(torch.zeros(2), torch.eye(2)), samplers.MALA(0.1), times=times,
            chains=4, rng=rng(),
        ),
        {"times": torch.linspace(0, 1, 4)},
    ),
    "smc": (
        lambda times: partition.smc(
            WELL, Gaussian(torch.zeros(2), torch.eye(2)), samplers.MALA(0.1), times=times,
            particles=4, populations=2, rng=rng(),
        ),
        {"times": torch.linspace(0, 1, 4)},
    ),
    "reverse_ais": (
        lambda draws, times: partition.reverse_ais(
            WELL, draws, Gaussian(torch.zeros(2), torch.eye(2)), samplers.MALA(0.1), times=times,
            rng=rng(),
        ),
        {"draws": Y2, "times": torch.linspace(0, 1, 4)},
    ),
    "evidence": (
        lambda x, y: partition.evidence(
            latent(), Joined(net(3, 1), net(3, 1)), x, y, samples=3, rng=rng()
        ),
        PAIR,
    ),
}  # fmt: skip


def _regularized(name: str) -> Call:
    kind = getattr(regularizers, name)
    regularizer = kind(0.5) if name == "MeanEntropy" else kind()
    sides = {"hx": normal(6, 3), "hy": normal(6, 3, seed=1)}
    return Call(lambda hx, hy: regularizer(hx, hy), sides)


def _metric(name: str) -> Call:
    function, inputs, rest = METRICS[name]

    def use(**tensors):
        given = {key: rng() if key == "rng" else value for key, value in rest.items()}
        return function(**tensors, **given)

    return Call(use, inputs)


def _loss(name: str) -> Call:
    return Call(lambda **t: LOSSES[name](**t), {"e_pos": normal(4), "e_neg": normal(4, 3)})


# No gradient passes to these y: they are whole numbers, several tensors, or held.
HELD = {
    "Predicted", "Categorical", "Categorical, sites", "Categorical, hidden", "Frequencies",
    "Normalized, sites", "PseudoEnergy", "Assignment", "Assignment of logits", "SuperClasses",
    "Supported", "Supported, views", "JointEmbedding, EMA", "JointEmbedding, Detached",
    "JointEmbedding, Predicted", "JointEmbedding, views", "FreeEnergy, Sinkhorn",
    "FreeEnergy, Sinkhorn, queue", "FreeEnergy, Centered", "FreeEnergy, SoftNearest",
    "FreeEnergy, Clustered", "FreeEnergy, SuperClustered",
}  # fmt: skip

# What is called, by its kind and name -> what builds the call.
CALLS: dict[tuple[str, str], Callable[[], Call]] = {
    **{("energy", name): partial(_energy, build) for name, build in ENERGIES.items()},
    **{
        ("gradient", name): partial(_gradient, build)
        for name, build in ENERGIES.items()
        if name not in HELD
    },
    **{("posterior", name): partial(_posterior, name) for name in INFERENCES},
    **{("objective", name): partial(_shaped, build) for name, build in OBJECTIVES.items()},
    **{("negatives", name): partial(_shown, name) for name in NEGATIVES},
    **{("loss", name): partial(_loss, name) for name in LOSSES},
    **{("sampler", name): partial(_chains, build) for name, build in (SAMPLERS | COUPLED).items()},
    **{("sampler", name): partial(_states, build) for name, build in DISCRETE.items()},
    **{
        ("regularizer", name): partial(_regularized, name)
        for name in ("VICReg", "BarlowTwins", "SIGReg", "MeanEntropy")
    },
    **{("metric", name): partial(_metric, name) for name in METRICS},
    **{("prediction", name): partial(Call, *row) for name, row in PREDICTIONS.items()},
}


@cache
def sound(kind: str, name: str) -> Call:
    """The call of this name, built once: nothing that is called changes."""
    torch.manual_seed(0)
    return CALLS[kind, name]()
