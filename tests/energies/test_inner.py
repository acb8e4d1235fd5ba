import pytest
import torch

from ebmlab.energies._codes.inner import inner

SHAPES = [
    ((4, 5), (4, 5)),
    ((4, 1, 5), (1, 6, 5)),
    ((3, 4, 5), (1, 4, 5)),
    ((3, 4, 5), (4, 5)),
    ((3, 1, 4, 5), (2, 1, 5)),
    ((5,), (5,)),
]


@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_inner_products_and_gradients_are_those_of_the_sum_of_products(a, b):
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randn(shape, generator=rng).double().requires_grad_() for shape in (a, b))
    value, due = inner(a, b), (a * b).sum(-1)
    torch.testing.assert_close(value, due)
    weight = torch.randn(due.shape, generator=rng).double()
    slopes = torch.autograd.grad((weight * value).sum(), (a, b))
    rights = torch.autograd.grad((weight * due).sum(), (a, b))
    for slope, right in zip(slopes, rights, strict=True):
        torch.testing.assert_close(slope, right)


def test_all_pairs_never_hold_the_products():
    a, b = torch.ones(300, 1, 400), torch.ones(1, 300, 400)
    with torch.profiler.profile(profile_memory=True) as profile:
        inner(a, b)
    largest = max(event.self_cpu_memory_usage for event in profile.events())
    assert largest < 300 * 300 * 400
