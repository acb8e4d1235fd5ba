"""What invariance methods learn: kNN on Fashion-MNIST under nuisance, at an equal budget.

    EBMLAB_DATA=… python benchmarks/invariance.py [--kind KIND] [--method NAME] [--seed S]
        [--images N] [--out FOLDER] [--tables]

Every method trains one backbone on pairs of views of about 156,000 images: as it is ("trained"),
with what prevents collapse taken out ("removed"), and by lightly's loss ("lightly"). Each finished
run is a line of FOLDER/invariance_cpu.jsonl, and runs that are there are not repeated: stop and
start at will. The tables are written beside it after each run; --tables does only that.
"""

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from invariance_methods import SETTINGS, Setting, encoder
from invariance_removed import REMOVED
from invariance_tables import write
from lightly_losses import available
from lightly_objectives import BORROWED, with_lightly
from measure import circumstances
from nuisance import Feed, Judge, Pool, pool

from ebmlab import Method, fit
from ebmlab.metrics import Collapse, CollapseWarning
from ebmlab.training import Recording, Stepping, falling_cosine, settle
from ebmlab.training.fit import Fit
from ebmlab.types import Tree

__all__ = ["IMAGES", "JOBS", "Job", "built", "ran", "untrained"]

IMAGES = 156_000
NAME = "invariance_cpu"
LOOKS = 60
WARM = 0.05
REPEATED = ("simclr", "byol", "vicreg", "swav")


class Job(NamedTuple):
    """One run: a table, a method or what is removed from one, a seed of weights and batches."""

    kind: str
    method: str
    seed: int = 0


JOBS = (
    *(Job("trained", name) for name in SETTINGS),
    *(Job("removed", name) for name in REMOVED),
    *(Job("lightly", name) for name in BORROWED),
    *(Job("trained", name, seed) for seed in (1, 2) for name in REPEATED),
    *(Job("lightly", name, seed) for seed in (1, 2) for name in REPEATED),
)


def main() -> None:
    """Parse the command line, run what is missing, write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kind", action="append", choices=("trained", "removed", "lightly"))
    parser.add_argument("--method", action="append", help="default: all")
    parser.add_argument("--seed", action="append", type=int, help="default: all")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--tables", action="store_true", help="train nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    about = circumstances(" ".join(["python", "benchmarks/invariance.py", *sys.argv[1:]]))
    data = pool()
    first = {"first": untrained(data)}
    lines = options.out / f"{NAME}.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    jobs = [] if options.tables else chosen(options)
    for number, job in enumerate(jobs):
        # Read again each time: others may be at work on the same lines.
        if key(job, options.images) in {key(Job(*who(run)), run["images"]) for run in read(lines)}:
            continue
        print(f"{number + 1} of {len(jobs)}: {job}", flush=True)
        run = ran(job, data, options.images) | {"commit": about["commit"], "date": about["date"]}
        with lines.open("a") as file:
            file.write(json.dumps(run) + "\n")
        print(json.dumps(run), flush=True)
        write(lines, about | first, read(lines))
    write(lines, about | first, read(lines))


def chosen(options: argparse.Namespace) -> list[Job]:
    """The jobs that the command line asks for, and that can be run here."""
    able = available()
    wanted = {"kind": options.kind, "method": options.method, "seed": options.seed}
    return [
        job
        for job in JOBS
        if all(not values or getattr(job, name) in values for name, values in wanted.items())
        and (able or job.kind != "lightly")
    ]


def who(run: dict[str, Any]) -> tuple[str, str, int]:
    """Which job a run was."""
    return run["kind"], run["method"], run["seed"]


def key(job: Job, images: int) -> tuple[Any, ...]:
    """What makes two runs the same."""
    return (*job, images)


def read(path: Path) -> list[dict[str, Any]]:
    """The finished runs."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def built(job: Job, images: int) -> tuple[Method, Setting, int]:
    """The method with the weights of its seed, its settings, and how many steps it takes."""
    removed = REMOVED[job.method] if job.kind == "removed" else None
    setting = SETTINGS[removed.base if removed else job.method]
    steps = images // setting.batch
    torch.manual_seed(job.seed)
    recipe = removed.recipe if removed else setting.recipe
    method = recipe(encoder(), steps)
    if job.kind == "lightly":
        method = with_lightly(job.method, method)
    # Convolutions on CPU are faster with channels last.
    return method.to(memory_format=torch.channels_last), setting, steps  # pyright: ignore


def ran(job: Job, data: Pool, images: int, looks: int = LOOKS) -> dict[str, Any]:
    """Train and judge: a line of the results."""
    with torch.random.fork_rng(devices=[]):
        method, setting, steps = built(job, images)
        start, begin = time.perf_counter(), time.process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = trained(method, setting, data, steps, job.seed, looks)
        spent = time.process_time() - begin
    assert method.encoder is not None
    judgement = Judge(data).encoder(method.encoder)
    told = [str(w.message) for w in caught if issubclass(w.category, CollapseWarning)]
    return {
        **job._asdict(),
        "images": images,
        "batch": setting.batch,
        "steps": steps,
        "lr": setting.lr,
        "settings": setting.note,
        **judgement._asdict(),
        **{name: run.history[name][-1] for name in WATCHED if name in run.history},
        "value": run.history["value"][-1],
        "told": [message.split(";")[0] for message in told],
        "skipped": run.skipped,
        "processor_seconds": round(spent, 1),
        "seconds": round(time.perf_counter() - start, 1),
    }


WATCHED = ("effective_rank", "code_std", "code_spread", "stuck")


def trained(
    method: Method, setting: Setting, data: Pool, steps: int, seed: int, looks: int
) -> Fit:
    """The one loop of all methods, the detector of collapse looking on."""
    rng = torch.Generator().manual_seed(seed)
    pairs = iter(Feed(data.images, setting.batch, rng))
    batches = setting.feed(pairs, data.bank, rng)
    optimizer = torch.optim.AdamW(
        method.parameters(), lr=setting.lr, weight_decay=setting.weight_decay
    )

    def drawn(size: int, rng: torch.Generator) -> tuple[Tree, Tree]:
        return next(batches)

    if setting.settled:
        settle(method, drawn, commits=setting.settled, rng=rng)
    return fit(
        method,
        drawn,
        steps=steps,
        batch_size=setting.batch,
        rng=rng,
        optimizer=optimizer,
        stepping=Stepping(schedule=risen),
        record=Recording(every=max(1, steps // looks), watch=Collapse()),
    )


def risen(done: float) -> float:
    """Up in a straight line, then down a cosine."""
    return done / WARM if done < WARM else falling_cosine((done - WARM) / (1 - WARM))


def untrained(data: Pool) -> dict[str, Sequence[float]]:
    """What pixels and an encoder that learned nothing are worth."""
    judge = Judge(data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = encoder(data.images.shape[1])
    return {
        "pixels": judge.pixels(centered=False),
        "pixels, mean-centered": judge.pixels(centered=True),
        "untrained encoder": judge.encoder(statistics(network, data)),
    }


@torch.no_grad()
def statistics(network: torch.nn.Module, data: Pool) -> torch.nn.Module:
    """The network with batch normalization that has seen images; nothing else is learned."""
    network.train()
    for pair in zip(range(UNTRAINED), Feed(data.images, 256, torch.Generator()), strict=False):
        network(pair[1][0])
    return network


UNTRAINED = 50

if __name__ == "__main__":
    main()
