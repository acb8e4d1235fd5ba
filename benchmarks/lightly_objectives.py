"""lightly's losses on the codes of a method's own encoders, heads and teachers.

`BORROWED[name](method)` is the loss as lightly's documentation calls it: a function of the codes
of both views, by the online encoder and by the target. Call `lightly_losses.available()` first.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ebmlab.codes import Codes
from ebmlab.protocols import CodeObjective, Loss, Method
from ebmlab.types import Rng

__all__ = ["BORROWED", "Borrowed", "part", "with_lightly"]

Two = tuple[Tensor, Tensor]
# What compares codes (z0, z1) of the online encoder and (t0, t1) of the target.
Compare = Callable[[Two, Two], Tensor]


class Borrowed(CodeObjective):
    """A loss of lightly's as the objective of a method."""

    def __init__(self, compare: Compare) -> None:
        super().__init__()
        self.compare = compare

    def of(self, codes: Codes, rng: Rng) -> Loss:
        """The loss of two views."""
        (x0, x1), (y0, y1) = codes.x, codes.y
        assert isinstance(x0, Tensor)
        assert isinstance(x1, Tensor)
        assert isinstance(y0, Tensor)
        assert isinstance(y1, Tensor)
        return Loss(self.compare((x0, x1), (y0, y1)).squeeze(), {}, {})


def with_lightly(name: str, method: Method) -> Method:
    """The same encoders and heads, trained by lightly's loss."""
    return Method(method.energy, Borrowed(BORROWED[name](method)), encoder=method.encoder)


def _simclr(method: Method) -> Compare:
    from lightly.loss import NTXentLoss

    loss = NTXentLoss(part(method, "objective.loss.temperature"))
    return lambda z, t: loss(z[0], z[1])


def _moco(method: Method) -> Compare:
    from lightly.loss import NTXentLoss

    size, dim = part(method, "objective.negatives.memory.codes").shape
    loss = NTXentLoss(part(method, "objective.loss.temperature"), (size, dim))
    return lambda z, t: 0.5 * (loss(z[0], t[1]) + loss(z[1], t[0]))


def _nnclr(method: Method) -> Compare:
    from lightly.loss import NTXentLoss
    from lightly.models.modules import NNMemoryBankModule

    loss = NTXentLoss(part(method, "objective.loss.temperature"))
    memory = NNMemoryBankModule(tuple(part(method, "energy.head.memory.codes").shape))
    predictor = part(method, "energy.head.predictor")

    def compare(z: Codes, t: Codes) -> Tensor:
        p0, p1 = predictor(z[0]), predictor(z[1])
        near0 = memory(z[0].detach(), update=False)
        near1 = memory(z[1].detach(), update=True)
        return 0.5 * (loss(near0, p1) + loss(near1, p0))

    return compare


def _predicted(method: Method) -> Compare:
    from lightly.loss import NegativeCosineSimilarity

    loss, predictor = NegativeCosineSimilarity(), part(method, "energy.head.predictor")

    def compare(z: Codes, t: Codes) -> Tensor:
        p0, p1 = predictor(z[0]), predictor(z[1])
        return 0.5 * (loss(p0, t[1].detach()) + loss(p1, t[0].detach()))

    return compare


def _swav(method: Method) -> Compare:
    from lightly.loss import SwaVLoss

    loss = SwaVLoss(temperature=part(method, "energy.head.energy.temperature"))
    prototypes = part(method, "energy.head.energy.prototypes")
    return lambda z, t: loss([prototypes(z[0]), prototypes(z[1])], [])


def _dino(method: Method) -> Compare:
    from lightly.loss import DINOLoss

    loss = DINOLoss(len(part(method, "energy.head.infer.center")))
    return lambda z, t: loss(list(t), list(z))


def _vicreg(method: Method) -> Compare:
    from lightly.loss import VICRegLoss

    loss = VICRegLoss()
    return lambda z, t: loss(z[0], z[1])


def _barlow_twins(method: Method) -> Compare:
    from lightly.loss import BarlowTwinsLoss

    weight = part(method, "objective.regularizer.off_diagonal")
    loss = BarlowTwinsLoss(lambda_param=weight)
    return lambda z, t: loss(z[0], z[1])


def _lejepa(method: Method) -> Compare:
    from lightly.loss.lejepa_loss import SIGReg, lejepa_invariance_loss

    share = part(method, "objective.weight")
    sigreg = SIGReg(num_vectors=part(method, "objective.regularizer.directions"))

    def compare(z: Codes, t: Codes) -> Tensor:
        # lightly's loss insists on local views; these are its two parts, for global ones. Its mean
        # over the dimensions is undone, so that λ means the same on both sides.
        h = torch.stack(z)
        pull = h.shape[-1] * lejepa_invariance_loss(all_proj=h, global_proj=h)
        return share * sigreg(h) + (1 - share) * pull

    return compare


def _w_mse(method: Method) -> Compare:
    from lightly.loss import WMSELoss

    dim = part(method, "energy.online")[-1][-1].out_features
    loss = WMSELoss(embedding_dim=dim, w_size=part(method, "energy.head.rows"))
    return lambda z, t: loss(torch.cat(z))


BORROWED: dict[str, Callable[[Method], Compare]] = {
    "simclr": _simclr,
    "vicreg": _vicreg,
    "byol": _predicted,
    "swav": _swav,
    "simsiam": _predicted,
    "barlow_twins": _barlow_twins,
    "moco": _moco,
    "nnclr": _nnclr,
    "dino": _dino,
    "lejepa": _lejepa,
    "w_mse": _w_mse,
}


def part(method: Method, path: str) -> Any:
    """A part or a setting by its path, as `energy.head.predictor`; not all of them are modules."""
    return reduce(getattr, path.split("."), method)
