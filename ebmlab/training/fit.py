"""`fit`: the plain training loop with a bar, metrics, checkpoints, and a guard against NaN."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from ebmlab._checks import require_counts, require_positive
from ebmlab._kinds import require_a
from ebmlab._progress import progress_bar
from ebmlab._ranks import decided, rank_number
from ebmlab.errors import ConfigurationError
from ebmlab.training.batches import Data
from ebmlab.training.checkpoints import Checkpoints
from ebmlab.training.course import Course
from ebmlab.training.kept import Kept
from ebmlab.training.passes import Passes, generator_for, passing
from ebmlab.training.ranks import join, require_alike, spread, whole
from ebmlab.training.record import over_ranks, recording
from ebmlab.training.recording import Recording
from ebmlab.training.scale import Scale, fitted
from ebmlab.training.schedule import scheduled
from ebmlab.training.stepping import Stepping
from ebmlab.training.watch import watched
from ebmlab.types import Rng

__all__ = ["Fit", "Optimizing", "fit"]

Optimizing = torch.optim.Optimizer | Callable[[list[nn.Parameter]], torch.optim.Optimizer]


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
    batch_size: int = 128,
    rng: Rng = None,
    optimizer: Optimizing | None = None,
    lr: float = 1e-3,
    stepping: Stepping | None = None,
    scale: Scale | None = None,
    record: Recording | None = None,
    keep: Checkpoints | None = None,
) -> Fit:
    """Train a method: loss, backward, optimizer step, commit; `steps` times.

    A step whose loss or gradients are NaN or infinite is not taken: neither the optimizer nor
    `commit` runs, and it is counted. The method is in training mode meanwhile; afterwards every
    module is back in the mode it had, and no gradients are left behind.

    Ranks that `torchrun` started train together what one process would with the same batches:
    gradients are averaged, rows of tensors are shared out, rank 0 writes and shows.

    Args:
        method: a `Method`, or a module around one: (x, y, rng) -> `Loss`.
        data: a tuple (x, y) of tensors (n, *event) or tuples of tensors, x possibly None, drawn
            in random batches without replacement in each epoch, where a last batch that is not
            full is dropped unless it is the only one; or a function (batch_size, rng) -> (x, y),
            which each rank calls for rows of its own; or an iterable of (x, y), gone through
            again and again, on each rank its own.
        steps: how many steps in all, >= 1; skipped ones count.
        batch_size: rows in a batch of all ranks; an iterable's batches stay as they are.
        rng: a generator on the method's device, for batches and for the method, seeded alike on
            all ranks; None is a new one, seeded with 0.
        optimizer: of the method's parameters, or a function of these that makes one; None is
            AdamW with `lr` and no weight decay over all that require a gradient, and nothing
            where there are none: closed-form steps live in `commit`.
        lr: the step size of that AdamW.
        stepping: how a step is taken: schedule, warm-up, clipping, accumulation, precision.
        scale: how a large method fits into memory: sharded over ranks, computed again.
        record: what is recorded, watched and shown.
        keep: where checkpoints go, and whether the run goes on from there, as if it had never
            stopped; an iterable is then gone through from its beginning up to that place.

    Raises:
        NonFiniteError: `stepping.patience` steps in a row had NaN or infinite gradients.
        ConfigurationError, ShapeError: an argument, a batch or a loss is not as it must be.
        DeviceError: rng is not on the method's device.
        GradientError: the loss carries no gradient, though there are parameters to train.
        FileError: what is to be gone on with is damaged or another run's, or nothing can be
            written.

    Example:
        >>> from ebmlab.energies import JointEmbedding, SquaredDistance
        >>> from ebmlab.objectives import Regularized
        >>> from ebmlab.protocols import Method
        >>> energy = JointEmbedding(nn.Linear(1, 1), nn.Identity(), SquaredDistance())
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> method = Method(energy, Regularized())
        >>> run = fit(method, (x, 2 * x + 1), steps=300, lr=0.1)
        >>> run.history["value"][-1] < 1e-4
        True
    """
    require_counts(steps=steps, batch_size=batch_size)
    stepping, scale, record = stepping or Stepping(), scale or Scale(), record or Recording()
    join()
    rng = generator_for(method, rng)
    require_alike(rng)
    fitted(method, scale)
    spread(method, scale)
    optimizer = _optimizer(method, optimizer, lr)
    averages = not scale.shard
    passes = Passes(method, data, batch_size, rng, optimizer, stepping, averages=averages)
    kept = Kept(method, optimizer, rng, keep, _course(passes, stepping, record))
    start = kept.resumed(scheduled=isinstance(stepping.schedule, LRScheduler))
    first = rank_number() == 0
    shown = progress_bar(record.title, steps, record.progress and first, start=start)
    step, guard = start, passes.guard

    def due(step: int) -> bool:
        return step % record.every == 0 or step >= steps

    with (
        passing(method),
        keep.locked() if keep is not None and first else nullcontext(),
        recording(
            record.out if first else None, start, record.loggers if first else (), due
        ) as seen,
        scheduled(optimizer, stepping.schedule, steps, stepping.warmup) as (resize, resized),
        shown as bar,
    ):
        for step in range(start + 1, steps + 1):
            resize(step)
            batch, loss = passes.step(step)
            resized()
            last = _ended(record, step) or step == steps
            if last or due(step):
                with whole(method):
                    loss = watched(record.watch, method, batch, loss)
                seen.add(step, over_ranks(loss), guard.skipped)
                value = seen.history["value"][-1]
                bar.set_postfix(value=value, skipped=guard.skipped, refresh=False)
            kept.at(step, last=last)
            bar.update()
            if last:
                break
    return Fit(seen.history, step, guard.skipped, optimizer, rng)


def _ended(record: Recording, step: int) -> bool:
    """Whether the run ends here, on all ranks if on one."""
    return record.after is not None and not decided(not record.after(step))


def _course(passes: Passes, stepping: Stepping, record: Recording) -> Course:
    schedule = stepping.schedule if isinstance(stepping.schedule, LRScheduler) else None
    parts = {"guard": passes.guard, "data": passes.source, "schedule": schedule}
    loggers = {f"logger {i}": logger for i, logger in enumerate(record.loggers)}
    return Course({**parts, "watch": record.watch, **loggers})


def _optimizer(
    method: nn.Module, optimizer: Optimizing | None, lr: float
) -> torch.optim.Optimizer | None:
    trainable = [p for p in method.parameters() if p.requires_grad]
    if optimizer is None:
        require_positive("lr", lr)
        return torch.optim.AdamW(trainable, lr=lr, weight_decay=0.0) if trainable else None
    if callable(optimizer) and not isinstance(optimizer, torch.optim.Optimizer):
        optimizer = optimizer(trainable)
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
