"""The M-step: what a free energy refits on commit, and couplings that landscapes refuse."""

import pytest
import torch
from problems import F64

from ebmlab import Energy, FreeEnergy, Method, Plane, landscape
from ebmlab.energies import Clusters, JointEmbedding
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Inference
from ebmlab.inference import Enumerate
from ebmlab.objectives import DenoisingScore, Regularized


class Means(Energy):
    """‖y - m_z‖² for z in {0, 1}, whose M-step is the weighted mean."""

    takes_x, takes_z = False, True

    def __init__(self):
        super().__init__()
        self.register_buffer("means", torch.tensor([[-1.0], [1.0]], dtype=F64))

    def forward(self, x, y, z=None):
        return (y - z @ self.means).square().sum(-1)

    def update(self, x, y, q=None):
        share = torch.einsum("kb,kbj->bj", q().weights, q().atoms)
        self.means.copy_(share.T @ y / share.sum(0)[:, None])


def test_commit_hands_the_posterior_to_the_m_step_once_also_through_sums_and_weights():
    y = torch.tensor([[-3.0], [-2.0], [4.0]], dtype=F64)
    for wrap in (lambda e: e, lambda e: 0.5 * e, lambda e: e + 0.0 * e):
        energy = Means()
        free = FreeEnergy(wrap(energy), Enumerate(torch.eye(2, dtype=F64)))
        loss = Method(free, Regularized())(None, y)
        before = energy.means.clone()
        assert torch.equal(before, torch.tensor([[-1.0], [1.0]], dtype=F64))
        loss.commit()
        assert torch.allclose(energy.means, torch.tensor([[-2.5], [4.0]], dtype=F64))


class Shared(Enumerate):
    """Couples the batch: every datum gets the z that suits their sum."""

    couples = True


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: 2 * e, lambda e: e / 3, lambda e: e + e])
def test_landscapes_refuse_energies_that_couple_a_batch(wrap):
    free = FreeEnergy(Means(), Shared(torch.eye(2, dtype=F64)))
    assert not FreeEnergy(Means(), Enumerate(torch.eye(2))).couples
    with pytest.raises(ConfigurationError, match="couples the rows"):
        landscape(wrap(free).given(), Plane.xy())


def test_an_inference_may_refit_itself():
    class Counting(Enumerate):
        def update(self, x, y, q):
            self.seen = q().weights.shape

    infer = Counting(torch.eye(2, dtype=F64))
    assert isinstance(infer, Inference)
    free = FreeEnergy(Means(), infer)
    free.update(None, torch.zeros(5, 1, dtype=F64))
    assert infer.seen == (1, 5)


class Counting(Enumerate):
    """Counts how often z is inferred, and the rows that commits hand over."""

    calls, rows = 0, 0

    def choose(self, *args):
        self.calls += 1
        return super().choose(*args)

    def update(self, x, y, q):
        self.rows += len(y)


class Still(Means):
    """Asks for no posterior."""

    def update(self, x, y, q=None):
        return


@pytest.mark.parametrize(
    ("energy", "inferred"), [(Still, 0), (Means, 1), (lambda: Means() + Means(), 1)]
)
def test_an_update_infers_z_only_if_someone_asks_and_a_step_once(energy, inferred):
    infer, y = Counting(torch.eye(2, dtype=F64)), torch.zeros(5, 1, dtype=F64)
    free = FreeEnergy(energy(), infer)
    free.update(None, y)
    assert (infer.calls, infer.rows) == (inferred, 5)
    Method(free, Regularized())(None, y).commit()
    assert (infer.calls, infer.rows) == (inferred + 1, 10)


@pytest.mark.parametrize("objective", [Regularized(), Regularized() + 0 * DenoisingScore(0.1)])
def test_centers_move_whatever_the_objective_and_wherever_they_lie(objective):
    y = torch.tensor([[-3.0], [-2.0], [4.0]], dtype=F64)
    centers = Clusters(torch.tensor([[-1.0], [1.0]], dtype=F64))
    pair = JointEmbedding(torch.nn.Identity(), head=centers)
    free = FreeEnergy(pair, Enumerate(torch.arange(2)))
    Method(free, objective)(y, y, torch.Generator()).commit()
    assert torch.allclose(centers.codebook.codes, torch.tensor([[-2.5], [4.0]], dtype=F64))
