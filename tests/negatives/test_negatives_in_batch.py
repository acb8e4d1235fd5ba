import pytest
import torch
from problems import randn
from torch import Tensor, nn

from ebmlab.energies import MLP, Cosine, JointEmbedding, SquaredDistance
from ebmlab.errors import ShapeError
from ebmlab.losses import InfoNCE
from ebmlab.negatives import InBatch
from ebmlab.objectives import Contrastive


@pytest.mark.parametrize("b", [2, 3, 7])
@pytest.mark.parametrize("energy", [SquaredDistance(), MLP(3, x_dim=3).double()])
def test_in_batch_energies_are_the_off_diagonal_pairs(energy, b):
    x, y = randn(b, 3), randn(b, 3, seed=1)

    def others(i: int, *of: Tensor) -> Tensor:
        return torch.cat(
            [energy(x[i : i + 1], h[j : j + 1]) for j in range(b) if j != i for h in of]
        )

    expected = torch.stack([others(i, y) for i in range(b)])
    torch.testing.assert_close(InBatch()(energy, x, y).energies, expected)
    also_x = torch.stack([others(i, y, x) for i in range(b)])
    torch.testing.assert_close(InBatch(both=True)(energy, x, y).energies, also_x)


def _nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """SimCLR's loss: each of 2B codes finds its partner among the 2B - 1 others."""
    codes = [h / h.norm() for h in (*first, *second)]
    b, total = len(first), 2 * len(first)
    losses = []
    for i in range(total):
        logits = [codes[i] @ codes[j] / temperature for j in range(total) if j != i]
        partner = (i + b) % total
        losses.append(
            torch.logsumexp(torch.stack(logits), 0) - codes[i] @ codes[partner] / temperature
        )
    return torch.stack(losses).mean()


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("b", [2, 5, 8])
def test_two_views_with_both_are_simclrs_nt_xent(b, temperature):
    encoder = nn.Linear(4, 3).double()
    v1, v2 = randn(b, 4).requires_grad_(), randn(b, 4, seed=1).requires_grad_()
    objective = Contrastive(InfoNCE(temperature), InBatch(both=True))
    ours = objective(JointEmbedding(encoder, head=Cosine()), (v1, v2), (v1, v2)).value
    theirs = _nt_xent(encoder(v1), encoder(v2), temperature)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    leaves = [v1, v2, *encoder.parameters()]
    for a, b_ in zip(
        torch.autograd.grad(ours, leaves), torch.autograd.grad(theirs, leaves), strict=True
    ):
        torch.testing.assert_close(a, b_, rtol=0, atol=1e-10)


@pytest.mark.parametrize("both", [False, True])
def test_a_batch_of_one_has_no_negatives_in_it(both):
    with pytest.raises(ShapeError, match=r"\(1, 3\).*batch of one"):
        InBatch(both)(SquaredDistance(), torch.zeros(1, 3), torch.zeros(1, 3))


def test_in_batch_does_not_stretch_one_x_over_many_y():
    with pytest.raises(ShapeError, match=r"x.*\(1, 2\).*y.*\(4, 2\)"):
        InBatch()(SquaredDistance(), torch.zeros(1, 2), torch.zeros(4, 2))
