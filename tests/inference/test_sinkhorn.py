"""Balanced assignments: the official scaling, its limit, every precision, weights, queues."""

import pytest
import torch
from clusters_support import official_sinkhorn
from problems import F64, randn
from torch.nn import functional

from ebmlab import FreeEnergy, Plane, landscape
from ebmlab.energies import Assignment, SquaredDistance
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Sinkhorn
from ebmlab.inference._clusters import sinkhorn
from ebmlab.inference._clusters.sinkhorn import balanced
from ebmlab.networks import Memory, Prototypes


@pytest.mark.parametrize("iterations", [1, 3, 10])
@pytest.mark.parametrize("epsilon", [0.05, 1.0])
def test_a_few_iterations_are_the_official_ones(epsilon, iterations):
    logits = randn(20, 7).tanh()
    q, _ = balanced(logits, epsilon, iterations)
    due = official_sinkhorn(logits, epsilon, iterations)
    torch.testing.assert_close(q, due, rtol=1e-10, atol=1e-14)


def test_many_iterations_use_all_clusters_alike_and_maximize_entropic_transport():
    logits = randn(20, 7)
    q, uneven = balanced(logits, 0.5, 2000)
    torch.testing.assert_close(q.sum(0), torch.full((7,), 20 / 7, dtype=F64))
    torch.testing.assert_close(q.sum(1), torch.ones(20, dtype=F64))
    assert uneven < 1e-12

    def objective(plan):
        return (plan * logits).sum() + 0.5 * torch.special.entr(plan).sum()

    for seed in range(5):
        way = randn(20, 7, seed=seed + 1)
        way = way - way.mean(0) - way.mean(1, keepdim=True) + way.mean()
        assert objective(q) > objective(q + 1e-4 * way * q.min() / way.abs().max())


def test_how_uneven_the_clusters_were_is_told():
    logits = randn(20, 7)
    _, uneven = balanced(logits, 0.5, 4)
    before, _ = balanced(logits, 0.5, 3)
    torch.testing.assert_close(uneven, (before.sum(0) / 20 - 1 / 7).abs().sum())


# The official form is NaN in float16 at these logits: exp(s / ε) overflows above s = 0.55.
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_rows_sum_to_one_in_every_precision(kind):
    codes, prototypes = (functional.normalize(randn(n, 16, seed=n), dim=1) for n in (512, 300))
    logits = (6 * codes @ prototypes.T).to(kind)
    q, _ = balanced(logits)
    assert q.dtype == torch.float32
    assert (q.double().sum(1) - 1).abs().max() <= 1.5e-6
    torch.testing.assert_close(q.double(), balanced(logits.double())[0], rtol=0, atol=1e-5)
    if kind == torch.float16:
        assert official_sinkhorn(logits).isnan().any()


def by_logarithms(logits, epsilon, iterations, weights):
    """The same scaling in double precision, each sum of exponentials about its largest."""
    logs, weights = logits.double() / epsilon, weights.double()
    rows, due = weights.log(), (weights.sum() / logits.shape[1]).log()
    for _ in range(iterations):
        clusters = due - (logs + rows[:, None]).logsumexp(0)
        totals = (logs + clusters).logsumexp(1)
        rows = weights.log() - totals
    return (logs + clusters - totals[:, None]).exp()


# Cosines of fewer rows than clusters; one cluster ahead of all others; four rows of weight 0.
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, F64])
@pytest.mark.parametrize("ahead", [0.0, 6.0, 100.0])
@pytest.mark.parametrize("iterations", [1, 3, 50])
@pytest.mark.parametrize("epsilon", [0.001, 0.002, 0.01, 0.03, 0.05, 1.0])
def test_every_scale_is_that_of_logarithms(epsilon, iterations, ahead, kind):
    codes, prototypes = (functional.normalize(randn(n, 8, seed=n), dim=1) for n in (30, 40))
    logits = codes @ prototypes.T
    logits[:, 3] += ahead
    logits[:4] += 20.0
    logits, weights = logits.to(kind), (torch.arange(30) >= 4).float()
    q, uneven = balanced(logits, epsilon, iterations, weights)
    due = by_logarithms(logits, epsilon, iterations, weights)
    torch.testing.assert_close(q.double(), due, rtol=0, atol=3e-6)
    assert (q.double().sum(1) - 1).abs().max() < 1e-6
    assert uneven.isfinite()


