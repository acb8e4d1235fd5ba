"""How straight the codes of a clip run."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._kinds import require_floats
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError

__all__ = ["Straightness", "straightness"]


class Straightness(NamedTuple):
    """What `straightness` finds.

    Attributes:
        cosine: mean cosine between successive steps: 1 straight, 0 at right angles.
        curvature: mean angle between them, in radians.
    """

    cosine: float
    curvature: float


@torch.no_grad()
def straightness(codes: Tensor) -> Straightness:
    """Cosine and angle between steps h[t+1] - h[t] and h[t+2] - h[t+1], meant over t and clips.

    A world whose codes run straight is predicted by going on as before. Compare with the pixels:
    a walk of independent steps in many dimensions has cosine 0, independent codes have -1/2.
    Steps of no length have no direction and are left out.

    Args:
        codes: clips (n, t, d), t >= 3.

    Raises:
        ShapeError, DtypeError, NonFiniteError: codes are no such clips.
        ConfigurationError: nothing moves.

    Example:
        >>> t = torch.arange(8.0)
        >>> straightness(torch.stack([t, 2 * t], -1)[None]).cosine > 0.9999
        True
        >>> square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> round(straightness(square[None]).curvature, 4)
        1.5708

    Source: Hénaff, Goris, Simoncelli 2019, "Perceptual straightening of natural videos".
    """
    require_floats("codes", codes)
    if codes.ndim != 3 or codes.shape[1] < 3 or 0 in codes.shape:
        raise ShapeError(f"codes have shape {tuple(codes.shape)}; expected (n, t, d), t >= 3")
    if not bool(codes.isfinite().all()):
        raise NonFiniteError(f"codes {tuple(codes.shape)} hold NaN or infinity")
    steps = codes.double().diff(dim=1)
    length = steps.norm(dim=-1)
    moved = (length[:, 1:] > 0) & (length[:, :-1] > 0)
    if not bool(moved.any()):
        raise ConfigurationError(f"codes {tuple(codes.shape)} do not move twice in any clip")
    one, two = (steps / length[..., None].clamp(min=1e-300)).unfold(1, 2, 1).unbind(-1)
    # Exact near 0 and π, where the inverse cosine is not.
    angle = 2 * torch.atan2((one - two).norm(dim=-1), (one + two).norm(dim=-1))
    return Straightness(float(angle[moved].cos().mean()), float(angle[moved].mean()))
