"""Recipes in which a classifier is an energy too."""

from ebmlab.energy import Energy
from ebmlab.methods.cards import card
from ebmlab.objectives import DenoisingScore, LabelLikelihood, Unconditional
from ebmlab.protocols import Method, Objective

__all__ = ["jem"]


@card(
    energy="-f(y)_x, or -log Σ_k exp f(y)_k",
    objective="-log p(x | y), and slopes of p(y)",
    collapse="labels; slopes, not heights",
)
def jem(energy: Energy, weight: float = 0.03, shape: Objective | None = None) -> Method:
    """JEM: a classifier whose logits also say how much of such a y there is.

    Labels shape p(x | y) = softmax f(y), and `shape` shapes p(y) ∝ Σ_k exp f(y)_k. The paper
    takes chains for that, `Contrastive(difference, Replay(…, Langevin(…), 20))`, and tells of runs
    that diverge; so do those who tried since. Where E grows sharper than the chain's steps are
    short, negatives fly apart, their energies are raised, and it grows sharper still. Denoising
    makes no chains, and cannot diverge so. Those who want chains take a kernel that rejects,
    `FromData(MALA(…), 10)`, add a `GradientPenalty`, and take small steps; batch norm, which
    couples data and chains, is told.

    Measured beside the same network on labels alone (`benchmarks/jem.py`, three seeds): on 1,000
    digits 0.979 are right, not 0.966, and the calibration error is 0.012, not 0.025. On 5,000
    images of Fashion-MNIST, by `DenoisingScore((0.1, 0.5)) + 0.1 * GradientPenalty()`, as many are
    right, 0.849, the calibration error is 0.043, not 0.055, and energies tell MNIST with an AUROC
    of 0.964, not 0.913, and noise and inverted images nearly always. Without the penalty a larger
    weight, 0.1, costs a point of accuracy and calibration.

    Args beside those that recipes share:
        energy: one that sums x out where it is None: `energies.Classifier(network)`.
        weight: of `shape`, beside the likelihood of the label. Its loss is d/2 for d pixels where
            nothing is learned. The small default holds E and its slope, and learns no density to
            draw from; large weights learn more of p(y), and less of the labels.
        shape: shapes E(None, y); None is `DenoisingScore((0.03, 0.3))`, for y in [0, 1].

    Source: Grathwohl et al. 2020, arXiv:1912.03263; on its divergence Yang, Ji 2021,
    arXiv:2109.09032; Yang, Su, Ji 2023, arXiv:2209.07959. Denoising: Li, Chen, Sommer 2019,
    arXiv:1910.07762.
    """
    shape = DenoisingScore((0.03, 0.3)) if shape is None else shape
    return Method(energy, LabelLikelihood() + weight * Unconditional(shape))
