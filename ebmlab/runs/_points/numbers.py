"""What an energy of points is worth: exact likelihood in the plane, samples, what it calls odd."""

import math

import torch
from torch import Tensor

from ebmlab import metrics
from ebmlab.errors import ConfigurationError
from ebmlab.partition import quadrature, trapezoid
from ebmlab.runs._points.point_sets import PointSet, point_set
from ebmlab.runs._points.run import HALF, DensityRun
from ebmlab.runs.kind import Findings, Look
from ebmlab.samplers import MALA, Dense, run

__all__ = ["LOOK", "density_findings", "density_look", "samples", "shown_points"]

# Grid points along an axis: of a look while training, of samples.
LOOK, FINE = 64, 400
# Points that a look judges; that are compared in pairs.
SEEN, COMPARED = 1024, 2000
# Chains, their steps, and the size of these in units of the data's covariance.
CHAINS, STEPS, STEP = 200, 300, 0.1
# Few points span few directions.
RIDGE = 0.01
NEIGHBORS, BLOCK = 5, 2**14
# Nodes of the quadrature in a unit of length.
NODES = 50
# A part of Z this large outside the square is mass that no data ask for, nats.
OUTSIDE = 0.01


def density_look(built: DensityRun) -> Look:
    """The energy gap to noise, and in the plane the exact NLL and the landscape.

    The loss of many objectives says nothing by itself; these do.
    """
    y = built.points.held_out[:SEEN]
    noise = built.noise().sample(len(y), _rng(built))
    field = built.seen(LOOK)
    with torch.no_grad():
        own, other = (built.u(t).double().mean() for t in (y, noise))
    numbers = {"noise_gap": float(other - own)}
    if not built.flat:
        return Look(numbers, field.energy)
    # A run whose energy is not finite here may come back: it is not for a look to end it.
    known = bool(field.energy.amin().isfinite())
    nll = float(own + field.log_z()) if known else math.nan
    return Look({"nll": nll, **numbers}, field.energy)


def density_findings(built: DensityRun, data: str | None, limit: int | None) -> Findings:
    """Exact NLL and mode weights in the plane; everywhere samples beside data, and AUROC.

    Raises:
        ConfigurationError: the points are not of the run's length.
    """
    points = shown_points(built, data).limited(limit)
    y, u = points.held_out, built.u
    exact, lists, advice = _exact(built, points) if built.flat else _unknown(built)
    drawn, about = samples(built, min(COMPARED, len(y)))
    few = y[: len(drawn)]
    k = min(NEIGHBORS, len(few) - 1)
    alike = metrics.precision_recall(drawn, few, k)
    numbers = {
        **exact,
        "MMD² of samples and held-out points": float(metrics.mmd(drawn, few)),
        "MMD² of training and held-out points": float(metrics.mmd(points.points[: len(few)], few)),
        "KSD² of held-out points": float(metrics.ksd(few, u)),
        **about,
        **{f"{name} of samples (k = {k})": v for name, v in alike._asdict().items()},
        **_against_noise(built, y),
    }
    return Findings(len(points.points), len(y), numbers, lists, advice)


def shown_points(built: DensityRun, data: str | None) -> PointSet:
    """The points to look at, on the run's device; raise where their length is not the run's."""
    points = built.points if data is None else point_set(data)
    if points.dim != built.points.dim:
        raise ConfigurationError(
            f"data {data} has points of length {points.dim}, but the run saw {built.points.dim}"
        )
    return points.to(built.device)


def samples(built: DensityRun, n: int) -> tuple[Tensor, dict[str, float]]:
    """Draws (n, d) of the model: exact ones in the plane, else ends of chains that began as noise.

    With them what chains say of themselves.
    """
    rng = _rng(built)
    if built.flat:
        return built.seen(FINE).sample(n, rng), {}
    start = built.noise().sample(min(n, CHAINS), rng)
    # Tuning would follow an energy that falls for ever; the data tell the scales.
    spread = built.points.points.T.cov()
    factor = torch.linalg.cholesky(spread + RIDGE * torch.eye(len(spread)).to(spread))
    sampler = MALA(STEP, Dense(factor))
    chain = run(sampler, built.u, start, steps=STEPS, rng=rng)
    return chain.state.y, {
        "KSD² of samples": float(metrics.ksd(chain.state.y, built.u)),
        "acceptance of chains": float(chain.acceptance.mean()),
    }


def _exact(
    built: DensityRun, points: PointSet
) -> tuple[dict[str, float], dict[str, list[float]], str | None]:
    """Likelihood by quadrature, what the best possible one is, shares of modes; advice."""
    y, u = points.held_out, built.u
    narrow, wide = (_log_z(built, half) for half in (HALF, 2 * HALF))
    nll = float(metrics.nll(u, y, wide))
    outside = float(wide - narrow)
    numbers = {
        "NLL, nats": nll,
        f"NLL, nats, Z over [-{HALF:g}, {HALF:g}]²": float(metrics.nll(u, y, narrow)),
    }
    if points.toy is not None:
        entropy = -float(points.toy.log_density(y).double().mean())
        numbers |= {"entropy of the data, nats": entropy, "excess over it, nats": nll - entropy}
    lists: dict[str, list[float]] = {}
    if points.modes is not None:
        field = built.seen(FINE)
        rows, columns = torch.meshgrid(field.b, field.a, indexing="ij")
        grid = torch.stack([columns, rows], -1).flatten(0, 1)
        found = metrics.mode_weights(grid, points.modes, energies=field.energy.flatten())
        numbers["largest error of a mode's weight"] = float(found.error)
        lists["mode_weights"] = found.weights.tolist()
    return numbers, lists, _advice(outside)


def _advice(outside: float) -> str | None:
    """What a Z that grows by so many nats beyond the square means.

    Example:
        >>> _advice(0.001)
        >>> print(_advice(0.25))
        log Z over [-8, 8]² is 0.25 nats above that over [-4, 4]²: mass lies where no data are
    """
    if outside <= OUTSIDE:
        return None
    return (
        f"log Z over [-{2 * HALF:g}, {2 * HALF:g}]² is {outside:.2g} nats above that over "
        f"[-{HALF:g}, {HALF:g}]²: mass lies where no data are"
    )


def _unknown(built: DensityRun) -> tuple[dict[str, float], dict[str, list[float]], str]:
    """No likelihood, and a line that says so."""
    said = (
        f"the exact NLL is unavailable in {built.points.dim} dimensions, which no grid fills: "
        "samples, slopes and energies are judged instead"
    )
    return {}, {}, said


def _log_z(built: DensityRun, half: float) -> Tensor:
    corner = torch.full((2,), half, device=built.device)
    return quadrature(
        built.u, -corner, corner, resolution=round(NODES * half), rule=trapezoid
    ).log_z


@torch.no_grad()
def _against_noise(built: DensityRun, y: Tensor) -> dict[str, float]:
    noise = built.noise()
    sides = y, noise.sample(len(y), _rng(built))
    own, other = (torch.cat([built.u(part) for part in t.split(BLOCK)]).double() for t in sides)
    what = f"uniform in [-{HALF:g}, {HALF:g}]²" if built.flat else "a Gaussian of their moments"
    return {
        "mean energy of noise above that of data, nats": float(other.mean() - own.mean()),
        f"AUROC of noise, {what}": metrics.auroc(own, other),
    }


def _rng(built: DensityRun) -> torch.Generator:
    return torch.Generator(built.device).manual_seed(0)
