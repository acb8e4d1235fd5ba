"""A price on couplings: by its slope, and by proximal steps that end at 0."""

import pytest
import torch
from discrete_support import Listed, binary_states
from problems import f64, generator, randn
from torch import nn

from ebmlab import Method, fit
from ebmlab.energies import Ising, Pairwise
from ebmlab.errors import ConfigurationError
from ebmlab.inference import L1, NonNegative
from ebmlab.objectives import Lasso, PseudoLikelihood
from ebmlab.samplers import Binary
from ebmlab.training import ProximalGradient, load, save


def draws() -> torch.Tensor:
    lattice = Ising((2, 3), 0.4, periodic=False)
    return Listed(lattice, binary_states(2, 3), Binary(), ()).draws(500, seed=1)


def test_the_price_is_weight_times_the_sum_of_magnitudes():
    energy = Pairwise(4).double()
    with torch.no_grad():
        energy.couplings.copy_(f64([1.0, -2.0, 0.0, 0.5, 0.0, -0.5]))
    loss = Lasso(0.3)(energy, None, torch.zeros(2, 4, dtype=torch.float64))
    assert float(loss.value.detach()) == pytest.approx(0.3 * 4)
    assert float(loss.metrics["zeros"]) == pytest.approx(1 / 3)
    (slope,) = torch.autograd.grad(loss.value, energy.couplings)
    torch.testing.assert_close(slope, 0.3 * f64([1.0, -1, 0, 1, 0, -1]))
    with pytest.raises(ConfigurationError, match="no parameter 'weights'; it has couplings"):
        Lasso(0.3, "weights")(energy, None, torch.zeros(2, 4, dtype=torch.float64))


def descended(weight: float, accelerated: bool, steps: int) -> tuple[Pairwise, torch.Tensor]:
    energy, y = Pairwise((2, 3)).double(), draws()
    groups = [{"params": [energy.couplings], "penalty": L1(weight)}, {"params": [energy.fields]}]
    optimizer = ProximalGradient(groups, lr=0.25, accelerated=accelerated)
    fit(
        Method(energy, PseudoLikelihood()),
        (None, y),
        steps=steps,
        batch_size=len(y),
        optimizer=optimizer,
        rng=generator(),
    )
    return energy, y


@pytest.mark.parametrize("accelerated", [False, True])
def test_proximal_steps_end_where_the_subgradient_holds_zero(accelerated):
    weight = 0.15
    energy, y = descended(weight, accelerated, 90 if accelerated else 140)
    value = PseudoLikelihood()(energy, None, y).value
    slope, field = torch.autograd.grad(value, (energy.couplings, energy.fields))
    j = energy.couplings.detach()
    zero = j == 0
    assert 3 <= int(zero.sum()) < 15
    assert bool((slope[zero].abs() <= weight).all())
    torch.testing.assert_close(slope[~zero], -weight * j[~zero].sign(), atol=1e-6, rtol=0)
    assert float(field.abs().max()) < 1e-6
    # Control: another weight is another point.
    assert not torch.allclose(slope[~zero], -1.1 * weight * j[~zero].sign(), atol=1e-6, rtol=0)


def test_the_lasso_as_a_term_comes_near_the_same_point_without_its_zeros():
    energy, y = Pairwise((2, 3)).double(), draws()
    objective = PseudoLikelihood() + Lasso(0.15)
    optimizer = torch.optim.SGD(energy.parameters(), lr=0.05)
    for _ in range(120):
        optimizer.zero_grad()
        loss = objective(energy, None, y)
        loss.value.backward()
        optimizer.step()
    assert set(loss.terms) == {"pseudo_likelihood", "lasso"}
    exact, _ = descended(0.15, accelerated=True, steps=90)
    assert float((energy.couplings - exact.couplings).detach().abs().max()) < 0.02
    assert int((energy.couplings == 0).sum()) < int((exact.couplings == 0).sum())


def test_an_accelerated_run_goes_on_from_a_checkpoint(tmp_path):
    target = randn(4, seed=1)

    def built():
        torch.manual_seed(0)
        layer = nn.Linear(4, 1, bias=False).double()
        return layer, ProximalGradient(layer.parameters(), 0.1, L1(0.2), accelerated=True)

    def steps(layer, optimizer, count):
        for _ in range(count):
            layer.weight.grad = layer.weight.detach() - target
            optimizer.step()

    whole, halved, again = built(), built(), built()
    steps(*whole, 6)
    steps(*halved, 3)
    save(tmp_path / "half.safetensors", halved[0], halved[1])
    load(tmp_path / "half.safetensors", again[0], again[1])
    steps(*again, 3)
    assert torch.equal(again[0].weight, whole[0].weight)


def test_penalties_are_penalties_and_steps_positive():
    theta = nn.Parameter(f64([-1.0, 2.0]))
    bounded = ProximalGradient([theta], 0.5, NonNegative())
    theta.grad = f64([0.0, 1.0])
    assert bounded.step(lambda: 3.0) == 3.0
    assert theta.tolist() == [0.0, 1.5]
    with pytest.raises(ConfigurationError, match="lr is 0"):
        ProximalGradient([theta], 0.0)
    with pytest.raises(ConfigurationError, match="penalty is of type float"):
        ProximalGradient([theta], 0.1, 0.3)
