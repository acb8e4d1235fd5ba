"""Points along blurred curves of the plane, with their density where it can be integrated."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._distances import squared_distances
from ebmlab.data._random import normal, sign, uniform
from ebmlab.data._toy import KnownToy, polar

__all__ = ["Spirals", "SwissRoll", "TwoMoons"]

# Points judged at a time where a density is a sum over a curve.
_BLOCK = 4096


class _Curve(KnownToy):
    """A curve, mostly with its mirror image through the origin, blurred by N(0, noise² I)."""

    noise: float
    _mirrored: ClassVar[bool] = True
    # Along the curve, so that they lie closer than its blur.
    _nodes: ClassVar[int]

    def __post_init__(self) -> None:
        require_positive("noise", self.noise)

    @abstractmethod
    def _at(self, share: Tensor) -> Tensor:
        """The curve's points (n, 2) below which a share (n,) of its mass lies."""

    def _draw(self, n: int, rng: torch.Generator) -> Tensor:
        side = sign(n, rng)[:, None] if self._mirrored else 1
        return side * self._at(uniform(n, rng)) + self.noise * normal(n, rng)

    def _log_density(self, y: Tensor) -> Tensor:
        """log of the mean of Gaussians along the curve: Gauss and Legendre's rule over √share."""
        places, weights = np.polynomial.legendre.leggauss(self._nodes)
        root = (torch.tensor(places, device=y.device) + 1) / 2
        centers = self._at(root.square())
        level = (torch.tensor(weights, device=y.device) * root).log()
        sides = (1, -1) if self._mirrored else (1,)
        area = 2 * math.pi * self.noise**2 * len(sides)
        level = (level - math.log(area)).repeat(len(sides))
        parts = []
        for part in y.reshape(-1, 2).split(_BLOCK):
            each = [squared_distances(side * part, centers).double() for side in sides]
            parts.append((level - torch.cat(each, 1) / (2 * self.noise**2)).logsumexp(1))
        return torch.cat(parts).reshape(y.shape[:-1]).to(y)


@dataclass(frozen=True)
class TwoMoons(_Curve):
    """Two interlocking half circles of radius `radius`, blurred by N(0, noise² I)."""

    radius: float = 1.6
    noise: float = 0.12
    _nodes: ClassVar[int] = 128

    def _at(self, share: Tensor) -> Tensor:
        half_circle = polar(math.pi * share)
        # Shifted so that it interlocks with its mirror image through the origin.
        return self.radius * (half_circle - half_circle.new_tensor([0.5, 0.25]))


@dataclass(frozen=True)
class Spirals(_Curve):
    """Two Archimedean arms, r = radius·s at the angle 2π·turns·s with s² ~ U(0, 1), blurred."""

    radius: float = 2.5
    turns: float = 1.5
    noise: float = 0.08
    _nodes: ClassVar[int] = 320

    def _at(self, share: Tensor) -> Tensor:
        along = share.sqrt()
        return self.radius * along[:, None] * polar(2 * math.pi * self.turns * along)


@dataclass(frozen=True)
class SwissRoll(_Curve):
    """One Archimedean arm, r = radius·s at the angle 2π·turns·s with s ~ U(inner, 1), blurred."""

    radius: float = 2.5
    turns: float = 2.25
    inner: float = 1 / 3
    noise: float = 0.08
    _nodes: ClassVar[int] = 480
    _mirrored: ClassVar[bool] = False

    def _at(self, share: Tensor) -> Tensor:
        along = torch.lerp(share.new_tensor(self.inner), share.new_tensor(1.0), share)
        return self.radius * along[:, None] * polar(2 * math.pi * self.turns * along)
