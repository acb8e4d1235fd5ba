"""The laws of derivatives: gradcheck, finite differences, and a gradient for every parameter."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ebmlab._checks import leaves
from ebmlab.errors import EbmlabError
from ebmlab.testing.case import Case, over_leaves
from ebmlab.testing.compare import require
from ebmlab.types import Tree

__all__ = ["checks_gradients", "gradients", "require_reached", "require_slopes"]

SMALL = 64


def gradients(value: Tensor, module: nn.Module) -> dict[str, Tensor | None]:
    """The gradient of a scalar in every parameter that requires one; None where none arrives."""
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not named or not value.requires_grad:
        return dict.fromkeys(named)
    grads = torch.autograd.grad(value, list(named.values()), allow_unused=True)
    return dict(zip(named, grads, strict=True))


def require_reached(
    what: str, grads: dict[str, Tensor | None], unreached: tuple[str, ...]
) -> None:
    """Raise unless there is a finite gradient for every parameter but those `unreached`."""
    law = "gradients reach every parameter"
    lost = [name for name, grad in grads.items() if grad is None and name not in unreached]
    mend = f"if none should get there, pass unreached={tuple(lost)}"
    require(not lost, law, f"{what} sends no gradient to {', '.join(lost)}; {mend}")
    found = [name for name in unreached if grads.get(name) is not None]
    require(not found, law, f"{what} does reach {', '.join(found)}, declared unreached")
    broken = [name for name, g in grads.items() if g is not None and not g.isfinite().all()]
    require(not broken, law, f"{what} has a gradient that is not finite at {', '.join(broken)}")


def require_slopes(
    law: str,
    value: Callable[[], Tensor],
    parameters: Mapping[str, Tensor],
    grads: Mapping[str, Tensor | None],
    tolerance: float,
    step: float = 1e-5,
) -> None:
    """Raise unless central differences of `value` along one direction per parameter agree."""
    rng = torch.Generator().manual_seed(0)
    for name, parameter in parameters.items():
        start = parameter.detach().clone()
        way = torch.randn(start.shape, generator=rng, dtype=start.dtype).to(start.device)
        with torch.no_grad():
            parameter.copy_(start + step * way)
            high = value().detach()
            parameter.copy_(start - step * way)
            low = value().detach()
            parameter.copy_(start)
        grad = grads[name]
        due = (high - low) / (2 * step)
        got = torch.zeros_like(due) if grad is None else (grad * way).sum()
        slack = tolerance * (1 + due.abs())
        told = f"is {float(due)}, but autograd's slope {float(got)} (± {float(slack):.1e})"
        what = f"along a direction of {name} the value's finite difference {told}"
        require((got - due).abs() <= slack, law, what)


def checks_gradients(case: Case, differentiable: tuple[str, ...], second: bool) -> None:
    """First and second derivatives in x, y and z equal finite differences."""
    case = case.at(lambda t: t[:2])
    names = [name for name in differentiable if name != "x" or case.energy.takes_x]
    trees: dict[str, Tree] = {name: getattr(case, name) for name in names}
    given = [leaf for tree in trees.values() for leaf in leaves(tree)]
    free = [leaf.clone().requires_grad_() for leaf in given if leaf.is_floating_point()]
    if not free:
        return

    def value(*leaves: Tensor) -> Tensor:
        queue = iter(leaves)

        def swapped(leaf: Tensor) -> Tensor:
            return next(queue) if leaf.is_floating_point() else leaf

        return replace(case, **{k: over_leaves(swapped, t, 0) for k, t in trees.items()}).value()

    _require_gradcheck("gradcheck", torch.autograd.gradcheck, value, free)
    if second:
        _require_gradcheck("gradgradcheck", torch.autograd.gradgradcheck, value, free)


def _require_gradcheck(
    law: str, check: Callable[..., bool], value: Callable[..., Tensor], free: list[Tensor]
) -> None:
    # Projections onto random directions, where the whole Jacobian would take long.
    fast = sum(leaf.numel() for leaf in free) > SMALL
    with torch.random.fork_rng(devices={leaf.device.index for leaf in free if leaf.is_cuda}):
        try:
            check(value, free, fast_mode=fast)
        except EbmlabError:
            raise
        except RuntimeError as error:
            # Gradcheck's own, or torch's where a derivative is not implemented.
            raise AssertionError(f"{law}: {error}") from error
