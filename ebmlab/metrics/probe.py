"""What codes are worth to a linear classifier."""

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._checks import require_positive
from ebmlab.errors import ConfigurationError
from ebmlab.metrics.logistic import fit_logistic_cpu
from ebmlab.metrics.populations import labeled, standardized

__all__ = ["linear_probe"]

# Rows whose logits are held at a time on a GPU.
_BLOCK = 65536


def linear_probe(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor, *, penalty: float = 1.0
) -> float:
    """The test accuracy of a logistic regression on standardized codes.

    Minimizes ½ penalty ‖W‖² + Σ cross-entropy by L-BFGS: by the steps of scikit-learn, or on a GPU
    over blocks of rows. The statistics of `codes` (n, d) scale the test codes too. Other arguments
    and errors are those of `knn_accuracy`.

    Raises:
        ConfigurationError: the labels hold one class only.

    Example:
        >>> codes = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]])
        >>> labels = torch.tensor([0, 0, 1, 1])
        >>> linear_probe(codes, labels, codes, labels)
        1.0
    """
    require_positive("penalty", penalty)
    codes, test_codes = labeled(codes, labels, test_codes, test_labels)
    if len(labels.unique()) < 2:
        raise ConfigurationError("labels hold one class only; a probe needs at least two")
    if codes.is_cuda:
        return _on_device(codes, labels, test_codes, test_labels, penalty)
    return _on_cpu(codes, labels, test_codes, test_labels, penalty)


def _on_cpu(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor, penalty: float
) -> float:
    from sklearn.preprocessing import StandardScaler

    scaler, (classes, index) = StandardScaler(), labels.unique(return_inverse=True)
    train = torch.from_numpy(scaler.fit_transform(codes.double().cpu().numpy()))
    test = torch.from_numpy(scaler.transform(test_codes.double().cpu().numpy()))
    weight, bias = fit_logistic_cpu(train, index.cpu(), len(classes), penalty)
    logits = test @ weight.mT + bias
    best = logits.argmax(-1) if len(classes) > 2 else (logits[:, 0] > 0).long()
    return (classes.cpu()[best] == test_labels.cpu()).double().mean().item()


def _on_device(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor, penalty: float = 1.0
) -> float:
    classes, index = labels.unique(return_inverse=True)
    codes, test_codes = standardized(codes, test_codes)
    weight, bias = fit_logistic(codes, index, len(classes), penalty)
    logits = test_codes @ weight.mT + bias
    return (classes[logits.argmax(-1)] == test_labels).double().mean().item()


@torch.enable_grad()
def fit_logistic(
    codes: Tensor, index: Tensor, classes: int, penalty: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Weights (classes, d), biases (classes,) that minimize ½ penalty ‖W‖² + Σ cross-entropy."""
    weight = torch.zeros(classes, codes.shape[1], dtype=codes.dtype, device=codes.device)
    bias = torch.zeros(classes, dtype=codes.dtype, device=codes.device)
    parameters = [weight.requires_grad_(), bias.requires_grad_()]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=500, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        # The mean, whose scale suits the optimizer's tolerances.
        value = 0.5 * penalty * weight.square().sum() / len(codes)
        value.backward()
        total = value.detach()
        for h, label in zip(codes.split(_BLOCK), index.split(_BLOCK), strict=True):
            part = functional.cross_entropy(h @ weight.mT + bias, label, reduction="sum")
            part = part / len(codes)
            part.backward()
            total = total + part.detach()
        return total

    optimizer.step(loss)
    return weight.detach(), bias.detach()
