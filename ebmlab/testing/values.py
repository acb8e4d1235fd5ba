"""The laws of an energy's values: shape, type, rows on their own, `given`, `embed`, state."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from ebmlab._checks import leaves
from ebmlab.testing.case import Case, Change, over_leaves
from ebmlab.testing.compare import require, require_close, require_same
from ebmlab.testing.purity import again, untouched

__all__ = [
    "each",
    "embeds",
    "given",
    "independent",
    "kind",
    "pairs",
    "pure",
    "repeats",
    "restores",
    "sums",
]


def pure(case: Case) -> None:
    """A call changes no input, no state, no gradient and no global generator."""
    data = (case.x, case.y, case.z)
    with untouched(f"calling {type(case.energy).__name__}", data, case.energy):
        case.value()


def kind(case: Case) -> None:
    """One energy per datum, of the data's precision and on their device."""
    out, dtypes = case.value(), {t.dtype for t in leaves(case.y) if t.is_floating_point()}
    device = leaves(case.y)[0].device
    require(out.shape == (len(case),), "batch shape", f"expected ({len(case)},), got {out.shape}")
    kept = not dtypes or out.dtype in dtypes
    require(kept, "dtype kept", f"y is {dtypes}, the energy {out.dtype}")
    require(out.device == device, "device kept", f"y is on {device}, the energy on {out.device}")


def repeats(case: Case) -> None:
    """The same data and the same rng give the same energies, be x and y one object or two."""
    require_same("a function", "a second call from the same rng", case.value(), case.value())
    kinds = [[(t.shape, t.dtype) for t in leaves(tree)] for tree in (case.x, case.y)]
    if kinds[0] == kinds[1]:
        twin = over_leaves(Tensor.clone, case.y, 0)
        got, due = replace(case, x=case.y).value(), replace(case, x=twin).value()
        require_same("a function", "E(y, y) against E(a copy of y, y)", got, due)


def independent(case: Case) -> None:
    """No energy depends on the other rows, their order or their number."""
    law, value, n = "batch independence", case.value(), len(case)
    for i in (0, n - 1):
        alone = case.at(lambda t, i=i: t[[i] * n]).value()
        require_close(law, f"row {i} after the other rows were replaced", alone[i], value[i])
    if not case.energy.stochastic:
        turned = case.at(lambda t: t.flip(0)).value()
        require_close(law, "rows in reverse order", turned.flip(0), value)
        fewer = case.at(lambda t: t[: n - 1]).value()
        require_close(law, "all rows but the last", fewer, value[: n - 1])


def pairs(case: Case) -> None:
    """Leading dimensions broadcast to the matrix of all pairs."""
    n = min(len(case), 3)
    case = case.at(lambda t: t[:n])
    if case.x is None and case.z is None:
        _unpaired(case)
        return
    matrix = case.at(lambda t: t[:, None], lambda t: t[None]).value()
    stacked = case.at(lambda t: torch.stack([t, t.flip(0)])[:, :, None], lambda t: t[None, None])
    twice = stacked.value()
    what = "E(x[:, None], y[None])"
    require(matrix.shape == (n, n), "all pairs", f"{what}: expected {(n, n)}, got {matrix.shape}")
    require(twice.shape == (2, n, n), "all pairs", f"{what} of x (2, n): got {twice.shape}")
    if case.energy.stochastic:
        return
    each = [case.at(_cut(i), _cut(j)).value() for i in range(n) for j in range(n)]
    loop = torch.cat(each).reshape(n, n)
    require_close("all pairs", f"{what} against a loop over the pairs", matrix, loop)
    both = torch.stack([loop, loop.flip(0)])
    require_close("all pairs", f"{what} of x (2, n) against a loop", twice, both)


def each(case: Case) -> None:
    """The energies of all values at once are those of each."""
    energy, law = case.energy, "at_each agrees with the call"
    if not isinstance(case.y, Tensor) or case.z is not None or energy.stochastic:
        return
    if case.x is None:
        due = case.value()
    else:
        due = case.at(lambda t: t[:, None], lambda t: t[None]).value()
    got = energy.at_each(case.x, case.y)
    wide = case.x is None or energy.takes_x
    require(got.shape == (due if wide else due[0]).shape, law, f"got the shape {got.shape}")
    require_close(law, "at_each(x, y) against E(x[:, None], y[None])", got.expand_as(due), due)


