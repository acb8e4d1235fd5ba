"""A projector of three layers, whose codes are as wide as one likes."""

from torch import nn

from ebmlab.networks.mlp import Projector

__all__ = ["Expander"]


class Expander(Projector):
    """Twice linear, batch normalization, ReLU; then linear, all without biases that cancel.

    Args:
        inputs, hidden, outputs: sizes.

    Example:
        >>> import torch
        >>> Expander(8, 32, 16)(torch.randn(5, 8)).shape
        torch.Size([5, 16])

    Source: Zbontar et al. 2021, arXiv:2103.03230; Bardes, Ponce, LeCun 2022, arXiv:2105.04906.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__(inputs, hidden, outputs, layers=3, last=nn.Identity())
