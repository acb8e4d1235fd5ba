"""Recipes of densities that contrast with their own chains."""

from typing import Any

from ebmlab import methods
from ebmlab.runs.density_preset import DensityPreset, Points, base, held
from ebmlab.samplers import Dense, EllipticalSlice

__all__ = ["CHAIN_PRESETS"]

POOL = 256


def _lasting(p: Points) -> dict[str, Any]:
    """Chains that leap along ellipses of the Gaussian, from mode to mode: none is reborn."""
    near = base(p)
    sampler = EllipticalSlice(Dense(near.scale), near.mean)
    pool = p.points[: max(POOL, p.batch_size)]
    return {"pool": pool, "sampler": sampler, "steps": 1, "rebirth": 0.0}


def _preset(recipe: Any, sizes: Any = lambda p: {}) -> DensityPreset:
    return DensityPreset(recipe, sizes=sizes, energy=held, lr=1e-2)


CHAIN_PRESETS: tuple[DensityPreset, ...] = (
    _preset(methods.contrastive_divergence),
    _preset(methods.improved_cd, _lasting),
    _preset(methods.persistent_cd, _lasting),
    _preset(methods.recovery_likelihood),
)
