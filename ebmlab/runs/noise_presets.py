"""Recipes of densities: exact likelihood, contrast with noise and with perturbed data."""

from typing import Any

from ebmlab import methods
from ebmlab.algebra import Sum
from ebmlab.energies import MLP, Density, GaussianMixture
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.partition import nodes, trapezoid
from ebmlab.runs.density_preset import DensityPreset, Points
from ebmlab.types import Potential

__all__ = ["NOISE_PRESETS"]

# Of the noise around data: a share of their standard deviation, and how many of them it knows.
# Where noise never falls nothing holds the energy: at 0.4, in one run, it sank so far beyond the
# moons that log Z over [-8, 8]² was 181 nats above that over [-4, 4]².
WIDTH, CENTERS = 0.7, 64


def _near(points: Points) -> Density:
    """Noise that is near the data everywhere: Gaussians around the first of them."""
    y = points.points
    return GaussianMixture(y[:CENTERS], WIDTH * float(y.std(0).mean()))


def _against_noise(points: Points) -> Energy:
    """The network less the noise's energy: the sum learns -log p/q, and so the network -log p."""
    return MLP(points.dim) + (-1.0) * _near(points)


def _network(energy: Energy) -> Potential:
    if not isinstance(energy, Sum):
        raise ConfigurationError(f"the energy is {energy}; expected network - noise")
    return energy.each[0].given()


def _grid(points: Points) -> dict[str, Any]:
    """Nodes on a box that is half as wide again as the data."""
    low, high = points.points.aminmax(dim=0)
    middle, half = (low + high) / 2, 0.75 * (high - low)
    values, log_weights = nodes(middle - half, middle + half, 64, trapezoid)
    return {"values": values, "log_weights": log_weights}


NOISE_PRESETS: tuple[DensityPreset, ...] = (
    DensityPreset(methods.likelihood, sizes=_grid, lr=1e-2, most=3),
    DensityPreset(methods.nce, sizes=lambda points: {"noise": _near(points)}, lr=1e-2),
    DensityPreset(
        methods.noise_contrastive,
        sizes=lambda points: {"density": _near(points), "k": 4},
        energy=_against_noise,
        density=_network,
        lr=1e-2,
    ),
    DensityPreset(methods.conditional_nce, lr=1e-2),
    DensityPreset(methods.most_offending, lr=1e-2),
)
