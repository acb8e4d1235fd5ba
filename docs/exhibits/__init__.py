"""A picture of each part at work, by the name of its class: samplers, inferences, objectives."""

from exhibits.exhibit import Exhibit
from exhibits.lattices import LATTICES
from exhibits.walks import WALKS

__all__ = ["INFERENCES", "OBJECTIVES", "SAMPLERS", "Exhibit"]

SAMPLERS: dict[str, Exhibit] = {**WALKS, **LATTICES}
INFERENCES: dict[str, Exhibit] = {}
OBJECTIVES: dict[str, Exhibit] = {}
