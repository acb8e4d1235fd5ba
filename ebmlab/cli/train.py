"""`ebmlab train`."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ebmlab.cli.arguments import either
from ebmlab.cli.table import number
from ebmlab.cli.terminal import INTERRUPTED

__all__ = ["train"]


def train(
    method: Annotated[str, Positional, arg(metavar="METHOD")],
    data: Annotated[str, arg(metavar="NAME")] = "digits",
    epochs: int = 20,
    batch_size: int = 128,
    lr: float = 1e-3,
    decay: bool = True,
    encoder: Annotated[str | None, either("NAME", "the method's")] = None,
    dim: Annotated[int | None, either("INT", "the method's")] = None,
    limit: Annotated[int | None, either("INT", "all")] = None,
    out: Annotated[Path | None, either("FOLDER", "runs/METHOD-DATA")] = None,
    resume: bool = False,
    seed: int = 0,
    device: Annotated[str, arg(metavar="NAME")] = "cpu",
) -> None:
    """Train a method on images, into a folder: config.json, metrics.jsonl, a checkpoint.

    Collapse is watched for and warned of. Ctrl-C stops after the step under way and leaves a whole
    checkpoint, from which --resume goes on as if nothing had happened.

    Args:
        method: one with a star in `ebmlab methods`, such as simclr or vae.
        data: digits, mnist, fashion-mnist or cifar10, in EBMLAB_DATA or (not cifar10) downloaded.
        epochs: visits of each image.
        batch_size: images in a step.
        lr: step size of AdamW at the start.
        decay: let it fall to 0 along a cosine.
        encoder: mlp, conv, resnet18, resnet50, vit-tiny or vit-small, where the method takes one.
        dim: length of the codes compared or decoded, or the number of clusters or atoms.
        limit: images at most, to train on and held out.
        out: the run's folder.
        resume: go on with the run in that folder, with the same arguments or with more epochs.
        seed: of weights, order and views.
        device: where to compute: cpu, cuda, …
    """
    from ebmlab.runs import Config, preset_of
    from ebmlab.runs import train as trained

    preset = preset_of(method)
    encoder = preset.encoder if encoder is None else encoder
    dim = preset.dim if dim is None else dim
    config = Config(method, data, epochs, batch_size, lr, decay, encoder, dim, limit, seed, device)
    run = out or Path("runs") / f"{method}-{data}"
    done = trained(config, run, resume=resume)
    if done.fit is None:
        sys.stdout.write(f"{run} is complete already; --epochs asks for more\n")
        return
    values = done.fit.history["value"]
    skipped = f", {done.fit.skipped} steps skipped" if done.fit.skipped else ""
    loss = f"loss {number(values[0])} to {number(values[-1])}"
    sys.stdout.write(f"{run}: {done.fit.steps} steps, {loss}{skipped}\n")
    if not done.complete:
        sys.stdout.write("interrupted: the same command with --resume goes on from here\n")
        sys.exit(INTERRUPTED)
    sys.stdout.write(f"next: ebmlab evaluate {run}; ebmlab plot {run}\n")
