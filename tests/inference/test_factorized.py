"""Codes in several parts, against the enumeration of all their combinations."""

import warnings

import pytest
import torch
from laws_support import all_codes
from problems import F64, f64, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.inference import Enumerate, Factorized, NotConvergedWarning
from ebmlab.inference._mean_field import Parts

Y = randn(5, 2, seed=3)
ALL = all_codes(3, 4).double()
SPINS = all_codes(4, 2)[..., 1].double()


class Fields(nn.Module):
    """Σ_i h_i(y)·z_i of three parts with four codes, nonlinear in y."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(randn(2, 12))

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        return ((y @ self.weight).sin().unflatten(-1, (3, 4)) * z).sum((-2, -1))


class Spins(nn.Module):
    """h(y)·z + Σ_{i<j} J_ij z_i z_j of four binary parts."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(randn(2, 4, seed=1))
        self.coupling = nn.Parameter(scale * randn(4, 4, seed=2).triu(1))

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        pairs = torch.einsum("ni,ij,nj->n", z, self.coupling.triu(1), z)
        return (y @ self.weight * z).sum(-1) + pairs


def fields() -> FunctionEnergy:
    return FunctionEnergy(Fields(), ("y", "z"), z_ndim=2)


def spins(scale: float = 1.0) -> FunctionEnergy:
    return FunctionEnergy(Spins(scale), ("y", "z"))


def swept(energy: FunctionEnergy, sweeps: int, temperature: float) -> tuple[Tensor, Tensor]:
    """F and the residual (sweeps, n) after each of some sweeps."""
    infer, values, residuals = Factorized(4, sweeps=1, tolerance=1e-12), [], []
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", NotConvergedWarning)
        for _ in range(sweeps):
            q = infer(energy, None, Y, temperature)
            values.append(energy(None, Y, q.atoms)[0] + temperature * q.information)
            residuals.append(q.residual)
            infer = infer.resume(q.atoms[0])
    return torch.stack(values), torch.stack(residuals)


@pytest.mark.parametrize("temperature", [0.0, 0.1, 2.0])
def test_a_sum_over_the_parts_is_exact_in_value_gradient_and_information(temperature):
    energy = fields()
    ours = FreeEnergy(energy, Factorized(3, 4), temperature)
    theirs = FreeEnergy(energy, Enumerate(ALL), temperature)
    torch.testing.assert_close(ours(None, Y), theirs(None, Y))
    y, weight = Y.clone().requires_grad_(), energy.get_parameter("function.weight")
    grads = [torch.autograd.grad(free(None, y).sum(), (y, weight)) for free in (ours, theirs)]
    torch.testing.assert_close(*grads)
    q, all_q = ours.posterior(None, Y), theirs.posterior(None, Y)
    torch.testing.assert_close(q.information, all_q.information)
    mean = (all_q.weights[..., None, None] * all_q.atoms).sum(0)
    torch.testing.assert_close(q.atoms[0], mean)
    assert q.atoms.shape == (1, 5, 3, 4)


@pytest.mark.parametrize("temperature", [0.0, 0.2, 1.0])
def test_parts_that_interact_give_an_upper_bound_that_is_not_exact(temperature):
    energy = spins(2.0)
    ours = FreeEnergy(energy, Factorized(4), temperature)
    assert ours.bound == "upper"
    above = ours(None, Y) - FreeEnergy(energy, Enumerate(SPINS), temperature)(None, Y)
    assert (above >= -1e-12).all()
    assert temperature == 0 or (above > 1e-4).any()


@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0])
def test_the_free_energy_falls_with_every_sweep_and_the_residual_vanishes(temperature):
    energy = spins(2.0)
    values, residuals = swept(energy, 60, temperature)
    assert (values.diff(dim=0) <= 1e-12).all()
    assert (residuals[-1] <= 1e-12).all()
    assert (residuals[0] > 0.01).any()
    assert temperature == 0 or (values[0] - values[-1]).max() > 0.01
    # The same sweeps in one go.
    free = FreeEnergy(energy, Factorized(4, tolerance=1e-12), temperature)
    torch.testing.assert_close(free(None, Y).detach(), values[-1])


def test_parts_updated_all_at_once_would_not_fall(monkeypatch):
    def at_once(self, q):
        new = [self._best(self._conditional(q, part)) for part in range(q.shape[-2])]
        return torch.stack(new, -2)

    monkeypatch.setattr(Parts, "sweep", at_once)
    energy = FunctionEnergy(
        lambda y, z: (y.sum(-1) + 1) * 0.1 * z[:, 0] + 4 * z.sum(-1).square() - 4 * z.sum(-1),
        ("y", "z"),
    )
    assert (swept(energy, 20, 0.3)[0].diff(dim=0) > 1e-6).any()


