import math

import pytest
import torch
from fit_support import Pull, Scripted, line, pairs, weights
from torch import Tensor, nn

from ebmlab.energy import Energy
from ebmlab.errors import NonFiniteError
from ebmlab.protocols import Loss, Method, Stepped
from ebmlab.training import Recording, Stepping, fit


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("gradient_only", [False, True])
def test_a_step_on_bad_gradients_is_skipped_and_counted(bad, gradient_only):
    def run(script):
        method = line(Scripted(script, gradient_only))
        method.objective.clock = clock = Clock()
        fitted = fit(method, pairs(), steps=6, batch_size=64, record=Recording(every=1))
        return method, fitted, clock

    method, fitted, clock = run(lambda call: bad if call in (2, 4) else 1.0)
    assert (fitted.skipped, fitted.steps, clock.ticks) == (2, 6, 4)
    healthy, control, ticks = run(lambda call: 1.0)
    assert (control.skipped, ticks.ticks) == (0, 6)
    # Four taken steps are the first four of the healthy run: the batch is all of the data.
    values = [v for i, v in enumerate(fitted.history["value"]) if i not in (1, 3)]
    torch.testing.assert_close(values, control.history["value"][:4], rtol=1e-12, atol=0)
    assert all(p.isfinite().all() for p in method.parameters())
    assert not torch.equal(weights(method)[0], weights(healthy)[0])


class Clock(Stepped):
    def __init__(self) -> None:
        super().__init__()
        self.ticks = 0

    def step(self) -> None:
        self.ticks += 1


def test_patience_ends_with_the_parameter_and_the_step():
    class Root(Pull):
        def forward(self, energy, x, y, rng) -> Loss:
            loss = super().forward(energy, x, y, rng)
            # sqrt has an infinite slope at 0; the product with 0 is NaN.
            return loss._replace(value=loss.value + (0 * energy.net.bias).sqrt().sum())

    method = line(Root())
    before = weights(method)
    with pytest.raises(
        NonFiniteError, match=r"step 4: the gradient of energy\.net\.bias \(1,\)"
    ) as e:
        fit(method, pairs(), steps=50, stepping=Stepping(patience=4))
    assert "weight" not in str(e.value).split("look for")[0]
    assert all(map(torch.equal, weights(method), before))
    assert all(p.grad is None for p in method.parameters())
    assert method.training


def test_a_bad_loss_with_good_gradients_is_named_as_such():
    class Offset(Pull):
        def forward(self, energy, x, y, rng) -> Loss:
            loss = super().forward(energy, x, y, rng)
            return loss._replace(value=loss.value + math.inf)

    with pytest.raises(NonFiniteError, match="the loss, not its gradients"):
        fit(line(Offset()), pairs(), steps=50, stepping=Stepping(patience=3))


def test_only_steps_in_a_row_exhaust_patience():
    def script(call):
        return 1.0 if call % 3 == 0 else math.nan

    run = fit(line(Scripted(script)), pairs(), steps=30, stepping=Stepping(patience=3))
    assert run.skipped == 20
    with pytest.raises(NonFiniteError):
        fit(line(Scripted(script)), pairs(), steps=30, stepping=Stepping(patience=2))


def test_large_finite_gradients_are_not_mistaken_for_infinite_ones():
    method = line(Scripted(lambda call: 1e30), dtype=torch.float32)
    sgd = torch.optim.SGD(method.parameters(), lr=1e-31)
    data = pairs(dtype=torch.float32)
    run = fit(method, data, steps=3, optimizer=sgd)
    assert run.skipped == 0
    # The Euclidean norm of the same gradients does overflow.
    assert torch.tensor([1e30]).square().isinf().all()


@pytest.mark.parametrize(("factor", "skipped"), [(1.0, 0), (math.nan, 2)])
def test_sparse_and_empty_gradients_are_watched(factor, skipped):
    class Table(Energy):
        x_ndim = 0

        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 1, sparse=True)
            self.nothing = nn.Parameter(torch.zeros(0))

        def forward(self, x, y, z=None) -> Tensor:
            return (self.table(x) - y).square().sum(-1) + self.nothing.sum()

    method = Method(Table(), Scripted(lambda call: factor))
    sgd = torch.optim.SGD(method.parameters(), lr=0.1)
    data = (torch.arange(5), torch.zeros(5, 1))
    run = fit(method, data, steps=2, optimizer=sgd)
    assert run.skipped == skipped
