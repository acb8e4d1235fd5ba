"""Restricted Boltzmann machines: an epoch beside plain torch, and nats on binarized MNIST.

    python benchmarks/run.py --topic house --topic rbm --out benchmarks/results/house_cpu.json
    EBMLAB_DATA=… python benchmarks/rbm.py --mnist [--epochs 16] [--out FILE]

The first races an epoch of persistent contrastive divergence, 784 visible and 500 hidden units,
against the same written out by hand without autograd, by scikit-learn and by rbms; and annealed
importance sampling against a loop of two products a temperature. On the CPU its clock is the
processor's. The second trains such a machine on MNIST,
each pixel drawn once, 1 as probably as it is bright, and brackets its test log-likelihood by
annealed importance sampling from independent units to the machine and back. The way back is a
bound only from exact draws; its chains are those of the training, moved on. Settings were chosen
on 10,000 of the training images, which the machine is not trained on.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from measure import Row, circumstances, compared, installed, race
from torch import Tensor

from ebmlab import Method, fit, methods, run
from ebmlab.data import mnist
from ebmlab.energies import RBM, Bernoulli
from ebmlab.negatives import Replay
from ebmlab.objectives import Contrastive
from ebmlab.partition import Estimate, RBMPath, ais, reverse_ais
from ebmlab.samplers import Gibbs
from ebmlab.training import Recording, Stepping

TOPIC = "rbm"
HIDDEN, BATCH, CHAINS = 500, 100, 64


def rows(device: str, quick: bool) -> Iterator[Row]:
    """An epoch of ours and of others, and annealed chains of ours and of plain torch."""
    n, visible, hidden, batch = (400, 50, 20, 100) if quick else (10_000, 784, HIDDEN, 128)
    rng = torch.Generator(device).manual_seed(0)
    data = (torch.rand(n, visible, generator=rng, device=device) < 0.13).float()
    clock = time.process_time if device == "cpu" else time.perf_counter
    contenders = {"ebmlab": ours(data, hidden, batch), "plain torch": by_hand(data, hidden, batch)}
    if device == "cpu":
        contenders["scikit-learn"] = by_scikit_learn(data, hidden, batch)
        if installed("rbms"):
            contenders["rbms"] = by_rbms(data, hidden, batch)
    case = f"PCD-1, {visible}-{hidden}, an epoch of {n:,} in batches of {batch}"
    yield from compared(TOPIC, case, "ebmlab", race(contenders, device, 9, clock))
    times = torch.linspace(0, 1, 20 if quick else 500)
    machine = RBM(visible, hidden, std=0.05).to(device)
    contenders = {
        "ebmlab": annealed(machine, times),
        "plain torch": annealed_by_hand(machine, times),
    }
    case = f"AIS, {visible}-{hidden}, {CHAINS} chains, {len(times)} temperatures"
    yield from compared(TOPIC, case, "ebmlab", race(contenders, device, 9, clock))


def annealed(machine: RBM, times: Tensor) -> Callable[[], Tensor]:
    """log Z by annealed importance sampling."""
    path = RBMPath(machine, Bernoulli(torch.zeros_like(machine.visible_bias)))

    def call() -> Tensor:
        rng = torch.Generator(times.device).manual_seed(0)
        options: dict[str, Any] = {"times": times, "between": path.at, "chains": CHAINS}
        return ais(machine.given(), path.start, path.kernel, rng=rng, **options).log_z

    return call


def annealed_by_hand(machine: RBM, times: Tensor) -> Callable[[], Tensor]:
    """The same of this machine alone; what reaches the hidden units is kept."""
    w, b, c = (p.detach() for p in machine.parameters())
    a = torch.zeros_like(b)
    softplus = torch.nn.functional.softplus

    def call() -> Tensor:
        rng = torch.Generator(w.device).manual_seed(0)

        def drawn(p: Tensor) -> Tensor:
            return (torch.rand(p.shape, generator=rng, device=p.device) < p).float()

        def height(v: Tensor, f: Tensor, t: float) -> Tensor:
            return -(v @ torch.lerp(a, b, t)) - softplus(t * f).sum(1)

        v = drawn(a.sigmoid().expand(CHAINS, -1))
        f = v @ w + c
        log_weights, before = torch.zeros(CHAINS, dtype=torch.float64), height(v, f, 0.0)
        for t in times.tolist()[1:]:
            log_weights -= (height(v, f, t) - before).double()
            if t == 1:
                break
            v = drawn(torch.lerp(a, drawn((t * f).sigmoid()) @ w.T + b, t).sigmoid())
            f = v @ w + c
            before = height(v, f, t)
        return log_weights.logsumexp(0) - math.log(CHAINS) + math.log(2) * sum(w.shape)

    return call


def ours(data: Tensor, hidden: int, batch: int) -> Callable[[], None]:
    """An epoch by the recipe, in a user's loop."""
    method = methods.rbm(RBM(data.shape[1], hidden), data[:batch]).to(data.device)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.01)
    rng = torch.Generator(data.device).manual_seed(0)

    def epoch() -> None:
        for y in data.split(batch):
            loss = method(None, y, rng)
            optimizer.zero_grad()
            loss.value.backward()
            optimizer.step()
            loss.commit()

    return epoch


