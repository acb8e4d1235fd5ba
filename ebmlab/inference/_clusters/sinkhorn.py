"""Balanced clusters: optimal transport between a batch and the prototypes."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab._precise import precise_type
from ebmlab._ranks import gathered, rank_count, totaled
from ebmlab.errors import ShapeError
from ebmlab.free_energy import Posterior
from ebmlab.inference._clusters.assigning import Assigning, Logits, target_codes
from ebmlab.networks import Memory
from ebmlab.types import Tree

__all__ = ["Sinkhorn", "balanced"]

# Logits that are more ε apart leave the exponentials of single precision: of any two, whatever
# the scales of rows and clusters, and of a row whose largest is 0.
_NEAR, _REACH = 40.0, 67.0


@torch.no_grad()
def balanced(
    logits: Tensor, epsilon: float = 0.05, iterations: int = 3, weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Assignments Q of rows to clusters that use all clusters alike: Sinkhorn and Knopp's scaling.

    Q maximizes Σ Q_bk s_bk + ε H(Q) subject to Σ_k Q_bk = 1 and equal Σ_b Q_bk, in the limit of
    many iterations; each makes the clusters equal and then the rows. Only two vectors of scales
    move; the matrix exp(s / ε) is laid out once, divided by its largest entry, or every row by
    its own where logits lie far apart, in single precision or better, also under autocast. Where
    those of a row lie too far apart for that, all is done in logarithms and double precision.

    Args:
        logits: (b, K), the rows of this rank; all ranks are balanced together.
        epsilon: ε > 0, in the units of the logits.
        iterations: how often both are scaled.
        weights: of the rows (b); None for 1 each.

    Returns:
        Q (b, K), whose rows sum to 1, and Σ_k |share of cluster k - 1/K| before the last
        iteration.

    Example:
        >>> q, _ = balanced(torch.tensor([[1.0, 0.0], [1.0, 0.5]]), epsilon=0.1, iterations=50)
        >>> q.sum(0).round(decimals=4)
        tensor([1., 1.])

    Source: Cuturi 2013, arXiv:1306.0895; Caron et al. 2020, arXiv:2006.09882.
    """
    if torch.is_autocast_enabled(logits.device.type):
        with torch.autocast(logits.device.type, enabled=False):
            return balanced(logits, epsilon, iterations, weights)
    kind = precise_type(logits.dtype)
    logits = logits.to(kind)
    weight = logits.new_ones(len(logits)) if weights is None else weights.to(kind)
    low, high = _across(*logits.aminmax())
    if float(high - low) <= _NEAR * epsilon:
        logs = torch.sub(logits, high).mul_(1 / epsilon)
        return _by_products(logs, None, weight, iterations)
    return _far_apart(logits, epsilon, iterations, weight)


