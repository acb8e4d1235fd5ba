"""Sparse codes against scikit-learn's coordinate descent, and dictionaries at equal time.

    python benchmarks/run.py --topic sparse_coding

E = ‖y - zD‖² + λ ‖z‖₁ throughout; scikit-learn's ½‖y - zD‖² + α ‖z‖₁ is half of it at α = ½ λ. The
relative duality gap bounds how far a code's energy may be above the least one. The machine may be
shared: notes give seconds of the processor beside the clock's.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import torch
from measure import Row, compared, installed, race
from torch import Tensor

from ebmlab import fit, methods
from ebmlab.energies import unit
from ebmlab.inference import L1, Proximal
from ebmlab.inference._solvers.composite import LinearComposite
from ebmlab.training import Stepping, falling_cosine

TOPIC = "sparse_coding"
WEIGHT, PATCH_WEIGHT, ATOMS = 0.2, 2.0, 100


def rows(device: str, quick: bool) -> list[Row]:
    """Codes of 2000 signals × 64 with 256 atoms; dictionaries of 20,000 patches 8 × 8."""
    found = _codes(device, 200 if quick else 2000, 3 if quick else 5)
    if installed("sklearn"):
        found += _dictionaries(device, quick)
    return found


def gaps(d: Tensor, y: Tensor, z: Tensor, weight: float = WEIGHT) -> Tensor:
    """Relative duality gaps (n,) of codes z for signals y and atoms d, all in float64."""
    r = y - z @ d
    energy = r.square().sum(1) + weight * z.abs().sum(1)
    theta = r * (0.5 * weight / (r @ d.T).abs().amax(1)).clamp(max=1)[:, None]
    return (energy - y.square().sum(1) + (y - theta).square().sum(1)) / energy


def _codes(device: str, n: int, turns: int) -> list[Row]:
    rng = torch.Generator().manual_seed(0)
    d = unit(torch.randn(256, 64, generator=rng, dtype=torch.float64))
    y = unit(torch.randn(n, 64, generator=rng, dtype=torch.float64))
    u = LinearComposite(d.T.float().to(device), y.float().to(device), L1(WEIGHT))
    start = torch.zeros(n, 256, device=device)
    case = f"codes, {n} signals × 64, 256 atoms"
    ours = {
        f"FISTA, {goal}": lambda t=tolerance: (
            Proximal(steps=400, tolerance=t, compile=True).minimize(u, start).argmin
        )
        for goal, tolerance in (("median", 3e-6), ("largest", 1.2e-6))
    }
    peers = _peers(d, y) if installed("sklearn") else {}
    timed = {name: _timed(call) for name, call in (ours | peers).items()}
    times = race({name: call for name, (call, _) in timed.items()}, device, turns)

    def note(name: str) -> str:
        gap = gaps(d, y, torch.as_tensor(times[name].result).cpu().double())
        spent = median(timed[name][1][1:])
        size = f"gap median {float(gap.median()):.1e}, largest {float(gap.max()):.1e}"
        return f"processor {spent:.3f} s, {size}"

    return [
        row
        for name in ours
        for row in (
            replace(found, note=f"{note(name)}; peer {note(found.peer)}" if peers else note(name))
            for found in compared(TOPIC, case, name, {k: times[k] for k in (name, *peers)})
        )
    ]


def _peers(d: Tensor, y: Tensor) -> dict[str, Callable[[], Any]]:
    """scikit-learn as it comes, and at the tolerances that just reach the gap."""
    from sklearn.decomposition import sparse_encode
    from sklearn.linear_model import Lasso

    def lasso(kind: type, tolerance: float) -> Callable[[], Any]:
        x, signals = np.asfortranarray(d.T.numpy().astype(kind)), y.T.numpy().astype(kind)
        alpha = 0.5 * WEIGHT / d.shape[1]
        model = Lasso(alpha, fit_intercept=False, precompute=True, tol=tolerance)
        return lambda: model.fit(x, signals).coef_

    signals, atoms = y.numpy(), d.numpy()
    return {
        "sparse_encode": lambda: sparse_encode(
            signals, atoms, algorithm="lasso_cd", alpha=0.5 * WEIGHT
        ),
        "Lasso, tol 1e-5": lasso(np.float64, 1e-5),
        "Lasso, tol 5e-6": lasso(np.float64, 5e-6),
        "Lasso, float32, tol 1e-5": lasso(np.float32, 1e-5),
    }


def _timed(call: Callable[[], Any]) -> tuple[Callable[[], Any], list[float]]:
    """The same call, and the processor's seconds of each of its turns."""
    spent: list[float] = []

    def measured() -> Any:
        begin = time.process_time()
        with warnings.catch_warnings(action="ignore"):
            out = call()
        spent.append(time.process_time() - begin)
        return out

    return measured, spent


