"""What a recipe is, in one line: its energy, how z is chosen, its objective, what keeps it up."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from ebmlab.protocols import Method

__all__ = ["Card", "Recipe", "card", "card_of"]

Recipe = Callable[..., Method]
_R = TypeVar("_R", bound=Recipe)


class Card(NamedTuple):
    """One recipe in the notation of the library: f and g encode or decode, sg stops gradients.

    Attributes:
        energy: E(x, y, z), up to a factor.
        z: how it is chosen; a dash where there is none.
        objective: what pushes the energy down on data, and up elsewhere.
        collapse: what prevents collapse.
    """

    energy: str
    z: str
    objective: str
    collapse: str


def card(
    *, energy: str, collapse: str, z: str = "–", objective: str = "mean energy"
) -> Callable[[_R], _R]:
    """Make a function a recipe: `ebmlab.methods` exports it, and lists show its card.

    Example:
        >>> from ebmlab import methods
        >>> card_of(methods.simclr)
        Card(energy='-cos(f(x), f(y))', z='–', objective='InfoNCE, both views',
             collapse='negatives')
    """

    def carded(recipe: _R) -> _R:
        recipe.__dict__["card"] = Card(energy, z, objective, collapse)
        return recipe

    return carded


def card_of(recipe: object) -> Card | None:
    """The card of a recipe; None for all else."""
    return getattr(recipe, "card", None) if callable(recipe) else None
