"""Every recipe trains in float64, float32, bfloat16, float16, under autocast, or says why not."""

import warnings

import pytest
import torch

from ebmlab import methods
from ebmlab.data.views import Blocks
from ebmlab.energies import (
    MLP,
    RBM,
    Classifier,
    DeepBoltzmann,
    Denoised,
    Gaussian,
    GaussianNLL,
    Pairwise,
    Uniform,
)
from ebmlab.errors import ShapeError
from ebmlab.networks import MLP as Network
from ebmlab.networks import Choice, Denoiser, GaussianHead, Generator, Transformer
from ebmlab.partition import binary_states
from ebmlab.protocols import Method
from ebmlab.samplers import Langevin

N, DIM = 16, 6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def f(outputs=4, inputs=DIM):
    return Network(inputs, outputs, (8,))


def g(inputs=4):
    return Network(inputs, DIM, (8,))


def y(n):
    return None, normal(n, DIM, seed=1)


def pairs(n):
    x = normal(n, DIM, seed=1)
    return x, x + 0.3 * normal(n, DIM, seed=2)


def blocks(n):
    return Blocks(2)(normal(n, 1, 8, 8), generator())


def views(n):
    two = pairs(n)
    return two, two


def supported(n):
    two = pairs(n)
    return two, (*two, normal(9, DIM, seed=3), torch.arange(9) % 3)


def turned(n):
    return pairs(n)[0], torch.arange(n) % 4


def turned_back(n):
    y, labels = turned(n)
    return labels, y


def numbered(n):
    return torch.arange(n), normal(n, DIM, seed=1)


def bits(n):
    return None, normal(n, DIM, seed=1).gt(0).float()


def points(n):
    return None, normal(n, 2, seed=1)


def curves(n):
    return normal(n, 1, seed=2).sigmoid(), normal(n, 2, seed=1)


def halves(n):
    images = normal(n, 1, 6, 6, seed=1).sigmoid()
    return images[..., :3], images[..., 3:]


def pictures(n):
    return None, normal(n, 1, 3, 2, seed=1).sigmoid()


def patches(n):
    images = normal(n, 1, 8, 8, seed=1).sigmoid()
    return methods_patches(images)


def methods_patches(images):
    from ebmlab.data.views import Masked

    return Masked(2)(images, generator())


def moments(n):
    film = normal(n, 4, DIM, seed=1)
    return film[:, :-1], film[:, 1:]


def texts(n):
    return torch.randint(5, (n, 4), generator=generator(1))


def masked(n):
    y = texts(n)
    return y.where(torch.arange(4) != torch.arange(n)[:, None] % 4, 5), y


def following(n):
    return texts(n)[:, :-1], texts(n)[:, 1:]


def neighbors(n):
    return texts(n)[:, 0], texts(n)[:, 1]


def letters(**options):
    return Transformer(5, 4, dim=8, depth=1, heads=2, **options)


def codes():
    return normal(5, DIM, seed=4)


def small():
    return MLP(DIM, hidden=(8,))


def pool():
    return normal(64, DIM, seed=5)


def igebm():
    return methods.igebm(small(), pool(), Langevin(0.01), steps=2)


def noise():
    box = Uniform(torch.full((DIM,), -5.0), torch.full((DIM,), 5.0))
    return methods.noise_contrastive(MLP(DIM, hidden=(8,)), box)


def image_energy():
    encoder = GaussianHead(torch.nn.Sequential(torch.nn.Flatten(), f(8)))
    decoder = torch.nn.Sequential(g(), torch.nn.Unflatten(1, (1, 3, 2)))
    return methods.image_energy(encoder, decoder, Denoised(Denoiser(4, 8, 1)), std=0.5)


def fakes():
    return Generator(Network(3, DIM, (8,)), 3)