def outlier(share):
    """All rows alike but for one, whose logits are highest and point elsewhere."""
    logits = torch.zeros(30, 8)
    logits[:, 1], logits[0] = 1.0, 1.0
    logits[0, 1:] = share
    return logits


# At the widest logits that products still serve, whose smallest exponential is exp(-67) = 8e-30.
@pytest.mark.parametrize("logits", [randn(20, 7).float(), randn(200, 50).float(), outlier(0.0)])
@pytest.mark.parametrize("iterations", [1, 3, 50])
def test_products_are_exact_as_far_as_they_reach(logits, iterations):
    gap = float((logits.amax(1) - logits.amin(1)).max())
    for reach in (0.999, 1.001):
        epsilon = gap / (67.0 * reach)
        due = by_logarithms(logits, epsilon, iterations, torch.ones(len(logits)))
        q = balanced(logits, epsilon, iterations)[0].double()
        torch.testing.assert_close(q, due, rtol=0, atol=5e-6)


@pytest.mark.parametrize(("ahead", "epsilon"), [(6.0, 0.05), (0.0, 0.002), (0.0, 0.001)])
def test_products_beyond_their_reach_would_be_wrong(ahead, epsilon, monkeypatch):
    monkeypatch.setattr(sinkhorn, "_REACH", torch.inf)
    codes, prototypes = (functional.normalize(randn(n, 8, seed=n), dim=1) for n in (30, 40))
    logits = (codes @ prototypes.T).float()
    logits[:, 3] += ahead
    due = by_logarithms(logits, epsilon, 3, torch.ones(30))
    assert not ((balanced(logits, epsilon)[0] - due).abs().max() < 0.1)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, F64])
@pytest.mark.parametrize("iterations", [1, 3, 50])
def test_logits_that_are_near_need_no_largest_of_each_row(iterations, kind, monkeypatch):
    codes, prototypes = (functional.normalize(randn(n, 8, seed=n), dim=1) for n in (30, 40))
    logits = (codes @ prototypes.T).to(kind)
    kept, weights = logits.clone(), torch.linspace(0, 2, 30)
    epsilon = float(logits.amax() - logits.amin()) / 39.9
    found = balanced(logits, epsilon, iterations, weights)
    assert torch.equal(logits, kept)
    monkeypatch.setattr(sinkhorn, "_NEAR", -1.0)
    for one, other in zip(found, balanced(logits, epsilon, iterations, weights), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-12 if kind == F64 else 5e-6)
    due = by_logarithms(logits, epsilon, iterations, weights)
    torch.testing.assert_close(found[0].double(), due, rtol=0, atol=5e-6)


@pytest.mark.parametrize("scale", [1.0, 6.0])
def test_autocast_changes_nothing(scale):
    logits = scale * randn(20, 7).float().tanh()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = logits @ logits.mT
        q, _ = balanced(logits)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(q, balanced(logits)[0], rtol=0, atol=0)


def test_rows_without_weight_do_not_count_and_offsets_change_nothing():
    logits = randn(20, 7).tanh()
    weights = (torch.arange(20) >= 8).double()
    logits[:8] += 50.0
    torch.testing.assert_close(balanced(logits, weights=weights)[0][8:], balanced(logits[8:])[0])
    torch.testing.assert_close(balanced(logits + 100.0)[0], balanced(logits)[0])


def test_views_are_populations_of_their_own():
    energy, h = Assignment(temperature=1.0), randn(3, 10, 4)
    q = Sinkhorn(0.5)(energy, h, h)
    assert q.atoms.shape == (1, 3, 10, 4)
    for view, z in zip(h, q.atoms[0], strict=True):
        torch.testing.assert_close(z, balanced(view, 0.5)[0])


