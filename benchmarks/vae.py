"""Variational and importance-weighted autoencoders on binarized MNIST: nats and budget.

    EBMLAB_DATA=… python benchmarks/run.py --topic vae

One architecture (784-200-200-50, tanh), one binarization (each pixel drawn once, by its
intensity), the same first weights and as many images for all. -log p(y) of test images is
estimated by importance weighting, each image's Gaussian begun at the encoder's and fitted to it by
some steps, and, on some of the same images, by annealing from the prior, which knows no encoder:
both bound it from above in the mean. The budget is two passes over the images; after thousands of
them, 89.8 and 87.1 nats are published.
"""

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch
from measure import Row
from torch import Tensor, nn

from ebmlab import Energy, FreeEnergy, Method, fit, methods
from ebmlab.data import mnist
from ebmlab.energies import BinaryCrossEntropy, Gaussian
from ebmlab.inference import Amortized
from ebmlab.networks import MLP, GaussianHead
from ebmlab.partition import Estimate, annealed_evidence, evidence
from ebmlab.samplers import HMC, run
from ebmlab.training import Recording, Stepping, falling_cosine

TOPIC = "vae"
DIM, HIDDEN = 50, (200, 200)


class Budget(NamedTuple):
    """What a comparison spends: steps of training; images, draws and chains of the estimates.

    Chains of the first `annealed` images go through `temperatures` times from prior to posterior;
    every image's own Gaussian is fitted in `refine` steps. Their posteriors are drawn from by
    chains of `walk` transitions to settle and four times as many to keep a quarter of.
    """

    steps: int = 6000
    batch: int = 20
    images: int = 500
    draws: int = 3000
    annealed: int = 100
    chains: int = 10
    temperatures: int = 300
    refine: int = 60
    walk: int = 60


QUICK = Budget(60, 20, 20, 100, 4, 4, 20, 5, 6)
LEAPS, WALKERS = 8, 16
MODELS = {"VAE, 1 draw": 1, "IWAE, 50 draws": 50}


def rows(device: str, quick: bool) -> Iterator[Row]:
    """A row for each model: seconds of training, and nats in the note."""
    budget = QUICK if quick else Budget()
    train, test = binarized("train").to(device), binarized("test").to(device)
    losses: dict[str, Tensor] = {}
    for name, samples in MODELS.items():
        method = model(samples, importance=name.startswith("IWAE"), mean=train.mean(0)).to(device)
        seconds, processor = trained(method, train, budget)
        images = spaced(test, budget.images)
        found, note = judged(method, images, budget)
        losses[name] = -found.log_z
        note = f"processor {processor:.0f} s; {note}" + below(losses, name)
        case = f"binarized MNIST, 784-200-200-50, {budget.steps} × {budget.batch} images"
        yield Row(TOPIC, case, name, seconds, 0.0, note=note)


def binarized(split: str) -> Tensor:
    """Images (n, 784) of 0 and 1: each pixel drawn once, 1 as probably as it is bright."""
    images = mnist(split)[0].flatten(1)
    rng = torch.Generator().manual_seed(0)
    return (torch.rand(images.shape, generator=rng) < images).float()


