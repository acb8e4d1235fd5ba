"""What the tokens of a text are: its characters, or pairs of bytes that were merged."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_labels
from ebmlab.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["BytePairs", "Characters", "Vocabulary"]

# What stands for a hidden token where tokens are read as a string.
GAP = "▢"


class Vocabulary(Protocol):
    """K tokens, the numbers 0 … K - 1, and the strings that they stand for.

    K itself is the token that hides: `decode` reads it as ▢, and `encode` never gives it.
    """

    def __len__(self) -> int:
        """How many tokens there are, K."""
        ...

    def encode(self, string: str) -> Tensor:
        """The tokens of a string (n,), int64."""
        ...

    def decode(self, tokens: Tensor) -> str:
        """The string of tokens (n,)."""
        ...


@dataclass(frozen=True)
class Characters:
    """Each character is a token.

    Args:
        symbols: the characters, in ascending order.

    Raises:
        ConfigurationError: symbols are empty, or not in ascending order.
        DataError: a string to encode holds another character.

    Example:
        >>> letters = Characters.of("to be or not")
        >>> letters.encode("not"), letters.decode(torch.tensor([1, 2, 7]))
        (tensor([3, 4, 6]), 'be▢')
    """

    symbols: str

    def __post_init__(self) -> None:
        if not self.symbols or "".join(sorted(set(self.symbols))) != self.symbols:
            raise ConfigurationError(
                f"symbols are {self.symbols!r}; expected characters in ascending order, each "
                "once, as Characters.of(string) finds them"
            )

    @classmethod
    def of(cls, string: str) -> Self:
        """All characters that a string holds."""
        return cls("".join(sorted(set(string))))

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, string: str) -> Tensor:
        """The number of each character, (n,)."""
        known, points = _points(self.symbols), _points(string)
        tokens = np.searchsorted(known, points).clip(max=len(known) - 1)
        strange = np.flatnonzero(known[tokens] != points)
        if len(strange):
            at = int(strange[0])
            raise DataError(
                f"the string holds {string[at]!r} at place {at}, which is none of the "
                f"{len(known)} characters {self.symbols!r}"
            )
        return torch.from_numpy(tokens)

    def decode(self, tokens: Tensor) -> str:
        """The characters side by side."""
        shown = require_labels("tokens", tokens, len(self) + 1).tolist()
        return "".join(map((self.symbols + GAP).__getitem__, shown))


def _points(string: str) -> np.ndarray:
    """The code points of a string."""
    return np.frombuffer(string.encode("utf-32-le", "surrogatepass"), np.uint32)


@dataclass(frozen=True, eq=False)
class BytePairs:
    """Frequent pairs of bytes are merged to tokens, and pairs of these again.

    Every string can be encoded, as each byte by itself is a token too.

    Args:
        tokenizer: a `tokenizers.Tokenizer` that reads and writes bytes.

    Raises:
        ConfigurationError: the package `tokenizers` is missing, or size < 256.

    Source: Sennrich, Haddow, Birch 2016, arXiv:1508.07909; of bytes, Radford et al. 2019.
    """

    tokenizer: "Tokenizer"

    @classmethod
    def of(cls, string: str, size: int = 512) -> Self:
        """`size` tokens, at least the 256 bytes, learned from a string."""
        require_counts(256, size=size)
        try:
            from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
        except ImportError as error:
            raise ConfigurationError(
                "byte pairs need the package tokenizers: pip install ebmlab[text]"
            ) from error
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator([string], trainer)
        return cls(tokenizer)

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode(self, string: str) -> Tensor:
        """The numbers of its merged bytes, (n,)."""
        return torch.tensor(self.tokenizer.encode(string).ids, dtype=torch.long)

    def decode(self, tokens: Tensor) -> str:
        """The bytes side by side, read as UTF-8."""
        runs: list[list[int]] = [[]]
        for token in require_labels("tokens", tokens, len(self) + 1).tolist():
            if token == len(self):
                runs.append([])
            else:
                runs[-1].append(token)
        return GAP.join(map(self.tokenizer.decode, runs))
