"""The texts that runs know by name, and files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from ebmlab import data
from ebmlab.data import Text
from ebmlab.errors import ConfigurationError
from ebmlab.runs.kind import Elsewhere
from ebmlab.runs.text_preset import LENGTH

__all__ = ["FILES", "TEXT_SETS", "TextSet", "text_set"]

# Of held-out windows one half calibrates sets at 90 %, and the other judges.
SHARE, LEAST = 0.1, 2 * (LENGTH + 20)

TEXT_SETS: Mapping[str, Callable[[], Text]] = {"text": data.text}
FILES = Elsewhere("a file of text", lambda name: any(mark in name for mark in "./\\"))


class TextSet(NamedTuple):
    """A text to learn from, and its last tenth, which is held out; one vocabulary serves both."""

    train: Text
    held_out: Text

    def to(self, device: torch.device) -> "TextSet":
        """The same on a device."""
        return TextSet(*(Text(each.tokens.to(device), each.vocabulary) for each in self))


def text_set(name: str, limit: int | None = None) -> TextSet:
    """The text of this name or in this file, or its first `limit` characters.

    Raises:
        DataError: the file cannot be read, is empty or no UTF-8.
        ConfigurationError: it is too short.
    """
    whole = TEXT_SETS[name]() if name in TEXT_SETS else data.text(Path(name))
    text = Text(whole.tokens[:limit], whole.vocabulary)
    least = round(LEAST / SHARE)
    if len(text) < least:
        cut = "" if limit is None else f" under a limit of {limit}"
        raise ConfigurationError(
            f"{name} has {len(text)} characters{cut}; at least {least} are needed: a tenth is "
            f"held out, and a model sees {LENGTH} at once"
        )
    return TextSet(*text.split(SHARE))