P = {"projection": 4, "hidden": 8}
# Recipes: name -> (method, data of n rows).
RECIPES = {
    "autoencoder": (lambda: methods.autoencoder(f(), g()), y),
    "barlow_twins": (lambda: methods.barlow_twins(f(), 4, **P), views),
    "byol": (lambda: methods.byol(f(), 4, **P), views),
    "concrete_score": (lambda: methods.concrete_score(Pairwise(DIM)), bits),
    "contractive_autoencoder": (lambda: methods.contractive_autoencoder(f(), g(), 0.1), y),
    "deepcluster": (
        lambda: methods.deepcluster(f(), 4, memory=32, every=1, prototypes=(3, 2), **P),
        views,
    ),
    "deepercluster": (
        lambda: methods.deepercluster(
            f(), 4, memory=32, every=1, clusters=2, parts=2, x_ndim=1, **P
        ),
        turned,
    ),
    "denoising_autoencoder": (lambda: methods.denoising_autoencoder(f(), g(), 0.1), y),
    "denoising_score": (lambda: methods.denoising_score(MLP(DIM, hidden=(8,)), 0.3), y),
    "dino": (lambda: methods.dino(f(), 4, outputs=8, hidden=8, bottleneck=4), views),
    "ellipse": (methods.ellipse, points),
    "energy_discrepancy": (lambda: methods.energy_discrepancy(MLP(DIM, hidden=(8,))), y),
    "glo": (lambda: methods.glo(g(), N, 4, generator()), numbered),
    "gmm": (lambda: methods.gmm(codes(), torch.ones(5), regularization=0.1), y),
    "horn": (methods.horn, curves),
    "igebm": (igebm, y),
    "image_prediction": (
        lambda: methods.image_prediction((1, 6, 3), (1, 6, 3), 3, width=8), halves
    ),
    "ijepa": (
        lambda: methods.ijepa(
            8, 2, channels=1, dim=8, depth=1, heads=2, predictor_dim=8, predictor_depth=1,
            predictor_heads=2,
        ),
        blocks,
    ),
    "iwae": (lambda: methods.iwae(GaussianHead(f(8)), g(), GaussianNLL(0.5), samples=3), y),
    "jepa": (
        lambda: methods.jepa(f(), 4, 2),
        pairs,
    ),
    "joint_embedding": (lambda: methods.joint_embedding(f()), pairs),
    "kmeans": (lambda: methods.kmeans(codes()), y),
    "latent_prediction": (
        lambda: methods.latent_prediction(Choice(Network(DIM, 2 * DIM, (8,)), 2), torch.eye(2)),
        pairs,
    ),
    "lejepa": (lambda: methods.lejepa(f(), 4, **P), views),
    "lista": (lambda: methods.lista(codes(), weight=0.1), y),
    "masked_autoencoder": (
        lambda: methods.masked_autoencoder(
            8, 2, channels=1, dim=8, depth=1, heads=2, decoder_dim=8, decoder_depth=1,
            decoder_heads=2,
        ),
        patches,
    ),
    "moco": (lambda: methods.moco(f(), 4, projection=4, memory=32), pairs),
    "nnclr": (lambda: methods.nnclr(f(), 4, bottleneck=4, memory=32, **P), views),
    "noise_contrastive": (noise, y),
    "paws": (lambda: methods.paws(f(), 4, 3, **P), supported),
    "pca": (lambda: methods.pca(DIM, 2), y),
    "probability_flow": (lambda: methods.probability_flow(RBM(DIM, 3)), bits),
    "pseudo_likelihood": (lambda: methods.pseudo_likelihood(MLP(DIM, hidden=(8,))), bits),
    "ratio_matching": (lambda: methods.ratio_matching(Pairwise(DIM)), bits),
    "psd": (lambda: methods.psd(codes(), f(5), 0.1), y),
    "regression": (lambda: methods.regression(f(DIM)), pairs),
    "seer": (lambda: methods.seer(f(), 4, prototypes=5, frozen_steps=0, **P), views),
    "siamese": (lambda: methods.siamese(f()), views),
    "simclr": (lambda: methods.simclr(f(), 4, projection=4), views),
    "simsiam": (lambda: methods.simsiam(f(), 4, projection=4, bottleneck=2), views),
    "sparse_coding": (lambda: methods.sparse_coding(codes(), 0.1), y),
    "swav": (lambda: methods.swav(f(), 4, prototypes=5, frozen_steps=0, **P), views),
    "vae": (lambda: methods.vae(GaussianHead(f(8)), g(), GaussianNLL(0.5)), y),
    "vicreg": (lambda: methods.vicreg(f(), 4), views),
    "vq_vae": (lambda: methods.vq_vae(f(), g(), normal(5, 4, seed=6)), y),
    "w_mse": (lambda: methods.w_mse(f(), 4, rows=None, **P), views),
    "energy_matching": (lambda: methods.energy_matching(MLP(DIM, hidden=(8,)), 0.5), y),
    "equilibrium_matching": (lambda: methods.equilibrium_matching(MLP(DIM, hidden=(8,))), y),
    "exact_score": (lambda: methods.exact_score(MLP(DIM, hidden=(8,))), y),
    "multi_scale_score": (lambda: methods.multi_scale_score(MLP(DIM, 1, hidden=(8,)), 0.3), y),
    "sliced_score": (lambda: methods.sliced_score(MLP(DIM, hidden=(8,))), y),
    "contrastive_divergence": (lambda: methods.contrastive_divergence(small(), steps=2), y),
    "improved_cd": (lambda: methods.improved_cd(small(), pool(), steps=2), y),
    "persistent_cd": (lambda: methods.persistent_cd(small(), pool(), steps=2), y),
    "recovery_likelihood": (lambda: methods.recovery_likelihood(small(), steps=2), y),
    "deep_boltzmann": (
        lambda: methods.deep_boltzmann(DeepBoltzmann(DIM, 4, 3), torch.ones(16, DIM + 3)), bits
    ),
    "rbm": (lambda: methods.rbm(RBM(DIM, 4), torch.ones(16, DIM)), bits),
    "conditional_nce": (lambda: methods.conditional_nce(MLP(DIM, hidden=(8,))), y),
    "likelihood": (lambda: methods.likelihood(RBM(DIM, 3), binary_states(DIM)), bits),
    "most_offending": (lambda: methods.most_offending(MLP(DIM, hidden=(8,)), steps=3), y),
    "cooperative": (lambda: methods.cooperative(small(), fakes(), steps=2), y),
    "ebgan": (lambda: methods.ebgan(f(), g(), fakes()), y),
    "gan": (lambda: methods.gan(small(), fakes()), y),
    "vera": (lambda: methods.vera(small(), fakes(), k=3), y),
    "wgan_gp": (lambda: methods.wgan_gp(small(), fakes(), every=2), y),
    "nce": (
        lambda: methods.nce(MLP(DIM, hidden=(8,)), Gaussian(torch.zeros(DIM), torch.eye(DIM))),
        y,
    ),
    "image_energy": (image_energy, pictures),
    "ebt": (lambda: methods.ebt(MLP(DIM, DIM, hidden=(8,)), starts=2), pairs),
    "jem": (lambda: methods.jem(Classifier(f(), y_ndim=1)), turned_back),
    "masked_words": (lambda: methods.masked_words(letters(), 5), masked),
    "next_word": (lambda: methods.next_word(letters(causal=True), 5), following),
    "skip_gram": (lambda: methods.skip_gram(torch.tensor([3, 1, 2, 1, 5]), 8), neighbors),
    "world_model": (
        lambda: methods.world_model(f(), 4, 2, x_ndim=1),
        moments,
    ),
}  # fmt: skip

