"""Words: a hidden character, a causal transformer, and a likelihood from one pass.

    EBMLAB_DATA=… python benchmarks/words.py --out results/words_cpu.json [--only counts hidden …]

The last tenth of tinyshakespeare judges; nothing was chosen on it. `counts`: one hidden character
from tables of counts of its neighbors on both sides, interpolated with weights that a part of the
training text chooses. `hidden`: the same from a network that sees `reach` characters on each side.
`causal`: nanoGPT's setting for a CPU. `passes`: a step of the likelihood of one hidden token with
all energies from one pass, against a pass for each token. Rows that the file of `--out` holds are
kept where others are asked for.
"""

import argparse
import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from measure import circumstances
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy, data, fit, methods
from ebmlab.energies import Categorical
from ebmlab.networks import Transformer
from ebmlab.objectives import Likelihood
from ebmlab.protocols import Method
from ebmlab.training import Recording, Stepping, falling_cosine

Numbers = dict[str, Any]


@dataclass(frozen=True)
class Hidden:
    """How the network of one hidden character is made and trained; chosen on 80–90 % of the text.

    Adam, its step size falling to 0 along a cosine.
    """

    reach: int = 8
    width: int = 512
    steps: int = 8000
    batch: int = 512
    lr: float = 2e-3


@dataclass(frozen=True)
class Causal:
    """nanoGPT's setting for a CPU: a step size that rises for 100 steps, then a cosine to 1e-4."""

    depth: int = 4
    heads: int = 4
    dim: int = 128
    length: int = 64
    batch: int = 12
    steps: int = 2000
    lr: float = 1e-3
    least: float = 1e-4
    warmup: int = 100
    decay: float = 0.1


class Windows(nn.Module):
    """Logits of what is hidden in a window: a table for each place, summed, and two layers.

    A first layer of one-hot characters is a sum of rows, and costs nothing.
    """

    def __init__(self, vocabulary: int, setting: Hidden) -> None:
        super().__init__()
        places, width = 2 * setting.reach + 1, setting.width
        self.table = nn.EmbeddingBag(places * (vocabulary + 1), width, mode="sum")
        nn.init.normal_(self.table.weight, std=places**-0.5)
        self.register_buffer("first", torch.arange(places) * (vocabulary + 1))
        self.layers = nn.Sequential(
            nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, vocabulary)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Windows (n, places) to logits (n, vocabulary)."""
        return self.layers(self.table(tokens + self.first))


def main() -> None:
    """Measure, print, save after each part."""
    parser = argparse.ArgumentParser(description="words as energies")
    parser.add_argument("--out", type=Path, help="JSON file; the table goes beside it as .md")
    parser.add_argument("--only", choices=list(PARTS), nargs="*", default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="few steps: does it run?")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = circumstances(" ".join(["python", "benchmarks/words.py", *sys.argv[1:]]))
    record["settings"] = {"hidden": asdict(Hidden()), "causal": asdict(Causal())}
    kept = options.out is not None and options.out.exists()
    record["rows"] = json.loads(options.out.read_text())["rows"] if kept else []
    train, test = data.text().split(0.1)
    for part in options.only:
        found = PARTS[part](train, test, options.quick)
        record["rows"] = [row for row in record["rows"] if row["part"] != part]
        record["rows"] += [{"part": part} | row for row in found]
        print(json.dumps(found), flush=True)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(record, indent=1) + "\n")
            options.out.with_suffix(".md").write_text(report(record))


def hidden(train: data.Text, test: data.Text, quick: bool) -> list[Numbers]:
    """One hidden character, by a network."""
    setting, k = Hidden(), train.hidden
    torch.manual_seed(0)
    energy = Categorical(Windows(k, setting))
    method, began = Method(energy, Likelihood(torch.arange(k))), time.process_time()
    steps = 20 if quick else setting.steps
    fit(
        method,
        lambda n, rng: train.gaps(n, setting.reach, rng),
        steps=steps,
        batch_size=setting.batch,
        lr=setting.lr,
        stepping=Stepping(schedule=falling_cosine),
        record=Recording(every=max(1, steps // 20)),
    )
    seconds, energy = time.process_time() - began, energy.eval()
    nats, right, count = 0.0, 0, 0
    with torch.no_grad():
        for windows in test.windows(2 * setting.reach + 1).split(4096):
            x, y = test.opened(windows)
            p = energy.probabilities(x)
            nats -= float(p.gather(1, y[:, None]).log().sum())
            right, count = right + int((p.argmax(1) == y).sum()), count + len(y)
    bits = nats / count / math.log(2)
    return [{"who": "network", "bits": bits, "right": right / count, "seconds": seconds}]


def causal(train: data.Text, test: data.Text, quick: bool) -> list[Numbers]:
    """What follows, by a causal transformer."""
    s, k = Causal(), train.hidden
    torch.manual_seed(0)
    network = Transformer(k, s.length, dim=s.dim, depth=s.depth, heads=s.heads, causal=True)
    method, began = methods.next_word(network, k), time.process_time()
    steps = 20 if quick else s.steps
    groups = [
        {"params": [p for p in method.parameters() if p.ndim > 1], "weight_decay": s.decay},
        {"params": [p for p in method.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]

    def size(done: float) -> float:
        step = done * steps
        falls = falling_cosine((step - s.warmup) / (steps - s.warmup))
        least = s.least / s.lr
        return (step + 1) / s.warmup if step < s.warmup else least + (1 - least) * falls

    fit(
        method,
        lambda n, rng: train.following(n, s.length, rng),
        steps=steps,
        batch_size=s.batch,
        optimizer=torch.optim.AdamW(groups, lr=s.lr, betas=(0.9, 0.99)),
        stepping=Stepping(schedule=size),
        record=Recording(every=max(1, steps // 20)),
    )
    seconds = time.process_time() - began
    windows = test.windows(s.length + 1)[:: s.length]
    with torch.no_grad():
        losses = [method(w[:, :-1], w[:, 1:]).value for w in windows.split(128)]
    sizes = torch.tensor([float(len(w)) for w in windows.split(128)])
    nats = float((torch.stack(losses) * sizes).sum() / sizes.sum())
    count = sum(p.numel() for p in network.parameters())
    return [{"who": "transformer", "nats": nats, "seconds": seconds, "parameters": count}]


def counts(train: data.Text, test: data.Text, quick: bool) -> list[Numbers]:
    """One hidden character, by tables of counts of 0 to 3 neighbors on each side."""
    began = time.process_time()
    older, newer = train.split(0.1)
    weights: list[np.ndarray] = []
    for reach in range(4):
        chances = interpolated(older, newer, weights)
        weights.append(chosen(chances, *table(older, newer, reach)) if reach else np.ones(64))
    rows = []
    for reach in range(4):
        p = interpolated(train, test, weights[: reach + 1])
        name = f"counts, {reach} + {reach}"
        rows.append({"who": name, "bits": float(-np.log2(p).mean())})
    return [row | {"seconds": time.process_time() - began} for row in rows]


def interpolated(train: data.Text, test: data.Text, weights: list[np.ndarray]) -> np.ndarray:
    """p of each hidden character of a text, with weights by reach and size of its context."""
    p = np.full(len(test) - 6, 1 / train.hidden)
    for reach, weight in enumerate(weights):
        share, size = table(train, test, reach)
        p = weight[size] * share + (1 - weight[size]) * p
    return p


def chosen(rest: np.ndarray, share: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Weights of a table beside the rest, one for each size of a context, by EM."""
    weights = np.zeros(64)
    for bucket in np.unique(size):
        here, weight = size == bucket, 0.5
        for _ in range(100):
            own = weight * share[here]
            weight = float((own / (own + (1 - weight) * rest[here])).mean())
        weights[bucket] = weight
    return weights


