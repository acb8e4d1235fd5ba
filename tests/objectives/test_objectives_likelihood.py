import math

import pytest
import torch
from densities_support import PRECISION, Quadratic, draws, expectation, fitted, gradient
from problems import F64, f64, generator, randn
from torch import Tensor, nn

from ebmlab import Energy, FreeEnergy, FunctionEnergy
from ebmlab.energies import MLP, RBM, Constant, CrossEntropy, Ising
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Enumerate
from ebmlab.objectives import Likelihood
from ebmlab.partition import enumerate_states, gauss_legendre, nodes


def product_grid(dim: int, half_width: float, n: int) -> tuple[Tensor, Tensor]:
    """The trapezoid rule in any dimension, edges counted whole: they hold nothing."""
    axis = torch.linspace(-half_width, half_width, n, dtype=F64)
    points = torch.cartesian_prod(*[axis] * dim)
    step = float(axis[1] - axis[0])
    return points, torch.full((len(points),), dim * math.log(step), dtype=F64)


def test_four_dimensional_gaussian_value_and_gradient_have_their_closed_forms():
    # The trapezoid rule is exact to rounding for Gaussians wider than its step.
    precision = 0.8 * PRECISION
    energy, y = Quadratic(4, precision), draws(500, PRECISION)
    loss = Likelihood(*product_grid(4, 7.5, 17))(energy, None, y)
    second = y.mT @ y / len(y)
    log_z = 2 * math.log(2 * math.pi) - 0.5 * torch.logdet(precision)
    due = 0.5 * (precision * second).sum() + log_z
    torch.testing.assert_close(loss.value.detach(), due, rtol=1e-5, atol=0)
    torch.testing.assert_close(loss.metrics["log_z"], log_z, rtol=1e-5, atol=0)
    (grad,) = gradient(loss.value, energy)
    torch.testing.assert_close(
        grad, 0.5 * (second - torch.linalg.inv(precision)), rtol=0, atol=1e-4
    )
    assert loss.metrics["outside"] == 0


@pytest.mark.parametrize("rule", [None, gauss_legendre])
def test_the_optimum_in_the_plane_is_the_inverse_of_the_second_moment(rule):
    precision = PRECISION[:2, :2]
    corner = f64([7.0, 7.0])
    chosen = {} if rule is None else {"rule": rule}
    objective = Likelihood.on_grid(-corner, corner, 48, **chosen)
    energy = Quadratic(2)
    fitted(objective, energy, draws(200, precision))
    torch.testing.assert_close(energy.precision.detach(), precision, rtol=0, atol=1e-6)
    # Control: a factor of two in the sum over values is another optimum.
    twice = Likelihood(objective.values, 2 * objective.log_weights)
    value = twice(energy, None, draws(200, precision)).value
    assert (value - objective(energy, None, draws(200, precision)).value).abs() > 0.1


def machine() -> RBM:
    rbm = RBM(6, 3, std=1.0).double()
    with torch.no_grad():
        rbm.visible_bias.copy_(randn(6))
        rbm.hidden_bias.copy_(randn(3, seed=1))
    return rbm


def lattice() -> Ising:
    coupling, field = nn.Parameter(f64(0.3)), nn.Parameter(0.2 * randn(3, 3))
    return Ising((3, 3), coupling, field)


@pytest.mark.parametrize(("build", "event"), [(machine, (6,)), (lattice, (3, 3))])
def test_of_bits_the_gradient_is_that_of_the_data_minus_that_of_the_model(build, event):
    energy = build()
    y = (torch.rand(40, *event, generator=generator(3)) < 0.3).double()
    objective = Likelihood.over_states(event)
    loss = objective(energy, None, y)
    log_z = enumerate_states(energy.given(), y[0]).log_z
    torch.testing.assert_close(loss.value.detach(), energy(None, y).mean().detach() + log_z)
    states = objective.values.double()
    model = (-energy(None, states)).softmax(0)
    data = expectation(energy, y, torch.full((40,), 1 / 40, dtype=F64))
    found = gradient(loss.value, energy)
    for got, seen, dreamt in zip(found, data, expectation(energy, states, model), strict=True):
        torch.testing.assert_close(got, seen - dreamt, rtol=0, atol=1e-12)
        assert (got - (seen + dreamt)).abs().max() > 1e-3


class Classes(Energy):
    """E(x, y) = -f(x)_y of labels y, all of them in one pass; it counts the rows that f sees."""

    y_ndim = 0

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(3, 5).double()
        self.rows = 0

    def logits(self, x: Tensor) -> Tensor:
        self.rows += x[..., 0].numel()
        return self.network(x)

    def forward(self, x: Tensor, y: Tensor, z: Tensor | None = None) -> Tensor:
        logits = self.logits(x)
        batch = torch.broadcast_shapes(logits.shape[:-1], y.shape)
        chosen = logits.expand(*batch, -1).gather(-1, y.expand(batch)[..., None])
        return -chosen.squeeze(-1)

    def at_each(self, x: Tensor, y: Tensor, z: None = None, *, rng: object = None) -> Tensor:
        return -self.logits(x)[..., y]


