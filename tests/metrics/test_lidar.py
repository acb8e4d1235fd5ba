import math

import pytest
import scipy.linalg
import torch
from problems import generator

from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.metrics import lidar


def views(n, q, d, seed=0):
    rng = generator(seed)
    spread = torch.linspace(0.1, 2.0, d, dtype=torch.float64)
    means = torch.randn(n, 1, d, generator=rng, dtype=torch.float64) * spread
    mix = torch.randn(d, d, generator=rng, dtype=torch.float64) / d**0.5
    return means + 0.3 * torch.randn(n, q, d, generator=rng, dtype=torch.float64) @ mix


def entropy_rank(values, share=1e-7):
    p = values / values.sum() + share
    return math.exp(-(p * p.log()).sum())


def by_definition(codes, ridge, share=1e-7):
    """Loops, a symmetric root, and an eigen-decomposition."""
    n, q, d = codes.shape
    means = torch.stack([datum.mean(0) for datum in codes])
    between, within = torch.zeros(d, d).double(), ridge * torch.eye(d).double()
    for datum, mean in zip(codes, means, strict=True):
        between += torch.outer(mean - means.mean(0), mean - means.mean(0)) / (n - 1)
        for view in datum:
            within += torch.outer(view - mean, view - mean) / (n * (q - 1))
    values, basis = torch.linalg.eigh(within)
    root = basis @ (values.rsqrt()[:, None] * basis.mT)
    return entropy_rank(torch.linalg.eigvalsh(root @ between @ root).clamp(min=0), share)


@pytest.mark.parametrize("shape", [(40, 5, 7), (6, 4, 12), (3, 2, 1)])
@pytest.mark.parametrize("ridge", [1e-4, 0.5])
def test_lidar_is_what_its_definition_and_generalized_eigenvalues_give(shape, ridge):
    codes = views(*shape)
    found = lidar(codes, ridge=ridge)
    assert found == pytest.approx(by_definition(codes, ridge), rel=1e-9)
    within = (codes - codes.mean(1, keepdim=True)).flatten(0, 1)
    pooled = within.mT @ within / (shape[0] * (shape[1] - 1)) + ridge * torch.eye(shape[2])
    pairs = scipy.linalg.eigh(codes.mean(1).mT.cov().reshape(pooled.shape), pooled)[0]
    assert found == pytest.approx(entropy_rank(torch.from_numpy(pairs).clamp(min=0)), rel=1e-9)


def test_other_factors_than_those_of_the_definition_would_be_seen():
    codes = views(40, 5, 7)
    assert lidar(codes, ridge=0.5) != pytest.approx(by_definition(codes, 0.5 * 4 / 5), rel=1e-4)
    assert lidar(codes) != pytest.approx(by_definition(codes, 1e-4, share=1e-5), rel=1e-6)


def test_directions_that_only_views_tell_apart_do_not_count():
    rng = generator(0)
    codes = torch.zeros(200, 10, 6, dtype=torch.float64)
    codes[..., :3] = torch.randn(200, 1, 3, generator=rng, dtype=torch.float64)
    codes[..., 3:] = torch.randn(200, 10, 3, generator=rng, dtype=torch.float64)
    assert lidar(codes) == pytest.approx(3, abs=0.05)


def test_no_linear_map_changes_it_as_the_ridge_goes_to_zero():
    codes = views(30, 6, 5)
    mixed = codes @ torch.randn(5, 5, generator=generator(3), dtype=torch.float64)
    assert lidar(mixed, ridge=1e-12) == pytest.approx(lidar(codes, ridge=1e-12), rel=1e-6)
    assert lidar(mixed, ridge=1.0) != pytest.approx(lidar(codes, ridge=1.0), rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_collapsed_codes_have_rank_one(dtype):
    constant = torch.tensor([0.1, -3.7, 1 / 3], dtype=dtype).expand(9, 7, 3)
    assert lidar(constant) == 1
    assert lidar(torch.zeros(4, 2, 3, dtype=dtype)) == 1


def test_what_is_not_codes_of_views_is_told():
    with pytest.raises(ShapeError, match=r"\(4, 3\)"):
        lidar(torch.zeros(4, 3))
    with pytest.raises(ShapeError, match=r"\(4, 1, 3\)"):
        lidar(torch.zeros(4, 1, 3))
    with pytest.raises(NonFiniteError):
        lidar(torch.full((4, 2, 3), torch.nan))
    with pytest.raises(ConfigurationError, match="ridge"):
        lidar(torch.zeros(4, 2, 3), ridge=0.0)
