"""Fault 21: training that collapses warns once and may stop; training that does not is silent."""

import warnings

import pytest
import torch
from problems import generator
from torch import nn

from ebmlab import FreeEnergy, Method, fit, methods
from ebmlab.energies import Assignment, JointEmbedding
from ebmlab.errors import CollapseError
from ebmlab.free_energy import Inference, Posterior
from ebmlab.metrics import Collapse, CollapseWarning
from ebmlab.objectives import Regularized
from ebmlab.training import Recording

X = torch.randn(256, 6, generator=generator())


def draw(size, rng):
    x = X[torch.randint(len(X), (size,), generator=rng)]
    views = tuple(x + 0.1 * torch.randn(x.shape, generator=rng) for _ in range(2))
    return views, views


def encoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))


def trained(method, watch, steps=300):
    """The warnings of a run."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollapseWarning)
        run = fit(
            method,
            draw,
            steps=steps,
            batch_size=64,
            lr=0.02,
            rng=generator(),
            record=Recording(watch=watch),
        )
    return run, [str(warning.message) for warning in caught]


def test_fault_21_the_energy_loss_alone_collapses_and_is_told_once():
    run, told = trained(methods.joint_embedding(encoder()), Collapse())
    assert len(told) == 1
    assert run.history["code_spread"][-1] < 0.02
    assert run.history["code_std"][-1] < 0.02 * run.history["code_std"][0]


def test_fault_21_variance_keeps_codes_apart_and_nothing_is_told():
    run, told = trained(methods.vicreg(encoder(), 4), Collapse(), steps=150)
    assert told == []
    assert run.history["effective_rank"][-1] > 2
    assert run.history["code_std"][-1] > 0.5


def test_fault_21_with_stop_training_ends():
    with pytest.raises(CollapseError, match="add negatives"):
        trained(methods.joint_embedding(encoder()), Collapse(stop=True))


class Uniform(Inference):
    """Assigns everything to everything alike, or each datum to its largest score."""

    bound = "upper"

    def __init__(self, sharp):
        super().__init__()
        self.sharp = sharp

    def choose(self, energy, x, y, temperature, rng):
        logits = energy.logits(y).detach()
        share = (self.sharp * logits).softmax(-1)[None]
        zero = torch.zeros_like(logits[..., 0])
        return Posterior(share, torch.ones_like(share[..., 0]), zero, zero)


@pytest.mark.parametrize(("sharp", "stuck"), [(0.0, True), (50.0, False)])
def test_fault_21_a_loss_stuck_at_ln_k_is_told_and_sharp_assignments_are_not(sharp, stuck):
    f = nn.Sequential(encoder(), nn.BatchNorm1d(4, affine=False))
    head = FreeEnergy(Assignment(nn.Linear(4, 12), temperature=0.5), Uniform(sharp))
    method = Method(JointEmbedding(f, f, head), Regularized(), encoder=f)
    run, told = trained(method, Collapse(), steps=200)
    assert [("ln 12 = 2.485" in text) for text in told] == [True] * stuck
    assert (run.history["stuck"][-1] == 1.0) == stuck
