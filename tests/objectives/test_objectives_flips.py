"""Objectives on single changes of a discrete y, against loops over all states."""

import itertools

import pytest
import torch
from discrete_support import Listed, binary_states, one_hot_states
from problems import F64, f64, generator, randn
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy
from ebmlab.energies import MLP, RBM, Bernoulli, Hopfield, Ising, Pairwise, Potts
from ebmlab.errors import ConfigurationError, DtypeError
from ebmlab.objectives import (
    ConcreteScore,
    MinimumProbabilityFlow,
    PseudoLikelihood,
    RatioMatching,
)
from ebmlab.objectives._flips import falls as falls_module
from ebmlab.objectives._flips.falls import falls
from ebmlab.objectives._flips.flips import Flips
from ebmlab.samplers import Binary, Categorical

FLIPS = [PseudoLikelihood, RatioMatching, MinimumProbabilityFlow, ConcreteScore]
BITS, ONE_HOT = binary_states(2, 3), one_hot_states(2, 2, 3)


def coupled(seed: int = 1, scale: float = 0.3) -> Pairwise:
    energy = Pairwise((2, 3)).double()
    with torch.no_grad():
        energy.couplings.copy_(scale * randn(15, seed=seed))
        energy.fields.copy_(scale * randn(2, 3, seed=seed + 1))
    return energy


def potts(coupling: float = 0.7) -> Potts:
    return Potts((2, 2), 3, nn.Parameter(f64(coupling)), nn.Parameter(0.4 * randn(2, 2, 3)))


def network(x_dim: int = 0) -> MLP:
    torch.manual_seed(0)
    return MLP(5, x_dim=x_dim, hidden=(4,)).double()


# name -> (energy, x, all states, space)
MODELS = {
    "Ising": lambda: (
        Ising((2, 3), nn.Parameter(f64(0.4)), nn.Parameter(0.3 * randn(2, 3))),
        None,
        BITS,
        Binary(),
    ),
    "Pairwise": lambda: (coupled(), None, BITS, Binary()),
    "Hopfield": lambda: (
        Hopfield(nn.Parameter(0.3 * randn(5, 5)), nn.Parameter(randn(5))),
        None,
        binary_states(5),
        Binary(),
    ),
    "RBM": lambda: (RBM(5, 3, 0.8).double(), None, binary_states(5), Binary()),
    "sum": lambda: (
        0.5 * coupled() + Ising((2, 3), nn.Parameter(f64(0.4))) / 2.0,
        None,
        BITS,
        Binary(),
    ),
    "network": lambda: (network(), None, binary_states(5), Binary()),
    "network, x": lambda: (network(2), randn(7, 2, seed=5), binary_states(5), Binary()),
    "Potts": lambda: (potts(), None, ONE_HOT, Categorical()),
}


def data(states: Tensor) -> Tensor:
    return states[torch.randint(len(states), (7,), generator=generator(3))]


def naive(
    kind: type[Flips], energy: Energy, x: Tensor | None, y: Tensor, states: Tensor
) -> Tensor:
    """The formulas of the papers, datum by datum, neighbors found among all states."""
    total = torch.zeros((), dtype=F64)
    for i, here in enumerate(y):
        given = None if x is None else x[i : i + 1]
        q = (-energy(given, states)).exp()
        ours = int((states == here).flatten(1).all(1).nonzero())
        differ = (states != here).reshape(len(states), *here.shape)
        sites = differ if states.shape[-1] != 3 or states.ndim != 4 else differ.any(-1)
        sites = sites.flatten(1)
        for site in range(sites.shape[1]):
            near = (sites.sum(1) == 1) & sites[:, site]
            r = q[near] / q[ours]
            if kind is PseudoLikelihood:
                total = total - (q[ours] / (q[ours] + q[near].sum())).log()
            elif kind is RatioMatching:
                total = total + (q[near] / (q[ours] + q[near])).square().sum()
            elif kind is MinimumProbabilityFlow:
                total = total + r.sqrt().sum()
            else:
                total = total + ((r - 1).square() + 2 * (r - 1) - 2 * (1 / r - 1)).sum()
    return total / len(y)


