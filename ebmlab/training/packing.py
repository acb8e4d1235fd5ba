"""A tree of Python values as JSON and named tensors, and back, with nothing to execute."""

from typing import Any

import torch
from torch import Tensor

from ebmlab._ranks import local
from ebmlab.errors import ConfigurationError, DtypeError

__all__ = ["Packer", "identity", "unpack"]


def identity(tensor: Tensor) -> tuple:
    """What two names of one tensor have in common: the same numbers in the same memory."""
    own = local(tensor)
    if own.numel() == 0:
        # Of a tensor shared out, this rank may hold nothing: its memory still has a name.
        return (own.untyped_storage()._cdata, tensor.dtype, tuple(tensor.shape))
    where = (tensor.device, own.data_ptr())
    return (*where, tensor.dtype, tuple(tensor.shape), tensor.stride())


class Packer:
    """Collects tensors, each once however many names it has, and gives JSON for the rest.

    Attributes:
        tensors: name -> contiguous CPU tensor; no two share memory.
        shared: name -> tensor of which every rank holds a share.

    Example:
        >>> packer = Packer()
        >>> w = torch.ones(2)
        >>> packed = packer.pack({"a": w, "b": w, 0: (None, 0.5)}, "state")
        >>> list(packer.tensors)
        ['state/a']
        >>> unpack(packed, packer.tensors)
        {'a': tensor([1., 1.]), 'b': tensor([1., 1.]), 0: (None, 0.5)}
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.shared: dict[str, Tensor] = {}
        # The tensors themselves are kept too: freed memory would lend its address to others.
        self._names: dict[tuple, tuple[str, Tensor]] = {}
        self._storages: set[int] = set()

    def pack(self, value: Any, name: str) -> Any:
        """JSON for a tree of tensors, numbers, strings, None, and tuples, lists, dicts of them.

        Raises:
            ConfigurationError: the tree holds something else.
            DtypeError: a tensor is of a kind that the file cannot hold.
        """
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Tensor):
            return {"tensor": self._stored(value, name)}
        if isinstance(value, dict):
            return {
                "dict": [
                    [self.pack(key, f"{name}/key"), self.pack(part, f"{name}/{key}")]
                    for key, part in value.items()
                ]
            }
        if isinstance(value, tuple | list):
            parts = [self.pack(part, f"{name}/{i}") for i, part in enumerate(value)]
            return {"tuple": parts} if isinstance(value, tuple) else parts
        raise ConfigurationError(
            f"{name} is a {type(value).__name__}; a checkpoint holds tensors, numbers, strings, "
            "None, and tuples, lists and dicts of them: convert it"
        )

    def _stored(self, tensor: Tensor, name: str) -> str:
        if tensor.layout is not torch.strided or tensor.dtype in _UNKNOWN:
            raise DtypeError(
                f"{name} is {tensor.dtype}, {tensor.layout}, which a checkpoint cannot hold; "
                "save it with .to_dense(), or torch.view_as_real"
            )
        key = identity(tensor)
        if key not in self._names:
            while name in self.tensors or name in self.shared:
                name += "'"
            self._names[key] = name, tensor
            if local(tensor) is tensor:
                self.tensors[name] = self._own(tensor)
            else:
                self.shared[name] = tensor.detach()
        return self._names[key][0]

    def _own(self, tensor: Tensor) -> Tensor:
        tensor = tensor.detach().cpu().contiguous()
        # Views that overlap in part go to the file one by one: safetensors refuses shared memory.
        if tensor.untyped_storage().data_ptr() in self._storages:
            tensor = tensor.clone()
        self._storages.add(tensor.untyped_storage().data_ptr())
        return tensor


_UNKNOWN = {torch.complex32, torch.complex128}


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """The tree that `Packer.pack` was given; a tensor with several names is one object."""
    if isinstance(packed, list):
        return [unpack(part, tensors) for part in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple(unpack(part, tensors) for part in content)
    if kind == "dict":
        return {unpack(key, tensors): unpack(part, tensors) for key, part in content}
    raise ValueError(f"unknown kind {kind!r}")
