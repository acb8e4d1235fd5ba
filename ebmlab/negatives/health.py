"""Whether chains still do what negatives are for: move, stay apart, and stay near the data."""

import warnings

import torch
from torch import Tensor

from ebmlab._rows import keys

__all__ = ["health"]

# Of the farthest datum of the batch, from its mean.
FAR = 10.0

_MENDS = {
    "strayed": "are more than ten times as far from the data's mean as any datum: the energy does "
    "not hold them; take smaller steps, more of them, or add a term that grows with y",
    "still": "did not move at all: take a smaller step_size, or look at the acceptance",
    "coalesced": "stand where another one stands: start them at different points, and raise the "
    "rebirth or the temperature",
}


def health(y: Tensor, start: Tensor, end: Tensor) -> dict[str, Tensor]:
    """Metrics of chains (b, *event) beside data y; one warning where most chains are ill.

    Returns:
        `moved`, the mean distance from start to end, and the shares of chains that have `strayed`
        (ten times as far from the data's mean as any datum), that stand `still`, and that have
        `coalesced` (stand exactly where another one does, beyond what data do).

    Example:
        >>> y = torch.tensor([[0.0], [1.0]])
        >>> health(y, y, y + 0.5)["moved"]
        tensor(0.5000)
    """
    way = torch.linalg.vector_norm((end - start).flatten(1), dim=1)
    middle = y.mean(0)
    reach = torch.linalg.vector_norm((y - middle).flatten(1), dim=1).max()
    away = torch.linalg.vector_norm((end - middle).flatten(1), dim=1)
    shares = {
        "strayed": (away > FAR * reach).to(way).mean() * (reach > 0),
        "still": (way == 0).to(way).mean(),
        "coalesced": _repeated(end),
    }
    seen = _numbers(shares)
    if seen["coalesced"] > 0:  # most chains stand apart, and then data need not be looked at
        shares["coalesced"] = (shares["coalesced"] - _repeated(y)).clamp(min=0)
        seen = _numbers(shares)
    told = "; ".join(f"{part:.0%} {_MENDS[name]}" for name, part in seen.items() if part > 0.5)
    if told:
        warnings.warn(f"of {len(end)} chains {told}", stacklevel=5)
    return {"moved": way.mean(), **shares}


def _numbers(shares: dict[str, Tensor]) -> dict[str, float]:
    """All shares, at one wait for the device."""
    return dict(zip(shares, torch.stack(list(shares.values())).tolist(), strict=True))


def _repeated(end: Tensor) -> Tensor:
    """The share of rows that equal an earlier one."""
    return (keys(end).sort().values.diff() == 0).to(end.dtype).sum() / len(end)
