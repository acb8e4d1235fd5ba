"""What a model of texts is worth: bits of held-out tokens beside counts, and sets of answers."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebmlab.data import Text
from ebmlab.energies import Categorical
from ebmlab.prediction import Adaptive, Nonconformity, RawEnergy, Surprisal, calibrate_choices
from ebmlab.prediction.choices import Judged
from ebmlab.runs._texts.counts import beside_bits, single_bits
from ebmlab.runs._texts.run import TextRun
from ebmlab.runs._texts.text_sets import text_set
from ebmlab.runs.kind import Findings, Look

__all__ = ["KINDS", "LEVEL", "Asked", "shown_text", "text_findings", "text_look"]

LEVEL, SEEN, CHUNK = 0.9, 256, 256
KINDS: dict[str, Nonconformity] = {
    "F + log Z": Surprisal(),
    "F": RawEnergy(),
    "adaptive": Adaptive(),
}


def text_look(built: TextRun) -> Look:
    """Bits of held-out tokens."""
    x, y = built.questions(built.texts.held_out, SEEN)
    return Look(
        {"held-out bits": float(_bits((-_energies(built, x)).log_softmax(1), y).mean())}, None
    )


def text_findings(built: TextRun, data: str | None, limit: int | None) -> Findings:
    """Bits of a token that is asked for, by counts and by the model; sizes of sets of answers.

    Of the held-out text the first half calibrates the sets, and the second judges.

    Raises:
        ConfigurationError: the text is too short.
        DataError: the text cannot be read, or holds characters that the run has never seen.
    """
    held = shown_text(built, data)
    most = limit or len(held)
    x, y = built.questions(held, most)
    log_p = (-_energies(built, x)).log_softmax(1)
    numbers = {
        **_by_counts(built, x, y),
        "bits per token": float(_bits(log_p, y).mean()),
        "share of tokens that are the likeliest": float((log_p.argmax(1) == y).double().mean()),
    }
    asked = Asked.of(built, held, most)
    for name in KINDS:
        judged = asked.sets(name, LEVEL)
        numbers[f"answers in a set, by {name}"] = float(judged.sizes.double().mean())
        numbers[f"sets that hold the truth ({LEVEL:.0%} promised), by {name}"] = (
            judged.coverage.share
        )
    return Findings(len(built.texts.train), len(y), numbers, {}, None)


def shown_text(built: TextRun, data: str | None) -> Text:
    """The held-out part of the run's text, or of another, in the run's vocabulary."""
    held = built.texts.held_out
    if data is None:
        return held
    other = text_set(data).held_out
    tokens = held.vocabulary.encode(other.decode(other.tokens))
    return Text(tokens.to(built.device), held.vocabulary)


class Asked(NamedTuple):
    """Questions of the first half of a text, which calibrate, and of the second, which judge.

    Attributes:
        tokens: all that a token can be, (K,).
        calibrating: energies of all tokens (m, K), and the right ones (m,).
        questions: x of the second half, (n, LENGTH).
        judging: energies (n, K) and the right tokens (n,).
    """

    tokens: Tensor
    calibrating: tuple[Tensor, Tensor]
    questions: Tensor
    judging: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, built: TextRun, held: Text, most: int) -> "Asked":
        """Of at most so many questions in each half."""
        parts = [built.questions(part, most) for part in held.split(0.5)]
        first, second = ((_energies(built, x), y) for x, y in parts)
        return cls(built.tokens, first, parts[1][0], second)

    def sets(self, name: str, level: float) -> Judged:
        """The sets of the second half, by one of `KINDS`."""
        # Energies are computed once for all levels and kinds: a table of them is an energy too.
        table = Categorical(_Minus(), x_ndim=1)
        rng = torch.Generator(self.tokens.device).manual_seed(0)
        how = {"nonconformity": KINDS[name], "rng": rng}
        found = calibrate_choices(table, self.tokens, *self.calibrating, level, **how)
        return found.judge(*self.judging, rng=rng)


class _Minus(nn.Module):
    def forward(self, energies: Tensor) -> Tensor:
        return -energies


def _by_counts(built: TextRun, x: Tensor, y: Tensor) -> dict[str, float]:
    train, k, site = built.texts.train.tokens, len(built.tokens), built.preset.site
    left = x[:, [site]] if built.preset.causal else x[:, [site - 1]]
    found = {
        "bits per token by counts of tokens": single_bits(train, y, k),
        "by counts of pairs": beside_bits(train, (-1,), left, y, k),
    }
    if not built.preset.causal:
        both = torch.cat([left, x[:, [site + 1]]], 1)
        found["by counts with both neighbors"] = beside_bits(train, (-1, 1), both, y, k)
    return {name: float(bits.mean()) for name, bits in found.items()}


@torch.no_grad()
def _energies(built: TextRun, x: Tensor) -> Tensor:
    """E of every token, (n, K) in float64, a block at a time."""
    energy, tokens = built.asked, built.tokens
    return torch.cat([energy.at_each(part, tokens) for part in x.split(CHUNK)]).double()


def _bits(log_p: Tensor, y: Tensor) -> Tensor:
    return -log_p.gather(1, y[:, None]).squeeze(1) / math.log(2)
