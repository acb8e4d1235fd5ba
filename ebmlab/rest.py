"""`Rest`: a potential of the entries of y that are unknown, the others held at what they are."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import Ndim, require_same_kind, require_tensor
from ebmlab._kinds import require_a, require_floats
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.types import Potential, Tree, as_potential

__all__ = ["Rest", "masked"]


class Rest(Potential):
    """u of the unknown entries v of y alone: u(y) with y = observed where mask is True, else v.

    It samples exp(-u(y)) given the known entries, whatever they are: a potential like any other,
    of vectors (chains, m), m the number of unknown entries in the order of `mask.flatten()`. Its
    slope is that of u, hand-written ones included.

    Args:
        u: a potential of whole y, (chains, *event) -> (chains,).
        observed: y where it is known, (*event), or (chains, *event): one for each chain. What
            stands at unknown entries plays no part.
        mask: (*event) of bool, True where y is known.

    Raises:
        ShapeError: mask and observed do not fit each other, or what is free does not fit them.
        DtypeError: mask is not bool, or observed not floating point.
        ConfigurationError: all entries are known, or none.

    Example:
        >>> mask = torch.tensor([True, False, False])
        >>> rest = Rest(lambda y: y.square().sum(-1), torch.tensor([2.0, 0.0, 0.0]), mask)
        >>> rest(torch.ones(1, 2)), rest.fill(torch.ones(1, 2))
        (tensor([6.]), tensor([[2., 1., 1.]]))
    """

    def __init__(self, u: Callable[[Tensor], Tensor], observed: Tensor, mask: Tensor) -> None:
        self._u = as_potential(u)
        super().__init__(self._whole, self._slopes, self._u.origin)
        require_same_kind({"observed": observed, "mask": mask})
        self.mask = _usable(mask)
        event = mask.shape
        if observed.shape not in {event, (*observed.shape[:1], *event)} or not observed.numel():
            raise ShapeError(
                f"observed has shape {tuple(observed.shape)}, mask {tuple(event)}; expected "
                "observed (*event), or (chains, *event) with one for each chain, and mask (*event)"
            )
        known = torch.where(mask, require_floats("observed", observed).detach(), 0)
        self._known = known.reshape(-1, event.numel())
        self._index = (~mask).flatten().nonzero()[:, 0]

    def take(self, y: Tensor) -> Tensor:
        """The unknown entries (*batch, m) of y (*batch, *event).

        Example:
            >>> rest = Rest(lambda y: y.sum(-1), torch.zeros(2), torch.tensor([True, False]))
            >>> rest.take(torch.tensor([[3.0, 4.0]]))
            tensor([[4.]])
        """
        lead = y.ndim - self.mask.ndim
        if lead < 0 or y.shape[lead:] != self.mask.shape:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}; mask is {tuple(self.mask.shape)}, so y is "
                "(*batch, *event)"
            )
        return y.reshape(*y.shape[:lead], -1).index_select(-1, self._index)

    def fill(self, free: Tensor) -> Tensor:
        """y (*batch, *event), known entries in their places, of the unknown ones (*batch, m).

        Where there is an observed y for each chain, the last axis of the batch is that of chains.
        """
        batch, rows = free.shape[:-1], len(self._known)
        if free.ndim < 1 or free.shape[-1] != len(self._index):
            raise ShapeError(
                f"what is free has shape {tuple(free.shape)}; the mask leaves {len(self._index)} "
                "entries unknown: (*batch, m), as `take` gives them"
            )
        if rows > 1 and batch[-1:] != (rows,):
            raise ShapeError(
                f"what is free has shape {tuple(free.shape)}, but there are {rows} observed y, "
                "one for each chain: as many rows are expected"
            )
        if free.dtype != self._known.dtype:
            raise DtypeError(
                f"what is free is {free.dtype}, observed is {self._known.dtype}; convert one with "
                ".to(dtype)"
            )
        y = self._known.expand(*batch, -1) if rows > 1 else self._known[0].expand(*batch, -1)
        return y.index_copy(-1, self._index, free).unflatten(-1, self.mask.shape)

    def _whole(self, free: Tensor) -> Tensor:
        return self._u(self.fill(free))

    def _slopes(self, free: Tensor) -> tuple[Tensor, Tensor]:
        energy, grad = self._u.value_and_grad(self.fill(free))
        return energy, self.take(grad)


def _usable(mask: Tensor) -> Tensor:
    """The mask, which must be of bool and leave something known and something free."""
    if require_a(Tensor, "mask", mask, "torch.as_tensor makes one").dtype != torch.bool:
        raise DtypeError(
            f"mask has dtype {mask.dtype}; it is bool, True where y is known: .bool()"
        )
    known = int(mask.sum())
    if not 0 < known < mask.numel():
        raise ConfigurationError(
            f"mask {tuple(mask.shape)} knows {known} of {mask.numel()} entries; some must be "
            "known and some free: without a mask, given(x) leaves all of y free"
        )
    return mask


def masked(u: Potential, y: Tree, mask: Tensor, ndim: Ndim) -> Rest:
    """The rest of an energy's potential u, whose y has `ndim` event dimensions, as a mask has."""
    observed, mask = require_tensor("y", y), _usable(mask)
    if mask.ndim != ndim:
        raise ShapeError(
            f"mask has shape {tuple(mask.shape)}, but y_ndim is {ndim}; it is (*event), one for "
            "all data: what is known may differ between them in y only"
        )
    return Rest(u, observed, mask)
