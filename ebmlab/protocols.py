"""The abstract parts that compose into methods: samplers, solvers, negatives, objectives."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn

from ebmlab._checks import leaves, require_number
from ebmlab._commits import Commit, Loss, Shared, Stepped, committed, nothing
from ebmlab._events import require_pairs
from ebmlab._kinds import name_of, require_a, told
from ebmlab._ranks import require_equal_rows
from ebmlab._shown import Shown
from ebmlab.codes import Codes
from ebmlab.energy import Energy
from ebmlab.regularizer import Regularizer
from ebmlab.types import Minimum, Potential, Rng, Tree

__all__ = [
    "CodeObjective",
    "Draw",
    "Loss",
    "Method",
    "Negatives",
    "Objective",
    "Regularizer",
    "Sampler",
    "Solver",
    "Stepped",
    "committed",
    "nothing",
]


@runtime_checkable
class Sampler(Protocol):
    """A Markov kernel that samples exp(-u): configuration only; state in, state out.

    These two methods are all that `run`, tempering, negatives and inference ask for. A sampler
    that `warmup` tunes is also a `samplers.Tunable`.
    """

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> Any:
        """The state of chains that start at y (chains, *event).

        A `State` or a NamedTuple of your own: tensors, chains first, among them `y` and its
        `energy` u(y), (chains,). If the state keeps the gradient of u, it is called `grad`:
        tempering rescales what has these names.
        """
        ...

    def step(self, u: Potential, state: Any, rng: torch.Generator) -> tuple[Any, Any]:
        """One transition of every chain: the new state and an info.

        An `Info` or a NamedTuple of your own: tensors (chains,), among them `acceptance`. Where
        `nonfinite` is among them, it marks proposals that were rejected as NaN or infinite.
        """
        ...


class Solver(Protocol):
    """A minimizer of potentials, every row on its own."""

    def minimize(self, u: Potential, start: Tensor, *, unroll: bool = False) -> Minimum:
        """The minima reached from start (rows, *event); `unroll` keeps the graph of the steps."""
        ...


class Draw(NamedTuple):
    """What negatives give: energies (b, k), what to watch, and what to write back afterwards."""

    energies: Tensor
    metrics: dict[str, Tensor]
    commit: Callable[[], None] = nothing


class Negatives(ABC):
    """A choice of the points to push up, given as their energies: k for each datum."""

    @abstractmethod
    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Draw:
        """Energies (b, k) of negatives for the pairs (x, y); x and y are codes after `embed`."""


class Objective(Shown, ABC):
    """What shapes an energy: a loss of (energy, x, y). Objectives add and scale.

    A subclass writes `forward`; one that needs the codes only derives from `CodeObjective`.
    Calling the objective also makes `Loss.commit` run `update` of the energy's head on the codes
    and step every `Stepped` module of the energy and of the objective, once.

    On several ranks the loss of each is the mean over its own rows, negatives and populations
    being those of all: the mean of the losses, and of the gradients, is that of one process. For
    this the ranks need equal batches, and all raise where these are not.

    Raises:
        ConfigurationError: `forward` returns no `Loss`.
        ShapeError: ranks hold unequal numbers of rows, or of views.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> class Pull(Objective):
        ...     def forward(self, energy, x, y, rng):
        ...         value = energy(x, y).mean()
        ...         return Loss(value, {"pull": value.detach()}, {})
        >>> objective = 0.5 * Pull() + Pull()
        >>> objective(SquaredDistance(), torch.zeros(4, 2), torch.ones(4, 2)).value
        tensor(3.)
    """

    @abstractmethod
    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss of an energy on data."""

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng = None) -> Loss:
        """The loss, with a commit that moves every state once."""
        require_equal_rows(x=leaves(x, "x"), y=leaves(y, "y"))
        energy.check(x, y)
        require_pairs(energy, x, y)
        shared = Shared(energy, x, y)
        loss = told(lambda: self.judged(shared, rng), type(self).__name__, x=x, y=y)
        return loss._replace(commit=Commit(loss.commit, shared, self))

    def judged(self, shared: Shared, rng: Rng) -> Loss:
        """The loss by `forward`; codes that it does not look at are not made."""
        loss = super().__call__(shared.energy, shared.x, shared.y, rng)
        mend = 'return Loss(value, {"name": value.detach()}, {}), with its terms and metrics'
        return require_a(Loss, f"what {type(self).__name__}.forward returned", loss, mend)

    def __add__(self, other: "Objective") -> "WeightedSum":
        """The sum of two losses of one energy."""
        return WeightedSum([(1.0, self), (1.0, other)])

    def __mul__(self, weight: float) -> "WeightedSum":
        """Weigh a loss."""
        require_number(weight=weight)
        return WeightedSum([(weight, self)])

    __rmul__ = __mul__


