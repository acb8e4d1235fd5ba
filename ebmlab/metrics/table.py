"""A table of what chains say about each coordinate, and whether to believe it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError
from ebmlab.metrics.chains import ess, ess_tail, mcse, rhat
from ebmlab.metrics.coordinates import (
    ascending,
    coordinate_names,
    moments,
    per_coordinate,
    quantiles,
)
from ebmlab.types import Chain

__all__ = ["Summary", "summary"]

_ROWS = 20
_PROBABILITIES = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """What `summary` returns: columns of the event's shape in float64, and a table when printed.

    `quantiles` is (q, *event), at `probabilities`; `acceptance` is (chains,), and `divergences`
    how often each chain diverged, both None where unknown. See `summary`.
    """

    names: tuple[str, ...]
    draws: int
    chains: int
    mean: Tensor
    std: Tensor
    mcse: Tensor
    quantiles: Tensor
    ess_bulk: Tensor
    ess_tail: Tensor
    rhat: Tensor
    probabilities: tuple[float, ...] = _PROBABILITIES
    acceptance: Tensor | None = None
    divergences: Tensor | None = None

    def __repr__(self) -> str:
        """The table as text, its first 20 rows at most."""
        edges = zip(self.probabilities, self.quantiles, strict=True)
        columns = [
            _column("", self.names[:_ROWS]),
            _numbers("mean", self.mean),
            _numbers("std", self.std),
            _numbers("mcse", self.mcse),
            *(_numbers(f"{100 * p:g}%", edge) for p, edge in edges),
            _numbers("ess bulk", self.ess_bulk, ".0f"),
            _numbers("ess tail", self.ess_tail, ".0f"),
            _numbers("R-hat", self.rhat, ".3f"),
        ]
        lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
        if len(self.names) > _ROWS:
            lines.append(f"… and {len(self.names) - _ROWS} more")
        return "\n".join([*lines, self._footer()])

    def _footer(self) -> str:
        said = [f"{self.draws} draws x {self.chains} chains"]
        if self.acceptance is not None:
            said.append(f"acceptance {float(self.acceptance.mean()):.2f}")
        if self.divergences is not None:
            said.append(f"{float(self.divergences.sum()):.0f} divergences")
        known = self.rhat[~self.rhat.isnan()]
        if known.numel():
            said.append(f"largest R-hat {float(known.max()):.3f}")
        said.append(f"smallest ess {float(self.ess_bulk.min()):.0f}")
        return "; ".join(said)


def summary(
    samples: Tensor | Chain,
    names: Sequence[str] | None = None,
    *,
    probabilities: tuple[float, ...] = _PROBABILITIES,
) -> Summary:
    """Tabulate each coordinate's mean, spread and quantiles, their precision, and R-hat.

    Args:
        samples: (draws, chains, *event), at least 4 draws; or what `run(…, thin=1)` returned,
            which adds the acceptance and, where the kernel reports them, the divergences.
        names: one per coordinate, in the order of the flattened event; None numbers them.
        probabilities: of the quantiles, each in [0, 1].

    Raises:
        ShapeError: samples have another shape, fewer than 4 draws, or names another number.
        NonFiniteError: a draw is NaN or infinite.
        ConfigurationError: a probability lies outside [0, 1], or there is none.

    Example:
        >>> samples = torch.randn(500, 4, 2, generator=torch.Generator().manual_seed(0))
        >>> table = summary(samples + torch.tensor([0.0, 10.0]), ["here", "there"])
        >>> print(table)
                mean    std    mcse     5%      50%   95%  ess bulk  ess tail  R-hat
         here  -0.02  0.974   0.022  -1.54  -0.0505  1.67      1964      2000  1.001
        there     10   1.01  0.0242   8.34       10  11.7      1750      1786  1.002
        500 draws x 4 chains; largest R-hat 1.002; smallest ess 1750
        >>> table.rhat.shape
        torch.Size([2])
    """
    acceptance = divergences = None
    if isinstance(samples, Chain):
        acceptance, divergences = samples.acceptance, samples.info._asdict().get("divergent")
        samples = samples.samples
    if not all(0 <= p <= 1 for p in probabilities) or not probabilities:
        raise ConfigurationError(
            f"probabilities are {probabilities}; expected at least one, all in [0, 1]"
        )

    def described(x: Tensor) -> Tensor:
        mean, variance = moments(x.flatten(1))
        edges = quantiles(ascending(x), probabilities)
        return torch.cat([mean[None], variance.sqrt()[None], edges])

    mean, std, *edges = per_coordinate(samples, described)
    return Summary(
        names=coordinate_names(names, samples.shape[2:]),
        draws=samples.shape[0],
        chains=samples.shape[1],
        mean=mean,
        std=std,
        mcse=mcse(samples),
        quantiles=torch.stack(edges),
        ess_bulk=ess(samples),
        ess_tail=ess_tail(samples),
        rhat=rhat(samples),
        probabilities=tuple(probabilities),
        acceptance=acceptance,
        divergences=divergences,
    )


def _numbers(head: str, values: Tensor, form: str = ".3g") -> list[str]:
    return _column(head, [format(value, form) for value in values.flatten()[:_ROWS].tolist()])


def _column(head: str, cells: Sequence[str]) -> list[str]:
    width = max(map(len, (head, *cells)))
    return [cell.rjust(width) for cell in (head, *cells)]
