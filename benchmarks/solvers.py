"""Solvers of many small problems at once against SciPy's, which take them one by one.

Both sides minimize the same energies in float64 from the same starts. SciPy gets torch's energy
with autograd's gradient, and in a second row the same energy and gradient by hand in NumPy.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from measure import Row, compared, race
from scipy import optimize
from torch import Tensor

from ebmlab.inference import LBFGS, LeastSquares, LevenbergMarquardt

DIM, HIDDEN, OUTPUTS = 4, 16, 8


def rows(device: str, quick: bool) -> list[Row]:
    """1,000 data each, by L-BFGS and by Levenberg–Marquardt."""
    data = 100 if quick else 1000
    return [*_lbfgs(device, data), *_levenberg_marquardt(device, data)]


def _normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _raced(
    case: str, device: str, ours: Callable[[], Tensor], peers: dict[str, Callable[[], list[float]]]
) -> list[Row]:
    """Rows of a race; results are the energies found, datum by datum."""
    times = race({"ebmlab": ours, **peers}, device, turns=3)
    found = times["ebmlab"].result
    return [
        replace(row, note=_alike(found, times[row.peer].result))
        for row in compared("solvers", case, "ebmlab", times)
    ]


def _alike(ours: Tensor, theirs: list[float]) -> str:
    other = torch.tensor(theirs, dtype=torch.float64)
    difference = ours.cpu() - other
    same = (difference.abs() <= 1e-8 * (1 + other.abs())).double().mean()
    lower = (difference < -1e-8 * (1 + other.abs())).double().mean()
    return f"same minimum {same:.1%}, a lower one {lower:.1%}"


def _lbfgs(device: str, data: int) -> list[Row]:
    """u(z) = 0.1 ‖z‖² + a·tanh(Wᵀz + b_i)."""
    weight, shift = _normal(0, DIM, HIDDEN), _normal(1, data, HIDDEN)
    scale, start = 0.6 * _normal(2, HIDDEN), 2 * _normal(3, data, DIM)

    def potential(weight: Tensor, shift: Tensor, scale: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda z: 0.1 * z.square().sum(-1) + (z @ weight + shift).tanh() @ scale

    there = potential(weight.to(device), shift.to(device), scale.to(device))
    begin = start.to(device)

    def by_autograd(i: int) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        u = potential(weight, shift[i : i + 1], scale)

        def value_and_grad(z: np.ndarray) -> tuple[float, np.ndarray]:
            point = torch.from_numpy(z)[None].requires_grad_()
            energy = u(point)
            (grad,) = torch.autograd.grad(energy.sum(), point)
            return energy.item(), grad[0].numpy()

        return value_and_grad

    w, b, a = weight.numpy(), shift.numpy(), scale.numpy()

    def by_hand(i: int) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        def value_and_grad(z: np.ndarray) -> tuple[float, np.ndarray]:
            h = np.tanh(z @ w + b[i])
            return 0.1 * z @ z + h @ a, 0.2 * z + w @ (a * (1 - h * h))

        return value_and_grad

    def loop(make: Callable[[int], Callable]) -> list[float]:
        options = {"gtol": 1e-8, "ftol": 1e-15}
        return [
            float(optimize.minimize(make(i), z, jac=True, method="L-BFGS-B", options=options).fun)
            for i, z in enumerate(start.numpy())
        ]

    case = f"L-BFGS, {data} data, {DIM}-D"
    makers = {"scipy, autograd": by_autograd, "scipy, by hand": by_hand}
    peers = {name: partial(loop, make) for name, make in makers.items()}
    return _raced(case, device, lambda: LBFGS().minimize(there, begin).energy, peers)


def _levenberg_marquardt(device: str, data: int) -> list[Row]:
    """r(z) = tanh(Wᵀz) A - y_i, y_i near the surface."""
    weight, outer = _normal(4, DIM, HIDDEN) / 2, _normal(5, HIDDEN, OUTPUTS)
    truth, start = _normal(6, data, DIM), 0.5 * _normal(7, data, DIM)
    target = (truth @ weight).tanh() @ outer + 0.1 * _normal(8, data, OUTPUTS)

    def residuals(weight: Tensor, outer: Tensor, target: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda z: (z @ weight).tanh() @ outer - target

    there = LeastSquares(residuals(weight.to(device), outer.to(device), target.to(device)))
    begin = start.to(device)

    def by_autograd(i: int) -> tuple[Callable, Callable]:
        r = residuals(weight, outer, target[i : i + 1])

        def slopes(z: np.ndarray) -> np.ndarray:
            point = torch.from_numpy(z).requires_grad_()
            value = r(point[None])[0]
            each = [torch.autograd.grad(v, point, retain_graph=True)[0] for v in value.unbind()]
            return torch.stack(each).numpy()

        return lambda z: r(torch.from_numpy(z)[None])[0].numpy(), slopes

    w, a, y = weight.numpy(), outer.numpy(), target.numpy()

    def by_hand(i: int) -> tuple[Callable, Callable]:
        def slopes(z: np.ndarray) -> np.ndarray:
            h = np.tanh(z @ w)
            return (w * (1 - h * h) @ a).T

        return lambda z: np.tanh(z @ w) @ a - y[i], slopes

    def loop(make: Callable[[int], tuple[Callable, Callable]]) -> list[float]:
        energies = []
        for i, z in enumerate(start.numpy()):
            r, slopes = make(i)
            fit = optimize.least_squares(r, z, jac=slopes, method="lm", xtol=1e-10, ftol=1e-12)
            energies.append(2 * float(fit.cost))
        return energies

    case = f"Levenberg-Marquardt, {data} data, {DIM}-D to {OUTPUTS}-D"
    makers = {"scipy, autograd": by_autograd, "scipy, by hand": by_hand}
    peers = {name: partial(loop, make) for name, make in makers.items()}
    return _raced(case, device, lambda: LevenbergMarquardt().minimize(there, begin).energy, peers)
