"""Principal components against the SVD and scikit-learn; the exact z of linear decoders."""

import numpy as np
import pytest
import torch
from autoencoders_support import linear, minimized
from mixtures_support import commits, flat_digits
from problems import F64, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy, Method, fit, methods
from ebmlab.energies import Reconstruction, Subspace
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.inference import L1, Projected
from ebmlab.objectives import Regularized


def data() -> Tensor:
    """Correlated, off center: (300, 6)."""
    return 5 + randn(300, 6) @ randn(6, 6, seed=1)


def angles(columns: Tensor, other: Tensor) -> np.ndarray:
    from scipy.linalg import subspace_angles

    return subspace_angles(columns.detach().numpy(), other.detach().numpy())


def weight(method: Method) -> Tensor:
    return method.get_parameter("energy.energy.decoder.weight")


@pytest.mark.parametrize("size", [300, 70])
def test_one_pass_spans_the_subspace_of_the_svd(size):
    y = data()
    method = methods.pca(6, 2).double()
    commits(method, y, 1, size=size)
    _, values, rows = torch.linalg.svd(y - y.mean(0), full_matrices=False)
    assert angles(weight(method), rows[:2].T).max() < 1e-6
    assert angles(weight(method), rows[1:3].T).max() > 0.1
    torch.testing.assert_close(weight(method).T @ weight(method), torch.eye(2, dtype=F64))
    variances = method.get_buffer("energy.energy.variances")
    torch.testing.assert_close(variances, values[:2].square() / len(y))
    outside = values[2:].square().sum() / len(y)
    torch.testing.assert_close(method(None, y).value, outside)
    # A second pass over the same data changes nothing.
    before = weight(method).clone()
    commits(method, y, 1, size=size)
    torch.testing.assert_close(weight(method), before)


def test_reconstructions_and_codes_are_scikit_learn_s_on_real_digits():
    from sklearn.decomposition import PCA

    y = flat_digits(500)
    method = methods.pca(64, 10).double()
    run = fit(method, (None, y), steps=5, batch_size=100)
    assert run.optimizer is None
    theirs = PCA(10, svd_solver="full").fit(y.numpy())
    z = method.energy.posterior(None, y).atoms[0]
    ours = method.energy.energy.decode(None, z)
    due = torch.from_numpy(theirs.inverse_transform(theirs.transform(y.numpy())))
    torch.testing.assert_close(ours, due, rtol=0, atol=1e-9)
    torch.testing.assert_close(method.encode(y), z)
    torch.testing.assert_close(z.abs(), torch.from_numpy(theirs.transform(y.numpy())).abs())


def test_forgetting_follows_data_that_move():
    y = data()
    method = methods.pca(6, 2, decay=0.0).double()
    commits(method, torch.cat([y, -3 * y.flip(1)]), 1, size=300)
    moved = -3 * y.flip(1)
    rows = torch.linalg.svd(moved - moved.mean(0), full_matrices=False)[2]
    assert angles(weight(method), rows[:2].T).max() < 1e-6


def test_single_precision_survives_an_offset():
    y = data()
    method = methods.pca(6, 2)
    commits(method, (y + 1000).float(), 1, size=100)
    rows = torch.linalg.svd(y - y.mean(0), full_matrices=False)[2]
    assert angles(weight(method).double(), rows[:2].T).max() < 1e-3


@pytest.mark.parametrize("size", [2000, 250])
def test_small_components_of_single_precision_data_are_those_of_the_svd(size):
    scales = torch.logspace(0, -6, 7, dtype=F64)
    basis = torch.linalg.qr(randn(7, 7, seed=1))[0]
    y = (randn(2000, 7) * scales @ basis.T).float()
    method = methods.pca(7, 7)
    commits(method, y, 1, size=size)
    double = y.double().numpy()
    _, values, rows = np.linalg.svd(double - double.mean(0), full_matrices=False)
    found = method.get_buffer("energy.energy.variances").sqrt().numpy()
    np.testing.assert_allclose(found, values / np.sqrt(2000), rtol=1e-3)
    cosines = np.abs((weight(method).detach().double().numpy() * rows.T).sum(0))
    np.testing.assert_allclose(cosines, 1, atol=1e-3)
    # A covariance in single precision knows nothing of them.
    blunt = torch.linalg.eigvalsh((y - y.mean(0)).T @ (y - y.mean(0)) / 2000).flip(0)
    assert float(blunt[-1].abs().sqrt()) > 10 * float(values[-1] / np.sqrt(2000))


def test_the_projection_is_the_lowest_z_of_any_linear_decoder():
    for columns, bias in ((2, True), (2, False), (4, True)):
        decoder = linear(columns, 3, bias=bias)
        free = FreeEnergy(Reconstruction(decoder, takes_x=False), Projected())
        y = randn(5, 3, seed=2)
        z = free.posterior(None, y).atoms[0]
        offset = y - decoder.bias if bias else y
        due = torch.linalg.lstsq(decoder.weight.expand(5, -1, -1), offset, driver="gelsd").solution
        torch.testing.assert_close(z, due)
        assert free.bound == "exact"
        # The gradient is the envelope's: with z held still.
        grad = torch.autograd.grad(free(None, y).sum(), decoder.weight)[0]
        still = (decoder(z.detach()) - y).square().sum()
        torch.testing.assert_close(
            grad, torch.autograd.grad(still, decoder.weight)[0], rtol=1e-9, atol=1e-9
        )


def test_a_linear_decoder_trained_through_the_projection_reaches_the_same_subspace():
    y = data() - data().mean(0)
    decoder = linear(2, 6, bias=False)
    free = FreeEnergy(Reconstruction(decoder, takes_x=False), Projected())
    found = minimized(Method(free, Regularized()), y, 80)
    values = torch.linalg.svdvals(y)
    outside = float(values[2:].square().sum() / len(y))
    assert outside * (1 - 1e-12) <= found < outside * (1 + 1e-6)


def test_components_refuse_what_they_cannot_span():
    for k in (0, 4):
        with pytest.raises(ConfigurationError, match="k is"):
            methods.pca(3, k)
    with pytest.raises(ConfigurationError, match="decay"):
        methods.pca(3, 1, decay=1.5)
    energy = Subspace(3, 1)
    with pytest.raises(ShapeError, match="y has shape"):
        energy.update(None, torch.zeros(2, 4))
    with pytest.raises(NonFiniteError, match="y"):
        energy.update(None, torch.full((2, 3), torch.nan))
    assert torch.equal(energy.decoder.weight, torch.eye(3, 1))
    for wrong in (
        Reconstruction(nn.Sequential(nn.Linear(1, 3)), takes_x=False),
        Reconstruction(nn.Linear(1, 3), prior=L1(1.0), takes_x=False),
    ):
        with pytest.raises(ConfigurationError, match="Projected"):
            FreeEnergy(wrong, Projected())(None, torch.zeros(2, 3))
    with pytest.raises(ConfigurationError, match="temperature"):
        FreeEnergy(energy, Projected(), 1.0)(None, torch.zeros(2, 3))
