"""Ways to choose the latent z: enumerate, descend, encode."""

from ebmlab.inference.amortized import Amortized
from ebmlab.inference.descent import Descent
from ebmlab.inference.enumerate import Enumerate

__all__ = ["Amortized", "Descent", "Enumerate"]
