"""Each objective beside the same one of other libraries: time of a step, and exact NLL reached.

    python benchmarks/objectives.py [NAME …] [--data two_moons] [--steps 3000] [--out FILE]

The same network (MLP 2-128-128-1 with the same first weights), the same points in the same order,
the same settings, Adam with a cosine; all in one process on one thread, in turns of 100 steps. A
ratio is the median over the turns of the peer's CPU time by ours. A library that lacks an
objective, or is not installed, has no row.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from measure import circumstances, installed
from plane import BATCH, DATA, TEST, log_z
from torch import Tensor, nn

from ebmlab import energies, losses, metrics, negatives, objectives, samplers
from ebmlab.data import toys
from ebmlab.perturbations import Gaussian
from ebmlab.protocols import Method, Objective
from ebmlab.types import Potential

TURN, LR, SIGMA, STEP, CHAIN, POOL, LEVELS = 100, 3e-3, 0.15, 0.02, 20, 4096, 4
Step = Callable[[Tensor], Tensor]
Maker = Callable[[nn.Module, Tensor], tuple[Step, list[nn.Parameter]]]


@dataclass(frozen=True)
class Result:
    """One library's turn at one objective."""

    objective: str
    data: str
    package: str
    nll: float
    milliseconds: float
    ratio: float | None


def network() -> nn.Sequential:
    """The network, with the same first weights always."""
    torch.manual_seed(0)
    sizes = [(2, 128), (128, 128), (128, 1)]
    layers = [layer for size in sizes for layer in (nn.Linear(*size), nn.SiLU())]
    return nn.Sequential(*layers[:-1])


def ours(make: Callable[[Tensor], Objective], *, log_z: bool = False) -> Maker:
    """This library's objective of the points."""

    def built(net: nn.Module, points: Tensor) -> tuple[Step, list[nn.Parameter]]:
        energy = energies.MLP(2)
        energy.network = net
        whole = energy + energies.Constant() if log_z else energy
        method = Method(whole, make(points))
        rng = torch.Generator().manual_seed(1)

        def step(batch: Tensor) -> Tensor:
            loss = method(None, batch, rng)
            # The state of chains moves before the optimizer does, which no energy here notices.
            loss.commit()
            return loss.value

        return step, list(method.parameters())

    return built


def ebmkit(make: Callable[[Tensor], nn.Module]) -> Maker:
    """An objective of ebmkit."""

    def built(net: nn.Module, points: Tensor) -> tuple[Step, list[nn.Parameter]]:
        loss = make(points)

        def energy(y: Tensor) -> Tensor:
            return net(y).squeeze(-1)

        return lambda batch: loss(energy, batch).loss, [*net.parameters(), *loss.parameters()]

    return built


def torchebm(make: Callable[[nn.Module], nn.Module]) -> Maker:
    """An objective of torchebm."""

    def built(net: nn.Module, points: Tensor) -> tuple[Step, list[nn.Parameter]]:
        from torchebm.core import BaseModel

        class Model(BaseModel):
            def __init__(self) -> None:
                super().__init__()
                self.net = net

            def forward(self, x: Tensor) -> Tensor:
                return self.net(x).squeeze(-1)

        loss = make(Model())

        def step(batch: Tensor) -> Tensor:
            value = loss(batch)
            return value[0] if isinstance(value, tuple) else value

        return step, list(net.parameters())

    return built


def fitted(points: Tensor) -> energies.Gaussian:
    """The Gaussian of the data's moments."""
    return energies.Gaussian(points.mean(0), torch.cov(points.mT))


def _ebmkit() -> Mapping[str, Maker]:
    import ebm

    def persistent(points: Tensor) -> nn.Module:
        sampler = ebm.LangevinDynamics(step_size=STEP, steps=CHAIN)
        return ebm.ContrastiveDivergence(sampler, buffer=ebm.ReplayBuffer(POOL, (2,)))

    def contrast(points: Tensor) -> nn.Module:
        law = torch.distributions.MultivariateNormal(points.mean(0), torch.cov(points.mT))
        return ebm.NoiseContrastiveEstimation(law, noise_ratio=LEVELS)

    return {
        "exact score": ebmkit(lambda points: ebm.ExactScoreMatching()),
        "sliced score": ebmkit(lambda points: ebm.SlicedScoreMatching(1)),
        "denoising score": ebmkit(lambda points: ebm.DenoisingScoreMatching(SIGMA)),
        "energy discrepancy": ebmkit(
            lambda points: ebm.EnergyDiscrepancy(math.sqrt(0.1), m_particles=4)
        ),
        "NCE": ebmkit(contrast),
        "persistent CD": ebmkit(persistent),
    }


