from itertools import permutations

import pytest
import torch
from objectives_support import Counted, Recording
from problems import randn
from torch import nn

from ebmlab.energies import Cosine, JointEmbedding, SquaredDistance
from ebmlab.losses import InfoNCE
from ebmlab.negatives import InBatch
from ebmlab.objectives import Contrastive, Regularized
from ebmlab.regularizers import VICReg


@pytest.mark.parametrize(
    "objective",
    [
        Contrastive(InfoNCE(0.5), InBatch()),
        Contrastive(InfoNCE(0.5), InBatch(both=True)),
        Regularized(),
        Regularized(VICReg(), weight=0.3, energy_weight=2.0),
    ],
)
@pytest.mark.parametrize("views", [2, 3])
def test_views_are_averaged_over_all_pairs_of_different_views(objective, views):
    encoder = nn.Linear(4, 3).double()
    energy = JointEmbedding(encoder, head=SquaredDistance())
    each = tuple(randn(6, 4, seed=i) for i in range(views))
    together = objective(energy, each, each)
    apart = [objective(energy, a, b) for a, b in permutations(each, 2)]
    torch.testing.assert_close(together.value, torch.stack([p.value for p in apart]).mean())
    for name, value in together.metrics.items():
        mean = torch.stack([part.metrics[name] for part in apart]).mean()
        torch.testing.assert_close(value, mean)


def test_fewer_target_views_meet_every_other_view():
    energy = JointEmbedding(nn.Identity(), head=SquaredDistance())
    a, b, c = (randn(6, 4, seed=i) for i in range(3))
    pairs = [(b, a), (c, a), (a, b), (c, b)]
    expected = torch.stack([energy(p, q).mean() for p, q in pairs]).mean()
    torch.testing.assert_close(Regularized()(energy, (a, b, c), (a, b)).value, expected)


@pytest.mark.parametrize("views", [1, 2, 3])
def test_every_image_is_encoded_once_however_many_terms_look_at_the_codes(views):
    online, teacher = Counted(), Counted()
    objective = Contrastive(InfoNCE(), InBatch()) + Regularized(VICReg()) + 0.1 * Regularized()
    each = tuple(randn(5, 4, seed=i) for i in range(views))
    x = each[0] if views == 1 else each
    loss = objective(JointEmbedding(online, teacher, Recording()), x, x)
    loss.value.backward()
    loss.commit()
    assert (online.calls, teacher.calls) == (views, views)
    alone = Counted()
    objective(JointEmbedding(alone, head=Cosine()), x, x)
    assert alone.calls == views


def test_commit_updates_the_head_with_the_codes_of_all_views():
    head = Recording()
    each = (randn(5, 4), randn(5, 4, seed=1))
    encoder = Counted()
    Regularized()(JointEmbedding(encoder, head=head), each, each).commit()
    ((hx, hy),) = head.seen
    assert hx.shape == hy.shape == (1, 2, 5, 3)
    # Each view of y with the other one of x.
    assert torch.equal(hx[0].flip(0), hy[0])
    torch.testing.assert_close(hy[0, 1], encoder.linear(each[1]))
