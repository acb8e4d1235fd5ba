"""A convolution over tokens."""

from torch import Tensor, nn
from torch.nn import functional

from ebmlab._checks import require_counts, require_labels
from ebmlab.errors import ShapeError

__all__ = ["TokenConvNet"]


class TokenConvNet(nn.Module):
    """Logits of each token from its neighbors: (n, length) to (n, length, vocabulary).

    A table of numbers for each token at each of 2 reach + 1 places, summed, then two layers. It
    sees where its neighbors stand from the first step on, which attention has to learn: hidden
    letters are told after fewer steps. A token sees itself and what follows, too: this is for
    hidden tokens, not for the next one.

    Args:
        vocabulary: how many tokens there are, without the one that hides, of that number.
        reach: how many neighbors are seen on each side.
        dim: length of an embedding.
        width: of the layers.

    Raises:
        ConfigurationError: a token is not in 0 … vocabulary.
        DtypeError: tokens are not whole numbers.
        ShapeError: texts are not (n, length).

    Example:
        >>> import torch
        >>> f = TokenConvNet(65, dim=4, width=8)
        >>> f(torch.zeros(2, 16, dtype=torch.long)).shape
        torch.Size([2, 16, 65])

    Source: Waibel et al. 1989 (time-delay networks); Collobert et al. 2011 (of words).
    """

    def __init__(
        self, vocabulary: int, reach: int = 8, *, dim: int = 32, width: int = 256
    ) -> None:
        super().__init__()
        require_counts(vocabulary=vocabulary, reach=reach, dim=dim, width=width)
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(vocabulary + 1, dim)
        self.places = nn.Conv1d(dim, width, 2 * reach + 1, padding=reach)
        self.layer = nn.Linear(width, width)
        self.out = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (n, length, vocabulary)."""
        if tokens.ndim != 2 or not tokens.shape[1]:
            raise ShapeError(f"tokens have shape {tuple(tokens.shape)}; expected (n, length)")
        index = require_labels("tokens", tokens, self.vocabulary + 1)
        h = functional.gelu(self.places(self.embedding(index).mT).mT)
        return self.out(h + functional.gelu(self.layer(h)))

    def at(self, tokens: Tensor, site: int) -> Tensor:
        """Logits at one place alone, (n, vocabulary)."""
        return self(tokens)[:, site]
