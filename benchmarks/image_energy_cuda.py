"""An image energy in pixels, for those who have a GPU: persistent chains with penalties.

    EBMLAB_DATA=… python benchmarks/image_energy_cuda.py [--steps 20000] [--out FOLDER]
    python benchmarks/image_energy_cuda.py --device cpu --smoke

A convolutional energy of 28 × 28 pixels, and no decoder between it and the picture. Each step of
learning runs 60 steps of Langevin dynamics through the network and back, for each image of a
batch, so that 20,000 steps are 1.2 million passes over batches of 128: hours on a GPU, weeks on a
core of a CPU, where the few hundred steps that there is time for leave noise. What holds it:

- a pool of 10,000 chains that go on from where they were, 5 % of them born again from noise;
- Langevin steps whose noise is colder than their temperature says, in a box of [0, 1];
- energies held near 0 (α E²), slopes at the data held small (R1), a little noise on the data;
- small steps of learning, and none of momentum.

Watch `e_pos - e_neg`: it stays within a few units of 0 in a run that is well. The script has been
run for a few steps only; what it reaches has not been measured.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from ebmlab import Method, fit, methods, plot, run
from ebmlab.data import digits, fashion_mnist
from ebmlab.energies import ResNet
from ebmlab.negatives import Replay
from ebmlab.objectives import GradientPenalty
from ebmlab.samplers import Langevin
from ebmlab.training import Recording

POOL, REBIRTH, STEPS, ALPHA, R1, BLUR = 10_000, 0.05, 60, 1.0, 0.1, 0.03
STEP, NOISE, CLAMP = 10.0, 0.005, 0.01


def recipe(images: Tensor, width: int, pool: int, steps: int) -> Method:
    """IGEBM of a residual network, and the slope at the data held small."""
    cold = Langevin.from_noise(STEP, NOISE)
    sampler = Langevin(STEP, cold.temperature, clamp=CLAMP, box=(0.0, 1.0))
    starts = torch.rand(pool, *images.shape[1:], device=images.device)
    energy = ResNet(images.shape[1], width=width).to(images.device)
    shaped = methods.igebm(energy, starts, sampler, steps, ALPHA)
    return Method(energy, shaped.objective + R1 * GradientPenalty()).to(images.device)


def main() -> None:
    """Train, and draw the pool."""
    parser = argparse.ArgumentParser(description="an image energy in pixels, on a GPU")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--smoke", action="store_true", help="a few steps on digits")
    parser.add_argument("--out", type=Path, default=Path("image_energy_cuda"))
    options = parser.parse_args()
    images = (digits()[0] if options.smoke else fashion_mnist("train")[0]).to(options.device)
    width, pool, walk, steps = (4, 64, 5, 5) if options.smoke else (64, POOL, STEPS, options.steps)
    batch = min(128, pool)
    torch.manual_seed(0)
    method = recipe(images, width, pool, walk)
    rng = torch.Generator(options.device).manual_seed(0)

    def batches(n: int, rng: torch.Generator) -> tuple[None, Tensor]:
        rows = torch.randint(len(images), (n,), generator=rng, device=images.device)
        y = images[rows]
        return None, y + BLUR * torch.randn(y.shape, generator=rng, device=y.device)

    rate = torch.optim.AdamW(method.parameters(), lr=1e-4, betas=(0.0, 0.999), weight_decay=0.0)
    options.out.mkdir(parents=True, exist_ok=True)
    done = fit(
        method,
        batches,
        steps=steps,
        rng=rng,
        batch_size=batch,
        optimizer=rate,
        record=Recording(out=options.out),
    )
    print({name: column[-1] for name, column in done.history.items()})
    chains = next(part for part in method.modules() if isinstance(part, Replay)).pool[:64]
    long = run(
        Langevin(STEP, 0.0, clamp=CLAMP, box=(0.0, 1.0)),
        method.energy.given(),
        chains,
        steps=walk,
        rng=rng,
    )
    plot.images(long.state.y.cpu(), 8).figure.savefig(options.out / "chains.png")


if __name__ == "__main__":
    main()
