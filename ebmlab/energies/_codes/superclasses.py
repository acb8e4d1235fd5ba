"""`SuperClasses`: a label and a cluster predicted together, first the coarse, then the fine."""

from torch import Tensor, nn

from ebmlab._checks import require_counts, require_labels, require_tensor
from ebmlab._events import require_vectors
from ebmlab.energies._codes.inner import mean_log
from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["SuperClasses"]


class SuperClasses(Energy):
    """E(h, y, z) = -Σ_ac z_ac [log softmax(V h)_ya + log softmax(W_ya h)_c].

    y is a label that is known, such as the angle by which an image was rotated, z = (a, c) a
    cluster and one of its parts. Together (y, a) is a super-class, c a class in it: the label
    times the clusters, in two levels.

    Args:
        dim: length of the codes h.
        labels: how many y there are, whole numbers from 0 on.
        clusters: how many a.
        parts: how many c in each super-class; z is (*batch, clusters · parts).

    Example:
        >>> import torch
        >>> energy = SuperClasses(8, labels=4, clusters=2, parts=3)
        >>> z = torch.eye(6)[:2]
        >>> energy(torch.zeros(2, 8), torch.tensor([0, 3]), z).shape
        torch.Size([2])

    Source: Caron, Bojanowski, Mairal, Joulin 2019, arXiv:1905.01278.
    """

    shows = ("labels", "parts")
    y_ndim = 0
    takes_z = True

    def __init__(self, dim: int, labels: int, clusters: int, parts: int) -> None:
        super().__init__()
        require_counts(dim=dim, labels=labels, clusters=clusters, parts=parts)
        self.labels, self.parts = labels, parts
        self.coarse = nn.Linear(dim, labels * clusters)
        self.fine = nn.Linear(dim, labels * clusters * parts)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        h, label = require_tensor("x", x), require_labels("y", y, self.labels)
        clusters = self.coarse.out_features // self.labels
        z = require_vectors("z", z, clusters * self.parts, "SuperClasses")
        coarse = self.coarse(h).log_softmax(-1)[..., None]
        fine = self.fine(h).unflatten(-1, (-1, self.parts)).log_softmax(-1)
        chosen = nn.functional.one_hot(label, self.labels)
        weights = chosen[..., None] * z[..., None, :]
        return -mean_log(weights.flatten(-2), (coarse + fine).flatten(-2))
