import random

import pytest
import torch
from laws_support import X2, Y2, Bowl, numbered
from torch import nn

from ebmlab.codes import Codes
from ebmlab.errors import GradientError, ShapeError
from ebmlab.testing import check_energy
from ebmlab.types import Potential


def counted(energy):
    energy.count += 1
    return 0.0


class RoughSine(torch.autograd.Function):
    """A sine whose second derivative is lost."""

    @staticmethod
    def forward(ctx, y):
        ctx.save_for_backward(y)
        return y.sin()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].detach().cos()


def normalized(y):
    return nn.functional.batch_norm(y.reshape(-1, 2), None, None, training=True).reshape(y.shape)


# (the law, forward(energy, x, y))
BROKEN_FORWARDS = [
    ("batch independence", lambda e, x, y: e.cost(x, normalized(y))),
    ("batch independence", lambda e, x, y: e.cost(x, y) / len(y)),
    ("batch independence", lambda e, x, y: e.cost(x, y.roll(1, 0))),
    ("batch independence", lambda e, x, y: e.cost(x, y).sort(0).values),
    ("all pairs", lambda e, x, y: e.cost(x, y).mT if y.ndim == 3 else e.cost(x, y)),
    ("one number per datum", lambda e, x, y: e.cost(x, y)[..., None]),
    ("one number per datum", lambda e, x, y: e.cost(x, y).mean()),
    ("dtype kept", lambda e, x, y: e.cost(x, y).float()),
    ("input untouched", lambda e, x, y: e.cost(x, y.add_(1.0))),
    ("input untouched", lambda e, x, y: e.cost(x.mul_(2.0), y)),
    ("global generator untouched", lambda e, x, y: e.cost(x, y) + torch.rand(())),
    ("global generator untouched", lambda e, x, y: e.cost(x, nn.functional.dropout(y, 0.1))),
    ("state unmoved", lambda e, x, y: e.cost(x, y) + e.calls.add_(1.0)),
    ("state unmoved", lambda e, x, y: e.cost(x, y) + counted(e)),
    ("no gradient left", lambda e, x, y: (e.cost(x, y).sum().backward(), e.cost(x, y))[1]),
    ("a function", lambda e, x, y: e.cost(x, y) + random.random()),
    ("a function", lambda e, x, y: e.cost(x, y) + (1.0 if x is y else 0.0)),
    ("gradients reach", lambda e, x, y: e.cost(x, y).detach()),
    ("no gradient to width;", lambda e, x, y: (y - x).square().sum(-1) + e.offset),
    ("carries no gradient to y", lambda e, x, y: e.cost(x, y.detach())),
    ("^gradcheck", lambda e, x, y: e.cost(x, y) + y.detach().square().sum(-1)),
    ("^gradcheck", lambda e, x, y: e.cost(x.detach(), y)),
    ("gradgradcheck", lambda e, x, y: e.cost(x, y) + RoughSine.apply(y).sum(-1)),
]


@pytest.mark.parametrize(("law", "forward"), numbered(BROKEN_FORWARDS))
def test_a_broken_forward_is_refused(law, forward):
    class Broken(Bowl):
        def forward(self, x, y, z=None):
            return forward(self, x, y)

    with pytest.raises((AssertionError, ShapeError, GradientError), match=law):
        check_energy(Broken(), X2, Y2)


class Uphill(Potential):
    def value_and_grad(self, y):
        energy, grad = super().value_and_grad(y)
        return energy, -grad


class WrongSlope(Bowl):
    def value_and_grad(self, x, y, z=None, *, rng=None):
        energy, grad = super().value_and_grad(x, y, z, rng=rng)
        return energy, 1.001 * grad


class WrongGradient(Bowl):
    def given(self, x=None, *, y=None, z=None, rng=None):
        return Uphill(lambda free: self(x, free))


class WrongGiven(Bowl):
    def given(self, x=None, *, y=None, z=None, rng=None):
        return Potential(lambda free: 2 * self(x, free))


class WrongEach(Bowl):
    def at_each(self, x, values, *, rng=None):
        return super().at_each(x, values, rng=rng).mT


class WrongSum(Bowl):
    """It lists two x, and is handed no x as if it were the first."""

    def forward(self, x, y, z=None):
        return self.cost(torch.zeros_like(y) if x is None else x, y)

    def for_each_x(self, y, *, rng=None):
        return torch.stack([self(torch.zeros_like(y), y), self(torch.ones_like(y), y)], -1)


class WrongCodes(Bowl):
    def codes(self, x, y):
        return Codes(self, (x,), (2 * y,))


class Unsaved(Bowl):
    def _save_to_state_dict(self, destination, prefix, keep_vars):
        pass

    def _load_from_state_dict(self, *loading):
        pass


class Stochastic(Bowl):
    stochastic = True

    def forward(self, x, y, z=None, *, rng):
        return self.cost(x, y) + torch.rand((), generator=rng)


class Drifting(Stochastic):
    """Its potential draws on, instead of replaying."""

    def given(self, x=None, *, y=None, z=None, rng=None):
        return Potential(lambda free: self(x, free, rng=rng))


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("given agrees with the call", WrongGiven),
        ("given agrees with the call: the gradient", WrongGradient),
        ("given agrees with the call: the gradient", WrongSlope),
        ("given", Drifting),
        ("at_each agrees with the call", WrongEach),
        ("x = None sums x out", WrongSum),
        ("codes agree with the call", WrongCodes),
        ("state saved and restored", Unsaved),
    ],
)
def test_a_broken_energy_is_refused(law, broken):
    with pytest.raises(AssertionError, match=law):
        check_energy(broken(), X2, Y2)


@pytest.mark.parametrize("sound", [Bowl, Stochastic])
def test_a_sound_energy_passes_and_is_not_changed(sound):
    energy, x, y = sound(), X2.clone(), Y2.clone()
    generator = torch.Generator().manual_seed(3)
    states = generator.get_state(), torch.get_rng_state()
    check_energy(energy, x, y, rng=generator)
    assert torch.equal(x, X2)
    assert torch.equal(y, Y2)
    assert energy.width.dtype == torch.float32
    assert energy.width.grad is None
    assert torch.equal(generator.get_state(), states[0])
    assert torch.equal(torch.get_rng_state(), states[1])


def test_a_parameter_declared_unreached_must_be():
    with pytest.raises(AssertionError, match="declared unreached"):
        check_energy(Bowl(), X2, Y2, unreached=("width",))


def test_the_laws_ask_for_a_batch():
    with pytest.raises(ShapeError, match="n >= 2"):
        check_energy(Bowl(), X2[:1], Y2[:1])
