import pytest
import torch
from laws_support import (
    CODES,
    PICTURES,
    WHICH,
    X1,
    X3,
    Y2,
    Y3,
    Joined,
    embedding,
    free,
    gaussian_encoder,
    net,
    normal,
)
from torch import nn

from ebmlab import energies, losses, objectives, perturbations
from ebmlab.energies import (
    MLP,
    RBM,
    Autoencoder,
    Classifier,
    Constant,
    ConvNet,
    Gaussian,
    Ising,
    Pairwise,
    Potts,
    Predicted,
    Reconstruction,
    Ring,
    SquaredDistance,
    Whitened,
)
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Amortized, Descent, Enumerate, FixedSteps, Nearest
from ebmlab.losses import Hinge, InfoNCE
from ebmlab.negatives import (
    Corrupted,
    FromData,
    Hard,
    InBatch,
    MostOffending,
    Noise,
    Queue,
    Replay,
    Reweighted,
)
from ebmlab.networks import Generator, Transformer
from ebmlab.objectives import (
    NCE,
    Adversarial,
    Answers,
    ConcreteScore,
    Contractive,
    Contrastive,
    Cooperative,
    Denoising,
    DenoisingScore,
    Encoded,
    EnergyDiscrepancy,
    EnergyMatching,
    Entropic,
    EquilibriumMatching,
    ExactScore,
    Fooling,
    GradientPenalty,
    ImprovedCD,
    LabelLikelihood,
    Lasso,
    Likelihood,
    MinimumProbabilityFlow,
    MultiScaleScore,
    PseudoLikelihood,
    RatioMatching,
    RecoveryLikelihood,
    Regularized,
    Repelled,
    SlicedScore,
    SquaredEnergies,
    Unconditional,
    Unrolled,
    VectorQuantized,
)
from ebmlab.regularizers import BarlowTwins, MeanEntropy, SIGReg, VICReg, Within
from ebmlab.samplers import MALA, Categorical, Langevin
from ebmlab.teachers import EMA, Detached
from ebmlab.testing import check_objective

# Losses, each with every kind of negatives: names -> what the energy, x, y and negatives are.
LOSSES = {
    "energy_loss": losses.energy_loss,
    "perceptron": losses.perceptron,
    "log_loss": losses.log_loss,
    "mce": losses.mce,
    "mee": losses.mee,
    "difference": losses.difference,
    "logistic": losses.logistic,
    "Hinge": Hinge(0.7),
    "LVQ2": losses.LVQ2(0.5),
    "SquareSquare": losses.SquareSquare(0.8),
    "SquareExponential": losses.SquareExponential(0.5),
    "HeldDifference": losses.HeldDifference(0.1),
    "Levels": losses.Levels(-0.3, 0.4),
    "InfoNCE": InfoNCE(0.5),
}


def replay():
    return Replay(normal(6, 2, seed=9), MALA(0.1), steps=2, rebirth=0.5)


NEGATIVES = {
    "InBatch": lambda: (embedding(SquaredDistance()), X3, Y3, InBatch()),
    "InBatch, both": lambda: (embedding(), X3, Y3, InBatch(both=True)),
    "Queue": lambda: (embedding(), X3, Y3, Queue(5, 2)),
    "Hard": lambda: (embedding(), X3, Y3, Hard(InBatch(), k=2)),
    "Reweighted": lambda: (embedding(), X3, Y3, Reweighted(InBatch(both=True))),
    "Noise": lambda: (MLP(2, x_dim=1, hidden=(4,)), X1, Y2, Noise(Ring(), k=3)),
    "FromData": lambda: (MLP(2, hidden=(4,)), None, Y2, FromData(Langevin(0.05), steps=2)),
    "Replay": lambda: (MLP(2, x_dim=1, hidden=(4,)), X1, Y2, replay()),
    "Corrupted": lambda: (
        MLP(2, 1, hidden=(4,)),
        X1,
        Y2,
        Corrupted(perturbations.Gaussian(0.25), k=3),
    ),
    "MostOffending": lambda: (
        MLP(2, x_dim=1, hidden=(4,)),
        X1,
        Y2,
        MostOffending(0.5, Descent(steps=2)),
    ),
}

