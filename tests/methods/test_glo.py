"""z stored for each datum: gradients to its rows, the ball, and the error of PCA."""

import pytest
import torch
from autoencoders_support import VARIANCES, gaussian, linear
from problems import F64, f64, generator, randn

from ebmlab import FreeEnergy, fit, methods
from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError, DtypeError, EbmlabError, ShapeError
from ebmlab.inference import LBFGS, Stored


def test_every_datum_has_the_z_of_its_number_and_sends_its_gradient_there():
    g, y = linear(2, 4), randn(6, 4)
    method = methods.glo(g, 6, 2, generator()).double()
    table = method.get_parameter("energy.infer.table")
    x = torch.tensor([4, 0, 4])
    value = method(x, y[x]).value
    expected = (g(table[x]) - y[x]).square().sum(1).mean()
    torch.testing.assert_close(value, expected)
    own = [table, *g.parameters()]
    grads, due = (torch.autograd.grad(v, own) for v in (value, expected))
    for a, b in zip(grads, due, strict=True):
        torch.testing.assert_close(a, b)
    assert grads[0][[1, 2, 3, 5]].abs().max() == 0
    # All pairs of numbers and data.
    pairs = method.energy(torch.arange(6)[:, None], y[None])
    torch.testing.assert_close(pairs[2, 3], (g(table[2]) - y[3]).square().sum())


def test_rows_are_put_back_into_the_ball_on_commit_only():
    infer = Stored(f64([[3.0, 4.0], [0.3, 0.4]]), radius=2.0)
    free = FreeEnergy(Reconstruction(linear(2, 4), takes_x=False, x_ndim=0), infer)
    free(torch.tensor([0]), randn(1, 4))
    assert infer.table[0].tolist() == [3.0, 4.0]
    infer.step()
    torch.testing.assert_close(infer.table.detach(), f64([[1.2, 1.6], [0.3, 0.4]]))
    unbounded = Stored(f64([[3.0, 4.0]]))
    unbounded.step()
    assert unbounded.table[0].tolist() == [3.0, 4.0]
    start = methods.glo(linear(2, 4), 500, 2, generator()).get_parameter("energy.infer.table")
    assert 0.9 < start.detach().norm(dim=1).max() <= 1 + 1e-6
    assert (start.detach().norm(dim=1) < 0.9).any()


def test_a_linear_decoder_reaches_the_error_of_principal_components():
    y = gaussian(64)
    method = methods.glo(linear(2, 4), 64, 2, generator()).double()
    data = (torch.arange(64), y)
    fit(method, data, steps=400, batch_size=64, lr=0.05)
    outside, table = float(VARIANCES[2:].sum()), method.get_parameter("energy.infer.table")
    value = float(method(*data).value.detach())
    assert outside - 1e-9 < value < 1.01 * outside
    assert float(table.detach().norm(dim=1).max()) <= 1 + 1e-9


def test_data_without_a_number_are_inferred_by_a_solver_over_the_same_energy():
    method = methods.glo(linear(2, 4), 6, 2, generator()).double()
    new = FreeEnergy(method.energy.energy, LBFGS(torch.zeros(1, 2, dtype=F64)))
    y = randn(3, 4)
    weight, bias = (p.detach() for p in method.energy.energy.decoder.parameters())
    z = torch.linalg.lstsq(weight, (y - bias).T).solution.T
    torch.testing.assert_close(new(None, y).detach(), (z @ weight.T + bias - y).square().sum(1))


def test_tables_refuse_what_is_no_number():
    energy = Reconstruction(linear(2, 4), takes_x=False, x_ndim=0)
    free, y = FreeEnergy(energy, Stored(randn(6, 2))), randn(3, 4)
    assert free.takes_x
    with pytest.raises(DtypeError, match="x has dtype"):
        free(torch.zeros(3, dtype=F64), y)
    with pytest.raises(ShapeError, match=r"x is .*; expected one tensor"):
        free(None, y)
    with pytest.raises(EbmlabError, match="temperature"):
        FreeEnergy(energy, Stored(randn(6, 2)), 1.0)(torch.zeros(3).long(), y)
    with pytest.raises(ShapeError, match="table"):
        Stored(torch.zeros(3))
    with pytest.raises(ConfigurationError, match="radius"):
        Stored(randn(6, 2), radius=0.0)
