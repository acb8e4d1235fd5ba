"""The cards of all methods as a table on a terminal, as a table in Markdown, and one in full."""

import inspect
import itertools
import textwrap
from collections.abc import Mapping

from ebmlab import methods
from ebmlab.cli.table import aligned
from ebmlab.cli.terminal import legible
from ebmlab.methods.cards import Card, Recipe, card_of
from ebmlab.runs import PRESETS
from ebmlab.runs.names import named

__all__ = ["described", "listed", "markdown"]

RECIPES: Mapping[str, Recipe] = {name: getattr(methods, name) for name in methods.__all__}


def _family(name: str) -> str:
    """The module that a recipe is written in."""
    return RECIPES[name].__module__.rpartition(".")[2]


def _card(name: str) -> Card:
    card = card_of(RECIPES[name])
    assert card is not None
    return card


def _families() -> list[tuple[str, list[str]]]:
    """Names of methods by family, both in the order of the alphabet."""
    names = sorted(RECIPES, key=lambda name: (_family(name), name))
    return [(family, list(group)) for family, group in itertools.groupby(names, _family)]


def listed() -> str:
    """All methods, two lines each, with a star where `ebmlab train` offers one."""
    rows = [
        ["", "method", "energy E(x, y, z)", "z"],
        ["", "", "objective", "prevents collapse"],
    ]
    for _, names in _families():
        for name in names:
            card, star = _card(name), " *"[name in PRESETS]
            rows += [[star, name, card.energy, card.z], ["", "", card.objective, card.collapse]]
    first, rule, second, *body = aligned(
        [[legible(cell) for cell in r] for r in rows]
    ).splitlines()
    lines, rest = [first, second, rule], iter(body)
    for family, names in _families():
        lines += ["", family, *itertools.islice(rest, 2 * len(names))]
    lines += ["", "* ebmlab train offers it; ebmlab methods NAME tells all about one"]
    return "\n".join(lines)


def markdown() -> str:
    """The table of all methods in README.md."""
    rows = [["method", "energy", "z", "objective", "what prevents collapse"], ["---"] * 5]
    rows += [[f"`{name}`", *_card(name)] for _, names in _families() for name in names]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows
    )


def described(name: str) -> str:
    """All about a method: its equation, its recipe's arguments with defaults and documentation.

    Raises:
        ConfigurationError: there is none of this name.

    Example:
        >>> print(described("denoising_score").split(chr(10))[2])
        energy     any E(y)
    """
    recipe = named("method", name, RECIPES)
    widest = max(map(len, Card._fields))
    lines = [f"{field.ljust(widest)}  {text}" for field, text in _card(name)._asdict().items()]
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(recipe).parameters.values()
    ]
    call = f"{name}{inspect.Signature(bare)}"
    wrapped = textwrap.fill(call, 79, subsequent_indent="    ", break_on_hyphens=False)
    head = f"ebmlab.methods.{name}, of the {_family(name)} ones"
    return "\n".join([head, "", *lines, "", wrapped, "", inspect.getdoc(recipe) or ""])
