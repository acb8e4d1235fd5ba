"""Generators out of generators, or of a seed and a rank: replayed, forked, or each a stream."""

import hashlib
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ebmlab._checks import require_generator, require_seed
from ebmlab._ranks import gathered, rank_count, rank_number
from ebmlab.types import Rng

__all__ = ["fork", "replayed", "shared", "stream"]


def replayed(rng: Rng, who: str) -> Callable[[], torch.Generator]:
    """A source of generators that all start where rng stands now; rng itself does not move."""
    device = rng.device if rng is not None else torch.device("cpu")
    return partial(_again, device, require_generator(rng, who, device).get_state())


def _again(device: torch.device, state: Tensor) -> torch.Generator:
    return torch.Generator(device).set_state(state)


def fork(rng: torch.Generator) -> torch.Generator:
    """A generator of its own stream, seeded by one draw from rng."""
    seed = torch.randint(2**63 - 1, (), generator=rng, device=rng.device)
    return torch.Generator(rng.device).manual_seed(int(seed))


def shared(rng: torch.Generator) -> torch.Generator:
    """A generator of one stream for all ranks, seeded by the first one's; alone, rng itself."""
    if rank_count() == 1:
        return rng
    seed = torch.randint(2**63 - 1, (1,), generator=rng, device=rng.device)
    return torch.Generator(rng.device).manual_seed(int(gathered("seed", seed)[0]))


def stream(
    seed: int, *path: int, device: torch.device | str = "cpu", rank: int | None = None
) -> torch.Generator:
    """A generator of its own for each rank, and for each worker or purpose that `path` numbers.

    The same seed on every rank would give the same noise to all. Streams are seeded by a hash of
    (seed, rank, *path), and so do not overlap as seed + rank may.

    Args:
        seed: one for the whole run.
        path: further numbers, as of a worker.
        device: of the generator.
        rank: None asks torch.distributed, and is 0 where that is not running.

    Example:
        >>> a, b = (torch.rand(2, generator=stream(0, rank=rank)) for rank in (0, 1))
        >>> torch.equal(a, b)
        False
    """
    require_seed(seed)
    rank = rank_number() if rank is None else rank
    digest = hashlib.sha256(repr((seed, rank, *path)).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8]) >> 1)
