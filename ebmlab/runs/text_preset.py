"""What `train` knows of a recipe of texts, and the recipes it offers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab import methods
from ebmlab.data import Text
from ebmlab.energies import Categorical
from ebmlab.methods.cards import Recipe
from ebmlab.networks import TokenConvNet, Transformer
from ebmlab.protocols import Method
from ebmlab.samplers import MaskedGibbs, run

__all__ = ["LENGTH", "TEXTS", "Reader", "TextPreset", "reader_of"]

Pair = tuple[Tensor, Tensor]
Reader = TokenConvNet | Transformer
# Tokens that a model sees at once.
LENGTH = 32
# Characters of a text that is drawn token by token, and sweeps over one that is drawn in turn.
LONG, SWEEPS = 300, 8


@dataclass(frozen=True)
class TextPreset:
    """A recipe as `train` offers it for texts.

    Args:
        recipe: the function of `ebmlab.methods`; its name is the method's.
        network: (vocabulary, dim) -> the network of logits.
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
    network: Callable[[int, int], Reader]
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
        return self.recipe(self.network(vocabulary, dim), vocabulary)


def reader_of(method: Method) -> Reader:
    """The network of such a method."""
    network = _energy(method).network
    assert isinstance(network, TokenConvNet | Transformer)
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
    network = reader_of(method)
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


def _neighbors(vocabulary: int, dim: int) -> Reader:
    return TokenConvNet(vocabulary, dim=dim)


def _past(vocabulary: int, dim: int) -> Reader:
    return Transformer(vocabulary, LENGTH, dim=dim, depth=2, heads=4, causal=True)


def _masked(text: Text, n: int, rng: torch.Generator) -> Pair:
    return text.masked(n, LENGTH, rng)


def _following(text: Text, n: int, rng: torch.Generator) -> Pair:
    return text.following(n, LENGTH, rng)


TEXTS: Mapping[str, TextPreset] = {
    preset.recipe.__name__: preset
    for preset in (
        TextPreset(methods.masked_words, _neighbors, _masked, _gaps, LENGTH // 2, _swept, dim=32),
        TextPreset(
            methods.next_word, _past, _following, _ends, LENGTH - 1, _continued, causal=True
        ),
    )
}
