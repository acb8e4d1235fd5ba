"""Prototypes, weight-normed directions, and the ring of codes."""

import pytest
import torch
from problems import randn
from torch.nn import functional

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks import Directions, Memory, Prototypes


@pytest.mark.parametrize("layer", [Prototypes, Directions])
def test_scores_are_cosines(layer):
    logits, h = layer(3, 5).double(), randn(2, 6, 3)
    due = functional.cosine_similarity(h[..., None, :], logits.weight, dim=-1)
    torch.testing.assert_close(logits(h), due)


def test_only_commits_put_prototypes_back_to_length_one():
    prototypes = Prototypes(3, 5).double()
    with torch.no_grad():
        prototypes.weight.mul_(3.0)
    torch.testing.assert_close(prototypes.weight.norm(dim=1), torch.full((5,), 3.0).double())
    prototypes.step()
    torch.testing.assert_close(prototypes.weight.norm(dim=1), torch.ones(5).double())


def test_directions_have_no_slope_along_themselves():
    directions = Directions(3, 5).double()
    (directions(randn(6, 3)) * randn(6, 5, seed=1)).sum().backward()
    along = (directions.weight.grad * directions.weight).sum(1)
    assert along.abs().max() < 1e-12
    assert directions.weight.grad.abs().max() > 0.1


@pytest.mark.parametrize("layer", [Prototypes, Directions])
def test_weights_are_frozen_for_some_commits(layer):
    logits, h = layer(3, 5, frozen_steps=2).double(), randn(6, 3).requires_grad_()
    for step in range(4):
        grad_h, grad = torch.autograd.grad(logits(h).square().sum(), [h, logits.weight])
        assert bool((grad == 0).all()) == (step < 2)
        assert grad_h.abs().max() > 0
        logits.step()


@pytest.mark.parametrize("layer", [Prototypes, Directions])
def test_a_zero_code_has_a_finite_gradient(layer):
    h = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    layer(3, 5).double()(h).sum().backward()
    assert h.grad.isfinite().all()


@pytest.mark.parametrize("sizes", [(0, 5), (3, 0), (3, 5, -1)])
def test_sizes_out_of_range_raise(sizes):
    with pytest.raises(ConfigurationError, match=r"(dim|k|frozen_steps) is"):
        Prototypes(*sizes)


def test_a_memory_is_a_ring_of_the_latest_codes():
    memory, pushed = Memory(5, 2).double(), []
    for i, n in enumerate((2, 2, 3, 11, 1)):
        pushed += randn(n, 2, seed=i).tolist()
        memory.push(randn(n, 2, seed=i))
        kept = sorted(pushed[-5:])
        assert sorted(memory.codes.tolist())[-len(kept) :] == kept or len(pushed) < 5
        assert int(memory.count) == min(len(pushed), 5)
    assert sorted(memory.codes.tolist()) == sorted(pushed[-5:])


def test_a_memory_begins_with_unit_vectors_of_its_seed():
    first, again, other = Memory(50, 3), Memory(50, 3), Memory(50, 3, seed=1)
    torch.testing.assert_close(first.codes.norm(dim=1), torch.ones(50))
    assert torch.equal(first.codes, again.codes)
    assert not torch.equal(first.codes, other.codes)


def test_a_memory_takes_views_and_no_gradient_and_refuses_other_codes():
    memory, h = Memory(5, 2).double(), randn(2, 2, 2).requires_grad_()
    memory.push(h)
    torch.testing.assert_close(memory.codes[:4], h.detach().reshape(4, 2))
    assert not memory.codes.requires_grad
    with pytest.raises(ShapeError, match=r"\(3, 4\); expected \(…, b, 2\)"):
        memory.push(randn(3, 4))
    with pytest.raises(ConfigurationError, match="size is 0"):
        Memory(0, 2)


def test_a_memory_of_several_views_is_a_memory_of_each():
    memory, pushed = Memory(5, 2, views=3).double(), randn(4, 3, 3, 2)
    alone = [Memory(5, 2).double() for _ in range(3)]
    for codes in (*pushed, randn(2, 3, 4, 2, seed=1)):
        memory.push(codes)
        for own, view in zip(alone, codes.movedim(-3, 0), strict=True):
            own.push(view)
        if memory.count == 5:
            torch.testing.assert_close(memory.codes, torch.stack([own.codes for own in alone]))
        assert memory.count == alone[0].count
    assert "views=3" in repr(memory)
    for wrong in ((3, 2), (2, 3, 2), (3, 3, 4)):
        with pytest.raises(ShapeError, match=r"expected \(…, 3, b, 2\)"):
            memory.push(randn(*wrong))
    with pytest.raises(ConfigurationError, match="views is 0"):
        Memory(5, 2, views=0)
