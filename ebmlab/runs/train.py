"""Start a run or go on with it: `fit` with a folder of its own."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError, FileError
from ebmlab.runs.build import Batches, build
from ebmlab.runs.config import CONFIG, Config, read_config, require_same, write_config
from ebmlab.runs.follow import Follow, frames_of
from ebmlab.runs.interrupt import noticed
from ebmlab.runs.kind import Built
from ebmlab.runs.kinds import kind_of
from ebmlab.training import falling_cosine, fit, load, save, settle
from ebmlab.training.fit import Fit
from ebmlab.training.record import RECORD

__all__ = ["CHECKPOINT", "Trained", "train"]

CHECKPOINT = "checkpoint.safetensors"
# Steps from one checkpoint to the next, where epochs are longer.
KEEP = 1000


class Trained(NamedTuple):
    """What `train` returns.

    Attributes:
        built: the trained parts.
        fit: what `fit` returned; None where nothing was left to do.
        complete: whether all steps were done, and no Ctrl-C came before.
    """

    built: Built
    fit: Fit | None
    complete: bool


def train(config: Config, out: Path, *, resume: bool = False, every: int | None = None) -> Trained:
    """Train and leave config.json, metrics.jsonl and checkpoint.safetensors in a folder.

    The checkpoint is written at the end of each epoch (and every 1,000 steps), and when Ctrl-C
    is pressed, after the step under way. A run that goes on from it ends as if it had not
    stopped, to the last bit on the same machine, unless the number of epochs, which the step
    sizes follow, has changed.

    Args:
        config: what to train.
        out: the folder, made where it is missing.
        resume: go on with the run in that folder.
        every: steps from one record to the next; None: as often as the kind of run asks for.

    Raises:
        ConfigurationError: the folder holds a run and `resume` is not set, or another run than
            is asked for; or something does not fit.
        FileError: the folder cannot be written, there is no run to go on with, or its checkpoint
            is damaged.
        DataError: the data are missing.
    """
    built, kind = build(config), kind_of(config.method)
    method, epoch = built.method, built.order.epoch
    steps, every = config.epochs * epoch, every or kind.every(built)
    rng = torch.Generator(built.device).manual_seed(config.seed)
    optimizer = _optimizer(built, config)
    start, frames = 0, {}
    if resume:
        start, frames = _resumed(out, config, built, optimizer, rng)
    else:
        _begun(out, config)
    if start >= steps:
        return Trained(built, None, complete=True)
    follow = Follow(kind, built, frames, steps=steps, every=every)
    with noticed() as pressed:
        if start == 0:
            follow.at(0)
        if kind.settles(built) and start == 0:
            settle(method, Batches(built), commits=epoch, rng=rng, batch_size=config.batch_size)

        def after(step: int) -> bool:
            stop = pressed()
            follow.at(step, last=stop)
            if stop or step == steps or step % min(epoch, KEEP) == 0:
                more = follow.extra()
                save(out / CHECKPOINT, method, optimizer, rngs={"rng": rng}, step=step, extra=more)
            return stop

        result = fit(
            method,
            Batches(built, start),
            steps=steps,
            rng=rng,
            batch_size=config.batch_size,
            optimizer=optimizer,
            schedule=falling_cosine if config.decay else None,
            out=out,
            title=f"{config.method} on {config.data}",
            every=every,
            watch=follow,
            start=start,
            after=after,
        )
    return Trained(built, result, complete=result.steps == steps)


def _optimizer(built: Built, config: Config) -> torch.optim.Optimizer | None:
    trained = [p for p in built.method.parameters() if p.requires_grad]
    return torch.optim.AdamW(trained, lr=config.lr, weight_decay=0.0) if trained else None


def _begun(out: Path, config: Config) -> None:
    # A run that failed at its first step left nothing that could be lost.
    left = [path for path in (out / CHECKPOINT, out / RECORD) if path.exists()]
    if (out / CONFIG).exists() and any(path.stat().st_size for path in left):
        raise ConfigurationError(
            f"{out} holds a run already; go on with it by --resume, or choose another --out"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_config(out, config)
    except OSError as error:
        raise FileError(f"{out} cannot hold a run ({error.strerror}); choose another") from error


def _resumed(
    out: Path,
    config: Config,
    built: Built,
    optimizer: torch.optim.Optimizer | None,
    rng: torch.Generator,
) -> tuple[int, dict[int, Tensor]]:
    """Restore what the folder holds; its steps done, and the frames of its film."""
    require_same(out, read_config(out), config)
    start, frames = 0, {}
    if (out / CHECKPOINT).exists():
        restored = load(out / CHECKPOINT, built.method, optimizer, rngs={"rng": rng})
        start, frames = restored.step, frames_of(restored)
    for group in optimizer.param_groups if optimizer is not None else ():
        # What was saved is the step size of that moment, which the schedule had lowered.
        group["lr"] = config.lr
    write_config(out, config)
    return start, frames
