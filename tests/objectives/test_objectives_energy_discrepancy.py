"""Energy discrepancy against its formula, closed forms, quadrature and sums over all draws."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from discrete_support import binary_states
from problems import F64, generator, randn
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy
from ebmlab.energies import MLP, Constant
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.losses import InfoNCE
from ebmlab.objectives import EnergyDiscrepancy
from ebmlab.perturbations import Flips, Gaussian, Perturbation


@dataclass(frozen=True, eq=False)
class Fixed(Perturbation):
    """Ends at given points, whatever is drawn."""

    points: Tensor

    def forward(self, y, rng):
        return y

    def back(self, y, rng):
        return self.points.flatten(0, 1).to(y)


class Table(Energy):
    """An energy for every state of a few bits."""

    takes_x = False

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values.clone())

    def forward(self, x, y, z=None):
        place = 2 ** torch.arange(y.shape[-1])
        return self.values[(y.detach().long() * place).sum(-1)]


class Quadratic(Energy):
    """E(x, y) = a ‖y - x‖² / 2."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=F64))

    def forward(self, x, y, z=None):
        return 0.5 * self.a * (y - x).square().sum(-1)


def gradient(value, energy):
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, list(energy.parameters()))])


@pytest.mark.parametrize("w", [0.0, 0.4, 1.0, 3.0])
def test_the_loss_is_its_formula_and_at_one_it_is_info_nce(w):
    energy = MLP(2, x_dim=1, hidden=(5,)).double()
    x, y, moved = randn(7, 1), randn(7, 2, seed=1), randn(3, 7, 2, seed=2)
    loss = EnergyDiscrepancy(Fixed(moved), 3, w)(energy, x, y, generator())
    e_pos, e_neg = energy(x, y), torch.stack([energy(x, points) for points in moved], dim=1)
    due = (w / 3 + (e_pos[:, None] - e_neg).exp().mean(1)).log().mean()
    torch.testing.assert_close(loss.value, due)
    torch.testing.assert_close(gradient(loss.value, energy), gradient(due, energy))
    due = InfoNCE()(e_pos, e_neg).mean() - math.log(3)
    assert torch.allclose(loss.value, due) == (w == 1.0)
    torch.testing.assert_close(loss.metrics["gap"], (e_neg.mean() - e_pos.mean()).detach())


def batches(objective, energy, draw, count=40):
    """Means and standard errors of the value and of the gradient over batches."""
    rng, found = generator(3), []
    for _ in range(count):
        value = objective(energy, *draw(rng), rng).value
        found.append(torch.cat([value.detach()[None], gradient(value, energy)]))
    found = torch.stack(found)
    return found.mean(0), found.std(0) / count**0.5


# Student's t with 39 degrees of freedom leaves 1e-6 beyond 5.9 standard errors.
NEAR = 5.9


def agree(found, due):
    return bool(((found[0] - due).abs() < NEAR * found[1]).all())


def population(a, t, v=0.8):
    """mean E + log ∫ r exp(-E) in two dimensions, and its slope in a; y - x ~ N(0, v)."""
    a = torch.tensor(a, dtype=F64, requires_grad=True)
    value = a * v - a * (v + t) / (1 + a * t) - (1 + a * t).log()
    return torch.stack([value, *torch.autograd.grad(value, a)]).detach()


def normal(rng, n, v=0.8):
    x = torch.randn(n, 2, generator=rng, dtype=F64)
    return x, x + v**0.5 * torch.randn(n, 2, generator=rng, dtype=F64)


def test_on_gaussians_many_negatives_come_to_the_closed_form():
    # The log of a mean of M = 400 lies low by its relative variance / 2M, some 0.001: it is
    # less than half a standard error here.
    found = batches(
        EnergyDiscrepancy(Gaussian(0.3), 400, 0.0), Quadratic(0.7), lambda rng: normal(rng, 200)
    )
    assert agree(found, population(0.7, 0.3))
    for other in (population(0.7, 0.4), -population(0.7, 0.3), population(0.7, 0.15)):
        assert not agree(found, other)


def test_the_truth_is_stationary_in_the_population():
    assert abs(population(1 / 0.8, 0.3)[1]) < 1e-15
    assert population(1.0, 0.3)[1] < -1e-3 < 1e-3 < population(1.5, 0.3)[1]


