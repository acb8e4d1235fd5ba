import math

import pytest
import torch
from problems import generator, randn
from torch import nn

from ebmlab.energies import JointEmbedding, SquaredDistance
from ebmlab.errors import ConfigurationError
from ebmlab.objectives import Regularized
from ebmlab.regularizers import VICReg


@pytest.mark.parametrize(
    ("objective", "collapses"),
    [(Regularized(), True), (Regularized(VICReg(25, 1), energy_weight=25 / 3), False)],
)
def test_the_energy_loss_alone_collapses_a_joint_embedding_and_vicreg_does_not(
    objective, collapses
):
    encoder = nn.Linear(4, 3)
    energy = JointEmbedding(encoder, head=SquaredDistance())
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.02)
    y = randn(256, 4).float()
    start = encoder(y).std(0).min().item()
    rng = generator(1)
    for _ in range(300):
        views = tuple(y + 0.5 * torch.randn(256, 4, generator=rng) for _ in range(2))
        loss = objective(energy, views, views, rng)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
    std = encoder(y).std(0)
    if collapses:
        assert std.max() < start / 100
    else:
        assert std.min() > 0.5


def test_terms_are_weighted_and_detached():
    x, y = randn(6, 3).requires_grad_(), randn(6, 3, seed=1)
    loss = Regularized(VICReg(), weight=0.2, energy_weight=3.0)(SquaredDistance(), x, y)
    torch.testing.assert_close(
        loss.terms,
        {
            "energy": 3.0 * (x - y).square().sum(-1).mean().detach(),
            "regularizer": 0.2 * VICReg()(x, y).detach(),
        },
    )
    torch.testing.assert_close(loss.value.detach(), torch.stack([*loss.terms.values()]).sum())
    assert list(Regularized()(SquaredDistance(), x, y).terms) == ["energy"]


@pytest.mark.parametrize("name", ["weight", "energy_weight"])
@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_negative_weights_raise(name, bad):
    with pytest.raises(ConfigurationError, match=name):
        Regularized(**{name: bad})
