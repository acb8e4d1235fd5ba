"""`Shown`: modules that name the fields which `print` shows."""

from typing import ClassVar

from torch import Tensor, nn

__all__ = ["Shown"]


class Shown(nn.Module):
    """A module that `print` shows with the fields that `shows` names, beside its submodules.

    Tensors are shown by their shapes, functions by their names.

    Example:
        >>> import torch
        >>> class Ramp(Shown):
        ...     shows = ("low", "slopes")
        ...     low, slopes = -1.0, nn.Parameter(torch.ones(2, 3))
        >>> Ramp()
        Ramp(low=-1.0, slopes=(2, 3))
    """

    shows: ClassVar[tuple[str, ...]] = ()

    def extra_repr(self) -> str:
        """The fields and their values; torch shows those that are modules."""
        fields = {name: getattr(self, name) for name in self.shows}
        own = {name: value for name, value in fields.items() if not isinstance(value, nn.Module)}
        return ", ".join(f"{name}={_text(value)}" for name, value in own.items())


def _text(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.item():.4g}" if value.ndim == 0 else str(tuple(value.shape))
    return getattr(value, "__name__", repr(value))
