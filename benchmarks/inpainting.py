"""The lower half of Fashion-MNIST from the upper one: what sets of answers are worth.

    EBMLAB_DATA=… python benchmarks/inpainting.py --out benchmarks/results/inpainting_cpu.json

Sixteen answers to each of the first 1,000 test images are judged by the energy score, E‖Y - y‖ -
½ E‖Y - Y'‖, which the law of y itself minimizes. Of the official training images 55,000 train; the
settings below were chosen on the other 5,000. A point or a few atoms are no law of images: both
are also judged with Gaussian noise of the covariance that their residuals have on training data.

The energy is that of what regression leaves, r = y - f(x), at noise levels σ:

    E(σ, x, r) = ½ ‖exp(s) w - g‖² - Σ s + ½ Σ log(λ + σ²),   w_i = v_i·r / √(λ_i + σ²)

with v, λ the principal directions and variances of r, s(x, σ) and g(w, x, σ) networks. Where both
are 0 it is regression with Gaussian noise. They are learned by `MultiScaleScore`; answers are
drawn by Langevin steps from σ = 2 to 0.05, whose size and temperature fit the next level.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from fashion_prediction import SHAPE, Pair, Setting, chunks, halves, trained
from measure import circumstances
from torch import Tensor, nn
from torch.nn.functional import silu

from ebmlab import Energy, Method, fit, methods, run
from ebmlab.metrics import energy_score
from ebmlab.objectives import MultiScaleScore
from ebmlab.prediction import predict
from ebmlab.samplers import Langevin
from ebmlab.training import Recording, Stepping, falling_cosine
from ebmlab.types import Tree

ANSWERS, TEST, CODES, PARTS, WIDTH = 16, 1000, 64, 128, 384
LOW, HIGH, LEVELS = 0.05, 2.0, 40
EPOCHS, STEPS = 4, 1600


class Answers(NamedTuple):
    """Answers (k, n, *event), of a sample or, with weights (k,), all of a law; and their cost."""

    y: Tensor
    weights: Tensor | None
    training: float
    drawing: float


class Principal(NamedTuple):
    """The mean, the principal directions (d, d) and the variances (d,) of images."""

    mean: Tensor
    directions: Tensor
    variances: Tensor

    @classmethod
    def of(cls, images: Tensor) -> "Principal":
        """Those of a sample (n, *event)."""
        rows = images.flatten(1)
        variances, directions = torch.linalg.eigh(torch.cov(rows.T))
        return cls(rows.mean(0), directions.flip(1), variances.flip(0).clamp(min=0))

    def codes(self, images: Tensor) -> Tensor:
        """Coordinates (*batch, d), those of most variance first."""
        return (images.flatten(-3) - self.mean) @ self.directions

    def images(self, codes: Tensor) -> Tensor:
        """Images (*batch, *event) of such coordinates."""
        return (codes @ self.directions.T + self.mean).unflatten(-1, SHAPE)

    def draw(self, k: int, n: int, rng: torch.Generator) -> Tensor:
        """Gaussian images (k, n, *event) of this mean and covariance."""
        noise = torch.randn(k, n, len(self.mean), generator=rng)
        return self.images(noise * self.variances.sqrt())


class Corrected(Energy):
    """E of the codes of residuals; x is [codes of the upper half, σ]."""

    def __init__(self, variances: Tensor, width: int = WIDTH) -> None:
        super().__init__()
        self.register_buffer("variances", variances)
        self.enter, self.middle = nn.Linear(PARTS, width), nn.Linear(width, width)
        self.leave = nn.Linear(width, PARTS)
        self.see = nn.Sequential(nn.Linear(CODES + 1, 128), nn.SiLU())
        self.modulate, self.sharpen = nn.Linear(128, 4 * width), nn.Linear(128, PARTS)
        for last in (self.leave, self.sharpen):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Energies (*batch)."""
        assert isinstance(x, Tensor)
        assert isinstance(y, Tensor)
        sigma = x[..., -1:]
        spread = self.variances + sigma.square()
        w, rest = (y * spread.rsqrt()).split([PARTS, y.shape[-1] - PARTS], dim=-1)
        seen = self.see(torch.cat([x[..., :-1], sigma.log()], -1))
        a, b, c, d = self.modulate(seen).chunk(4, -1)
        h = silu(self.enter(w) * (1 + a) + b)
        h = silu(self.middle(h) * (1 + c) + d)
        # Where the noise is wide, codes are Gaussian and nothing is to be corrected.
        share = (self.variances / spread)[..., :PARTS]
        g, s = self.leave(h) * share, self.sharpen(seen) * share
        squares = (w * s.exp() - g).square().sum(-1) + rest.square().sum(-1)
        return 0.5 * (squares + spread.log().sum(-1)) - s.sum(-1)