def _torchebm() -> Mapping[str, Maker]:
    from torchebm import losses as theirs
    from torchebm.samplers import LangevinDynamics

    def chain(model: nn.Module) -> LangevinDynamics:
        return LangevinDynamics(model, step_size=STEP, noise_scale=1.0)

    def divergence(model: nn.Module, **more: bool | int) -> nn.Module:
        kept = {"k_steps": CHAIN, "energy_reg_weight": 0.0}
        return theirs.ContrastiveDivergence(model, chain(model), **kept, **more)

    return {
        "exact score": torchebm(theirs.ScoreMatching),
        "sliced score": torchebm(lambda model: theirs.SlicedScoreMatching(model, 1)),
        "denoising score": torchebm(lambda model: theirs.DenoisingScoreMatching(model, SIGMA)),
        "CD": torchebm(divergence),
        "persistent CD": torchebm(lambda m: divergence(m, persistent=True, buffer_size=POOL)),
    }


def _chains(points: Tensor) -> negatives.Replay:
    return negatives.Replay(points[:POOL], samplers.Langevin(STEP), CHAIN)


OURS: Mapping[str, Maker] = {
    "exact score": ours(lambda points: objectives.ExactScore()),
    "sliced score": ours(lambda points: objectives.SlicedScore(1)),
    "denoising score": ours(lambda points: objectives.DenoisingScore(SIGMA)),
    "energy discrepancy": ours(lambda points: objectives.EnergyDiscrepancy(Gaussian(0.1))),
    "NCE": ours(lambda points: objectives.NCE(fitted(points), LEVELS), log_z=True),
    "CD": ours(
        lambda points: objectives.Contrastive(
            losses.difference, negatives.FromData(samplers.Langevin(STEP), CHAIN)
        )
    ),
    "persistent CD": ours(
        lambda points: objectives.Contrastive(losses.difference, _chains(points))
    ),
}
PEERS: Mapping[str, Callable[[], Mapping[str, Maker]]] = {"ebm": _ebmkit, "torchebm": _torchebm}


class Runner:
    """One library's training, a turn of steps at a time."""

    def __init__(self, make: Maker, points: Tensor, steps: int) -> None:
        self.net, self.points = network(), points
        self.step, parameters = make(self.net, points)
        self.optimizer = torch.optim.Adam(parameters, lr=LR)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        self.rng = torch.Generator().manual_seed(2)
        self.seconds: list[float] = []

    def turn(self) -> None:
        """A turn of steps, and the CPU time that it took."""
        begun = time.process_time()
        for _ in range(TURN):
            rows = torch.randint(len(self.points), (BATCH,), generator=self.rng)
            self.optimizer.zero_grad()
            self.step(self.points[rows]).backward()
            self.optimizer.step()
            self.schedule.step()
        self.seconds.append(time.process_time() - begun)

    def nll(self, held_out: Tensor) -> float:
        """Exact, by quadrature over [-8, 8]²."""
        u = Potential(lambda y: self.net(y).squeeze(-1))
        return float(metrics.nll(u, held_out, log_z(u, 8.0, 800)))


def compared(name: str, data: str, steps: int) -> list[Result]:
    """All libraries that have the objective."""
    toy = getattr(toys, data)
    points = toy(100_000, torch.Generator().manual_seed(1000))
    held_out = toy(TEST, torch.Generator().manual_seed(7))
    makers = {"ebmlab": OURS[name]}
    for library, offered in PEERS.items():
        if installed(library) and (maker := offered().get(name)):
            makers[library] = maker
    torch.manual_seed(3)
    runners = {library: Runner(make, points, steps) for library, make in makers.items()}
    for _ in range(steps // TURN):
        for runner in runners.values():
            runner.turn()
    own = runners["ebmlab"].seconds
    return [
        Result(
            name,
            data,
            library,
            runner.nll(held_out),
            1000 * median(runner.seconds) / TURN,
            None
            if library == "ebmlab"
            else median(a / b for a, b in zip(runner.seconds, own, strict=True)),
        )
        for library, runner in runners.items()
    ]


def main() -> None:
    """Parse the command line, measure, print, save."""
    parser = argparse.ArgumentParser(description="objectives beside those of other libraries")
    parser.add_argument("names", nargs="*", help="objectives; default: all")
    parser.add_argument("--data", action="append", choices=DATA, help="default: both")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    about = circumstances(" ".join(["python", "benchmarks/objectives.py", *sys.argv[1:]]))
    results: list[Result] = []
    for name in options.names or OURS:
        for data in options.data or DATA:
            found = compared(name, data, options.steps)
            results += found
            for r in found:
                ratio = "" if r.ratio is None else f"  peer / ours {r.ratio:.2f}"
                print(
                    f"{r.objective:20s} {r.data:16s} {r.package:9s} NLL {r.nll:9.3f}  "
                    f"{r.milliseconds:.2f} ms a step{ratio}",
                    flush=True,
                )
            if options.out:
                record = about | {"rows": [asdict(result) for result in results]}
                options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
