import random

import numpy as np
import pytest
import torch
from faults_support import _noise, _normal, _rng, refused, uses
from torch import Tensor, nn

from ebmlab import FreeEnergy
from ebmlab.energies import MLP, JointEmbedding, Reconstruction, SquaredDistance
from ebmlab.errors import ConfigurationError
from ebmlab.inference import Amortized, Descent
from ebmlab.losses import difference
from ebmlab.negatives import FromData, Replay
from ebmlab.objectives import Contrastive, DenoisingScore, Regularized
from ebmlab.regularizers import VICReg
from ebmlab.samplers import MALA, Langevin
from ebmlab.teachers import EMA


def _global_states() -> tuple:
    return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002


@uses
def test_fault_31_no_use_touches_the_global_generators(use):
    energy, x, y = MLP(2, x_dim=2), _normal(4, 2), _normal(4, 2, seed=1)
    before = _global_states()
    use(energy, x, y)
    assert _global_states() == before
    torch.rand(1)
    assert _global_states() != before


def test_fault_31_neither_inference_nor_teachers_nor_commits_touch_the_global_generators():
    free = FreeEnergy(
        Reconstruction(nn.Linear(2, 2), takes_x=False), Amortized(_Gaussian(), samples=3), 1.0
    )
    student = nn.Linear(2, 3)
    replay = Replay(torch.zeros(9, 3), Langevin(0.01), 2, rebirth=0.5)
    objective = Contrastive(difference, replay) + Regularized(VICReg())
    energy = JointEmbedding(student, EMA(student), SquaredDistance())
    before = _global_states()
    free(None, _normal(4, 2), rng=_rng())
    FreeEnergy(free.energy, Descent(_normal(2, 2), steps=2))(None, _normal(4, 2))
    objective(energy, _normal(4, 2), _normal(4, 2), _rng()).commit()
    assert _global_states() == before


class _Gaussian(nn.Module):
    """An encoder that returns (mean, log_std)."""

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y, torch.zeros_like(y)


@pytest.mark.parametrize(
    ("who", "call"),
    [
        ("Noise", lambda rng: _noise()(MLP(2), None, torch.zeros(4, 2), rng)),
        ("FromData", lambda rng: FromData(MALA(0.1), 1)(MLP(2), None, torch.zeros(4, 2), rng)),
        (
            "Replay",
            lambda rng: Replay(torch.zeros(9, 2), MALA(0.1), 1)(
                MLP(2), None, torch.zeros(4, 2), rng
            ),
        ),
        ("DenoisingScore", lambda rng: DenoisingScore(0.1)(MLP(2), None, torch.zeros(4, 2), rng)),
        (
            "Amortized",
            lambda rng: Amortized(_Gaussian())(
                Reconstruction(nn.Identity(), takes_x=False), None, torch.zeros(4, 2), 1.0, rng=rng
            ),
        ),
    ],
)
def test_fault_31_what_draws_asks_for_a_generator_and_obeys_it(who, call):
    refused(ConfigurationError, lambda: call(None), who, "rng=torch.Generator")
    call(_rng())
