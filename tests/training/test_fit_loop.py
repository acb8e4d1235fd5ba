import math
from itertools import pairwise

import pytest
import torch
from fit_support import Line, Pull, line, pairs, weights
from torch import Tensor, nn

from ebmlab.energy import Energy
from ebmlab.errors import DeviceError
from ebmlab.protocols import Loss, Method, Objective, Stepped
from ebmlab.training import Recording, Stepping, falling_cosine, fit


def test_it_is_the_loop_that_users_write_bit_for_bit():
    def draw(size, rng):
        x = torch.randn(size, 1, generator=rng, dtype=torch.float64)
        return x, x.sin()

    fitted, plain = line(Pull(0.1)), line(Pull(0.1))
    run = fit(fitted, draw, steps=25, batch_size=8, lr=0.02, record=Recording(every=1))
    rng = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=0.02, weight_decay=0.0)
    values = []
    for _ in range(25):
        loss = plain(*draw(8, rng), rng)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
        values.append(float(loss.value.detach()))
    assert run.history["value"] == values
    assert all(map(torch.equal, weights(fitted), weights(plain)))
    assert torch.equal(run.rng.get_state(), rng.get_state())
    assert fitted.objective.commits == 25


def test_it_finds_the_least_squares_solution():
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(50, 3, generator=rng, dtype=torch.float64)
    y = torch.randn(50, 2, generator=rng, dtype=torch.float64)
    method = Method(Line(nn.Linear(3, 2, bias=False, dtype=torch.float64)), Pull())
    sgd = torch.optim.SGD(method.parameters(), lr=0.2)
    fit(method, (x, y), steps=400, batch_size=50, optimizer=sgd)
    exact = torch.linalg.lstsq(x, y).solution
    torch.testing.assert_close(method.energy.net.weight.T, exact, rtol=0, atol=1e-10)


def test_commit_follows_the_optimizer_step():
    class Watch(Stepped):
        def __init__(self, watched) -> None:
            super().__init__()
            self.watched, self.seen = (watched,), [watched.detach().clone()]

        def step(self) -> None:
            self.seen.append(self.watched[0].detach().clone())

    method = line()
    method.energy.watch = Watch(method.energy.net.weight)
    fit(method, pairs(), steps=5)
    seen = method.energy.watch.seen
    assert len(seen) == 6
    assert all(not torch.equal(a, b) for a, b in pairwise(seen))
    assert torch.equal(seen[-1], method.energy.net.weight)


def test_a_closed_form_step_needs_no_optimizer():
    class Mean(Energy):
        takes_x = False

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("center", torch.zeros(2))

        def forward(self, x, y, z=None) -> Tensor:
            return (y - self.center).square().sum(-1)

        def update(self, x, y) -> None:
            self.center.copy_(y.mean(0))

    class Plain(Objective):
        def forward(self, energy, x, y, rng) -> Loss:
            return Loss(energy(x, y).mean(), {}, {})

    y = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)) + 3
    method = Method(Mean(), Plain())
    run = fit(method, (None, y), steps=2, batch_size=40, record=Recording(every=1))
    assert run.optimizer is None
    torch.testing.assert_close(method.energy.center, y.mean(0))
    assert run.history["value"][1] < run.history["value"][0]


def test_the_default_optimizer_leaves_frozen_parameters_out():
    method = line()
    method.energy.net.bias.requires_grad_(False)
    before = method.energy.net.bias.clone()
    run = fit(method, pairs(), steps=3)
    (group,) = run.optimizer.param_groups
    assert [id(p) for p in group["params"]] == [id(method.energy.net.weight)]
    assert (group["weight_decay"], group["lr"], type(run.optimizer)) == (
        0,
        1e-3,
        torch.optim.AdamW,
    )
    assert torch.equal(method.energy.net.bias, before)


def test_modes_come_back_and_no_gradients_stay():
    class Modes(Pull):
        def forward(self, energy, x, y, rng) -> Loss:
            self.during = [m.training for m in energy.modules()]
            return super().forward(energy, x, y, rng)

    method = Method(Line(nn.Sequential(nn.Linear(1, 4), nn.Dropout(), nn.Linear(4, 1))), Modes())
    method.energy.net[1].eval()
    method.energy.net[0].weight.grad = torch.full((4, 1), math.nan)
    modes = [module.training for module in method.modules()]
    run = fit(method, pairs(dtype=torch.float32), steps=2)
    assert [module.training for module in method.modules()] == modes
    assert False in modes
    assert all(method.objective.during)
    assert run.skipped == 0
    assert all(p.grad is None for p in method.parameters())


def test_the_global_generator_is_not_touched():
    method = line(Pull(0.1))
    before = torch.get_rng_state()
    fit(method, pairs(), steps=5, batch_size=8)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_generator_gives_the_same_run_and_another_does_not():
    def run(seed):
        method, rng = line(Pull(0.1)), torch.Generator().manual_seed(seed)
        return fit(method, pairs(), steps=9, batch_size=8, rng=rng, record=Recording(every=1))

    assert run(3).history == run(3).history
    assert run(3).history != run(4).history


def test_a_generator_elsewhere_is_refused():
    with pytest.raises(DeviceError, match="rng is on cpu, the tensors on meta"):
        fit(line().to("meta"), pairs(), steps=1, rng=torch.Generator())


def test_a_schedule_sets_the_step_sizes_and_puts_them_back():
    seen = []

    class Watching(torch.optim.SGD):
        def step(self, closure=None):
            seen.append(self.param_groups[0]["lr"])
            return super().step(closure)

    method, (x, y) = line(), pairs()
    optimizer = Watching(method.parameters(), lr=0.2)
    fit(method, (x, y), steps=4, optimizer=optimizer, stepping=Stepping(schedule=falling_cosine))
    assert seen == pytest.approx([0.2 * 0.5 * (1 + math.cos(math.pi * t / 4)) for t in range(4)])
    assert optimizer.param_groups[0]["lr"] == 0.2
