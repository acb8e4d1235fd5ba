import math
from functools import partial

import pytest
import torch
from fit_support import line, pairs
from torch import Tensor, nn

from ebmlab.errors import ConfigurationError, GradientError, ShapeError
from ebmlab.protocols import Loss, Objective
from ebmlab.training import Recording, Stepping, fit, settle


def started(**how):
    return fit(line(), pairs(), **{"steps": 1, **how})


FITTED = {"steps": started, "batch_size": started, "lr": started}
FITTED |= {"patience": Stepping, "accumulate": Stepping, "every": Recording}


@pytest.mark.parametrize("name", ["steps", "batch_size", "patience", "accumulate", "every"])
def test_counts_below_one_are_refused(name):
    with pytest.raises(ConfigurationError, match=f"{name} is 0"):
        FITTED[name](**{name: 0})


@pytest.mark.parametrize("lr", [0.0, -1.0, math.nan])
def test_a_learning_rate_that_is_not_positive_is_refused(lr):
    with pytest.raises(ConfigurationError, match="lr is"):
        fit(line(), pairs(), steps=1, lr=lr)


def test_the_optimizer_of_another_method_is_refused():
    other = torch.optim.SGD(line().parameters(), lr=0.1)
    with pytest.raises(ConfigurationError, match="2 of which are not the method's"):
        fit(line(), pairs(), steps=1, optimizer=other)
    method = line()
    more = torch.optim.SGD([*method.parameters(), nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.raises(ConfigurationError, match="1 of which are not the method's"):
        fit(method, pairs(), steps=1, optimizer=more)


def test_losses_that_cannot_be_descended_are_refused():
    class Wrong(Objective):
        def __init__(self, change) -> None:
            super().__init__()
            self.change = change

        def forward(self, energy, x, y, rng) -> Loss:
            return Loss(self.change(energy(x, y)), {}, {"each": energy(x, y).detach()})

    def run(method):
        return fit(method, pairs(), steps=1)

    with pytest.raises(ShapeError, match=r"the loss has shape \(64,\)"):
        run(line(Wrong(lambda e: e)))
    with pytest.raises(GradientError, match="no gradient"):
        run(line(Wrong(lambda e: e.mean().detach())))
    with pytest.raises(ShapeError, match=r"each has shape \(64,\)"):
        run(line(Wrong(torch.mean)))
    with pytest.raises(
        ConfigurationError, match="what Bare returned is of type Tensor; expected Loss"
    ):
        run(Bare())


class Bare(nn.Module):
    def forward(self, x, y, rng) -> Tensor:
        return (x - y).square().mean()


@pytest.mark.parametrize("use", [partial(fit, steps=1), partial(settle, commits=1)])
def test_a_seed_is_no_generator_and_an_energy_no_method(use):
    with pytest.raises(ConfigurationError, match="rng is of type int; expected Generator"):
        use(line(), pairs(), rng=0)
    with pytest.raises(ConfigurationError, match=r"an energy, Line; expected Method\("):
        use(line().energy, pairs())
    use(line(), pairs(), rng=torch.Generator())


@pytest.mark.parametrize(("name", "value"), [("steps", 2.5), ("every", "2"), ("lr", "1e-3")])
def test_numbers_of_another_type_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=f"{name} is {value}"):
        FITTED[name](**{name: value})
