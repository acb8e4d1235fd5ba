"""Batch normalization over the rows of all ranks."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm

from ebmlab._precise import SINGLE, Precise, precise
from ebmlab._ranks import rank_count, summed
from ebmlab.errors import ConfigurationError, ShapeError

__all__ = ["BatchNorm", "synchronized"]


class BatchNorm(Precise, _BatchNorm):
    """Batch normalization over all ranks: (n, c), or (n, c, …) of images, to the same shape.

    (y - mean) / √(variance + ε) · weight + bias for each of c channels. In training mode the
    moments are those of the rows of all ranks, of whatever numbers, and the running ones equal on
    each: training on ranks is training on one. Gradients of gradients pass. Otherwise, and where
    there are no other ranks, it is torch's own, with the same parameters and buffers. Moments are
    taken and kept in float32 or better.

    Args:
        features: c.
        eps: ε.
        momentum: the share of a batch in the running moments; 0.0 leaves them as they are, None
            makes them the mean over all batches.
        affine: whether weight and bias are learned.

    Raises:
        ShapeError: not (n, c, …), or one value for each channel, in training mode.

    Example:
        >>> norm = BatchNorm(3)
        >>> norm(5 + torch.randn(64, 3)).mean(0).abs().max() < 1e-5
        tensor(True)

    Source: Ioffe, Szegedy 2015, arXiv:1502.03167.
    """

    floors: ClassVar = {"running_mean": SINGLE, "running_var": SINGLE}

    def __init__(
        self, features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True
    ) -> None:
        super().__init__(features, eps, momentum, affine)

    def forward(self, input: Tensor) -> Tensor:
        """Normalize (n, c, …)."""
        self._check_input_dim(input)
        # Half precision beside running moments in single is not for every device.
        weight, bias = (None if p is None else precise(p) for p in (self.weight, self.bias))
        if self.training and rank_count() > 1:
            mean, variance, count = _moments(input.detach())
            self._follow(mean, variance, count)
            return _Normalized.apply(input, weight, bias, mean, variance, count, self.eps)
        moments = self.running_mean, self.running_var
        if self.training and not self._moves():
            moments = None, None
        share = self._share() if self.training else 0.0
        own = self.training or moments[0] is None
        return batch_norm(input, *moments, weight, bias, own, share, self.eps)

    def _moves(self) -> bool:
        return self.track_running_stats and self.momentum != 0

    def _share(self) -> float:
        """The share of this batch, which is counted, in the running moments."""
        if self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                return 1 / float(self.num_batches_tracked)
        return self.momentum or 0.0

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        share = self._share()
        if self._moves() and self.running_mean is not None and self.running_var is not None:
            unbiased = variance * (count / (count - 1).clamp(min=1))
            self.running_mean.lerp_(mean.to(self.running_mean), share)
            self.running_var.lerp_(unbiased.to(self.running_var), share)

    def _check_input_dim(self, input: Tensor) -> None:
        shape = tuple(input.shape)
        if len(shape) < 2 or shape[1] != self.num_features:
            raise ShapeError(f"BatchNorm got {shape}; expected (n, {self.num_features}, …)")
        if self.training and input.numel() == shape[1] and rank_count() == 1:
            raise ShapeError(
                f"BatchNorm got {shape}: one value of each channel has no variance; take larger "
                "batches, or .eval()"
            )


def _moments(y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each channel over the rows of all ranks, and of how many values."""
    h, dims = precise(y), _dims(y)
    sums = summed(torch.cat([h.sum(dims), h.new_full((1,), h.numel() / h.shape[1])]))
    mean, count = sums[:-1] / sums[-1], sums[-1]
    return mean, summed((h - _wide(mean, h)).square().sum(dims)) / count, count


class _Normalized(torch.autograd.Function):
    """y normalized by moments of all ranks, which are functions of the y of all of them.

    Only y itself is kept for the backward pass. There the moments are taken again if it is to be
    differentiated in its turn.
    """

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(y, weight, mean, variance, count)
        ctx.eps = eps
        scale = (variance + eps).rsqrt()
        scale = scale if weight is None else scale * weight
        h = (precise(y) - _wide(mean, y)) * _wide(scale, y)
        return (h if bias is None else h + _wide(bias, y)).to(y.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        y, weight, mean, variance, count = ctx.saved_tensors
        if torch.is_grad_enabled():
            mean, variance, count = _moments(y)
        grad, dims, scale = precise(grads[0]), _dims(y), (variance + ctx.eps).rsqrt()
        h = (precise(y) - _wide(mean, y)) * _wide(scale, y)
        first, second = grad.sum(dims), (grad * h).sum(dims)
        parameters = (None if weight is None else second, first)
        means = summed(torch.stack([first, second])) / count
        inner = grad - _wide(means[0], y) - h * _wide(means[1], y)
        scale = scale if weight is None else scale * weight
        return (inner * _wide(scale, y)).to(y.dtype), *parameters, None, None, None, None


def _dims(y: Tensor) -> list[int]:
    return [0, *range(2, y.ndim)]


def _wide(channels: Tensor, y: Tensor) -> Tensor:
    """(c,) beside (n, c, …)."""
    return channels.reshape(-1, *[1] * (y.ndim - 2))


_KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def synchronized(module: nn.Module) -> nn.Module:
    """The module with `BatchNorm` in place of torch's batch normalizations, parameters kept.

    The module itself is changed and returned, or its replacement, where it is one of them. Do it
    before DDP sees it; the parameters stay the same objects.

    Raises:
        ConfigurationError: a batch normalization of another class, which may do more.

    Example:
        >>> type(synchronized(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))[1])
        <class 'ebmlab.networks.batch_norm.BatchNorm'>
    """
    norms = {
        part: _synchronized(name, part)
        for name, part in module.named_modules()
        if isinstance(part, _BatchNorm) and not isinstance(part, BatchNorm)
    }
    if module in norms:
        return norms[module]
    for parent in module.modules():
        for name, child in parent._modules.items():
            if child in norms:
                parent._modules[name] = norms[child]
    return module


def _synchronized(name: str, norm: _BatchNorm) -> BatchNorm:
    if type(norm) not in _KINDS:
        raise ConfigurationError(
            f"{name or 'the module'} is {type(norm).__name__}, which may do more than torch's "
            "batch normalization; replace it by networks.BatchNorm and what else it does"
        )
    ours = BatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine)
    ours.track_running_stats = norm.track_running_stats
    ours._parameters.update(norm._parameters)
    ours._buffers.update({k: b if b is None else precise(b) for k, b in norm._buffers.items()})
    return ours.train(norm.training)
