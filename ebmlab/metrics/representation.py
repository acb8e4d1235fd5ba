"""What a population of codes is worth: neighbors, a linear probe, rank, spread."""

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError, ShapeError

__all__ = ["code_std", "effective_rank", "knn_accuracy", "linear_probe", "rankme"]

_KNN_TEMPERATURE = 0.07
_KNN_CHUNK = 256
_RANKME_EPS = 1e-7


@torch.no_grad()
def knn_accuracy(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor, k: int = 20
) -> float:
    """The share of test codes whose class wins the vote of the k most similar codes.

    A neighbor's vote weighs exp(cos / 0.07).

    Args:
        codes: (n, d) with their classes `labels` (n,), integers.
        labels: as above.
        test_codes: (m, d) with `test_labels` (m,).
        test_labels: as above.
        k: number of neighbors, 1 <= k <= n.

    Returns:
        The accuracy in [0, 1].

    Raises:
        ShapeError, DtypeError: codes are not (n, d) floats with one integer label per row.
        NonFiniteError: a code is NaN or infinite.
        ConfigurationError: k lies outside 1 ... n.

    Example:
        >>> codes = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> knn_accuracy(codes, torch.tensor([0, 1]), 2 * codes, torch.tensor([0, 0]), k=1)
        0.5

    Source: Wu, Xiong, Yu, Lin 2018, arXiv:1805.01978.
    """
    codes, test_codes = _labeled(codes, labels, test_codes, test_labels)
    if not 1 <= k <= len(codes):
        raise ConfigurationError(
            f"k is {k}, but there are {len(codes)} codes to be neighbors; choose 1 <= k <= n"
        )
    classes, index = labels.unique(return_inverse=True)
    bank = torch.nn.functional.normalize(codes, dim=-1)
    queries = torch.nn.functional.normalize(test_codes, dim=-1)
    won = []
    for part in queries.split(_KNN_CHUNK):
        cosine, neighbor = (part @ bank.mT).topk(k, dim=-1)
        votes = torch.zeros(len(part), len(classes), dtype=bank.dtype, device=bank.device)
        votes.scatter_add_(-1, index[neighbor], (cosine / _KNN_TEMPERATURE).exp())
        won.append(classes[votes.argmax(-1)])
    return (torch.cat(won) == test_labels).double().mean().item()


def linear_probe(codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor) -> float:
    """The test accuracy of a logistic regression on standardized codes.

    Args:
        codes: (n, d) with their classes `labels` (n,), integers; the probe is fitted on them.
        labels: as above.
        test_codes: (m, d) with `test_labels` (m,), scaled by the statistics of `codes`.
        test_labels: as above.

    Returns:
        The accuracy in [0, 1].

    Raises:
        ShapeError, DtypeError: codes are not (n, d) floats with one integer label per row.
        NonFiniteError: a code is NaN or infinite.
        ConfigurationError: the labels hold one class only.

    Example:
        >>> codes = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]])
        >>> labels = torch.tensor([0, 0, 1, 1])
        >>> linear_probe(codes, labels, codes, labels)
        1.0
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    codes, test_codes = _labeled(codes, labels, test_codes, test_labels)
    if len(labels.unique()) < 2:
        raise ConfigurationError("labels hold one class only; a probe needs at least two")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    probe.fit(codes.double().cpu().numpy(), labels.cpu().numpy())
    return float(probe.score(test_codes.double().cpu().numpy(), test_labels.cpu().numpy()))


@torch.no_grad()
def effective_rank(codes: Tensor) -> float:
    """How many directions the codes vary in: exp(-Σ p log p) with p = σ / Σ σ.

    σ are the singular values of the centered codes; the rank lies in [1, min(n - 1, d)]. A
    dimension that varies by no more than two roundings of its dtype counts as constant, and a
    fully collapsed population, constant in all, has rank 1 by convention.

    Args:
        codes: (n, d) with n >= 2.

    Raises:
        ShapeError: codes are not (n, d), or n < 2.
        DtypeError, NonFiniteError: codes are not finite floating-point numbers.

    Example:
        >>> cross = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> round(effective_rank(cross), 4)
        2.0

    Source: Roy, Vetterli 2007, "The effective rank", on centered data.
    """
    resolution = torch.finfo(_population("codes", codes, least=2).dtype).eps
    codes = _precise(codes)
    centered = codes - codes.mean(0)
    varies = centered.abs().amax(0) > 2 * resolution * codes.abs().amax(0)
    values = torch.linalg.svdvals(torch.where(varies, centered, 0.0))
    if values.max() == 0:
        return 1.0
    return torch.special.entr(values / values.sum()).sum().exp().item()


@torch.no_grad()
def rankme(codes: Tensor) -> float:
    """The effective rank without centering: exp(-Σ p log p) with p = σ / Σ σ + 1e-7.

    A constant shift of the codes counts as one direction of its own. All-zero codes have rank 1
    by convention.

    Args:
        codes: (n, d).

    Raises:
        ShapeError: codes are not (n, d).
        DtypeError, NonFiniteError: codes are not finite floating-point numbers.

    Example:
        >>> round(rankme(torch.eye(3)), 4)
        3.0

    Source: Garrido, Balestriero, Najman, LeCun 2023, arXiv:2210.02885.
    """
    values = torch.linalg.svdvals(_precise(_population("codes", codes)))
    if values.max() == 0:
        return 1.0
    return torch.special.entr(values / values.sum() + _RANKME_EPS).sum().exp().item()


@torch.no_grad()
def code_std(codes: Tensor) -> float:
    """The standard deviation (over n - 1) of each dimension, averaged; 0 is collapse.

    Args:
        codes: (n, d) with n >= 2.

    Raises:
        ShapeError: codes are not (n, d), or n < 2.
        DtypeError, NonFiniteError: codes are not finite floating-point numbers.

    Example:
        >>> code_std(torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]))
        0.5
    """
    return _precise(_population("codes", codes, least=2)).std(0).mean().item()


def _precise(codes: Tensor) -> Tensor:
    return codes.to(torch.promote_types(codes.dtype, torch.float32))


def _population(name: str, codes: Tensor, least: int = 1) -> Tensor:
    if codes.ndim != 2 or len(codes) < least or codes.shape[1] == 0:
        raise ShapeError(
            f"{name} has shape {tuple(codes.shape)}; (n, d) with n >= {least} is needed"
        )
    if not codes.is_floating_point():
        raise DtypeError(f"{name} has dtype {codes.dtype}; convert it with .float()")
    if not bool(codes.isfinite().all()):
        raise NonFiniteError(f"{name} {tuple(codes.shape)} holds NaN or infinity")
    return codes.detach()


def _labeled(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Both populations in one precision, float32 or better, once all four tensors are checked."""
    for name, c, t in (("", codes, labels), ("test_", test_codes, test_labels)):
        _population(f"{name}codes", c)
        if t.shape != c.shape[:1]:
            raise ShapeError(
                f"{name}labels has shape {tuple(t.shape)}, but {name}codes {tuple(c.shape)} needs "
                f"({len(c)},)"
            )
        if t.is_floating_point() or t.is_complex():
            raise DtypeError(f"{name}labels has dtype {t.dtype}; labels are integers: .long()")
    if codes.shape[1] != test_codes.shape[1]:
        raise ShapeError(
            f"codes {tuple(codes.shape)} and test_codes {tuple(test_codes.shape)} differ in their "
            "dimension"
        )
    kind = torch.promote_types(_precise(codes).dtype, test_codes.dtype)
    return codes.detach().to(kind), test_codes.detach().to(kind)
