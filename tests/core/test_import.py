"""What `import ebmlab` costs, and how far a user's own network gets in fifteen lines."""

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator

import torch
from problems import generator
from torch import nn
from torch.optim import Adam

import ebmlab
from ebmlab import FunctionEnergy, Method, Plane, landscape, losses, run
from ebmlab.energies import Density, GaussianMixture, Uniform
from ebmlab.negatives import FromData, Noise
from ebmlab.objectives import Contrastive, DenoisingScore
from ebmlab.samplers import MALA, Langevin

HEAVY = ("matplotlib", "scipy", "sklearn", "torch.distributed", "torch._dynamo", "tqdm", "triton")

# `import torch` is paid once: each statement runs in a fork of the process that has done it.
MEASURE = """
import json, os, sys, time, torch
before = set(sys.modules)
for statement in json.loads(sys.argv[1]):
    if os.fork():
        assert os.wait()[1] == 0
        continue
    start = time.perf_counter()
    exec(statement)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, sorted(set(sys.modules) - before)]), flush=True)
    os._exit(0)
"""


CORE = "from ebmlab import Energy, FreeEnergy, FunctionEnergy, Loss, Method, Posterior"


def _costs(*statements: str) -> list[tuple[float, list[str]]]:
    """Seconds and modules of each statement beyond those of `import torch`."""
    command = [sys.executable, "-W", "error", "-c", MEASURE, json.dumps(statements)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def _heavy(modules: list[str]) -> list[str]:
    return [name for name in modules if any(f"{name}.".startswith(f"{h}.") for h in HEAVY)]


def test_importing_loads_nothing_heavy_and_takes_at_most_three_tenths_of_a_second():
    heavy = "import ebmlab.energies as e; e.DoubleWell().log_z"
    *imports, (_, control) = _costs(*[CORE] * 3, heavy)
    assert min(seconds for seconds, _ in imports) <= 0.3
    for _, modules in imports:
        assert "ebmlab.energy" in modules
        assert _heavy(modules) == []
    assert "scipy.special" in _heavy(control)


def test_every_public_name_is_there():
    assert {"Energy", "FunctionEnergy", "FreeEnergy", "Posterior", "Method", "Loss", "run"} | {
        "landscape",
        "Plane",
        "fit",
    } <= set(ebmlab.__all__)
    for name in {*ebmlab.__all__, *dir(ebmlab)}:
        assert getattr(ebmlab, name) is not None


class Mine(nn.Sequential):
    def forward(self, y):
        return super().forward(y).squeeze(-1) + 0.1 * y.square().sum(-1)


def research(data: Density, box: Density, rng: torch.Generator) -> Iterator[tuple]:
    short = Contrastive(losses.difference, FromData(Langevin(0.05), steps=10))
    score = DenoisingScore(sigma=0.4)
    noise = Contrastive(losses.logistic, Noise(box, k=4))
    for objective in (short, score, noise):
        energy = FunctionEnergy(Mine(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 1)))
        method, optimizer = Method(energy, objective), Adam(energy.parameters(), 0.02)
        for _ in range(150):
            loss = method(None, data.sample(128, rng), rng)
            optimizer.zero_grad()
            loss.value.backward()
            optimizer.step()
            loss.commit()
        chain = run(MALA(0.2), energy.given(), box.sample(400, rng), steps=100, rng=rng)
        yield energy, chain.state.y, landscape(energy.given(), Plane.xy(), resolution=61)


def test_a_user_s_network_is_trained_three_ways_sampled_and_drawn_in_fifteen_lines():
    assert len(inspect.getsource(Mine).splitlines()) - 1 == 2
    assert len(inspect.getsource(research).splitlines()) - 1 <= 15
    means = torch.tensor([[-1.5, -1.0], [1.5, 1.0]])
    data, box = GaussianMixture(means, 0.4), Uniform(-3 * torch.ones(2), 3 * torch.ones(2))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        results = list(research(data, box, generator(1)))

    def near(y: torch.Tensor) -> float:
        """The share of points within 3 widths of a mean."""
        return float((torch.cdist(y, means).amin(1) < 1.2).float().mean())

    real, flat = data.sample(2000, generator(2)), box.sample(2000, generator(2))
    assert near(real) > 0.95
    assert near(flat) < 0.3
    assert len(results) == 3
    for energy, samples, picture in results:
        with torch.no_grad():
            assert (energy(None, real)[:, None] < energy(None, flat)).float().mean() > 0.85
            at = torch.stack([picture.a[40], picture.b[12]])
            torch.testing.assert_close(
                picture.energy[12, 40], energy(None, at[None])[0], rtol=1e-4, atol=1e-4
            )
        assert picture.energy.shape == (61, 61)
        assert near(picture.minimum()[0][None]) == 1
        assert near(samples) > 0.6
