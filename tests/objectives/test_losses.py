"""Margin losses against their formulas written with loops over data and negatives."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ebmlab import losses
from ebmlab.errors import ConfigurationError, ShapeError

# Each loss beside its formula for one E+ (p) and a list of E- (ns), in plain floats.
PAIRWISE = {
    "log_loss": (losses.log_loss, lambda p, n: math.log1p(math.exp(p - n))),
    "mce": (losses.mce, lambda p, n: 1 / (1 + math.exp(n - p))),
    "difference": (losses.difference, lambda p, n: p - n),
    "logistic": (losses.logistic, lambda p, n: math.log1p(math.exp(p)) + math.log1p(math.exp(-n))),
    "Hinge": (losses.Hinge(0.7), lambda p, n: max(0.0, 0.7 + p - n)),
    "LVQ2": (losses.LVQ2(0.6), lambda p, n: min(0.6, max(0.0, p - n))),
    "SquareSquare": (losses.SquareSquare(1.3), lambda p, n: p**2 + max(0.0, 1.3 - n) ** 2),
    "SquareExponential": (losses.SquareExponential(0.8), lambda p, n: p**2 + 0.8 * math.exp(-n)),
    "Levels": (losses.Levels(-0.2, 0.9), lambda p, n: max(0.0, p + 0.2) + max(0.0, 0.9 - n)),
    "HeldDifference": (losses.HeldDifference(0.05), lambda p, n: p - n + 0.05 * (p**2 + n**2)),
}


def _mean(pair):
    return lambda p, ns: sum(pair(p, n) for n in ns) / len(ns)


def _boltzmann(p, ns):
    return math.exp(-p) / sum(math.exp(-e) for e in [p, *ns])


PLAIN = {name: (loss, _mean(pair)) for name, (loss, pair) in PAIRWISE.items()} | {
    "energy_loss": (losses.energy_loss, lambda p, ns: p),
    "perceptron": (losses.perceptron, lambda p, ns: p - min([p, *ns])),
    "mee": (losses.mee, lambda p, ns: 1 - _boltzmann(p, ns)),
    "InfoNCE": (
        losses.InfoNCE(0.3),
        lambda p, ns: -math.log(_boltzmann(p / 0.3, [n / 0.3 for n in ns])),
    ),
}
# At k = 1: LeCun et al. 2006, table 1, with beta = 1 and the plus sign of equation 17.
TABLE_1 = {
    "energy_loss": (losses.energy_loss, lambda p, n: p),
    "perceptron": (losses.perceptron, lambda p, n: p - min(p, n)),
    "Hinge": (losses.Hinge(1.0), lambda p, n: max(0.0, 1 + p - n)),
    "log_loss": (losses.log_loss, lambda p, n: math.log(1 + math.exp(p - n))),
    "LVQ2": (losses.LVQ2(1.0), lambda p, n: min(1.0, max(0.0, p - n))),
    "mce": (losses.mce, lambda p, n: 1 / (1 + math.exp(-(p - n)))),
    "SquareSquare": (losses.SquareSquare(1.0), lambda p, n: p**2 + max(0.0, 1 - n) ** 2),
    "SquareExponential": (losses.SquareExponential(1.0), lambda p, n: p**2 + math.exp(-n)),
    "InfoNCE": (losses.InfoNCE(1.0), lambda p, n: p + math.log(math.exp(-p) + math.exp(-n))),
    "mee": (losses.mee, lambda p, n: 1 - math.exp(-p) / (math.exp(-p) + math.exp(-n))),
}

every_loss = pytest.mark.parametrize("name", PLAIN)


def _energies(b: int = 6, k: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    e_pos = torch.randn(b, generator=rng, dtype=torch.float64)
    return e_pos, torch.randn(b, k, generator=rng, dtype=torch.float64)


@every_loss
@pytest.mark.parametrize("k", [1, 4])
def test_value_equals_the_formula_written_with_loops(name, k):
    loss, plain = PLAIN[name]
    e_pos, e_neg = _energies(k=k)
    expected = [plain(p, ns) for p, ns in zip(e_pos.tolist(), e_neg.tolist(), strict=True)]
    torch.testing.assert_close(loss(e_pos, e_neg).tolist(), expected, rtol=1e-12, atol=1e-12)


@every_loss
def test_gradients_equal_finite_differences(name):
    loss, _ = PLAIN[name]
    inputs = [e.requires_grad_() for e in _energies(b=4, k=3, seed=1)]
    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize("name", TABLE_1)
def test_one_negative_gives_the_row_of_table_1(name):
    loss, row = TABLE_1[name]
    grid = torch.linspace(-2, 2, 9, dtype=torch.float64).tolist()
    for p, n in product(grid, grid):
        value = loss(torch.tensor([p]).double(), torch.tensor([[n]]).double())
        assert value.item() == pytest.approx(row(p, n), abs=1e-12)


@every_loss
def test_rows_are_independent_and_of_the_inputs_dtype(name):
    loss, _ = PLAIN[name]
    e_pos, e_neg = (e.float() for e in _energies())
    both = loss(e_pos, e_neg)
    assert both.shape == (6,)
    assert both.dtype == torch.float32
    torch.testing.assert_close(both[2:3], loss(e_pos[2:3], e_neg[2:3]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", PAIRWISE)
def test_repeating_the_negatives_changes_no_pairwise_loss(name):
    loss, _ = PLAIN[name]
    e_pos, e_neg = _energies()
    torch.testing.assert_close(loss(e_pos, torch.cat([e_neg, e_neg], 1)), loss(e_pos, e_neg))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 4.0])
def test_infonce_is_cross_entropy_of_minus_energy_over_temperature(temperature):
    e_pos, e_neg = (e.requires_grad_() for e in _energies(b=7, k=5))
    ours = losses.InfoNCE(temperature)(e_pos, e_neg)
    logits = -torch.cat([e_pos[:, None], e_neg], dim=1) / temperature
    theirs = functional.cross_entropy(logits, torch.zeros(7).long(), reduction="none")
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    for a, b in zip(
        torch.autograd.grad(ours.sum(), [e_pos, e_neg]),
        torch.autograd.grad(theirs.sum(), [e_pos, e_neg]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_infonce_of_equal_energies_is_the_log_of_their_number():
    value = losses.InfoNCE(0.2)(torch.full((3,), 2.5), torch.full((3, 9), 2.5))
    torch.testing.assert_close(value, torch.full((3,), math.log(10)))


def test_infonce_tends_to_the_perceptron_when_cold_and_to_the_difference_when_warm():
    e_pos, e_neg = _energies(k=3)
    cold = 1e-3 * losses.InfoNCE(1e-3)(e_pos, e_neg)
    torch.testing.assert_close(cold, losses.perceptron(e_pos, e_neg), rtol=0, atol=1e-3 * 1.4)
    # To first order in 1/T: T (loss - log(k + 1)) = E+ - mean(E+, E-) = k/(k + 1) (E+ - mean E-).
    warm = 1e5 * (losses.InfoNCE(1e5)(e_pos, e_neg) - math.log(4))
    torch.testing.assert_close(warm, 0.75 * losses.difference(e_pos, e_neg), rtol=0, atol=1e-4)


def test_infonce_and_mee_see_only_differences_even_at_a_large_offset_in_float32():
    # The optimum of InfoNCE is free up to c(x), so energies drift. Multiples of 1/128 are exact
    # in float32 at 10,000, so nothing but the loss's own arithmetic can lose the differences.
    e_pos, e_neg = ((e.float() * 128).round() / 128 for e in _energies())
    for loss in (losses.InfoNCE(1.0), losses.mee, losses.log_loss):
        shifted = loss(e_pos + 1e4, e_neg + 1e4)
        torch.testing.assert_close(shifted, loss(e_pos, e_neg), rtol=1e-5, atol=1e-6)


def test_mee_is_one_minus_the_softmax_of_the_right_answer():
    e_pos, e_neg = _energies()
    share = torch.cat([-e_pos[:, None], -e_neg], dim=1).softmax(1)[:, 0]
    torch.testing.assert_close(losses.mee(e_pos, e_neg), 1 - share)


def test_perceptron_is_zero_exactly_where_the_right_answer_is_the_lowest():
    e_pos, e_neg = _energies(b=200, k=2)
    value = losses.perceptron(e_pos, e_neg)
    lowest = (e_pos[:, None] <= e_neg).all(1)
    assert (value >= 0).all()
    assert torch.equal(value == 0, lowest)
    assert 0 < lowest.sum() < 200


def test_hinge_stops_pushing_beyond_its_margin_and_lvq2_beyond_its_ceiling():
    e_neg = torch.tensor([[0.99], [1.01]], requires_grad=True)
    value = losses.Hinge(1.0)(torch.zeros(2), e_neg)
    torch.testing.assert_close(value, torch.tensor([0.01, 0.0]))
    (grad,) = torch.autograd.grad(value.sum(), e_neg)
    assert grad.flatten().tolist() == [-1.0, 0.0]

    e_pos = torch.tensor([0.49, 0.51], requires_grad=True)
    value = losses.LVQ2(0.5)(e_pos, torch.zeros(2, 1))
    torch.testing.assert_close(value, torch.tensor([0.49, 0.5]))
    (grad,) = torch.autograd.grad(value.sum(), e_pos)
    assert grad.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("name", sorted(set(PLAIN) - {"SquareExponential"}))
def test_energies_of_ten_thousand_overflow_nothing_in_float32(name):
    loss, _ = PLAIN[name]
    height = torch.tensor([1e4, -1e4, 1e4, -1e4])
    e_pos = height.clone().requires_grad_()
    e_neg = torch.stack([height, -height, height.flip(0), height], 1).requires_grad_()
    value = loss(e_pos, e_neg)
    grads = torch.autograd.grad(value.sum(), [e_pos, e_neg], allow_unused=True)
    assert value.isfinite().all()
    assert all(grad.isfinite().all() for grad in grads if grad is not None)


def test_square_exponential_is_finite_where_its_value_is():
    loss = losses.SquareExponential(1.0)
    e_pos, e_neg = torch.tensor([1e4, 1e4]), torch.tensor([[1e4], [-80.0]])
    assert loss(e_pos, e_neg).isfinite().all()
    assert loss(e_pos, torch.full((2, 1), -100.0)).isposinf().all()


@every_loss
def test_turning_the_sign_round_raises_every_loss(name):
    loss, _ = PLAIN[name]
    rng = torch.Generator().manual_seed(0)
    low = 0.4 * torch.rand(20, generator=rng)
    high = 0.6 + 0.4 * torch.rand(20, generator=rng)
    assert (loss(high, low[:, None]) > loss(low, high[:, None])).all()


@every_loss
def test_every_loss_pulls_the_right_answer_down_and_no_wrong_one_down(name):
    loss, _ = PLAIN[name]
    e_pos, e_neg = (e.abs().requires_grad_() for e in _energies(b=50))
    down, up = torch.autograd.grad(loss(e_pos, e_neg).sum(), [e_pos, e_neg], allow_unused=True)
    assert (down >= 0).all()
    assert down.sum() > 0
    if name == "energy_loss":
        assert up is None
    else:
        assert (up <= 0).all()
        assert up.sum() < 0


@every_loss
@pytest.mark.parametrize(
    ("pos", "neg"),
    [((3,), (3,)), ((3, 1), (3, 2)), ((3,), (4, 2)), ((3,), (3, 0)), ((0,), (0, 2)), ((), (1, 2))],
)
def test_shapes_that_are_not_b_and_b_by_k_raise_with_both_shapes(name, pos, neg):
    loss, _ = PLAIN[name]
    with pytest.raises(ShapeError, match="e_pos has shape") as caught:
        loss(torch.zeros(pos), torch.zeros(neg))
    assert str(tuple(pos)) in str(caught.value)
    assert str(tuple(neg)) in str(caught.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda bad: losses.Hinge(bad),
        lambda bad: losses.LVQ2(bad),
        lambda bad: losses.SquareSquare(bad),
        lambda bad: losses.InfoNCE(bad),
    ],
)
@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_margins_and_temperatures_must_be_finite_and_positive(build, bad):
    with pytest.raises(ConfigurationError, match="finite and positive"):
        build(bad)


def test_square_exponential_takes_a_beta_of_zero_but_not_less():
    assert losses.SquareExponential(0.0)(torch.ones(1), torch.ones(1, 1)).item() == 1.0
    with pytest.raises(ConfigurationError, match="beta is -1"):
        losses.SquareExponential(-1.0)


def test_infinite_energies_make_infonce_infinite_or_leave_it_alone_and_never_nan():
    inf, loss = math.inf, losses.InfoNCE(0.5)
    rows = loss(torch.tensor([inf, 0.0, 0.0]), torch.tensor([[0.0, 1.0], [0.0, -inf], [0.0, inf]]))
    assert rows[:2].isposinf().all()
    assert rows[2] == pytest.approx(math.log(2))


@pytest.mark.parametrize("loss", [losses.InfoNCE(0.3), losses.mee])
def test_infonce_and_mee_have_two_right_derivatives(loss):
    rng = torch.Generator().manual_seed(0)
    e_pos = torch.randn(3, generator=rng).double().requires_grad_()
    e_neg = torch.randn(3, 4, generator=rng).double().requires_grad_()
    assert torch.autograd.gradcheck(loss, (e_pos, e_neg))
    assert torch.autograd.gradgradcheck(loss, (e_pos, e_neg))


def test_infonce_differentiates_under_functional_transforms():
    rng = torch.Generator().manual_seed(0)
    e_pos, e_neg = torch.randn(5, generator=rng), torch.randn(5, 4, generator=rng)

    def one(pos, neg):
        return losses.InfoNCE(0.5)(pos[None], neg[None]).sum()

    each = torch.func.vmap(torch.func.grad(one))(e_pos, e_neg)
    share = torch.cat([e_pos[:, None], e_neg], 1).div(-0.5).softmax(1)[:, 0]
    torch.testing.assert_close(each, (1 - share) / 0.5)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_infonce_of_half_energies_is_taken_in_single_precision(kind):
    rng = torch.Generator().manual_seed(0)
    e_pos = torch.randn(3, generator=rng).to(kind).requires_grad_()
    e_neg = torch.randn(3, 500, generator=rng).to(kind)
    loss = losses.InfoNCE(0.1)(e_pos, e_neg)
    torch.testing.assert_close(loss, losses.InfoNCE(0.1)(e_pos.float(), e_neg.float()))
    (slope,) = torch.autograd.grad(loss.sum(), e_pos)
    assert slope.dtype == kind
