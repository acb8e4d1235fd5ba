"""Pictures of a run on texts: questions with their answers, and how large sets of them are."""

from pathlib import Path

import torch
from torch import Tensor

from ebmlab import plot
from ebmlab._disk import write_whole
from ebmlab.runs._texts.numbers import KINDS, LEVEL, Asked, shown_text
from ebmlab.runs._texts.run import TextRun
from ebmlab.runs.kind import Sketch, saved

__all__ = ["draw_text", "write_samples"]

ROWS, BEFORE, AFTER, SEEN = 12, 16, 10, 2000
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
# How characters are written that would not be seen.
SEEN_AS = {" ": "␣", "\n": "↵", "\t": "→", "\r": "↲"}


def draw_text(built: TextRun, out: Path, sketch: Sketch) -> list[Path]:
    """Write answers.png, questions from held-out text, and sizes.png, of sets of answers."""
    held = shown_text(built, sketch.data)
    asked = Asked.of(built, held, SEEN)
    energies, right = asked.judging
    rows = torch.linspace(0, len(right) - 1, min(ROWS, len(right))).long().to(right.device)
    answers = plot.answers(
        (-energies[rows]).softmax(1),
        [_seen(held.decode(token[None])) for token in built.tokens],
        sets=asked.sets("F + log Z", LEVEL).sets[rows],
        right=right[rows],
        sides=[_question(built, row) for row in asked.questions[rows]],
        title=f"{sketch.title}: sets that hold {LEVEL:.0%}",
    )
    sizes = {
        name: [float(asked.sets(name, level).sizes.double().mean()) for level in LEVELS]
        for name in KINDS
    }
    curves = plot.curves(
        sizes, LEVELS, xlabel="promised coverage", ylabel="answers in a set", title=sketch.title
    )
    return saved(out, {"answers": answers.figure, "sizes": curves.figure})


def write_samples(built: TextRun, out: Path, n: int, seed: int) -> list[Path]:
    """Write n texts that the model draws into a file, with a line between each two."""
    rng = torch.Generator(built.device).manual_seed(seed)
    drawn = built.preset.makes(built.method, built.texts.train, n, rng)
    texts = [built.texts.train.decode(row) for row in drawn]
    write_whole(out, (f"\n{'-' * 40}\n".join(texts) + "\n").encode())
    return [out]


def _question(built: TextRun, x: Tensor) -> str:
    """What stands around the token that is asked for."""
    site = built.preset.site
    if built.preset.causal:
        row = torch.cat([x[-BEFORE:], x.new_tensor([built.texts.train.hidden])])
    else:
        row = x[site - BEFORE : site + AFTER + 1]
    return _seen(built.texts.train.decode(row))


def _seen(string: str) -> str:
    return "".join(SEEN_AS.get(character, character) for character in string)
