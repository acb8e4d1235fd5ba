import pytest
import torch
from problems import F64, f64, generator, randn

from ebmlab import FunctionEnergy
from ebmlab.energies import MLP, Gaussian, GaussianMixture
from ebmlab.errors import ConfigurationError, DivergenceError, DtypeError, NonFiniteError
from ebmlab.inference import LBFGS, Descent
from ebmlab.negatives import MostOffending

SPIKED = Gaussian(f64([0.0, 0.0]), f64([[1.0, 0.0], [0.0, 4.0]]))


@pytest.mark.parametrize("solver", [Descent(steps=200), LBFGS(steps=60)])
def test_around_the_minimum_it_is_the_lowest_point_of_the_sphere(solver):
    # Of y₁²/2 + y₂²/8 on the circle of radius 0.5 the lowest are (0, ±0.5).
    y = torch.zeros(8, 2, dtype=F64)
    draw = MostOffending(0.5, solver)(SPIKED, None, y, generator())
    torch.testing.assert_close(
        draw.energies, torch.full((8, 1), 0.5**2 / 8).double(), rtol=1e-3, atol=0
    )
    torch.testing.assert_close(draw.metrics["distance"], f64(0.5), rtol=1e-4, atol=0)


def test_far_from_the_minimum_nothing_holds_it():
    y = torch.full((6, 2), 5.0, dtype=F64)
    draw = MostOffending(0.5, Descent(steps=60), starts=4)(SPIKED, None, y, generator())
    assert draw.energies.max() < 1e-6
    torch.testing.assert_close(draw.metrics["distance"], f64(50**0.5), rtol=1e-3, atol=0)


def test_the_ball_is_never_entered_and_more_steps_go_lower():
    torch.manual_seed(0)
    energy, y = MLP(2, hidden=(16,)).double(), randn(32, 2)
    seen = []
    watched = FunctionEnergy(lambda y: (seen.append(y.detach()), energy(None, y))[1])
    found = [
        MostOffending(0.7, Descent(steps=steps))(watched, None, y, generator()).energies
        for steps in (1, 5, 40)
    ]
    assert min(float((at - y).norm(dim=1).min()) for at in seen) > 0.7 - 1e-9
    assert (found[1] <= found[0] + 1e-12).all()
    assert (found[2] <= found[1] + 1e-12).all()
    assert (found[2] < found[0]).float().mean() > 0.9


def test_energies_carry_a_gradient_to_parameters_at_a_constant_point():
    energy = MLP(2, hidden=(8,)).double()
    y = randn(5, 2).requires_grad_()
    draw = MostOffending(0.3)(energy, None, y, generator())
    draw.energies.sum().backward()
    assert y.grad is None
    assert all(p.grad is not None for p in energy.parameters())


def test_what_has_no_most_offending_answer_raises():
    y, rng = torch.zeros(3, 2), generator()
    with pytest.raises(DtypeError, match="floating point"):
        MostOffending(0.5)(MLP(2), None, y.long(), rng)
    with pytest.raises(NonFiniteError, match="row 0"):
        MostOffending(0.5)(MLP(2), None, y * torch.nan, rng)
    falling = FunctionEnergy(lambda y: -y.exp().sum(-1) * 1e3)
    with pytest.raises(DivergenceError, match="without bound"):
        MostOffending(0.5, Descent(steps=300))(falling, None, y, rng)
    with pytest.raises(ConfigurationError, match="epsilon"):
        MostOffending(0.0)
    with pytest.raises(ConfigurationError, match="pass rng"):
        MostOffending(0.5)(MLP(2), None, y, None)


def test_the_datum_at_another_mode_is_found_where_the_first_one_is_closed():
    modes = GaussianMixture(f64([[-1.0, 0.0], [1.0, 0.0]]), 0.4)
    y = f64([[-1.0, 0.0]]).expand(16, 2)
    found = [
        MostOffending(1.2, Descent(steps=60), starts)(modes, None, y, generator()).energies
        for starts in (1, 20)
    ]
    best = float(modes(None, y)[0])
    assert found[1].max() < best + 0.01
    assert found[0].max() > best + 1  # one descent may end behind the ball
