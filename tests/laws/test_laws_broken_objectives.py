import random

import pytest
import torch
from laws_support import X2, Y2, Bowl, numbered

from ebmlab.protocols import Loss, Objective, Stepped
from ebmlab.testing import check_objective


class Clock(Stepped):
    def __init__(self):
        super().__init__()
        self.register_buffer("time", torch.zeros(()))

    def step(self):
        self.time += 1


class Pull(Objective):
    """The energy loss, sound, whose `Loss` `change` breaks."""

    def __init__(self, change=None):
        super().__init__()
        self.clock, self.change, self.count = Clock(), change, 0

    def forward(self, energy, x, y, rng):
        value = energy(x, y).mean()
        loss = Loss(value, {"pull": value.detach()}, {"e_pos": value.detach()})
        return loss if self.change is None else self.change(self, energy, x, y, loss)


def worth(value):
    return Loss(value, {"pull": value.detach()}, {})


def ticked(objective):
    objective.clock.time += 1


def kept(objective):
    objective.count += 1


# (the law, change(objective, energy, x, y, loss))
BROKEN_LOSSES = [
    (
        "^terms: the sum",
        lambda o, e, x, y, loss: loss._replace(terms={"pull": 2 * loss.value.detach()}),
    ),
    ("terms and metrics", lambda o, e, x, y, loss: loss._replace(terms={"pull": loss.value})),
    ("terms and metrics", lambda o, e, x, y, loss: loss._replace(metrics={"gap": 1.0})),
    ("value: expected a scalar", lambda o, e, x, y, loss: worth(e(x, y))),
    ("value: expected a finite", lambda o, e, x, y, loss: worth(loss.value * torch.nan)),
    ("value: it carries no graph", lambda o, e, x, y, loss: worth(loss.value.detach())),
    ("no gradient to width;", lambda o, e, x, y, loss: worth(e.offset + y.sum())),
    ("global generator", lambda o, e, x, y, loss: worth(loss.value + torch.rand(()))),
    ("same generator", lambda o, e, x, y, loss: worth(loss.value + random.random())),
    ("input untouched", lambda o, e, x, y, loss: (y.add_(1.0), loss)[1]),
    ("state unmoved", lambda o, e, x, y, loss: (ticked(o), loss)[1]),
    ("state unmoved", lambda o, e, x, y, loss: (kept(o), loss)[1]),
    ("state unmoved", lambda o, e, x, y, loss: (e.calls.add_(1.0), loss)[1]),
    ("no gradient left", lambda o, e, x, y, loss: (e(x, y).sum().backward(), loss)[1]),
    ("batch order", lambda o, e, x, y, loss: worth(e(x, y)[0])),
    (
        "commit steps every Stepped once",
        lambda o, e, x, y, loss: loss._replace(commit=o.clock.step),
    ),
    ("state saved and restored", lambda o, e, x, y, loss: loss._replace(commit=lambda: kept(o))),
    (
        "gradient of the value",
        lambda o, e, x, y, loss: worth(loss.value + e(x, y).detach().mean()),
    ),
    ("dtype kept", lambda o, e, x, y, loss: loss._replace(value=loss.value.float())),
]


@pytest.mark.parametrize(("law", "change"), numbered(BROKEN_LOSSES))
def test_a_broken_loss_is_refused(law, change):
    with pytest.raises(AssertionError, match=law):
        check_objective(Pull(change), Bowl(), X2, Y2)


class NoMultiple(Pull):
    def __rmul__(self, weight):
        return self


class NoSum(Pull):
    def __add__(self, other):
        return self


class Rushing(Pull):
    """Steps in forward."""

    def forward(self, energy, x, y, rng):
        self.clock.step()
        return super().forward(energy, x, y, rng)


class Forgetting(Pull):
    """Its commit does nothing."""

    def __call__(self, energy, x, y, rng=None):
        return super().__call__(energy, x, y, rng)._replace(commit=lambda: None)


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("multiples and sums: 2", NoMultiple),
        ("multiples and sums: objective", NoSum),
        ("state unmoved", Rushing),
        ("expected 1, but .* stepped 0 times", Forgetting),
    ],
)
def test_a_broken_objective_is_refused(law, broken):
    with pytest.raises(AssertionError, match=law):
        check_objective(broken(), Bowl(), X2, Y2)


def test_a_sound_objective_passes_and_moves_nothing():
    objective, energy = Pull(), Bowl()
    check_objective(objective, energy, X2, Y2)
    assert objective.clock.time == 0
    assert torch.equal(energy.width, torch.ones(2))
    assert energy.width.grad is None
