"""Numbers and tensors that a module holds: learned, moved and saved, or as they are."""

from torch import Tensor, nn

__all__ = ["hold"]


def hold(module: nn.Module, name: str, value: float | Tensor | None) -> None:
    """Keep a number or a Parameter as it is, and of any other tensor a copy as a buffer."""
    if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
        module.register_buffer(name, value.clone())
    else:
        setattr(module, name, value)
