"""Kinds of covariance matrices of K components: full, diagonal, spherical; told by their shape."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ebmlab.errors import ShapeError

__all__ = ["Covariances", "kind_of"]


class Covariances(ABC):
    """What a mixture has to know of a kind of covariance; Σ⁻¹ = Wᵀ W, W the whitening."""

    @abstractmethod
    def whitening(self, covariances: Tensor) -> tuple[Tensor, Tensor]:
        """W of each component, and which are positive definite (K,)."""

    @abstractmethod
    def whiten(self, whitening: Tensor, offsets: Tensor) -> Tensor:
        """W (y - μ), (*batch, d)."""

    @abstractmethod
    def log_det(self, whitening: Tensor, dim: int) -> Tensor:
        """log det Σ (*batch)."""

    @abstractmethod
    def moment(self, offsets: Tensor, weights: Tensor) -> Tensor:
        """Σ_n w_n (y_n - μ)(y_n - μ)ᵀ as this kind sees it: offsets (n, d), weights (n,)."""

    @abstractmethod
    def ridge(self, covariances: Tensor, size: float) -> Tensor:
        """What adds `size` to every variance."""


class _Full(Covariances):
    """Σ (K, d, d)."""

    def whitening(self, covariances: Tensor) -> tuple[Tensor, Tensor]:
        factor, failed = torch.linalg.cholesky_ex(covariances)
        eye = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
        sound = (failed == 0) & factor.isfinite().all((-1, -2))
        safe = torch.where(sound[:, None, None], factor, eye)
        return torch.linalg.solve_triangular(safe, eye.expand_as(safe), upper=False), sound

    def whiten(self, whitening: Tensor, offsets: Tensor) -> Tensor:
        return torch.einsum("...ij,...j->...i", whitening, offsets)

    def log_det(self, whitening: Tensor, dim: int) -> Tensor:
        return -2 * whitening.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def moment(self, offsets: Tensor, weights: Tensor) -> Tensor:
        return (weights[:, None] * offsets).T @ offsets

    def ridge(self, covariances: Tensor, size: float) -> Tensor:
        d = covariances.shape[-1]
        return size * torch.eye(d, dtype=covariances.dtype, device=covariances.device)


class _Diagonal(Covariances):
    """Variances (K, d)."""

    def whitening(self, covariances: Tensor) -> tuple[Tensor, Tensor]:
        sound = (covariances > 0) & covariances.isfinite()
        sound = sound.reshape(len(sound), -1).all(1)
        return covariances.rsqrt(), sound

    def whiten(self, whitening: Tensor, offsets: Tensor) -> Tensor:
        return whitening * offsets

    def log_det(self, whitening: Tensor, dim: int) -> Tensor:
        return -2 * whitening.log().sum(-1)

    def moment(self, offsets: Tensor, weights: Tensor) -> Tensor:
        return weights @ offsets.square()

    def ridge(self, covariances: Tensor, size: float) -> Tensor:
        return torch.full_like(covariances[0], size)


class _Spherical(_Diagonal):
    """One variance for all d directions, (K,)."""

    def whiten(self, whitening: Tensor, offsets: Tensor) -> Tensor:
        return whitening[..., None] * offsets

    def log_det(self, whitening: Tensor, dim: int) -> Tensor:
        return -2 * dim * whitening.log()

    def moment(self, offsets: Tensor, weights: Tensor) -> Tensor:
        return weights @ offsets.square().mean(1)


def kind_of(covariances: Tensor, k: int, d: int) -> Covariances:
    """The kind of covariance that the shape tells."""
    kinds: dict[tuple[int, ...], Covariances] = {
        (k,): _Spherical(),
        (k, d): _Diagonal(),
        (k, d, d): _Full(),
    }
    shape = tuple(covariances.shape)
    if shape not in kinds:
        raise ShapeError(
            f"covariances have shape {shape}; expected ({k}, {d}, {d}) of full, ({k}, {d}) of "
            f"diagonal or ({k},) of spherical ones, for means ({k}, {d})"
        )
    return kinds[shape]
