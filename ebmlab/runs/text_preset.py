"""What `train` knows of a recipe of texts, and the recipes it offers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab import methods
from ebmlab.data import Text
from ebmlab.energies import Categorical
from ebmlab.methods.cards import Recipe
from ebmlab.networks import Transformer
from ebmlab.protocols import Method
from ebmlab.samplers import MaskedGibbs, run

__all__ = ["LENGTH", "TEXTS", "TextPreset", "transformer_of"]

Pair = tuple[Tensor, Tensor]
# Tokens that a model sees at once; blocks and heads of its transformer.
LENGTH, DEPTH, HEADS = 32, 2, 4
# Characters of a text that is drawn token by token, and sweeps over one that is drawn in turn.
LONG, SWEEPS = 300, 8


@dataclass(frozen=True)
class TextPreset:
    """A recipe as `train` offers it for texts.

    Args:
        recipe: the function of `ebmlab.methods`; its name is the method's.
        draw: (text, n, rng) -> (x, y), what a step sees.
        asks: windows (n, LENGTH + 1) -> x, of each of which one token is asked, and that token
            (n,).
        site: the place of x whose logits answer.
        makes: (method, text, n, rng) -> n texts that the model draws, (n, length).
        causal: whether a place sees those before it only.
        lr: the first step size of AdamW, which falls to 0 along a cosine.
        steps: of training, if no epochs are asked for.
        dim: length of an embedding, if none is asked for.
    """

    recipe: Recipe
    draw: Callable[[Text, int, torch.Generator], Pair]
    asks: Callable[[Text, Tensor], Pair]
    site: int
    makes: Callable[[Method, Text, int, torch.Generator], Tensor]
    causal: bool = False
    lr: float = 3e-3
    steps: int = 1000
    dim: int = 64

    def build(self, vocabulary: int, dim: int) -> Method:
        """The method for so many tokens."""
        how = {"dim": dim, "depth": DEPTH, "heads": HEADS, "causal": self.causal}
        return self.recipe(Transformer(vocabulary, LENGTH, **how), vocabulary)


def transformer_of(method: Method) -> Transformer:
    """The network of such a method."""
    network = _energy(method).network
    assert isinstance(network, Transformer)
    return network


def _energy(method: Method) -> Categorical:
    assert isinstance(method.energy, Categorical)
    return method.energy


def _gaps(text: Text, windows: Tensor) -> Pair:
    x, middle = windows[:, :LENGTH].clone(), LENGTH // 2
    y = x[:, middle].clone()
    x[:, middle] = text.hidden
    return x, y


def _ends(text: Text, windows: Tensor) -> Pair:
    return windows[:, :LENGTH], windows[:, LENGTH]


@torch.no_grad()
def _continued(method: Method, text: Text, n: int, rng: torch.Generator) -> Tensor:
    """Token by token, after one of the text."""
    network = transformer_of(method)
    tokens = text.draw(n, 1, rng)
    for _ in range(LONG):
        p = network.at(tokens[:, -LENGTH:], -1).softmax(-1)
        tokens = torch.cat([tokens, p.multinomial(1, generator=rng)], 1)
    return tokens


def _swept(method: Method, text: Text, n: int, rng: torch.Generator) -> Tensor:
    """From tokens that know nothing of each other, each in turn given all others."""
    start = text.tokens[torch.randint(len(text), (n, LENGTH), generator=rng, device=rng.device)]
    kernel = MaskedGibbs(_energy(method).conditional)
    return run(kernel, lambda y: y.new_zeros(len(y)).float(), start, steps=SWEEPS, rng=rng).state.y


def _masked(text: Text, n: int, rng: torch.Generator) -> Pair:
    return text.masked(n, LENGTH, rng)


def _following(text: Text, n: int, rng: torch.Generator) -> Pair:
    return text.following(n, LENGTH, rng)


TEXTS: Mapping[str, TextPreset] = {
    preset.recipe.__name__: preset
    for preset in (
        TextPreset(methods.masked_words, _masked, _gaps, LENGTH // 2, _swept),
        TextPreset(methods.next_word, _following, _ends, LENGTH - 1, _continued, causal=True),
    )
}
