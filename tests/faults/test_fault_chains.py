"""Chains that stand, stray or fall together; streams of ranks and workers."""

import math
import warnings

import pytest
import torch
from problems import generator, randn
from samplers_support import bowl
from torch import nn

from ebmlab import FunctionEnergy
from ebmlab._randomness import stream
from ebmlab.losses import difference
from ebmlab.negatives import FromData, Replay
from ebmlab.negatives.health import health
from ebmlab.objectives import Contrastive
from ebmlab.samplers import HMC, MALA, Langevin, run


class Slope(nn.Module):
    """A tilted plane, or a bowl, of 2-D points."""

    def __init__(self, tilt: float, curvature: float) -> None:
        super().__init__()
        self.tilt = nn.Parameter(torch.tensor(tilt, dtype=torch.float64))
        self.curvature = curvature

    def forward(self, y):
        return self.tilt * y.sum(-1) + self.curvature * y.square().sum(-1)


def _metrics(energy: nn.Module, negatives, y: torch.Tensor) -> dict[str, float]:
    loss = Contrastive(difference, negatives)(FunctionEnergy(energy), None, y, generator(1))
    return {name: float(value) for name, value in loss.metrics.items()}


def test_fault_22_chains_that_leave_the_data_are_told():
    y, sampler = randn(64, 2), Langevin(0.5)
    with pytest.warns(UserWarning, match="of 64 chains 100% are more than ten times as far"):
        strayed = _metrics(Slope(5.0, 0.0), FromData(sampler, 40), y)
    assert strayed["strayed"] == 1.0
    assert _metrics(Slope(5.0, 0.5), FromData(sampler, 40), y)["strayed"] == 0.0


def test_fault_23_chains_that_accept_nothing_are_told():
    start = randn(5, 2)
    for still in (MALA(1e4), HMC(50.0, 3)):
        with pytest.warns(UserWarning, match="5 of 5 chains accepted next to nothing in 20 steps"):
            chain = run(still, lambda y: bowl(y).square(), start, steps=20, rng=generator())
        assert torch.equal(chain.state.y, start)
    with pytest.warns(UserWarning, match="of 64 chains 100% did not move at all"):
        _metrics(Slope(0.0, 50.0), FromData(MALA(1e4), 5), randn(64, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(MALA(0.5), bowl, start, steps=20, rng=generator())


def test_fault_24_a_pool_that_has_coalesced_or_stands_is_told():
    y = randn(16, 2)
    one = Replay(y[:1].repeat(40, 1), Langevin(0.1, temperature=0.0), 3, rebirth=0.0)
    with pytest.warns(UserWarning, match="of 16 chains 94% stand where another one stands"):
        _metrics(Slope(0.0, 1.0), one, y)
    apart = Replay(randn(40, 2, seed=3), Langevin(0.1), 3, rebirth=0.0)
    metrics = _metrics(Slope(0.0, 1.0), apart, y)
    assert metrics["coalesced"] == metrics["still"] == 0.0


def test_the_health_of_chains_is_counted():
    y = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    end = torch.tensor([[0.0, 0.0], [2.5, 0.0], [0.0, 2.5], [50.0, 2.0]])
    shares = health(y, y, end)
    assert float(shares["still"]) == 0.25
    assert float(shares["strayed"]) == 0.25
    assert float(shares["coalesced"]) == 0.0
    assert float(shares["moved"]) == pytest.approx((0.5 + 0.5 + 48) / 4)
    # Rows that agree in their sum only are not one.
    mirrored = torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    assert float(health(y[:3], y[:3], mirrored)["coalesced"]) == pytest.approx(1 / 3)
    assert float(health(mirrored, mirrored, mirrored + 1)["coalesced"]) == 0.0


def test_faults_29_and_30_ranks_and_workers_have_streams_of_their_own():
    made = [
        torch.rand(1000, generator=stream(seed, worker, rank=rank))
        for seed in (0, 1)
        for rank in (0, 1, 2)
        for worker in (0, 1)
    ]
    table = torch.stack(made)
    # Independent uniforms: correlations of 1000 have standard error 0.03; none of 66 beyond 5.
    correlations = torch.corrcoef(table) - torch.eye(len(table))
    assert correlations.abs().max() < 5 / math.sqrt(1000)
    assert torch.equal(made[0], torch.rand(1000, generator=stream(0, 0, rank=0)))
    assert torch.equal(made[0], torch.rand(1000, generator=stream(0, 0)))
    same = torch.stack([made[0], torch.rand(1000, generator=stream(0, 0, rank=0))])
    assert torch.corrcoef(same)[0, 1] > 0.99


def test_fault_29_the_rank_is_that_of_torch_distributed(monkeypatch):
    import torch.distributed as distributed

    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_rank", lambda: 3)
    theirs = torch.rand(4, generator=stream(7))
    assert torch.equal(theirs, torch.rand(4, generator=stream(7, rank=3)))
    assert not torch.equal(theirs, torch.rand(4, generator=stream(7, rank=0)))
