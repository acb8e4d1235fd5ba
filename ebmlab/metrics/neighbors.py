"""What codes are worth to a classifier without training: votes of the nearest."""

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab.energies import unit
from ebmlab.errors import ConfigurationError
from ebmlab.metrics.populations import labeled

__all__ = ["knn_accuracy"]

# Cosines held at a time, as a number of elements.
_BLOCK = 2**24


@torch.no_grad()
def knn_accuracy(
    codes: Tensor,
    labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    k: int = 20,
    *,
    weighted: bool = True,
    temperature: float = 0.07,
) -> float:
    """The share of test codes whose class wins the vote of the k codes of highest cosine.

    On the codes' device, a block of test codes at a time.

    Args:
        codes: (n, d).
        labels: their classes, (n,) integers.
        test_codes: (m, d).
        test_labels: (m,).
        k: number of neighbors, 1 <= k <= n.
        weighted: whether a neighbor's vote weighs exp(cos / temperature), or 1.
        temperature: in units of the cosine, > 0.

    Returns:
        The accuracy in [0, 1].

    Raises:
        ShapeError, DtypeError: codes are not (n, d) floats with one integer label per row.
        DeviceError: the tensors are on different devices.
        NonFiniteError: a code is NaN or infinite.
        ConfigurationError: k lies outside 1 ... n.

    Example:
        >>> codes = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> knn_accuracy(codes, torch.tensor([0, 1]), 2 * codes, torch.tensor([0, 0]), k=1)
        0.5

    Source: Wu, Xiong, Yu, Lin 2018, arXiv:1805.01978.
    """
    require_positive("temperature", temperature)
    codes, test_codes = labeled(codes, labels, test_codes, test_labels)
    if not 1 <= k <= len(codes):
        raise ConfigurationError(
            f"k is {k}, but there are {len(codes)} codes to be neighbors; choose 1 <= k <= n"
        )
    classes, index = labels.unique(return_inverse=True)
    known, queries = unit(codes), unit(test_codes)
    won = []
    for part in queries.split(max(1, _BLOCK // len(known))):
        cosine, neighbor = (part @ known.mT).topk(k, dim=-1)
        # exp(cos / τ) would overflow at low temperatures; a common factor changes no vote.
        each = ((cosine - cosine[:, :1]) / temperature if weighted else 0 * cosine).exp()
        votes = torch.zeros(len(part), len(classes), dtype=known.dtype, device=known.device)
        votes.scatter_add_(-1, index[neighbor], each)
        won.append(classes[votes.argmax(-1)])
    return (torch.cat(won) == test_labels).double().mean().item()
