"""Variational recipes against their formulas, and trained to probabilistic PCA's optimum."""

import math

import pytest
import torch
from linear_gaussian_support import Linear, decoder, negative_log_likelihood
from problems import F64, generator, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy, Method, fit, methods
from ebmlab.energies import BinaryCrossEntropy, GaussianNLL
from ebmlab.inference import Amortized, ImportanceWeighted
from ebmlab.networks import MLP, GaussianHead
from ebmlab.training import Stepping, falling_cosine

BITS = (randn(6, 5, seed=2) > 0).to(F64)


def networks() -> tuple[GaussianHead, MLP]:
    return GaussianHead(MLP(5, 4, (8,))).double(), MLP(2, 5, (8,)).double()


def sampled(encoder: nn.Module, y: Tensor, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """z, its mean and log std, from the generator that `judge` hands the method."""
    mean, log_std = encoder(y)
    noise = torch.randn(samples, *mean.shape, generator=generator(1), dtype=F64)
    return mean + log_std.exp() * noise, mean, log_std


def bits_cost(decode: nn.Module, z: Tensor, y: Tensor) -> Tensor:
    logits = decode(z)
    return nn.functional.binary_cross_entropy_with_logits(
        logits, y.expand_as(logits), reduction="none"
    ).sum(-1)


def judge(method: Method, y: Tensor, due: Tensor) -> None:
    """The loss and its gradients in all parameters equal those of the formula."""
    own = list(method.parameters())
    loss = method(None, y, generator(1))
    torch.testing.assert_close(loss.value, due, rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad(loss.value, own), torch.autograd.grad(due, own), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    before = [p.detach().clone() for p in method.parameters()]
    method(None, y, generator(1)).commit()
    assert all(map(torch.equal, before, method.parameters()))


@pytest.mark.parametrize("samples", [1, 4])
def test_vae_is_reconstruction_plus_divergence(samples):
    encoder, decode = networks()
    z, mean, log_std = sampled(encoder, BITS, samples)
    divergence = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    due = (bits_cost(decode, z, BITS).mean(0) + divergence).mean()
    judge(methods.vae(encoder, decode, BinaryCrossEntropy(), samples), BITS, due)


@pytest.mark.parametrize("samples", [1, 4])
def test_iwae_is_the_log_of_a_mean_of_weights(samples):
    encoder, decode = networks()
    z, mean, log_std = sampled(encoder, BITS, samples)
    log_p = -0.5 * z.square().sum(-1)
    log_q = (-0.5 * ((z - mean) / log_std.exp()).square() - log_std).sum(-1)
    log_w = log_p - log_q - bits_cost(decode, z, BITS)
    due = -(log_w.logsumexp(0) - math.log(samples)).mean()
    judge(methods.iwae(encoder, decode, BinaryCrossEntropy(), samples), BITS, due)


def test_codes_are_means_and_the_parts_are_shown():
    encoder, decode = networks()
    for method, infer in (
        (methods.vae(encoder, decode, BinaryCrossEntropy()), Amortized),
        (methods.iwae(encoder, decode, BinaryCrossEntropy(), 7, doubly=True), ImportanceWeighted),
    ):
        assert isinstance(method.energy, FreeEnergy)
        assert isinstance(method.energy.infer, infer)
        torch.testing.assert_close(method.encode(BITS), encoder(BITS)[0])
        shown = repr(method)
        assert all(
            part in shown for part in ("BinaryCrossEntropy(", "Reconstruction(", "temperature=1.0")
        )
    assert "samples=7, doubly=True" in repr(method)


def cloud() -> Tensor:
    """Data (200, 6) of three directions and noise, off the origin."""
    noise = 0.5 * randn(200, 6, seed=3)
    return randn(200, 3, seed=1) @ randn(3, 6, seed=2) + noise + 1


def probabilistic_pca(y: Tensor, k: int) -> float:
    """The least mean -log p of N(b, W Wᵀ + σ²), W (d, k): by Tipping and Bishop's eigenvalues.

    The k largest of the covariance are kept, the others replaced by their mean, σ².
    """
    off = y - y.mean(0)
    kept = torch.linalg.eigvalsh(off.T @ off / len(y)).flip(0)
    noise = kept[k:].mean()
    d = len(kept)
    log_det = kept[:k].log().sum() + (d - k) * noise.log()
    return 0.5 * float(log_det + d * (1 + math.log(2 * math.pi)))


def linear(k: int = 2) -> Method:
    """A VAE of a linear decoder with learned noise, and a linear encoder."""
    zero = torch.zeros(6, dtype=F64)
    encoder = Linear(0.1 * randn(k, 6, seed=4), zero.clone(), zero[:k].clone())
    decode = decoder(0.1 * randn(6, k, seed=5), zero)
    return methods.vae(encoder, decode, GaussianNLL(1.0, learned=True).double(), samples=8)


def trained(method: Method, y: Tensor) -> Method:
    """Full batches, Adam down a cosine."""
    optimizer = torch.optim.Adam(method.parameters(), lr=0.1)
    data = (None, y)
    options = {"batch_size": len(y), "stepping": Stepping(falling_cosine)}
    fit(method, data, steps=500, optimizer=optimizer, **options)
    return method


def exact_values(method: Method, y: Tensor) -> tuple[float, float]:
    """The evidence bound, its expectation over q in closed form, and -log p(y), over data."""
    parts = ("decoder.weight", "decoder.bias", "distance.log_std")
    named = (method.get_parameter(f"energy.energy.{part}").detach() for part in parts)
    weight, offset, log_std = named
    mean, spread = (part.detach() for part in method.get_submodule("energy.infer.encoder")(y))
    variance = (2 * spread).exp()
    miss = (y - mean @ weight.T - offset).square().sum(1) + variance @ weight.square().sum(0)
    cost = 0.5 * miss / (2 * log_std).exp() + 6 * (log_std + 0.5 * math.log(2 * math.pi))
    nats = 0.5 * (mean.square() + variance - 1 - 2 * spread).sum(1)
    exact = negative_log_likelihood(y, weight, offset, float(log_std.exp()))
    return float((cost + nats).mean()), float(exact.mean())


def test_a_linear_vae_comes_to_probabilistic_pca():
    # Draws leave the bound 1.2e-4 to 2.0e-4 nats above the optimum, over seeds.
    y = cloud()
    method = linear()
    best = probabilistic_pca(y, 2)
    start = exact_values(method, y)
    bound, loss = exact_values(trained(method, y), y)
    assert min(start) > best + 1
    assert best - 1e-9 <= loss <= bound + 1e-9
    assert bound < best + 1e-3
    # What one direction less would reach is far off on this scale.
    assert probabilistic_pca(y, 1) > best + 0.5


def test_the_closed_form_of_probabilistic_pca_is_a_minimum():
    # Judged by the likelihood itself, at the eigenvectors' W and around it.
    y, k = cloud(), 2
    off = y - y.mean(0)
    values, vectors = torch.linalg.eigh(off.T @ off / len(y))
    noise = values[:-k].mean()
    weight = vectors[:, -k:] * (values[-k:] - noise).sqrt()

    def loss(weight: Tensor, std: float) -> float:
        return float(negative_log_likelihood(y, weight, y.mean(0), std).mean())

    best = loss(weight, float(noise.sqrt()))
    assert abs(best - probabilistic_pca(y, k)) < 1e-10
    for seed in range(5):
        assert loss(weight + 0.05 * randn(6, k, seed=seed), float(noise.sqrt())) > best
    assert loss(weight, 1.05 * float(noise.sqrt())) > best
