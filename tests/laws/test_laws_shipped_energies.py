import pytest
import torch
from laws_support import (
    CODES,
    LABELS,
    NUMBERS,
    PICTURES,
    SHARES,
    WHICH,
    X1,
    X2,
    X3,
    Y2,
    Y3,
    Z1,
    Joined,
    clustered,
    clusters,
    descent,
    embedding,
    free,
    gaussian_encoder,
    latent,
    net,
    normal,
    pairs,
    plane,
    queued,
    unit_prior,
)
from torch import nn

from ebmlab import FunctionEnergy
from ebmlab.energies import (
    MLP,
    RBM,
    Assignment,
    Autoencoder,
    Banana,
    Bernoulli,
    BinaryCrossEntropy,
    Categorical,
    Classifier,
    Clusters,
    CodePrediction,
    Completion,
    Components,
    Constant,
    ConvNet,
    Cosine,
    CrossEntropy,
    DeepBoltzmann,
    Denoised,
    DensityMixture,
    DoubleWell,
    Ensemble,
    Frequencies,
    Funnel,
    Gaussian,
    GaussianMixture,
    GaussianNLL,
    GaussianRBM,
    Hopfield,
    InnerProduct,
    Ising,
    JointEmbedding,
    Mixture,
    ModernHopfield,
    NearestNeighbor,
    Normalized,
    Pairwise,
    PatchError,
    Potts,
    Predicted,
    PseudoEnergy,
    Reconstruction,
    ResNet,
    Ring,
    Shells,
    SquaredDistance,
    Subspace,
    SuperClasses,
    Supported,
    Uniform,
    Whitened,
)
from ebmlab.errors import EbmlabError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import (
    L1,
    LBFGS,
    Amortized,
    AmortizedCategorical,
    Centered,
    Enumerate,
    Factorized,
    FixedSteps,
    Implicit,
    ImportanceWeighted,
    LevenbergMarquardt,
    Nearest,
    Product,
    Projected,
    Proximal,
    Refined,
    Sampled,
    Sinkhorn,
    SoftNearest,
    Stored,
    SuperClustered,
)
from ebmlab.networks import Denoiser, MaskedAutoencoder, Memory, Transformer, ViT
from ebmlab.samplers import HMC
from ebmlab.teachers import EMA, Detached
from ebmlab.testing import check_energy


def point_encoder():
    return Amortized(Joined(net(3, 1)))


def masked_autoencoder():
    """It completes the one hidden patch of four."""
    encoder = ViT(4, 2, dim=4, depth=1, heads=2, channels=1)
    return MaskedAutoencoder(encoder, dim=4, depth=1, heads=2)


def denoised():
    """Its last layers begin at 0, where others have no gradient yet."""
    network = Denoiser(2, width=4, depth=1, waves=2)
    for i, parameter in enumerate(network.parameters()):
        parameter.data = 0.5 * normal(*parameter.shape, seed=30 + i)
    return Denoised(network)


def masked():
    """Of texts of three tokens out of three; 3 hides one."""
    return Categorical(Transformer(3, 3, dim=4, depth=1, heads=1), y_ndim=1, hidden=3)


class Shrunk(nn.Module):
    """Images of less contrast, the less the more noise."""

    def forward(self, sigma, y):
        return y / (1 + sigma.square())[..., None, None]


def refined(encoder):
    """Sparse codes of y (2), from and towards an encoder's guess."""
    coding = Reconstruction(nn.Linear(1, 2), prior=L1(0.3), takes_x=False)
    return FreeEnergy(coding + CodePrediction(encoder), Refined(encoder, Proximal(tolerance=1e-6)))


