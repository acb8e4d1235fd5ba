"""Planes through the space of y."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ebmlab._checks import require_generator, require_same_kind, require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError

__all__ = ["Plane"]


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane y(a, b) = origin + a · axes[0] + b · axes[1], in a space of any event shape.

    Args:
        origin: (*event), where a = b = 0.
        axes: (2, *event), neither zero nor parallel; they need not be orthonormal.

    Raises:
        ShapeError: axes is not (2, *event).
        DtypeError, DeviceError: origin and axes differ, or are not floating point.
        ConfigurationError: the axes span no plane.

    Example:
        >>> plane = Plane(torch.zeros(3), torch.eye(3)[:2])
        >>> plane.points(torch.tensor([1.0]), torch.tensor([2.0]))
        tensor([[1., 2., 0.]])
    """

    origin: Tensor
    axes: Tensor

    def __post_init__(self) -> None:
        require_same_kind({"origin": self.origin, "axes": self.axes})
        require_floats("origin", self.origin)
        require_floats("axes", self.axes)
        if self.axes.shape != (2, *self.origin.shape):
            raise ShapeError(
                f"axes has shape {tuple(self.axes.shape)}, but the origin is "
                f"{tuple(self.origin.shape)}; expected two directions, (2, *event)"
            )
        first, second = precise(self.axes.detach().reshape(2, -1))
        normal = second - first * (first @ second) / (first @ first)
        if not bool(normal.norm() > 100 * torch.finfo(first.dtype).eps * second.norm()):
            raise ConfigurationError(
                "the two axes are zero, parallel or not finite and span no plane; the points "
                "handed to Plane.through must not lie on one line"
            )

    @classmethod
    def xy(cls, dim: int = 2, origin: Tensor | None = None) -> Self:
        """The plane of the first two coordinates of vectors y (dim,), through origin (dim,) or 0.

        Example:
            >>> Plane.xy(3).points(torch.tensor([1.0]), torch.tensor([2.0]))
            tensor([[1., 2., 0.]])
        """
        if dim < 2:
            raise ConfigurationError(f"dim is {dim}; a plane needs at least 2 coordinates")
        origin = torch.zeros(dim) if origin is None else origin
        if origin.shape != (dim,):
            raise ShapeError(f"origin has shape {tuple(origin.shape)}; dim is {dim}: ({dim},)")
        return cls(origin, torch.eye(2, dim, dtype=origin.dtype, device=origin.device))

    @classmethod
    def through(cls, p: Tensor, q: Tensor, r: Tensor) -> Self:
        """The plane through three points, in their affine coordinates.

        p lies at (0, 0), q at (1, 0) and r at (0, 1), so that all three are found in the picture;
        the axes are q - p and r - p, neither unit nor orthogonal.

        Example:
            >>> plane = Plane.through(torch.zeros(3), torch.ones(3), torch.tensor([0.0, 0.0, 5.0]))
            >>> plane.coordinates(torch.tensor([[2.0, 2.0, 7.0]])).round(decimals=4)
            tensor([[2., 1.]])
        """
        require_same_kind({"p": p, "q": q, "r": r})
        if not p.shape == q.shape == r.shape:
            shapes = ", ".join(str(tuple(point.shape)) for point in (p, q, r))
            raise ShapeError(f"p, q and r have shapes {shapes}; they are points of one space")
        return cls(p, torch.stack([q - p, r - p]))

    @classmethod
    def pca(cls, data: Tensor) -> Self:
        """The plane of most variance: through the mean, along two unit principal directions.

        Of each direction's two signs, the one that makes its largest entry positive is taken.

        Args:
            data: (n, *event), at least three points that do not lie on one line.

        Source: Pearson 1901, "On lines and planes of closest fit to systems of points in space".

        Example:
            >>> Plane.pca(torch.tensor([[3.0, 0], [-3, 0], [0, 1], [0, -1]])).axes
            tensor([[1., 0.],
                    [0., 1.]])
        """
        require_floats("data", require_tensor("data", data))
        if data.ndim < 2 or len(data) < 3 or data[0].numel() < 2:
            raise ShapeError(
                f"data has shape {tuple(data.shape)}; expected (n, *event), at least 3 points "
                "of 2 entries"
            )
        if not bool(data.isfinite().all()):
            raise NonFiniteError(f"data {tuple(data.shape)} holds NaN or infinity")
        rows = precise(data.detach().flatten(1))
        mean = rows.mean(0)
        _, spread, directions = torch.linalg.svd(rows - mean, full_matrices=False)
        if not bool(spread[1] > 100 * torch.finfo(rows.dtype).eps * rows.norm()):
            raise ConfigurationError(
                f"data {tuple(data.shape)} lies on one line: no plane is best"
            )
        axes = directions[:2]
        largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
        axes = (axes * largest.sign()).unflatten(1, data.shape[1:])
        return cls(mean.unflatten(0, data.shape[1:]).to(data.dtype), axes.to(data.dtype))

    @classmethod
    def random(cls, data: Tensor, rng: torch.Generator, origin: Tensor | None = None) -> Self:
        """A plane in two random directions, orthogonal, as long as data usually lie from the mean.

        At distance 1 from the origin it has gone as far as from the mean of the data to a datum,
        √(mean ‖y - mean‖²), but elsewhere: in a space of many dimensions random directions meet
        no data, and show how the energy rises off them.

        Args:
            data: (n, *event), at least two points that differ.
            rng: a generator on the data's device.
            origin: (*event), such as one datum; None is the mean of the data.

        Example:
            >>> rng = torch.Generator().manual_seed(0)
            >>> axes = Plane.random(torch.randn(500, 3, 8, 8, generator=rng), rng).axes.flatten(1)
            >>> (axes @ axes.T / (3 * 8 * 8)).round(decimals=1)
            tensor([[1., 0.],
                    [0., 1.]])
        """
        require_floats("data", require_tensor("data", data))
        rng = require_generator(rng, "Plane.random", data.device)
        if data.ndim < 2 or len(data) < 2 or data[0].numel() < 2:
            raise ShapeError(
                f"data has shape {tuple(data.shape)}; expected (n, *event), at least 2 points "
                "of 2 entries"
            )
        rows = precise(data.detach().flatten(1))
        mean = rows.mean(0)
        radius = (rows - mean).square().sum(1).mean().sqrt()
        drawn = torch.randn(rows.shape[1], 2, generator=rng, dtype=rows.dtype, device=rows.device)
        axes = (torch.linalg.qr(drawn).Q.T * radius).unflatten(1, data.shape[1:]).to(data.dtype)
        middle = mean.unflatten(0, data.shape[1:]).to(data.dtype) if origin is None else origin
        return cls(middle, axes)

    def points(self, a: Tensor, b: Tensor) -> Tensor:
        """The points y (*batch, *event) at coordinates a and b, each (*batch)."""
        axes = precise(self.axes).flatten(1)
        ab = torch.stack(torch.broadcast_tensors(a, b), dim=-1).to(axes)
        y = precise(self.origin).flatten() + ab @ axes
        return y.unflatten(-1, self.origin.shape).to(self.origin.dtype)

    def coordinates(self, y: Tensor) -> Tensor:
        """The coordinates (*batch, 2) of the points of the plane nearest to y (*batch, *event)."""
        event = self.origin.shape
        if y.shape[y.ndim - len(event) :] != event or y.ndim < len(event):
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, but the plane lies among points {tuple(event)}; "
                "y is (*batch, *event)"
            )
        require_same_kind({"y": y, "origin": self.origin})
        offset = precise(y - self.origin).flatten(y.ndim - len(event))
        return offset @ torch.linalg.pinv(precise(self.axes).flatten(1))