def spaced(images: Tensor, count: int) -> Tensor:
    """`count` of the images, evenly spaced over all."""
    return images[torch.arange(count, device=images.device) * (len(images) // count)]


def model(samples: int, *, importance: bool, mean: Tensor) -> Method:
    """A VAE or an IWAE of the one architecture, its weights from one seed.

    The decoder's last bias starts at the log odds of the mean image.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = GaussianHead(MLP(len(mean), 2 * DIM, HIDDEN, nn.Tanh))
        decoder = MLP(DIM, len(mean), HIDDEN, nn.Tanh)
    with torch.no_grad():
        decoder.get_parameter("4.bias").copy_(mean.clamp(1e-3, 1 - 1e-3).logit())
    recipe = methods.iwae if importance else methods.vae
    return recipe(encoder, decoder, BinaryCrossEntropy(), samples)


def trained(method: Method, train: Tensor, budget: Budget) -> tuple[float, float]:
    """Train by Adam, from 3e-3 down a cosine; seconds of the clock and of the processor."""
    optimizer = torch.optim.Adam(method.parameters(), lr=3e-3)
    start, begin = time.perf_counter(), time.process_time()
    fit(
        method,
        (None, train),
        steps=budget.steps,
        batch_size=budget.batch,
        optimizer=optimizer,
        rng=torch.Generator(train.device).manual_seed(0),
        stepping=Stepping(schedule=falling_cosine),
        record=Recording(every=1000),
    )
    return time.perf_counter() - start, time.process_time() - begin


def judged(method: Method, images: Tensor, budget: Budget) -> tuple[Estimate, str]:
    """log p(y) of the images by importance weighting, and what to say of it and of annealing."""
    plain, fitted = (weighed(method, images, budget, steps) for steps in (0, budget.refine))
    loss, chains = -fitted.log_z, -annealed(method, images[: budget.annealed], budget).log_z
    short = loss[: len(chains)]
    known = proposed(method, images[: budget.annealed], budget)
    size, few = (float(found.effective_sample_size.median()) for found in (fitted, plain))
    return fitted, "; ".join(
        [
            f"-log p(y) {nats(loss)} ({len(loss)} images, {budget.draws} draws, median effective "
            f"{size:.0f}; {nats(-plain.log_z)} and {few:.0f} by the encoder alone)",
            f"on {len(short)} of them {nats(short)}, by annealing {nats(chains)} "
            f"({budget.chains} chains × {budget.temperatures} × {LEAPS} leaps), difference "
            f"{nats(chains - short)}",
            f"by importance weighting from draws of their posteriors {nats(-known.log_z)}, median "
            f"effective {float(known.effective_sample_size.median()):.0f}, difference "
            f"{nats(chains + known.log_z)}",
            f"KL(q ‖ prior) {nats(information(method, images))}",
        ]
    )


def parts_of(method: Method) -> tuple[Energy, nn.Module]:
    """-log p(y | z) and the encoder."""
    free = method.energy
    assert isinstance(free, FreeEnergy)
    return free.energy, free.get_submodule("infer.encoder")


def weighed(method: Method, images: Tensor, budget: Budget, refine: int) -> Estimate:
    """log p(y) of every image by importance weighting, `refine` steps from the encoder's q."""
    energy, encoder = parts_of(method)
    rng = torch.Generator(images.device).manual_seed(1)
    found = [
        evidence(
            energy, encoder, None, y, samples=budget.draws, rng=rng, chunk=20, refine=refine
        ).log_weights
        for y in images.split(50)
    ]
    return Estimate.from_weights(torch.cat([part for part in found if part is not None], 1))


def proposed(method: Method, images: Tensor, budget: Budget) -> Estimate:
    """log p(y) by importance weighting from Gaussians with the moments of posterior draws."""
    energy, encoder = parts_of(method)
    rng = torch.Generator(images.device).manual_seed(3)
    with torch.no_grad():
        mean, log_std = encoder(images)
    shape = (WALKERS, *mean.shape)
    start = mean + log_std.exp() * torch.randn(shape, generator=rng, device=mean.device)

    def u(z: Tensor) -> Tensor:
        z = z.reshape(shape)
        return (energy(None, images, z) + 0.5 * z.square().sum(-1)).flatten()

    kernel = HMC(0.09, LEAPS, jitter=0.3)
    settled = run(kernel, u, start.flatten(0, 1), steps=budget.walk, rng=rng).state
    samples = run(kernel, u, settled, steps=4 * budget.walk, rng=rng, thin=4).samples
    draws = samples.reshape(-1, *mean.shape)
    return evidence(
        energy, encoder, None, images, samples=budget.draws, rng=rng, chunk=100, draws=draws
    )


def annealed(method: Method, images: Tensor, budget: Budget) -> Estimate:
    """log p(y) of every image by annealing from the prior."""
    prior = Gaussian(torch.zeros(DIM), torch.eye(DIM)).to(images.device)
    return annealed_evidence(
        parts_of(method)[0],
        prior,
        shorter,
        None,
        images,
        times=torch.linspace(0, 1, budget.temperatures + 1) ** 2,
        chains=budget.chains,
        rng=torch.Generator(images.device).manual_seed(2),
    )


def shorter(t: float) -> HMC:
    """Trajectories whose leaps shrink as the law goes from the prior to the posterior."""
    return HMC(0.06 + 0.2 * (1 - t) ** 4, LEAPS, jitter=0.3)


def information(method: Method, images: Tensor) -> Tensor:
    """KL(q(z | y) ‖ prior) of each image, in nats."""
    energy, encoder = parts_of(method)
    rng = torch.Generator(images.device).manual_seed(0)
    with torch.no_grad():
        return Amortized(encoder)(energy, None, images, 1.0, rng=rng).information


def below(losses: dict[str, Tensor], name: str) -> str:
    """How far a model's -log p(y) lies below those of the models before it, image by image."""
    earlier = [other for other in losses if other != name]
    parts = [f"{other} less this: {nats(losses[other] - losses[name])}" for other in earlier]
    return "".join(f"; {part}" for part in parts)


def nats(values: Tensor) -> str:
    """A mean over images and its standard error."""
    error = float(values.std()) / math.sqrt(len(values))
    return f"{float(values.mean()):.2f} ± {error:.2f}"
