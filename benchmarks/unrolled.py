"""Thinking longer: error against thoughts, several right answers, and stops by the energy.

`python benchmarks/unrolled.py --out benchmarks/results/unrolled_cpu.json`

A curve of two coordinates whose noise floor is 0.005, and relations with several right y. One
network everywhere: 64, 64 of SiLU. What is judged is drawn apart from what is learned; the
tolerance of early stops is chosen on training data.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from measure import circumstances
from torch import Tensor

from ebmlab import Energy, Method, data, fit, methods, networks, perturbations
from ebmlab.energies import MLP, Gaussian
from ebmlab.objectives import Answers, Unrolled
from ebmlab.prediction import predict, think
from ebmlab.training import Stepping, falling_cosine

COUNTS = (1, 2, 4, 8, 16, 32)
TOLERANCES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
Pairs = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Setting:
    """How all are trained: AdamW, its step size falling to 0 along a cosine.

    Relations take a quarter of the batch, which eight starts for each of them multiply.
    """

    pairs: int = 4096
    steps: int = 500
    batch: int = 256
    lr: float = 2e-2
    hidden: tuple[int, int] = (64, 64)


@dataclass(frozen=True)
class Task:
    """A relation, where it is judged, and how near a branch an answer must be."""

    relation: data.relations.Relation
    low: float
    high: float
    near: float
    branches: int

    def judged(self, n: int) -> Tensor:
        """x (n, 1), drawn uniformly, of either sign where low > 0."""
        rng = generator(1001)
        x = self.low + (self.high - self.low) * torch.rand(n, 1, generator=rng)
        return x * (1 - 2 * torch.randint(0, 2, (n, 1), generator=rng)) if self.low == 0.3 else x

    def share(self, x: Tensor, y: Tensor) -> float:
        """The share of answers y (k, n, 1) near a branch."""
        right = torch.stack(self.relation.branches(x[:, 0]))
        distance = (y - right).abs().min(-1).values
        return float((distance < self.near).double().mean())


TASKS = {
    "circle": Task(data.relations.circle, -0.9, 0.9, 0.15, 2),
    "crossing lines": Task(data.relations.crossing_lines, 0.3, 1.0, 0.15, 2),
    "inverse sine": Task(data.relations.inverse_sine, 0.42, 0.58, 0.05, 3),
}
CONTROLS: dict[str, Callable[[], Unrolled]] = {
    "unrolled, nearest of 8 starts": lambda: Unrolled(starts=8),
    "unrolled, nearest of 2 starts": lambda: Unrolled(starts=2),
    "unrolled, 1 start": Unrolled,
    "unrolled, 1 start, noise 0.1": lambda: Unrolled(noise=0.1),
    "unrolled, 1 start, replay": lambda: Unrolled(answers=Answers(40_000, 1)),
    "unrolled, starts near y (denoising)": lambda: Unrolled(start=perturbations.Gaussian(0.25)),
}


def generator(seed: int) -> torch.Generator:
    """A stream of its own."""
    return torch.Generator().manual_seed(seed)


def curve(n: int, rng: torch.Generator) -> Pairs:
    """(cos πx, sin 2πx) and noise of variance 0.0025 in each coordinate, x uniform in (-1, 1)."""
    x = 2 * torch.rand(n, 1, generator=rng) - 1
    y = torch.cat([(math.pi * x).cos(), (2 * math.pi * x).sin()], 1)
    return x, y + 0.05 * torch.randn(n, 2, generator=rng)


def thinker(dim: int, objective: Unrolled, setting: Setting) -> Method:
    """½ ‖y‖² + network(x, y): the bowl bounds the energy from below."""
    bowl = Gaussian(torch.zeros(dim), torch.eye(dim))
    return Method(MLP(dim, 1, setting.hidden) + bowl, objective)


def main() -> None:
    """Train, judge, print, save after each model."""
    parser = argparse.ArgumentParser(description="unrolled descent: error against thoughts")
    parser.add_argument("--out", type=Path, help="JSON file; the tables go beside it as .md")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few steps: does it run?")
    parser.add_argument("--only", default="", help="of the runs only those whose name has this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    setting = Setting(steps=20) if options.quick else Setting()
    record = circumstances(" ".join(["python", "benchmarks/unrolled.py", *sys.argv[1:]]))
    record |= {"setting": asdict(setting), "runs": []}
    if options.out and options.out.exists():
        old = json.loads(options.out.read_text())
        same = json.dumps(old["setting"]) == json.dumps(record["setting"])
        record["runs"] = old["runs"] if same else []
    done = {(run["task"], run["who"], run["seed"], run["times"]) for run in record["runs"]}
    for plan in plans(options.seeds):
        if plan in done or options.only not in f"{plan[0]}: {plan[1]}":
            continue
        run = dict(zip(("task", "who", "seed", "times"), plan, strict=True)) | judge(plan, setting)
        record["runs"].append(run)
        done.add(plan)
        print(json.dumps(run), flush=True)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(record, indent=1) + "\n")
            options.out.with_suffix(".md").write_text(report(record))


Plan = tuple[str, str, int, int]


def plans(seeds: int) -> Iterator[Plan]:
    """What is run: task, who, seed, times the training."""
    first, *others = CONTROLS
    for seed in range(seeds):
        yield "curve", "unrolled, 1 start", seed, 1
        yield "circle", first, seed, 1
        yield from (("circle", who, seed, 1) for who in ("latent z", "regression"))
        yield "curve", "regression", seed, 1
    for seed in range(seeds):
        yield "curve", "unrolled, 1 start", seed, 4
        yield "curve", "regression", seed, 4
        for who in (first, "latent z", "regression"):
            yield from ((name, who, seed, 1) for name in TASKS)
        yield from (("circle", who, seed, 1) for who in others)
        yield "curve", first, seed, 1


def judge(plan: Plan, setting: Setting) -> dict[str, Any]:
    """Train a model and judge it."""
    task, _, seed, _ = plan
    draw = curve if task == "curve" else TASKS[task].relation
    known = draw(setting.pairs, generator(100 + seed))
    began, method = time.process_time(), trained(plan, known, setting)
    seconds = time.process_time() - began
    found = on_curve(method, known) if task == "curve" else on_relation(method, known, TASKS[task])
    return {"seconds": seconds} | found


def trained(plan: Plan, known: Pairs, setting: Setting) -> Method:
    """The method of this name, fitted."""
    task, who, seed, times = plan
    dim = known[1].shape[1]
    torch.manual_seed(seed)
    if who == "regression":
        method = methods.regression(networks.MLP(1, dim, setting.hidden))
    elif who == "latent z":
        k = TASKS[task].branches
        decoder = networks.Choice(networks.MLP(1, k * dim, setting.hidden), k)
        method = methods.latent_prediction(decoder, torch.eye(k))
    else:
        method = thinker(dim, CONTROLS[who](), setting)
    batch = setting.batch if task == "curve" else setting.batch // 4
    how = {"batch_size": batch, "lr": setting.lr, "stepping": Stepping(falling_cosine)}
    fit(method, known, steps=times * setting.steps, rng=generator(seed), **how)
    return method.eval()


def on_curve(method: Method, known: Pairs) -> dict[str, Any]:
    """Mean squared errors, by the number of thoughts where there are thoughts."""
    x, y = curve(4096, generator(1000))
    if not isinstance(method.objective, Unrolled):
        with torch.no_grad():
            return {"error": float((method.encode(x) - y).square().sum(1).mean())}

    def errors(answers: Tensor, y: Tensor) -> Tensor:
        return (answers - y).square().sum(-1).flatten(1).mean(1)

    start = torch.randn(1, 4096, 2, generator=generator(1002))
    known = known[0][:1000], known[1][:1000]
    found = think(method, x, start, steps=max(COUNTS))
    seen = errors(found.y, y)
    rising = (found.energies[1:] > found.energies[:-1]).double().mean()
    learned = think(method, known[0], start[:, :1000], steps=max(COUNTS))
    own = errors(learned.y, known[1])
    target = 1.02 * float(own[-1])
    fixed = next(t for t in range(1, max(COUNTS) + 1) if bool((own[t:] <= target).all()))
    stop: dict[str, Any] = {"fixed": fixed, "error at fixed": float(seen[fixed])}
    for tau in TOLERANCES:
        stopped = think(method, known[0], start[:, :1000], steps=max(COUNTS), tolerance=tau)
        if float(errors(stopped.y[-1:], known[1])) <= target:
            judged = think(method, x, start, steps=max(COUNTS), tolerance=tau)
            stop |= {
                "tolerance": tau,
                "thoughts": float(judged.taken.double().mean()),
                "error": float(errors(judged.y[-1:], y)),
            }
            break
    return {
        "errors": {str(t): float(seen[t]) for t in (0, *COUNTS)},
        "energies": {str(t): float(found.energies[t].mean()) for t in (0, *COUNTS)},
        "energy rises": float(rising),
        "stop": stop,
    }


def on_relation(method: Method, known: Pairs, task: Task) -> dict[str, Any]:
    """Shares of answers near a branch, by the number of thoughts where there are thoughts."""
    x = task.judged(500)
    if isinstance(method.objective, Unrolled):
        start = torch.randn(8, len(x), 1, generator=generator(1002))
        found = think(method, x, start, steps=max(COUNTS))
        chosen = think(method, x, start, steps=4).answer, found.answer
        spread = found.y[-1].std(0).mean()
        return {
            "shares": {str(t): task.share(x, found.y[t]) for t in (0, *COUNTS)},
            "lowest of 8": [task.share(x, y[None]) for y in chosen],
            "spread of answers": float(spread),
            "stop": stopping(method, x, start, task, found.y),
        }
    if isinstance(method.energy, Energy) and method.encoder is not None:
        with torch.no_grad():
            return {"share": task.share(x, method.encode(x)[None])}
    return {"share": task.share(x, predict(method, x, task.branches).y)}


def stopping(method: Method, x: Tensor, start: Tensor, task: Task, way: Tensor) -> dict[str, Any]:
    """The share and the thoughts of stops by the energy; τ is the same for all relations."""
    judged = think(method, x, start, steps=max(COUNTS), tolerance=0.003)
    thoughts, share = float(judged.taken.double().mean()), task.share(x, judged.y[-1])
    counts = range(1, max(COUNTS) + 1)
    equal = next((t for t in counts if task.share(x, way[t]) >= share), max(COUNTS))
    return {"thoughts": thoughts, "share": share, "fixed count of equal share": equal}


def report(record: dict[str, Any]) -> str:
    """The record as Markdown: means over the seeds ± their standard deviations."""
    runs = record["runs"]
    of = {key: [r for r in runs if (r["task"], r["who"], r["times"]) == key] for key in keys(runs)}
    lines = [
        f"`{record['command']}`",
        "",
        f"{record['machine']}, {record['threads']} thread; torch {record['versions']['torch']}; "
        f"commit {record['commit']}, {record['date']}. Means over seeds ± their standard "
        "deviation.",
        "",
        f"`{record['setting']}`",
    ]
    counts = [str(t) for t in (0, *COUNTS)]
    head = "| | seeds | " + " | ".join(f"{t} thoughts" for t in counts) + " | CPU s |"
    rule = "|---" * (len(counts) + 3) + "|"
    for task in dict.fromkeys(run["task"] for run in runs):
        kind = "errors" if task == "curve" else "shares"
        what = "Mean squared error (floor 0.005)" if task == "curve" else _what(task)
        lines += ["", f"## {task}", "", what, "", head, rule]
        here = {key: found for key, found in of.items() if key[0] == task}
        for (_, who, times), found in here.items():
            name = who if times == 1 else f"{who}, {times} × the training"
            single = [run.get("error", run.get("share")) for run in found]
            cells = (
                [_spread([run[kind][t] for run in found]) for t in counts]
                if kind in found[0]
                else ["", *[_spread(single)], *[""] * (len(counts) - 2)]
            )
            seconds = f"{mean(run['seconds'] for run in found):.0f}"
            lines.append("| " + " | ".join([name, str(len(found)), *cells, seconds]) + " |")
        lines += _more(here)
    return "\n".join([*lines, ""])


def keys(runs: list[dict[str, Any]]) -> dict[tuple[str, str, int], None]:
    """Tasks, who and how long, each once."""
    return dict.fromkeys((run["task"], run["who"], run["times"]) for run in runs)


def _what(task: str) -> str:
    t = TASKS[task]
    return f"Share of answers within {t.near} of a right answer, x in ({t.low}, {t.high})"


def _more(here: dict[tuple[str, str, int], list[dict[str, Any]]]) -> list[str]:
    lines = [""]
    for (_, who, times), found in here.items():
        if "stop" not in found[0]:
            continue
        stops = [run["stop"] for run in found]
        parts = [f"{name} {_spread([s[name] for s in stops])}" for name in stops[0]
                 if all(name in s for s in stops)]  # fmt: skip
        text = f"- {who}, {times} × the training; stops by the energy: " + "; ".join(parts)
        if "lowest of 8" in found[0]:
            four, last = zip(*(run["lowest of 8"] for run in found), strict=True)
            text += f"; lowest of 8 starts: {_spread(four)} after 4 thoughts, {_spread(last)} "
            text += f"after {max(COUNTS)}; spread of answers to one x "
            text += _spread([run["spread of answers"] for run in found])
        else:
            text += (
                f"; thoughts that raise the energy {_spread([r['energy rises'] for r in found])}"
            )
        lines.append(text)
    return lines


def _spread(values: Any) -> str:
    values = list(values)
    return f"{mean(values):.4g}" + (f" ± {stdev(values):.2g}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