def slopes(value: Tensor, energy: Energy) -> list[Tensor]:
    found = torch.autograd.grad(value, [*energy.parameters()], allow_unused=True)
    return [f64(0.0) if grad is None else grad for grad in found]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", FLIPS)
def test_values_and_gradients_are_those_of_loops_over_states(kind, name):
    energy, x, states, space = MODELS[name]()
    y = data(states)
    loss, due = kind(space)(energy, x, y), naive(kind, energy, x, y, states)
    torch.testing.assert_close(loss.value, due)
    got, right = slopes(loss.value, energy), slopes(due, energy)
    for a, b in zip(got, right, strict=True):
        torch.testing.assert_close(a.expand_as(b), b)
    # Controls: another temperature, and the energy turned round.
    for wrong in (1.1 * energy, -1.0 * energy):
        assert not torch.allclose(kind(space)(wrong, x, y).value, due, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in MODELS if "network" not in name])
def test_the_closed_form_of_all_changes_is_that_of_one_call_for_each(name):
    energy, _, states, space = MODELS[name]()
    opaque = FunctionEnergy(lambda y: energy(None, y), y_ndim=energy.y_ndim)
    assert energy.site_energies(None, states) is not None
    assert opaque.site_energies(None, states) is None
    due = falls(opaque, None, states, space, None)
    torch.testing.assert_close(falls(energy, None, states, space, None), due)
    weight = randn(*due.shape, seed=8)
    got = slopes((falls(energy, None, states, space, None) * weight).sum(), energy)
    for a, b in zip(got, slopes((due * weight).sum(), energy), strict=True):
        torch.testing.assert_close(a, b)


def test_a_sum_with_a_part_that_has_no_closed_form_has_none():
    assert (coupled() + FunctionEnergy(lambda y: y.sum((-1, -2)), y_ndim=2)).site_energies(
        None, BITS
    ) is None
    assert Bernoulli(randn(5)).site_energies(None, binary_states(5)) is not None


@pytest.mark.parametrize("name", ["network, x", "Potts"])
def test_changes_in_parts_are_the_same_and_so_are_gradients(name, monkeypatch):
    energy, x, states, space = MODELS[name]()
    opaque = energy if x is not None else FunctionEnergy(lambda y: energy(None, y), y_ndim=3)
    y, found = data(states), []
    for most in (2**22, 3 * y.numel()):
        monkeypatch.setattr(falls_module, "MOST", most)
        value = PseudoLikelihood(space)(opaque, x, y).value
        found.append([value.detach(), *slopes(value, energy)])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def population(objective: Flips, energy: Energy, law: Listed) -> Tensor:
    """The objective's mean over the law itself."""
    costs = objective.cost(falls(energy, None, law.states, law.space, None))
    return costs.flatten(1).sum(1) @ law.law


class Slipped(Flips):
    """Close to right: factors of 2 slipped."""

    term = "slipped"

    def __init__(self, space, cost):
        super().__init__(space)
        self.slip = cost

    def cost(self, falls):
        return self.slip(falls).sum(-1)


SLIPS = [
    lambda t: t.sigmoid(),
    lambda t: t.exp(),
    lambda t: (2 * t).exp() - (-t).exp() + 1,
    lambda t: (2 * t).exp() - 2 * (-2 * t).exp() + 1,
    lambda t: nn.functional.softplus(2 * t),
    lambda t: nn.functional.softplus(-t),
]


@pytest.mark.parametrize("categorical", [False, True])
@pytest.mark.parametrize("make", [*FLIPS, *SLIPS])
def test_the_population_gradient_vanishes_at_the_truth_and_only_there(make, categorical):
    truth, states, space = (
        (potts(), ONE_HOT, Categorical()) if categorical else (coupled(), BITS, Binary())
    )
    law = Listed(truth, states, space, ())
    objective = make(space) if isinstance(make, type) else Slipped(space, make)
    at_truth = max(float(g.abs().max()) for g in slopes(population(objective, truth, law), truth))
    if not isinstance(make, type):
        assert at_truth > 1e-2
        return
    assert at_truth < 1e-12
    other = potts(0.6) if categorical else coupled(seed=4)
    away = population(objective, other, law)
    assert max(float(g.abs().max()) for g in slopes(away, other)) > 1e-2
    assert away > population(objective, truth, law)


