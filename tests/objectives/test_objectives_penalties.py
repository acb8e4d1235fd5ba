import pytest
import torch
from densities_support import PRECISION, Quadratic
from problems import F64, f64, generator, randn
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy, perturbations
from ebmlab.energies import MLP, Gaussian, JointEmbedding, SquaredDistance, Uniform
from ebmlab.errors import ConfigurationError, GradientError
from ebmlab.losses import InfoNCE, log_loss
from ebmlab.negatives import Corrupted, InBatch, Noise, Replay
from ebmlab.objectives import Contrastive, GradientPenalty, SquaredEnergies, Unconditional
from ebmlab.protocols import Loss, Objective
from ebmlab.samplers import Langevin


@pytest.mark.parametrize("target", [0.0, 1.0, 2.5])
def test_the_gradient_penalty_has_its_closed_form(target):
    energy, y = Quadratic(4, PRECISION), randn(30, 4)
    loss = GradientPenalty(target)(energy, None, y)
    length = (y @ energy.precision).norm(dim=1)
    due = (length - target).square().mean()
    torch.testing.assert_close(loss.value, due)
    torch.testing.assert_close(loss.metrics["slope"], length.mean().detach())
    found, wanted = (torch.autograd.grad(v, energy.free)[0] for v in (loss.value, due))
    torch.testing.assert_close(found, wanted)


def test_where_noise_takes_it_the_penalty_is_that_of_the_blurred_data():
    # E ‖P(y + σξ)‖² = ‖Py‖² + σ² ‖P‖²_F. The draws' own error is 0.02; the control is off by 0.4.
    energy, y = Quadratic(4, PRECISION), f64([[1.0, 0.0, 2.0, -1.0]]).expand(40_000, 4)
    value = GradientPenalty(where=perturbations.Gaussian(0.25))(
        energy, None, y, generator()
    ).value.detach()
    clean = (y[0] @ PRECISION).square().sum()
    due = clean + 0.25 * PRECISION.square().sum()
    assert (value - due).abs() < 0.2
    assert (value - clean).abs() > 1


def test_between_takes_points_on_the_way_to_noise():
    far = Uniform(torch.full((2,), 9.0), torch.full((2,), 10.0))
    y = torch.zeros(1000, 2)
    points = perturbations.Between(far)(y, generator())
    share = points / far.sample(1000, generator())
    torch.testing.assert_close(share[:, 0], share[:, 1])
    assert share.min() >= 0
    assert share.max() <= 1
    # Of 1,000 uniform shares the mean has a standard error of 0.0091: false alarm below 1e-5.
    assert (share.mean() - 0.5).abs() < 0.041
    with pytest.raises(ValueError, match="the density draws"):
        perturbations.Between(far)(torch.zeros(3, 5), generator())


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_a_flat_energy_has_a_finite_gradient(target):
    energy = Quadratic(2)
    value = GradientPenalty(target)(energy, None, torch.zeros(3, 2, dtype=F64)).value
    (grad,) = torch.autograd.grad(value, energy.free)
    assert value == target**2
    assert grad.isfinite().all()


def test_an_energy_without_a_slope_has_no_penalty():
    flat = FunctionEnergy(lambda y: y.detach().sum(-1))
    with pytest.raises(GradientError, match="no gradient"):
        GradientPenalty()(flat, None, torch.zeros(4, 2))
    with pytest.raises(ConfigurationError, match="target"):
        GradientPenalty(-1.0)
    with pytest.raises(ConfigurationError, match="pass rng"):
        GradientPenalty(where=perturbations.Gaussian(1.0))(
            Quadratic(2), None, torch.zeros(3, 2).double()
        )


def test_squared_energies_are_those_of_the_data_and_of_the_negatives():
    energy, y = MLP(2, hidden=(4,)).double(), randn(6, 2)
    noise = Noise(Gaussian(torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64)), 3)
    alone = SquaredEnergies()(energy, None, y).value
    torch.testing.assert_close(alone, energy(None, y).square().mean())
    both = SquaredEnergies(noise)(energy, None, y, generator()).value
    e_neg = noise(energy, None, y, generator()).energies
    torch.testing.assert_close(both, alone + e_neg.square().mean())


def test_squared_energies_fix_the_height_that_a_contrast_leaves_free():
    offset = nn.Parameter(torch.tensor(3.0))
    energy = FunctionEnergy(lambda y: y.square().sum(-1) + offset)
    box = Noise(Uniform(-torch.ones(2), torch.ones(2)))
    contrast, y = Contrastive(InfoNCE(), box), torch.zeros(4, 2)
    loss = contrast(energy, None, y, generator()).value
    assert torch.autograd.grad(loss, offset)[0].abs() < 1e-6
    held = contrast + 0.5 * SquaredEnergies()
    (slope,) = torch.autograd.grad(held(energy, None, y, generator()).value, offset)
    torch.testing.assert_close(slope, torch.tensor(3.0))


def test_negatives_of_squared_energies_are_committed():
    replay = Replay(torch.zeros(8, 2), Langevin(0.01), steps=2)
    SquaredEnergies(replay)(MLP(2, hidden=(4,)), None, torch.zeros(4, 2), generator()).commit()
    assert int(replay.age.sum()) == 8


def test_squared_energies_of_views_are_those_of_every_pair():
    energy = JointEmbedding(nn.Linear(3, 2).double(), head=SquaredDistance())
    views = randn(4, 3), randn(4, 3, seed=1)
    value = SquaredEnergies(InBatch())(energy, views, views).value
    codes = energy.codes(views, views)
    pairs = [(codes.head(a, b), InBatch()(codes.head, a, b).energies) for a, b in codes.each()]
    due = torch.stack([own.square().mean() + other.square().mean() for own, other in pairs])
    torch.testing.assert_close(value, due.mean())


class Seen(Objective):
    """Notes the x that it was handed."""

    def forward(self, energy: Energy, x: Tensor | None, y: Tensor, rng: object) -> Loss:
        self.x = x
        value = energy(x, y).mean()
        return Loss(value, {"seen": value.detach()}, {})


class Labeled(Energy):
    """E(x, y) = -x·f(y); with no x, labels are summed out: -log Σ exp f(y)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(2, 3).double()

    def forward(self, x: Tensor | None, y: Tensor, z: Tensor | None = None) -> Tensor:
        logits = self.network(y)
        return -logits.logsumexp(-1) if x is None else -(x * logits).sum(-1)


def test_unconditional_hands_on_everything_but_x():
    energy, y = Labeled(), randn(5, 2)
    labels = torch.eye(3, dtype=F64)[[0, 2, 1, 1, 0]]
    seen, other = Seen(), Seen()
    loss = (seen + Unconditional(0.5 * other))(energy, labels, y)
    assert seen.x is labels
    assert other.x is None
    due = energy(labels, y).mean() + 0.5 * energy(None, y).mean()
    torch.testing.assert_close(loss.value, due)
    assert len(loss.terms) == 2
    contrast = Contrastive(log_loss, Corrupted(perturbations.Gaussian(0.25)))
    alone = contrast(energy, None, y, generator()).value
    torch.testing.assert_close(
        Unconditional(contrast)(energy, labels, y, generator()).value, alone
    )
