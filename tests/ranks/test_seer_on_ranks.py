"""SEER on two ranks, sharded, its blocks run again, by LARS, is SEER in one process."""

import pytest
import torch
from problems import generator
from ranks_support import RANKS, on_two_ranks
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh

from ebmlab import methods
from ebmlab.networks import RegNetY, recomputed
from ebmlab.training import LARS

STEPS, N = 3, 6


def seer():
    torch.manual_seed(0)
    encoder = RegNetY(5, 8, 12.0, 2.0, 8)
    method = methods.seer(
        encoder, 64, prototypes=10, projection=4, hidden=8, frozen_steps=1, x_ndim=3
    )
    return method.double()


def crops():
    def drawn(size, seed):
        return torch.randn(N, 3, size, size, generator=generator(seed), dtype=torch.float64)

    return [drawn(32, 1), drawn(32, 2), drawn(16, 3), drawn(16, 4)]


def trained(method, views):
    optimizer = LARS(method.parameters(), lr=0.5, momentum=0.9, weight_decay=0.1, trust=0.1)
    values = []
    for _ in range(STEPS):
        loss = method(tuple(views), tuple(views[:2]), generator())
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
        values.append(loss.value.detach())
    state = method.state_dict()
    return torch.stack(values), {
        n: getattr(t, "full_tensor", lambda t=t: t)() for n, t in state.items()
    }


def on_rank(rank):
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    method = recomputed(seer())
    fully_shard(method, mesh=DeviceMesh("cpu", range(distributed.get_world_size())))
    sharded = sum(isinstance(p, DTensor) for p in method.parameters())
    return trained(method, [view.chunk(RANKS)[rank] for view in crops()]), sharded


@pytest.mark.slow
def test_two_ranks_sharded_and_recomputed_are_one_process():
    method = seer()
    values, state = trained(method, crops())
    ranks = on_two_ranks(on_rank)
    both = torch.stack([found for (found, _), _ in ranks])
    torch.testing.assert_close(both.mean(0), values, rtol=1e-10, atol=1e-10)
    for (_, own), sharded in ranks:
        assert sharded == len(list(method.parameters()))
        torch.testing.assert_close(own, state, rtol=1e-9, atol=1e-10)
    # Each rank's own rows alone have another loss: it is their sharing that agrees.
    alone, _ = trained(seer(), [view[: N // RANKS] for view in crops()])
    assert (both[0] - alone).abs().max() > 1e-4
