"""A classifier of y read as an energy of a label and y."""

from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import common_batch, require_labels, require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab.energy import Energy
from ebmlab.types import Rng, Tree

__all__ = ["Classifier", "minus_logit"]


def minus_logit(logits: Tensor, label: Tree, names: tuple[str, str] = ("x", "y")) -> Tensor:
    """-h_k of logits h (*batch, classes) and labels k (*batch); -log Σ_k exp h_k where k is None.

    Labels are whole numbers below `classes`. Batches broadcast. `names` are what errors call the
    label, and what the logits are of.

    Example:
        >>> import torch
        >>> minus_logit(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 0]))
        tensor([-2., -3.])
    """
    logits = precise(require_floats("logits", logits))
    if label is None:
        return -logits.logsumexp(-1)
    label_name, of = names
    index = require_labels(label_name, label, logits.shape[-1]).long()
    batch = common_batch({label_name: index.shape, of: logits.shape[:-1]})
    own = logits.expand(*batch, -1).gather(-1, index.expand(batch)[..., None])
    return -own.squeeze(-1)


class Classifier(Energy):
    """E(x, y) = -f(y)_x of a label x and y; E(None, y) = -log Σ_k exp f(y)_k, labels summed out.

    The softmax of the logits f is p(x | y) = exp(E(None, y) - E(x, y)), as ever. Their height,
    which a softmax does not see, says how much of such a y there is: exp(-E(None, y)) / Z is p(y),
    and `given(label)` a potential of p(y | x). A likelihood of labels alone leaves it free.

    Args:
        network: f, (n, *event) -> (n, classes), without normalization over the batch.
        y_ndim: event dimensions of y: 3 images, 1 vectors.

    Raises:
        ConfigurationError: a label lies outside 0 … classes - 1.
        DtypeError: labels are not whole numbers.

    Example:
        >>> import torch
        >>> energy = Classifier(nn.Linear(2, 3), y_ndim=1)
        >>> y, labels = torch.randn(4, 2), torch.tensor([0, 2, 1, 1])
        >>> (energy(None, y) - energy(labels, y)).exp().allclose(
        ...     energy.probabilities(y)[torch.arange(4), labels])
        True

    Source: Grathwohl et al. 2020, arXiv:1912.03263; LeCun et al. 2006, section 2.2.4.
    """

    x_ndim = 0

    def __init__(self, network: nn.Module, *, y_ndim: int = 3) -> None:
        super().__init__()
        self.network = network
        self.y_ndim = self.y_event = y_ndim

    def encode(self, y: Tree) -> Tensor:
        """The logits f(y), (*batch, classes): -E(k, y) of every label k."""
        return over_batch(self.network, (require_tensor("y", y), self.y_event), names="y")

    def probabilities(self, y: Tree) -> Tensor:
        """p(k | y) of every label k, (*batch, classes)."""
        return precise(self.encode(y)).softmax(-1)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Minus the logit of the label."""
        return minus_logit(self.encode(y), x)

    def for_each_x(self, y: Tree, *, rng: Rng = None) -> Tensor:
        """Minus all logits."""
        return -precise(self.encode(y))