def sums(case: Case) -> None:
    """x = None sums out every x, where the energy lists them."""
    energy, law = case.energy, "x = None sums x out"
    every = energy.for_each_x(case.y, rng=again(case.rng))
    if every is None:
        return
    due = -(-every).logsumexp(-1)
    summed = energy(None, case.y, rng=again(case.rng))
    require_close(law, "E(None, y) against -log Σ_v exp(-E(v, y))", summed, due)


def _cut(i: int) -> Change:
    return lambda t: t[i : i + 1]


def _unpaired(case: Case) -> None:
    stacked = case.at(lambda t: torch.stack([t, t.flip(0)])).value()
    n = len(case)
    require(stacked.shape == (2, n), "batch shape", f"expected (2, {n}), got {stacked.shape}")
    if not case.energy.stochastic:
        value = case.value()
        due = torch.stack([value, value.flip(0)])
        require_close("batch shape", "two leading dimensions against one", stacked, due)


def given(case: Case, differentiable: tuple[str, ...]) -> None:
    """Potentials equal the call, in values and gradients, and replay their random numbers."""
    energy, x, y, z = case.energy, case.x, case.y, case.z
    law, direct = "given agrees with the call", case.value()
    if not isinstance(y, Tensor):
        return
    rng = again(case.rng) if energy.stochastic else None
    u = energy.given(x, z=z, rng=rng)
    require_close(law, "given(x)(y)", u(y), direct)
    require_same("given replays", "a second call of given(x)(y)", u(y), u(y))
    if isinstance(z, Tensor):
        require_close(law, "given(x, y=y)(z)", energy.given(x, y=y, rng=rng)(z), direct)
    for i, part in enumerate(z if isinstance(z, tuple) else ()):
        held = tuple(None if j == i else other for j, other in enumerate(leaves(z)))
        found = energy.given(x, y=y, z=held, rng=rng)(part)
        require_close(law, f"given(x, y=y, z=…)(z[{i}])", found, direct)
    _clamped(case, y)
    if "y" in differentiable and y.is_floating_point():
        with untouched("given(x).value_and_grad", (x, y, z), energy):
            value, grad = u.value_and_grad(y)
        free = y.clone().requires_grad_()
        total = replace(case, y=free).value().sum()
        (due,) = torch.autograd.grad(total, free, materialize_grads=True)
        require_close(law, "the energy of value_and_grad", value, direct)
        require_close(law, "the gradient of value_and_grad", grad, due)


def _clamped(case: Case, y: Tensor) -> None:
    """One x for all rows of y: without a batch, and with a batch of one."""
    if case.energy.stochastic or case.energy.couples:
        return
    for i in range(2):
        z = over_leaves(_cut(i), case.z, 0)
        due = case.at(lambda t, i=i: t[i : i + 1].expand_as(t), lambda t: t).value()
        for cut in (partial(torch.select, dim=0, index=i), _cut(i)):
            x = over_leaves(cut, case.x, case.energy.x_ndim)
            law, what = "given agrees with the call", f"given(x) of one x, row {i}, for all y"
            require_close(law, what, case.energy.given(x, z=z)(y), due)


def embeds(case: Case) -> None:
    """The head's energy of the codes is the energy, pair by pair of views."""
    codes, rng = case.energy.codes(case.x, case.y), again(case.rng)
    value = torch.stack([codes.head(x, y, case.z, rng=rng) for x, y in codes.each()]).mean(0)
    require_close("codes agree with the call", "the mean of head(hx, hy)", value, case.value())


def _saved(energy: nn.Module) -> Iterator[Tensor]:
    """What a state dictionary should hold; buffers that are not persistent are constants."""
    yield from energy.parameters()
    for module in energy.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if name not in module._non_persistent_buffers_set:
                yield buffer


def restores(case: Case) -> None:
    """A saved state restores the energies of an instance that differs."""
    saved = copy.deepcopy(case.energy.state_dict())
    other = replace(case, energy=copy.deepcopy(case.energy))
    with torch.no_grad():
        for tensor in _saved(other.energy):
            tensor.copy_(~tensor if tensor.dtype == torch.bool else tensor + 1)
    other.energy.load_state_dict(saved)
    law = "state saved and restored"
    require_same(law, "the energy after load_state_dict", other.value(), case.value())