@pytest.mark.parametrize("kind", FLIPS)
def test_two_states_in_one_hot_form_are_binary(kind):
    j, field = nn.Parameter(f64(0.3)), nn.Parameter(randn(2, 3))
    potts = Potts((2, 3), 2, 2 * j, torch.stack([-field, field], -1))
    one_hot = torch.stack([1 - BITS, BITS], -1)
    values = [
        kind()(Ising((2, 3), j, field), None, BITS).value,
        kind(Categorical())(potts, None, one_hot).value,
    ]
    torch.testing.assert_close(*values)
    for a, b in zip(*[torch.autograd.grad(v, (j, field)) for v in values], strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kind", FLIPS)
def test_couplings_are_recovered_from_draws(kind):
    # Of 20,000 draws an efficient estimate of one coupling has a standard error near 1/√20,000 =
    # 0.007; 0.015 for the root mean square over 15 is two of them. Fixed seed.
    truth = coupled()
    y = Listed(truth, BITS, Binary(), ()).draws(20_000, seed=5)
    energy, objective = Pairwise((2, 3)).double(), kind()
    optimizer = torch.optim.LBFGS(energy.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = objective(energy, None, y).value
        value.backward()
        return float(value.detach())

    optimizer.step(closure)
    error = (energy.couplings - truth.couplings).square().mean().sqrt()
    turned = (energy.couplings + truth.couplings).square().mean().sqrt()
    assert error < 0.015 < 0.1 < turned
    assert objective(energy, None, y).metrics["lower"] < 0.5


class Noisy(Energy):
    """A stochastic energy."""

    takes_x, stochastic = False, True

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(randn(5))

    def forward(self, x, y, z=None, rng=None):
        return (y * self.weight).sum(-1) * torch.rand((), generator=rng, dtype=y.dtype)


def test_a_stochastic_energy_is_one_function_for_all_changes():
    y, energy = binary_states(5), Noisy()
    got = falls(energy, None, y, Binary(), generator(4))
    factor = torch.rand((), generator=generator(4), dtype=F64)
    torch.testing.assert_close(got[..., 0], factor * (2 * y - 1) * energy.weight)
    with pytest.raises(ConfigurationError, match="rng"):
        PseudoLikelihood()(energy, None, y)


def test_what_is_not_discrete_is_refused_and_batch_norm_warned_of():
    energy = Pairwise(3).double()
    with pytest.raises(ConfigurationError, match=r"y holds .*0\.5.* Binary"):
        PseudoLikelihood()(energy, None, f64([[0.5, 0.0, 1.0]]))
    with pytest.raises(ConfigurationError, match="one-hot"):
        RatioMatching(Categorical())(energy, None, f64([[1.0, 0.0, 1.0]]))
    with pytest.raises(DtypeError, match="y has dtype"):
        ConcreteScore()(energy, None, torch.ones(2, 3, dtype=torch.long))
    normed = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1), nn.Flatten(0)).double()
    flat = FunctionEnergy(lambda y: normed(y.reshape(-1, 3)).reshape(y.shape[:-1]))
    flat.normed = normed
    with pytest.warns(UserWarning, match="normalizes over the batch"):
        PseudoLikelihood()(flat, None, binary_states(3))


def test_neighbors_stand_in_the_order_of_falls():
    for space, states in ((Binary(), BITS), (Categorical(), ONE_HOT)):
        y = data(states)
        count = space.sites(y).numel() * space.others(y)
        near = space.neighbors(y, torch.arange(count))
        assert near.shape == (count, *y.shape)
        costs = randn(*y.shape, seed=2)
        # Of an energy that is ⟨costs, y⟩, whose site energies are these.
        due = ((y - near) * costs).flatten(2).sum(2).mT
        torch.testing.assert_close(space.falls(y, costs).flatten(1), due)
        pairs = itertools.combinations(range(count), 2)
        assert all((near[a] != near[b]).flatten(1).any(1).all() for a, b in pairs)
