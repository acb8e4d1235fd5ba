"""`check_objective`: the laws of losses that shape an energy."""

import copy
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Self
from unittest.mock import Mock, patch

import torch
from torch import Tensor

from ebmlab._checks import leaves
from ebmlab.energy import Energy
from ebmlab.protocols import Loss, Objective, Stepped
from ebmlab.testing.case import Case
from ebmlab.testing.compare import require, require_close, require_same
from ebmlab.testing.derivatives import gradients, require_reached, require_slopes
from ebmlab.testing.purity import again, require_equal_state, state_of, untouched
from ebmlab.types import Rng, Tree

__all__ = ["check_objective"]


def check_objective(
    objective: Objective,
    energy: Energy,
    x: Tree,
    y: Tree,
    rng: Rng = None,
    *,
    unreached: tuple[str, ...] = (),
    exact_gradient: bool = True,
    invariant: bool = True,
    tolerance: float = 1e-5,
) -> None:
    """Hold an objective to its laws.

    The loss is a finite scalar, the sum of its terms, with a gradient to every parameter of the
    energy that equals the value's finite differences. The same generator gives the same loss.
    Multiples and sums are what they say. Nothing moves before commit, which moves every `Stepped`
    module once and whose effects a saved state restores. The batch has no order.

    Args:
        objective: the objective; copies are judged, in float32 and in float64.
        energy: what it shapes.
        x: n >= 2 different data, (n, *event), or a tuple of such; None where not taken.
        y: as many.
        rng: where random numbers start; seeded with 0 if left out.
        unreached: names of the energy's parameters that no gradient reaches, on purpose.
        exact_gradient: False where the gradient is not that of the value: with negatives moved
            by the model itself, or a stopped gradient.
        invariant: False where the order of the batch matters. Objectives that draw random numbers
            are not asked, for their rows draw in order.
        tolerance: of the finite differences, relative and absolute.

    Raises:
        AssertionError: a law is broken; the message begins with its name.
        EbmlabError: the objective cannot be called.

    Example:
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.objectives import DenoisingScore
        >>> y = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
        >>> energy = MLP(2, hidden=(8,))
        >>> check_objective(DenoisingScore(0.1), energy, None, y, unreached=("network.2.bias",))
    """
    case = _Shaped(objective, Case.of(energy, x, y, None, rng))
    single, double = case.to(torch.float32), case.to(torch.float64)
    for precise in (single, double):
        _pure(precise)
        _reports(precise)
    _repeats(double)
    require_reached("the loss", gradients(double.loss().value, double.case.energy), unreached)
    _adds(double)
    if invariant:
        _orderless(double)
    _commits(double)
    _commits(replace(double, objective=double.objective + double.objective))
    _restores(double)
    if exact_gradient:
        _slopes(double, tolerance)


@dataclass(frozen=True, eq=False)
class _Shaped:
    """An objective with the energy and data that it looks at."""

    objective: Objective
    case: Case

    def to(self, dtype: torch.dtype) -> Self:
        """A deep copy in another precision; modules that both parts hold stay shared."""
        objective, energy = copy.deepcopy((self.objective, self.case.energy))
        objective.to(dtype).zero_grad(set_to_none=True)
        return replace(self, objective=objective, case=self.case.holding(energy, dtype))

    def loss(self, rng: Rng = None) -> Loss:
        """The loss, from the same random numbers at each call unless rng is given."""
        case = self.case
        return self.objective(case.energy, case.x, case.y, rng or again(case.rng))


def _pure(shaped: _Shaped) -> None:
    case, who = shaped.case, type(shaped.objective).__name__
    with untouched(f"{who}.forward", (case.x, case.y), case.energy, shaped.objective):
        shaped.loss()


def _reports(shaped: _Shaped) -> None:
    loss = shaped.loss()
    value, terms = loss.value, loss.terms
    require(value.ndim == 0, "value", f"expected a scalar, got {tuple(value.shape)}")
    kinds = {t.dtype for t in leaves(shaped.case.y) if t.is_floating_point()}
    require(not kinds or value.dtype in kinds, "dtype kept", f"y {kinds}, value {value.dtype}")
    require(value.isfinite(), "value", f"expected a finite number, got {value.detach()}")
    learns = any(p.requires_grad for p in shaped.case.energy.parameters())
    require(value.requires_grad or not learns, "value", "it carries no graph; nothing can learn")
    for name, number in {**terms, **loss.metrics}.items():
        whole = isinstance(number, Tensor) and not number.requires_grad
        require(whole, "terms and metrics", f"{name} must be a detached tensor, got {number!r}")
    total = torch.stack([*terms.values()]).sum() if terms else torch.zeros_like(value)
    require_close("terms", f"the sum of {', '.join(terms)}", total.to(value), value.detach())


