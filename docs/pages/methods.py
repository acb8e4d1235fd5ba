"""A page for each method, from its card, its docstring, its picture and its rows of the tables."""

import importlib
from pathlib import Path

from ebmlab import methods, runs
from ebmlab.cli.cards import markdown
from ebmlab.methods.cards import Card, card_of
from pages.tables import rows_of
from pages.writing import first_sentence, heading, put
from pictures import METHODS

__all__ = ["write"]

FAMILIES = {
    "contrastive": "Negatives push up",
    "asymmetric": "Two encoders that differ",
    "regularized": "A regularizer of the codes",
    "clustering": "Clusters as targets",
    "predictive": "Prediction, with z or without",
    "masked": "What is hidden, predicted",
    "worlds": "What comes next, and why",
    "unrolled": "Prediction by descent",
    "autoencoders": "Autoencoders",
    "variational": "A distribution over z",
    "sparse": "Sparse z",
    "clusters": "z is one of a few",
    "stored": "A z for each datum",
    "manifolds": "z is an angle",
    "densities": "Densities by negatives and noise",
    "chains": "Densities by chains",
    "scores": "Densities by their slopes",
    "discrepancies": "Densities by perturbed data",
    "adversarial": "Densities by an adversary",
    "lattices": "Densities of lattices",
    "machines": "Boltzmann machines",
    "classifiers": "Classifiers as energies",
    "image_energies": "Energies of images",
    "images": "Pictures from pictures",
    "words": "Words",
}


def described(card: Card) -> str:
    """The card, as a list that is read from top to bottom."""
    energy, z, objective, collapse = (part.replace("|", "\\|") for part in card)
    return (
        f"| | |\n|---|---|\n| energy E(x, y, z) | `{energy}` |\n| z | {z} |\n"
        f"| objective | {objective} |\n| what prevents collapse | {collapse} |\n\n"
    )


def page(name: str) -> str:
    """One method."""
    recipe, shown = getattr(methods, name), METHODS[name]
    text = heading(name) + first_sentence(recipe) + "\n\n" + described(card_of(recipe))
    text += f"```{{figure}} /_static/methods/{name}.png\n:alt: {name}: {shown.caption}\n\n"
    text += f"{shown.caption}\n```\n\n"
    text += heading("The code of the picture", 2) + f"```python\n{shown.code.strip()}\n```\n\n"
    if name in runs.OFFERED:
        usual = next(iter(runs.OFFERED[name].sets))
        text += f"From the command line:\n\n```\nebmlab train {name} --data {usual}\n```\n\n"
    text += heading("Settings and source", 2)
    text += f"```{{eval-rst}}\n.. autofunction:: ebmlab.methods.{name}\n```\n\n"
    rows = rows_of(name)
    if rows:
        text += heading("In our tables", 2) + rows
    return text


def families() -> dict[str, list[str]]:
    """The methods by the file they are written in, in the order of this page."""
    found = {stem: importlib.import_module(f"ebmlab.methods.{stem}").__all__ for stem in FAMILIES}
    missing = set(methods.__all__) - {name for names in found.values() for name in names}
    assert not missing, f"name the family of {missing} in docs/pages/methods.py"
    return found


def write(folder: Path) -> dict[str, str]:
    """Write all pages and their index; returns the home of each name."""
    text = heading("Methods")
    text += (
        "Every method is three choices: an energy, a way to choose z, and an objective. Each has "
        "a page with its picture on the same few toys. f and g encode and decode, f' is a slow "
        "teacher, p predicts, C holds prototypes, D atoms, sg stops gradients.\n\n"
    )
    for stem, names in families().items():
        text += heading(FAMILIES[stem], 2) + "::::{grid} 1 2 3 3\n:gutter: 2\n\n"
        for name in names:
            put(folder / f"{name}.md", page(name))
            text += (
                f":::{{grid-item-card}} {name}\n:link: {name}\n:link-type: doc\n"
                f":img-bottom: /_static/methods/{name}.png\n\n"
                f"`{card_of(getattr(methods, name)).energy}`\n:::\n\n"
            )
        text += "::::\n\n"
    text += heading("All in one table", 2) + markdown() + "\n\n"
    listed = "\n".join(name for names in families().values() for name in names)
    put(folder / "index.md", text + f"```{{toctree}}\n:hidden:\n\n{listed}\n```\n")
    return {f"ebmlab.methods.{name}": f"methods/{name}" for name in methods.__all__}