KINDS = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "autocast": torch.float32,
}
# Other data of the batch are negatives, or a population that has to vary.
NOT_ALONE = {
    "barlow_twins", "byol", "deepcluster", "deepercluster", "jepa", "lejepa", "nnclr", "paws",
    "simclr", "simsiam", "swav", "vicreg", "w_mse", "siamese",
    "improved_cd", "ebgan",
}  # fmt: skip
# Random numbers differ between precisions: their losses are of one size, not the same.
DRAW = {
    "denoising_autoencoder", "denoising_score", "energy_discrepancy", "igebm", "iwae", "lejepa",
    "noise_contrastive", "vae",
    "energy_matching", "equilibrium_matching", "multi_scale_score", "sliced_score",
    "contrastive_divergence", "improved_cd", "persistent_cd",
    "recovery_likelihood",
    "deep_boltzmann", "rbm",
    "conditional_nce", "most_offending", "nce",
    "cooperative", "ebgan", "gan", "vera", "wgan_gp",
    "image_energy",
    "jem", "ebt",
}  # fmt: skip


def cast(tree, dtype):
    if isinstance(tree, tuple):
        return tuple(cast(leaf, dtype) for leaf in tree)
    return tree.to(dtype) if isinstance(tree, torch.Tensor) and tree.is_floating_point() else tree


