import pytest
import torch
from torch import nn

from ebmlab import methods
from ebmlab.errors import ConfigurationError, NonFiniteError
from ebmlab.training import fit, settle


def circle(n=256):
    angle = torch.linspace(0, 6.28, n + 1)[:-1]
    return torch.stack([angle.cos(), angle.sin()], 1)


def views(size, rng):
    x = circle()[torch.randint(256, (size,), generator=rng)]
    pair = tuple(x + 0.05 * torch.randn(x.shape, generator=rng) for _ in range(2))
    return pair, pair


def clustering():
    torch.manual_seed(0)
    return methods.deepcluster(
        nn.Linear(2, 8), 8, memory=128, every=2, prototypes=(16,), projection=4, hidden=8
    )


def test_settling_moves_state_and_no_weight_and_leaves_modes_and_gradients_alone():
    method = clustering().eval()
    centers = method.energy.head.energy.prototypes.weight
    weights = {n: p.clone() for n, p in method.named_parameters() if p is not centers}
    before = centers.clone()
    settle(method, views, commits=2, batch_size=32)
    assert int(method.energy.head.infer.clock) == 2
    assert not torch.equal(centers, before)
    named = dict(method.named_parameters())
    assert all(torch.equal(named[name], weight) for name, weight in weights.items())
    assert all(p.grad is None for p in method.parameters())
    assert not any(module.training for module in method.modules())


def test_clusters_of_data_are_all_used_and_random_ones_are_not():
    def used(method):
        rng = torch.Generator().manual_seed(1)
        with torch.no_grad():
            head, _, hy = method.energy.embed(*views(256, rng))
            return len(head.posterior(None, hy).atoms.flatten(0, -2).argmax(-1).unique())

    torch.manual_seed(0)
    settled = clustering()
    settle(settled, views, commits=2, batch_size=32)
    assert used(settled) >= 14
    assert used(clustering()) <= 12


def test_settling_twice_from_one_seed_is_the_same_and_training_goes_on_from_there():
    first, again = clustering(), clustering()
    for method in (first, again):
        settle(method, views, commits=3, rng=torch.Generator().manual_seed(5))
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    )
    fit(first, views, steps=1, batch_size=32)
    assert int(first.energy.head.infer.clock) == 4


def test_a_loss_that_is_nan_is_not_committed():
    method = clustering()
    nan = torch.full((32, 2), torch.nan)
    with pytest.raises(NonFiniteError):
        settle(method, ((nan, nan), (nan, nan)), commits=1)
    assert int(method.energy.head.infer.clock) == 0
    with pytest.raises(ConfigurationError, match="commits is 0"):
        settle(method, views, commits=0)
