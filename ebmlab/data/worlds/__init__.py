"""Worlds: hidden states moved by hidden actions, of which pictures are seen."""

from ebmlab.data.worlds.balls import BouncingBalls
from ebmlab.data.worlds.moving import MovingDigits
from ebmlab.data.worlds.rooms import TwoRooms
from ebmlab.data.worlds.turning import TurningDigits
from ebmlab.data.worlds.world import Clips, Moves, World, stacked

__all__ = [
    "BouncingBalls",
    "Clips",
    "Moves",
    "MovingDigits",
    "TurningDigits",
    "TwoRooms",
    "World",
    "stacked",
]