MOVED = {"exact_gradient": False}, "the chains follow the parameters, and count as constants"
FOUND = {"exact_gradient": False}, "descents follow the parameters, and their ends are constants"
NEGATIVE_EXEMPTIONS = {"FromData": MOVED, "Replay": MOVED, "MostOffending": FOUND}


# A loss sees no more of negatives than their energies: by default each meets one or two of the
# other kind, in turn, and all others with `-m slow`; those that are searched for meet one.
SEARCHED = ("MostOffending",)
TURN = {("Hinge", kind) for kind in SEARCHED} | {
    (list(LOSSES)[i % len(LOSSES)], list(NEGATIVES)[i % len(NEGATIVES)])
    for i in range(max(len(LOSSES), len(NEGATIVES)))
}
PAIRS = [
    pytest.param(loss, kind, marks=[] if (loss, kind) in TURN else pytest.mark.slow)
    for kind in NEGATIVES
    for loss in LOSSES
    if kind not in SEARCHED or (loss, kind) in TURN
]


@pytest.mark.parametrize(("loss", "kind"), PAIRS)
def test_shipped_loss_and_negatives_keep_the_laws(loss, kind):
    energy, x, y, points = NEGATIVES[kind]()
    excused, _ = NEGATIVE_EXEMPTIONS.get(kind, ({}, ""))
    check_objective(Contrastive(LOSSES[loss], points), energy, x, y, **excused)


def encoded(infer):
    return FreeEnergy(Reconstruction(net(1, 2), takes_x=False), infer)


# What no Jacobian of the encoder depends on.
JACOBIAN = (
    "infer.encoder.2.bias",
    *(f"energy.decoder.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")),
)

VIEWS = (X3, Y3), (X3, Y3)

BITS = Y3.gt(0).float()
CELLS = normal(4, 2, 3, seed=3).gt(0).float()
ONE_HOT = nn.functional.one_hot(torch.tensor([[0, 1], [2, 2], [1, 0], [1, 2]]), 3).float()[:, None]


def pairwise():
    return Pairwise.of(Ising((2, 3), 0.3, normal(2, 3)))


def adversarial(game, every=1, x=False):
    """A critic of points, and a generator of z (3), or of x and z, that it learns with."""
    network = Joined(net(4, 2)) if x else net(3, 2)
    return Adversarial(Generator(network, 3, takes_x=x), game, every)


def ebgan():
    energy = Autoencoder(net(2, 3), net(3, 2))
    game = Repelled(Fooling(losses.Levels(0.0, 2.0)), energy.encoder)
    return adversarial(game), energy, None, Y2


BOX, FIVE = torch.full((2,), 3.0), (normal(4, 5, seed=21) > 0).float()

