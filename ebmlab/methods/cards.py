"""What a recipe is, in one line: its energy, how z is chosen, its objective, what keeps it up."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from ebmlab.protocols import Method

__all__ = ["Card", "Recipe", "card", "card_of", "is_recipe"]

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
        >>> card_of(methods.simclr).objective
        'InfoNCE, both views'
    """

    def carded(recipe: _R) -> _R:
        recipe.__dict__["card"] = Card(energy, z, objective, collapse)
        return recipe

    return carded


def card_of(recipe: Recipe) -> Card:
    """The card of a recipe."""
    return recipe.__dict__["card"]


def is_recipe(value: object) -> bool:
    """Whether this is a function with a card."""
    return isinstance(getattr(value, "card", None), Card)
