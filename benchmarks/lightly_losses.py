"""lightly's losses, where it is installed: they import torchvision, which has no CPU operators.

pip install --no-deps lightly torchvision
"""

import torch
from measure import installed
from torch import library

__all__ = ["available"]


def available() -> bool:
    """Whether `lightly.loss` can be imported; defines the two operators torchvision asks for."""
    if not (installed("lightly") and installed("torchvision")):
        return False
    if not hasattr(torch.ops.torchvision, "nms"):
        operators = library.Library("torchvision", "DEF")
        operators.define("nms(Tensor dets, Tensor scores, float threshold) -> Tensor")
        operators.define("qnms(Tensor dets, Tensor scores, float threshold) -> Tensor")
        _KEPT.append(operators)
    return True


_KEPT: list[library.Library] = []
