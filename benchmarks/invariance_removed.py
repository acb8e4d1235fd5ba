"""The same methods with what prevents collapse taken out, and what theory says will follow.

The energy alone is least where all codes are one. Batch normalization, in encoder and projector,
keeps them from getting there: what is left of cosines is a few directions, of distances a size.
"""

from collections.abc import Callable
from dataclasses import dataclass

import invariance_methods as settings
from torch import Tensor, nn

from ebmlab import FreeEnergy, methods
from ebmlab.energies import Assignment, Cosine, JointEmbedding, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.inference import Centered
from ebmlab.networks import MLP, BatchNorm, ConvEncoder, Expander, Projector, Prototypes
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method
from ebmlab.teachers import EMA
from ebmlab.types import Tree

__all__ = ["REMOVED", "Removed"]

POINT = "codes of few directions"
SHRUNK = "codes shrink to a point"


@dataclass(frozen=True)
class Removed:
    """A method without its anti-collapse part.

    Args:
        base: the method, whose other settings are kept.
        without: what is missing.
        recipe: (encoder, steps) -> method.
        theory: what follows.
    """

    base: str
    without: str
    recipe: Callable[[ConvEncoder, int], Method]
    theory: str


class _Unstopped(Energy):
    """A cosine of the prediction and the code, both of which move."""

    def __init__(self, predictor: nn.Module) -> None:
        super().__init__()
        self.predictor, self.energy = predictor, Cosine()

    def forward(self, x: Tree, y: Tree, z: Tensor | None = None) -> Tensor:
        assert isinstance(x, Tensor)
        shape = x.shape
        return self.energy(self.predictor(x.reshape(-1, shape[-1])).reshape(shape), y)


def _attraction(online: nn.Module, target: nn.Module, head: Energy, f: ConvEncoder) -> Method:
    """The energy alone: views agree, and nothing else is asked."""
    return Method(JointEmbedding(online, target, head, x_ndim=3), Regularized(), encoder=f)


def simclr(f: ConvEncoder, steps: int) -> Method:
    g = nn.Sequential(f, Projector(f.dim, f.dim, 64))
    return _attraction(g, g, Cosine(), f)


def siamese(f: ConvEncoder, steps: int) -> Method:
    return _attraction(f, f, SquaredDistance(), f)


def moco(f: ConvEncoder, steps: int) -> Method:
    g = nn.Sequential(f, MLP(f.dim, 64, (f.dim,), nn.ReLU))
    return _attraction(g, EMA(g, 0.99), Cosine(), f)


def byol(f: ConvEncoder, steps: int) -> Method:
    g = nn.Sequential(f, Projector(f.dim, 256, 128))
    return _attraction(g, EMA(g, 0.0), Cosine(), f)


def simsiam(f: ConvEncoder, steps: int) -> Method:
    last = BatchNorm(256, affine=False)
    g = nn.Sequential(f, Projector(f.dim, 256, 256, layers=3, last=last))
    return _attraction(g, g, _Unstopped(Projector(256, 64, 256)), f)


def w_mse(f: ConvEncoder, steps: int) -> Method:
    g = nn.Sequential(f, Projector(f.dim, 256, 64))
    return _attraction(g, g, Cosine(), f)


def lejepa(f: ConvEncoder, steps: int) -> Method:
    g = nn.Sequential(f, Projector(f.dim, 256, 64, layers=3))
    return _attraction(g, g, SquaredDistance(), f)


def vicreg(f: ConvEncoder, steps: int) -> Method:
    projector = Expander(f.dim, 256, 256)
    return methods.vicreg(f, 256, projector=projector, std=0.0, cov=0.0, x_ndim=3)


def barlow_twins(f: ConvEncoder, steps: int) -> Method:
    g = nn.Sequential(f, Expander(f.dim, 256, 256))
    return _attraction(g, g, SquaredDistance(), f)


def redundant(f: ConvEncoder, steps: int) -> Method:
    return methods.barlow_twins(f, f.dim, projection=256, hidden=256, off_diagonal=0.0, x_ndim=3)


def swav(f: ConvEncoder, steps: int) -> Method:
    g = nn.Sequential(f, Projector(f.dim, 256, 64))
    # A center that never moves from 0: plain softmax of the scores.
    head = FreeEnergy(Assignment(Prototypes(64, 300), 0.1), Centered(64, 0.05, momentum=1.0))
    return _attraction(g, g, head, f)


def uncentered(f: ConvEncoder, steps: int) -> Method:
    return _dino(f, target_temperature=0.04, momentum=1.0)


def unsharpened(f: ConvEncoder, steps: int) -> Method:
    return _dino(f, target_temperature=1.0, momentum=0.9)


def _dino(f: ConvEncoder, target_temperature: float, momentum: float) -> Method:
    return methods.dino(
        f,
        f.dim,
        outputs=512,
        hidden=256,
        bottleneck=64,
        target_temperature=target_temperature,
        momentum=momentum,
        decay=0.97,
        x_ndim=3,
    )


REMOVED: dict[str, Removed] = {
    "simclr": Removed("simclr", "negatives", simclr, POINT),
    "vicreg": Removed("vicreg", "variance, covariance", vicreg, SHRUNK),
    "byol": Removed("byol", "predictor, slow teacher", byol, POINT),
    "swav": Removed("swav", "equal shares (softmax)", swav, "one cluster for all"),
    "simsiam": Removed("simsiam", "stopped gradient", simsiam, POINT),
    "barlow_twins": Removed("barlow_twins", "cross-correlation", barlow_twins, SHRUNK),
    "redundant": Removed("barlow_twins", "off-diagonal", redundant, "dimensions say the same"),
    "moco": Removed("moco", "negatives", moco, POINT),
    "dino": Removed("dino", "center", uncentered, "one cluster for all"),
    "unsharpened": Removed("dino", "low target temperature", unsharpened, "loss at ln 512"),
    "lejepa": Removed("lejepa", "SIGReg", lejepa, SHRUNK),
    "w_mse": Removed("w_mse", "whitening", w_mse, POINT),
    "siamese": Removed("siamese", "negatives", siamese, SHRUNK),
}

assert {removed.base for removed in REMOVED.values()} <= set(settings.SETTINGS)
