"""Transformers of tokens."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_labels
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks._backbones.blocks import Block, begin_small

__all__ = ["Transformer"]


class Transformer(nn.Module):
    """Logits of each token of texts: (n, length) of whole numbers to (n, length, vocabulary).

    Tokens are embedded, learned positions added, then blocks h ← h + attention(norm h), h ← h +
    MLP(norm h), and a last norm; logits are inner products with the embeddings of the tokens.
    Tokens are 0 … vocabulary - 1, and one more, `vocabulary` itself, stands for a hidden one: it
    is read and never predicted. Texts may be shorter than `length`.

    Args:
        vocabulary: how many tokens there are, without the one that hides.
        length: of the longest text.
        dim: length of an embedding.
        depth: number of blocks.
        heads: of the attention; they divide dim.
        causal: whether a place sees itself and those before it only, so that the logits there are
            of the token that follows.
        site: the place whose logits alone are given, (n, vocabulary), negative ones counted from
            the end; None gives those of all.

    Attributes:
        vocabulary: as given.

    Raises:
        ConfigurationError: heads does not divide dim; a token is not in 0 … vocabulary.
        DtypeError: tokens are not whole numbers.
        ShapeError: texts are not (n, length), or are longer than positions were learned for.

    Example:
        >>> f = Transformer(65, 16, dim=24, depth=2, heads=3)
        >>> f(torch.zeros(2, 16, dtype=torch.long)).shape
        torch.Size([2, 16, 65])
        >>> f.at(torch.zeros(2, 9, dtype=torch.long), -1).shape
        torch.Size([2, 65])

    Source: Vaswani et al. 2017, arXiv:1706.03762; normalized first, Radford et al. 2019; one
    matrix that reads and writes, Press, Wolf 2017, arXiv:1608.05859.
    """

    def __init__(
        self,
        vocabulary: int,
        length: int,
        *,
        dim: int = 128,
        depth: int = 4,
        heads: int = 4,
        causal: bool = False,
        site: int | None = None,
    ) -> None:
        super().__init__()
        require_counts(vocabulary=vocabulary, length=length, dim=dim, depth=depth, heads=heads)
        if site is not None and site not in range(-length, length):
            raise ConfigurationError(f"site is {site}; a text has {length} places")
        self.vocabulary, self.length, self.site = vocabulary, length, site
        self.embedding = nn.Embedding(vocabulary + 1, dim)
        self.positions = nn.Parameter(torch.empty(length, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads, causal=causal) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        begin_small(self, self.positions)
        nn.init.trunc_normal_(self.embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (n, length, vocabulary); of one place alone where `site` was given."""
        if self.site is not None:
            return self.at(tokens, self.site)
        return self._logits(self._read(tokens))

    def at(self, tokens: Tensor, site: int) -> Tensor:
        """Logits at one place alone, (n, vocabulary): the last layer is spared at the others."""
        return self._logits(self._read(tokens)[:, site])

    def _read(self, tokens: Tensor) -> Tensor:
        if tokens.ndim != 2 or not 0 < tokens.shape[1] <= self.length:
            raise ShapeError(
                f"tokens have shape {tuple(tokens.shape)}; expected (n, length) with length from "
                f"1 to {self.length}: longer texts need more positions"
            )
        index = require_labels("tokens", tokens, self.vocabulary + 1)
        return self.blocks(self.embedding(index) + self.positions[: tokens.shape[1]])

    def _logits(self, h: Tensor) -> Tensor:
        return nn.functional.linear(self.norm(h), self.embedding.weight[: self.vocabulary])
