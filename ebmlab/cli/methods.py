"""`ebmlab methods`."""

import itertools
import sys
from typing import Annotated

from tyro.conf import Positional, arg

from ebmlab.cli.table import aligned

__all__ = ["methods"]


def methods(name: Annotated[str | None, Positional, arg(metavar="[NAME]")] = None) -> None:
    """List all recipes: energy, choice of z, objective, what prevents collapse; or show one.

    A star marks what `ebmlab train` offers; the others take parts of your own in Python. In the
    equations f and g encode and decode, f' is a slow teacher, C holds prototypes, sg stops
    gradients, and constant factors are left out.

    Args:
        name: of a recipe, such as simclr: its arguments, documentation and source.
    """
    from ebmlab.catalog import CATALOG, described, family
    from ebmlab.runs import OFFERED

    if name is not None:
        sys.stdout.write(described(name) + "\n")
        return
    groups = itertools.groupby(sorted(CATALOG, key=lambda key: (family(key), key)), family)
    rows = [
        ["", "method", "energy E(x, y, z)", "z"],
        ["", "", "objective", "prevents collapse"],
    ]
    heads: list[tuple[int, str]] = []
    for name_of_group, keys in groups:
        heads.append((len(rows), name_of_group))
        for key in keys:
            entry = CATALOG[key]
            rows.append([" *"[key in OFFERED], key, entry.energy, entry.z])
            rows.append(["", "", entry.objective, entry.collapse])
    lines = aligned(rows).splitlines()
    # The heading has two lines, and the rule stands below both.
    lines[1], lines[2] = lines[2], lines[1]
    for at, name_of_group in reversed(heads):
        lines[at + 1 : at + 1] = ["", name_of_group]
    lines += ["", "* ebmlab train offers it; ebmlab methods NAME tells all about one"]
    sys.stdout.write("\n".join(lines) + "\n")
