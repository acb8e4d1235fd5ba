"""What many views cost: heads, inferences and penalties are asked once for what they share."""

from itertools import product

import pytest
import torch
from objectives_support import Counted
from problems import randn
from torch import nn

from ebmlab import FreeEnergy
from ebmlab.codes import Codes, different
from ebmlab.energies import JointEmbedding, Predicted, SquaredDistance, Whitened
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Inference, Posterior
from ebmlab.networks import Projector
from ebmlab.objectives import Regularized
from ebmlab.protocols import Regularizer
from ebmlab.regularizers import BarlowTwins, MeanEntropy, SIGReg, VICReg, over_views
from ebmlab.regularizers.populations import Population

REGULARIZERS = {
    "VICReg": VICReg(),
    "BarlowTwins": BarlowTwins(),
    "SIGReg": SIGReg(directions=8),
    "MeanEntropy": MeanEntropy(),
}


def loop(function, hx, hy):
    """The mean over all ordered pairs of different views, one by one."""
    pairs = [(i, j) for i, j in product(range(len(hx)), range(len(hy))) if i != j]
    return torch.stack([function(hx[i], hy[j]) for i, j in pairs]).mean()


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize(("n", "m"), [(2, 2), (4, 4), (4, 2), (2, 4), (1, 2)])
def test_a_regularizer_over_views_is_its_mean_over_pairs(name, n, m):
    regularizer, hx, hy = REGULARIZERS[name], randn(n, 6, 3), randn(m, 6, 3, seed=1)
    torch.testing.assert_close(over(regularizer, hx, hy), loop(regularizer, hx, hy))
    if n == m:
        torch.testing.assert_close(over(regularizer, hx, hx), loop(regularizer, hx, hx))


def over(regularizer, hx, hy):
    xs = tuple(hx)
    ys = xs if hx is hy else tuple(hy)
    return over_views(regularizer, Codes(SquaredDistance(), xs, ys, different(len(xs), len(ys))))


class Clusters(Energy):
    """E = -Σ_k z_k log softmax(hx)_k."""

    takes_z = True

    def forward(self, x, y, z=None):
        return -(z * x.log_softmax(-1)).sum(-1)


class Softmax(Inference):
    """z is the softmax of y's code, and how many codes it was asked for is counted."""

    bound = "upper"

    def __init__(self):
        super().__init__()
        self.rows = 0

    def choose(self, energy, x, y, temperature, rng):
        self.rows += y[..., 0].numel()
        z = y.detach().softmax(-1)[None]
        zero = torch.zeros_like(y[..., 0])
        return Posterior(z, torch.ones_like(z[..., 0]), zero, zero)


def regularized(head, hx, hy):
    """The energy loss of views that are their own codes."""
    return Regularized()(JointEmbedding(nn.Identity(), head=head), tuple(hx), tuple(hy)).value


HEADS = {
    "distance": SquaredDistance,
    "inferred": lambda: FreeEnergy(Clusters(), Softmax()),
    "predicted": lambda: Predicted(nn.Linear(3, 3).double()),
    "batch norm": lambda: Predicted(Projector(3, 4, 3).double()),
    "whitened": lambda: Whitened(SquaredDistance()),
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize(("n", "m"), [(2, 2), (4, 2), (2, 3), (1, 2)])
def test_the_energy_is_that_of_the_double_loop_in_value_and_gradient(name, n, m):
    head, hx, hy = HEADS[name](), randn(n, 6, 3).requires_grad_(), randn(m, 6, 3, seed=1)
    due = loop(lambda a, b: head(a, b).mean(), hx, hy)
    found = regularized(head, hx, hy)
    torch.testing.assert_close(found, due)
    for a, b in zip(torch.autograd.grad(found, hx), torch.autograd.grad(due, hx), strict=True):
        torch.testing.assert_close(a, b)


def test_a_view_itself_counts_in_no_pair():
    hx = randn(3, 6, 3)
    pairs = [SquaredDistance()(a, b).mean() for a, b in product(hx, hx)]
    found = regularized(SquaredDistance(), hx, hx)
    assert (found - torch.stack(pairs).mean()).abs() > 0.1


def test_z_is_inferred_once_for_each_target_view():
    infer = Softmax()
    regularized(FreeEnergy(Clusters(), infer), randn(8, 6, 3), randn(2, 6, 3, seed=1))
    assert infer.rows == 2 * 6


class Asked(Population):
    """How often a penalty was asked for."""

    def __init__(self):
        self.times = 0

    def penalty(self, h):
        self.times += 1
        return h.square().mean()


def test_a_population_is_penalized_once_a_view_and_a_pair_of_siamese_views_once():
    encoder, asked, seen = Counted(), Asked(), []

    class Pairs(BarlowTwins):
        def __call__(self, hx, hy, *, groups=None):
            seen.append(1)
            return super().__call__(hx, hy)

    each = tuple(randn(6, 4, seed=i) for i in range(4))
    energy = JointEmbedding(encoder, head=SquaredDistance())
    Regularized(asked)(energy, each, each)
    Regularized(Pairs())(energy, each, each)
    assert (asked.times, len(seen)) == (4, 6)
    assert encoder.calls == 8
    two = JointEmbedding(Counted(), Counted(), SquaredDistance())
    Regularized(asked)(two, each, each)
    Regularized(Pairs())(two, each, each)
    assert (asked.times, len(seen)) == (4 + 8, 6 + 12)


def test_without_a_weight_the_energy_is_a_metric_only():
    h = (1e30 * randn(6, 3)).requires_grad_()
    head = Predicted(nn.Linear(3, 3).double(), SquaredDistance())
    loss = Regularized(BarlowTwins(), energy_weight=0.0)(head, h, 2 * h)
    assert list(loss.terms) == ["regularizer"]
    assert loss.metrics["e_pos"] > 1e50
    assert loss.value.detach() < 1
    loss.value.backward()
    assert all(p.grad is None for p in head.parameters())
    with pytest.raises(ConfigurationError, match="no loss"):
        Regularized(energy_weight=0.0)


def test_moments_of_one_thing_are_rows_of_one_group():
    class Seen(Regularizer):
        def __call__(self, hx, hy, *, groups=None):
            seen.append((hx, hy, groups))
            return hx.sum()

    seen = []
    h = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    objective = Regularized(Seen(), energy_weight=0)
    objective(SquaredDistance(), h, h + 1)
    hx, hy, groups = seen[0]
    assert torch.equal(hx, h.reshape(6, 4))
    assert torch.equal(hy, h.reshape(6, 4) + 1)
    assert groups.tolist() == [0, 0, 1, 1, 2, 2]
