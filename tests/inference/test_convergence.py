"""What has converged has, whatever the units and the offset of u, z and y; or it is said."""

import math
import warnings

import pytest
import torch
from problems import F64, f64, randn
from solvers_support import counted
from torch import Tensor, nn

from ebmlab import methods
from ebmlab.data import digits
from ebmlab.energies import Reconstruction, unit
from ebmlab.inference import (
    L1,
    LBFGS,
    Composite,
    Descent,
    LeastSquares,
    LevenbergMarquardt,
    NotConvergedWarning,
    Proximal,
)
from ebmlab.inference._solvers.composite import LinearComposite

W, Y = randn(9, 4, seed=1), randn(6, 9, seed=2)
EXACT = torch.linalg.lstsq(W, Y.T).solution.T
F32 = torch.float32


def smooth(y, scale, offset):
    """c ‖W z - y‖² + b."""
    weight = W.to(y.dtype)
    return lambda z: scale * (z @ weight.T - y).square().sum(-1) + offset


def squares(y, scale, offset):
    """The same as residuals, one of them constant."""
    weight = W.to(y.dtype)
    return LeastSquares(
        lambda z: torch.cat(
            [scale**0.5 * (z @ weight.T - y), y.new_full((len(z), 1), offset**0.5)], 1
        )
    )


# What may remain of the error in z, by the tolerance and the condition of W.
SOLVERS = {
    ("LBFGS", F64): (LBFGS(), smooth, 1e-7),
    ("LBFGS", F32): (LBFGS(), smooth, 2e-3),
    ("Descent", F64): (Descent(steps=1000, tolerance=1e-6), smooth, 1e-5),
    ("Descent", F32): (Descent(steps=1000, tolerance=1e-3), smooth, 1e-2),
    ("LevenbergMarquardt", F64): (LevenbergMarquardt(), squares, 1e-7),
    ("LevenbergMarquardt", F32): (LevenbergMarquardt(), squares, 2e-3),
    ("Proximal", F64): (Proximal(), lambda *u: Composite(smooth(*u), L1(0.0)), 1e-6),
    ("Proximal", F32): (Proximal(), lambda *u: Composite(smooth(*u), L1(0.0)), 1e-2),
}
every = pytest.mark.parametrize("case", SOLVERS, ids=lambda case: f"{case[0]} {case[1]}")


def off(z: Tensor, unit: float = 1.0) -> float:
    """The largest error of z, relative to the length of the minimum."""
    return float(((z.double() / unit - EXACT).norm(dim=1) / EXACT.norm(dim=1)).max())


@every
@pytest.mark.parametrize("length", [1.0, 1e4, 1e-4])
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1e4, 0.0), (1e-4, 0.0), (1.0, 1e4)])
def test_fault_45_no_unit_and_no_offset_changes_z_in_silence(case, length, scale, offset):
    solver, make, error = SOLVERS[case]
    u = make((length * Y).to(case[1]), scale, offset)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", NotConvergedWarning)
        found = solver.minimize(u, torch.zeros(6, 4, dtype=case[1]))
    assert off(found.argmin, length) < error or said
    # Where u itself is not rounded away there is nothing to say.
    assert not said or case == ("Descent", F32) or offset > 1e3 * length
    exact = smooth((length * Y).to(F64), scale, offset)
    _, grad = torch.func.vjp(exact, found.argmin.double())
    due = grad(torch.ones(6, dtype=F64))[0].norm(dim=1)
    size = scale * length * 100
    torch.testing.assert_close(found.residual.double(), due, rtol=0.5, atol=1e-4 * size)


@every
@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("length", [1.0, 1e4, 1e-4])
def test_a_row_that_starts_at_its_minimum_is_done_at_once(case, length, offset):
    solver, make, _ = SOLVERS[case]
    u, start = make((length * Y).to(case[1]), 1.0, offset), (length * EXACT).to(case[1])
    begin = solver.minimize(u, start)
    assert (begin.argmin - start).norm() <= 1e3 * torch.finfo(case[1]).eps * start.norm()
    # A minimum without rounding takes one look.
    exact, calls = counted(lambda z: (z - 1).square().sum(-1) + offset)
    if make is smooth:
        solver.minimize(exact, torch.ones(3, 2, dtype=case[1]))
        assert len(calls) == 1


def test_float32_beside_an_offset_does_not_stop_at_its_start():
    start = torch.zeros(2, 3)
    found = LBFGS().minimize(lambda z: 0.5 * (z - 1).square().sum(-1) + 1e4, start)
    torch.testing.assert_close(found.argmin, torch.ones(2, 3), rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("scale", [1e4, 1e-4])
def test_sparse_codes_have_the_unit_of_their_data(scale, dtype):
    d, y = unit(randn(12, 5)).to(dtype), randn(20, 5, seed=1).to(dtype)

    def codes(scale: float) -> Tensor:
        method = methods.sparse_coding(d, 0.3 * scale, steps=2000, tolerance=1e-6)
        return method.energy.posterior(None, scale * y).atoms[0] / scale

    one = codes(1.0)
    torch.testing.assert_close(codes(scale), one, rtol=0, atol=1e-5 if dtype is F32 else 1e-9)
    assert 0.1 < (one != 0).double().mean() < 0.9
    # Control: a weight that stays behind.
    fixed = methods.sparse_coding(d, 0.3).energy.posterior(None, scale * y).atoms[0] / scale
    assert (fixed - one).abs().max() > 1e-2


@pytest.mark.parametrize("solver", [LBFGS, LevenbergMarquardt])
def test_pixels_up_to_255_are_decoded_as_those_up_to_1(solver):
    images = digits()[0][:20].flatten(1)
    decoder = nn.Linear(5, 64)
    with torch.no_grad():
        decoder.weight.copy_(randn(64, 5, seed=3) / 8)
        decoder.bias.copy_(255 * images.mean(0))
    energy, y = Reconstruction(decoder, takes_x=False), 255 * images
    z = solver(torch.zeros(1, 5))(energy, None, y).atoms[0].double()
    weight, target = decoder.weight.double().detach(), (y - decoder.bias.detach()).double()
    due = torch.linalg.lstsq(weight, target.T).solution.T
    assert ((z - due).norm(dim=1) < 1e-3 * due.norm(dim=1)).all()


def test_a_wall_far_off_and_a_plateau_do_not_decide():
    # u = z⁴ falls by 10¹² before the well of depth 1 is reached; tanh² has next to no slope at 9.
    well = LBFGS().minimize(lambda z: (z**4 + 10 * (z - 1).square()).sum(-1), f64([[1e3], [-1e3]]))
    torch.testing.assert_close(well.argmin, well.argmin[:1].expand(2, 1), rtol=0, atol=1e-4)
    assert float((4 * well.argmin**3 + 20 * (well.argmin - 1)).abs().max()) < 1e-2
    flat = LBFGS().minimize(lambda z: z.tanh().square().sum(-1), f64([[9.0], [-9.0]]))
    torch.testing.assert_close(flat.argmin, torch.zeros(2, 1, dtype=F64), rtol=0, atol=1e-6)


def test_linear_problems_start_at_their_minimum_too():
    for dtype in (F64, F32):
        u = LinearComposite(W.to(dtype), Y.to(dtype), L1(0.0))
        found = Proximal(steps=10).minimize(u, EXACT.to(dtype))
        assert off(found.argmin) < 1e3 * torch.finfo(dtype).eps
    with pytest.warns(NotConvergedWarning):
        Proximal(steps=10).minimize(u, torch.ones(6, 4, dtype=F32) * math.pi)
