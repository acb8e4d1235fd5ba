"""`ebmlab methods`."""

import sys
from typing import Annotated

from tyro.conf import Positional, arg

__all__ = ["methods"]


def methods(
    name: Annotated[str | None, Positional, arg(metavar="[NAME]")] = None, markdown: bool = False
) -> None:
    """List all methods: energy, choice of z, objective, what prevents collapse; or show one.

    A star marks what `ebmlab train` offers; the others take parts of your own in Python. In the
    equations f and g encode and decode, f' is a slow teacher, C holds prototypes, sg stops
    gradients, and constant factors are left out.

    Args:
        name: of a method, such as simclr: its arguments, documentation and source.
        markdown: the list as README.md has it.
    """
    from ebmlab.cli import cards

    whole = cards.markdown() if markdown else cards.listed()
    sys.stdout.write(f"{whole if name is None else cards.described(name)}\n")
