"""`OnlineAccuracy`: what codes are worth to neighbors and a linear probe, during training."""

from typing import Any, final

from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab._precise import precise
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.metrics.neighbors import knn_accuracy
from ebmlab.metrics.online import Online, Seen
from ebmlab.metrics.online_probe import OnlineProbe
from ebmlab.metrics.populations import standardized

__all__ = ["OnlineAccuracy"]

Labeled = tuple[Tensor, Tensor]


@final
class OnlineAccuracy(Online):
    """A watch: accuracies of `knn_accuracy` and of a linear probe, on held-out images.

    Both learn from codes of `train`; neither sends a gradient to the method. At each look the
    probe, a softmax of standardized codes, goes on by some steps of Adam from where it was, so
    that it follows codes that move and costs little; `linear_probe` is the one that is trained
    to its minimum. Its weights and its generator are its own, and are saved with the run.

    Metrics: `knn_accuracy` and `probe_accuracy`, in [0, 1].

    Args:
        train: images (n, *event), as `Method.encode` takes them, with their labels (n,).
        test: those to be judged, likewise.
        every: looks from one that is taken to the next; each encodes all images.
        k: neighbors; at most n.
        steps: of the probe, at each look.
        lr: its step size.
        rows: images encoded at a time, and rows of a step of the probe.
        seed: of the order in which the probe sees codes.

    Raises:
        ShapeError, DtypeError: images and labels do not fit.
        ConfigurationError: a number is out of range, or labels are of one class.

    Example:
        >>> import torch
        >>> labels = torch.arange(64) % 2
        >>> images = torch.eye(2)[labels] + 0.1 * torch.rand(64, 2)
        >>> watch = OnlineAccuracy((images, labels), (images, labels), k=5)
        >>> watch.look(lambda images: 3 * images)  # fit calls watch(method, batch, loss)
        {'knn_accuracy': 1.0, 'probe_accuracy': 1.0}
    """

    def __init__(
        self,
        train: Labeled,
        test: Labeled,
        *,
        every: int = 1,
        k: int = 20,
        steps: int = 100,
        lr: float = 0.01,
        rows: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__(every, rows)
        require_counts(k=k, steps=steps)
        require_positive("lr", lr)
        self.train, self.test = _labeled("train", train), _labeled("test", test)
        self.k, self.steps = k, steps
        if k > len(self.train[0]):
            raise ConfigurationError(f"k is {k}, but train holds {len(self.train[0])} images")
        self._classes, self._index = self.train[1].unique(return_inverse=True)
        if len(self._classes) < 2:
            raise ConfigurationError("train holds labels of one class; a probe needs two")
        self._probe = OnlineProbe(len(self._classes), lr=lr, rows=rows, seed=seed)

    def look(self, seen: Seen) -> dict[str, float]:
        """Train the probe, and judge both."""
        (images, labels), (test_images, test_labels) = self.train, self.test
        train, test = precise(seen(images)), precise(seen(test_images))
        if not bool(train.isfinite().all() & test.isfinite().all()):
            return {}
        labels, test_labels = labels.to(train.device), test_labels.to(train.device)
        knn = knn_accuracy(train, labels, test, test_labels, self.k)
        train, test = standardized(train, test)
        self._probe.train(train, self._index.to(train.device), self.steps)
        said = self._classes.to(train.device)[self._probe.logits(test).argmax(-1)]
        right = (said == test_labels).double().mean().item()
        return {"knn_accuracy": knn, "probe_accuracy": right}

    def state_dict(self) -> dict[str, Any]:
        """How many looks there were, and the probe."""
        return {**super().state_dict(), "probe": self._probe.state_dict()}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from what `state_dict` gave. Raises as `Online.load_state_dict`."""
        self._probe.load_state_dict(state.get("probe", {}))
        super().load_state_dict(state)


def _labeled(name: str, pair: Labeled) -> Labeled:
    images, labels = pair
    if labels.ndim != 1 or images.shape[:1] != labels.shape or not len(labels):
        raise ShapeError(
            f"{name} holds images {tuple(images.shape)} and labels {tuple(labels.shape)}; "
            "expected (n, *event) and (n,), n >= 1"
        )
    if labels.is_floating_point() or labels.is_complex():
        raise DtypeError(f"labels of {name} have dtype {labels.dtype}; they are integers: .long()")
    return images, labels
