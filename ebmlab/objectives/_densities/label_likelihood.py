"""Exact likelihood of what is known given what is judged, where E sums it out."""

from ebmlab.codes import Codes
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import CodeObjective, Loss
from ebmlab.types import Rng

__all__ = ["LabelLikelihood"]


class LabelLikelihood(CodeObjective):
    """-mean log p(x | y) = mean E(x, y) - E(None, y), in nats: the cross-entropy of labels x.

    Exact for every energy that sums x out where it is None, as `energies.Classifier` does. What
    depends on y alone cancels: p(y) is left to another term, see `Unconditional`.

    Terms: `label_likelihood`. Metrics: `e_pos`, mean E(x, y); `e_y`, mean E(None, y).

    Raises:
        ConfigurationError: the energy does not take x, or x is None.
        ShapeError: x cannot be None: the energy sums nothing out.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Classifier
        >>> energy = Classifier(torch.nn.Identity(), y_ndim=1)  # y are the logits
        >>> LabelLikelihood()(energy, torch.tensor([1, 3]), torch.zeros(2, 4)).value
        tensor(1.3863)

    Source: Grathwohl et al. 2020, arXiv:1912.03263.
    """

    def of(self, codes: Codes, rng: Rng) -> Loss:
        """The mean of E(x, y) - E(None, y); the network of y has run once."""
        if not codes.head.takes_x or any(x is None for x in codes.x):
            what = "x is None" if codes.head.takes_x else f"{type(codes.head).__name__} takes no x"
            raise ConfigurationError(
                f"{what}: a likelihood of x needs data x, and an energy E(x, y) that sums x out "
                "where it is None"
            )
        e_pos = codes.energies(rng=rng)
        e_y = codes.without_x().energies(rng=rng)
        value = (e_pos - e_y).mean()
        metrics = {"e_pos": e_pos.detach().mean(), "e_y": e_y.detach().mean()}
        return Loss(value, {"label_likelihood": value.detach()}, metrics)
