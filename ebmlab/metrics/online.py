"""Looks at codes of given images while a method trains, every so many times it is asked."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab._ranks import gathered, rank_count, rank_number
from ebmlab.errors import ConfigurationError
from ebmlab.metrics.compared import inner_method, still
from ebmlab.protocols import Loss
from ebmlab.types import Tree

__all__ = ["Online", "Seen"]

# What `Online.look` is given: images (n, *event) to codes (n, d), in blocks.
Seen = Callable[[Tensor], Tensor]


class Online(ABC):
    """A watch that encodes images of its own, once in `every` looks; the first look counts.

    The method stands still meanwhile, in `eval` mode, without gradients; its mode, its buffers
    and all generators but the watch's own stay as they were. Ranks share the images out, and all
    see the codes of all. Codes that are not finite are not judged, and give no numbers.

    Args:
        every: looks from one that is taken to the next.
        rows: images encoded at a time.
    """

    def __init__(self, every: int, rows: int) -> None:
        require_counts(every=every, rows=rows)
        self.every, self.rows = every, rows
        self._looks = 0

    @abstractmethod
    def look(self, seen: Seen) -> dict[str, float]:
        """Look at codes, without gradients; return the metrics."""

    @final
    @torch.no_grad()
    def __call__(
        self, method: nn.Module, batch: tuple[Tree, Tree], loss: Loss
    ) -> Mapping[str, float]:
        """Look at a method, where a look is taken; what `fit` calls."""
        self._looks += 1
        if (self._looks - 1) % self.every:
            return {}
        inner = inner_method(method)
        if inner is None:
            raise ConfigurationError(
                f"{type(self).__name__} looks at codes, and {type(method).__name__} holds no "
                "Method whose `encode` gives them"
            )
        with still(inner, batch=False):
            return self.look(lambda images: _codes(inner.encode, images, self.rows))

    def state_dict(self) -> dict[str, Any]:
        """What goes on with a run: how many looks there were."""
        return {"looks": self._looks}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            ConfigurationError: it is the state of something else.
        """
        require_counts(0, looks=state.get("looks", -1))
        self._looks = state["looks"]


def _codes(encode: Seen, images: Tensor, rows: int) -> Tensor:
    """The codes (n, d) of all images, of which each rank encodes its share."""
    n, ranks = len(images), rank_count()
    # As many on every rank: the last ones go round.
    share = (torch.arange(-(-n // ranks)) * ranks + rank_number()) % n
    parts = (encode(images[part]).flatten(1) for part in share.to(images.device).split(rows))
    codes = gathered("codes", torch.cat(list(parts)))
    return codes.unflatten(0, (ranks, -1)).transpose(0, 1).flatten(0, 1)[:n]
