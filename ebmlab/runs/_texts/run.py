"""The parts of a run on texts."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ebmlab.data import Text
from ebmlab.energies import Categorical
from ebmlab.errors import ConfigurationError
from ebmlab.networks import TokenConvNet, Transformer
from ebmlab.runs._texts.text_sets import TextSet, text_set
from ebmlab.runs.config import Config
from ebmlab.runs.kind import Built
from ebmlab.runs.order import Order
from ebmlab.runs.text_preset import LENGTH, Reader, TextPreset, reader_of

__all__ = ["TextRun", "text_run", "windows_in"]


class _At(nn.Module):
    """The logits of a network at one place."""

    def __init__(self, network: Reader, site: int) -> None:
        super().__init__()
        self.network, self.site = network, site

    def forward(self, tokens: Tensor) -> Tensor:
        network = self.network
        assert isinstance(network, TokenConvNet | Transformer)
        return network.at(tokens, self.site)


@dataclass(frozen=True, eq=False)
class TextRun(Built):
    """A model of texts, and the text it learns from."""

    preset: TextPreset
    texts: TextSet

    @property
    def asked(self) -> Categorical:
        """E(x, y) of the one token y that is asked of x."""
        return Categorical(_At(reader_of(self.method), self.preset.site))

    @property
    def tokens(self) -> Tensor:
        """All that a token can be, (K,)."""
        return torch.arange(self.texts.train.hidden, device=self.device)

    def questions(self, text: Text, most: int) -> tuple[Tensor, Tensor]:
        """Of at most so many windows, evenly over a text: x (n, LENGTH), and what is asked (n,).

        In the vocabulary of the run's own text.
        """
        return self.preset.asks(self.texts.train, windows_in(text, most))


def windows_in(text: Text, most: int) -> Tensor:
    """At most so many windows (n, LENGTH + 1), evenly over a text."""
    windows = text.windows(LENGTH + 1)
    return windows[:: -(-len(windows) // most)]


def text_run(config: Config, preset: TextPreset, device: torch.device) -> TextRun:
    """The parts of a run as it starts.

    Raises:
        ConfigurationError: an encoder, which is the preset's; a dim that its heads do not divide;
            a text that is too short.
        DataError: the text cannot be read.
    """
    if config.encoder is not None:
        raise ConfigurationError(
            f"encoder is {config.encoder!r}, but {config.method} brings its own; leave --encoder "
            "out"
        )
    texts = text_set(config.data, config.limit).to(device)
    method = preset.build(texts.train.hidden, config.dim or preset.dim).to(device)
    order = Order(len(texts.train) // LENGTH, config.batch_size, config.seed)
    return TextRun(config, method, order, device, preset, texts)
