"""Schedulers of torch.optim.lr_scheduler in `fit`: the loop that users write, step by step."""

import math

import pytest
import torch
from fit_support import Pull, Scripted, line, pairs, weights
from torch.optim import SGD
from torch.optim import lr_scheduler as schedulers

from ebmlab.errors import ConfigurationError
from ebmlab.training import Checkpoints, Stepping, falling_cosine, fit

MADE = {
    "StepLR": lambda o: schedulers.StepLR(o, 3, gamma=0.5),
    "OneCycleLR": lambda o: schedulers.OneCycleLR(o, max_lr=0.2, total_steps=12),
    "SequentialLR": lambda o: schedulers.SequentialLR(
        o, [schedulers.LinearLR(o, 0.1, total_iters=4), schedulers.ExponentialLR(o, 0.9)], [4]
    ),
}
made = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


def parts(make, objective=None):
    method = line(objective)
    optimizer = SGD(method.parameters(), lr=0.1, momentum=0.5)
    return method, optimizer, make(optimizer)


def trained(make, folder, runs=(12,), stepped=True):
    """Weights and step size after runs up to some steps, each of which goes on from the last."""
    method, optimizer, scheduler = parts(make)
    stepping = Stepping(schedule=scheduler if stepped else None)
    for steps in runs:
        how = {"stepping": stepping, "keep": Checkpoints(folder, resume=True), "batch_size": 64}
        fit(method, pairs(), steps=steps, optimizer=optimizer, **how)
    return weights(method), optimizer.param_groups[0]["lr"]


@made
def test_a_scheduler_is_stepped_once_after_each_step(make, tmp_path):
    method, optimizer, scheduler = parts(make)
    x, y = pairs()
    for _ in range(12):
        loss = method(x, y, torch.Generator())
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        scheduler.step()
    got, lr = trained(make, tmp_path / "a")
    assert lr == optimizer.param_groups[0]["lr"]
    for a, b in zip(got, weights(method), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
    still, _ = trained(make, tmp_path / "b", stepped=False)
    assert not torch.allclose(still[0], got[0], rtol=1e-3)


@made
def test_a_run_that_goes_on_goes_on_with_its_scheduler(make, tmp_path):
    whole, twice = trained(make, tmp_path / "a"), trained(make, tmp_path / "b", (5, 12))
    assert whole[1] == twice[1]
    for a, b in zip(whole[0], twice[0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_it_is_stepped_where_a_step_is_skipped_too():
    odd = Scripted(lambda step: math.nan if step in (2, 3) else 1.0)
    method, optimizer, scheduler = parts(MADE["OneCycleLR"], odd)
    run = fit(
        method, pairs(), steps=12, optimizer=optimizer, stepping=Stepping(schedule=scheduler)
    )
    assert run.skipped == 2
    assert scheduler.last_epoch == 12


def test_schedulers_of_another_optimizer_or_of_a_number_are_refused():
    method, optimizer, scheduler = parts(MADE["StepLR"])

    def started(schedule, given=None):
        return fit(method, pairs(), steps=1, optimizer=given, stepping=Stepping(schedule=schedule))

    with pytest.raises(ConfigurationError, match="StepLR of another optimizer: pass optimizer="):
        started(scheduler)
    other = SGD(method.parameters(), lr=0.1)
    with pytest.raises(ConfigurationError, match="of another optimizer"):
        started(scheduler, other)
    with pytest.raises(ConfigurationError, match="ReduceLROnPlateau, which waits for a number"):
        started(schedulers.ReduceLROnPlateau(optimizer), optimizer)
    with pytest.raises(ConfigurationError, match="schedule is of type float; expected a function"):
        started(0.5, optimizer)
    started(scheduler, optimizer)
    started(falling_cosine, optimizer)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda o: [o, o], "of type list; expected Optimizer: .* parameter groups"),
        (lambda o: "adam", "of type str"),
        (lambda o: list, "of type list"),
    ],
    ids=["two", "a name", "makes none"],
)
def test_what_is_no_optimizer_is_refused(given, told):
    method, optimizer, _ = parts(MADE["StepLR"], Pull())
    with pytest.raises(ConfigurationError, match=f"optimizer is {told}"):
        fit(method, pairs(), steps=1, optimizer=given(optimizer))