class CodeObjective(Objective):
    """An objective that looks at codes only: encoders run once for all such terms of a sum.

    A subclass writes `of`.
    """

    @abstractmethod
    def of(self, codes: Codes, rng: Rng) -> Loss:
        """The loss of codes, or of raw pairs where nothing embeds."""

    @final
    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss of the energy's codes."""
        return self.of(energy.codes(x, y), rng)

    @final
    def judged(self, shared: Shared, rng: Rng) -> Loss:
        """The loss of shared codes."""
        return self.of(shared.codes, rng)


class WeightedSum(Objective):
    """w1 L1 + w2 L2 + …; encoders run once for all terms that look at codes only."""

    def __init__(self, terms: Iterable[tuple[float, Objective]]) -> None:
        super().__init__()
        flat = [
            (weight * inner, part)
            for weight, term in terms
            for inner, part in (term.weighted if isinstance(term, WeightedSum) else [(1.0, term)])
        ]
        self.weights = [weight for weight, _ in flat]
        self.parts = nn.ModuleList(part for _, part in flat)

    @property
    def weighted(self) -> list[tuple[float, Objective]]:
        """Pairs of a weight and an objective."""
        return list(zip(self.weights, self.parts, strict=True))  # pyright: ignore[reportReturnType]

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The weighted sum of the parts' losses."""
        return self.judged(Shared(energy, x, y), rng)

    def judged(self, shared: Shared, rng: Rng) -> Loss:
        """The weighted sum of the parts' losses; a name that occurs again gets a number."""
        losses = [(weight, part.judged(shared, rng)) for weight, part in self.weighted]
        terms: dict[str, Tensor] = {}
        metrics: dict[str, Tensor] = {}
        for weight, loss in losses:
            _merge(terms, {name: weight * value for name, value in loss.terms.items()})
            _merge(metrics, loss.metrics)
        value = torch.stack([weight * loss.value for weight, loss in losses]).sum()

        def commit() -> None:
            for _, loss in losses:
                loss.commit()

        return Loss(value, terms, metrics, commit)


def _merge(into: dict[str, Tensor], new: dict[str, Tensor]) -> None:
    for name, value in new.items():
        unique = name
        while unique in into:
            head, _, number = unique.rpartition("_")
            unique = f"{head}_{int(number) + 1}" if number.isdigit() else f"{name}_2"
        into[unique] = value


class Method(nn.Module):
    """An energy and the objective that shapes it: what a training loop holds and DDP wraps.

    Args:
        energy: E(x, y) with its encoders.
        objective: how it is trained.
        encoder: the module whose output is the representation; None where z is, if anything.

    Example:
        >>> from ebmlab import energies, objectives, regularizers
        >>> f = nn.Linear(5, 2)
        >>> energy = energies.JointEmbedding(f, f, energies.SquaredDistance())
        >>> method = Method(energy, objectives.Regularized(regularizers.VICReg()), encoder=f)
        >>> loss = method(torch.randn(8, 5), torch.randn(8, 5), torch.Generator())
        >>> loss.value.backward(); loss.commit()
    """

    def __init__(
        self, energy: Energy, objective: Objective, encoder: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.energy, self.objective, self.encoder = energy, objective, encoder

    def forward(self, x: Tree, y: Tree, rng: Rng = None) -> Loss:
        """The objective's loss of the energy."""
        return self.objective(self.energy, x, y, rng)

    def encode(self, y: Tensor) -> Tensor:
        """The representation of y (batch, *event): the encoder's output, or z inferred for y.

        Without an encoder it is the z of lowest energy; for clusters, whose z is only a number,
        how well each fits: -E(y, z) for every z, (batch, k).

        Raises:
            ConfigurationError: there is neither an encoder nor a z, or z depends on x.
        """
        encode = self.energy.encode if self.encoder is None else self.encoder
        return told(lambda: encode(y), name_of(encode), y=y)
