"""`Assignment`: the cross-entropy of a code's cluster probabilities and z, a share of each."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from ebmlab._checks import common_batch, require_positive, require_tensor
from ebmlab._events import require_vectors
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab.energies._codes.inner import mean_log
from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["Assignment", "ClusterEnergy", "entropies"]


class ClusterEnergy(Energy):
    """An energy of clusters z whose codes have logits: what inferences of clusters look at."""

    takes_z = True

    @abstractmethod
    def logits(self, h: Tensor) -> Tensor:
        """How well codes (*batch, dim) suit each of K clusters: (*batch, K)."""


class Assignment(ClusterEnergy):
    """E(hx, hy, z) = -Σ_k z_k log softmax(s(hx) / τ)_k: x's code predicts the cluster z of y's.

    z lies on the simplex of K clusters and is inferred from hy; y enters nowhere else:
    `FreeEnergy(Assignment(Prototypes(128, 3000)), Sinkhorn())` is SwAV's head. E is linear in z,
    so that a point of the simplex may stand for a distribution of clusters.

    Args:
        logits: s, (n, dim) -> (n, K), such as `Prototypes`; None where the codes are the logits.
        temperature: τ > 0, in the units of the logits.

    Example:
        >>> energy = Assignment(temperature=1.0)
        >>> energy(torch.zeros(1, 4), torch.zeros(1, 4), torch.tensor([[0.0, 1.0, 0.0, 0.0]]))
        tensor([1.3863])

    Source: Caron et al. 2020, arXiv:2006.09882.
    """

    shows = ("temperature",)

    def __init__(self, logits: nn.Module | None = None, temperature: float = 0.1) -> None:
        super().__init__()
        require_positive("temperature", temperature)
        self.prototypes = nn.Identity() if logits is None else logits
        self.temperature = temperature

    def logits(self, h: Tensor) -> Tensor:
        return self.prototypes(h)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        x, y = require_floats("x", require_tensor("x", x)), require_tensor("y", y)
        logits = precise(self.logits(x)) / self.temperature
        z = require_vectors("z", z, logits.shape[-1], f"Assignment of x {tuple(x.shape)}")
        energy = -mean_log(z, logits.log_softmax(-1))
        return energy.expand(common_batch({"x": energy.shape, "y": y.shape[:-1]}))


@torch.no_grad()
def entropies(z: Tensor) -> tuple[Tensor, Tensor]:
    """Entropies in nats of assignments (…, K): their mean, and that of the mean assignment.

    Healthy assignments are sharp and balanced: the first well below log K, the second near it.
    Both near log K say that every datum is assigned to everything; both near 0, that all data
    share one cluster.

    Example:
        >>> mean, of_mean = entropies(torch.eye(4))
        >>> float(mean), round(float(of_mean), 4)
        (0.0, 1.3863)
    """
    z = precise(z.reshape(-1, z.shape[-1]))
    each = torch.special.entr(z).sum(-1)
    return each.mean(), torch.special.entr(z.mean(0)).sum()
