import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from posteriors_support import FOLDERS, NAMES, Problem, problem, real, real_data, small
from problems import f64
from torch import Tensor

from ebmlab._slopes import slope
from ebmlab.data.posteriors import EightSchools, GaussianProcess, LinearRegression, posterior
from ebmlab.errors import ConfigurationError, DataError, DtypeError, ShapeError
from ebmlab.kernels.programs import CompiledPotential
from ebmlab.testing import check_energy

each = pytest.mark.parametrize("name", NAMES)


def log_jacobian(energy, y: Tensor) -> float:
    """log |det ∂θ/∂y| by automatic differentiation."""
    return float(torch.linalg.slogdet(torch.func.jacrev(energy.constrain)(y))[1])


def departure(case: Problem) -> float:
    """How far E + log p(θ) + log |det ∂θ/∂y| is from a constant, relative to E."""
    energies = case.energy(None, case.points)
    due = [
        case.log_posterior(theta.numpy()) + log_jacobian(case.energy, y)
        for theta, y in zip(case.energy.constrain(case.points), case.points, strict=True)
    ]
    total = energies + f64(due)
    off = (total - total.mean()).abs() / (1 + (energies - energies.mean()).abs())
    return float(off.max())


@each
def test_energies_are_minus_the_log_densities_and_jacobians_that_scipy_finds(name):
    assert departure(small(name)) < 1e-9


@each
def test_the_real_posteriors_are_those_that_scipy_finds(name):
    reference = real(name)
    assert departure(problem(name, reference.energy, real_data(name))) < 1e-9


@each
def test_another_prior_is_seen(name):
    case = small(name)

    def shifted(theta: np.ndarray) -> float:
        return case.log_posterior(theta) - 1e-6 * float(theta[-1])

    assert departure(replace(case, log_posterior=shifted)) > 1e-9


@each
def test_hand_written_gradients_are_those_of_autograd(name):
    case = small(name)
    energy, grad = case.energy.value_and_grad(None, case.points)
    expected_energy, expected = slope(lambda y: case.energy(None, y), case.points)
    torch.testing.assert_close(energy, expected_energy.detach(), rtol=1e-12, atol=1e-11)
    torch.testing.assert_close(grad, expected, rtol=1e-10, atol=1e-9)


@each
def test_hand_written_gradients_are_difference_quotients(name):
    case = small(name)
    y, h = case.points, 1e-5
    grad = case.energy.value_and_grad(None, y)[1]
    # The unit is the spread of the points, for some coordinates differ by a thousand in scale.
    for i, unit in enumerate(y.std(0)):
        step = torch.zeros(case.energy.dim, dtype=y.dtype)
        step[i] = h * unit
        quotient = (case.energy(None, y + step) - case.energy(None, y - step)) / (2 * h)
        torch.testing.assert_close(grad[:, i] * unit, quotient, rtol=1e-5, atol=1e-4)


@each
def test_potentials_use_the_hand_written_gradient_and_detach_it(name, monkeypatch):
    case = small(name)
    u = case.energy.given()
    y = case.points.clone().requires_grad_()
    energy, grad = u.value_and_grad(y)
    assert not energy.requires_grad
    assert not grad.requires_grad
    assert torch.equal(grad, case.energy.value_and_grad(None, case.points)[1])
    monkeypatch.setattr(case.energy, "slope", lambda y: (y[..., 0] * 0, y * 0))
    assert not u.value_and_grad(y)[1].any()


@each
def test_posteriors_keep_the_laws_of_energies(name):
    case = small(name)
    check_energy(case.energy, None, case.points[:4])


@each
def test_constrained_and_unconstrained_parameters_go_there_and_back(name):
    energy, y = small(name).energy, small(name).points
    theta = energy.constrain(y)
    torch.testing.assert_close(energy.unconstrain(theta), y)
    assert theta.shape == y.shape == (50, len(energy.names))
    positive = [i for i, n in enumerate(energy.names) if n in {"tau", "sigma", "rho"}]
    assert (theta[:, positive] > 0).all()
    assert torch.equal(theta[:, positive].log(), y[:, positive].exp().log())


@each
def test_one_graph_holds_the_energy_and_its_gradient(name):
    case = small(name)
    u = case.energy.given()
    traced = torch.compile(u.value_and_grad, fullgraph=True, backend="eager")
    assert all(map(torch.equal, traced(case.points), u.value_and_grad(case.points)))
    by_func = torch.compile(
        torch.func.grad(lambda y: case.energy(None, y).sum()), fullgraph=True, backend="eager"
    )
    torch.testing.assert_close(by_func(case.points), traced(case.points)[1])


@pytest.mark.slow
@each
def test_the_compiled_energy_and_gradient_are_the_eager_ones(name):
    case = small(name)
    u = case.energy.given()
    # A program that cannot be compiled falls back with a warning, which is an error here.
    compiled = CompiledPotential(u).value_and_grad(case.points)
    for got, due in zip(compiled, u.value_and_grad(case.points), strict=True):
        torch.testing.assert_close(got, due, rtol=1e-11, atol=1e-9)


