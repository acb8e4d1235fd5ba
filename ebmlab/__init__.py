"""One scalar, E(x, y, z), carries all of self-supervised and energy-based learning.

x is observed, y is judged or predicted, z is latent. Low energy means compatible.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebmlab.energy import Energy
    from ebmlab.free_energy import FreeEnergy
    from ebmlab.function_energy import FunctionEnergy
    from ebmlab.prediction import predict
    from ebmlab.protocols import Loss, Method
    from ebmlab.samplers import run, warmup
    from ebmlab.slices import Plane, landscape
    from ebmlab.training import fit
    from ebmlab.types import Posterior

__version__ = "0.1.0"

__all__ = [
    "Energy",
    "FreeEnergy",
    "FunctionEnergy",
    "Loss",
    "Method",
    "Plane",
    "Posterior",
    "fit",
    "landscape",
    "predict",
    "run",
    "warmup",
]

_LAZY = {
    "Energy": "ebmlab.energy",
    "FreeEnergy": "ebmlab.free_energy",
    "FunctionEnergy": "ebmlab.function_energy",
    "Loss": "ebmlab.protocols",
    "Method": "ebmlab.protocols",
    "Plane": "ebmlab.slices",
    "Posterior": "ebmlab.types",
    "fit": "ebmlab.training",
    "landscape": "ebmlab.slices",
    "predict": "ebmlab.prediction",
    "run": "ebmlab.samplers",
    "warmup": "ebmlab.samplers",
}
_SUBMODULES = {
    "data",
    "energies",
    "errors",
    "inference",
    "kernels",
    "losses",
    "methods",
    "metrics",
    "negatives",
    "networks",
    "objectives",
    "partition",
    "perturbations",
    "plot",
    "prediction",
    "protocols",
    "regularizers",
    "rest",
    "samplers",
    "slices",
    "teachers",
    "testing",
    "training",
    "types",
}


def __getattr__(name: str) -> Any:
    """Load what is heavy, or rarely needed, at its first use."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"ebmlab.{name}")
    raise AttributeError(f"module 'ebmlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_SUBMODULES, "__version__"})
