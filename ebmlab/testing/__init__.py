"""The laws of the library's parts, to run over one's own classes.

Each check works on deep copies, changes nothing that it is given, and returns None, or raises an
AssertionError that names the law, what was expected and what came.
"""

from ebmlab.testing.energy import check_energy
from ebmlab.testing.inference import check_inference
from ebmlab.testing.objective import check_objective
from ebmlab.testing.sampler import check_sampler

__all__ = ["check_energy", "check_inference", "check_objective", "check_sampler"]
