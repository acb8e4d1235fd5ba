"""Sparse codes against scikit-learn's, the conditions of optimality, and dictionaries learned."""

import numpy as np
import pytest
import torch
from problems import F64, generator, randn
from torch import Tensor

from ebmlab import FreeEnergy, Method, fit, methods
from ebmlab.energies import unit
from ebmlab.errors import ShapeError
from ebmlab.inference import L1, Proximal
from ebmlab.inference._solvers.composite import LinearComposite
from ebmlab.networks import Dictionary

LAMBDA = 0.2


def problem(n: int = 40, dim: int = 16, atoms: int = 48) -> tuple[Tensor, Tensor]:
    """Atoms (k, dim) and signals (n, dim), all of length one."""
    return unit(randn(atoms, dim)), unit(randn(n, dim, seed=1))


def inferred(method: Method, y: Tensor) -> Tensor:
    assert isinstance(method.energy, FreeEnergy)
    return method.energy.posterior(None, y).atoms[0].detach()


def dictionary(method: Method) -> Tensor:
    """The columns of D, (dim, k), as they are now."""
    return method.get_parameter("energy.energy.decoder.weight").detach()


def codes(d: Tensor, y: Tensor, tolerance: float = 1e-9) -> Tensor:
    method = methods.sparse_coding(d, LAMBDA, steps=20_000, tolerance=tolerance)
    return inferred(method, y)


def gap(d: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """(E - dual bound) / E of E = ‖y - zD‖² + λ ‖z‖₁, at the residual shrunk to be feasible.

    The dual of ½‖y - zD‖² + ½λ‖z‖₁ is ½‖y‖² - ½‖y - θ‖² where |D θ| <= ½λ.
    """
    r = y - z @ d
    energy = r.square().sum(1) + LAMBDA * z.abs().sum(1)
    theta = r * (0.5 * LAMBDA / (r @ d.T).abs().amax(1)).clamp(max=1)[:, None]
    return (energy - y.square().sum(1) + (y - theta).square().sum(1)) / energy


def violation(d: Tensor, y: Tensor, z: Tensor) -> float:
    """How far 2 dᵀ(y - zD) is from λ sign(z) where z is not 0, and beyond λ where it is."""
    slope = 2 * (y - z @ d) @ d.T
    active = (slope - LAMBDA * z.sign()).abs()
    return float(torch.where(z != 0, active, (slope.abs() - LAMBDA).clamp(min=0)).max())


def test_codes_fulfill_the_conditions_of_optimality():
    d, y = problem()
    z = codes(d, y)
    assert violation(d, y, z) < 1e-8
    assert 0 < (z != 0).double().mean() < 0.5
    single = codes(d.float(), y.float(), 1e-5)
    assert violation(d, y, single.double()) < 1e-4
    assert violation(d, y, 1.001 * z) > 1e-4


@pytest.mark.parametrize("shape", [(16, 48), (16, 20)])
def test_codes_are_those_of_scikit_learn(shape):
    from sklearn.decomposition import sparse_encode
    from sklearn.linear_model import Lasso

    d, y = problem(40, *shape)
    z = codes(d, y)
    # scikit-learn weighs the squares by 1 / (2 dim), or by ½.
    alpha = 0.5 * LAMBDA / d.shape[1]
    lasso = Lasso(alpha, fit_intercept=False, tol=1e-10, max_iter=100_000)
    theirs = torch.from_numpy(lasso.fit(d.T.numpy(), y.T.numpy()).coef_)
    coded = sparse_encode(y.numpy(), d.numpy(), algorithm="lasso_cd", alpha=0.5 * LAMBDA)
    for other in (theirs, torch.from_numpy(coded)):
        torch.testing.assert_close(z, other, rtol=0, atol=1e-4)
    assert (gap(d, y, z) < 1e-7).all()
    assert (gap(d, y, theirs) < 1e-7).all()
    assert (gap(d, y, 1.01 * z) > 1e-5).all()


def test_columns_stay_of_length_one_and_the_loss_falls():
    d, y = problem(200)
    method = methods.sparse_coding(d, LAMBDA)
    before = method(None, y).value.item()
    run = fit(method, (None, y), steps=40, batch_size=100, lr=0.02)
    assert run.skipped == 0
    torch.testing.assert_close(dictionary(method).norm(dim=0), torch.ones(len(d), dtype=F64))
    assert method(None, y).value.item() < 0.95 * before


def test_a_planted_dictionary_is_found():
    truth = unit(randn(12, 16))
    where = torch.rand(2000, 12, generator=generator(3)).argsort(1) < 2
    y = (where * randn(2000, 12, seed=4)) @ truth
    start = y[:200][y[:200].norm(dim=1) > 1][:12]
    method = methods.sparse_coding(start, 0.1)

    def recovered() -> float:
        cosines = (dictionary(method).T @ truth.T).abs()
        return float((cosines.amax(0) > 0.98).double().mean())

    assert recovered() < 0.5
    fit(method, (None, y), steps=150, batch_size=200, lr=0.03)
    assert recovered() > 0.8


def test_the_loss_of_a_batch_is_the_mean_of_the_whole_energy():
    d, y = problem()
    method = methods.sparse_coding(d, LAMBDA, steps=20_000, tolerance=1e-9)
    z = codes(d, y)
    due = ((y - z @ d).square().sum(1) + LAMBDA * z.abs().sum(1)).mean()
    torch.testing.assert_close(method(None, y).value.detach(), due)


def test_nonnegative_codes_are_not_negative_and_optimal_among_those():
    d, y = problem()
    method = methods.sparse_coding(d, LAMBDA, nonnegative=True, steps=20_000, tolerance=1e-9)
    z = inferred(method, y)
    assert (z >= 0).all()
    slope = 2 * (y - z @ d) @ d.T - LAMBDA
    assert float(torch.where(z > 0, slope.abs(), slope.clamp(min=0)).max()) < 1e-7


def test_a_dictionary_refuses_atoms_that_have_no_direction():
    for atoms in (torch.zeros(3, 2), torch.ones(3), torch.tensor([[1.0, torch.nan]])):
        with pytest.raises(ShapeError, match="atoms"):
            Dictionary(atoms)


def test_float32_reaches_a_gap_of_a_hundred_thousandth():
    d, y = problem(100, 64, 256)
    u = LinearComposite(d.T.float(), y.float(), L1(LAMBDA))
    found = Proximal(tolerance=1e-6).minimize(u, torch.zeros(100, 256))
    assert float(gap(d, y, found.argmin.double()).max()) < 1e-5
    assert np.isfinite(found.energy.numpy()).all()


def test_every_datum_has_its_own_code_whatever_the_batch_shape():
    d, y = problem(12)
    method = methods.sparse_coding(d, LAMBDA, steps=20_000, tolerance=1e-9)
    folded = inferred(method, y.reshape(3, 4, -1))
    torch.testing.assert_close(folded.reshape(12, -1), codes(d, y), rtol=0, atol=1e-7)
