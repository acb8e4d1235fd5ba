"""Points to push up: from the batch, from a density, or from the model's own chains."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ebmlab.checks import require_device, require_generator, require_tensor
from ebmlab.energies import Density
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.protocols import Draw, Negatives, Sampler
from ebmlab.randomness import fork
from ebmlab.samplers import run
from ebmlab.types import Tree

__all__ = ["FromData", "InBatch", "Noise", "Replay"]


@dataclass(frozen=True)
class InBatch(Negatives):
    """The other y of the batch: E(x_i, y_j) for j != i.

    Args:
        both: also E(x_i, x_j), the other x, as SimCLR does; x and y must be codes of one kind.

    Raises:
        ShapeError: a batch of one has no others.

    Example:
        >>> from ebmlab.energies import Cosine
        >>> InBatch(both=True)(Cosine(), torch.eye(4), torch.eye(4)).energies.shape
        torch.Size([4, 6])

    Source: Sohn 2016; Chen et al. 2020, arXiv:2002.05709.
    """

    both: bool = False

    def __call__(
        self, energy: Energy, x: Tree, y: Tree, rng: torch.Generator | None = None
    ) -> Draw:
        """Energies (b, b - 1), or (b, 2b - 2) with `both`."""
        x, y = require_tensor("x", x), require_tensor("y", y)
        if len(y) < 2 or len(x) != len(y):
            raise ShapeError(
                f"x has shape {tuple(x.shape)}, y {tuple(y.shape)}: negatives are the others of "
                "the batch, as many x as y; a batch of one holds none"
            )
        groups = [y, x] if self.both else [y]
        energies = [_others(energy(x[:, None], other[None], rng=rng)) for other in groups]
        return Draw(torch.cat(energies, dim=1), {})


def _others(matrix: Tensor) -> Tensor:
    """All but the diagonal: (b, b) -> (b, b - 1)."""
    b = len(matrix)
    return matrix.flatten()[1:].reshape(b - 1, b + 1)[:, :-1].reshape(b, b - 1)


class Noise(nn.Module, Negatives):
    """Draws from a fixed density, k for each datum.

    With `InfoNCE` and a uniform density the optimum is E = -log p(y | x) + c(x); with another
    density q it is E = -log p(y | x) + log q(y) + c(x).

    Args:
        density: has `sample(n, rng)`.
        k: draws per datum.

    Example:
        >>> from ebmlab.energies import MLP, Uniform
        >>> noise = Noise(Uniform(-torch.ones(2), torch.ones(2)), k=16)
        >>> noise(MLP(2), None, torch.zeros(4, 2), torch.Generator()).energies.shape
        torch.Size([4, 16])

    Source: Gutmann, Hyvärinen 2010; Ma, Collins 2018, arXiv:1809.01812.
    """

    def __init__(self, density: Density, k: int = 1) -> None:
        super().__init__()
        if k < 1:
            raise ConfigurationError(f"k is {k}; it must be at least 1")
        self.density, self.k = density, k

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: torch.Generator | None) -> Draw:
        """Energies (b, k) of x with each draw."""
        y = require_tensor("y", y)
        rng = require_generator(rng, "Noise", y.device)
        for own in self.density.buffers():
            require_device("the noise", own.device, {"y": y})
        draws = self.density.sample(self.k * len(y), rng).to(y.dtype)
        if draws.shape[1:] != y.shape[1:]:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, but the noise draws {tuple(draws.shape)}: its "
                "density must be one of points like y"
            )
        energies = energy(x, draws.reshape(self.k, *y.shape), rng=rng)
        return Draw(energies.mT, {})

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"k={self.k}"


@dataclass(frozen=True, eq=False)
class FromData(Negatives):
    """Contrastive divergence: short chains of the model that start at the data.

    Args:
        sampler: a kernel of `ebmlab.samplers`.
        steps: transitions, at least 1.

    Example:
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.samplers import Langevin
        >>> negatives = FromData(Langevin(0.01), steps=5)
        >>> negatives(MLP(2), None, torch.zeros(4, 2), torch.Generator()).energies.shape
        torch.Size([4, 1])

    Source: Hinton 2002, "Training products of experts by minimizing contrastive divergence".
    """

    sampler: Sampler
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigurationError(f"steps is {self.steps}; it must be at least 1")

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: torch.Generator | None) -> Draw:
        """Energies (b, 1) at the chains' ends."""
        y = require_tensor("y", y)
        rng = require_generator(rng, "FromData", y.device)
        return _chains(energy, x, y, self.sampler, self.steps, rng)[0]


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

    Metrics: `age` (mean steps since birth over the pool), `moved` (mean distance a draw's chains
    went), `acceptance`, and `batch_norm` (1 where it couples data and negatives).

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
        draw, end = _chains(energy, x, start.to(y.dtype), self.sampler, self.steps, rng)
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


def _chains(
    energy: Energy, x: Tree, start: Tensor, sampler: Sampler, steps: int, rng: torch.Generator
) -> tuple[Draw, Tensor]:
    coupled = _warn_of_batch_norm(energy)
    start = start.detach()
    # The energy's own noise must not be that of the chain.
    u = energy.given(x, rng=fork(rng) if energy.stochastic else None)
    chain = run(sampler, u, start, steps=steps, rng=rng)
    end = chain.state.y.detach().to(start.dtype)
    moved = torch.linalg.vector_norm((end - start).flatten(1), dim=1).mean()
    metrics = {"moved": moved, "acceptance": chain.acceptance.mean()}
    metrics["batch_norm"] = torch.full_like(moved, coupled)
    return Draw(energy(x, end, rng=rng)[:, None], metrics), end


def _warn_of_batch_norm(energy: Energy) -> bool:
    for name, module in energy.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
            warnings.warn(
                f"{name} normalizes over the batch in training mode: the energy of one y then "
                "depends on the others, and data and negatives are told apart by their "
                "statistics; use group or layer normalization, or .eval()",
                stacklevel=4,
            )
            return True
    return False
