"""Recipes of densities that contrast with their own chains."""

from typing import Any

from ebmlab import methods
from ebmlab.energies import MLP, Gaussian
from ebmlab.energy import Energy
from ebmlab.runs.density_preset import DensityPreset, Points

__all__ = ["CHAIN_PRESETS"]

POOL = 256


def _held(p: Points) -> Energy:
    """A network and the Gaussian of the data, which holds the far field that no chain sees."""
    return MLP(p.dim) + Gaussian(p.points.mean(0), p.points.T.cov())


def _pool(p: Points) -> dict[str, Any]:
    return {"pool": p.points[: max(POOL, p.batch_size)]}


def _preset(recipe: Any, sizes: Any = lambda p: {}) -> DensityPreset:
    return DensityPreset(recipe, sizes=sizes, energy=_held, lr=1e-2)


CHAIN_PRESETS: tuple[DensityPreset, ...] = (
    _preset(methods.contrastive_divergence),
    _preset(methods.improved_cd, _pool),
    _preset(methods.persistent_cd, _pool),
    _preset(methods.recovery_likelihood),
)
