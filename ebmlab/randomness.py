"""Generators out of generators: replayed from one state, or forked into an independent stream."""

from collections.abc import Callable

import torch

from ebmlab.checks import require_generator

__all__ = ["fork", "replayed"]


def replayed(rng: torch.Generator | None, who: str) -> Callable[[], torch.Generator]:
    """A source of generators that all start where rng stands now; rng itself does not move."""
    device = rng.device if rng is not None else torch.device("cpu")
    state = require_generator(rng, who, device).get_state()
    return lambda: torch.Generator(device).set_state(state)


def fork(rng: torch.Generator) -> torch.Generator:
    """A generator of its own stream, seeded by one draw from rng."""
    seed = torch.randint(2**63 - 1, (), generator=rng, device=rng.device)
    return torch.Generator(rng.device).manual_seed(int(seed))