def table(train: data.Text, test: data.Text, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each character of a text, its share in its context, and ⌈log2⌉ of the context's count."""
    (known, known_pairs), (context, pairs) = (keys(t, reach) for t in (train, test))
    sizes, own = occurrences(known, context), occurrences(known_pairs, pairs)
    return own / np.maximum(sizes, 1), np.ceil(np.log2(sizes + 1)).astype(int)


def keys(text: data.Text, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """A number for the context of each character, and one for it and the character."""
    windows = text.windows(7).numpy()
    key = np.zeros(len(windows), np.int64)
    for place in [*range(3 - reach, 3), *range(4, 4 + reach)]:
        key = key * text.hidden + windows[:, place]
    return key, key * text.hidden + windows[:, 3]


def occurrences(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """How often each number that is asked for is known."""
    known = np.sort(known)
    return np.searchsorted(known, asked, "right") - np.searchsorted(known, asked)


def passes(train: data.Text, test: data.Text, quick: bool) -> list[Numbers]:
    """A step of the likelihood: one pass, and one for each token, of the same energies."""
    k, n = train.hidden, 4 if quick else 32
    network = Transformer(k, 17, dim=64, depth=2, heads=2, site=8)
    x, y = train.gaps(n, 8, torch.Generator().manual_seed(0))
    objective = Likelihood(torch.arange(k))

    def cost(x: Tensor, y: Tensor) -> Tensor:
        return -network(x).gather(1, y[:, None]).squeeze(1)

    def step(energy: Energy) -> tuple[float, float]:
        """Seconds of the CPU and the loss."""
        began = time.process_time()
        loss = objective(energy, x, y).value
        loss.backward()
        return time.process_time() - began, float(loss.detach())

    ways = {
        "one pass": Categorical(network),
        "K passes": FunctionEnergy(cost, ("x", "y"), y_ndim=0),
    }
    turns = [{name: step(energy) for name, energy in ways.items()} for _ in range(4)][1:]
    seconds = {name: median(turn[name][0] for turn in turns) for name in ways}
    ratio = seconds["K passes"] / seconds["one pass"]
    return [
        {"who": name, "seconds": seconds[name], "nats": turns[0][name][1], "ratio": ratio}
        for name in ways
    ]


PARTS = {"counts": counts, "hidden": hidden, "causal": causal, "passes": passes}


def report(record: Numbers) -> str:
    """The record as Markdown."""
    versions = ", ".join(f"{name} {record['versions'][name]}" for name in ("ebmlab", "torch"))
    columns = ("part", "who", "bits", "nats", "right", "ratio", "seconds")
    lines = [
        f"`{record['command']}`",
        "",
        f"{record['machine']}, {record['threads']} thread; {versions}; commit "
        f"{record['commit']}, {record['date']}. Seconds are of the CPU.",
        "",
        "| " + " | ".join(columns) + " |",
        "|---" * len(columns) + "|",
    ]
    for row in record["rows"]:
        cells = [row.get(column, "–") for column in columns]
        shown = [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells]
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
