"""`posterior`: a problem with reference draws from long runs made elsewhere."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import torch
from torch import Tensor

from ebmlab.data._files import DataFile
from ebmlab.data.posteriors.eight_schools import EightSchools
from ebmlab.data.posteriors.gaussian_process import GaussianProcess
from ebmlab.data.posteriors.linear_regression import LinearRegression, lagged
from ebmlab.data.posteriors.unconstrained import Unconstrained
from ebmlab.errors import ConfigurationError

__all__ = ["Reference", "posterior"]


class Reference(NamedTuple):
    """A posterior as an energy, and reference draws of it (1000, 10 chains, d), unconstrained."""

    energy: Unconstrained
    draws: Tensor
    names: tuple[str, ...]


def posterior(name: str, root: str | Path | None = None) -> Reference:
    """One of four posteriors of Bayesian practice in float64, with reference draws.

    - "eight_schools": `EightSchools`, 10 parameters, non-centered.
    - "arK": `LinearRegression` of a series on its last 5 values, 7 parameters.
    - "gp_regr": `GaussianProcess` of 11 points, 3 parameters.
    - "kilpisjarvi": `LinearRegression` of temperatures on years far from 0, 3 parameters; the
      condition number of their covariance is 7e11.

    The files are those of posteriordb, `posteriordb/NAME/data.json` and `draws.json.zip`, looked
    for as by `images.mnist`, but not downloaded.

    Args:
        name: of the posterior.
        root: a data folder, or None.

    Returns:
        The energy, the draws in its coordinates (draws, chains, d), and the names of the
        constrained parameters. `energy.constrain(draws)` are the draws as they were published.

    Raises:
        ConfigurationError: no posterior has this name.
        DataError: a file is missing or damaged.

    Source: Magnusson, Torgander, Bürkner, Zhang, Carpenter, Vehtari 2024, arXiv:2407.04967.
    """
    if name not in _SOURCES:
        raise ConfigurationError(f"name is {name!r}; it must be one of {', '.join(_SOURCES)}")
    place, of_data, of_draws, build = _SOURCES[name]
    data = DataFile(f"posteriordb/{place}", "data.json", None, of_data).content(root)
    archive = DataFile(f"posteriordb/{place}", "draws.json.zip", None, of_draws).content(root)
    energy = build(json.loads(data))
    with ZipFile(BytesIO(archive)) as file:
        chains = json.loads(file.read(file.namelist()[0]))
    parameters = [[chain[name] for name in energy.names] for chain in chains]
    draws = energy.unconstrain(_f64(parameters).permute(2, 0, 1).contiguous())
    return Reference(energy, draws, energy.names)


def _autoregression(data: dict[str, Any]) -> Unconstrained:
    lags = data["K"]
    design, response = lagged(_f64(data["y"]), lags)
    names = ("alpha", *(f"beta[{k + 1}]" for k in range(lags)), "sigma")
    wide = torch.full((1 + lags,), 10.0, dtype=torch.float64)
    return LinearRegression(design, response, torch.zeros_like(wide), wide, 2.5, names)


def _trend(data: dict[str, Any]) -> Unconstrained:
    years = _f64(data["x"])
    design = torch.stack([torch.ones_like(years), years], dim=-1)
    mean, std = ([data[f"p{kind}{of}"] for of in ("alpha", "beta")] for kind in ("mu", "s"))
    names = ("alpha", "beta", "sigma")
    return LinearRegression(design, _f64(data["y"]), _f64(mean), _f64(std), names=names)


# Folder, SHA-256 of data and of draws, and what the data become.
_SOURCES: dict[str, tuple[str, str, str, Callable[[dict[str, Any]], Unconstrained]]] = {
    "eight_schools": (
        "eight_schools-eight_schools_noncentered",
        "ffab95db56309c4e06102ad6d5900bf0d7be71a19b41206dc8ff67670c6c0071",
        "0858641e630c877103dba2b78beaf6bc1f39435fc43d2894c4dff5d609c7a264",
        lambda data: EightSchools(_f64(data["y"]), _f64(data["sigma"])),
    ),
    "arK": (
        "arK-arK",
        "aa2e638f24ddb4a7cf41f38917df2be3fffcb86e5d128c1a6b217247a8a4d798",
        "7ddb947e6c1ac5380f9c1e1fa101833a1236ef03de30f2cf5ece7b5b71841530",
        _autoregression,
    ),
    "gp_regr": (
        "gp_pois_regr-gp_regr",
        "eaa2d74dc1925adede775571b324fa1d00445659153345d2a5142804b6acd75f",
        "df89f5011d9518b06c95a631c258ce03f4818b78deb40ed069cfd1d70074c8bb",
        lambda data: GaussianProcess(_f64(data["x"]), _f64(data["y"])),
    ),
    "kilpisjarvi": (
        "kilpisjarvi_mod-kilpisjarvi",
        "c88cd06c1f81a11c0c63c1920f9ec21f4a0cb681cf9b4584568bf1743e0c8f20",
        "a5bc7f19720bfaa073bc6ab16c837aa1ff921014bad09ea715494ed4723b9fad",
        _trend,
    ),
}


def _f64(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
