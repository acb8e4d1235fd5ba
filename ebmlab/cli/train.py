"""`ebmlab train`."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from ebmlab.cli.arguments import either
from ebmlab.cli.table import number
from ebmlab.cli.terminal import INTERRUPTED
from ebmlab.errors import ConfigurationError

if TYPE_CHECKING:
    from ebmlab.runs import Trained

__all__ = ["train"]


def train(
    method: Annotated[str, Positional, arg(metavar="METHOD")],
    data: Annotated[str | None, either("NAME", "digits; eight-gaussians; or a text")] = None,
    epochs: Annotated[int | None, either("INT", "20, or 3,000 steps' worth for densities")] = None,
    batch_size: int = 128,
    lr: Annotated[float | None, either("FLOAT", "the method's")] = None,
    decay: bool = True,
    encoder: Annotated[str | None, either("NAME", "the method's")] = None,
    dim: Annotated[int | None, either("INT", "the method's")] = None,
    limit: Annotated[int | None, either("INT", "all")] = None,
    size: Annotated[int | None, either("INT", "64, or less for smaller images")] = None,
    out: Annotated[Path | None, either("FOLDER", "runs/METHOD-DATA")] = None,
    resume: bool = False,
    seed: int = 0,
    device: Annotated[str, arg(metavar="NAME")] = "cpu",
    optimizer: Annotated[str, arg(metavar="NAME")] = "adamw",
    weight_decay: float = 0.0,
    warmup: int = 0,
    clip: Annotated[float | None, either("FLOAT", "any length")] = None,
    accumulate: int = 1,
    precision: Annotated[str, arg(metavar="NAME")] = "fp32",
    shard: bool = False,
    recompute: bool = False,
    compile: bool = False,
    online: bool = False,
    log: Annotated[str | None, either("tensorboard", "none besides metrics.jsonl")] = None,
) -> None:
    """Train on images, points or a text, into a folder: config.json, metrics.jsonl, a checkpoint.

    Images are for methods that learn codes, whose collapse is watched for and warned of; points
    are for energies of densities, whose exact NLL is recorded in the plane. image_energy learns
    images to draw them, by `sample` and `inpaint`. masked_words and next_word learn a text, whose
    last tenth is held out; the bits of its characters are recorded. Ctrl-C stops after the step
    under way and leaves a whole checkpoint, from which --resume goes on as if nothing had
    happened.

    Args:
        method: one with a star in `ebmlab methods`, such as simclr, vae or denoising_score.
        data: digits, mnist, fashion-mnist or cifar10, in EBMLAB_DATA or (not cifar10) downloaded;
            for densities eight-gaussians, two-moons, checkerboard, spirals, pinwheel, rings,
            grid-gaussians, or digits as vectors of 64 pixels; for words a file of text in UTF-8,
            or text: tinyshakespeare in EBMLAB_DATA, else the reference of Python's language. Or a
            folder of images, one subfolder a class or none; train/ and val/, or a tenth held out.
        epochs: visits of each image or point, or of as many windows as lie in a text side by side.
        batch_size: images, points, or windows of 32 characters in a batch of all ranks.
        lr: step size of the optimizer at the start.
        decay: let it fall to 0 along a cosine.
        encoder: mlp, conv, resnet18, resnet50, vit-tiny, vit-small, or regnety-400mf up to
            regnety-10b, where the method takes one; or your own: MODULE:FUNCTION or
            FILE.py:FUNCTION, called with channels and size if it has such parameters; or
            timm:MODEL.
        dim: length of the codes compared or decoded, or the number of clusters or atoms; of words,
            the length of an embedding.
        limit: images, points or characters at most, to train on and held out.
        size: height and width that images from a folder are brought to.
        out: the run's folder.
        resume: go on with the run in that folder, with the same arguments or with more epochs;
            begin where there is none yet.
        seed: of weights, order, views and noise.
        device: where to compute: cpu, cuda, …
        optimizer: adamw, sgd with momentum, muon for matrices, or lars.
        weight_decay: of weights; biases and normalizations do not decay.
        warmup: steps in which the step size rises to lr.
        clip: the norm that a gradient may have at most.
        accumulate: batches in a step, one after another.
        precision: fp32, or bf16 for networks while weights stay in fp32.
        shard: each rank keeps its share of weights and optimizer only; under torchrun.
        recompute: compute blocks of the encoder again in backward, to save memory.
        compile: run the encoder by torch.compile.
        online: record what codes of held-out images are worth to neighbors and a linear probe,
            their RankMe and LiDAR, about once an epoch; the run itself is the same.
        log: tensorboard writes the numbers for it into the run's folder as well (pip install
            ebmlab[log]).
    """
    from ebmlab._ranks import rank_number
    from ebmlab.runs import configured
    from ebmlab.runs import train as trained
    from ebmlab.runs.kinds import about
    from ebmlab.training import join

    config = configured(
        method,
        data,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        decay=decay,
        encoder=encoder,
        dim=dim,
        limit=limit,
        size=size,
        seed=seed,
        device=device,
        optimizer=optimizer,
        weight_decay=weight_decay,
        warmup=warmup,
        clip=clip,
        accumulate=accumulate,
        precision=precision,
        shard=shard,
        recompute=recompute,
        compile=compile,
    )
    run = out or Path("runs") / f"{method}-{Path(config.data).stem}"
    join()
    if (said := about(config)) is not None and rank_number() == 0:
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()
    with ExitStack() as opened:
        loggers = _loggers(log, run, opened)
        done = trained(config, run, resume=resume, online=online, loggers=loggers)
    if rank_number() == 0:
        _tell(done, run)
    if not done.complete:
        sys.exit(INTERRUPTED)


def _tell(done: "Trained", run: Path) -> None:
    if done.fit is None:
        sys.stdout.write(f"{run} is complete already; --epochs asks for more\n")
        return
    values = done.fit.history["value"]
    skipped = f", {done.fit.skipped} steps skipped" if done.fit.skipped else ""
    loss = f"loss {number(values[0])} to {number(values[-1])}"
    sys.stdout.write(f"{run}: {done.fit.steps} steps, {loss}{skipped}\n")
    if not done.complete:
        sys.stdout.write("interrupted: the same command with --resume goes on from here\n")
        return
    sys.stdout.write(f"next: ebmlab evaluate {run}; ebmlab plot {run}\n")


def _loggers(log: str | None, run: Path, opened: ExitStack) -> tuple[Any, ...]:
    if log is None:
        return ()
    if log != "tensorboard":
        raise ConfigurationError(
            f"log is {log!r}; there is tensorboard, and in Python ebmlab.fit takes any logger"
        )
    from ebmlab.training.loggers import TensorBoard

    return (opened.enter_context(TensorBoard(run / log)),)