def test_one_negative_agrees_with_quadrature():
    a, t, v, w = 0.7, 0.3, 0.8, 0.6
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(80))
    y, moved = v**0.5 * nodes[:, None], v**0.5 * nodes[:, None] + (2 * t) ** 0.5 * nodes
    share = weights[:, None] * weights / (2 * math.pi)
    free = torch.tensor(a, dtype=F64, requires_grad=True)
    value = (share * (w + (0.5 * free * (y.square() - moved.square())).exp()).log()).sum()
    due = torch.stack([value, *torch.autograd.grad(value, free)]).detach()

    def draw(rng):
        y = v**0.5 * torch.randn(5000, 1, generator=rng, dtype=F64)
        return torch.zeros_like(y), y

    found = batches(EnergyDiscrepancy(Gaussian(t), 1, w), Quadratic(a), draw)
    assert agree(found, due)
    assert not agree(found, -due)


STATES = binary_states(3)


def every_draw(energies, law, rate, w):
    """The expected loss with two negatives: a sum over y, y' and both points that come back."""
    apart = (STATES[:, None] != STATES[None]).sum(-1).double()
    q = rate**apart * (1 - rate) ** (3 - apart)
    share = torch.einsum("a,ab,bc,bd->acd", law, q, q, q)
    gaps = energies[:, None] - energies
    return (share * (0.5 * (w + gaps.exp()[:, :, None] + gaps.exp()[:, None])).log()).sum()


@pytest.mark.parametrize("w", [0.0, 1.0])
def test_of_bits_it_is_the_sum_over_all_draws(w):
    energy, law = Table(randn(8)), (2 * randn(8, seed=1)).softmax(0)
    value = every_draw(energy.values, law, 0.2, w)
    due = torch.cat([value.detach()[None], gradient(value, energy)])

    def draw(rng):
        return None, STATES[torch.multinomial(law, 4000, replacement=True, generator=rng)]

    found = batches(EnergyDiscrepancy(Flips(0.2), 2, w), energy, draw)
    assert agree(found, due)
    assert not agree(found, -due)
    once = every_draw(energy.values.detach(), law, 0.11, w)
    assert not abs(found[0][0] - once) < NEAR * found[1][0]


def pull(w, count, rate=0.2):
    """The largest entry of the expected gradient at the truth, with `count` negatives."""
    energies = randn(4).requires_grad_()
    law = (-energies.detach()).softmax(0)
    states = binary_states(2)
    apart = (states[:, None] != states[None]).sum(-1).double()
    q = rate**apart * (1 - rate) ** (2 - apart)
    draws = torch.cartesian_prod(*[torch.arange(4)] * count).reshape(-1, count)
    back = q[:, draws].prod(-1)
    share = torch.einsum("a,ab,bj->aj", law, q, back)
    gaps = energies[:, None] - energies[draws].T[:, None]
    total = (w + gaps.exp().sum(0)).log()
    return torch.autograd.grad((share * total).sum(), energies)[0].abs().max()


def test_the_optimum_is_the_truth_for_every_number_of_negatives_only_if_w_is_one():
    for count in (1, 2, 4):
        assert pull(1.0, count) < 1e-15
    assert pull(3.0, 2) > 0.01
    # Without w the bias is of the order 1 / M.
    two, four, eight = (pull(0.0, count) for count in (2, 4, 8))
    assert 0.45 < four / two < 0.6
    assert 0.45 < eight / four < 0.6