# Energies: name -> (energy, x, y, z).
ENERGIES = {
    "Gaussian": lambda: (Gaussian(torch.ones(2), torch.eye(2) + 0.5), None, Y2),
    "GaussianMixture": lambda: (GaussianMixture(normal(3, 2), 0.7), None, Y2),
    "Autoencoder": lambda: (Autoencoder(net(2, 3), net(3, 2)), None, Y2),
    "Autoencoder, images": lambda: (
        Autoencoder(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 1, 1), SquaredDistance(3)),
        None,
        PICTURES[0],
    ),
    "Uniform": lambda: (Uniform(-torch.ones(2), torch.ones(2)), None, Y2),
    "DoubleWell": lambda: (DoubleWell(), None, Y2),
    "Ring": lambda: (Ring(), None, Y2),
    "Banana": lambda: (Banana(), None, Y2),
    "Funnel": lambda: (Funnel(dim=3), None, Y3),
    "Bernoulli": lambda: (Bernoulli(normal(3)), None, Y3),
    "Ising": lambda: (Ising((3, 4), 0.3, normal(3, 4)), None, normal(4, 3, 4, seed=3)),
    "Ising, learned": lambda: (
        Ising((2, 3), nn.Parameter(torch.tensor(0.3)), nn.Parameter(normal(2, 3))),
        None,
        normal(4, 2, 3, seed=3),
    ),
    "Ising, each bond": lambda: (
        Ising((3, 3), nn.Parameter(normal(2, 3, 3))),
        None,
        normal(4, 3, 3, seed=3),
    ),
    "Potts": lambda: (Potts((2, 3), 3, 0.3, normal(2, 3, 3)), None, normal(4, 2, 3, 3, seed=3)),
    "Pairwise": lambda: (
        Pairwise.of(Ising((2, 3), 0.3, normal(2, 3))),
        None,
        normal(4, 2, 3, seed=3),
    ),
    "Hopfield": lambda: (Hopfield(nn.Parameter(normal(3, 3)), normal(3)), None, Y3),
    "ModernHopfield": lambda: (ModernHopfield(nn.Parameter(normal(5, 3)), 2.0), None, Y3),
    "RBM": lambda: (RBM(3, 2, std=1.0), None, Y3),
    "JointRBM": lambda: (RBM(2, 1, std=1.0).joint(), None, Y2, Z1),
    "MLP of y": lambda: (MLP(2, hidden=(8,)), None, Y2),
    "MLP of x and y": lambda: (MLP(2, x_dim=3, hidden=(8, 8)), X3, Y2),
    "ConvNet of 6x6": lambda: (ConvNet(1, 2, 2), None, normal(3, 1, 6, 6)),
    "ConvNet of 5x9": lambda: (ConvNet(3, 2, 1), None, normal(3, 3, 5, 9)),
    "ResNet of 6x6": lambda: (ResNet(1, width=2), None, normal(3, 1, 6, 6)),
    "Constant": lambda: (Constant(0.5), None, Y2),
    "Denoised": lambda: (denoised(), X1.exp(), Y2),
    "Denoised, lowest": lambda: (denoised(), None, Y2),
    "Denoised, images": lambda: (Denoised(Shrunk(), y_ndim=3), X1[:3].exp(), PICTURES[0]),
    "SquaredDistance": lambda: (SquaredDistance(), X3, Y3),
    "SquaredDistance of numbers": lambda: (SquaredDistance(0), X3[:, 0], Y3[:, 0]),
    "SquaredDistance of images": lambda: (SquaredDistance(3), *PICTURES),
    "Cosine": lambda: (Cosine(), X3, Y3),
    "CrossEntropy": lambda: (CrossEntropy(0.5), X3, Y3.softmax(-1)),
    "BinaryCrossEntropy": lambda: (BinaryCrossEntropy(), X3, Y3.sigmoid()),
    "BinaryCrossEntropy of images": lambda: (BinaryCrossEntropy(3), *PICTURES),
    "GaussianNLL": lambda: (GaussianNLL(0.5), X3, Y3),
    "GaussianNLL, learned": lambda: (GaussianNLL(0.5, learned=True, ndim=3), *PICTURES),
    "Predicted": lambda: (Predicted(net(3, 3)), X3, Y3),
    "Predicted, not stopped": lambda: (
        Predicted(net(3, 3), SquaredDistance(), stopped=False),
        X3,
        Y3,
    ),
    "Classifier": lambda: (Classifier(net(2, 3), y_ndim=1), WHICH, Y2),
    "Classifier, summed": lambda: (Classifier(net(2, 3), y_ndim=1), None, Y2),
    "Classifier, weighed and summed": lambda: (
        0.5 * Classifier(net(2, 3), y_ndim=1) + Classifier(net(2, 3), y_ndim=1) / 0.7,
        None,
        Y2,
    ),
    "Classifier of images": lambda: (
        Classifier(nn.Sequential(nn.Flatten(), net(16, 3))),
        WHICH[:3],
        PICTURES[0],
    ),
    "Categorical": lambda: (Categorical(net(2, 3)), X2, WHICH),
    "Categorical, sites": lambda: (
        Categorical(nn.Sequential(net(3, 6), nn.Unflatten(1, (2, 3))), y_ndim=1),
        X3,
        torch.tensor([[0, 1], [2, 2], [1, 0], [1, 2]]),
    ),
    "Categorical, hidden": lambda: (
        masked(),
        torch.tensor([[3, 1, 0], [3, 1, 3], [2, 1, 3], [2, 3, 0]]),
        torch.tensor([[2, 1, 0], [0, 1, 0], [2, 1, 0], [2, 1, 0]]),
    ),
    "Frequencies": lambda: (Frequencies(torch.tensor([4, 1, 2]), 0.75), None, WHICH),
    "Normalized": lambda: (Normalized(MLP(2, 3, hidden=(4,)), normal(5, 2, seed=6)), X3, Y2),
    "Normalized, sites": lambda: (
        Normalized(masked(), torch.arange(3)),
        torch.tensor([[3, 1, 0], [3, 1, 3], [2, 1, 3], [2, 3, 0]]),
        torch.tensor([[2, 1, 0], [0, 1, 0], [2, 1, 0], [2, 1, 0]]),
    ),
    "PseudoEnergy": lambda: (
        PseudoEnergy(masked()),
        None,
        torch.tensor([[2, 1, 0], [0, 1, 1], [2, 1, 0], [1, 1, 2]]),
    ),
    "InnerProduct": lambda: (InnerProduct(), X3, Y3),
    "Completion": lambda: (Completion(Joined(net(5, 2)), x_ndim=(1, 1)), (X2, X3), Y2),
    "Completion of patches": lambda: (
        Completion(masked_autoencoder(), PatchError()),
        (normal(4, 3, 4, seed=3), torch.tensor([[0, 2, 3], [1, 0, 3], [2, 3, 1], [0, 1, 2]])),
        normal(4, 1, 4, seed=4),
    ),
    "PatchError": lambda: (PatchError(), normal(4, 3, 5, seed=3), normal(4, 3, 5, seed=4)),
    "PatchError, not normalized": lambda: (
        PatchError(normalized=False),
        normal(4, 3, 5, seed=3),
        normal(4, 3, 5, seed=4),
    ),
    "Whitened": lambda: (Whitened(SquaredDistance(), eps=0.1), X3, Y3),
    "Assignment": lambda: (clusters(), X2, Y2, SHARES),
    "Assignment of logits": lambda: (Assignment(), X3, Y3, SHARES),
    "NearestNeighbor": lambda: (NearestNeighbor(net(3, 3), Memory(5, 3)), X3, Y3),
    "SuperClasses": lambda: (SuperClasses(3, 2, 1, 3), X3, LABELS, SHARES),
    "Supported": lambda: (
        Supported(net(3, 2), SquaredDistance(), classes=2, views=1),
        X3,
        (Y3, normal(20, 3, seed=14), torch.arange(20) % 2),
    ),
    "Supported, views": lambda: (
        Supported(net(3, 2), SquaredDistance(), classes=2),
        (X3, Y3),
        (X3, Y3, normal(20, 3, seed=14), torch.arange(20) % 2),
    ),
    "JointEmbedding, shared": lambda: (embedding(SquaredDistance()), X3, Y3),
    "JointEmbedding, two": lambda: (JointEmbedding(net(3, 2), net(2, 2)), X3, Y2),
    "JointEmbedding, twins": lambda: (JointEmbedding(net(3, 2), net(3, 2)), X3, Y3),
    "JointEmbedding, EMA": lambda: (embedding(target=EMA), X3, Y3),
    "JointEmbedding, Detached": lambda: (embedding(target=Detached), X3, Y3),
    "JointEmbedding, Predicted": lambda: (embedding(Predicted(net(2, 2))), X3, Y3),
    "JointEmbedding, z": lambda: (embedding(latent(x_dim=2)), X3, Y3, Z1),
    "JointEmbedding, views": lambda: (embedding(), (X3, Y3), (X3, Y3)),
    "JointEmbedding, images": lambda: (
        JointEmbedding(nn.Sequential(nn.Flatten(), net(16, 2)), x_ndim=3),
        *PICTURES,
    ),
    "Reconstruction": lambda: (latent(), X1, Y2, Z1),
    "Reconstruction, z only": lambda: (Reconstruction(net(1, 2), takes_x=False), None, Y2, Z1),
    "Reconstruction, x unused": lambda: (Reconstruction(net(1, 2), takes_x=False), X1, Y2, Z1),
    "Reconstruction, prior": lambda: (latent(unit_prior()), X1, Y2, Z1),
    "CodePrediction": lambda: (CodePrediction(net(2, 1), 0.7), None, Y2, Z1),
    "Clusters": lambda: (Clusters(normal(3, 2)), None, Y2, WHICH),
    "Components, full": lambda: (
        Components(normal(3, 2), torch.eye(2).expand(3, 2, 2) + 0.5),
        None,
        Y2,
        WHICH,
    ),
    "Components, diagonal": lambda: (
        Components(normal(3, 2), normal(3, 2).exp()),
        None,
        Y2,
        WHICH,
    ),
    "Components, spherical": lambda: (Components(normal(3, 2), normal(3).exp()), None, Y2, WHICH),
    "Subspace": lambda: (Subspace(2, 1), None, Y2, Z1),
    "FunctionEnergy": lambda: (
        FunctionEnergy(lambda x, y: (x - y).square().sum(-1), ("x", "y")),
        X3,
        Y3,
    ),
    "FunctionEnergy, module": lambda: (
        FunctionEnergy(nn.Sequential(net(2, 1), nn.Flatten(0))),
        None,
        Y2,
    ),
    "FunctionEnergy, z": lambda: (
        FunctionEnergy(lambda y, z: (y * z).sin().sum(-1), ("y", "z")),
        None,
        Y2,
        Z1,
    ),
    "Sum": lambda: (latent() + MLP(2, hidden=(4,)) + Constant(), X1, Y2, Z1),
    "Sum, difference": lambda: (latent() - MLP(2, x_dim=1, hidden=(4,)), X1, Y2, Z1),
    "Mixture": lambda: (
        Mixture(latent(), MLP(2, hidden=(4,)), Constant(), weights=normal(3).exp()),
        X1,
        Y2,
        Z1,
    ),
    "Mixture, learned": lambda: (
        Mixture(embedding(), 2 * SquaredDistance(), logits=nn.Parameter(normal(2))),
        X3,
        Y3,
    ),
    "Mixture, random": lambda: (
        Mixture(free(gaussian_encoder(), 0.5), DoubleWell(), free(gaussian_encoder(), 1.0)),
        X1,
        Y2,
    ),
    "DensityMixture": lambda: (
        DensityMixture(DoubleWell(), Ring(), logits=nn.Parameter(normal(2))),
        None,
        Y2,
    ),
    "Shells": lambda: (Shells((2, 1), GaussianMixture(normal(3, 2), 0.7)), None, Y3),
    "Ensemble": lambda: (Ensemble(latent(), MLP(2, hidden=(4,)), -Constant()), X1, Y2, Z1),
    "Scaled": lambda: (0.5 * embedding(), X3, Y3),
    "Scaled, negative": lambda: (-embedding(), X3, Y3),
    "Scaled, learned": lambda: (DoubleWell() * nn.Parameter(torch.tensor(2.0)), None, Y2),
    "Tempered": lambda: (embedding() / 0.5, X3, Y3),
    "Tempered, learned": lambda: (DoubleWell() / nn.Parameter(torch.tensor(2.0)), None, Y2),
    "FreeEnergy, Enumerate, T=0": lambda: (free(Enumerate(CODES)), X1, Y2),
    "FreeEnergy, Enumerate, T=0.5": lambda: (free(Enumerate(CODES), 0.5), X1, Y2),
    "FreeEnergy, learned codes": lambda: (free(Enumerate(nn.Parameter(CODES)), 0.5), X1, Y2),
    # A descent for each difference of a law: two data say all.
    "FreeEnergy, Descent": lambda: (FreeEnergy(latent(unit_prior()), descent()), X1[:2], Y2[:2]),
    "FreeEnergy, FixedSteps": lambda: (
        FreeEnergy(latent(unit_prior()), FixedSteps(0.3, torch.zeros(1, 1), steps=9, unroll=True)),
        X1[:2],
        Y2[:2],
    ),
    "FreeEnergy, LBFGS": lambda: (
        FreeEnergy(latent(unit_prior()), LBFGS(torch.tensor([[-1.0], [1.0]]))),
        X1[:2],
        Y2[:2],
    ),
    "FreeEnergy, LevenbergMarquardt": lambda: (
        FreeEnergy(latent(), LevenbergMarquardt(torch.tensor([[-1.0], [1.0]]))),
        X1[:2],
        0.1 * Y2[:2],  # within the decoder's reach: beyond it the best z is at infinity
    ),
    "FreeEnergy, Proximal": lambda: (
        FreeEnergy(latent(L1(0.3)), Proximal(torch.tensor([[-1.0], [1.0]]), tolerance=1e-6)),
        X1[:2],
        Y2[:2],
    ),
    "FreeEnergy, Implicit": lambda: (
        FreeEnergy(latent(unit_prior()), Implicit(LBFGS(torch.tensor([[-1.0], [1.0]])))),
        X1[:2],
        Y2[:2],
    ),
    "FreeEnergy, Amortized, T=0": lambda: (free(point_encoder()), X1, Y2),
    "FreeEnergy, Amortized, T=0.5": lambda: (free(gaussian_encoder(2), 0.5), X1, Y2),
    "FreeEnergy, ImportanceWeighted": lambda: (
        free(ImportanceWeighted(Joined(net(3, 1), net(3, 1)), samples=3), 0.5),
        X1,
        Y2,
    ),
    "FreeEnergy, Refined": lambda: (refined(net(2, 1)), None, Y2),
    "FreeEnergy, Sampled": lambda: (
        free(Sampled(HMC(0.3, 2), steps=2, prior=unit_prior()), 0.5),
        X1,
        Y2,
    ),
    "FreeEnergy, Factorized": lambda: (
        FreeEnergy(pairs(parts=2, coupling=0.2), Factorized(2, 2), 0.5),
        None,
        Y2,
    ),
    "FreeEnergy, AmortizedCategorical": lambda: (
        FreeEnergy(Reconstruction(net(3, 2), takes_x=False), AmortizedCategorical(net(2, 3)), 0.5),
        None,
        Y2,
    ),
    "FreeEnergy, Nearest": lambda: (
        FreeEnergy(Reconstruction(net(2, 2), takes_x=False), Nearest(normal(5, 2, seed=6))),
        None,
        Y2,
    ),
    "FreeEnergy, Nearest, encoder": lambda: (
        FreeEnergy(
            Reconstruction(net(1, 2), takes_x=False), Nearest(nn.Parameter(CODES), net(2, 1))
        ),
        None,
        Y2,
    ),
    "FreeEnergy, Product": lambda: (
        FreeEnergy(
            Reconstruction(Joined(net(4, 2)), z_ndim=(1, 1)),
            Product(Enumerate(torch.eye(2)), Enumerate(CODES)),
            0.5,
        ),
        X1,
        Y2,
    ),
    "FreeEnergy, Projected": lambda: (FreeEnergy(plane(), Projected()), None, Y2),
    "FreeEnergy, Stored": lambda: (
        FreeEnergy(Reconstruction(net(1, 2), takes_x=False, x_ndim=0), Stored(Z1)),
        NUMBERS,
        Y2,
    ),
    "FreeEnergy, Sinkhorn": lambda: (FreeEnergy(clusters(), Sinkhorn(0.5)), X2, Y2),
    "FreeEnergy, Sinkhorn, queue": lambda: (FreeEnergy(clusters(), queued()), X2, Y2),
    "FreeEnergy, Centered": lambda: (FreeEnergy(clusters(), Centered(2, 0.5)), X2, Y2),
    "FreeEnergy, SoftNearest": lambda: (FreeEnergy(clusters(), SoftNearest()), X2, Y2),
    "FreeEnergy, Clustered": lambda: (FreeEnergy(*clustered()[::-1]), X2, Y2),
    "FreeEnergy, SuperClustered": lambda: (
        FreeEnergy(SuperClasses(3, 2, 2, 3), SuperClustered(3, 2, 2, 3, size=9, every=1)),
        X3,
        LABELS,
    ),
    "FreeEnergy, embedded": lambda: (
        FreeEnergy(embedding(latent(x_dim=2)), Enumerate(CODES), 0.5),
        X3,
        Y3,
    ),
    "Sum, random": lambda: (
        0.5 * free(gaussian_encoder(), 0.5) + free(gaussian_encoder(), 1.0) / 2.0,
        X1,
        Y2,
    ),
    "GaussianRBM": lambda: (GaussianRBM(3, 2, std=1.0, learned=True), None, Y3),
    "DeepBoltzmann": lambda: (DeepBoltzmann(2, 3, 1, std=1.0), None, Y2, Z1),
    "DeepBoltzmann, completed": lambda: (DeepBoltzmann(3, 2, 2, std=1.0).completed(), None, Y3),
}

