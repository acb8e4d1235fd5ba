"""What the explorer must compute: the library's answers to questions with all numbers given.

`python tests/support/explorer_reference.py` prints them as JSON:
{name: {"given": …, "answer": …}}, arrays flat.
"""

import json
import sys

from explorer_latents import codes, latent
from explorer_losses import networks
from explorer_numbers import Parts
from explorer_walks import chains, landscapes, mixing, sets

__all__ = ["questions"]

Flat = dict[str, list[float]]


def questions() -> dict[str, dict[str, Flat]]:
    """Every question by name: what is given, and the library's answer."""
    asked: dict[str, dict[str, Flat]] = {}
    for ask in (landscapes, chains, mixing, networks, latent, codes, sets):
        asked |= {name: _question(*pair) for name, pair in ask().items()}
    return asked


def _question(given: Parts, answer: Parts) -> dict[str, Flat]:
    flat = {"given": given, "answer": answer}
    return {
        side: {name: t.double().flatten().tolist() for name, t in parts.items()}
        for side, parts in flat.items()
    }


if __name__ == "__main__":
    json.dump(questions(), sys.stdout)