def by_hand(data: Tensor, hidden: int, batch: int) -> Callable[[], None]:
    """The same epoch, gradients and all, as one would write it for this machine alone."""
    device, visible = data.device, data.shape[1]
    rng = torch.Generator(device).manual_seed(0)
    w = 0.01 * torch.randn(visible, hidden, generator=rng, device=device)
    b, c = torch.zeros(visible, device=device), torch.zeros(hidden, device=device)
    chains = data[:batch].clone()

    def drawn(p: Tensor) -> Tensor:
        return (torch.rand(p.shape, generator=rng, device=device) < p).float()

    def epoch() -> None:
        nonlocal chains
        for y in data.split(batch):
            v = chains[: len(y)]
            h = drawn((v @ w + c).sigmoid())
            v = drawn((h @ w.T + b).sigmoid())
            up, down = (y @ w + c).sigmoid(), (v @ w + c).sigmoid()
            w.add_(y.T @ up - v.T @ down, alpha=0.01 / len(y))
            b.add_(y.mean(0) - v.mean(0), alpha=0.01)
            c.add_(up.mean(0) - down.mean(0), alpha=0.01)
            chains[: len(y)] = v

    return epoch


def by_scikit_learn(data: Tensor, hidden: int, batch: int) -> Callable[[], None]:
    """The same epoch by BernoulliRBM, which keeps one chain for each row of a batch."""
    from sklearn.neural_network import BernoulliRBM

    machine, parts = BernoulliRBM(hidden, learning_rate=0.01, random_state=0), data.split(batch)
    numbers = [part.numpy() for part in parts if len(part) == batch]

    def epoch() -> None:
        for y in numbers:
            machine.partial_fit(y)

    return epoch


def by_rbms(data: Tensor, hidden: int, batch: int) -> Callable[[], None]:
    """The same epoch by rbms: its uncentered step, by torch's SGD as in its loop."""
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.training.pcd import fit_batch_pcd

    w = 0.01 * torch.randn(data.shape[1], hidden, generator=torch.Generator().manual_seed(0))
    machine = BBRBM(w, torch.zeros(data.shape[1]), torch.zeros(hidden))
    optimizer = torch.optim.SGD(machine.parameters(), lr=0.01, maximize=True)
    for parameter in machine.parameters():
        parameter.grad = torch.zeros_like(parameter)
    chains = machine.init_chains(batch, start_v=data[:batch])

    @torch.no_grad()
    def epoch() -> None:
        nonlocal chains
        for y in data.split(batch):
            optimizer.zero_grad(set_to_none=False)
            pair = y, torch.ones(len(y))
            chains, _ = fit_batch_pcd(pair, chains, machine, 1, 1.0, centered=False)
            optimizer.step()

    return epoch


