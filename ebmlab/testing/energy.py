"""`check_energy`: the laws of E(x, y, z)."""

import torch

from ebmlab.energy import Energy
from ebmlab.testing import values
from ebmlab.testing.case import Case
from ebmlab.testing.derivatives import checks_gradients, gradients, require_reached
from ebmlab.types import Rng, Tree

__all__ = ["check_energy"]


def check_energy(
    energy: Energy,
    x: Tree,
    y: Tree,
    z: Tree = None,
    *,
    rng: Rng = None,
    unreached: tuple[str, ...] = (),
    differentiable: tuple[str, ...] = ("x", "y", "z"),
    second: bool = True,
) -> None:
    """Hold an energy to its laws.

    One energy per datum, all pairs by broadcasting and no datum's energy dependent on the others
    (neither asked of energies that say that they couple a batch, which landscapes refuse),
    right first and second derivatives, gradients to every parameter, `given`, `embed` and
    `at_each` that agree with the call, x = None that sums out every x that is listed, precision
    and device kept, randomness from rng only, nothing changed in place, and state that saves and
    restores.

    Args:
        energy: the energy; copies of it are judged, in float32 and in float64.
        x: n >= 2 different data, (n, *event), or a tuple of such; None where not taken.
        y: as many.
        z: as many, where the energy takes them.
        rng: where a stochastic energy draws; seeded with 0 if left out.
        unreached: names of parameters that no gradient reaches, on purpose.
        differentiable: in which of x, y and z derivatives are right; leave out those behind a
            stopped gradient, or that the energy steps or does not depend on.
        second: False where only first derivatives are right, as with a descent inside.

    Raises:
        AssertionError: a law is broken; the message begins with its name.
        EbmlabError: the energy breaks the contract so far that it cannot be called.

    Example:
        >>> from ebmlab.energies import MLP
        >>> rng = torch.Generator().manual_seed(0)
        >>> x, y = torch.randn(4, 1, generator=rng), torch.randn(4, 2, generator=rng)
        >>> check_energy(MLP(2, x_dim=1, hidden=(8,)), x, y)
    """
    case = Case.of(energy, x, y, z, rng)
    single, double = case.to(torch.float32), case.to(torch.float64)
    for precise in (single, double):
        values.pure(precise)
        values.kind(precise)
    values.repeats(double)
    if not energy.couples:
        values.independent(double)
        values.pairs(double)
        values.each(double)
        values.sums(double)
    reached = gradients(single.value().sum(), single.energy)
    require_reached("the energy", reached, unreached)
    values.given(double, differentiable)
    values.embeds(double)
    checks_gradients(double, differentiable, second)
    values.restores(double)
