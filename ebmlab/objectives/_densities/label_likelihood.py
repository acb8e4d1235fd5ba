"""Exact likelihood of what is known given what is judged, where E sums it out."""

from ebmlab.energies.classifier import minus_logit
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["LabelLikelihood"]


class LabelLikelihood(Objective):
    """-mean log p(x | y) = mean E(x, y) - E(None, y), in nats: the cross-entropy of labels x.

    Exact for every energy that lists its x by `for_each_x`, as `energies.Classifier` does: the
    network of y runs once. What depends on y alone cancels: p(y) is left to another term, see
    `Unconditional`.

    Terms: `label_likelihood`. Metrics: `e_pos`, mean E(x, y); `e_y`, mean E(None, y).

    Raises:
        ConfigurationError: the energy does not list its x, or x is None or none of them.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Classifier
        >>> energy = Classifier(torch.nn.Identity(), y_ndim=1)  # y are the logits
        >>> LabelLikelihood()(energy, torch.tensor([1, 3]), torch.zeros(2, 4)).value
        tensor(1.3863)

    Source: Grathwohl et al. 2020, arXiv:1912.03263.
    """

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The mean of E(x, y) - E(None, y)."""
        each = energy.for_each_x(y, rng=rng) if energy.takes_x else None
        if each is None or x is None:
            what = "x is None" if x is None else f"{type(energy).__name__} does not list its x"
            raise ConfigurationError(
                f"{what}: a likelihood of x needs data x, and an energy E(x, y) that gives those "
                "of all x by for_each_x, such as energies.Classifier"
            )
        e_pos, e_y = minus_logit(-each, x), minus_logit(-each, None)
        value = (e_pos - e_y).mean()
        metrics = {"e_pos": e_pos.detach().mean(), "e_y": e_y.detach().mean()}
        return Loss(value, {"label_likelihood": value.detach()}, metrics)
