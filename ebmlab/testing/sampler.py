"""`check_sampler`: the laws of Markov kernels."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Sampler
from ebmlab.testing.compare import require, require_close, require_same
from ebmlab.testing.purity import again, generator, untouched
from ebmlab.types import Potential, State, as_potential

__all__ = ["check_sampler"]

CHAINS = 16384
SIGMAS = 5.0


class _Normal(nn.Module):
    """½ a ‖y‖² with a = 1 a parameter, so that a gradient left on it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.precision = nn.Parameter(torch.ones(()))

    def forward(self, y: Tensor) -> Tensor:
        """Energies (chains,)."""
        return 0.5 * self.precision * y.square().reshape(len(y), -1).sum(1)


def check_sampler(
    sampler: Sampler,
    u: Callable[[Tensor], Tensor] | None = None,
    y: Tensor | None = None,
    *,
    events: tuple[tuple[int, ...], ...] = ((2,), (), (1, 2, 3)),
    rng: torch.Generator | None = None,
    steps: int = 20,
    coupled: bool = False,
    stationary: bool = False,
    variance: float = 1.0,
) -> None:
    """Hold a kernel to its laws.

    State in, state out, with nothing changed in place and nothing hidden: the same state and
    generator give the same step bit for bit. No chain depends on the others. The state's y keeps
    its shape and precision, its energy (and the gradient of a `State`) is that of y, and
    acceptance lies in [0, 1]. No gradients are left behind, and the global generator is untouched.

    Args:
        sampler: the kernel.
        u: a potential; an nn.Module has its parameters and `.grad` watched too. Left out,
            standard normals are sampled, in float32 and float64.
        y: where the chains of u start, (chains, *event) with at least two chains.
        events: shapes of the standard normals: vectors, scalars and images.
        rng: where random numbers start; seeded with 0 if left out.
        steps: transitions of the stationary law.
        coupled: True where chains exchange information on purpose.
        stationary: also start from exact draws of N(0, variance), move for `steps`, and require
            mean and second moment within five standard errors: of right kernels about one seed in
            850,000 is refused.
        variance: what the kernel's law is for a standard normal potential: 1, or the biased
            one of an unadjusted kernel.

    Raises:
        AssertionError: a law is broken; the message begins with its name.
        ConfigurationError: only one of u and y is given.

    Example:
        >>> from ebmlab.samplers import Langevin
        >>> u, start = lambda y: y.square().sum(-1), torch.ones(4, 2)
        >>> check_sampler(Langevin(0.5), u, start, stationary=True, variance=1 / (1 - 0.25))
    """
    if (u is None) != (y is None):
        raise ConfigurationError("u and y belong together: give a potential and a start, or none")
    if u is None or y is None:
        for module, start in _normals(events, generator(rng, torch.zeros(()))):
            _laws(sampler, module, start, generator(rng, start), coupled)
    else:
        _laws(sampler, u, y.detach().clone(), generator(rng, y), coupled)
    if stationary:
        _stationary(sampler, variance, steps, generator(rng, torch.zeros(())))


def _normals(
    events: tuple[tuple[int, ...], ...], rng: torch.Generator
) -> Iterator[tuple[nn.Module, Tensor]]:
    for dtype in (torch.float32, torch.float64):
        for event in events:
            start = torch.randn(4, *event, generator=rng, dtype=dtype, device=rng.device)
            yield _Normal().to(start), start


def _laws(
    sampler: Sampler,
    function: Callable[[Tensor], Tensor],
    y: Tensor,
    rng: torch.Generator,
    coupled: bool,
) -> None:
    modules = [function] if isinstance(function, nn.Module) else []
    u, who = as_potential(function), type(sampler).__name__
    with untouched(f"{who}.init", (y,), *modules):
        state = sampler.init(u, y, again(rng))
    require_same("init", "the state's y", state.y, y)
    with untouched(f"{who}.step", (y, state), *modules):
        moved, info = sampler.step(u, state, again(rng))
    _well_formed(u, y, moved, info)
    _repeats(sampler, u, y, moved, rng)
    if not coupled:
        _independent(sampler, u, y, rng)


def _well_formed(u: Potential, y: Tensor, state: Any, info: Any) -> None:
    got = f"{tuple(state.y.shape)} {state.y.dtype} on {state.y.device}"
    due = f"{tuple(y.shape)} {y.dtype} on {y.device}"
    require(got == due, "state", f"y was {due}, and is {got} after a step")
    require(not state.y.requires_grad, "state", "y carries a graph after a step; detach it")
    require_close("state", "its energy against u(y)", state.energy, u(state.y).detach())
    if isinstance(state, State):
        require_close("state", "its gradient", state.grad, u.value_and_grad(state.y)[1])
    chains, acceptance = (len(y),), info.acceptance
    require(acceptance.shape == chains, "acceptance", f"expected {chains}, got {acceptance.shape}")
    inside = (acceptance >= 0) & (acceptance <= 1)
    require(inside.all(), "acceptance", f"expected [0, 1], got {acceptance.tolist()}")


def _repeats(sampler: Sampler, u: Potential, y: Tensor, moved: Any, rng: torch.Generator) -> None:
    law = "same generator, same chain"
    second = sampler.step(u, sampler.init(u, y, again(rng)), again(rng))[0]
    require_same(law, "y after the same step", second.y, moved.y)
    chains = [_chain(sampler, u, y, rng) for _ in range(2)]
    require_same(law, "y after the same three steps", *chains)


def _chain(sampler: Sampler, u: Potential, y: Tensor, rng: torch.Generator) -> Tensor:
    rng = again(rng)
    state = sampler.init(u, y, rng)
    for _ in range(3):
        state = sampler.step(u, state, rng)[0]
    return state.y


def _independent(sampler: Sampler, u: Potential, y: Tensor, rng: torch.Generator) -> None:
    half = len(y) // 2
    other = torch.cat([y[:half], y[:1].expand_as(y[half:])])
    got, due = (_chain(sampler, u, start, rng)[:half] for start in (other, y))
    require_close("rows on their own", "the first chains beside other ones", got, due)


def _stationary(sampler: Sampler, variance: float, steps: int, rng: torch.Generator) -> None:
    u, law = as_potential(_Normal().to(rng.device).double()), "stationary"
    noise = torch.randn(CHAINS, 2, generator=rng, dtype=torch.float64, device=rng.device)
    start = math.sqrt(variance) * noise
    state = sampler.init(u, start, rng)
    for _ in range(steps):
        state = sampler.step(u, state, rng)[0]
    require(not torch.equal(state.y, start), law, "no chain ever moved")
    count = state.y.numel()
    mean = float(state.y.mean())
    square = float(state.y.square().mean())
    off = abs(mean) / math.sqrt(variance / count)
    require(off <= SIGMAS, law, f"expected mean 0, got {mean:.4f}: {off:.1f} standard errors off")
    off = abs(square / variance - 1) / math.sqrt(2 / count)
    require(
        off <= SIGMAS,
        law,
        f"expected variance {variance:.4f}, got {square:.4f}: {off:.1f} standard errors off",
    )
