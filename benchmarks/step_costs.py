"""One training step of each joint-embedding method beside the same step with lightly's loss.

    PYTHONPATH=benchmarks python benchmarks/run.py --topic step_costs

A step encodes two views of 256 grey images of 28 × 28, takes the loss, goes backward, and moves
teachers, centers and queues; the optimizer is left out. Both sides have the same backbone, heads,
teachers and sizes. Memory is what the allocator of tensors has in use at its peak above what it
had before the step, read off its own records. On CPU, seconds are those of the processor, which
other work on the machine disturbs less than those of the clock. The encoders are most of a step,
and the same on both sides: in the note is what is left, on codes that are at hand, in the fastest
of the turns.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from invariance_methods import SETTINGS, encoder
from lightly_losses import available
from lightly_objectives import BORROWED, part
from measure import Row, compared, race, race_of_processor
from torch import Tensor, nn

from ebmlab import Method
from ebmlab._checks import leaves
from ebmlab.energies import JointEmbedding
from ebmlab.objectives import NTXent
from ebmlab.protocols import Stepped

__all__ = ["BATCH", "heads_of", "peak", "rows", "steps_of"]

TOPIC = "step_costs"
BATCH, SIDE, STEPS = 256, 28, 1000

Step = Callable[[], Tensor]


def rows(device: str, quick: bool) -> Iterator[Row]:
    """A row for each method; only those that lightly has."""
    if not available():
        return
    batch = 128 if quick else BATCH
    for name in BORROWED:
        yield from _measured(name, name, device, batch, quick)
    yield from _measured("simclr", "simclr, NTXent", device, batch, quick)


def _measured(name: str, case: str, device: str, batch: int, quick: bool) -> Iterator[Row]:
    contenders = steps_of(name, device, batch, matrix_free=case != name)
    memory = {who: peak(step, device) for who, step in contenders.items()}
    if device == "cpu":
        times = race_of_processor(contenders, 3 if quick else 15)
    else:
        times = race(contenders, device)
    heads = heads_of(name, device, batch, matrix_free=case != name)
    alone = race_of_processor(heads, 5 if quick else 30)
    mib = {who: used / 2**20 for who, used in memory.items()}
    ms = {who: 1e3 * min(spent.turns) for who, spent in alone.items()}
    for row in compared(TOPIC, f"{case}, {batch} × 2 views", "ebmlab", times):
        values = [float(times[who].result) for who in contenders]
        note = (
            f"{mib['ebmlab']:.1f} against {mib['lightly']:.1f} MiB "
            f"(ratio {mib['lightly'] / mib['ebmlab']:.3f}); "
            f"on codes {ms['ebmlab']:.1f} against {ms['lightly']:.1f} ms; "
            f"losses {values[0]:.5g}, {values[1]:.5g}"
        )
        yield replace(row, note=note)


def steps_of(name: str, device: str, batch: int, *, matrix_free: bool) -> dict[str, Step]:
    """The two steps, on copies of the same weights and the same views."""
    views = _views(batch, device)
    ours, theirs = (_built(name, device, matrix_free=free) for free in (matrix_free, False))
    return {"ebmlab": _ours(ours, views), "lightly": _theirs(name, theirs, views)}


def heads_of(name: str, device: str, batch: int, *, matrix_free: bool) -> dict[str, Step]:
    """Both losses and their gradients in codes that are at hand, no encoder in between."""
    views = _views(batch, device)
    ours, theirs = (_built(name, device, matrix_free=free) for free in (matrix_free, False))
    with torch.no_grad():
        codes, there = (method.energy.codes(views, views) for method in (ours, theirs))
    hx, hy = ([leaves(h)[0] for h in side] for side in (codes.x, codes.y))
    z = tuple(h.clone().requires_grad_() for h in hx)
    shared = all(x is y for x, y in zip(hx, hy, strict=True))
    t = z if shared else tuple(hy)
    # Encoders that give back what they get; one of them where one encoder has made all codes.
    energy = JointEmbedding(nn.Identity(), None if shared else nn.Identity(), codes.head)
    compare = BORROWED[name](theirs)
    moved = [part for part in there.head.modules() if isinstance(part, Stepped)]

    def own() -> Tensor:
        ours.zero_grad()
        loss = ours.objective(energy, z, t, None)
        loss.value.backward()
        loss.commit()
        return loss.value.detach()

    def borrowed() -> Tensor:
        theirs.zero_grad()
        value = compare((z[0], z[1]), (t[0], t[1])).squeeze()
        value.backward()
        for module in moved:
            module.step()
        return value.detach()

    return {"ebmlab": own, "lightly": borrowed}


def _views(batch: int, device: str) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(0)
    return tuple(torch.rand(2, batch, 1, SIDE, SIDE, generator=rng).to(device))


def _built(name: str, device: str, *, matrix_free: bool) -> Method:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = SETTINGS[name].recipe(encoder(), STEPS).to(device)
    if matrix_free:
        method.objective = NTXent(part(method, "objective.loss.temperature"))
    return method.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _ours(method: Method, views: Any) -> Step:
    rng = torch.Generator(views[0].device).manual_seed(0)

    def step() -> Tensor:
        method.zero_grad()
        loss = method(views, views, rng)
        loss.value.backward()
        loss.commit()
        return loss.value.detach()

    return step


def _theirs(name: str, method: Method, views: Any) -> Step:
    """lightly's own loop, as in its documentation: no part of ebmlab but the networks."""
    online, target = (method.get_submodule(f"energy.{side}") for side in ("online", "target"))
    compare = BORROWED[name](method)
    moved = [module for module in method.modules() if isinstance(module, Stepped)]

    def step() -> Tensor:
        method.zero_grad()
        z = online(views[0]), online(views[1])
        t = z if target is online else (target(views[0]), target(views[1]))
        value = compare(z, t).squeeze()
        value.backward()
        for module in moved:
            module.step()
        return value.detach()

    return step


def peak(step: Step, device: str) -> float:
    """Bytes of tensors that a step has in use at its peak, above those before it; warmed up."""
    step()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        step()
    assert profile.profiler is not None
    assert profile.profiler.kineto_results is not None
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    used = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        used += event.nbytes()  # pyright: ignore[reportAttributeAccessIssue]
        highest = max(highest, used)
    return float(max(highest, 1))