def main() -> None:
    """Train, judge, print, save."""
    parser = argparse.ArgumentParser(description="sets of answers to half an image")
    parser.add_argument("--out", type=Path, help="JSON file; the table goes beside it as .md")
    parser.add_argument("--quick", action="store_true", help="little training: does it run?")
    parser.add_argument("--tuning", action="store_true", help="judge on 5,000 training images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = circumstances(" ".join(["python", "benchmarks/inpainting.py", *sys.argv[1:]]))
    train, held, test = halves()
    judge = held if options.tuning else test
    judge = (judge[0][:TEST], judge[1][:TEST])
    if options.quick:
        train, judge = (train[0][:2000], train[1][:2000]), (judge[0][:50], judge[1][:50])
    record |= {"images": len(judge[0]), "rows": {}}
    scores: dict[str, Tensor] = {}
    for name, answers in contenders(train, judge[0], options.quick):
        row, scores[name] = judged(answers, judge[1])
        record["rows"][name] = row
        if "energy" in scores:
            others = {other: score - scores["energy"] for other, score in scores.items()}
            record["below"] = {
                n: mean_and_error(gap) for n, gap in others.items() if n != "energy"
            }
        print(name, json.dumps(row), flush=True)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(record, indent=1) + "\n")
            options.out.with_suffix(".md").write_text(report(record))


def contenders(train: Pair, x: Tensor, quick: bool) -> Iterator[tuple[str, Answers]]:
    """(name, answers) of each."""
    rng = torch.Generator().manual_seed(0)
    f, seconds = regression(train, 1 if quick else EPOCHS)
    with torch.no_grad():
        left = torch.cat([b - f(a) for a, b in chunks(*train)])
        mean = f(x)
    shape = Principal.of(left)
    yield "regression", Answers(mean[None], torch.ones(1), seconds, 0.0)
    yield (
        "regression + Gaussian",
        Answers(mean + shape.draw(ANSWERS, len(x), rng), None, seconds, 0.0),
    )
    energy, upper, spent = corrected(train, shape, left, 20 if quick else STEPS)
    began = time.process_time()
    codes = drawn(energy, encoded(upper, x), rng)
    y = mean + shape.images(codes)
    yield "energy", Answers(y, None, seconds + spent, time.process_time() - began)
    yield from latent(train, x, 1 if quick else EPOCHS, rng)


def regression(train: Pair, epochs: int) -> tuple[nn.Module, float]:
    """f, the network of `methods.image_prediction` without codes."""
    torch.manual_seed(0)
    parts = methods.image_prediction(SHAPE, SHAPE, 1)
    f = nn.Sequential(parts.encoder, parts.energy.energy.head.decoder.network)
    method = methods.regression(f, x_ndim=3, y_ndim=3)
    return f, trained(method, train, Setting(3e-3, epochs))


def latent(
    train: Pair, x: Tensor, epochs: int, rng: torch.Generator
) -> Iterator[tuple[str, Answers]]:
    """Sixteen codes: their answers as they are, and with the noise that they leave."""
    torch.manual_seed(0)
    method = methods.image_prediction(SHAPE, SHAPE, ANSWERS)
    seconds = trained(method, train, Setting(1e-3, epochs))
    left, use = [], torch.zeros(ANSWERS)
    for a, b in chunks(*train):
        y = predict(method, a, ANSWERS).y
        best = (y - b).square().flatten(2).sum(2).argmin(0)
        left.append(b - y[best, torch.arange(len(b))])
        use += best.bincount(minlength=ANSWERS)
    atoms = torch.cat([predict(method, part, ANSWERS).y for part in x.split(500)], 1)
    yield "16 codes", Answers(atoms, use / use.sum(), seconds, 0.0)
    chosen = torch.multinomial(use, ANSWERS * len(x), True, generator=rng).view(ANSWERS, -1)
    noise = Principal.of(torch.cat(left)).draw(ANSWERS, len(x), rng)
    y = atoms[chosen, torch.arange(len(x))] + noise
    yield "16 codes + Gaussian", Answers(y, None, seconds, 0.0)