def binarized(split: str) -> Tensor:
    """Images (n, 784) of 0 and 1: each pixel drawn once, 1 as probably as it is bright."""
    images = mnist(split)[0].flatten(1)
    rng = torch.Generator().manual_seed(0)
    return (torch.rand(images.shape, generator=rng) < images).float()


def base_rates(images: Tensor) -> Bernoulli:
    """Independent pixels, as often 1 as in the images."""
    return Bernoulli(((images.sum(0) + 0.5) / (len(images) + 1)).logit().clamp(min=-8))


def trained(images: Tensor, epochs: int, lr: float) -> Method:
    """A machine after so many epochs of PCD, step sizes falling to 0 along a line."""
    rng, start = torch.Generator().manual_seed(0), base_rates(images)
    machine = RBM(images.shape[1], HIDDEN)
    with torch.no_grad():
        machine.visible_bias.copy_(start.logits)
    method = methods.rbm(machine, start.sample(BATCH, rng))
    fit(
        method,
        (None, images),
        steps=epochs * len(images) // BATCH,
        batch_size=BATCH,
        optimizer=torch.optim.SGD(method.parameters(), lr=lr),
        rng=rng,
        stepping=Stepping(schedule=lambda done: 1 - done),
        record=Recording(every=1000),
    )
    return method


def bracketed(method: Method, start: Bernoulli, temperatures: int) -> tuple[Estimate, Estimate]:
    """log Z from below and, if the chains have converged, from above."""
    machine, objective, rng = method.energy, method.objective, torch.Generator().manual_seed(1)
    assert isinstance(machine, RBM)
    assert isinstance(objective, Contrastive)
    assert isinstance(objective.negatives, Replay)
    path, u = RBMPath(machine, start), machine.given()
    options: dict[str, Any] = {"times": torch.linspace(0, 1, temperatures), "between": path.at}
    below = ais(u, start, path.kernel, chains=BATCH, rng=rng, **options)
    pool = objective.negatives.pool
    draws = run(Gibbs(machine.conditionals()), u, pool, steps=200, rng=rng).state.y
    return below, reverse_ais(u, draws, start, path.kernel, rng=rng, **options)


def measured(epochs: int, lr: float, temperatures: int) -> dict[str, Any]:
    """Train, judge, and tell."""
    images = binarized("train")
    shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    train, validation = images[shuffled[10_000:]], images[shuffled[:10_000]]
    begun = time.perf_counter(), time.process_time()
    method = trained(train, epochs, lr)
    seconds, processor = time.perf_counter() - begun[0], time.process_time() - begun[1]
    print(f"{epochs} epochs in {seconds:.0f} s, {processor:.0f} s of the processor", flush=True)
    estimates = bracketed(method, base_rates(train), temperatures)
    ends = ("forward", "reverse")
    found: dict[str, Any] = {"epochs": epochs, "lr": lr, "temperatures": temperatures}
    found |= {"seconds": seconds, "processor_seconds": processor}
    for name, log_z in zip(ends, estimates, strict=True):
        found[f"log_z_{name}"] = float(log_z.log_z)
        found[f"standard_error_{name}"] = float(log_z.standard_error)
        found[f"effective_{name}"] = float(log_z.effective_sample_size)
    held_out = {"train": train[:10_000], "validation": validation, "test": binarized("test")}
    with torch.no_grad():
        for split, y in held_out.items():
            height = float(-method.energy(None, y).double().mean())
            for name in ends:
                found[f"{split}_{name}"] = height - found[f"log_z_{name}"]
    return found


def main() -> None:
    """Parse the command line, train, judge, print, save."""
    parser = argparse.ArgumentParser(description="an RBM on binarized MNIST, in nats")
    parser.add_argument("--mnist", action="store_true", required=True)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--temperatures", type=int, default=4001)
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measured(options.epochs, options.lr, options.temperatures)
    for name, number in found.items():
        print(f"{name:24s} {number:.2f}", flush=True)
    if options.out:
        about = circumstances(f"python benchmarks/rbm.py --mnist --epochs {options.epochs}")
        options.out.write_text(json.dumps({"about": about, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
