"""K-means on the unit sphere, in blocks of codes."""

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._precise import precise
from ebmlab.errors import ShapeError

__all__ = ["nearest_directions", "spherical_kmeans"]

_ROWS = 8192


def nearest_directions(codes: Tensor, centers: Tensor) -> Tensor:
    """Which center (k, d) has the largest cosine with each code (n, d): (n,)."""
    return torch.cat([(part @ centers.mT).argmax(1) for part in codes.split(_ROWS)])


@torch.no_grad()
def spherical_kmeans(codes: Tensor, k: int, iterations: int, rng: torch.Generator) -> Tensor:
    """k unit centers (k, d) of codes (n, d), n >= k: Lloyd's steps up Σ max_k cos(h, c_k).

    Starts at k different codes. A center without codes takes the code that is least like its
    own, the next one the next. Deterministic given rng, in blocks of codes, so that n × k is
    never laid out.

    Example:
        >>> codes = torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.1, 3.0], [-0.1, 3.0]])
        >>> spherical_kmeans(codes, 2, 5, torch.Generator().manual_seed(0)).sum(0)
        tensor([1., 1.])

    Source: Dhillon, Modha 2001; Caron et al. 2020, arXiv:2006.09882, for DeepCluster-v2.
    """
    if len(codes) < k:
        raise ShapeError(f"codes have shape {tuple(codes.shape)}; {k} clusters need as many rows")
    codes = functional.normalize(precise(codes), dim=1)
    order = torch.randperm(len(codes), generator=rng, device=rng.device)[:k]
    centers = codes[order.to(codes.device)]
    for _ in range(iterations):
        centers = _moved(codes, centers)
    return centers


def _moved(codes: Tensor, centers: Tensor) -> Tensor:
    k = len(centers)
    total, count = torch.zeros_like(centers), centers.new_zeros(k)
    likeness = []
    for part in codes.split(_ROWS):
        best, index = (part @ centers.mT).max(1)
        # A product of matrices adds in one order, where scattered sums do not on every device.
        chosen = functional.one_hot(index, k).to(part.dtype)
        total += chosen.mT @ part
        count += chosen.sum(0)
        likeness.append(best)
    dead = count == 0
    strangers = torch.cat(likeness).topk(k, largest=False).indices
    taken = codes[strangers[(dead.cumsum(0) - 1).clamp(min=0)]]
    return functional.normalize(torch.where(dead[:, None], taken, total), dim=1)