# Objectives: name -> (objective, energy, x, y).
OBJECTIVES = {
    "Regularized": lambda: (Regularized(), embedding(), X3, Y3),
    "Regularized, VICReg": lambda: (
        Regularized(VICReg(), weight=2.0, energy_weight=0.5),
        embedding(SquaredDistance()),
        X3,
        Y3,
    ),
    "Regularized, views": lambda: (Regularized(VICReg()), embedding(), *VIEWS),
    "Regularized, BarlowTwins": lambda: (
        Regularized(BarlowTwins(), energy_weight=0.0),
        embedding(SquaredDistance()),
        *VIEWS,
    ),
    "Regularized, SIGReg": lambda: (
        Regularized(SIGReg(directions=8), weight=0.05),
        embedding(SquaredDistance()),
        *VIEWS,
    ),
    "Regularized, Within": lambda: (
        Regularized(Within(VICReg())),
        embedding(SquaredDistance()),
        X3,
        Y3,
    ),
    "Regularized, a sum": lambda: (
        Regularized(VICReg() + 0.5 * Within(SIGReg(directions=8))),
        embedding(SquaredDistance()),
        *VIEWS,
    ),
    "Regularized, MeanEntropy": lambda: (Regularized(MeanEntropy(0.5)), embedding(), X3, Y3),
    "Regularized, Whitened": lambda: (
        Regularized(),
        embedding(Whitened(SquaredDistance(), eps=0.1)),
        X3,
        Y3,
    ),
    "Regularized, EMA": lambda: (Regularized(), embedding(target=EMA), X3, Y3),
    "Regularized, Detached": lambda: (Regularized(), embedding(target=Detached), X3, Y3),
    "Regularized, Predicted": lambda: (Regularized(), embedding(Predicted(net(2, 2))), *VIEWS),
    "Regularized, FreeEnergy": lambda: (Regularized(), free(Enumerate(CODES), 0.5), X1, Y2),
    "Regularized, random": lambda: (Regularized(), free(gaussian_encoder(), 1.0), X1, Y2),
    "Contrastive, views": lambda: (Contrastive(InfoNCE(0.5), InBatch(True)), embedding(), *VIEWS),
    "Contrastive, random": lambda: (
        Contrastive(InfoNCE(), InBatch()),
        free(gaussian_encoder(), 1.0),
        X1,
        Y2,
    ),
    "NTXent": lambda: (objectives.NTXent(), embedding(), *VIEWS),
    "NTXent, EMA": lambda: (objectives.NTXent(0.2), embedding(target=EMA), X3, Y3),
    "NTXent, one way": lambda: (objectives.NTXent(0.5, both=False), embedding(), X3, Y3),
    "Denoising": lambda: (Denoising(0.3), encoded(Amortized(net(2, 1))), None, Y2),
    "Contractive": lambda: (Contractive(), encoded(Amortized(net(2, 1))), None, Y2),
    "Contractive, probes": lambda: (Contractive(2), encoded(Amortized(net(2, 1))), None, Y2),
    "VectorQuantized": lambda: (VectorQuantized(), encoded(Nearest(CODES, net(2, 1))), None, Y2),
    "VectorQuantized, learned": lambda: (
        VectorQuantized(),
        encoded(Nearest(nn.Parameter(CODES), net(2, 1))),
        None,
        Y2,
    ),
    "DenoisingScore": lambda: (DenoisingScore(0.3), MLP(2, hidden=(4,)), None, Y2),
    "DenoisingScore, x": lambda: (DenoisingScore(0.3), MLP(2, 1, hidden=(4,)), X1, Y2),
    "DenoisingScore, images": lambda: (DenoisingScore(0.3), ConvNet(1, 2, 1), None, PICTURES[0]),
    "EnergyDiscrepancy": lambda: (
        EnergyDiscrepancy(perturbations.Gaussian(0.3), 3),
        MLP(2, 1, hidden=(4,)),
        X1,
        Y2,
    ),
    "EnergyDiscrepancy, bits": lambda: (
        EnergyDiscrepancy(perturbations.Flips(0.3), 3, w=0.5),
        MLP(2, hidden=(4,)),
        None,
        Y2.gt(0).to(Y2),
    ),
    "PseudoLikelihood": lambda: (PseudoLikelihood(), pairwise(), None, CELLS),
    "PseudoLikelihood, x": lambda: (PseudoLikelihood(), MLP(3, 1, hidden=(4,)), X1, BITS),
    "RatioMatching": lambda: (RatioMatching(), RBM(3, 2, std=1.0), None, BITS),
    "MinimumProbabilityFlow": lambda: (
        MinimumProbabilityFlow(Categorical()),
        Potts((1, 2), 3, nn.Parameter(torch.tensor(0.3)), nn.Parameter(normal(2, 3))),
        None,
        ONE_HOT,
    ),
    "ConcreteScore": lambda: (
        ConcreteScore(),
        Ising((2, 3), nn.Parameter(torch.tensor(0.3)), nn.Parameter(normal(2, 3))),
        None,
        CELLS,
    ),
    "Lasso": lambda: (PseudoLikelihood() + Lasso(0.1), pairwise(), None, CELLS),
    "sum on codes": lambda: (
        0.5 * Regularized(VICReg()) + Contrastive(InfoNCE(), InBatch()),
        embedding(target=EMA),
        X3,
        Y3,
    ),
    "sum of all kinds": lambda: (
        2.0 * DenoisingScore(0.3) + Contrastive(Hinge(), Noise(Ring(), k=2)) + Regularized(),
        MLP(2, hidden=(4,)),
        None,
        Y2,
    ),
    "ExactScore, x": lambda: (ExactScore(), MLP(2, 1, hidden=(4,)), X1, Y2),
    "SlicedScore, x": lambda: (SlicedScore(2), MLP(2, 1, hidden=(4,)), X1, Y2),
    "SlicedScore, images": lambda: (SlicedScore(), ConvNet(1, 2, 1), None, PICTURES[0]),
    "MultiScaleScore": lambda: (MultiScaleScore(), MLP(2, 1, hidden=(4,)), None, Y2),
    "MultiScaleScore, x": lambda: (MultiScaleScore(), MLP(2, 2, hidden=(4,)), X1, Y2),
    "EquilibriumMatching, x": lambda: (EquilibriumMatching(), MLP(2, 1, hidden=(4,)), X1, Y2),
    "EnergyMatching": lambda: (
        EnergyMatching(DenoisingScore(0.3), 0.5),
        MLP(2, 1, hidden=(4,)),
        X1,
        Y2,
    ),
    "EnergyMatching, images": lambda: (
        EnergyMatching(SlicedScore(), 0.5),
        ConvNet(1, 2, 1),
        None,
        PICTURES[0],
    ),
    "ImprovedCD": lambda: (
        ImprovedCD(replay(), Langevin(0.1), weight=0.5),
        MLP(2, 1, hidden=(4,)),
        X1,
        Y2,
    ),
    "RecoveryLikelihood": lambda: (
        RecoveryLikelihood(0.5, MALA(0.1), 2),
        MLP(2, hidden=(4,)),
        None,
        Y2,
    ),
    "RecoveryLikelihood, levels": lambda: (
        RecoveryLikelihood((0.3, 0.6), MALA(0.1), 2),
        MLP(2, 1, hidden=(4,)),
        None,
        Y2,
    ),
    "Likelihood, bits": lambda: (Likelihood.over_states(5), RBM(5, 3, std=1.0), None, FIVE),
    "Likelihood, x": lambda: (
        Likelihood(torch.eye(3)),
        MLP(3, 2, hidden=(4,)),
        Y2,
        torch.eye(3)[[0, 2, 1, 1]],
    ),
    "Likelihood, codes": lambda: (
        Likelihood(normal(6, 3, seed=20), torch.zeros(6)),
        embedding(SquaredDistance()) / 2.0,
        X3,
        Y3,
    ),
    "Likelihood, sites": lambda: (
        Likelihood(torch.arange(3)),
        energies.Categorical(Transformer(3, 3, dim=4, depth=1, heads=1), y_ndim=1, hidden=3) / 0.7,
        torch.tensor([[3, 1, 0], [3, 1, 3], [2, 1, 0], [0, 3, 0]]),
        torch.tensor([[2, 1, 0], [0, 1, 0], [2, 1, 0], [0, 2, 0]]),
    ),
    "Likelihood, grid": lambda: (
        Likelihood.on_grid(-BOX, BOX, 8),
        MLP(2, hidden=(4,)) + Ring(),
        None,
        Y2,
    ),
    "NCE": lambda: (NCE(Gaussian(BOX, torch.eye(2)), 3), MLP(2, 1, hidden=(4,)), X1, Y2),
    "NCE, constant": lambda: (NCE(Ring()), MLP(2, hidden=(4,)) + Constant(), None, Y2),
    "SquaredEnergies": lambda: (SquaredEnergies(), embedding(), *VIEWS),
    "SquaredEnergies, negatives": lambda: (
        SquaredEnergies(Noise(Ring(), 2)),
        MLP(2, hidden=(4,)),
        None,
        Y2,
    ),
    "GradientPenalty": lambda: (GradientPenalty(), MLP(2, 1, hidden=(4,)), X1, Y2),
    "GradientPenalty, between": lambda: (
        GradientPenalty(1.0, perturbations.Between(Ring())),
        MLP(2, hidden=(4,)),
        None,
        Y2,
    ),
    "Adversarial": lambda: (
        adversarial(Fooling(losses.logistic, nn.functional.softplus)),
        MLP(2, hidden=(4,)),
        None,
        Y2,
    ),
    "Adversarial, x": lambda: (
        adversarial(Fooling(losses.difference), every=2, x=True),
        MLP(2, 1, hidden=(4,)),
        X1,
        Y2,
    ),
    "Adversarial, Repelled": ebgan,
    "Adversarial, Cooperative": lambda: (
        adversarial(Cooperative(Langevin(0.05), 2)),
        MLP(2, hidden=(4,)),
        None,
        Y2,
    ),
    "Adversarial, Entropic": lambda: (
        adversarial(Entropic(3, 0.3, k=4), x=True),
        MLP(2, 1, hidden=(4,)),
        X1,
        Y2,
    ),
    "Unconditional": lambda: (
        Unconditional(Contrastive(InfoNCE(), Corrupted(perturbations.Flips(0.3), 2))),
        RBM(5, 3, std=1.0),
        None,
        FIVE,
    ),
    "Encoded": lambda: (
        Encoded(Amortized(Joined(net(2, 1), net(2, 1))), DenoisingScore(0.3)),
        Reconstruction(net(1, 2), prior=MLP(1, hidden=(4,)), takes_x=False),
        None,
        Y2,
    ),
    "Unrolled": lambda: (Unrolled(FixedSteps(0.3)), MLP(2, 1, hidden=(4,)), X1, Y2),
    "Unrolled, answers": lambda: (
        Unrolled(
            Descent(steps=2), starts=2, noise=0.1, each=False, answers=Answers(50, 2, share=1.0)
        ),
        MLP(2, hidden=(4,)),
        None,
        Y2,
    ),
    "Unrolled, images": lambda: (
        Unrolled(FixedSteps(0.3), thoughts=(2, 2), start=perturbations.Gaussian(0.3)),
        ConvNet(1, 2, 1),
        None,
        PICTURES[0],
    ),
    "LabelLikelihood": lambda: (
        LabelLikelihood() + 0.5 * Unconditional(DenoisingScore((0.2, 0.4))),
        Classifier(net(2, 3), y_ndim=1),
        WHICH,
        Y2,
    ),
}

