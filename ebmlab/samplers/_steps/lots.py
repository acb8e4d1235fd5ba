"""The random numbers of trees, by counting: chains may be at different transitions."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ebmlab._tracing import tracing
from ebmlab.kernels.arrays import NUMPY, TORCH
from ebmlab.kernels.threefry import PLACES, threefry
from ebmlab.kernels.words import Words, normal_pair, precise_pair, unit

__all__ = ["Lots", "lots", "momenta"]

# Streams of the seed of a transition.
MOMENTUM, LEAF = range(2)


class Lots(NamedTuple):
    """What a leaf of each chain decides by, (*lead, chains).

    Attributes:
        pick: log U, whether the leaf is picked in its branch.
        join: log U, whether the branch that it completes gives the draw.
        time: 1 or -1, where the next branch goes.
    """

    pick: Tensor
    join: Tensor
    time: Tensor


def lots(seeds: Tensor, leaf: Tensor, dtype: torch.dtype) -> Lots:
    """The lots of a leaf, numbered from 0 in its transition, of seeds (chains,).

    A block of Threefry has counter (chain, leaf): the upper bits of its first word are for `pick`,
    those of the second for `join`, and the last bit of the second is for `time`.
    """
    first, second = _words(seeds, leaf, LEAF)
    time = 2 * (second & 1) - 1
    return Lots(_log_uniform(first, dtype), _log_uniform(second, dtype), time.to(dtype))


def _log_uniform(word: Tensor, dtype: torch.dtype) -> Tensor:
    return unit(TORCH, word).to(dtype).log()


def momenta(seeds: Tensor, like: Tensor) -> Tensor:
    """Standard normal momenta (d, chains) of seeds (chains,), for chains like (chains, *event).

    They are the numbers of `kernels.threefry.normals` with each chain's seed.
    """
    d = like[0].numel()
    half = (d + 1) // 2
    place = torch.arange(half, dtype=torch.int32, device=seeds.device)[:, None]
    if like.dtype == torch.float64:
        radial, angular = (_words(seeds, 2 * place + k, MOMENTUM) for k in range(2))
        pair = precise_pair(TORCH, radial, angular)
    else:
        pair = normal_pair(TORCH, _words(seeds, place, MOMENTUM))
    return torch.cat([pair[0], pair[1][: d - half]])


def _words(seeds: Tensor, place: Tensor, stream: int) -> Words:
    chain = torch.arange(len(seeds), dtype=torch.int32, device=seeds.device)
    key = ((seeds << 32) >> 32).to(torch.int32), (seeds >> 32).to(torch.int32)
    counter = chain, place.to(torch.int32) + stream * PLACES
    if tracing() or not seeds.is_cpu:
        return threefry(TORCH, key, counter)
    parts = [part.numpy().view(np.uint32) for part in (*key, *counter)]
    first, second = threefry(NUMPY, (parts[0], parts[1]), (parts[2], parts[3]))
    return torch.from_numpy(first), torch.from_numpy(second)
