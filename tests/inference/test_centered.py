"""The centered target: its formula, its center, its clock, and what each part is there for."""

import pytest
import torch
from problems import F64, randn

from ebmlab import FreeEnergy
from ebmlab.energies import Assignment, entropies
from ebmlab.errors import ConfigurationError
from ebmlab.inference import Centered, SoftNearest
from ebmlab.networks import Prototypes


def test_the_target_is_a_sharpened_softmax_around_the_center():
    infer, h = Centered(4, temperature=0.3).double(), randn(6, 4)
    infer.center.copy_(randn(4, seed=1))
    due = ((h - infer.center) / 0.3).softmax(1)
    torch.testing.assert_close(infer(Assignment(), h, h).atoms[0], due)


def test_the_center_is_a_moving_average_over_all_views():
    head = FreeEnergy(Assignment(), Centered(4, momentum=0.75).double())
    first, second = randn(2, 6, 4), randn(2, 6, 4, seed=1)
    head.update(None, first)
    head.update(None, second)
    due = 0.75 * 0.25 * first.mean((0, 1)) + 0.25 * second.mean((0, 1))
    torch.testing.assert_close(head.infer.center, due)


def test_the_temperature_may_follow_the_clock():
    infer = Centered(4, temperature=lambda clock: 0.1 * (1 + clock)).double()
    head, h = FreeEnergy(Assignment(), infer), randn(6, 4)
    for step in range(3):
        due = ((h - infer.center) / (0.1 * (1 + step))).softmax(1)
        torch.testing.assert_close(head.posterior(h, h).atoms[0], due)
        head.update(None, h)


def test_behind_linear_scores_the_center_is_the_mean_score_of_the_day():
    linear = torch.nn.Linear(3, 5, bias=False).double()
    infer, h = Centered(3, momentum=0.0).double(), randn(6, 3)
    head = FreeEnergy(Assignment(linear), infer)
    head.update(None, h)
    logits = linear(h).detach()
    torch.testing.assert_close(
        head.posterior(h, h).atoms[0], ((logits - logits.mean(0)) / 0.04).softmax(1)
    )


def test_without_the_center_a_shift_shared_by_all_takes_every_datum():
    h = randn(200, 4)
    h[:, 0] += 20.0
    infer = Centered(4, temperature=0.5, momentum=0.0).double()
    uncentered = entropies(infer(Assignment(), h, h).atoms[0])
    infer.update(None, h, pytest.fail)
    centered = entropies(infer(Assignment(), h, h).atoms[0])
    assert uncentered[1] < 0.01
    assert centered[1] > 1.3
    warm = Centered(4, temperature=100.0).double()
    assert min(entropies(warm(Assignment(), randn(200, 4), randn(200, 4)).atoms[0])) > 1.38


def test_soft_nearest_raises_probabilities_to_a_power():
    p = randn(6, 4).softmax(1)
    z = SoftNearest(0.25)(Assignment(), p.log(), p.log()).atoms[0]
    torch.testing.assert_close(z, p**4 / (p**4).sum(1, keepdim=True))


@pytest.mark.parametrize("bad", [{"temperature": 0.0}, {"momentum": 1.5}])
def test_numbers_out_of_range_raise(bad):
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        Centered(3, **bad)


def test_half_precision_is_computed_in_single():
    infer, h = Centered(64), 30 * randn(50, 64).float()
    z = infer(Assignment(), h.half(), h.half()).atoms[0]
    assert z.dtype == torch.float16
    due = infer(Assignment(), h.half().float(), h.half().float()).atoms[0]
    torch.testing.assert_close(z.float(), due, rtol=0, atol=1e-3)


def test_entropies_tell_the_three_states_of_assignments():
    even = torch.full((6, 4), 0.25, dtype=F64)
    one = torch.eye(4, dtype=F64)[[0] * 6]
    healthy = torch.eye(4, dtype=F64).repeat(2, 1)
    log_k = torch.tensor(4.0, dtype=F64).log()
    for z, due in ((even, (log_k, log_k)), (one, (0, 0)), (healthy, (0, log_k))):
        for got, expected in zip(entropies(z), due, strict=True):
            assert got.item() == pytest.approx(float(expected), abs=1e-12)


def test_a_cross_entropy_of_prototypes_is_that_of_torch():
    energy, x = Assignment(Prototypes(3, 5), 0.2).double(), randn(6, 3)
    z = randn(6, 5).softmax(1)
    due = torch.nn.functional.cross_entropy(energy.logits(x) / 0.2, z, reduction="none")
    torch.testing.assert_close(energy(x, x, z), due)
    half = energy.half()
    value = half(x.half(), x.half(), z.half())
    assert value.dtype == torch.float32