def test_all_pairs_share_the_assignment_of_their_y():
    head = FreeEnergy(Assignment(temperature=1.0), Sinkhorn(0.5))
    x, y = randn(4, 3), randn(5, 3, seed=1)
    z = balanced(y, 0.5)[0]
    due = -(z[None] * x.log_softmax(-1)[:, None]).sum(-1)
    torch.testing.assert_close(head(x[:, None], y[None]), due)


def queued(memory_from=0):
    memory = Memory(6, 3).double()
    return FreeEnergy(
        Assignment(Prototypes(3, 4)), Sinkhorn(memory=memory, memory_from=memory_from)
    ).double()


@pytest.mark.parametrize("memory_from", [0, 3])
def test_the_queue_waits_until_it_is_full_and_its_time_has_come(memory_from):
    head, y = queued(memory_from), randn(4, 3, seed=5)
    for step in range(5):
        past = head.infer.memory.codes
        prototypes = head.energy.prototypes
        joined = torch.cat([prototypes(past), prototypes(y)]).detach()
        used = step >= max(2, memory_from)
        due = official_sinkhorn(joined)[6:] if used else official_sinkhorn(joined[6:])
        torch.testing.assert_close(head.posterior(y, y).atoms[0], due)
        head.update(None, randn(4, 3, seed=10 + step))


def test_each_view_is_joined_by_its_own_past():
    memory, y = Memory(6, 3, views=2).double(), randn(2, 4, 3, seed=5)
    head = FreeEnergy(Assignment(Prototypes(3, 4)), Sinkhorn(memory=memory)).double()
    memory.push(randn(2, 7, 3, seed=6))
    prototypes, found = head.energy.prototypes, head.posterior(y, y).atoms[0]
    for view, past, z in zip(y, memory.codes, found, strict=True):
        joined = prototypes(torch.cat([past, view])).detach()
        torch.testing.assert_close(z, official_sinkhorn(joined)[6:])
    many = torch.stack([y, y.flip(0)])
    torch.testing.assert_close(head.posterior(many, many).atoms[0, 0], found)
    with pytest.raises(ShapeError, match=r"expected \(…, 2, b, 3\)"):
        head.posterior(y[:1], y[:1])


def test_no_gradient_passes_the_assignment():
    head = FreeEnergy(Assignment(Prototypes(3, 4)), Sinkhorn()).double()
    x, y = randn(5, 3).requires_grad_(), randn(5, 3, seed=1).requires_grad_()
    head(x, y).sum().backward()
    assert x.grad is not None
    assert y.grad is None


def test_balance_keeps_codes_that_agree_from_sharing_one_cluster():
    h = torch.ones(8, 3, dtype=F64)
    head = FreeEnergy(Assignment(), Sinkhorn())
    torch.testing.assert_close(head.posterior(h, h).atoms[0], torch.full((8, 3), 1 / 3, dtype=F64))


def test_landscapes_refuse_a_balanced_batch():
    head = FreeEnergy(Assignment(), Sinkhorn())
    assert head.couples
    with pytest.raises(ConfigurationError, match="couples the rows"):
        landscape(head.given(torch.zeros(1, 2)), Plane.xy())


@pytest.mark.parametrize("bad", [{"epsilon": 0.0}, {"iterations": 0}, {"memory_from": -1}])
def test_numbers_out_of_range_raise(bad):
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        Sinkhorn(**bad)


def test_energies_without_scores_temperatures_and_lone_codes_raise():
    y = torch.zeros(2, 3)
    with pytest.raises(ConfigurationError, match="expected ClusterEnergy"):
        Sinkhorn()(SquaredDistance(), y, y)
    with pytest.raises(ConfigurationError, match="temperature must be 0"):
        Sinkhorn()(Assignment(), y, y, 0.5)
    with pytest.raises(ShapeError, match=r"y has shape \(3,\)"):
        Sinkhorn()(Assignment(), y, y[0])


def test_x_may_have_more_batch_dimensions_than_y():
    x, y = randn(3, 20, 4), randn(20, 4, seed=1)
    free = FreeEnergy(Assignment(Prototypes(4, 5).double()), Sinkhorn())
    due = torch.stack([free(each, y) for each in x])
    torch.testing.assert_close(free(x, y), due)
