"""The cards of all methods as a table on a terminal, as a table in Markdown, and one in full."""

import inspect
import itertools
import textwrap
from collections.abc import Mapping

from ebmlab import methods
from ebmlab.cli.table import aligned
from ebmlab.methods.cards import Recipe, card_of
from ebmlab.runs import OFFERED
from ebmlab.runs.names import named

__all__ = ["described", "listed", "markdown"]


def _family(name: str) -> str:
    """The module that a recipe is written in."""
    return getattr(methods, name).__module__.rpartition(".")[2]


RECIPES: Mapping[str, Recipe] = {
    name: getattr(methods, name)
    for name in sorted(methods.__all__, key=lambda name: (_family(name), name))
}


def listed() -> str:
    """All methods, two lines each, with a star where `ebmlab train` offers one."""
    rows: list[tuple[str, ...]] = [("", "", "objective", "prevents collapse")]
    for name, recipe in RECIPES.items():
        energy, z, objective, collapse = card_of(recipe)
        star = "*" if name in OFFERED else ""
        rows += [(star, name, energy, z), ("", "", objective, collapse)]
    heading = ("", "method", "energy E(x, y, z)", "z")
    first, rule, second, *body = aligned([heading, *rows]).splitlines()
    lines, rest = [first, second, rule], iter(body)
    for family, names in itertools.groupby(RECIPES, _family):
        lines += ["", family, *itertools.islice(rest, 2 * len(list(names)))]
    lines += ["", "* ebmlab train offers it; ebmlab methods NAME tells all about one"]
    return "\n".join(lines)


def markdown() -> str:
    """The table of all methods in README.md."""
    rows = [["method", "energy", "z", "objective", "what prevents collapse"], ["---"] * 5]
    rows += [[f"`{name}`", *card_of(recipe)] for name, recipe in RECIPES.items()]
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def described(name: str) -> str:
    """All about a method: its equation, its recipe's arguments with defaults and documentation.

    Raises:
        ConfigurationError: there is none of this name.

    Example:
        >>> print(described("denoising_score").split(chr(10))[2])
        energy     any E(y)
    """
    recipe = named("method", name, RECIPES)
    parameters = inspect.signature(recipe).parameters
    fields = [f"{field.ljust(9)}  {text}" for field, text in card_of(recipe)._asdict().items()]
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in parameters.values()]
    call = f"{name}{inspect.Signature(bare)}"
    wrapped = textwrap.fill(call, 79, subsequent_indent="    ", break_on_hyphens=False)
    head = f"ebmlab.methods.{name}, of the {_family(name)} ones"
    doc = inspect.getdoc(recipe) or ""
    shared = shared_arguments(recipe)
    about = ["", "Args that recipes share:", *shared] if shared else []
    return "\n".join([head, "", *fields, "", wrapped, "", doc, *about])


def shared_arguments(recipe: Recipe) -> list[str]:
    """The lines of the package's docstring about arguments that a recipe does not tell itself."""
    told = {line.partition(":")[0] for line in (inspect.getdoc(recipe) or "").splitlines()}
    parameters = inspect.signature(recipe).parameters
    lines = (inspect.getdoc(methods) or "").splitlines()
    each = [(line.partition(":")[0], line) for line in lines]
    return [line for name, line in each if name not in told and name.strip() in parameters]
