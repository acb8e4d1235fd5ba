import torch
from problems import randn
from torch import Tensor

from ebmlab.protocols import Regularizer


def views(b: int = 12, d: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two views of codes whose columns have several scales and means."""
    scale = torch.linspace(0.2, 2.0, d, dtype=torch.float64)
    x = scale * randn(b, d, seed=seed) + scale.flip(0)
    y = x + 0.3 * randn(b, d, seed=seed + 1)
    return x.requires_grad_(), y.requires_grad_()


def same_value_and_slopes(ours: Tensor, theirs: Tensor, *inputs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)
    grads = (torch.autograd.grad(value, inputs, retain_graph=True) for value in (ours, theirs))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def is_symmetric(regularizer: Regularizer, x: Tensor, y: Tensor) -> bool:
    """The order of the rows and of the two views makes no difference."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(3))
    value = regularizer(x, y)
    turned = regularizer(x[order], y[order])
    return torch.allclose(turned, value) and torch.allclose(regularizer(y, x), value)
