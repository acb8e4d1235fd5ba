"""What holds for every recipe with clusters, queues or teachers: symmetries, state, training."""

import copy

import pytest
import torch
from clusters_support import RECIPES
from torch import Tensor

from ebmlab.protocols import Stepped


def over(tree, change):
    """The tree with a change of every tensor that has the batch."""
    if isinstance(tree, Tensor):
        return change(tree)
    return tuple(change(leaf) if len(leaf) == 6 else leaf for leaf in tree)


@pytest.mark.parametrize("name", RECIPES)
def test_the_order_of_the_batch_does_not_matter(name):
    build, data = RECIPES[name]
    method, (x, y) = build(), data()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    turned = [over(tree, lambda leaf: leaf[order]) for tree in (x, y)]
    torch.testing.assert_close(method(x, y).value, method(*turned).value)
    cut = [over(tree, lambda leaf: leaf[:4]) for tree in (x, y)]
    assert (method(x, y).value - method(*cut).value).abs() > 1e-6


@pytest.mark.parametrize("name", [n for n in RECIPES if n not in ("moco", "deepercluster")])
def test_two_views_may_be_swapped(name):
    build, data = RECIPES[name]
    method, (x, y) = build(), data()
    swapped = (x[1], x[0], *x[2:]), (y[1], y[0], *y[2:])
    torch.testing.assert_close(method(x, y).value, method(*swapped).value)


@pytest.mark.parametrize("name", RECIPES)
def test_state_moves_in_commit_only_and_is_saved(name):
    build, data = RECIPES[name]
    method, (x, y) = build(), data()
    start = copy.deepcopy(method.state_dict())
    loss = method(x, y)
    assert all(torch.equal(start[key], value) for key, value in method.state_dict().items())
    loss.commit()
    moved = [
        key for key, value in method.state_dict().items() if not torch.equal(start[key], value)
    ]
    stateful = any(isinstance(module, Stepped) for module in method.modules())
    assert bool(moved) == (stateful or name in ("moco", "nnclr", "deepercluster"))
    other = build()
    other.load_state_dict(method.state_dict())
    assert torch.equal(other(x, y).value, method(x, y).value)


@pytest.mark.parametrize("name", RECIPES)
def test_a_few_steps_lower_the_loss(name):
    build, data = RECIPES[name]
    method, (x, y) = build(), data()
    method(x, y).commit()
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-2)
    start = method(x, y).value
    for _ in range(8):
        loss = method(x, y)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
    assert method(x, y).value < start


def single(tree):
    if isinstance(tree, Tensor):
        return tree.float() if tree.is_floating_point() else tree
    return tuple(map(single, tree))


@pytest.mark.parametrize("name", RECIPES)
def test_codes_from_under_autocast_are_committed_outside_it(name):
    build, data = RECIPES[name]
    method, (x, y) = build().float(), map(single, data())
    plain = method(x, y).value
    with torch.autocast("cpu", torch.bfloat16):
        loss = method(x, y)
    torch.testing.assert_close(loss.value.float(), plain, rtol=0.03, atol=0.03)
    loss.value.backward()
    loss.commit()
    assert method(x, y).value.isfinite()
