import pytest
import torch
from problems import F64, randn
from ranks_support import RANKS, on_two_ranks

from ebmlab._ranks import decided, gathered, rank_count, rank_number, summed, totaled
from ebmlab.errors import ShapeError
from ebmlab.inference._clusters.sinkhorn import balanced

# By products of exponentials, and by logarithms.
EPSILONS = (0.5, 0.002)


def population_loss(h):
    """Not a sum over rows, so that every row's gradient needs all of them."""
    return (h.T @ h).square().sum()


def share(rank, batch):
    return batch.chunk(RANKS)[rank].clone().requires_grad_()


def whole_loss_on_each(rank, batch):
    own = share(rank, batch)
    loss = population_loss(gathered("h", own))
    loss.backward()
    return loss.detach(), own.grad, rank_count(), rank_number()


def mean_over_own_rows(rank, batch):
    own = share(rank, batch)
    loss = (own @ gathered("h", own).T).logsumexp(1).mean()
    loss.backward()
    return loss.detach(), own.grad


def transposed_gradients(rank, batch):
    own = share(rank, batch)
    every = gathered("h", own)
    loss = torch.einsum("...d,...d->...", own[:, None], every[None]).logsumexp(1).mean()
    loss.backward()
    return loss.detach(), own.grad


def squared_slope(batch, every):
    """The squared gradient of a loss of all rows in the own ones, whose gradient is second."""
    loss = population_loss(every.tanh())
    (slope,) = torch.autograd.grad(loss, batch, create_graph=True)
    return slope.square().sum()


def second_derivatives(rank, batch):
    own = share(rank, batch)
    value = squared_slope(own, gathered("h", own))
    value.backward()
    return value.detach(), own.grad


def of_moments(first, square):
    """Not a sum over rows: what batch normalization does with sums."""
    return (square.sin() * first).sum()


def summed_moments(rank, batch):
    """Unequal shares: value, gradient, and the gradient of the squared gradient."""
    own = batch.split([1, 5])[rank].clone().requires_grad_()
    loss = of_moments(summed(own.sum(0)), summed(own.square().sum(0)))
    (slope,) = torch.autograd.grad(loss, own, create_graph=True)
    (second,) = torch.autograd.grad(slope.square().sum(), own)
    return loss.detach(), slope.detach(), second


def decisions(rank):
    flags = (True, rank == 0, torch.tensor(rank == 1), torch.tensor(1.0).isfinite())
    return [decided(flag) for flag in flags]


def assigned(rank, logits):
    """Balanced clusters, by products and by logarithms, the first row without weight."""
    own, weights = logits.chunk(RANKS)[rank], torch.ones(len(logits)).chunk(RANKS)[rank]
    weights[0] = rank
    return [balanced(own, epsilon, 4, weights) for epsilon in EPSILONS]


def unequal(rank):
    try:
        gathered("hx", torch.ones(2 + rank, 3))
    except ShapeError as error:
        return str(error)
    return "gathered"


def everything(rank, batch):
    total = totaled(torch.tensor([1.0 + rank]))
    views = gathered("h", torch.full((2, 1, 3), float(rank)), batch_dim=1)
    return (
        whole_loss_on_each(rank, batch),
        mean_over_own_rows(rank, batch),
        unequal(rank),
        total,
        views,
        transposed_gradients(rank, batch),
        second_derivatives(rank, batch),
        assigned(rank, batch),
        summed_moments(rank, batch),
        decisions(rank),
    )


@pytest.fixture(scope="module")
def both():
    return on_two_ranks(everything, randn(6, 3))


# DDP averages gradients over ranks, hence the division by RANKS.
def test_a_loss_of_all_rows_has_the_gradient_of_one_process(both):
    whole = randn(6, 3).requires_grad_()
    due = population_loss(whole)
    due.backward()
    assert [part[0][2:] for part in both] == [(2, 0), (2, 1)]
    assert all(torch.allclose(part[0][0], due.detach()) for part in both)
    grad = torch.cat([part[0][1] for part in both]) / RANKS
    assert torch.allclose(grad, whole.grad)


def test_means_over_the_own_rows_average_to_the_gradient_of_one_process(both):
    whole = randn(6, 3).requires_grad_()
    due = (whole @ whole.T).logsumexp(1).mean()
    due.backward()
    assert torch.allclose(torch.stack([part[1][0] for part in both]).mean(), due.detach())
    grad = torch.cat([part[1][1] for part in both]) / RANKS
    assert torch.allclose(grad, whole.grad)


def test_gradients_that_lie_transposed_in_memory_arrive_in_order(both):
    whole = randn(6, 3).requires_grad_()
    (whole @ whole.T).logsumexp(1).mean().backward()
    grad = torch.cat([part[5][1] for part in both]) / RANKS
    assert torch.allclose(grad, whole.grad)


def test_gradients_of_gradients_are_those_of_one_process(both):
    whole = randn(6, 3).requires_grad_()
    # Each rank's slope is that of all ranks' losses, hence the squares.
    value = RANKS**2 * squared_slope(whole, whole)
    value.backward()
    assert torch.allclose(torch.stack([part[6][0] for part in both]).sum(), value.detach())
    assert torch.allclose(torch.cat([part[6][1] for part in both]), whole.grad)


def test_without_the_gradient_of_the_gather_the_result_is_another():
    whole = randn(6, 3).requires_grad_()
    (whole @ whole.T.detach()).logsumexp(1).mean().backward()
    full = randn(6, 3).requires_grad_()
    (full @ full.T).logsumexp(1).mean().backward()
    assert not torch.allclose(whole.grad, full.grad, atol=1e-3)


def test_unequal_batches_are_named_on_every_rank_before_anything_moves(both):
    for part in both:
        assert "hx differs between ranks: rank 0 (2, 3); rank 1 (3, 3)" in part[2]


def test_totals_and_other_batch_dimensions(both):
    for part in both:
        assert torch.equal(part[3], torch.tensor([3.0]))
        assert torch.equal(part[4][:, :, 0], torch.tensor([[0.0, 1.0], [0.0, 1.0]]))


@pytest.mark.parametrize("i", range(2))
def test_clusters_are_balanced_over_the_batch_of_all_ranks(both, i):
    logits, weights = randn(6, 3), torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    q, uneven = balanced(logits, EPSILONS[i], 4, weights)
    found = [part[7][i] for part in both]
    torch.testing.assert_close(torch.cat([own for own, _ in found]), q)
    assert all(torch.allclose(each, uneven) for _, each in found)


def test_sums_have_the_gradients_of_one_process_twice_for_unequal_shares(both):
    whole = randn(6, 3).requires_grad_()
    loss = of_moments(whole.sum(0), whole.square().sum(0))
    (slope,) = torch.autograd.grad(RANKS * loss, whole, create_graph=True)
    (second,) = torch.autograd.grad(slope.square().sum(), whole)
    assert all(torch.allclose(part[8][0], loss) for part in both)
    assert torch.allclose(torch.cat([part[8][1] for part in both]), slope)
    assert torch.allclose(torch.cat([part[8][2] for part in both]), second)


def test_a_flag_counts_where_it_is_true_on_all_ranks(both):
    assert [part[9] for part in both] == [[True, False, False, True]] * RANKS
    assert [decided(True), decided(torch.tensor(False))] == [True, False]


def test_alone_nothing_is_gathered():
    h = torch.ones(2, 3, dtype=F64, requires_grad=True)
    assert gathered("h", h) is h
    assert summed(h) is h
    assert rank_count() == 1
    assert rank_number() == 0
    assert not totaled(h).requires_grad
