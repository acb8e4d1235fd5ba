"""Networks that give a Gaussian of z: its mean and the logarithm of its standard deviation."""

from torch import Tensor, nn

__all__ = ["GaussianHead", "Mean"]


class GaussianHead(nn.Module):
    """The last dimension of a network's output as two halves: (mean, log_std).

    Args:
        network: (n, *event) -> (n, 2 dim).

    Example:
        >>> import torch
        >>> mean, log_std = GaussianHead(nn.Linear(3, 8))(torch.zeros(5, 3))
        >>> mean.shape, log_std.shape
        (torch.Size([5, 4]), torch.Size([5, 4]))
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and log standard deviation, (n, dim) each."""
        mean, log_std = self.network(*inputs).chunk(2, dim=-1)
        return mean, log_std


class Mean(nn.Module):
    """The mean alone of an encoder that gives (mean, log_std): z as a representation.

    Example:
        >>> import torch
        >>> Mean(GaussianHead(nn.Linear(3, 8)))(torch.zeros(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *inputs: Tensor) -> Tensor:
        """The mean, (n, dim)."""
        mean, _ = self.encoder(*inputs)
        return mean
