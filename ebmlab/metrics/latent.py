"""`Latent`: tells during training that z is dead, or does not mean what lies between x and y."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ebmlab._checks import leaves, require_counts, require_positive, require_shares
from ebmlab._kinds import require_a
from ebmlab._precise import precise
from ebmlab._ranks import gathered, rank_count
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.metrics.compared import first_rows, inner_method, leafwise, still
from ebmlab.metrics.signs import Signs
from ebmlab.protocols import Loss
from ebmlab.types import Tree

__all__ = ["Latent", "LatentWarning"]


class LatentWarning(UserWarning):
    """The latent z is not used, or does not mean what it should."""


_MENDS = {
    "dead": "keep in the codes what only z explains (regularizers.Within), give z more room (a "
    "lower temperature, more codes), or weigh the energy more",
    "target": "z names y, and means another thing for each x: let z choose what is done to every "
    "x alike (networks.Operators), or carry fewer nats (fewer codes, a higher temperature)",
    "split": "z means another thing for each x: let it choose what is done to every x alike "
    "(networks.Operators), or narrow the predictor",
}


class Latent:
    """Watches z during training, without labels, and warns once of each of three kinds of trouble.

    *Dead*: another datum's z does as well, as where all z do the same, or one has all data.
    *Target*: z can be read off the code of y alone. What was done to x cannot, unless it hangs on
    y: of "turned by 90 degrees" y shows nothing, of "now lies on its side" it shows all, and
    KL(q || prior) is the same. *Split*: z lowers the energy, but no one map of codes for each z
    explains how. A sign counts once it was there in `patience` looks in a row. Given to `fit` as
    `watch`, it looks at the recorded steps, at the codes that the head compares. On several ranks
    all look together, at the data of all, and find the same; the first one warns. What it
    remembers is saved and restored with the run.

    z that stands for y by design (an autoencoder's, the angle of an ellipse) is read off y: set
    `target` to 1. Energies that do not take x are judged on being dead only.

    Metrics: `latent_gain`, mean E with another datum's z less mean E, in standard deviations of
    the former; `latent_in_y`, the share of the variance of z that ridge regression explains
    by the code of y (R² of rows left out; below 0 of nothing); `latent_shared`, the share of what
    x leaves open of y that z then explains, both by maps that are linear in the code of x.

    Args:
        gain: below this `latent_gain` z is dead.
        target: above this `latent_in_y` z names y.
        shared: where `latent_shared` is below this share of `latent_gain` (or of 1), z is split.
        patience: looks in a row.
        rows: how many data of a batch (of all ranks) it looks at, at least 8.
        stop: raise instead of warning.

    Raises:
        CollapseError: with `stop`, where it would warn.
        ConfigurationError: the method's energy infers no z.

    Example:
        >>> from ebmlab import methods
        >>> from ebmlab.networks import Operators
        >>> p = Operators(2, 3, spread=0.0)  # all z do the same
        >>> method = methods.jepa(nn.Identity(), 2, 3, predictor=p)
        >>> x, y = torch.randn(2, 64, 2, generator=torch.Generator().manual_seed(0))
        >>> round(Latent().look(method.energy, x, y)["latent_gain"], 6)
        0.0
    """

    def __init__(
        self,
        *,
        gain: float = 0.02,
        target: float = 0.2,
        shared: float = 0.4,
        patience: int = 20,
        rows: int = 256,
        stop: bool = False,
    ) -> None:
        require_positive("gain", gain)
        require_shares(target=target, shared=shared)
        require_counts(8, rows=rows)
        self.gain, self.target, self.shared, self.rows = gain, target, shared, rows
        self._signs = Signs(patience, LatentWarning, stop=stop)

    def __call__(
        self, method: nn.Module, batch: tuple[Tree, Tree], loss: Loss
    ) -> dict[str, float]:
        """Look at a method's z of a batch; what `fit(watch=…)` calls."""
        inner = inner_method(method)
        if inner is None:
            return {}
        x, y = first_rows(*batch, math.ceil(self.rows / rank_count()))
        with still(inner, batch=len(leaves(y)[0]) * rank_count() > 1):
            return self.look(inner.energy, x, y)

    @torch.no_grad()
    def look(self, energy: Energy, x: Tree, y: Tree) -> dict[str, float]:
        """Look at z of (x, y), as the energy stands; return the metrics.

        On several ranks each gives its own rows, as many as the others.
        """
        mend = "one that infers z, such as that of methods.jepa(…, infer)"
        free = require_a(FreeEnergy, "energy", energy, mend)
        codes = free.energy.codes(*leafwise(partial(gathered, "data"), x, y))
        hx, hy = codes.groups()[0]
        metrics = _measured(free, codes.head, hx, hy)
        for kind, (present, seen) in self._seen(metrics).items():
            if self._signs.lasts(kind, present):
                self._signs.tell(kind, f"{seen}; {_MENDS[kind]}")
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """What it remembers: how long each sign has lasted, and what it told."""
        return self._signs.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._signs.load_state_dict(state)

    def _seen(self, metrics: dict[str, float]) -> dict[str, tuple[bool, str]]:
        gain = metrics["latent_gain"]
        told, shared = metrics.get("latent_in_y", 0.0), metrics.get("latent_shared", torch.inf)
        dead, alive = gain < self.gain, gain >= self.gain
        return {
            "dead": (dead, f"z is dead: that of another datum costs {gain:.3f} deviations more"),
            "target": (
                alive and told > self.target,
                f"z is read off y alone, {told:.0%} of its variance, whatever x is",
            ),
            "split": (
                alive and shared < self.shared * min(1.0, gain),
                "z lowers the energy, but one map for each z explains only "
                f"{max(shared, 0):.0%} of what x leaves open",
            ),
        }


def _measured(free: FreeEnergy, head: Energy, hx: Tree, hy: Tree) -> dict[str, float]:
    rng = torch.Generator(_device(hy)).manual_seed(0)
    q = free.infer(head, hx, hy, free.temperature, rng=rng)
    z = require_a(Tensor, "z", q.atoms, "Latent looks at one z, not at several parts")
    batch = q.information.shape
    weights = q.weights.expand(len(z), *batch).flatten(1)
    z = z.expand(len(z), *batch, *z.shape[1 + len(batch) :]).flatten(1, len(batch))
    order = torch.randperm(weights.shape[1], generator=rng, device=rng.device)
    # Every datum meets the z of another.
    other = torch.empty_like(order)
    other[order] = order.roll(1)
    own, swapped = (
        (w * head(hx, hy, a.unflatten(1, batch), rng=rng).flatten(1)).sum(0)
        for w, a in ((weights, z), (weights[:, other], z[:, other]))
    )
    scale = swapped.std().clamp(min=torch.finfo(swapped.dtype).tiny)
    metrics = {"latent_gain": float((swapped - own).mean() / scale)}
    if free.energy.takes_x and isinstance(hx, Tensor) and isinstance(hy, Tensor):
        mean = (weights[..., None] * z.flatten(2)).sum(0)
        metrics |= _told(_rows(hx, batch), _rows(hy, batch), mean)
    return metrics


def _told(hx: Tensor, hy: Tensor, z: Tensor) -> dict[str, float]:
    x, y, z = map(_scaled, (hx, hy, z))
    alone = x @ x.mT
    left = 1 - _explained(alone, y)
    # Features x, z, and x ⊗ z: a linear map of x for each z.
    still_left = 1 - _explained(alone + (1 + alone) * (z @ z.mT), y)
    return {"latent_in_y": _explained(y @ y.mT, z), "latent_shared": 1 - still_left / left}


def _explained(kernel: Tensor, t: Tensor) -> float:
    """R² of rows t that are left out in turn, by ridge regression on features of this kernel."""
    n = len(kernel)
    scale = kernel.diagonal().mean().clamp(min=torch.finfo(kernel.dtype).tiny)
    total = ((t - t.mean(0)) * (n / (n - 1))).square().sum()
    best = -torch.inf
    for penalty in (0.01, 0.1, 1.0):
        system = kernel / scale + 1 + penalty * torch.eye(n, dtype=kernel.dtype, device=t.device)
        inverse = torch.linalg.inv(system)
        missed = inverse @ t / inverse.diagonal()[:, None]
        best = max(best, float(1 - missed.square().sum() / total))
    return best


def _scaled(h: Tensor) -> Tensor:
    """Rows without their mean, of mean square 1 (or 0)."""
    h = precise(h).double()
    h = h - h.mean(0)
    return h / h.square().sum(1).mean().sqrt().clamp(min=1e-12)


def _rows(h: Tensor, batch: torch.Size) -> Tensor:
    return h.expand(*batch, *h.shape[len(batch) :]).flatten(0, len(batch) - 1).flatten(1)


def _device(tree: Tree) -> torch.device:
    return next(t.device for t in (tree if isinstance(tree, tuple) else (tree,)) if t is not None)