OBJECTIVE_EXEMPTIONS = {
    "Regularized, Detached": ({"exact_gradient": False}, "dynamics: the target moves along"),
    "Regularized, Predicted": ({"exact_gradient": False}, "dynamics: the target moves along"),
    "Contractive": ({"unreached": JACOBIAN}, "a Jacobian lacks constants and decoder"),
    "Contractive, probes": ({"unreached": JACOBIAN}, "the same"),
    "VectorQuantized": ({"exact_gradient": False}, "straight through"),
    "VectorQuantized, learned": ({"exact_gradient": False}, "straight through"),
    **{
        name: ({"unreached": (bias,)}, "a slope lacks the constant")
        for bias, names in {
            "network.2.bias": (
                "DenoisingScore", "DenoisingScore, x", "ExactScore, x", "SlicedScore, x",
                "MultiScaleScore", "MultiScaleScore, x", "EquilibriumMatching, x",
                "EnergyMatching", "GradientPenalty", "GradientPenalty, between",
                "Unrolled", "Unrolled, answers",
            ),
            "network.6.bias": (
                "DenoisingScore, images", "SlicedScore, images", "EnergyMatching, images",
                "Unrolled, images",
            ),
        }.items()
        for name in names
    },
    **{
        name: ({"exact_gradient": False}, "the generator's term gives the critic nothing")
        for name in (
            "Adversarial", "Adversarial, Repelled", "Adversarial, Cooperative",
            "Adversarial, Entropic",
        )
    },
    "ImprovedCD": MOVED,
    "RecoveryLikelihood": MOVED,
    "RecoveryLikelihood, levels": MOVED,
    "Encoded": (
        {"exact_gradient": False, "unreached": ("prior.network.2.bias",)},
        "codes are constants to the prior",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTIVES)
def test_shipped_objective_keeps_the_laws(name):
    excused, _ = OBJECTIVE_EXEMPTIONS.get(name, ({}, ""))
    check_objective(*OBJECTIVES[name](), **excused)


@pytest.mark.parametrize("name", OBJECTIVE_EXEMPTIONS)
def test_objective_exemption_is_needed(name):
    with pytest.raises(AssertionError):
        check_objective(*OBJECTIVES[name]())


@pytest.mark.parametrize("kind", NEGATIVE_EXEMPTIONS)
def test_negative_exemption_is_needed(kind):
    energy, x, y, points = NEGATIVES[kind]()
    with pytest.raises(AssertionError, match="gradient of the value"):
        check_objective(Contrastive(losses.difference, points), energy, x, y)
