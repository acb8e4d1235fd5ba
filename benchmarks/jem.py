"""A classifier that is an energy (JEM) beside the same classifier trained alone.

    EBMLAB_DATA=… python benchmarks/jem.py --out results/jem_cpu.json [--data digits] [--long]

The same network, data, batches, steps and step sizes; three seeds. Digits: 1,000 of scikit-learn's
train, 297 choose (the weight, σ, and the T of temperature scaling), 500 judge. Fashion-MNIST:
5,000 train, 5,000 others choose, and the 10,000 test images judge. What is odd: uniform noise,
inverted images, and the other set (Fashion-MNIST averaged to 8 × 8 for digits; MNIST for
Fashion-MNIST). `--long` trains on digits for 10 times the steps. `chains` is the same recipe with
contrastive divergence by a kernel that rejects, in place of denoising, for one seed. Runs that the
file of `--out` holds are kept, and the others go on from there.
"""

import argparse
import json
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
from torch import Tensor, nn
from torch.nn import functional

from ebmlab import Method, data, fit, methods, metrics
from ebmlab.energies import Classifier
from ebmlab.losses import difference
from ebmlab.negatives import FromData
from ebmlab.networks import MLP
from ebmlab.objectives import Contrastive, DenoisingScore, GradientPenalty, LabelLikelihood
from ebmlab.samplers import MALA
from ebmlab.training import Recording, Stepping, falling_cosine

PAIR = ("alone", "jem")
SCORES = ("energy", "max-softmax", "slope")
Labeled = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Setting:
    """How both are trained: AdamW, its step size falling to 0 along a cosine.

    `penalty` weighs ‖∂E/∂y‖² beside denoising in what shapes E(None, y).
    """

    width: int
    steps: int
    batch: int
    lr: float
    weight: float
    sigma: tuple[float, float]
    penalty: float


SETTINGS = {
    "digits": Setting(128, 2000, 64, 2e-3, 0.03, (0.03, 0.3), 0.0),
    "fashion-mnist": Setting(256, 1200, 64, 2e-3, 0.03, (0.1, 0.5), 0.1),
}


@dataclass(frozen=True)
class Sets:
    """Images with labels to train, choose and judge on, and odd ones."""

    train: Labeled
    choice: Labeled
    test: Labeled
    odd: dict[str, Tensor]


def main() -> None:
    """Train, judge, print, save after each model."""
    parser = argparse.ArgumentParser(description="a classifier alone, and as an energy")
    parser.add_argument("--out", type=Path, help="JSON file; the tables go beside it as .md")
    parser.add_argument("--data", choices=list(SETTINGS), nargs="*", default=list(SETTINGS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--long", action="store_true", help="digits at 10 times the steps, too")
    parser.add_argument("--quick", action="store_true", help="few steps: does it run?")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = circumstances(" ".join(["python", "benchmarks/jem.py", *sys.argv[1:]]))
    record["settings"] = {name: asdict(setting) for name, setting in SETTINGS.items()}
    record["runs"] = kept(options.out, record["settings"])
    known = {key(run) for run in record["runs"]}
    for run in study(options.data, options.seeds, options.long, options.quick, known):
        record["runs"].append(run)
        print(json.dumps(run), flush=True)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(record, indent=1) + "\n")
            options.out.with_suffix(".md").write_text(report(record))


Key = tuple[str, str, int, int]


def key(run: dict[str, Any]) -> Key:
    """What tells one run from the others."""
    return run["data"], run["who"], run["seed"], run["times"]


def kept(path: Path | None, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs of an earlier call that had the settings of this one, which goes on after them."""
    if path is None or not path.exists():
        return []
    old = json.loads(path.read_text())
    same = {
        name
        for name in settings
        if json.dumps(settings[name]) == json.dumps(old["settings"].get(name))
    }
    return [run for run in old["runs"] if run["data"] in same]


def study(
    names: list[str], seeds: int, long: bool, quick: bool, known: set[Key]
) -> Iterator[dict[str, Any]]:
    """One run after the other, without those that are known."""
    plan = [(name, who, seed, 1) for name in names for who in PAIR for seed in range(seeds)]
    if "digits" in names:
        plan.append(("digits", "chains", 0, 1))
        plan += [("digits", who, seed, 10) for who in PAIR[::-1] for seed in range(seeds * long)]
    sets = {name: SETS[name]() for name in names}
    for name, who, seed, times in [each for each in plan if each not in known]:
        steps = 20 if quick else times * SETTINGS[name].steps
        found = run(who, SETTINGS[name], sets[name], seed, steps)
        yield {"data": name, "who": who, "seed": seed, "times": times, "steps": steps} | found


def run(who: str, setting: Setting, sets: Sets, seed: int, steps: int) -> dict[str, Any]:
    """Train a model and judge it."""
    torch.manual_seed(seed)
    pixels = sets.train[0][0].numel()
    network = nn.Sequential(nn.Flatten(), MLP(pixels, 10, (setting.width,) * 2))
    method, began = contender(who, Classifier(network), setting), time.process_time()
    done = fit(
        method,
        (sets.train[1], sets.train[0]),
        steps=steps,
        batch_size=setting.batch,
        rng=torch.Generator().manual_seed(seed),
        lr=setting.lr,
        stepping=Stepping(schedule=falling_cosine),
        record=Recording(every=max(1, steps // 50)),
    )
    values = torch.tensor(done.history["value"])
    assert isinstance(method.energy, Classifier)
    return {
        "seconds": time.process_time() - began,
        "skipped": done.skipped,
        "finite": bool(values.isfinite().all()),
        "highest_loss_of_the_last_half": float(values[len(values) // 2 :].max()),
        "loss": float(values[-1]),
    } | judged(method.energy.eval(), sets)


def contender(who: str, energy: Classifier, setting: Setting) -> Method:
    """The classifier alone, with denoising, or with chains."""
    if who == "alone":
        return Method(energy, LabelLikelihood())
    if who == "jem":
        shape = DenoisingScore(setting.sigma)
        held = shape + setting.penalty * GradientPenalty() if setting.penalty else shape
        return methods.jem(energy, setting.weight, held)
    chains = Contrastive(difference, FromData(MALA(1e-3), 5))
    return methods.jem(energy, 0.1, chains + 0.03 * GradientPenalty())


@torch.no_grad()
def judged(energy: Classifier, sets: Sets) -> dict[str, Any]:
    """Accuracy, calibration, and how well odd images are told by each score."""
    y, labels = sets.test
    logits = energy.encode(y)
    p, right = logits.softmax(1), (logits.argmax(1) == labels).double().mean()
    warmth = metrics.temperature_scaling(energy.encode(sets.choice[0]), sets.choice[1])
    usual = scores(energy, y)
    return {
        "accuracy": float(right),
        "ece": metrics.calibration_error(p, labels),
        "temperature": warmth,
        "ece_scaled": metrics.calibration_error((logits / warmth).softmax(1), labels),
        "nll": float(functional.cross_entropy(logits, labels)),
        "auroc": {
            name: {score: metrics.auroc(usual[score], odd[score]) for score in SCORES}
            for name, images in sets.odd.items()
            for odd in [scores(energy, images)]
        },
    }


def scores(energy: Classifier, y: Tensor) -> dict[str, Tensor]:
    """What should be higher for odd images: E(None, y), -max p(x | y), and ‖∂E/∂y‖."""
    value, slope = energy.given().value_and_grad(y)
    sure = energy.probabilities(y).max(1).values
    return dict(zip(SCORES, (value, -sure, slope.flatten(1).norm(dim=1)), strict=True))


def digits() -> Sets:
    """Scikit-learn's digits, and Fashion-MNIST averaged to their size."""
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))
    images, labels = (t[order] for t in data.digits())
    cuts = (slice(1000), slice(1000, 1297), slice(1297, None))
    train, choice, test = ((images[c], labels[c]) for c in cuts)
    other = functional.adaptive_avg_pool2d(data.fashion_mnist("test")[0][:2000], 8)
    return Sets(train, choice, test, odd_ones(test[0], "Fashion-MNIST", other))