def corrected(
    train: Pair, shape: Principal, left: Tensor, steps: int
) -> tuple[Corrected, Principal, float]:
    """The energy of residuals, the codes of upper halves that it takes, seconds of training."""
    began = time.process_time()
    upper = Principal.of(train[0])
    torch.manual_seed(0)
    energy = Corrected(shape.variances)
    method = Method(energy, MultiScaleScore(LOW, HIGH, time=0.0, draws=1))
    how = {"stepping": Stepping(falling_cosine), "record": Recording(every=1000)}
    pair = encoded(upper, train[0]), shape.codes(left)
    rng = torch.Generator().manual_seed(0)
    fit(method, pair, steps=steps, batch_size=128, rng=rng, lr=2e-3, **how)
    return energy, upper, time.process_time() - began


def encoded(upper: Principal, x: Tensor) -> Tensor:
    """The first codes of upper halves, of unit variance on training data."""
    return upper.codes(x)[:, :CODES] * upper.variances[:CODES].rsqrt()


def drawn(energy: Corrected, h: Tensor, rng: torch.Generator) -> Tensor:
    """Codes of residuals (k, n, d): chains from wide noise to narrow, and a last step down."""
    h = h.repeat(ANSWERS, 1)
    spread = (energy.variances + HIGH**2).sqrt()
    y = torch.randn(len(h), len(spread), generator=rng) * spread
    levels = torch.logspace(math.log10(HIGH), math.log10(LOW), LEVELS).tolist()
    for level, after in pairwise([*levels, 0.0]):
        u = energy.given(torch.cat([h, torch.full((len(h), 1), level)], 1))
        # To the law at the next level, if that at this one is met; the last step adds no noise.
        step = Langevin(level**2 - after**2, 0.5 * (after / level) ** 2)
        y = run(step, u, y, steps=1, rng=rng).state.y
    return y.unflatten(0, (ANSWERS, -1))


def judged(answers: Answers, truth: Tensor) -> tuple[dict[str, Any], Tensor]:
    """Scores and errors, and the score of each image."""
    score = energy_score(answers.y, truth, weights=answers.weights)
    errors = (answers.y - truth).square().flatten(2).sum(2)
    row: dict[str, Any] = {
        "energy_score": mean_and_error(score),
        "best_of_16": mean_and_error(errors.min(0).values),
        "one_answer": mean_and_error(errors.mean(0)),
        "training_seconds": answers.training,
        "drawing_seconds": answers.drawing,
    }
    return row, score


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """The mean, and its standard error."""
    values = values.double()
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def report(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    versions = ", ".join(f"{name} {record['versions'][name]}" for name in ("ebmlab", "torch"))
    lines = [
        f"`{record['command']}`",
        "",
        f"{record['machine']}, {record['threads']} thread; {versions}; commit {record['commit']}, "
        f"{record['date']}. Fashion-MNIST, lower half from upper half, 14 × 28 pixels in [0, 1], "
        f"{record['images']:,} test images, ± a standard error.",
        "",
        "| | energy score | best of 16 | one answer | training | drawing |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in record["rows"].items():
        numbers = [row[key] for key in ("energy_score", "best_of_16", "one_answer")]
        cells = [f"{value:.3f} ± {error:.3f}" for value, error in numbers]
        cells += [f"{row[key]:.0f} s" for key in ("training_seconds", "drawing_seconds")]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    lines += [
        "",
        "Best of 16 and one answer: squared error summed over 392 pixels, of the nearest of 16 "
        "answers and of their mean. Seconds are the processor's; the energy's include regression.",
    ]
    below = record.get("below", {})
    lines += [""] * bool(below)
    lines += [
        f"- The energy's score is {value:.3f} ± {error:.3f} below that of {name}."
        for name, (value, error) in below.items()
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