def _across(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest number of all ranks."""
    if rank_count() == 1:
        return low, high
    low, high = gathered("logits", torch.stack([-low, high])[None]).amax(0)
    return -low, high


def _far_apart(
    logits: Tensor, epsilon: float, iterations: int, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Of logits of which some are far apart, every row about its own largest."""
    top = logits.amax(-1, keepdim=True)
    matrix = logits - top
    least, highest = _across(matrix.amin(), top.where(weight[:, None] > 0, -torch.inf).amax())
    scaled = _by_products
    if -least > _REACH * epsilon:
        scaled, top, weight = _by_logarithms, top.double(), weight.double()
        matrix = logits.double() - top
    # Rows begin with the mass of exp(s / ε) itself, up to one factor, as in the authors' code.
    mass = ((top.squeeze(-1) - highest) / epsilon).clamp(max=0)
    q, uneven = scaled(matrix.div_(epsilon), mass, weight, iterations)
    return q.to(logits.dtype), uneven.to(logits.dtype)


def _by_products(
    logs: Tensor, mass: Tensor | None, weight: Tensor, iterations: int
) -> tuple[Tensor, Tensor]:
    """Of rows that begin with exp(mass); None for 1 each. What is laid out is worked on there."""
    matrix, amount = logs.exp_(), totaled(weight.sum())
    turned, v = matrix.mT, weight if mass is None else weight * mass.exp()
    share = amount / len(turned)
    before = u = clusters = amount.new_zeros(len(turned))
    rows = v
    for _ in range(iterations):
        before, clusters = u, totaled(turned @ v)
        u = share / clusters
        rows = matrix @ u
        v = weight / rows
    uneven = torch.dist(before * clusters, share, 1) / amount
    return matrix.mul_(u).mul_(rows.reciprocal()[:, None]), uneven


def _by_logarithms(
    logs: Tensor, mass: Tensor, weight: Tensor, iterations: int
) -> tuple[Tensor, Tensor]:
    """The same of logarithms: each sum of exponentials is taken about its largest."""
    weight, share = weight.log(), (totaled(weight.sum()) / logs.shape[1]).log()
    v, u = weight + mass, torch.full_like(logs[0], -torch.inf)
    total = u
    for _ in range(iterations):
        clusters = gathered("sums", (logs + v[:, None]).logsumexp(0, keepdim=True)).logsumexp(0)
        total = u + clusters
        # A cluster that no row can enter stays empty: its infinities must not meet.
        u = share - clusters.clamp(min=torch.finfo(clusters.dtype).min)
        v = weight - (logs + u).logsumexp(1)
    return (logs + u).softmax(1), ((total - share).exp() - 1).abs().sum() / len(u)


class Sinkhorn(Assigning):
    """z = the balanced assignment of y's codes to the clusters, over the batch of all ranks.

    The population is the last batch dimension; any before it (views) are other populations. No
    gradient passes. F is the energy at z, and so an upper bound of its minimum over z.

    Args:
        epsilon: ε > 0, in the units of the logits; the smaller, the harder.
        iterations: rounds of scaling.
        memory: past codes that enlarge the population once the memory is full: each commit pushes
            its codes, and the present logits assign all of them. A memory with views enlarges
            each view of y by that view's codes; y is then (…, views, b, dim).
        memory_from: commits before the memory is used.

    Raises:
        ShapeError: y is one code without a batch, or has not the views of the memory.

    Example:
        >>> from ebmlab import FreeEnergy
        >>> from ebmlab.energies import Assignment
        >>> from ebmlab.networks import Prototypes
        >>> head = FreeEnergy(Assignment(Prototypes(4, 10)), Sinkhorn())
        >>> head(torch.randn(8, 4), torch.randn(8, 4)).shape
        torch.Size([8])

    Source: Caron et al. 2020, arXiv:2006.09882; Asano, Rupprecht, Vedaldi 2020, arXiv:1911.05371.
    """

    shows = ("epsilon", "iterations")
    couples = True
    clock: Tensor

    def __init__(
        self,
        epsilon: float = 0.05,
        iterations: int = 3,
        memory: Memory | None = None,
        memory_from: int = 0,
    ) -> None:
        super().__init__()
        require_positive("epsilon", epsilon)
        require_counts(iterations=iterations)
        require_counts(0, memory_from=memory_from)
        self.epsilon, self.iterations = epsilon, iterations
        self.memory, self.memory_from = memory, memory_from
        self.register_buffer("clock", torch.zeros((), dtype=torch.long))

    def assign(self, logits: Logits, h: Tensor) -> tuple[Tensor, Tensor]:
        """The assignments, and how uneven the clusters were before the last iteration."""
        if h.ndim < 2:
            raise ShapeError(f"y has shape {tuple(h.shape)}; expected a population (…, b, dim)")
        found = logits(h)
        populations = found.reshape(-1, *found.shape[-2:])
        if self.memory is None:
            parts = [balanced(own, self.epsilon, self.iterations) for own in populations]
        else:
            parts = self._joined(populations, logits, h, self.memory)
        z, uneven = (_stacked(part) for part in zip(*parts, strict=True))
        return z.reshape(found.shape), uneven.reshape(*found.shape[:-2], 1)

    def _joined(
        self, populations: Tensor, logits: Logits, h: Tensor, memory: Memory
    ) -> list[tuple[Tensor, Tensor]]:
        """What `balanced` says of each population (b, K) together with its view's past codes."""
        memory.require_kinds(h)
        past = logits(memory.codes.to(h.dtype))
        past = past.reshape(-1, *past.shape[-2:])
        size, b = past.shape[1], populations.shape[1]
        used = (memory.count >= size) & (self.clock >= self.memory_from)
        # Every rank holds the whole memory, and lends each of its codes an equal share.
        share = (used / rank_count()).expand(size)
        weights = torch.cat([share, share.new_ones(b)])
        found = []
        for i, own in enumerate(populations):
            joined = torch.cat([past[i % len(past)], own])
            q, uneven = balanced(joined, self.epsilon, self.iterations, weights)
            found.append((q[size:], uneven))
        return found

    @torch.no_grad()
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior]) -> None:
        if self.memory is not None:
            self.memory.push(target_codes(y))
        self.clock += 1


def _stacked(parts: tuple[Tensor, ...]) -> Tensor:
    # The one population of a batch is large, and need not be copied.
    return parts[0][None] if len(parts) == 1 else torch.stack(parts)