def test_the_mean_field_is_consistent_with_itself():
    energy, temperature = spins(), 0.4
    q = Factorized(4, tolerance=1e-12)(energy, None, Y, temperature)
    m, model = q.atoms[0], energy.function
    assert isinstance(model, Spins)
    coupling = model.coupling.detach().triu(1)
    odds = -(Y @ model.weight.detach() + m @ (coupling + coupling.T)) / temperature
    torch.testing.assert_close(m, odds.sigmoid())
    divergence = m * (2 * m).log() + (1 - m) * (2 * (1 - m)).log()
    torch.testing.assert_close(q.information, divergence.sum(-1))


def test_binary_parts_are_one_hot_parts_of_two_codes():
    energy = spins()
    paired = FunctionEnergy(lambda y, z: energy.function(y, z[..., 1]), ("y", "z"), z_ndim=2)
    for temperature in (0.0, 0.5):
        one = Factorized(4)(energy, None, Y, temperature)
        two = Factorized(4, 2)(paired, None, Y, temperature)
        torch.testing.assert_close(two.atoms[..., 1], one.atoms)
        torch.testing.assert_close(two.information, one.information)


def test_at_zero_temperature_no_change_of_one_part_is_lower():
    energy = spins(3.0)
    z = Factorized(4)(energy, None, Y).atoms[0]
    assert ((z == 0) | (z == 1)).all()
    best = energy(None, Y, z)
    for part in range(4):
        flipped = z.clone()
        flipped[:, part] = 1 - flipped[:, part]
        assert (energy(None, Y, flipped) >= best).all()


def test_many_starts_find_the_lowest_of_all():
    energy = spins(3.0)
    exact = FreeEnergy(energy, Enumerate(SPINS))(None, Y)
    one = FreeEnergy(energy, Factorized(4, starts=torch.ones(1, 4)))(None, Y)
    many = FreeEnergy(energy, Factorized(4, starts=SPINS))(None, Y)
    torch.testing.assert_close(many, exact)
    assert (one > exact + 0.1).any()


def test_a_symmetry_is_a_saddle_that_starts_break():
    # Two parts that want to agree: half and half is stationary, but not the lowest.
    energy = FunctionEnergy(lambda y, z: -(2 * z[:, 0] - 1) * (2 * z[:, 1] - 1), ("y", "z"))
    y = torch.zeros(1, 1, dtype=F64)
    center = FreeEnergy(energy, Factorized(2), 0.5)
    broken = FreeEnergy(energy, Factorized(2, starts=f64([[0.9, 0.9], [0.5, 0.5]])), 0.5)
    torch.testing.assert_close(center.posterior(None, y).atoms, f64([[[0.5, 0.5]]]))
    assert broken(None, y) < center(None, y) - 0.1


def test_batches_of_pairs_are_inferred_at_once():
    energy = FunctionEnergy(
        lambda x, y, z: (x * z[..., :2] + y * z[..., 2:]).sum(-1) + z[:, 0] * z[:, 2],
        ("x", "y", "z"),
    )
    x, infer = randn(3, 2, seed=5), Factorized(4)
    q = infer(energy, x[:, None], Y[None], 0.5)
    assert q.atoms.shape == (1, 3, 5, 4)
    alone = infer(energy, x[1], Y[4], 0.5)
    torch.testing.assert_close(alone.atoms, q.atoms[:, 1, 4])


def test_what_does_not_fit_is_refused():
    for arguments in ({"parts": 0}, {"parts": 2, "codes": 1}, {"parts": 2, "sweeps": 0}):
        with pytest.raises(ConfigurationError):
            Factorized(**arguments)
    with pytest.raises(ShapeError, match="starts"):
        Factorized(2, 3, starts=torch.ones(1, 2))
    for starts in (f64([[1.5, 0.0]]), f64([[float("nan"), 0.0]])):
        with pytest.raises(ConfigurationError, match="probabilities"):
            Factorized(2, starts=starts)
    with pytest.raises(ShapeError, match="batch"):
        Factorized(4, starts=torch.ones(1, 3, 4))(spins(), None, Y)
    with pytest.raises(ShapeError, match="z_ndim"):
        Factorized(4, 2)(spins(), None, Y)
    with pytest.raises(NonFiniteError, match="datum"):
        Factorized(4)(spins(), None, torch.full((1, 2), float("nan"), dtype=F64), 0.5)
    with pytest.warns(NotConvergedWarning, match="sweeps=1"):
        Factorized(4, sweeps=1)(spins(2.0), None, Y, 0.5)