def exact_squares(design, response, coefficients) -> Fraction:
    rows = zip(design.tolist(), response.tolist(), strict=True)
    pairs = [(list(map(Fraction, row)), Fraction(value)) for row, value in rows]
    weights = [Fraction(c) for c in coefficients.tolist()]
    return sum(
        ((r - sum(a * w for a, w in zip(row, weights, strict=True))) ** 2 for row, r in pairs),
        Fraction(0),
    )


def test_far_from_centered_designs_cost_no_digits():
    years = torch.arange(4000.0, 4060.0, dtype=torch.float64)
    response = 9 + torch.randn(60, generator=torch.Generator().manual_seed(1), dtype=years.dtype)
    design = torch.stack([torch.ones_like(years), years], dim=-1)
    flat = torch.full((2,), torch.inf, dtype=years.dtype)
    energy = LinearRegression(design, response, torch.zeros_like(flat), flat)
    for rate in (-0.03, 0.0, 0.01, 0.1):
        y = f64([[9 - 4030 * rate, rate, 0.0]])
        due = exact_squares(design, response, y[0, :2]) / 2
        assert abs(Fraction(energy(None, y).item()) / due - 1) < 1e-12


def test_an_indefinite_covariance_has_no_energy():
    energy = GaussianProcess(f64([0.0, 1e-9, 2e-9]), f64([1.0, 0.0, -1.0]))
    y = f64([[0.0, 0.0, -60.0], [0.0, 0.0, 0.0]])
    assert energy(None, y).isnan().tolist() == [True, False]
    assert energy.value_and_grad(None, y)[0].isnan().tolist() == [True, False]


@each
def test_extreme_widths_overflow_to_no_finite_energy_or_to_the_right_one(name):
    energy = small(name).energy
    y = torch.zeros(2, energy.dim, dtype=torch.float64)
    y[:, -1] = f64([-400.0, 400.0])
    value, grad = energy.value_and_grad(None, y)
    finite = value.isfinite() & grad.isfinite().all(-1)
    torch.testing.assert_close(energy(None, y)[finite], value[finite])
    assert not (value == -torch.inf).any()


@each
def test_vectors_of_another_length_or_precision_are_refused(name):
    energy = small(name).energy
    wrong = torch.zeros(3, energy.dim + 1, dtype=torch.float64)
    for call in (energy, energy.value_and_grad):
        with pytest.raises(ShapeError, match=f"{energy.dim}"):
            call(None, wrong)
        with pytest.raises(DtypeError, match="float32"):
            call(None, torch.zeros(3, energy.dim))


def test_data_of_different_lengths_are_refused():
    with pytest.raises(ShapeError, match=r"effects .*\(3,\).*\(2,\)"):
        EightSchools(torch.zeros(3), torch.ones(2))
    with pytest.raises(ShapeError, match=r"\(3,\).*\(2,\)"):
        GaussianProcess(torch.zeros(3), torch.ones(2))
    with pytest.raises(ShapeError, match=r"prior_mean \(3,\)"):
        LinearRegression(torch.ones(4, 2), torch.ones(4), torch.zeros(3), torch.ones(3))
    with pytest.raises(ShapeError, match="names"):
        LinearRegression(
            torch.eye(2), torch.ones(2), torch.zeros(2), torch.ones(2), names=("a", "b")
        )
    with pytest.raises(ConfigurationError, match="scale"):
        LinearRegression(torch.eye(2), torch.ones(2), torch.zeros(2), torch.ones(2), scale=-1.0)


@each
def test_reference_draws_come_back_as_they_were_published(name):
    reference = real(name)
    energy = reference.energy
    assert reference.draws.shape == (1000, 10, energy.dim)
    assert reference.draws.dtype == torch.float64
    assert reference.names == energy.names
    back = energy.constrain(reference.draws)
    first = {n: float(v) for n, v in zip(energy.names, back[0, 0], strict=True)}
    published = {
        "eight_schools": ("theta[1]", 10.6802773011458),
        "arK": ("alpha", 0.00226254513228999),
        "gp_regr": ("rho", 5.95072441477904),
        "kilpisjarvi": ("alpha", -38.4073141935281),
    }
    parameter, value = published[name]
    assert first[parameter] == pytest.approx(value, rel=1e-12)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"nine_schools.*eight_schools, arK"):
        posterior("nine_schools")


def test_missing_and_damaged_files_are_reported_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("EBMLAB_DATA", raising=False)
    with pytest.raises(DataError, match="EBMLAB_DATA"):
        posterior("arK")
    with pytest.raises(DataError, match=r"holds no .*arK-arK.*root=FOLDER"):
        posterior("arK", root=tmp_path)
    folder = tmp_path / "posteriordb" / FOLDERS["arK"]
    folder.mkdir(parents=True)
    (folder / "data.json").write_text(json.dumps({"y": [1.0]}))
    monkeypatch.setenv("EBMLAB_DATA", str(tmp_path))
    with pytest.raises(DataError, match="SHA-256"):
        posterior("arK")
