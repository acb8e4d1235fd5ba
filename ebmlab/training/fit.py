"""`fit`: the plain training loop with a bar, metrics, and a guard against NaN."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from ebmlab._checks import require_counts, require_positive
from ebmlab._kinds import require_a
from ebmlab._progress import progress_bar
from ebmlab.errors import ConfigurationError
from ebmlab.training.batches import Data
from ebmlab.training.passes import Passes, passing
from ebmlab.training.record import recording
from ebmlab.training.schedule import Schedule, scheduled
from ebmlab.training.watch import Watch, watched
from ebmlab.types import Rng

__all__ = ["Fit", "fit"]


class Fit(NamedTuple):
    """What `fit` returns.

    Attributes:
        history: numbers at the recorded steps: "step", "value" (the loss), and each term and
            metric of the loss by its name; equally long lists.
        steps: the number of the last step that was tried.
        skipped: how many of them were not taken, as a gradient was NaN or infinite.
        optimizer: the optimizer with its state; None where nothing is trained by gradients.
        rng: the generator, as the run left it.
    """

    history: dict[str, list[float]]
    steps: int
    skipped: int
    optimizer: torch.optim.Optimizer | None
    rng: torch.Generator


def fit(
    method: nn.Module,
    data: Data,
    *,
    steps: int,
    rng: Rng = None,
    batch_size: int = 128,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float = 1e-3,
    schedule: Schedule | LRScheduler | None = None,
    out: str | Path | None = None,
    progress: bool = True,
    title: str = "training",
    patience: int = 10,
    every: int = 10,
    watch: Watch | None = None,
    start: int = 0,
    after: Callable[[int], bool] | None = None,
) -> Fit:
    """Train a method: loss, backward, optimizer step, commit; `steps` times.

    A step whose loss or gradients are NaN or infinite is not taken: neither the optimizer nor
    `commit` runs, and it is counted. The method is in training mode meanwhile; afterwards every
    module is back in the mode it had, and no gradients are left behind.

    Args:
        method: a `Method`, or a module around one: (x, y, rng) -> `Loss`.
        data: a tuple (x, y) of tensors (n, *event) or tuples of tensors, x possibly None, drawn
            in random batches without replacement in each epoch, where a last batch that is not
            full is dropped unless it is the only one; or a function (batch_size, rng) -> (x, y);
            or an iterable of (x, y), gone through again and again.
        steps: how many steps, >= 1; skipped ones count.
        rng: a generator on the method's device, for batches and for the method; None is a new
            one, seeded with 0.
        batch_size: rows in a batch; an iterable's batches stay as they are.
        optimizer: of the method's parameters; None is AdamW with `lr` and no weight decay over
            all that require a gradient, and nothing where there are none: closed-form steps live
            in `commit`.
        lr: the step size of that AdamW.
        schedule: factor of the optimizer's step sizes as a function of the share of the steps
            done, such as `falling_cosine`: they are put back at the end. Or a scheduler of
            `torch.optim.lr_scheduler` around `optimizer`, stepped once after each step, skipped
            ones too. None keeps them.
        out: a folder for `metrics.jsonl`, made anew, one line for each recorded step: step,
            seconds, value, terms, metrics, skipped; null where a number is not finite.
        progress: show a bar, on a terminal or in a notebook.
        title: what the bar says.
        patience: raise after that many skipped steps in a row.
        every: record every so many steps, and the last.
        watch: called at the recorded steps, after commit, with (method, batch, loss); the numbers
            it returns are recorded as metrics. `metrics.Collapse()` warns of collapse.
        start: steps done before, in a run that goes on: it begins at step `start` + 1, and the
            lines of `metrics.jsonl` up to `start` stay.
        after: called with the number of each step once all state is whole, such as to `save` it;
            True ends the run there.

    Raises:
        NonFiniteError: `patience` steps in a row had NaN or infinite gradients.
        ConfigurationError, ShapeError: an argument, a batch or a loss is not as it must be.
        DeviceError: rng is not on the method's device.
        GradientError: the loss carries no gradient, though there are parameters to train.

    Example:
        >>> from ebmlab.energies import JointEmbedding, SquaredDistance
        >>> from ebmlab.objectives import Regularized
        >>> from ebmlab.protocols import Method
        >>> energy = JointEmbedding(nn.Linear(1, 1), nn.Identity(), SquaredDistance())
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> method = Method(energy, Regularized())
        >>> run = fit(method, (x, 2 * x + 1), steps=300, lr=0.1, progress=False)
        >>> run.history["value"][-1] < 1e-4
        True
    """
    require_counts(steps=steps, batch_size=batch_size, patience=patience, every=every)
    if not 0 <= start <= steps:
        raise ConfigurationError(f"start is {start}; it must lie in 0 … steps, {steps}")
    optimizer = _optimizer(method, optimizer, lr)
    sized = scheduled(optimizer, schedule, steps)
    passes = Passes(method, data, batch_size, rng, optimizer, patience)
    shown = progress_bar(title, steps, progress, start=start)
    step, guard = start, passes.guard
    with (
        passing(method),
        recording(out, start) as record,
        sized as (resize, resized),
        shown as bar,
    ):
        for step in range(start + 1, steps + 1):
            resize(step)
            batch, loss = passes.step(step)
            resized()
            last = (after is not None and after(step)) or step == steps
            if last or step % every == 0:
                record.add(step, watched(watch, method, batch, loss), guard.skipped)
                value = record.history["value"][-1]
                bar.set_postfix(value=value, skipped=guard.skipped, refresh=False)
            bar.update()
            if last:
                break
    return Fit(record.history, step, guard.skipped, optimizer, passes.rng)


def _optimizer(
    method: nn.Module, optimizer: torch.optim.Optimizer | None, lr: float
) -> torch.optim.Optimizer | None:
    trainable = [p for p in method.parameters() if p.requires_grad]
    if optimizer is None:
        require_positive("lr", lr)
        return torch.optim.AdamW(trainable, lr=lr, weight_decay=0.0) if trainable else None
    mend = "torch.optim.SGD(method.parameters(), lr=…); parameter groups have step sizes each"
    require_a(torch.optim.Optimizer, "optimizer", optimizer, mend)
    own = {id(parameter) for parameter in method.parameters()}
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not held <= own or not any(id(parameter) in held for parameter in trainable):
        raise ConfigurationError(
            f"optimizer holds {len(held)} parameters, {len(held - own)} of which are not the "
            f"method's, and the method trains {len(trainable)}; build it from "
            "method.parameters(), after any move to a device"
        )
    return optimizer
