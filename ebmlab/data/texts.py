"""Texts as tokens, and what is drawn of them: windows, hidden tokens, what follows, neighbors."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_labels, require_shares
from ebmlab._disk import read_regular
from ebmlab.data._files import DataFile
from ebmlab.data.vocabularies import Characters, Vocabulary
from ebmlab.errors import ConfigurationError, DataError, ShapeError

__all__ = ["Text", "text"]

_SHAKESPEARE = DataFile(
    "text",
    "tinyshakespeare.txt",
    None,
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Text:
    """A text of n tokens, whole numbers below K = len(vocabulary); K itself hides a token.

    What is drawn is (x, y), n rows each, with places drawn at random; `fit` takes it as
    `lambda n, rng: text.masked(n, 32, rng)`.

    Args:
        tokens: (n,), whole numbers.
        vocabulary: what they stand for.

    Raises:
        ConfigurationError, DtypeError: tokens are no numbers of the vocabulary.
        ShapeError: tokens are not (n,), or fewer than a window holds.

    Example:
        >>> words = text("to be or not to be")
        >>> x, y = words.following(2, 5, torch.Generator().manual_seed(0))
        >>> words.decode(x[0]), words.decode(y[0])
        ('be or', 'e or ')
    """

    tokens: Tensor
    vocabulary: Vocabulary

    def __post_init__(self) -> None:
        require_labels("tokens", self.tokens, len(self.vocabulary))
        if self.tokens.ndim != 1 or not len(self.tokens):
            raise ShapeError(f"tokens have shape {tuple(self.tokens.shape)}; expected (n,), n > 0")

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def hidden(self) -> int:
        """The token that hides another, K."""
        return len(self.vocabulary)

    @property
    def counts(self) -> Tensor:
        """How often each token occurs, (K,)."""
        return self.tokens.bincount(minlength=self.hidden)

    def encode(self, string: str) -> Tensor:
        """The tokens of a string in this vocabulary."""
        return self.vocabulary.encode(string)

    def decode(self, tokens: Tensor) -> str:
        """The string of tokens, a ▢ for each hidden one."""
        return self.vocabulary.decode(tokens)

    def recoded(self, vocabulary: Vocabulary) -> "Text":
        """The same text in another vocabulary, as `BytePairs.of(text.decode(text.tokens))`."""
        return Text(vocabulary.encode(self.decode(self.tokens)), vocabulary)

    def split(self, share: float = 0.1) -> tuple["Text", "Text"]:
        """The text up to its last share, and the last share of it, both in this vocabulary."""
        require_shares(share=share)
        cut = int((1 - share) * len(self))
        if not 0 < cut < len(self):
            raise ConfigurationError(f"share is {share}; of {len(self)} tokens one part is empty")
        return replace(self, tokens=self.tokens[:cut]), replace(self, tokens=self.tokens[cut:])

    def windows(self, length: int) -> Tensor:
        """All windows, (n - length + 1, length), one at each place; they share memory."""
        require_counts(length=length)
        if length > len(self):
            raise ShapeError(f"the text has {len(self)} tokens, less than a window of {length}")
        return self.tokens.unfold(0, length, 1)

    def draw(self, n: int, length: int, rng: torch.Generator) -> Tensor:
        """Windows at n random places, (n, length)."""
        windows = self.windows(length)
        index = torch.randint(len(windows), (n,), generator=rng, device=rng.device)
        return windows[index.to(windows.device)]

    def masked(self, n: int, length: int, rng: torch.Generator, share: float = 0.15) -> Pair:
        """Windows x with hidden tokens and y without, (n, length) both.

        Each token is hidden with probability `share`, and one in each window in any case.
        """
        require_shares(share=share)
        y = self.draw(n, length, rng)
        chance = torch.rand(y.shape, generator=rng, device=rng.device).to(y.device)
        hides = chance <= chance.amin(1, keepdim=True).clamp(min=share)
        return torch.where(hides, self.hidden, y), y

    def gaps(self, n: int, reach: int, rng: torch.Generator) -> Pair:
        """Windows x (n, 2 reach + 1) whose middle is hidden, and the token y (n,) there."""
        return self.opened(self.draw(n, 2 * reach + 1, rng))

    def opened(self, windows: Tensor) -> Pair:
        """Windows (n, 2 reach + 1) with their middle hidden, and the tokens (n,) there."""
        x, middle = windows.clone(), windows.shape[1] // 2
        x[:, middle] = self.hidden
        return x, windows[:, middle]

    def following(self, n: int, length: int, rng: torch.Generator) -> Pair:
        """Windows x and y (n, length), where y_s is the token that follows x_s."""
        both = self.draw(n, length + 1, rng)
        return both[:, :-1], both[:, 1:]

    def neighbors(self, n: int, reach: int, rng: torch.Generator) -> Pair:
        """Tokens x (n,), and of each a neighbor y (n,) at most `reach` places away."""
        windows = self.draw(n, 2 * reach + 1, rng)
        step = torch.randint(2 * reach, (n, 1), generator=rng, device=rng.device)
        step = step.to(windows.device)
        other = windows.take_along_dim(step + (step >= reach), 1).squeeze(1)
        return windows[:, reach], other


def text(source: str | Path | None = None, *, vocabulary: Vocabulary | None = None) -> Text:
    """A text as tokens, its characters by default.

    Args:
        source: the text itself, or the `Path` of a file in UTF-8. None is tinyshakespeare,
            1,115,394 characters of Shakespeare's plays, where `EBMLAB_DATA` names the folder that
            holds `text/tinyshakespeare.txt`; else the reference of Python's language that comes
            with it, some 400,000 characters, which differ from version to version.
        vocabulary: what its tokens are; None is each character that it holds.

    Raises:
        DataError: the file cannot be read, is empty, no UTF-8, or not the published one.
        ConfigurationError: a string names a file.

    Example:
        >>> text("to be or not to be").counts
        tensor([5, 2, 2, 1, 4, 1, 3])

    Source: Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks".
    """
    raw = _raw(source)
    if not raw:
        raise DataError(f"the text {source!r} is empty")
    vocabulary = Characters.of(raw) if vocabulary is None else vocabulary
    return Text(vocabulary.encode(raw), vocabulary)


def _raw(source: str | Path | None) -> str:
    if source is None:
        return _default()
    if isinstance(source, str):
        if len(source) < 255 and Path(source).is_file():
            raise ConfigurationError(
                f"source is the string {source!r}, which names a file; pass Path(…) to read it"
            )
        return source
    try:
        return read_regular(source).decode().replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{source} cannot be read as text in UTF-8: {error}") from error


def _default() -> str:
    if os.environ.get("EBMLAB_DATA"):
        return _SHAKESPEARE.content(None).decode()
    from pydoc_data.topics import topics

    return "\n".join(topics.values())
