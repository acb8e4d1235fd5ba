"""Persistent chains of the model as negatives."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmlab._checks import require_device, require_generator, require_tensor
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.negatives.chains import chains
from ebmlab.protocols import Draw, Negatives, Sampler
from ebmlab.types import Tree

__all__ = ["Replay"]


class Replay(nn.Module, Negatives):
    """Persistent chains: a pool of points that a few steps move on at every draw.

    A draw takes distinct slots, restarts some of them at birth, runs the chains, and writes them
    back to the same slots when the loss is committed. Each slot carries the number of its lineage
    (new at every birth) and its age in steps. All state is in buffers.

    Args:
        pool: where the chains start, (size, *event).
        sampler: a kernel of `ebmlab.samplers`.
        steps: transitions per draw.
        rebirth: the probability in [0, 1] that a slot drawn starts anew.
        birth: gives n new points from (n, rng); None draws from the first pool.

    Raises:
        ShapeError: the pool is smaller than a batch, or its points are not like y.
        ConfigurationError: rebirth lies outside [0, 1], or steps < 1.

    Metrics: `age` (mean steps since birth over the pool), those of `health`, `acceptance`, and
    `batch_norm` (1 where it couples data and negatives).

    Example:
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.samplers import Langevin
        >>> replay = Replay(torch.zeros(100, 2), Langevin(0.01), steps=5)
        >>> draw = replay(MLP(2), None, torch.zeros(4, 2), torch.Generator())
        >>> draw.commit(); int(replay.age.sum())
        20

    Source: Tieleman 2008 (persistent chains); Du, Mordatch 2019, arXiv:1903.08689 (replay).
    """

    pool: Tensor
    first: Tensor
    age: Tensor
    lineage: Tensor
    born: Tensor

    def __init__(
        self,
        pool: Tensor,
        sampler: Sampler,
        steps: int,
        rebirth: float = 0.05,
        birth: Callable[[int, torch.Generator], Tensor] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= rebirth <= 1 or steps < 1:
            raise ConfigurationError(
                f"rebirth is {rebirth}, steps {steps}; they must lie in [0, 1] and be >= 1"
            )
        self.sampler, self.steps, self.rebirth, self.birth = sampler, steps, rebirth, birth
        size = len(pool)
        self.register_buffer("pool", pool.detach().clone())
        self.register_buffer("first", pool.detach().clone())
        self.register_buffer("age", torch.zeros(size, dtype=torch.long, device=pool.device))
        self.register_buffer("lineage", torch.arange(size, device=pool.device))
        self.register_buffer("born", torch.tensor(size, device=pool.device))

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: torch.Generator | None) -> Draw:
        """Energies (b, 1) of the chains after their steps; `commit` writes them back."""
        y = require_tensor("y", y)
        require_device("the pool", self.pool.device, {"y": y})
        rng = require_generator(rng, "Replay", y.device)
        n = len(y)
        if n > len(self.pool) or y.shape[1:] != self.pool.shape[1:]:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, the pool {tuple(self.pool.shape)}: the pool must "
                "hold at least one batch of points like y"
            )
        slots = torch.randperm(len(self.pool), generator=rng, device=y.device)[:n]
        anew = torch.rand(n, generator=rng, device=y.device) < self.rebirth
        start = torch.where(
            anew.reshape(-1, *[1] * (y.ndim - 1)), self._births(n, rng), self.pool[slots]
        )
        draw, end = chains(energy, x, y, start.to(y.dtype), self.sampler, self.steps, rng)
        metrics = draw.metrics | {"age": self.age.float().mean()}
        # Other draws may be committed first: what this one continues is noted now.
        age, lineage = torch.where(anew, 0, self.age[slots]) + self.steps, self.lineage[slots]

        def commit() -> None:
            self.pool[slots] = end.to(self.pool.dtype)
            self.age[slots] = age
            self.lineage[slots] = torch.where(anew, self.born + anew.cumsum(0) - 1, lineage)
            self.born += anew.sum()

        return Draw(draw.energies, metrics, commit)

    def extra_repr(self) -> str:
        """What `print` shows."""
        size, steps = len(self.pool), self.steps
        return f"size={size}, sampler={self.sampler}, steps={steps}, rebirth={self.rebirth}"

    def _births(self, n: int, rng: torch.Generator) -> Tensor:
        if self.birth is not None:
            return self.birth(n, rng)
        index = torch.randint(len(self.first), (n,), generator=rng, device=self.first.device)
        return self.first[index]