class Slow(Classes):
    at_each = Energy.at_each


@pytest.mark.parametrize("tempered", [False, True])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 0, 4, 2, 1]])
def test_over_labels_it_is_the_cross_entropy_of_a_classifier_in_one_pass(order, tempered):
    torch.manual_seed(0)
    x, y = randn(7, 3), torch.tensor([0, 4, 2, 2, 1, 3, 0])
    classes = Classes()
    energy = 0.5 * (classes / 2.0 + Constant(3.0, y_ndim=0).double()) if tempered else classes
    value = Likelihood(torch.tensor(order))(energy, x, y).value
    logits = classes.network(x) * (0.25 if tempered else 1.0)
    torch.testing.assert_close(value, nn.functional.cross_entropy(logits, y))
    assert classes.rows == 7
    slow = Slow()
    slow.load_state_dict(classes.state_dict())
    torch.testing.assert_close(
        Likelihood(torch.tensor(order))(slow, x, y).value,
        Likelihood(torch.arange(5))(classes, x, y).value,
    )


def test_one_hot_values_and_logits_are_the_cross_entropy_too():
    x, y = randn(6, 4), torch.tensor([0, 1, 2, 3, 3, 0])
    one_hot = torch.eye(4, dtype=F64)
    value = Likelihood(one_hot)(CrossEntropy(), x, one_hot[y]).value
    torch.testing.assert_close(value, nn.functional.cross_entropy(x, y))


def test_a_latent_is_summed_out_before_y():
    # y in {0, 1}², z one of three atoms at temperature 1: against the joint table.
    torch.manual_seed(0)
    joint = FunctionEnergy(
        lambda x, y, z: (x * y * z).sum(-1) + (y - z).square().sum(-1), ("x", "y", "z")
    )
    atoms, x = randn(3, 2), randn(5, 2, seed=1)
    states = f64([[0, 0], [1, 0], [0, 1], [1, 1]])
    y = states[[0, 3, 2, 2, 1]]
    value = Likelihood.over_states(2)(FreeEnergy(joint, Enumerate(atoms), 1.0), x, y).value
    table = -joint(x[:, None, None], states[None, :, None], atoms[None, None])
    log_p = table.logsumexp(2) - table.logsumexp((1, 2))[:, None]
    torch.testing.assert_close(value, -log_p[torch.arange(5), [0, 3, 2, 2, 1]].mean())


def test_a_conditional_density_on_a_grid_is_normalized_for_each_x():
    torch.manual_seed(0)
    energy, x, y = MLP(1, x_dim=2, hidden=(8,)).double(), randn(6, 2), 0.3 * randn(6, 1)
    lo, hi = f64([-2.0]), f64([2.0])
    loss = Likelihood.on_grid(lo, hi, 100)(energy, x, y)
    points, log_weights = nodes(lo, hi, 40, gauss_legendre)
    each = torch.stack([(log_weights - energy(x[i], points)).logsumexp(0) for i in range(6)])
    due = (energy(x, y) + each).mean()
    torch.testing.assert_close(loss.value, due, rtol=1e-4, atol=0)


def test_the_height_of_the_energy_plays_no_part():
    energy, y = machine(), torch.zeros(4, 6, dtype=F64)
    objective = Likelihood.over_states(6)
    raised = objective(energy + Constant(1e6).double(), None, y).value
    torch.testing.assert_close(raised, objective(energy, None, y).value, rtol=1e-9, atol=0)


def test_what_cannot_be_summed_over_raises():
    energy, states = machine(), Likelihood.over_states(6)
    spins = torch.full((4, 6), -1.0, dtype=F64)
    with pytest.raises(ConfigurationError, match=r"y, row 0, is none of the 64 values"):
        states(energy, None, spins)
    with pytest.raises(ConfigurationError, match="row 1"):
        states(energy, None, torch.stack([spins[0].abs(), spins[0] * math.nan]))
    with pytest.raises(ShapeError, match="the same event"):
        states(energy, None, torch.zeros(4, 5, dtype=F64))
    with pytest.raises(ConfigurationError, match="twice"):
        Likelihood(torch.tensor([0, 1, 1]))
    with pytest.raises(ShapeError, match="log_weights"):
        Likelihood(torch.zeros(3, 2), torch.zeros(2))
    with pytest.raises(ConfigurationError, match="2\\^25 states"):
        Likelihood.over_states((5, 5))


def test_data_outside_the_box_are_counted():
    corner = f64([1.0, 1.0])
    y = f64([[0.0, 0.0], [2.0, 0.0], [0.5, -3.0], [1.0, 1.0]])
    loss = Likelihood.on_grid(-corner, corner, 8)(Quadratic(2), None, y)
    assert loss.metrics["outside"] == 0.5
