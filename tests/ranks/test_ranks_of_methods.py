"""Two ranks equal one process: losses, gradients, queues, centers, clusters, for every recipe."""

import pytest
import torch
from clusters_support import RECIPES, N
from ranks_support import RANKS, on_two_ranks
from torch import Tensor

STEPS = 3


def share(rank, tree):
    """A rank's part of whatever has the batch."""
    if isinstance(tree, Tensor):
        return tree.chunk(RANKS)[rank]
    return tuple(leaf.chunk(RANKS)[rank] if len(leaf) == N else leaf for leaf in tree)


def trained(method, x, y):
    """Values and gradients of a few steps, with commits between, and the state at the end."""
    found = []
    for _ in range(STEPS):
        method.zero_grad()
        loss = method(x, y)
        loss.value.backward()
        grads = {n: p.grad.clone() for n, p in method.named_parameters() if p.grad is not None}
        found.append((loss.value.detach(), grads))
        loss.commit()
    return found, dict(method.state_dict())


def on_rank(rank):
    results = {}
    for name, (build, data) in RECIPES.items():
        x, y = (share(rank, tree) for tree in data())
        results[name] = trained(build(), x, y)
    return results


@pytest.fixture(scope="module")
def both():
    return on_two_ranks(on_rank)


# Each rank's loss is the mean over its own rows, and DDP averages gradients over ranks.
@pytest.mark.parametrize("name", RECIPES)
def test_two_ranks_are_one_process(both, name):
    build, data = RECIPES[name]
    alone, state = trained(build(), *data())
    ranks = [part[name] for part in both]
    for step, (value, grads) in enumerate(alone):
        mean = torch.stack([found[step][0] for found, _ in ranks]).mean()
        torch.testing.assert_close(mean, value)
        for parameter, grad in grads.items():
            got = torch.stack([found[step][1][parameter] for found, _ in ranks]).mean(0)
            torch.testing.assert_close(got, grad)
    for _, own in ranks:
        for key, value in state.items():
            torch.testing.assert_close(own[key], value)


def test_alone_each_half_would_be_another_loss():
    for name, (build, data) in RECIPES.items():
        if name in ("moco", "byol", "deepercluster", "dino", "deepcluster"):
            continue
        halves = [build()(*(share(rank, tree) for tree in data())).value for rank in range(RANKS)]
        assert (torch.stack(halves).mean() - build()(*data()).value).abs() > 1e-6, name
