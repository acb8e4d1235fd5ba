"""A table of vectors that data move: k-means centers, the codes of a quantizer."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmlab._checks import require_shares
from ebmlab._distances import nearest_rows, own_distances, rows_at_once, squared_distances
from ebmlab._kinds import require_floats
from ebmlab._precise import SINGLE, Precise, precise
from ebmlab._ranks import gathered, rank_count, rank_number, totaled
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError

__all__ = ["Codebook"]


class Codebook(Precise):
    """K vectors c_k that follow the mean of the data assigned to them.

    `learn` sets N_k' = γ N_k + n_k and c_k' = (γ N_k c_k + Σ w y) / N_k', where n_k = Σ w: γ = 0
    is Lloyd's step, γ = 1 the mean of all data so far (mini-batch k-means), and between lies a
    moving average. Codes start as if each had seen one datum, itself. One that nothing is
    assigned to stays, unless it is dead: N_k <= `restart` times the mean of N. The dead begin
    again at the data farthest from their codes, as many as there are at a distance; `restarts`
    counts them. With several ranks the data are those of all of them, of whatever numbers.

    Args:
        codes: (K, d), kept in float32 or better. A Parameter stays of its type, and is moved by
            gradients only, but counted and restarted.
        decay: γ in [0, 1].
        restart: a share of the mean count: 0 restarts what is empty, None nothing.

    Raises:
        ShapeError: codes are not (K, d).
        NonFiniteError: codes are NaN or infinite.
        ConfigurationError: decay lies outside [0, 1], or restart outside [0, 1).

    Example:
        >>> book = Codebook(torch.tensor([[0.0], [5.0]]))
        >>> y = torch.tensor([[1.0], [2.0], [9.0]])
        >>> index = book.nearest(y)
        >>> book.learn(y, index[None], torch.ones(1, 3))
        >>> book.codes
        tensor([[1.5000],
                [9.0000]])

    Source: Lloyd 1982; Sculley 2010; van den Oord, Vinyals, Kavukcuoglu 2017, arXiv:1711.00937,
    appendix A.1.
    """

    floors: ClassVar = {"codes": SINGLE, "counts": SINGLE}
    codes: Tensor
    counts: Tensor
    restarts: Tensor

    def __init__(self, codes: Tensor, *, decay: float = 0.0, restart: float | None = 0.0) -> None:
        super().__init__()
        if codes.ndim != 2 or codes.numel() == 0 or not codes.is_floating_point():
            raise ShapeError(
                f"codes are {tuple(codes.shape)} of {codes.dtype}; expected floats (K, d)"
            )
        if not bool(codes.isfinite().all()):
            raise NonFiniteError(f"codes {tuple(codes.shape)} holds NaN or infinity")
        require_shares(decay=decay)
        if restart is not None and not 0 <= restart < 1:
            raise ConfigurationError(f"restart is {restart}; it must lie in [0, 1), or be None")
        if isinstance(codes, nn.Parameter):
            self.codes = codes
        else:
            self.register_buffer("codes", precise(codes.detach()).clone())
        self.decay, self.restart = decay, restart
        self.register_buffer("counts", torch.ones_like(precise(codes.detach()[:, 0])))
        self.register_buffer("restarts", torch.zeros((), dtype=torch.long, device=codes.device))

    def forward(self, index: Tensor) -> Tensor:
        """The codes of these numbers: (*batch) -> (*batch, d)."""
        return self.codes[index]

    def require_vectors(self, name: str, y: Tensor) -> None:
        """Raise unless y is (*batch, d)."""
        if y.shape[-1:] != self.codes.shape[1:]:
            raise ShapeError(
                f"{name} has shape {tuple(y.shape)}, but codes has {tuple(self.codes.shape)}; "
                f"{name} must be (*batch, {self.codes.shape[1]})"
            )
        require_floats(name, y)

    @torch.no_grad()
    def nearest(self, y: Tensor) -> Tensor:
        """The code nearest to each y (*batch, d), of equal ones the first, by number: (*batch)."""
        self.require_vectors("y", y)
        return nearest_rows(y.reshape(-1, y.shape[-1]), self.codes).reshape(y.shape[:-1])

    @torch.no_grad()
    def learn(self, data: Tensor, index: Tensor, weights: Tensor) -> None:
        """Move the codes to their data, and restart the dead ones.

        Args:
            data: (n, d).
            index: the codes that each datum is assigned to, (a, n).
            weights: how much of it each gets, (a, n).

        Raises:
            NonFiniteError: data are NaN or infinite; nothing has moved.
        """
        data, weights = data.to(self.counts.dtype), weights.to(self.counts.dtype)
        found, total = map(totaled, self._moments(data, index, weights))
        if not bool(total.isfinite().all()):
            raise NonFiniteError(f"data {tuple(data.shape)} hold NaN or infinity; mend them")
        counts = self.decay * self.counts + found
        least = None if self.restart is None else self.restart * counts.mean()
        short = least is not None and bool((counts <= least).any())
        gaps = self._gaps(data, index, weights) if short else None
        if not isinstance(self.codes, nn.Parameter):
            self.codes.add_(total / torch.where(found > 0, counts, 1.0)[:, None])
        self.counts.copy_(counts)
        if least is not None and gaps is not None:
            self._restart(data, gaps, least)

    def _moments(self, data: Tensor, index: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Σ w (K) and Σ w (y - c) (K, d) of each code."""
        if len(index) > 1:
            shares, origin = self._shares(data, index, weights), data.mean(0)
            found = shares.sum(1)
            return found, shares @ (data - origin) - found[:, None] * (self.codes - origin)
        index, weights = index[0], weights[0]
        # In single precision a count of ones stops at 2²⁴.
        found = data.new_zeros(len(self.codes), dtype=torch.float64)
        found.index_add_(0, index, weights.double())
        total, size = torch.zeros_like(self.codes, dtype=data.dtype), rows_at_once(data)
        for y, j, w in zip(*(t.split(size) for t in (data, index, weights)), strict=True):
            total.index_add_(0, j, (y - self.codes.index_select(0, j)).mul_(w[:, None]))
        return found.to(data.dtype), total

    def _gaps(self, data: Tensor, index: Tensor, weights: Tensor) -> Tensor:
        """Σ w ‖y - c‖² of each datum (n)."""
        if len(index) == 1:
            return weights[0] * own_distances(data, self.codes, index[0])
        return (self._shares(data, index, weights).mT * squared_distances(data, self.codes)).sum(1)

    def _shares(self, data: Tensor, index: Tensor, weights: Tensor) -> Tensor:
        """The weight of each datum at each code, (K, n)."""
        return data.new_zeros(len(self.codes), len(data)).scatter_add_(0, index, weights)

    def _restart(self, data: Tensor, gaps: Tensor, threshold: Tensor) -> None:
        far, rows = _farthest(data, gaps, len(self.codes))
        dead = self.counts <= threshold
        rank = dead.cumsum(0) - 1
        place = rank.clamp(0, len(far) - 1)
        born = dead & (rank < len(far)) & (far[place] > 0)
        self.codes.copy_(torch.where(born[:, None], rows[place], self.codes))
        # Twice what would count as dead: time to be found by data.
        self.counts.copy_(torch.where(born, (2 * threshold).clamp(min=1), self.counts))
        self.restarts += born.sum()

    def extra_repr(self) -> str:
        """What `print` shows."""
        k, d = self.codes.shape
        return f"{k} codes of {d}, decay={self.decay}, restart={self.restart}"


def _farthest(data: Tensor, gaps: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest gaps of all ranks and the data (k, d) there, the same on each; -1 where none.

    Alone, there are no more than the data.
    """
    far, where = gaps.topk(min(k, len(gaps)))
    if rank_count() == 1:
        return far, data[where]
    offered, rows = gaps.new_full((k,), -1.0), data.new_zeros(k, data.shape[1])
    offered[: len(far)], rows[: len(far)] = far, data[where]
    # A stable sort, as every rank has to break ties alike.
    far, place = gathered("gaps", offered).sort(descending=True, stable=True)
    far, place = far[:k], place[:k]
    own = place // k == rank_number()
    return far, totaled(torch.where(own[:, None], rows[place % k], 0.0))
