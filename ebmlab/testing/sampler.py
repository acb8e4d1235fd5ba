"""`check_sampler`: the laws of Markov kernels."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ebmlab._rows import rows
from ebmlab.errors import ConfigurationError, DivergenceError, NonFiniteError
from ebmlab.protocols import Sampler
from ebmlab.samplers import run
from ebmlab.testing.compare import require, require_close, require_same
from ebmlab.testing.purity import again, generator, untouched
from ebmlab.types import Potential, Rng, State, as_potential

__all__ = ["check_sampler"]

Events = tuple[tuple[int, ...], ...]

NUMBERS = 2**14
SIGMAS = 5.0
OFFSET = 1e11


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
    events: Events = ((2,), (), (1, 2, 3)),
    rng: Rng = None,
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
    A start without a finite energy or gradient is refused by the number of its chain.

    On standard normals also: adding 1e11 to the energy, in float64, changes no chain; bfloat16
    chains move in float32; a proposal where the energy is NaN is rejected and counted, or raises;
    one where it is -∞ raises.

    Args:
        sampler: the sampler.
        u: a potential; an nn.Module has its parameters and `.grad` watched too. Left out,
            standard normals are sampled, in float32 and float64.
        y: where the chains of u start, (chains, *event) with at least two chains.
        events: shapes of the standard normals: vectors, scalars and images.
        rng: where random numbers start; seeded with 0 if left out.
        steps: transitions of the stationary law.
        coupled: True where chains exchange information on purpose.
        stationary: also start from exact draws of N(x, variance), with an x for each chain and
            1e11 added to the energy, move for `steps`, and require mean and second moment within
            five standard errors: for each of the events about one seed in 850,000 refuses a right
            sampler.
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
    rng = generator(rng, torch.zeros(()) if y is None else y)
    given = _normals(events, again(rng)) if u is None or y is None else [(u, y.detach().clone())]
    for function, start in given:
        _laws(sampler, as_potential(function), start, again(rng), coupled)
    for event in events if stationary else ():
        _stationary(sampler, event, variance, steps, again(rng))
    if u is None:
        for law in (_offset, _half) if coupled else (_offset, _half, _holes):
            law(sampler, again(rng))


def _normals(events: Events, rng: torch.Generator) -> Iterator[tuple[nn.Module, Tensor]]:
    for dtype in (torch.float32, torch.float64):
        for event in events:
            start = torch.randn(4, *event, generator=rng, dtype=dtype, device=rng.device)
            yield _Normal().to(start), start


def _laws(sampler: Sampler, u: Potential, y: Tensor, rng: torch.Generator, coupled: bool) -> None:
    modules, who = [u.origin] if isinstance(u.origin, nn.Module) else [], type(sampler).__name__
    with untouched(f"{who}.init", (y,), *modules):
        state = sampler.init(u, y, again(rng))
    require_same("init", "the state's y", state.y, y)
    with untouched(f"{who}.step", (y, state), *modules):
        moved, info = sampler.step(u, state, again(rng))
    _well_formed(u, y, moved, info)
    _refuses(sampler, u, y, state, rng)
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


def _refuses(sampler: Sampler, u: Potential, y: Tensor, state: Any, rng: torch.Generator) -> None:
    """A start is refused where the energy, or the gradient that a state keeps, is not finite."""
    second = torch.arange(len(y), device=y.device) == 1
    for bad in (math.nan, math.inf, -math.inf):
        wrong = torch.where(second, bad, 0.0).to(state.energy)
        _refused(sampler, Potential(lambda y, wrong=wrong: u(y) + wrong), y, rng)
        if "grad" in state._fields:
            steep = y + rows(wrong, y)
            _refused(sampler, Potential(u, lambda y, steep=steep: (u(y).detach(), steep)), y, rng)


def _refused(sampler: Sampler, u: Potential, y: Tensor, rng: torch.Generator) -> None:
    told = "an energy or a gradient that is not finite passes init"
    try:
        sampler.init(u, y, again(rng))
    except ConfigurationError:  # it samples no potential but its own
        return
    except NonFiniteError as error:
        told = str(error)
    require("chain 1" in told, "bad start", f"chain 1 has no energy or gradient, but: {told}")


def _offset(sampler: Sampler, rng: torch.Generator) -> None:
    y = torch.randn(256, 2, generator=rng, dtype=torch.float64, device=rng.device)
    u = _Normal().to(y)
    raised = Potential(lambda y: u(y) + OFFSET)
    level, lifted = (_chain(sampler, v, y, rng) for v in (Potential(u), raised))
    # There float64 resolves 1.5e-5, so that a decision may now and then fall otherwise.
    same = (level - lifted).abs().amax(1) < 1e-3
    share = float(same.double().mean())
    told = f"with 1e11 added to the energy {share:.0%} of chains are left"
    require(share > 0.95, "offset", told)


def _half(sampler: Sampler, rng: torch.Generator) -> None:
    y = torch.randn(4, 2, generator=rng, device=rng.device).bfloat16()
    chain = run(sampler, _Normal().bfloat16().to(rng.device), y, steps=2, rng=rng, thin=1)
    moved = chain.samples.dtype, chain.state.y.dtype, chain.state.energy.dtype
    require(set(moved) == {torch.float32}, "half precision", f"bfloat16 chains move in {moved}")


def _holes(sampler: Sampler, rng: torch.Generator) -> None:
    y = -torch.rand(64, 2, generator=rng, dtype=torch.float64, device=rng.device)
    normal = _Normal().to(y)

    def holed(bad: float) -> Potential:
        return Potential(lambda y: normal(y) + torch.where(y[:, 0] > 0, bad, 0.0))

    try:
        chain = run(sampler, holed(math.nan), y, steps=20, rng=again(rng), thin=1)
    except NonFiniteError:
        pass
    else:
        inside = bool((chain.samples[..., 0] <= 0).all() & chain.energies.isfinite().all())
        require(inside, "NaN on the way", "a point without an energy was accepted")
        counted = getattr(chain.info, "nonfinite", torch.zeros(())).sum() > 0
        told = "proposals without an energy are not counted; report them as info.nonfinite"
        require(counted, "NaN on the way", told)
    try:
        run(sampler, holed(-math.inf), y, steps=20, rng=again(rng))
    except DivergenceError:
        return
    require(False, "-∞ on the way", "no chain takes an energy of -∞, so no one is told of it")


def _stationary(
    sampler: Sampler, event: tuple[int, ...], variance: float, steps: int, rng: torch.Generator
) -> None:
    chains, law = NUMBERS // math.prod(event), f"stationary, event {event}"
    noise = torch.randn(chains, *event, generator=rng, dtype=torch.float64, device=rng.device)
    x = rows(torch.linspace(-2, 2, chains, dtype=torch.float64, device=rng.device), noise)
    normal, start = _Normal().to(noise), x + math.sqrt(variance) * noise
    u = Potential(lambda y: normal(y - x) + OFFSET)
    state = sampler.init(u, start, rng)
    for _ in range(steps):
        state = sampler.step(u, state, rng)[0]
    require(not torch.equal(state.y, start), law, "no chain ever moved")
    y = state.y - x
    mean, square, count = float(y.mean()), float(y.square().mean()), y.numel()
    mean_error, square_error = math.sqrt(variance / count), variance * math.sqrt(2 / count)
    for due, got, error in ((0.0, mean, mean_error), (variance, square, square_error)):
        what, off = f"{'variance' if due else 'mean'} {due:.4f}", abs(got - due) / error
        told = f"expected {what}, got {got:.4f}: {off:.1f} standard errors off"
        require(off <= SIGMAS, law, told)
