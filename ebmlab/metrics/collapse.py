"""`Collapse`: tells during training that codes no longer tell data apart."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ebmlab._checks import require_positive
from ebmlab._precise import precise
from ebmlab._ranks import gathered, means, rank_count
from ebmlab.errors import ConfigurationError
from ebmlab.metrics.compared import compared
from ebmlab.metrics.signs import Signs
from ebmlab.metrics.spectrum import effective_rank
from ebmlab.metrics.spread import code_std
from ebmlab.protocols import Loss
from ebmlab.types import Tree

__all__ = ["Collapse", "CollapseWarning"]


class CollapseWarning(UserWarning):
    """Codes, or what they are assigned to, no longer tell data apart."""


_MENDS = {
    "codes": "data are no longer told apart, and whatever prevents collapse is missing or too "
    "weak: add negatives, a variance term (VICReg, SIGReg), or predictor and stopped gradient or "
    "teacher; raise its weight; take larger batches or smaller steps",
    "clusters": "one answer serves many data, and whatever balances the clusters is missing or "
    "too weak: assign by Sinkhorn, center the targets, or add the entropy of the mean; raise the "
    "targets' temperature; look whether prototypes are normalized",
    "stuck": "assignments are uniform and teach nothing: lower the temperatures, sharpen the "
    "targets, look whether logits and prototypes are normalized and get gradients, and whether "
    "prototypes stay frozen",
}


class Collapse:
    """Watches codes and loss during training and warns once of each of three kinds of collapse.

    *Codes*: they vary in few directions, or they are one constant vector, or they shrink to a
    point. *Clusters*: the data fall into few of K. *Stuck*: a loss, term or metric stands at
    ln K, that of a uniform choice among K outputs. A sign counts once it was there in `patience`
    looks in a row. Given to `fit` as `watch`, it looks at the recorded steps, at the codes that
    the energy's head compares. On several ranks all look together, at the codes of all, and find
    the same; the first one warns. What it remembers is saved and restored with the run.

    Metrics, where they are known: `effective_rank`, `code_std`, `code_spread` (the share of the
    codes' root mean square that varies, in [0, 1]), `clusters` (the perplexity of the highest
    logits), and `stuck` (0 or 1).

    Args:
        outputs: K; None asks the head, where it has logits of clusters.
        few: an effective rank, or a number of clusters, is collapse below `few` times the root
            of the largest that these rows allow, and in any case below 1.1.
        spread: a `code_spread` below this is collapse.
        shrink: a `code_std` below this share of the largest seen is collapse.
        tolerance: a number within this share of ln K stands there.
        patience: looks in a row.
        rows: how many data of a batch (of all ranks) it looks at, at least 2.
        stop: raise instead of warning.

    Raises:
        CollapseError: with `stop`, where it would warn.

    Example:
        >>> watch = Collapse()
        >>> watch.look(torch.eye(4))["effective_rank"] > 2.9
        True
        >>> watch.look(torch.ones(4, 4))["code_spread"]
        0.0
    """

    def __init__(
        self,
        outputs: int | None = None,
        *,
        few: float = 0.5,
        spread: float = 0.01,
        shrink: float = 0.05,
        tolerance: float = 1e-3,
        patience: int = 5,
        rows: int = 256,
        stop: bool = False,
    ) -> None:
        shares = {"few": few, "spread": spread, "shrink": shrink, "tolerance": tolerance}
        for name, value in shares.items():
            require_positive(name, value)
        if rows < 2 or (outputs is not None and outputs < 2):
            raise ConfigurationError(f"rows is {rows}, outputs {outputs}; both must be at least 2")
        self.outputs, self.few, self.spread, self.shrink = outputs, few, spread, shrink
        self.tolerance, self.rows = tolerance, rows
        self._widest = 0.0
        self._signs = Signs(patience, CollapseWarning, stop=stop)

    def __call__(
        self, method: nn.Module, batch: tuple[Tree, Tree], loss: Loss
    ) -> dict[str, float]:
        """Look at a method and its loss of a batch; what `fit(watch=…)` calls."""
        codes, logits = compared(method, *batch, math.ceil(self.rows / rank_count()))
        return self.look(codes, {"loss": loss.value, **loss.terms, **loss.metrics}, logits)

    def look(
        self,
        codes: Tensor | None = None,
        numbers: Mapping[str, Tensor | float] | None = None,
        logits: Tensor | None = None,
    ) -> dict[str, float]:
        """Look at codes (n, d), numbers that may stand at ln K, logits (n, K); return the metrics.

        Codes that are not finite, and those and logits of fewer than two data, are not judged.
        On several ranks each gives its own, as many as the others.
        """
        codes = None if codes is None else gathered("codes", precise(codes.detach()))
        logits = None if logits is None else gathered("logits", precise(logits.detach()))
        metrics: dict[str, float] = {}
        signs: dict[str, list[str]] = {}
        if codes is not None and len(codes) > 1 and bool(codes.isfinite().all()):
            metrics |= self._measured(codes)
            signs["codes"] = self._of_codes(metrics, min(len(codes) - 1, codes.shape[1]))
        outputs = self.outputs
        if logits is not None:
            outputs = outputs or logits.shape[1]
            if len(logits) > 1:
                metrics["clusters"] = _perplexity(logits.argmax(1))
                signs["clusters"] = self._of_clusters(metrics["clusters"], min(logits.shape))
        if outputs is not None:
            values = {k: float(torch.as_tensor(v).detach()) for k, v in (numbers or {}).items()}
            signs["stuck"] = self._stuck(means(values), outputs)
            metrics["stuck"] = float(bool(signs["stuck"]))
        for kind, seen in signs.items():
            if seen:
                self._signs.tell(kind, f"{seen[0]}; {_MENDS[kind]}")
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """What it remembers: the widest codes seen, looks in a row of each sign, what it told."""
        return {"widest": self._widest, **self._signs.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._widest = float(state["widest"])
        self._signs.load_state_dict(state)

    def _measured(self, codes: Tensor) -> dict[str, float]:
        variance, square = codes.var(0).mean(), codes.square().mean()
        share = torch.where(square > 0, variance / square, 0.0).clamp(max=1).sqrt()
        rank, std = effective_rank(codes), code_std(codes)
        self._widest = max(self._widest, std)
        return {"effective_rank": rank, "code_std": std, "code_spread": float(share)}

    def _of_codes(self, metrics: dict[str, float], most: int) -> list[str]:
        rank, std, spread = (metrics[k] for k in ("effective_rank", "code_std", "code_spread"))
        found: list[str] = []
        if self._signs.lasts("constant", spread < self.spread):
            found.append(f"codes are one constant vector: {spread:.2%} of their size varies")
        if self._signs.lasts("shrunk", std < self.shrink * self._widest):
            found.append(
                f"codes shrink to a point: their standard deviation is {std:.1e}, and was "
                f"{self._widest:.1e}"
            )
        if self._signs.lasts("rank", most > 1 and rank < self._least(most)):
            found.append(f"codes vary in few directions: effective rank {rank:.2f} of {most}")
        # Only the first is told: of codes that do not vary no rank need be.
        return found

    def _of_clusters(self, used: float, most: int) -> list[str]:
        found = self._signs.lasts("clusters", most > 1 and used < self._least(most))
        seen = f"data fall into few clusters: {used:.2f} of {most} that there could be"
        return [seen] * found

    def _least(self, most: int) -> float:
        return max(1.1, self.few * math.sqrt(most))

    def _stuck(self, numbers: Mapping[str, float], outputs: int) -> list[str]:
        level = math.log(outputs)
        near = {name: abs(v - level) <= self.tolerance * level for name, v in numbers.items()}
        lasting = [
            name for name, is_near in near.items() if self._signs.lasts(f"at {name}", is_near)
        ]
        place = f"ln {outputs} = {level:.3f}, as if all {outputs} outputs were equally likely"
        return [f"{name} stays at {place}" for name in lasting]


def _perplexity(index: Tensor) -> float:
    share = index.bincount().double() / len(index)
    return float(torch.special.entr(share).sum().exp())