def patches(count: int) -> Tensor:
    """Patches (count, 64) of scikit-learn's two photographs, mean 0 each, variance 1 in all."""
    from sklearn.datasets import load_sample_images
    from sklearn.feature_extraction.image import extract_patches_2d

    cut = [
        extract_patches_2d(image.mean(2), (8, 8), max_patches=count // 2, random_state=0)
        for image in load_sample_images().images
    ]
    flat = torch.from_numpy(np.concatenate(cut)).reshape(-1, 64)
    flat = flat[torch.randperm(len(flat), generator=torch.Generator().manual_seed(0))]
    flat = flat - flat.mean(1, keepdim=True)
    return flat / flat.std()


def dictionary(train: Tensor, start: Tensor, steps: int) -> tuple[Tensor, float]:
    """Atoms (k, 64) after `steps` batches of 256, and the processor's seconds."""
    method = methods.sparse_coding(start.clone(), PATCH_WEIGHT, tolerance=1e-2, compile=True)
    method(None, train[:256])
    begin = time.process_time()
    optimizer = torch.optim.Adam(method.parameters(), lr=0.06, betas=(0.9, 0.99))
    data = (None, train)
    fit(
        method,
        data,
        steps=steps,
        batch_size=256,
        optimizer=optimizer,
        stepping=Stepping(schedule=falling_cosine),
    )
    spent = time.process_time() - begin
    return method.get_parameter("energy.energy.decoder.weight").detach().T.contiguous(), spent


def objective(atoms: Tensor, test: Tensor) -> float:
    """Mean energy of held-out patches, coded by scikit-learn."""
    from sklearn.decomposition import sparse_encode

    d = unit(atoms.double()).cpu()
    alpha = 0.5 * PATCH_WEIGHT
    codes = sparse_encode(test.numpy(), d.numpy(), algorithm="lasso_cd", alpha=alpha)
    z = torch.from_numpy(codes)
    return float(((test - z @ d).square().sum(1) + PATCH_WEIGHT * z.abs().sum(1)).mean())


def _dictionaries(device: str, quick: bool) -> list[Row]:
    from sklearn.decomposition import MiniBatchDictionaryLearning

    data = patches(6000 if quick else 22_000)
    train, test = data[:-2000], data[-2000:]
    start = unit(train[:ATOMS])
    found: list[Row] = []
    for passes, steps in ((1, 40),) if quick else ((1, 200), (2, 400)):
        model = MiniBatchDictionaryLearning(
            ATOMS,
            alpha=0.5 * PATCH_WEIGHT,
            batch_size=256,
            max_iter=passes,
            fit_algorithm="cd",
            dict_init=start.numpy(),
            random_state=0,
            tol=0,
            max_no_improvement=None,
        )
        begin = time.process_time()
        model.fit(train.numpy())
        theirs = time.process_time() - begin
        atoms, ours = dictionary(train.float().to(device), start.float().to(device), steps)
        lower = objective(torch.from_numpy(model.components_), test), objective(atoms, test)
        found.append(
            Row(
                TOPIC,
                f"dictionary, {len(train)} patches, {ATOMS} atoms, {steps} batches",
                "sparse_coding",
                ours,
                0.0,
                "MiniBatchDictionaryLearning",
                theirs,
                0.0,
                theirs / ours,
                note=f"processor's seconds; held-out energy {lower[1]:.3f}, peer {lower[0]:.3f}",
            )
        )
    return found
