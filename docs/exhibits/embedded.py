"""Objectives of codes: two views of points on a ring, and what becomes of their codes."""

import torch

from ebmlab import (
    Method,
    data,
    energies,
    fit,
    inference,
    losses,
    methods,
    negatives,
    networks,
    objectives,
    regularizers,
)
from exhibits.embedded_drawn import Codes, Fields, Prior, coded, fields, priors, views
from exhibits.exhibit import shown

__all__ = ["EMBEDDED"]


def regularized() -> Codes:
    (x, y), f = views(1000), networks.MLP(2, 2, (64, 64))  # two noisy views of each point
    codes = {"start": f(x)}
    for name, regularizer in (("energy alone", None), ("with VICReg", regularizers.VICReg())):
        torch.manual_seed(0)
        f, rng = networks.MLP(2, 2, (64, 64)), torch.Generator().manual_seed(1)
        energy = energies.JointEmbedding(f, f, energies.SquaredDistance())
        objective = objectives.Regularized(regularizer, energy_weight=5.0)
        fit(Method(energy, objective), (x, y), steps=300, rng=rng, lr=3e-3)
        codes[name] = f(x)
    return Codes(codes)


def contrastive() -> Codes:
    (x, y), f = views(1000), networks.MLP(2, 2, (64, 64))  # two noisy views of each point
    codes, rng = {"start": f(x)}, torch.Generator().manual_seed(1)
    energy = energies.JointEmbedding(f, f, energies.SquaredDistance())
    objective = objectives.Contrastive(losses.SquareSquare(4.0), negatives.InBatch())
    fit(Method(energy, objective), (x, y), steps=300, rng=rng, lr=3e-3)
    return Codes({**codes, "trained": f(x)})


def nt_xent() -> Codes:
    (x, y), f = views(1000), networks.MLP(2, 2, (64, 64))  # two noisy views of each point
    codes, rng = {"start": f(x)}, torch.Generator().manual_seed(1)
    energy = energies.JointEmbedding(f, f, energies.Cosine())
    fit(Method(energy, objectives.NTXent(0.2)), (x, y), steps=300, rng=rng, lr=3e-3)
    return Codes({**codes, "trained": f(x)}, unit=True)


def vector_quantized() -> Codes:
    y, rng = views(1000)[0], torch.Generator().manual_seed(1)
    f, g = networks.MLP(2, 2, (64, 64)), networks.MLP(2, 2, (64, 64))
    method = methods.vq_vae(f, g, 0.3 * torch.randn(12, 2), decay=0.9)
    codes, codebook = {"start": f(y)}, method.energy.infer.codebook.codes
    first = codebook.clone()
    fit(method, (None, y), steps=300, rng=rng, lr=3e-3)
    return Codes({**codes, "trained": f(y)}, codebooks=[first, codebook])


def denoising() -> Fields:
    y, trained = data.ellipse(1000, torch.Generator().manual_seed(0)), {}
    for name, objective in (("copying", objectives.Regularized()),
                            ("denoising", objectives.Denoising(sigma=0.3))):  # fmt: skip
        f, g = networks.MLP(2, 8, (64, 64)), networks.MLP(8, 2, (64, 64))
        energy, rng = methods.autoencoder(f, g).energy, torch.Generator().manual_seed(1)
        fit(Method(energy, objective), (None, y), steps=300, rng=rng, lr=3e-3)
        trained[name] = energy
    return Fields(trained, y)


def contractive() -> Fields:
    y, trained = data.ellipse(1000, torch.Generator().manual_seed(0)), {}
    for weight in (0.0, 0.1):
        f, g = networks.MLP(2, 8, (64, 64)), networks.MLP(8, 2, (64, 64))
        energy, rng = methods.autoencoder(f, g).energy, torch.Generator().manual_seed(1)
        objective = objectives.Regularized() + weight * objectives.Contractive()
        fit(Method(energy, objective), (None, y), steps=300, rng=rng, lr=3e-3)
        trained[f"weight {weight:g}"] = energy
    return Fields(trained, y)


def encoded() -> Prior:
    y = data.toys.two_moons(1000, torch.Generator().manual_seed(0))
    encoder = networks.GaussianHead(networks.MLP(2, 2, (64, 64)))
    decoder, prior = networks.MLP(1, 2, (64, 64)), energies.MLP(1)
    energy = energies.Reconstruction(decoder, energies.GaussianNLL(0.1), prior, takes_x=False)
    shape = objectives.DenoisingScore(sigma=0.1)
    objective = objectives.Encoded(inference.Amortized(encoder), shape)
    rng = torch.Generator().manual_seed(1)
    fit(Method(energy, objective), (None, y), steps=500, rng=rng, lr=3e-3)
    mean, log_std = encoder(y)
    return Prior(prior, mean + log_std.exp() * torch.randn(1000, 1), decoder, y)


_READ = "Codes of points on a ring, in the color of the angle of their point. "

EMBEDDED = {
    "Regularized": shown(
        regularized,
        coded,
        _READ + "The energy alone draws the two views of each point together, and with them all "
        "codes into one point. A regularizer of the population keeps them apart.",
    ),
    "Contrastive": shown(
        contrastive,
        coded,
        _READ + "Codes of the two views of a point are drawn together, those of different points "
        "pushed apart up to a margin: the ring spreads out.",
    ),
    "NTXent": shown(
        nt_xent,
        coded,
        _READ + "Only directions count under a cosine, drawn at length one: codes that crowded "
        "on an arc come to fill the circle, in the order of the ring.",
    ),
    "VectorQuantized": shown(
        vector_quantized,
        coded,
        _READ + "Crosses are the codes of the codebook. It moves to the middle of what it stands "
        "for, and the encoder is held near it.",
    ),
    "Denoising": shown(
        denoising,
        fields,
        "F(y), the squared error of an autoencoder with a code wider than y, on the data of an "
        "ellipse. Trained to copy, it is low nearly everywhere; trained to undo noise, it "
        "rises beside the data. The well in the middle is false: all data are equally far there.",
    ),
    "Contractive": shown(
        contractive,
        fields,
        "F(y), the squared error of an autoencoder with a code wider than y, with and without a "
        "penalty on the slope of its encoder: with it the energy rises around the data, steeply "
        "outside, a little inside.",
    ),
    "Encoded": shown(
        encoded,
        priors,
        "Left: codes of two moons, which spread wider than N(0, 1), and the density of the "
        "learned prior, which follows them. Right: what draws of both priors decode to: those "
        "of N(0, 1) leave out the ends. One z makes one curve: it cuts across, misses two ends.",
    ),
}
