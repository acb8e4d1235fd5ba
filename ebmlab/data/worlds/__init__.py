"""Worlds: hidden states moved by hidden actions, of which pictures are seen."""

from ebmlab.data.worlds.turning import TurningDigits
from ebmlab.data.worlds.world import Clips, Moves, World

__all__ = ["Clips", "Moves", "TurningDigits", "World"]
