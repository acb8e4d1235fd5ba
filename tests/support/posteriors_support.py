"""The four posteriors once more: by scipy, in their constrained parameters, on any data."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from problems import F64, f64, generator, randn
from scipy import stats
from torch import Tensor

from ebmlab.data import posteriors
from ebmlab.data.posteriors import (
    EightSchools,
    GaussianProcess,
    LinearRegression,
    Unconstrained,
    lagged,
    posterior,
)

NAMES = ["eight_schools", "arK", "gp_regr", "kilpisjarvi"]
FOLDERS = {
    "eight_schools": "eight_schools-eight_schools_noncentered",
    "arK": "arK-arK",
    "gp_regr": "gp_pois_regr-gp_regr",
    "kilpisjarvi": "kilpisjarvi_mod-kilpisjarvi",
}
# Which coordinates are logarithms of constrained parameters.
LOGARITHMS = {"eight_schools": [9], "arK": [6], "gp_regr": [0, 1, 2], "kilpisjarvi": [2]}


@dataclass(frozen=True)
class Problem:
    """An energy, the posterior that it should be, as log density of θ, and points y (50, d)."""

    energy: Unconstrained
    log_posterior: Callable[[np.ndarray], float]
    points: Tensor


def real(name: str) -> posteriors.Reference:
    """A reference posterior, or a skipped test where its files are not."""
    if not os.environ.get("EBMLAB_DATA"):
        pytest.skip("EBMLAB_DATA names no folder with posteriordb's files")
    return posterior(name)


def real_data(name: str) -> dict[str, Any]:
    folder = Path(os.environ["EBMLAB_DATA"]) / "posteriordb" / FOLDERS[name]
    return json.loads((folder / "data.json").read_text())


def eight_schools(theta: np.ndarray, data: dict[str, Any]) -> float:
    effects, mean, width = theta[:-2], theta[-2], theta[-1]
    prior = stats.norm.logpdf(effects, mean, width).sum()
    prior += stats.norm.logpdf(mean, 0, 5) + stats.halfcauchy.logpdf(width, scale=5)
    return prior + stats.norm.logpdf(data["y"], effects, data["sigma"]).sum()


def autoregression(theta: np.ndarray, data: dict[str, Any]) -> float:
    intercept, weights, noise = theta[0], theta[1:-1], theta[-1]
    total = stats.norm.logpdf(theta[:-1], 0, 10).sum() + stats.halfcauchy.logpdf(noise, scale=2.5)
    for t in range(data["K"], data["T"]):
        mean = intercept + sum(w * data["y"][t - 1 - k] for k, w in enumerate(weights))
        total += stats.norm.logpdf(data["y"][t], mean, noise)
    return total


def gaussian_process(theta: np.ndarray, data: dict[str, Any]) -> float:
    length, height, noise = theta
    x = np.array(data["x"])
    kernel = height**2 * np.exp(-((x[:, None] - x) ** 2) / (2 * length**2))
    prior = stats.gamma.logpdf(length, 25, scale=1 / 4)
    prior += stats.halfnorm.logpdf(height, scale=2) + stats.halfnorm.logpdf(noise, scale=1)
    return prior + stats.multivariate_normal.logpdf(data["y"], cov=kernel + noise * np.eye(len(x)))


def trend(theta: np.ndarray, data: dict[str, Any]) -> float:
    intercept, rate, noise = theta
    prior = stats.norm.logpdf(intercept, data["pmualpha"], data["psalpha"])
    prior += stats.norm.logpdf(rate, data["pmubeta"], data["psbeta"])
    mean = intercept + rate * np.array(data["x"])
    return prior + stats.norm.logpdf(data["y"], mean, noise).sum()


BY_SCIPY = {
    "eight_schools": eight_schools,
    "arK": autoregression,
    "gp_regr": gaussian_process,
    "kilpisjarvi": trend,
}


def points(name: str, data: dict[str, Any], dim: int) -> Tensor:
    """50 points where the posterior may well be, in unconstrained coordinates."""
    noise = randn(50, dim, seed=7)
    if name == "eight_schools":
        return noise * f64([1.0] * (dim - 2) + [4.0, 1.0])
    if name == "arK":
        return 0.4 * noise - f64([0.0] * (dim - 1) + [1.0])
    if name == "gp_regr":
        return f64([1.7, 0.6, 0.2]) + 0.4 * noise
    intercept, rate, noise_std = (f64([0.5, 0.02, 0.3]) * noise).unbind(-1)
    level = float(np.mean(data["y"])) - rate * float(np.mean(data["x"]))
    return torch.stack([level + intercept, rate, noise_std], dim=-1)


def problem(name: str, energy: Unconstrained, data: dict[str, Any]) -> Problem:
    density = BY_SCIPY[name]
    return Problem(energy, lambda theta: density(theta, data), points(name, data, energy.dim))


def small(name: str) -> Problem:
    """A posterior on a few numbers made up here: no file is needed."""
    rng = generator(3)

    def normal(n: int) -> Tensor:
        return torch.randn(n, generator=rng, dtype=F64)

    data: dict[str, Any]
    if name == "eight_schools":
        data = {"y": (8 * normal(5)).tolist(), "sigma": (10 + normal(5)).tolist()}
        energy: Unconstrained = EightSchools(f64(data["y"]), f64(data["sigma"]))
    elif name == "arK":
        series = normal(30).cumsum(0)
        data = {"K": 3, "T": 30, "y": series.tolist()}
        energy = LinearRegression(*lagged(series, 3), torch.zeros(4).to(F64), f64([10.0] * 4), 2.5)
    elif name == "gp_regr":
        data = {"x": (5 * normal(7)).tolist(), "y": (2 * normal(7)).tolist()}
        energy = GaussianProcess(f64(data["x"]), f64(data["y"]))
    else:
        data = {"x": list(range(4000, 4020)), "y": (9 + normal(20)).tolist()}
        data |= {"pmualpha": 9.0, "psalpha": 100.0, "pmubeta": 0.0, "psbeta": 0.03}
        years = f64(data["x"])
        design = torch.stack([torch.ones(20).to(F64), years], dim=-1)
        energy = LinearRegression(design, f64(data["y"]), f64([9.0, 0.0]), f64([100.0, 0.03]))
    return problem(name, energy, data)
