import pytest
import torch
from objectives_support import Counted, Recording
from problems import generator, randn

from ebmlab.energies import JointEmbedding, SquaredDistance
from ebmlab.errors import ConfigurationError
from ebmlab.losses import InfoNCE, difference
from ebmlab.negatives import InBatch, Replay
from ebmlab.objectives import Contrastive, DenoisingScore, Regularized
from ebmlab.protocols import Objective, Stepped
from ebmlab.regularizers import VICReg
from ebmlab.samplers import Langevin
from ebmlab.teachers import EMA


class Clock(Stepped):
    """Counts its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def step(self) -> None:
        self.steps += 1


def test_a_weighted_sum_is_the_weighted_sum_of_its_parts():
    x, y = randn(6, 3).requires_grad_(), randn(6, 3, seed=1)
    contrast = Contrastive(InfoNCE(), InBatch())
    total = (2.0 * contrast + Regularized(VICReg())) * 0.5 + Regularized(energy_weight=3.0)
    loss = total(SquaredDistance(), x, y)
    parts = [
        (weight, part(SquaredDistance(), x, y))
        for weight, part in [
            (1.0, contrast),
            (0.5, Regularized(VICReg())),
            (1.0, Regularized(energy_weight=3.0)),
        ]
    ]
    expected = torch.stack([weight * part.value for weight, part in parts]).sum()
    torch.testing.assert_close(loss.value, expected)
    for a, b in zip(
        torch.autograd.grad(loss.value, x), torch.autograd.grad(expected, x), strict=True
    ):
        torch.testing.assert_close(a, b)
    assert set(loss.terms) == {"contrastive", "energy", "regularizer", "energy_2"}
    torch.testing.assert_close(torch.stack(list(loss.terms.values())).sum(), expected.detach())
    assert set(loss.metrics) == {"e_pos", "e_pos_2", "e_pos_3", "e_neg", "gap"}


def test_commit_moves_each_state_once_though_several_terms_hold_it():
    student = Counted()
    teacher, head, clock = EMA(student, 0.5), Recording(), Clock()
    replay = Replay(torch.zeros(20, 3).double(), Langevin(0.01), steps=2)
    contrast = Contrastive(difference, replay)
    contrast.clock = clock
    regularized = Regularized(VICReg())
    regularized.clock, regularized.teacher = clock, teacher
    energy = JointEmbedding(student, teacher, head)
    x = randn(5, 4)
    loss = (contrast + regularized + 0.5 * regularized)(energy, x, x, generator())
    loss.value.backward()
    assert (int(teacher.clock), clock.steps, int(replay.age.sum()), head.seen) == (0, 0, 0, [])
    loss.commit()
    assert int(teacher.clock) == 1
    assert clock.steps == 1
    assert int(replay.age.sum()) == 10
    ((hx, hy),) = head.seen
    assert not hx.requires_grad
    assert not hy.requires_grad
    torch.testing.assert_close(hx, student(x))


def test_a_sum_with_score_matching_gives_codes_to_one_and_points_to_the_other():
    encoder, head = Counted(), Recording()
    energy = JointEmbedding(encoder, head=head)
    x, y = randn(8, 4), randn(8, 4, seed=1)
    contrast, score = Contrastive(InfoNCE(), InBatch()), DenoisingScore(0.5)
    mixed = (2.0 * contrast + 0.3 * score)(energy, x, y, generator(3))
    expected = 2.0 * contrast(energy, x, y).value + 0.3 * score(energy, x, y, generator(3)).value
    torch.testing.assert_close(mixed.value, expected)
    assert set(mixed.terms) == {"contrastive", "denoising_score"}
    mixed.value.backward()
    head.seen.clear()
    mixed.commit()
    ((hx, hy),) = head.seen
    assert hx.shape == hy.shape == (8, 3)
    assert not hx.requires_grad


def test_an_energy_that_updates_sees_its_own_codes_once_without_an_encoder_too():
    head = Recording()
    x, y = randn(4, 3).requires_grad_(), randn(4, 3, seed=1)
    (Regularized() + Contrastive(difference, InBatch()))(head, x, y).commit()
    ((seen_x, seen_y),) = head.seen
    assert torch.equal(seen_x, x)
    assert torch.equal(seen_y, y)
    assert not seen_x.requires_grad


class Bare(Objective):
    """Forgets the terms and the metrics."""

    def forward(self, energy, x, y, rng):
        return energy(x, y).mean()


@pytest.mark.parametrize("wrap", [lambda o: o, lambda o: 2 * o, lambda o: o + Regularized()])
def test_an_objective_that_returns_a_tensor_is_told_to_return_a_loss(wrap):
    with pytest.raises(ConfigurationError, match=r"Bare\.forward returned is of type Tensor"):
        wrap(Bare())(SquaredDistance(), randn(4, 2), randn(4, 2))