def steps(name: str, kind: str, n: int = N, count: int = 3) -> list[float]:
    """The losses of a few steps of gradient descent."""
    build, data = RECIPES[name]
    torch.manual_seed(0)
    method: Method = build().to(KINDS[kind])
    x, target = (cast(tree, KINDS[kind]) for tree in data(n))
    learned = [p for p in method.parameters() if p.requires_grad]
    losses, rng = [], generator(7)
    with warnings.catch_warnings(action="ignore"):
        for _ in range(count):
            with torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
                loss = method(x, target, rng)
                assert loss.value.dtype == (torch.float64 if kind == "float64" else torch.float32)
                if learned:
                    grads = torch.autograd.grad(loss.value, learned, allow_unused=True)
                    for p, grad in zip(learned, grads, strict=True):
                        p.data.add_(0 * p if grad is None else grad.to(p.dtype), alpha=-0.01)
                # Commit inside autocast too: M-steps run without it.
                loss.commit()
            losses.append(float(loss.value.detach()))
    for buffer in [*method.buffers(), *method.parameters()]:
        assert not buffer.is_floating_point() or bool(buffer.isfinite().all())
    return losses


def test_every_recipe_is_here():
    assert set(RECIPES) == set(methods.__all__)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_in_every_precision(name):
    due = torch.tensor(steps(name, "float64"))
    assert bool(due.isfinite().all())
    for kind, near in (("float32", 1e-3), ("bfloat16", 0.2), ("float16", 0.05), ("autocast", 0.2)):
        got = torch.tensor(steps(name, kind))
        assert bool(got.isfinite().all()), (kind, got)
        rtol = 1.0 if name in DRAW else near
        assert torch.allclose(got, due, rtol=rtol, atol=rtol), (kind, got, due)


@pytest.mark.parametrize("name", RECIPES)
def test_a_batch_of_one_trains_or_is_refused_with_a_reason(name):
    if name in NOT_ALONE:
        with pytest.raises(ShapeError, match=r"batch|rows"):
            steps(name, "float32", n=1, count=1)
        return
    assert torch.tensor(steps(name, "float32", n=1, count=2)).isfinite().all()


def test_a_loss_keeps_its_digits_under_autocast_whatever_is_added_to_all_energies():
    from ebmlab.energies import Constant
    from ebmlab.losses import InfoNCE
    from ebmlab.negatives import Noise
    from ebmlab.objectives import Contrastive

    torch.manual_seed(0)
    energy = MLP(2, hidden=(8,))
    box = Uniform(torch.full((2,), -3.0), torch.full((2,), 3.0))
    objective, data = Contrastive(InfoNCE(), Noise(box, k=4)), normal(64, 2)
    with torch.autocast("cpu", torch.bfloat16):
        plain = objective(energy, None, data, generator()).value
        raised = objective(energy + Constant(300.0), None, data, generator()).value
    assert plain.dtype == torch.float32
    torch.testing.assert_close(raised, plain, rtol=1e-3, atol=1e-3)
    control = (energy(None, data).bfloat16() + 300 - 300).float() - energy(None, data)
    assert float(control.detach().abs().max()) > 0.1
