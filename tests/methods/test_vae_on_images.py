"""A VAE and an importance-weighted one on binarized MNIST, shortened: order and agreement."""

import math
import os

import pytest
import torch
from problems import generator
from torch import Tensor, nn

from ebmlab import FreeEnergy, Method, fit, methods
from ebmlab.data import mnist
from ebmlab.energies import BinaryCrossEntropy, Gaussian
from ebmlab.networks import MLP, GaussianHead
from ebmlab.partition import annealed_evidence, evidence
from ebmlab.samplers import HMC
from ebmlab.training import falling_cosine

needs_data = pytest.mark.skipif("EBMLAB_DATA" not in os.environ, reason="needs EBMLAB_DATA")
DIM = 20


def binarized(split: str) -> Tensor:
    images = mnist(split)[0].flatten(1)
    return (torch.rand(images.shape, generator=generator()) < images).float()


def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return GaussianHead(MLP(784, 2 * DIM, (100,), nn.Tanh)), MLP(DIM, 784, (100,), nn.Tanh)


def trained(method: Method, images: Tensor) -> Method:
    optimizer = torch.optim.Adam(method.parameters(), lr=3e-3)
    options = {"batch_size": 20, "schedule": falling_cosine, "progress": False, "rng": generator()}
    fit(method, (None, images), steps=1500, optimizer=optimizer, **options)
    return method


def weighed(method: Method, images: Tensor) -> Tensor:
    """-log p(y) of every image, by importance weighting."""
    free = method.energy
    assert isinstance(free, FreeEnergy)
    encoder = free.get_submodule("infer.encoder")
    options = {"samples": 1000, "rng": generator(1), "chunk": 20, "refine": 60}
    return -evidence(free.energy, encoder, None, images, **options).log_z


def annealed(method: Method, images: Tensor) -> Tensor:
    """-log p(y) of every image, by annealing from the prior."""
    free = method.energy
    assert isinstance(free, FreeEnergy)
    found = annealed_evidence(
        free.energy,
        Gaussian(torch.zeros(DIM), torch.eye(DIM)),
        lambda t: HMC(0.07 + 0.2 * (1 - t) ** 4, 6, jitter=0.3),
        None,
        images,
        times=torch.linspace(0, 1, 201) ** 2,
        chains=8,
        rng=generator(2),
    )
    return -found.log_z


def distance(first: Tensor, second: Tensor) -> tuple[float, float]:
    """The mean difference over images, and its standard error."""
    off = first - second
    return float(off.mean()), float(off.std()) / math.sqrt(len(off))


@pytest.mark.slow
@needs_data
def test_weights_tighten_the_bound_that_trains_and_two_estimates_of_it_agree():
    train, test = binarized("train"), binarized("test")[::50]
    vae = trained(methods.vae(*networks(), BinaryCrossEntropy()), train)
    iwae = trained(methods.iwae(*networks(), BinaryCrossEntropy(), samples=30), train)
    gain, error = distance(weighed(vae, test), weighed(iwae, test))
    # Over images, of this one pair of models: chance would do it once in two million.
    assert gain > 4.9 * error
    # Weights and chains both bound -log p(y) from above. Gaussians cover a VAE's posteriors; those
    # of an IWAE are not made to be Gaussian, and 1000 draws stay 0.8 nats above.
    for method, apart in ((vae, 0.4), (iwae, 1.5)):
        few = test[:30]
        by_weights, by_chains = weighed(method, few), annealed(method, few)
        assert abs(distance(by_weights, by_chains)[0]) < apart
        assert 90 < float(by_weights.mean()) < 150
        # The control: the bound that it was trained by stays farther above.
        with torch.no_grad():
            bound = method.energy(None, few, rng=generator(3)).double()
        assert distance(bound, by_chains)[0] > 2