# What an energy is excused from, and why.
ENERGY_EXEMPTIONS = {
    "Predicted": ({"differentiable": ("x",)}, "the gradient is stopped at the target's code"),
    "Completion of patches": ({"second": False}, "fused attention has first derivatives only"),
    "Assignment": ({"differentiable": ("x", "z")}, "y enters through z alone"),
    "Assignment of logits": ({"differentiable": ("x", "z")}, "the same"),
    "FreeEnergy, Sinkhorn": ({"differentiable": ("x",)}, "no gradient passes the clusters of y"),
    "FreeEnergy, Sinkhorn, queue": ({"differentiable": ("x",)}, "the same"),
    "FreeEnergy, Centered": ({"differentiable": ("x",)}, "the same"),
    "FreeEnergy, SoftNearest": ({"differentiable": ("x",)}, "the same"),
    "FreeEnergy, Clustered": ({"differentiable": ("x",)}, "the same"),
    "JointEmbedding, Predicted": ({"differentiable": ("x",)}, "the same, in its head"),
    "JointEmbedding, EMA": ({"differentiable": ("x",)}, "no gradient passes a teacher"),
    "JointEmbedding, Detached": ({"differentiable": ("x",)}, "no gradient passes the target"),
    "FreeEnergy, Nearest, encoder": (
        {"differentiable": (), "unreached": ("infer.codebook.codes",)},
        "it goes straight through, and past the codes",
    ),
    "FreeEnergy, Descent": ({"second": False}, "the z found is a constant: first derivatives"),
    "FreeEnergy, LBFGS": ({"second": False}, "the same"),
    "FreeEnergy, LevenbergMarquardt": ({"second": False}, "the same"),
    "FreeEnergy, Proximal": ({"second": False}, "the same"),
    "FreeEnergy, Refined": ({"second": False}, "the same"),
    "FreeEnergy, Factorized": ({"second": False}, "the q found is a constant"),
    "FreeEnergy, Sampled": ({"differentiable": ()}, "the gradient is that of another value"),
    "FreeEnergy, AmortizedCategorical": ({"differentiable": ()}, "it goes straight through"),
    "DeepBoltzmann, completed": ({"differentiable": ()}, "the mean field is held fixed"),
}


@pytest.mark.parametrize("name", ENERGIES)
def test_shipped_energy_keeps_the_laws(name):
    excused, _ = ENERGY_EXEMPTIONS.get(name, ({}, ""))
    check_energy(*ENERGIES[name](), **excused)


@pytest.mark.parametrize("name", ENERGY_EXEMPTIONS)
def test_energy_exemption_is_needed(name):
    with pytest.raises((AssertionError, EbmlabError)):
        check_energy(*ENERGIES[name]())
