"""Sets of discrete answers: a linear model of MNIST beside its published sets, and hidden letters.

    EBMLAB_DATA=… python benchmarks/conformal.py --out results/conformal_cpu.json [--only mnist]

`mnist` is the baseline of conformal training (Stutz, Dvijotham, Cemgil, Doucet 2022,
arXiv:2110.09192; google-deepmind/conformal_training): 784 × 10 logits, 55,000 images, pixels less
their mean over their deviation, cross-entropy + 5e-4 ‖w‖², SGD with Nesterov momentum 0.9, batches
of 100, the step size 0.05 halved after each epoch, 12 epochs and not 50, after which it is below a
four-thousandth of the first. The other 5,000 training images and the
10,000 test images are mixed, 5,000 of them calibrate and 10,000 judge, ten times, at 99 %.

`words` is one hidden character of tinyshakespeare, by the network of `words.py`, trained as there
or for `--steps`; rows of other steps are kept. The last tenth of the text is held out, in blocks
of 2,000 characters. At 90 %, every second block calibrates and the others judge; or the first half
of all blocks calibrates and the second half judges.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from measure import circumstances
from torch import Tensor, nn

from ebmlab import Energy, Method, data, fit
from ebmlab.energies import Categorical
from ebmlab.objectives import Likelihood
from ebmlab.prediction import Adaptive, Nonconformity, RawEnergy, Surprisal, calibrate_choices
from ebmlab.training import Stepping, falling_cosine

KINDS: Mapping[str, Nonconformity] = {
    "F": RawEnergy(),
    "F + log Z (THR)": Surprisal(),
    "APS": Adaptive(),
    "APS, not randomized": Adaptive(randomized=False),
    "RAPS, λ 0.01, k 2": Adaptive(penalty=0.01, free=2),
}
# Table 1 of the paper: mean sizes at 99 %.
PUBLISHED = {"F + log Z (THR)": 2.23, "APS": 2.50}
SEEDS, SPLITS, LEVEL, VALIDATION, EPOCHS = 1, 10, 0.99, 5000, 12
CLASSES = torch.arange(10)
BLOCK = 2000


def linear(seed: int, train: tuple[Tensor, Tensor]) -> Energy:
    """E(image, label) = -logit, trained as the baseline is."""
    images, labels = train
    torch.manual_seed(seed)
    energy = Categorical(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), x_ndim=3)
    # Their ‖w‖² is over the bias too, and its slope is 2 w.
    how = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}
    fit(
        Method(energy, Likelihood(CLASSES)),
        (images, labels),
        steps=EPOCHS * (len(images) // 100),
        batch_size=100,
        optimizer=torch.optim.SGD(energy.parameters(), **how),
        rng=torch.Generator().manual_seed(seed),
        stepping=Stepping(schedule=lambda share: 0.5 ** int(share * EPOCHS)),
    )
    return energy


def judged(
    energy: Energy, values: Tensor, x: Tensor, y: Tensor, calibrating: Tensor, level: float
) -> dict[str, dict[str, float]]:
    """Coverage and size of the sets by each nonconformity; rows that do not calibrate judge."""
    found = {}
    for name, kind in KINDS.items():
        rng = torch.Generator().manual_seed(0)
        of = {"nonconformity": kind, "rng": rng}
        sets = calibrate_choices(energy, values, x[calibrating], y[calibrating], level, **of)
        seen = sets.judge(x[~calibrating], y[~calibrating], rng=rng)
        found[name] = {
            "coverage": seen.coverage.share,
            "size": float(seen.sizes.double().mean()),
            "empty": float((seen.sizes == 0).double().mean()),
            "coverage of the worst value": float(seen.by_value().share.nan_to_num(1.0).min()),
        }
    return found


def mnist() -> list[dict[str, Any]]:
    """Each seed and split: what its sets are."""
    (images, labels), (more, of_them) = data.mnist("train"), data.mnist("test")
    center, spread = images[:-VALIDATION].mean(), images[:-VALIDATION].std()
    images, more = ((part - center) / spread for part in (images, more))
    x = torch.cat([images[-VALIDATION:], more])
    y = torch.cat([labels[-VALIDATION:], of_them])
    rows = []
    for seed in range(SEEDS):
        start = time.perf_counter()
        energy = linear(seed, (images[:-VALIDATION], labels[:-VALIDATION]))
        right = (energy.at_each(more, CLASSES).argmin(1) == of_them).double().mean()
        about = {"seed": seed, "accuracy": float(right), "seconds": time.perf_counter() - start}
        rng = torch.Generator().manual_seed(100 + seed)
        for split in range(SPLITS):
            calibrating = torch.zeros(len(x), dtype=torch.bool)
            calibrating[torch.randperm(len(x), generator=rng)[:VALIDATION]] = True
            found = judged(energy, CLASSES, x, y, calibrating, LEVEL)
            rows += [about | {"split": split, "kind": k} | row for k, row in found.items()]
        print(json.dumps(rows[-len(KINDS) :]), flush=True)
    return rows


def words(steps: int | None = None) -> list[dict[str, Any]]:
    """Sets of hidden characters."""
    from words import Hidden, Windows

    setting, (train, held) = Hidden(), data.text().split(0.1)
    steps = steps or setting.steps
    start, tokens = time.perf_counter(), torch.arange(train.hidden)
    torch.manual_seed(0)
    energy = Categorical(Windows(len(tokens), setting))
    fit(
        Method(energy, Likelihood(tokens)),
        lambda n, rng: train.gaps(n, setting.reach, rng),
        steps=steps,
        batch_size=setting.batch,
        lr=setting.lr,
        stepping=Stepping(schedule=falling_cosine),
    )
    energy.eval()
    blocks = held.tokens[: len(held) // BLOCK * BLOCK].view(-1, 1, BLOCK)
    windows = blocks.unfold(2, 2 * setting.reach + 1, 1).squeeze(1)
    x, y = held.opened(windows.flatten(0, 1))
    of = torch.arange(len(windows)).repeat_interleave(windows.shape[1])
    with torch.no_grad():
        each = torch.cat([energy.at_each(part, tokens) for part in x.split(4096)]).double()
    bits = (each + (-each).logsumexp(1, keepdim=True)).gather(1, y[:, None]) / math.log(2)
    right = (each.argmin(1) == y).double().mean()
    about = {"bits": float(bits.mean()), "accuracy": float(right)}
    about["seconds"] = time.perf_counter() - start
    rows = []
    for split, calibrating in {"blocks": of % 2 == 0, "halves": of < len(windows) // 2}.items():
        # Energies of all tokens are computed once: a table of them is an energy too.
        found = judged(Categorical(Minus(), x_ndim=1), tokens, each, y, calibrating, 0.9)
        top = each[~calibrating].topk(3, largest=False).indices
        for many in (1, 2, 3):
            inside = (top[:, :many] == y[~calibrating, None]).any(1).double().mean()
            found[f"the {many} likeliest"] = {"coverage": float(inside), "size": float(many)}
        about["split"] = f"{split}, {steps:,} steps"
        rows += [about | {"kind": k} | row for k, row in found.items()]
    return rows


class Minus(nn.Module):
    """Logits of a table of energies."""

    def forward(self, energies: Tensor) -> Tensor:
        """Minus the energies."""
        return -energies


def table(rows: list[dict[str, Any]], published: Mapping[str, float]) -> list[str]:
    """Means over rows of a kind ± their standard deviation, as Markdown."""
    columns = ("coverage", "size", "empty", "coverage of the worst value")
    lines = ["|  | " + " | ".join(columns) + " | published size |", "|---" * 6 + "|"]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        each = [row for row in rows if row["kind"] == kind]
        cells = [spread([row[name] for row in each if name in row]) for name in columns]
        due = published.get(kind)
        lines.append(f"| {kind} | {' | '.join(cells)} | {'–' if due is None else f'{due:.2f}'} |")
    return lines


def spread(values: list[float]) -> str:
    """A mean and, of several, their standard deviation; a dash of none."""
    if not values:
        return "–"
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def report(record: dict[str, Any]) -> str:
    """Both tables as Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [f"`{record['command']}`", "", f"{record['machine']}, {record['threads']} thread(s); "]
    lines[-1] += f"{versions}; commit {record['commit']}, {record['date']}."
    lines += [f"\n{note}" for note in record.get("notes", [])]
    if "mnist" in record:
        rows = record["mnist"]
        seeds = {row["seed"]: row for row in rows}.values()
        right = spread([row["accuracy"] for row in seeds])
        lines += ["", f"## MNIST, a linear model, {LEVEL:.0%}", ""]
        lines += [f"{len(seeds)} seeds × {SPLITS} splits; accuracy {right}. Published: Table 1 of"]
        lines += ["arXiv:2110.09192, baseline.", "", *table(rows, PUBLISHED)]
    if "words" in record:
        rows = record["words"]
        lines += ["", "## One hidden character of tinyshakespeare, 90%", ""]
        for split in dict.fromkeys(row["split"] for row in rows):
            each = [row for row in rows if row["split"] == split]
            bits, right = each[0]["bits"], each[0]["accuracy"]
            lines += [
                "",
                f"Calibrated on one of two {split}; {bits:.3f} bits, accuracy {right:.3f}:",
            ]
            lines += ["", *table(each, {})]
    return "\n".join(lines) + "\n"


PARTS = ("mnist", "words")


def main() -> None:
    """Measure, print, save; parts that the file of `--out` holds are kept."""
    parser = argparse.ArgumentParser(description="sets of discrete answers")
    parser.add_argument("--only", choices=list(PARTS), nargs="*", default=list(PARTS))
    parser.add_argument("--steps", type=int, help="of the network of letters")
    parser.add_argument("--out", type=Path, help="JSON file; the tables go beside it as .md")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    record = circumstances(" ".join(["python", "benchmarks/conformal.py", *sys.argv[1:]]))
    if asked.out is not None and asked.out.exists():
        old = json.loads(asked.out.read_text())
        record |= {part: old[part] for part in (*PARTS, "notes") if part in old}
    for part in asked.only:
        new = mnist() if part == "mnist" else words(asked.steps)
        done = {row["split"] for row in new} if part == "words" else set()
        kept = [row for row in record.get(part, []) if done and row["split"] not in done]
        record[part] = kept + new
        if asked.out is not None:
            asked.out.parent.mkdir(parents=True, exist_ok=True)
            asked.out.write_text(json.dumps(record, indent=1) + "\n")
            asked.out.with_suffix(".md").write_text(report(record))
    print(report(record))


if __name__ == "__main__":
    main()