def fashion() -> Sets:
    """Fashion-MNIST, and MNIST."""
    images, labels = data.fashion_mnist("train")
    train, choice = ((images[c], labels[c]) for c in (slice(5000), slice(55_000, None)))
    test = data.fashion_mnist("test")
    return Sets(train, choice, test, odd_ones(test[0], "MNIST", data.mnist("test")[0]))


SETS: dict[str, Callable[[], Sets]] = {"digits": digits, "fashion-mnist": fashion}


def odd_ones(usual: Tensor, name: str, other: Tensor) -> dict[str, Tensor]:
    """Noise, inverted images, and the other set."""
    noise = torch.rand(2000, *usual.shape[1:], generator=torch.Generator().manual_seed(0))
    return {"noise": noise, "inverted": 1 - usual, name: other}


def report(record: dict[str, Any]) -> str:
    """The record as Markdown: means over the seeds, and their standard deviations."""
    versions = {name: record["versions"][name] for name in ("ebmlab", "torch", "scikit-learn")}
    lines = [
        f"`{record['command']}`",
        "",
        f"{record['machine']}, {record['threads']} thread; "
        f"{', '.join(f'{k} {v}' for k, v in versions.items())}; commit {record['commit']}, "
        f"{record['date']}. Means over seeds ± their standard deviation.",
    ]
    for name in dict.fromkeys(run["data"] for run in record["runs"]):
        here = [run for run in record["runs"] if run["data"] == name]
        keys = dict.fromkeys((run["who"], run["times"]) for run in here)
        grouped = {key: [run for run in here if (run["who"], run["times"]) == key] for key in keys}
        lines += ["", f"## {name}", "", f"`{record['settings'][name]}`", ""]
        lines += _quality(grouped) + _oddness(grouped)
    return "\n".join([*lines, ""])


Grouped = dict[tuple[str, int], list[dict[str, Any]]]
COLUMNS = ("accuracy", "ece", "nll", "temperature", "ece_scaled", "loss", "seconds")


def _quality(grouped: Grouped) -> list[str]:
    head = ["", "seeds", *COLUMNS, "steps skipped"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for key, runs in grouped.items():
        cells = [_spread([run[c] for run in runs]) for c in COLUMNS]
        skipped = str(sum(run["skipped"] for run in runs))
        lines.append("| " + " | ".join([_name(key), str(len(runs)), *cells, skipped]) + " |")
    return lines


def _oddness(grouped: Grouped) -> list[str]:
    odd = list(next(iter(grouped.values()))[0]["auroc"])
    lines = ["", "AUROC of E(None, y) / -max p(x | y) / ‖∂E/∂y‖:", ""]
    lines += ["| | " + " | ".join(odd) + " |", "|---" * (len(odd) + 1) + "|"]
    for key, runs in grouped.items():
        cells = [
            " / ".join(f"{mean(run['auroc'][name][s] for run in runs):.3f}" for s in SCORES)
            for name in odd
        ]
        lines.append("| " + " | ".join([_name(key), *cells]) + " |")
    return lines


def _name(key: tuple[str, int]) -> str:
    who, times = key
    return who if times == 1 else f"{who}, {times} × the steps"


def _spread(values: list[float]) -> str:
    return f"{mean(values):.4g}" + (f" ± {stdev(values):.2g}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
