"""What was answered to data before, so that thinking can go on where it stopped."""

import torch
from torch import Tensor

from ebmlab._checks import leaves, require_counts, require_device, require_shares
from ebmlab._events import identities
from ebmlab._ranks import gathered
from ebmlab._rows import rows
from ebmlab._shown import Shown
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.types import Tree

__all__ = ["Answers"]


class Answers(Shown):
    """The last answer to each pair (x, y) that has a place here, by the pair's fingerprint.

    Each pair has one place; of two pairs with the same place the later one keeps it. An answer
    goes on only where exactly the same pair comes again, as the rows of a data set do, and
    augmented ones do not. All state is in buffers.

    Args:
        size: how many places: a few times the number of pairs, or some pairs never stay.
        event: the shape of one y.
        share: the probability in [0, 1] that a pair goes on from its answer; else it starts anew.

    Raises:
        ConfigurationError: size < 1, or the share is none.

    Example:
        >>> Answers(100, 2)
        Answers(pool=(100, 2), share=0.5)

    Source: Du, Mordatch 2019, arXiv:1903.08689 (replay); Gladstone et al. 2025, arXiv:2507.02092.
    """

    shows = ("pool", "share")
    pool: Tensor
    owner: Tensor
    kept: Tensor

    def __init__(self, size: int, *event: int, share: float = 0.5) -> None:
        super().__init__()
        require_counts(size=size)
        require_shares(share=share)
        self.share = share
        self.register_buffer("pool", torch.zeros(size, *event))
        self.register_buffer("owner", torch.zeros(size, dtype=torch.long))
        self.register_buffer("kept", torch.zeros(size, dtype=torch.bool))

    def identify(self, energy: Energy, x: Tree, y: Tensor) -> Tensor:
        """The fingerprints (b,) of pairs."""
        require_device("the answers", self.pool.device, {"y": y})
        if y.shape[1:] != self.pool.shape[1:]:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, the answers {tuple(self.pool.shape)}: pass "
                f"Answers(size, {', '.join(map(str, y.shape[1:]))})"
            )
        seen = leaves(x if energy.takes_x else None, "x")
        ndim = energy.x_ndim if isinstance(energy.x_ndim, tuple) else (energy.x_ndim,) * len(seen)
        events = (*(ndim if seen else ()), y.ndim - 1)
        return identities((*seen, y), len(y), y.device, events)

    def recall(self, pairs: Tensor, fresh: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Starts like fresh (b, *event), and which of them are answers given before, (b,)."""
        place = self._places(pairs)
        coin = torch.rand(len(pairs), generator=rng, device=pairs.device) < self.share
        known = coin & self.kept[place] & (self.owner[place] == pairs)
        return torch.where(rows(known, fresh), self.pool[place].to(fresh.dtype), fresh), known

    def keep(self, pairs: Tensor, answers: Tensor) -> None:
        """Write the answers of all ranks to these pairs; of two for one place the last stays."""
        pairs, answers = gathered("pairs", pairs), gathered("answers", answers.detach())
        place, order = self._places(pairs), torch.arange(len(pairs), device=pairs.device)
        last = torch.full_like(self.owner, -1).scatter_reduce(0, place, order, "amax")
        place, stays = place[last[place] == order], last[place] == order
        self.pool[place] = answers[stays].to(self.pool.dtype)
        self.owner[place] = pairs[stays]
        self.kept[place] = True

    def _places(self, pairs: Tensor) -> Tensor:
        return pairs.remainder(len(self.owner))
