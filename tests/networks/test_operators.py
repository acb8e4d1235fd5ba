"""Operators that z chooses: against loops, groups of rotations, identity at first."""

import pytest
import torch
from problems import F64, randn

from ebmlab.errors import ConfigurationError
from ebmlab.networks import LieOperators, LowRankOperators, Operators, Rotations


def seeded(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build().double()


def affine(p, h, z):
    """Σ_k z_k (A_k h + b_k), entry by entry."""
    if isinstance(p, Operators):
        maps = list(p.maps)
    else:
        pairs = zip(p.out, p.into, strict=True)
        maps = [torch.eye(h.shape[1], dtype=F64) + u @ v.T for u, v in pairs]
    return sum(z[:, k, None] * (h @ maps[k].T + p.shifts[k]) for k in range(z.shape[1]))


AFFINE = {
    "full": lambda **more: Operators(4, 3, **more),
    "low rank": lambda **more: LowRankOperators(4, 3, 2, **more),
}


@pytest.mark.parametrize("name", AFFINE)
def test_values_and_slopes_are_those_of_the_formula(name):
    p = seeded(AFFINE[name])
    p.shifts.data = randn(3, 4, seed=5)
    h, z = randn(6, 4).requires_grad_(), randn(6, 3, seed=1).requires_grad_()
    ours, due = p(h, z), affine(p, h, z)
    torch.testing.assert_close(ours, due)
    own = [h, z, *p.parameters()]
    weights = randn(6, 4, seed=2)
    slopes = [torch.autograd.grad((value * weights).sum(), own) for value in (ours, due)]
    for a, b in zip(*slopes, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", AFFINE)
def test_at_first_they_are_near_the_identity(name):
    h, z = randn(3, 4), torch.eye(3, dtype=F64)
    torch.testing.assert_close(seeded(lambda: AFFINE[name](spread=0.0))(h, z), h)
    # 4 · 3 · 64 entries of deviation 0.1 / √64 within a twentieth.
    wide = {"full": lambda: Operators(64, 3), "low rank": lambda: LowRankOperators(64, 3, 4)}
    p, eye = seeded(wide[name]), torch.eye(64, dtype=F64)
    moved = torch.stack([p(eye, torch.eye(3, dtype=F64)[k].expand(64, 3)) - eye for k in range(3)])
    assert moved.detach().std() == pytest.approx(0.1 / 8, rel=0.1)


@pytest.mark.parametrize("skew", [True, False])
def test_generators_act_for_as_long_as_z_says(skew):
    p = seeded(lambda: LieOperators(4, 2, skew=skew, spread=1.0))
    h, z = randn(5, 4), randn(5, 2, seed=1)
    due = torch.stack(
        [
            torch.linalg.matrix_exp(torch.tensordot(t, p.generators, 1)) @ v
            for t, v in zip(z, h, strict=True)
        ]
    )
    torch.testing.assert_close(p(h, z), due)
    torch.testing.assert_close(p(h, 0 * z), h)
    torch.testing.assert_close(p(p(h, z), -z), h)
    keeps = torch.allclose(p(h, z).norm(dim=1), h.norm(dim=1))
    assert keeps == skew
    wide = seeded(lambda: LieOperators(64, 3, skew=skew))
    off = wide.generators[:, ~torch.eye(64, dtype=torch.bool)]
    assert off.detach().std() == pytest.approx(0.1 / 8, rel=0.1)


def test_angles_add_up_and_a_full_turn_is_none():
    p = Rotations(6, frequencies=2).double()
    h, a, b = randn(5, 6), randn(5, 1, seed=1), randn(5, 1, seed=2)
    torch.testing.assert_close(p(p(h, a), b), p(h, a + b))
    torch.testing.assert_close(p(h, a + 2 * torch.pi), p(h, a))
    planes = torch.view_as_complex(h.reshape(5, 3, 2))
    orders = torch.tensor([1, 2, 1], dtype=F64)
    due = torch.view_as_real(planes * torch.exp(1j * a * orders)).flatten(1)
    torch.testing.assert_close(p(h, a), due)
    with pytest.raises(ConfigurationError, match="dim is 5"):
        Rotations(5)


@pytest.mark.parametrize(
    ("build", "codes"),
    [
        (lambda: Operators(4, 3), 3),
        (lambda: LowRankOperators(4, 3, 2), 3),
        (lambda: LieOperators(4, 3), 3),
        (lambda: Rotations(4), 1),
    ],
)
def test_half_precision_stays_near(build, codes):
    p, h, z = seeded(build), randn(5, 4), torch.randn(5, codes, dtype=F64)
    due = p(h, z)
    half = p.bfloat16()(h.bfloat16(), z.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), due, rtol=0.1, atol=0.1)
