"""`check_inference`: the laws of choosing z."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import leaves
from ebmlab._events import numbered
from ebmlab._rows import mapped
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, EbmlabError
from ebmlab.free_energy import FreeEnergy, Inference, Posterior
from ebmlab.testing.case import Case
from ebmlab.testing.compare import require, require_close, require_same
from ebmlab.testing.derivatives import gradients, require_slopes
from ebmlab.testing.purity import again, untouched
from ebmlab.types import Rng, Tree

__all__ = ["check_inference"]

DRAWS = 64


def check_inference(
    infer: Inference,
    energy: Energy,
    x: Tree,
    y: Tree,
    *,
    temperature: float = 0.0,
    rng: Rng = None,
    exact: Inference | None = None,
    coupled: bool = False,
    estimated: bool = False,
    envelope: bool = True,
    tolerance: float = 1e-5,
) -> None:
    """Hold an inference to its laws, at one temperature.

    Atoms (k, *batch, *event) with weights that sum to 1, information (unless `estimated`) and
    residuals that are not negative, no datum's z dependent on the others, a free energy whose
    parameter gradient equals the finite differences of its value (not asked where `bound` is
    "gradient") and the mean of the energy's under q (asked where it is "exact"), a value on the
    side of the exact one that `bound` names, negative temperatures refused, and nothing touched.

    Args:
        infer: the inference; copies of it are judged, in float32 and in float64.
        energy: takes z; with parameters, or the gradient law says nothing.
        x: n >= 2 different data, (n, *event); None where the energy takes none.
        y: as many.
        temperature: T.
        rng: where random numbers start; seeded with 0 if left out.
        exact: an inference whose free energy is exact, to hold the bound against. The mean of 64
            draws has to keep a random bound to five standard errors, which a right one breaks
            about twice in a million per datum.
        coupled: True where the data share z through the batch, on purpose.
        estimated: True where the information is estimated from draws, which may make it negative.
        envelope: False where iterations stop before they converge, on purpose: the gradient is
            that of the value only at the minimum.
        tolerance: of rows, slopes and bounds, relative and absolute; iterations need some.

    Raises:
        AssertionError: a law is broken; the message begins with its name.
        EbmlabError: the inference cannot be called, or `exact` is none.

    Example:
        >>> from ebmlab.energies import Reconstruction
        >>> from ebmlab.inference import Enumerate
        >>> energy = Reconstruction(torch.nn.Linear(1, 2), takes_x=False)
        >>> infer = Enumerate(torch.linspace(-1.0, 1.0, 5)[:, None])
        >>> check_inference(infer, energy, None, torch.eye(2), temperature=0.5)
    """
    case = _Case.of(FreeEnergy(energy, infer, temperature), x, y, None, rng)
    for dtype in (torch.float32, torch.float64):
        precise = case.to(dtype)
        data = precise.x, precise.y
        with untouched(f"inferring with {precise.who}", data, precise.energy):
            _infer(precise)
        _posterior(precise, estimated)
        with untouched(f"the free energy by {precise.who}", data, precise.energy):
            precise.value()
    double = case.to(torch.float64)
    _repeats(double)
    if not coupled:
        _independent(double, tolerance)
    _refuses(double)
    if envelope:
        _slopes(double, tolerance)
        _enveloped(double, tolerance)
    if exact is not None:
        other = _Case.of(FreeEnergy(energy, exact, temperature), x, y, None, rng)
        _bounded(double, other.to(torch.float64), tolerance)


@dataclass(frozen=True, eq=False)
class _Case(Case):
    energy: FreeEnergy

    @property
    def who(self) -> str:
        return type(self.energy.infer).__name__


def _infer(case: _Case) -> Posterior:
    q = case.energy.posterior(case.x, case.y, rng=again(case.rng))
    kept = {name: mapped(Tensor.detach, part) for name, part in _tensors(q).items()}
    return q._replace(**kept)


def _tensors(q: Posterior) -> dict[str, Tree]:
    """The parts of a posterior that are there."""
    return {k: v for k, v in q._asdict().items() if v is not None and k != "counts"}


def _posterior(case: _Case, estimated: bool) -> None:
    n = len(case)
    _well_formed(case, torch.Size([n]), estimated)
    _well_formed(case.at(lambda t: torch.stack([t, t.flip(0)])), torch.Size([2, n]), estimated)


def _well_formed(case: _Case, batch: torch.Size, estimated: bool) -> None:
    q, energy = _infer(case), case.energy.energy
    parts = numbered("z", q.atoms, energy.z_ndim)
    leads = {name: t.shape[: t.ndim - n] for name, (t, n) in parts.items()}
    lead = next(iter(leads.values()))
    due = f"(k, {', '.join(map(str, batch))}, and {energy.z_ndim} of the event)"
    sound = lead[1:] == batch and all(each == lead for each in leads.values())
    require(sound, "atoms", f"expected {due}, got {[tuple(t.shape) for t, _ in parts.values()]}")
    try:
        weights = q.weights.expand(lead)
    except RuntimeError:
        told = f"expected {tuple(lead)} or what expands, got {tuple(q.weights.shape)}"
        raise AssertionError(f"weights: {told}") from None
    require(bool((weights >= 0).all()), "weights", f"negative: {float(weights.min())}")
    total = weights.sum(0)
    require_close("weights", "their sum over the atoms", total, torch.ones_like(total))
    if q.energies is not None:
        known = energy(case.x, case.y, q.atoms, rng=again(case.rng))
        require_close("energies", "those of the posterior", q.energies, known.detach())
    _finite("information", q.information, batch, negative=estimated)
    _finite("residual", q.residual, batch)
    _kept(case, q)


def _finite(law: str, value: Tensor, batch: torch.Size, *, negative: bool = False) -> None:
    require(value.shape == batch, law, f"expected {tuple(batch)}, got {tuple(value.shape)}")
    least = float(value.min())
    require(bool(value.isfinite().all()), law, f"expected finite numbers, got {least}")
    sound = negative or least >= -100 * torch.finfo(value.dtype).eps
    require(sound, law, f"expected numbers >= 0, got {least}")


def _kept(case: _Case, q: Posterior) -> None:
    like = next((t for t in leaves(case.y) if t.is_floating_point()), None)
    if like is None:
        return
    for name, tree in _tensors(q).items():
        for part in leaves(tree):
            kept = part.dtype == like.dtype or (name == "atoms" and not part.is_floating_point())
            require(kept, "dtype kept", f"y is {like.dtype}, {name} {part.dtype}")
            require(part.device == like.device, "device kept", f"{name} is on {part.device}")


def _repeats(case: _Case) -> None:
    once, twice = _tensors(_infer(case)), _tensors(_infer(case))
    for name, tree in once.items():
        for part, again_part in zip(leaves(tree), leaves(twice[name]), strict=True):
            what = f"{name} of a second call from the same rng"
            require_same("a function", what, again_part, part)


def _independent(case: _Case, tolerance: float) -> None:
    n = len(case)
    whole = _infer(case)
    for i in (0, n - 1):
        alone = _infer(case.at(lambda t, i=i: t[[i] * n]))
        for (name, got), due in zip(_row(alone, i).items(), _row(whole, i).values(), strict=True):
            what = f"{name} of row {i} after the other rows were replaced"
            require_close("batch independence", what, got, due, tolerance)


def _row(q: Posterior, i: int) -> dict[str, Tensor]:
    parts = leaves(q.atoms)
    weights = q.weights.expand(parts[0].shape[:2])[:, i]
    own = {"weights": weights, "information": q.information[i], "residual": q.residual[i]}
    return {f"atoms {j}": part[:, i] for j, part in enumerate(parts)} | own


def _refuses(case: _Case) -> None:
    free = case.energy
    for temperature in (-1.0, math.nan):
        try:
            free.infer(free.energy, case.x, case.y, temperature, rng=again(case.rng))
        except EbmlabError:
            continue
        raise AssertionError(
            f"temperature: {case.who} accepted {temperature}; raise a ConfigurationError below 0"
        )


def _slopes(case: _Case, tolerance: float) -> None:
    if case.energy.bound == "gradient":
        return
    named = {name: p for name, p in case.energy.named_parameters() if p.requires_grad}
    grads = gradients(case.value().sum(), case.energy)
    require_slopes("envelope", lambda: case.value().sum(), named, grads, tolerance)


def _enveloped(case: _Case, tolerance: float) -> None:
    """Where q is exact, the energy's gradient is that at q held still."""
    energy = case.energy.energy
    if case.energy.bound != "exact" or energy.stochastic:
        return
    q = _infer(case)
    counted = energy(case.x, case.y, q.atoms).masked_fill(q.weights == 0, 0.0)
    still = (q.weights * counted).sum()
    free = gradients(case.value().sum(), energy)
    for name, due in gradients(still, energy).items():
        if due is not None and (got := free[name]) is not None:
            what = f"the gradient in {name} against E_q of the energy's"
            require_close("envelope", what, got, due, tolerance)


def _bounded(case: _Case, exact: _Case, tolerance: float) -> None:
    bound = case.energy.bound
    if exact.energy.bound != "exact":
        raise ConfigurationError(f"exact is {exact.who}, whose bound is {exact.energy.bound!r}")
    rng, count = again(case.rng), DRAWS if case.energy.stochastic else 1
    with torch.no_grad():
        due = exact.value()
        draws = torch.stack([case.energy(case.x, case.y, rng=rng) for _ in range(count)])
    noise = 5 * draws.std(0) / math.sqrt(count) if count > 1 else 0.0
    above, slack = draws.mean(0) - due, tolerance * (1 + due.abs()) + noise
    law, got = f"bound {bound!r}", f"the free energy is above the exact one by {above.tolist()}"
    if bound in {"upper", "exact"}:
        require((above >= -slack).all(), law, got)
    if bound in {"lower", "exact"}:
        require((above <= slack).all(), law, got)
