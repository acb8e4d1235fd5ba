import json
import math
import signal
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from ebmlab.energy import Energy
from ebmlab.errors import (
    ConfigurationError,
    DeviceError,
    GradientError,
    NonFiniteError,
    ShapeError,
)
from ebmlab.protocols import Loss, Method, Objective, Stepped
from ebmlab.training import cosine, fit
from ebmlab.training.batches import batches


class Line(Energy):
    """‖f(x) - y‖²; without x, ‖f(1) - y‖²."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x, y, z=None) -> Tensor:
        x = torch.ones_like(y[..., :1]) if x is None else x
        return (self.net(x) - y).square().sum(-1)


class Pull(Objective):
    """The energy at a noisy y, with a count of commits."""

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__()
        self.noise = noise
        self.register_buffer("commits", torch.zeros((), dtype=torch.long))

    def forward(self, energy, x, y, rng) -> Loss:
        noise = torch.randn(y.shape, generator=rng, dtype=y.dtype)
        value = energy(x, y + self.noise * noise).mean()
        rows = torch.tensor(float(len(y)))
        return Loss(value, {"pull": value.detach()}, {"rows": rows}, lambda: self.commits.add_(1))


class Scripted(Objective):
    """Multiplies the loss, or its gradient, by a number that depends on the step."""

    def __init__(self, factor, gradient_only: bool = False) -> None:
        super().__init__()
        self.factor, self.gradient_only, self.calls = factor, gradient_only, 0

    def forward(self, energy, x, y, rng) -> Loss:
        self.calls += 1
        value = energy(x, y).mean()
        factor = self.factor(self.calls)
        if self.gradient_only:
            value.register_hook(lambda grad: grad * factor)
        else:
            value = value * factor
        return Loss(value, {"energy": value.detach()}, {"energy": value.detach(), "two": value})


def line(objective=None, *, dtype=torch.float64, seed=0) -> Method:
    torch.manual_seed(seed)
    return Method(Line(nn.Linear(1, 1, dtype=dtype)), objective or Pull())


def pairs(n=64, dtype=torch.float64):
    x = torch.linspace(-1, 1, n, dtype=dtype)[:, None]
    return x, 2 * x + 1


def weights(method) -> list[Tensor]:
    return [p.detach().clone() for p in method.parameters()]


# ---- the loop


def test_it_is_the_loop_that_users_write_bit_for_bit():
    def draw(size, rng):
        x = torch.randn(size, 1, generator=rng, dtype=torch.float64)
        return x, x.sin()

    fitted, plain = line(Pull(0.1)), line(Pull(0.1))
    run = fit(fitted, draw, steps=25, batch_size=8, lr=0.02, every=1, progress=False)
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
    fit(method, (x, y), steps=400, batch_size=50, optimizer=sgd, progress=False)
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
    fit(method, pairs(), steps=5, progress=False)
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
    run = fit(method, (None, y), steps=2, batch_size=40, every=1, progress=False)
    assert run.optimizer is None
    torch.testing.assert_close(method.energy.center, y.mean(0))
    assert run.history["value"][1] < run.history["value"][0]


def test_the_default_optimizer_leaves_frozen_parameters_out():
    method = line()
    method.energy.net.bias.requires_grad_(False)
    before = method.energy.net.bias.clone()
    run = fit(method, pairs(), steps=3, progress=False)
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
    run = fit(method, pairs(dtype=torch.float32), steps=2, progress=False)
    assert [module.training for module in method.modules()] == modes
    assert False in modes
    assert all(method.objective.during)
    assert run.skipped == 0
    assert all(p.grad is None for p in method.parameters())


def test_the_global_generator_is_not_touched():
    method = line(Pull(0.1))
    before = torch.get_rng_state()
    fit(method, pairs(), steps=5, batch_size=8, progress=False)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_generator_gives_the_same_run_and_another_does_not():
    def run(seed):
        method, rng = line(Pull(0.1)), torch.Generator().manual_seed(seed)
        return fit(method, pairs(), steps=9, batch_size=8, rng=rng, every=1, progress=False)

    assert run(3).history == run(3).history
    assert run(3).history != run(4).history


def test_a_generator_elsewhere_is_refused():
    with pytest.raises(DeviceError, match="rng is on cpu, the tensors on meta"):
        fit(line().to("meta"), pairs(), steps=1, rng=torch.Generator(), progress=False)


# ---- batches


def test_an_epoch_visits_every_row_once_and_the_next_in_another_order():
    rng = torch.Generator().manual_seed(0)
    source = batches((None, torch.arange(24)), 4, rng)
    epochs = [torch.cat([next(source)[1] for _ in range(6)]) for _ in range(2)]
    for epoch in epochs:
        assert torch.equal(epoch.sort().values, torch.arange(24))
    assert not torch.equal(*epochs)


@pytest.mark.parametrize(("n", "size", "due"), [(10, 4, [4, 4]), (3, 4, [3]), (4, 4, [4])])
def test_a_short_batch_is_dropped_unless_it_is_the_only_one(n, size, due):
    source = batches((None, torch.arange(n)), size, torch.Generator())
    for _ in range(3):
        epoch = [next(source)[1] for _ in due]
        assert [len(batch) for batch in epoch] == due
        assert len(torch.cat(epoch).unique()) == sum(due)


def test_rows_of_all_views_stay_together():
    rows = torch.arange(12)
    x, y = next(batches(((rows, rows[:, None] * 2.0), [rows * 3]), 5, torch.Generator()))
    assert torch.equal(x[1][:, 0], x[0] * 2.0)
    assert isinstance(y, tuple)
    assert torch.equal(y[0], x[0] * 3)


def test_an_iterable_is_gone_through_again_and_again():
    given = [(None, torch.tensor([float(i)])) for i in range(3)]
    source = batches(given, 99, torch.Generator())
    assert [float(next(source)[1]) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_data_loaders_and_their_lists_are_taken():
    views = torch.arange(6.0)
    loader = torch.utils.data.DataLoader([((v, v), v) for v in views], batch_size=3)
    x, y = next(batches(loader, 99, torch.Generator()))
    assert isinstance(x, tuple)
    assert torch.equal(x[0], y)


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        ((torch.zeros(3, 1), torch.zeros(4, 1)), ShapeError, r"x \(3, 1\), y \(4, 1\)"),
        ((torch.zeros(0, 1), torch.zeros(0, 1)), ShapeError, "at least 1"),
        ((None, torch.tensor(1.0)), ShapeError, r"y \(\)"),
        ((torch.zeros(3, 1),), ConfigurationError, "tuple of 1"),
        ((torch.zeros(3, 1), None), ConfigurationError, "y holds a NoneType"),
        (([1.0], torch.zeros(1, 1)), ConfigurationError, "x holds a float"),
        (torch.zeros(3, 1), ConfigurationError, "a batch is a Tensor"),
        ([], ConfigurationError, "data is empty"),
        (iter([pairs(4)]), ConfigurationError, "ended after 1 batches"),
        (3, ConfigurationError, "data is a int"),
        (lambda size, rng: torch.zeros(size), ConfigurationError, "a batch is a Tensor"),
    ],
)
def test_data_of_another_form_is_refused(data, error, match):
    with pytest.raises(error, match=match):
        fit(line(), data, steps=2, progress=False)


# ---- arguments


@pytest.mark.parametrize("name", ["steps", "batch_size", "patience", "every"])
def test_counts_below_one_are_refused(name):
    with pytest.raises(ConfigurationError, match=f"{name} is 0"):
        fit(line(), pairs(), **{"steps": 1, "progress": False, name: 0})


@pytest.mark.parametrize("lr", [0.0, -1.0, math.nan])
def test_a_learning_rate_that_is_not_positive_is_refused(lr):
    with pytest.raises(ConfigurationError, match="lr is"):
        fit(line(), pairs(), steps=1, lr=lr, progress=False)


def test_the_optimizer_of_another_method_is_refused():
    other = torch.optim.SGD(line().parameters(), lr=0.1)
    with pytest.raises(ConfigurationError, match="2 of which are not the method's"):
        fit(line(), pairs(), steps=1, optimizer=other, progress=False)
    method = line()
    more = torch.optim.SGD([*method.parameters(), nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.raises(ConfigurationError, match="1 of which are not the method's"):
        fit(method, pairs(), steps=1, optimizer=more, progress=False)


def test_losses_that_cannot_be_descended_are_refused():
    class Wrong(Objective):
        def __init__(self, change) -> None:
            super().__init__()
            self.change = change

        def forward(self, energy, x, y, rng) -> Loss:
            return Loss(self.change(energy(x, y)), {}, {"each": energy(x, y).detach()})

    def run(method):
        return fit(method, pairs(), steps=1, progress=False)

    with pytest.raises(ShapeError, match=r"the loss has shape \(64,\)"):
        run(line(Wrong(lambda e: e)))
    with pytest.raises(GradientError, match="no gradient"):
        run(line(Wrong(lambda e: e.mean().detach())))
    with pytest.raises(ShapeError, match=r"each has shape \(64,\)"):
        run(line(Wrong(torch.mean)))
    with pytest.raises(ConfigurationError, match="Bare returned a Tensor; fit needs a Loss"):
        run(Bare())


class Bare(nn.Module):
    def forward(self, x, y, rng) -> Tensor:
        return (x - y).square().mean()


# ---- the guard


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("gradient_only", [False, True])
def test_a_step_on_bad_gradients_is_skipped_and_counted(bad, gradient_only):
    def run(script):
        method = line(Scripted(script, gradient_only))
        method.objective.clock = clock = Clock()
        fitted = fit(method, pairs(), steps=6, batch_size=64, every=1, progress=False)
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
        fit(method, pairs(), steps=50, patience=4, progress=False)
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
        fit(line(Offset()), pairs(), steps=50, patience=3, progress=False)


def test_only_steps_in_a_row_exhaust_patience():
    def script(call):
        return 1.0 if call % 3 == 0 else math.nan

    run = fit(line(Scripted(script)), pairs(), steps=30, patience=3, progress=False)
    assert run.skipped == 20
    with pytest.raises(NonFiniteError):
        fit(line(Scripted(script)), pairs(), steps=30, patience=2, progress=False)


def test_large_finite_gradients_are_not_mistaken_for_infinite_ones():
    method = line(Scripted(lambda call: 1e30), dtype=torch.float32)
    sgd = torch.optim.SGD(method.parameters(), lr=1e-31)
    data = pairs(dtype=torch.float32)
    run = fit(method, data, steps=3, optimizer=sgd, progress=False)
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
    run = fit(method, data, steps=2, optimizer=sgd, progress=False)
    assert run.skipped == skipped


# ---- records


def test_history_holds_every_recorded_step_and_the_last():
    run = fit(line(), pairs(), steps=7, every=3, batch_size=16, progress=False)
    assert run.history["step"] == [3, 6, 7]
    assert set(run.history) == {"step", "value", "pull", "rows"}
    assert run.history["value"] == run.history["pull"]
    assert run.history["rows"] == [16.0] * 3


def test_metrics_that_share_a_name_and_come_and_go_keep_their_columns():
    class Some(Pull):
        def forward(self, energy, x, y, rng) -> Loss:
            self.calls = getattr(self, "calls", 0) + 1
            loss = super().forward(energy, x, y, rng)
            late = {"late": torch.tensor(1.0)} if self.calls == 2 else {}
            return loss._replace(metrics={"pull": torch.tensor(5.0), **late})

    history = fit(line(Some()), pairs(), steps=3, every=1, progress=False).history
    assert history["metrics.pull"] == [5.0] * 3
    assert history["pull"] == history["value"]
    assert [math.isnan(late) for late in history["late"]] == [True, False, True]


def strict(path) -> list[dict]:
    def refuse(word):
        raise ValueError(word)

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_metrics_are_lines_of_strict_json(tmp_path):
    out = tmp_path / "new" / "run"
    method = line(Scripted(lambda call: math.nan if call == 2 else 1.0))
    run = fit(method, pairs(), steps=4, every=1, out=out, progress=False)
    lines = strict(out / "metrics.jsonl")
    assert [row["step"] for row in lines] == [1, 2, 3, 4]
    assert [row["skipped"] for row in lines] == [0, 1, 1, 1]
    assert set(lines[0]) == {"step", "seconds", "value", "terms", "metrics", "skipped"}
    assert lines[1]["value"] is None
    assert math.isnan(run.history["value"][1])
    assert lines[3]["terms"] == {"energy": run.history["energy"][3]}
    assert lines[3]["metrics"]["two"] == run.history["value"][3]
    assert 0 <= lines[0]["seconds"] <= lines[3]["seconds"]


def test_an_interrupt_propagates_and_leaves_whole_lines(tmp_path):
    method, calls = line(), []
    method.eval()

    def draw(size, rng):
        calls.append(size)
        if len(calls) == 8:
            signal.raise_signal(signal.SIGINT)
        return pairs(size)

    with pytest.raises(KeyboardInterrupt):
        fit(method, draw, steps=100, every=3, out=tmp_path, progress=False)
    assert [row["step"] for row in strict(tmp_path / "metrics.jsonl")] == [3, 6]
    assert not method.training


def test_each_line_is_on_disk_before_the_next_step(tmp_path):
    seen = []

    def draw(size, rng):
        file = tmp_path / "metrics.jsonl"
        seen.append(file.read_text().count("\n"))
        return pairs(size)

    fit(line(), draw, steps=4, every=1, out=tmp_path, progress=False)
    assert seen == [0, 1, 2, 3]


def test_the_bar_shows_and_stays_silent(capfd):
    fit(line(), pairs(), steps=3, progress=False)
    assert capfd.readouterr() == ("", "")
    fit(line(), pairs(), steps=3, every=1)
    shown = capfd.readouterr()
    assert "training" in shown.err
    assert "skipped=0" in shown.err
    assert shown.out == ""


def test_a_schedule_sets_the_step_sizes_and_puts_them_back():
    seen = []

    class Watching(torch.optim.SGD):
        def step(self, closure=None):
            seen.append(self.param_groups[0]["lr"])
            return super().step(closure)

    method, (x, y) = line(), pairs()
    optimizer = Watching(method.parameters(), lr=0.2)
    fit(method, (x, y), steps=4, optimizer=optimizer, schedule=cosine, progress=False)
    assert seen == pytest.approx([0.2 * 0.5 * (1 + math.cos(math.pi * t / 4)) for t in range(4)])
    assert optimizer.param_groups[0]["lr"] == 0.2
