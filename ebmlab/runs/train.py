"""Start a run or go on with it: `fit` with a folder of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from ebmlab._ranks import rank_number
from ebmlab.errors import ConfigurationError
from ebmlab.runs.batches import Batches
from ebmlab.runs.build import build
from ebmlab.runs.config import CONFIG, Config, read_config, require_same, write_config
from ebmlab.runs.follow import Follow
from ebmlab.runs.interrupt import noticed
from ebmlab.runs.kind import Built
from ebmlab.runs.kinds import kind_of
from ebmlab.runs.optimizers import optimizing
from ebmlab.training import (
    Checkpoints,
    Recording,
    Scale,
    Stepping,
    falling_cosine,
    fit,
    join,
    settle,
)
from ebmlab.training.checkpoints import BEFORE, NEWEST
from ebmlab.training.fit import Fit
from ebmlab.training.folder import Folder
from ebmlab.training.loggers import Logger
from ebmlab.training.ranks import require_ranks
from ebmlab.training.record import RECORD

__all__ = ["Trained", "train"]

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


def train(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    every: int | None = None,
    online: bool = False,
    loggers: tuple[Logger, ...] = (),
) -> Trained:
    """Train and leave config.json, metrics.jsonl and checkpoint.safetensors in a folder.

    The checkpoint is written at the end of each epoch (and every 1,000 steps), and when Ctrl-C
    is pressed, after the step under way. A run that goes on from it ends as if it had not
    stopped, to the last bit on the same machine, unless the number of epochs, which the step
    sizes follow, has changed. Under `torchrun` all ranks train one run.

    Args:
        config: what to train.
        out: the folder, made where it is missing.
        resume: go on with the run in that folder; begin where there is none yet.
        every: steps from one record to the next; None: as often as the kind of run asks for.
        online: whether codes of held-out images are judged meanwhile; the run is the same.
        loggers: what gets the numbers of the recorded steps besides.

    Raises:
        ConfigurationError: the folder holds a run and `resume` is not set, or another run than
            is asked for; or something does not fit.
        FileError: the folder cannot be written, or its checkpoint is damaged.
        DataError: the data are missing.
    """
    join()
    built, kind = build(config), kind_of(config.method)
    method, epoch = built.method, max(1, built.order.epoch // config.accumulate)
    steps = max(1, config.epochs * built.order.epoch // config.accumulate)
    make, stepping = optimizing(config), _stepping(config)
    scale = Scale(config.shard, config.recompute, config.compile)
    require_ranks(scale)
    keep = Checkpoints(out, every=min(epoch, KEEP), resume=resume, run=config.fixed)
    fresh = not (resume and keep.begun)
    rng = torch.Generator(built.device).manual_seed(config.seed)
    follow, batches = Follow(kind, built, online=online), Batches(built)
    with _claimed(out, config, resume), noticed() as pressed:
        if fresh:
            follow.begin()
        if fresh and kind.settles(built):
            settle(method, batches, commits=built.order.epoch, rng=rng)

        def after(step: int) -> bool:
            follow.seen(step)
            return pressed()

        result = fit(
            method,
            batches,
            steps=steps,
            rng=rng,
            optimizer=make if _trains(built) else None,
            stepping=stepping,
            scale=scale,
            record=Recording(
                out,
                every or kind.every(built),
                follow,
                loggers,
                title=f"{config.method} on {config.data}",
                after=after,
            ),
            keep=keep,
        )
    done = result if result.history else None
    return Trained(built, done, complete=result.steps >= steps)


def _trains(built: Built) -> bool:
    return any(parameter.requires_grad for parameter in built.method.parameters())


def _stepping(config: Config) -> Stepping:
    return Stepping(
        schedule=falling_cosine if config.decay else None,
        warmup=config.warmup,
        clip=config.clip,
        accumulate=config.accumulate,
        precision=torch.bfloat16 if config.precision == "bf16" else None,
    )


@contextmanager
def _claimed(out: Path, config: Config, resume: bool) -> Iterator[None]:
    """Have the folder, which is free or holds this run, for this process alone."""
    if rank_number() != 0:
        yield
        return
    _require_free(out, config, resume)
    with Folder(out).locked() as folder:
        # Another process may have been there meanwhile.
        _require_free(out, config, resume)
        if folder.holds(CONFIG) and resume:
            folder.check()
        write_config(out, config)
        yield


def _require_free(out: Path, config: Config, resume: bool) -> None:
    if resume and (out / CONFIG).exists():
        require_same(out, read_config(out), config)
    elif not resume:
        # A run that failed at its first step left nothing that could be lost.
        left = [path for path in (out / NEWEST, out / BEFORE, out / RECORD) if path.exists()]
        if (out / CONFIG).exists() and any(path.stat().st_size for path in left):
            raise ConfigurationError(
                f"{out} holds a run already; go on with it by --resume, or choose another --out"
            )