def learned(energy, objective, y, seed=5):
    """The minimum on fixed draws, where a linear energy has one only."""
    optimizer = torch.optim.LBFGS(energy.parameters(), max_iter=15, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = objective(energy, None, y, generator(seed)).value
        value.backward()
        return value

    optimizer.step(closure)
    return energy


class Precision(Energy):
    """E(y) = yᵀAy / 2."""

    takes_x = False

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(start)

    def forward(self, x, y, z=None):
        return 0.5 * (y @ self.a * y).sum(-1)


def test_it_recovers_the_precision_of_a_gaussian():
    root = randn(4, 4, seed=3)
    truth = torch.eye(4, dtype=F64) + 0.3 * (root + root.T) / 2
    y = randn(6_000, 4, seed=4) @ torch.linalg.inv(torch.linalg.cholesky(truth))
    energy = learned(Precision(torch.eye(4, dtype=F64)), EnergyDiscrepancy(Gaussian(0.5), 4), y)
    got = (energy.a + energy.a.T).detach() / 2
    due = torch.linalg.inv(y.T @ y / len(y))
    # The sample's own precision is off by up to 3 % in the Frobenius norm; twice that is asked.
    size = torch.linalg.matrix_norm(truth)
    assert torch.linalg.matrix_norm(due - truth) / size < 0.03
    assert torch.linalg.matrix_norm(got - truth) / size < 0.06
    assert torch.linalg.matrix_norm(torch.eye(4) - truth) / size > 0.2


SITES = 5
FIRST, SECOND = torch.triu_indices(SITES, SITES, 1)


class Pairs(Energy):
    """E(y) = -Σ J_ij s_i s_j with spins s = 2y - 1."""

    takes_x = False

    def __init__(self) -> None:
        super().__init__()
        self.couplings = nn.Parameter(torch.zeros(len(FIRST), dtype=F64))

    def forward(self, x, y, z=None):
        s = 2 * y - 1
        return -(s[..., FIRST] * s[..., SECOND]) @ self.couplings


def test_it_recovers_couplings_nearly_as_well_as_maximum_likelihood():
    truth = 0.3 * randn(len(FIRST), seed=6)
    model, states = Pairs(), binary_states(SITES)
    model.couplings.data.copy_(truth)
    law = (-model(None, states)).softmax(0).detach()
    y = states[torch.multinomial(law, 5_000, replacement=True, generator=generator(7))]
    got = learned(Pairs(), EnergyDiscrepancy(Flips(0.3), 16), y).couplings.detach()

    def likelihood(energy, x, y, rng):
        value = energy(None, y).mean() + (-energy(None, states)).logsumexp(0)
        return type("", (), {"value": value})

    best = learned(Pairs(), likelihood, y).couplings.detach()
    error, floor = ((t - truth).square().mean().sqrt() for t in (got, best))
    assert floor < 0.025
    assert error < 1.2 * floor
    assert (got + truth).square().mean().sqrt() > 10 * floor


def test_large_energies_keep_the_loss_and_its_slopes_finite():
    y, moved = randn(4, 2).float(), randn(2, 4, 2, seed=1).float()
    for factor in (1e3, -1e3):
        steep = FunctionEnergy(lambda y, factor=factor: factor * y.square().sum(-1))
        free = y.clone().requires_grad_()
        value = EnergyDiscrepancy(Fixed(moved), 2)(steep, None, free, generator()).value
        assert value.isfinite()
        assert torch.autograd.grad(value, free)[0].isfinite().all()
    walled = FunctionEnergy(lambda y: torch.where(y[..., 0] > 4, torch.inf, y.square().sum(-1)))
    moved[0, :, 0] = 5.0
    value = EnergyDiscrepancy(Fixed(moved), 2)(walled, None, y, generator()).value
    e_pos, e_neg = y.square().sum(-1), moved[1].square().sum(-1)
    torch.testing.assert_close(value, (0.5 + 0.5 * (e_pos - e_neg).exp()).log().mean())


def test_an_offset_changes_nothing_under_autocast():
    torch.manual_seed(0)
    energy, y = MLP(2, hidden=(8,)), randn(64, 2).float()
    objective = EnergyDiscrepancy(Gaussian(0.5))
    with torch.autocast("cpu", torch.bfloat16):
        plain = objective(energy, None, y, generator()).value
        raised = objective(energy + Constant(300.0), None, y, generator()).value
    assert plain.dtype == torch.float32
    torch.testing.assert_close(raised, plain, rtol=1e-3, atol=1e-3)


def test_what_it_cannot_work_with_is_refused():
    with pytest.raises(ConfigurationError, match=r"perturbation.*Gaussian\(0\.1\)"):
        EnergyDiscrepancy(0.1)
    with pytest.raises(ConfigurationError, match="negatives"):
        EnergyDiscrepancy(Gaussian(0.1), 0)
    with pytest.raises(ConfigurationError, match="w is"):
        EnergyDiscrepancy(Gaussian(0.1), w=-1.0)
    objective = EnergyDiscrepancy(Gaussian(0.1))
    with pytest.raises(ConfigurationError, match="rng"):
        objective(MLP(2), None, torch.zeros(3, 2))
    with pytest.raises(ShapeError, match="expected one tensor"):
        objective(FunctionEnergy(lambda y: y[0].sum(-1)), None, (y := torch.zeros(3, 2), y), None)


def test_batch_norm_is_warned_of():
    energy = FunctionEnergy(nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1), nn.Flatten(0)))
    objective = EnergyDiscrepancy(Gaussian(0.1))
    with pytest.warns(UserWarning, match="normalizes over the batch"):
        loss = objective(energy, None, torch.randn(5, 2), generator())
    assert loss.metrics["batch_norm"] == 1