def _repeats(shaped: _Shaped) -> None:
    losses = [shaped.loss() for _ in range(2)]
    law, what = "same generator, same loss", "a second call from the same rng"
    require_same(law, what, losses[1].value.detach(), losses[0].value.detach())


def _adds(shaped: _Shaped) -> None:
    objective, energy = shaped.objective, shaped.case.energy
    one, law = shaped.loss(), "multiples and sums"
    twice = replace(shaped, objective=2.0 * objective)
    require_close(law, "2 * objective", twice.loss().value.detach(), 2 * one.value.detach())
    single, double = gradients(one.value, energy), gradients(twice.loss().value, energy)
    for name, grad in single.items():
        if grad is not None and (got := double[name]) is not None:
            require_close(law, f"2 * objective's gradient in {name}", got, 2 * grad)
    both = replace(shaped, objective=objective + objective)
    _reports(both)
    # The second term draws where the first one stopped.
    rng = again(shaped.case.rng)
    due = shaped.loss(rng).value.detach() + shaped.loss(rng).value.detach()
    require_close(law, "objective + objective", both.loss().value.detach(), due)


def _orderless(shaped: _Shaped) -> None:
    rng = again(shaped.case.rng)
    value = shaped.loss(rng).value.detach()
    if not torch.equal(rng.get_state(), shaped.case.rng.get_state()):
        return
    turned = replace(shaped, case=shaped.case.at(lambda t: t.flip(0)))
    got = turned.loss().value.detach()
    require_close("batch order", "the value of the rows in reverse", got, value)


class _Clock(Stepped):
    """Something to step, so that the law has one even where nothing else is stepped."""

    def step(self) -> None:
        """Nothing moves."""


def _commits(shaped: _Shaped) -> None:
    """Every `Stepped` module is stepped once, also one that energy and objective share."""
    objective, energy = copy.deepcopy((shaped.objective, shaped.case.energy))
    clock = _Clock()
    for module in (objective, energy):
        module.add_module("law_clock", clock)
    shaped = replace(shaped, objective=objective, case=replace(shaped.case, energy=energy))
    found = dict.fromkeys([*energy.named_modules(), *objective.named_modules()])
    stepped = {id(m): (name, m) for name, m in found if isinstance(m, Stepped)}
    with ExitStack() as stack:
        counts = [
            (name, stack.enter_context(patch.object(m, "step", wraps=m.step)))
            for name, m in stepped.values()
        ]
        loss = shaped.loss()
        _require_steps(counts, 0, "before")
        loss.commit()
        _require_steps(counts, 1, "after")


def _require_steps(counts: list[tuple[str, Mock]], due: int, when: str) -> None:
    for name, step in counts:
        got = f"expected {due}, but {name} was stepped {step.call_count} times {when} commit"
        require(step.call_count == due, "commit steps every Stepped once", got)


def _restores(shaped: _Shaped) -> None:
    """What commits moved is in the state dictionaries, and nowhere else."""
    before, after = shaped.to(torch.float64), shaped.to(torch.float64)
    noise, rng = torch.Generator().manual_seed(0), again(shaped.case.rng)
    with torch.no_grad():
        for p in after.case.energy.parameters():
            if p.requires_grad:
                p.add_(torch.randn(p.shape, generator=noise, dtype=p.dtype).to(p), alpha=0.01)
    for _ in range(2):
        after.loss(rng).commit()
    before.case.energy.load_state_dict(after.case.energy.state_dict())
    before.objective.load_state_dict(after.objective.state_dict())
    law, what = "state saved and restored", "commit moved what the state dictionary lacks"
    pairs = ((before.case.energy, after.case.energy), (before.objective, after.objective))
    for got, due in pairs:
        require_equal_state(law, what, state_of(got), state_of(due))
    value = after.loss().value.detach()
    require_same(law, "the loss afterwards", before.loss().value.detach(), value)


def _slopes(shaped: _Shaped, tolerance: float) -> None:
    energy = shaped.case.energy
    named = {name: p for name, p in energy.named_parameters() if p.requires_grad}
    grads = gradients(shaped.loss().value, energy)
    law = "gradient of the value"
    require_slopes(law, lambda: shaped.loss().value, named, grads, tolerance)
