import torch
from problems import F64, generator
from torch import nn
from torch.nn import functional

from ebmlab import fit, methods, predict
from ebmlab.networks import Modulated

SHAPES = ((1, 2, 4), (1, 3, 4))


def halves(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.rand(n, *shape, generator=generator(), dtype=F64) for shape in SHAPES)


def plain(method, x, codes: int) -> torch.Tensor:
    """‖g(f(x), z) - y‖² with every network written out: predictions (codes, n, *event)."""
    (w1, b1, w2, b2), head = method.encoder.parameters(), method.energy.energy.head.decoder
    w3, b3, w4, b4 = head.network.parameters()
    h = functional.silu(x.flatten(1) @ w1.T + b1) @ w2.T + b2
    a, b = head.modulation.weight.T.chunk(2, dim=1)
    each = [functional.silu(h * (1 + a[k]) + b[k]) @ w3.T + b3 for k in range(codes)]
    return torch.stack([(functional.silu(u) @ w4.T + b4).unflatten(1, SHAPES[1]) for u in each])


def test_the_loss_is_the_squared_error_of_the_best_code():
    method, (x, y) = methods.image_prediction(*SHAPES, codes=3, width=8).double(), halves()
    errors = (plain(method, x, 3) - y).square().sum((2, 3, 4))
    value, due = method(x, y).value, errors.amin(0).mean()
    torch.testing.assert_close(value, due)
    own = list(method.parameters())
    for a, b in zip(torch.autograd.grad(value, own), torch.autograd.grad(due, own), strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(predict(method, x, 3).y, plain(method, x, 3).detach())


def test_at_a_temperature_every_code_learns_from_every_datum():
    method = methods.image_prediction(*SHAPES, codes=3, temperature=0.5, width=8).double()
    x, y = halves()
    errors = (plain(method, x, 3) - y).square().sum((2, 3, 4))
    soft = -0.5 * (-errors / 0.5).exp().mean(0).log()
    torch.testing.assert_close(method(x, y).value, soft.mean())


def test_one_code_is_regression():
    method, (x, y) = methods.image_prediction(*SHAPES, codes=1, width=8).double(), halves()

    class Only(nn.Module):
        def forward(self, x):
            return plain(method, x, 1)[0]

    regression = methods.regression(Only(), x_ndim=3, y_ndim=3)
    torch.testing.assert_close(method(x, y).value, regression(x, y).value)


def test_a_step_moves_parameters_and_commit_moves_nothing():
    method, (x, y) = methods.image_prediction(*SHAPES, codes=3, width=8).double(), halves()
    before = [p.clone() for p in method.parameters()]
    loss = method(x, y)
    loss.value.backward()
    loss.commit()
    assert all(torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))
    assert all(p.grad is not None for p in method.parameters())


def test_two_answers_get_two_codes_and_regression_their_mean():
    rng = generator()
    x = torch.rand(64, *SHAPES[0], generator=rng)
    bright = (torch.arange(64) % 2).float().reshape(64, 1, 1, 1)
    y = bright.expand(-1, *SHAPES[1])
    errors = {}
    for codes in (1, 2):
        method = methods.image_prediction(*SHAPES, codes=codes, width=16)
        fit(method, (x, y), steps=60, lr=1e-2, rng=generator())
        errors[codes] = float(method.energy(x, y).detach().mean())
    assert errors[1] > 0.9 * 12 / 4
    assert errors[2] < 0.1 * 12 / 4


def test_modulation_scales_and_shifts():
    g = Modulated(nn.Identity(), dim=2, codes=2, spread=1.0).double()
    h, z = torch.rand(5, 2, dtype=F64), torch.rand(5, 2, dtype=F64)
    a, b = (z @ g.modulation.weight.T).split(2, dim=1)
    torch.testing.assert_close(g(h, z), h * (1 + a) + b)
    torch.testing.assert_close(g(h, torch.zeros_like(z)), h)
