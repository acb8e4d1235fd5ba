"""A picture of each part at work, by the name of its class: samplers, inferences, objectives."""

from exhibits.angles import ANGLES
from exhibits.clusters import CLUSTERS
from exhibits.couplings import COUPLINGS
from exhibits.embedded import EMBEDDED
from exhibits.encoders import ENCODERS
from exhibits.exhibit import Exhibit
from exhibits.lattices import LATTICES
from exhibits.lines import LINES
from exhibits.many import MANY
from exhibits.slopes import SLOPES
from exhibits.walks import WALKS

__all__ = ["INFERENCES", "OBJECTIVES", "SAMPLERS", "Exhibit"]

SAMPLERS: dict[str, Exhibit] = {**WALKS, **LATTICES}
INFERENCES: dict[str, Exhibit] = {**ANGLES, **ENCODERS, **MANY, **CLUSTERS}
OBJECTIVES: dict[str, Exhibit] = {**LINES, **SLOPES, **COUPLINGS, **EMBEDDED}
