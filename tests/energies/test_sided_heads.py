import pytest
import torch
from torch import nn

from ebmlab.energies import (
    Cosine,
    NearestNeighbor,
    Predicted,
    SquaredDistance,
    Whitened,
    sided,
    view_groups,
    view_pairs,
)
from ebmlab.errors import DtypeError, ShapeError
from ebmlab.losses import InfoNCE
from ebmlab.negatives import InBatch
from ebmlab.networks import Memory, Projector
from ebmlab.objectives import Contrastive, Regularized


class Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside, self.calls = Projector(3, 5, 3).double(), 0

    def forward(self, h):
        self.calls += 1
        return self.inside(h)


def views(n=2, seed=0):
    return torch.randn(n, 8, 3, generator=torch.Generator().manual_seed(seed)).double()


HEADS = {
    "predicted": lambda: Predicted(Counted(), SquaredDistance()),
    "predicted, not stopped": lambda: Predicted(Counted(), stopped=False),
    "neighbors": lambda: NearestNeighbor(Counted(), Memory(16, 3).double()),
    "whitened": lambda: Whitened(SquaredDistance()),
    "whitened predictions": lambda: Predicted(Counted(), Whitened()),
}


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("siamese", [True, False])
@pytest.mark.parametrize("name", HEADS)
def test_what_is_done_once_a_view_gives_the_energies_and_gradients_of_the_pairs(name, siamese, n):
    head, x = HEADS[name](), views(n).requires_grad_()
    y = x if siamese else views(n, seed=1).requires_grad_()
    due = torch.stack([head(a, b) for a, b in view_pairs(head, x, y)]).mean()
    energy, a, b = sided(head, x, y)
    ((hx, hy),) = view_groups(energy, a, b)
    value = energy(hx, hy).mean()
    sources = [x] if siamese else [x, y]
    torch.testing.assert_close(value, due, rtol=1e-12, atol=1e-12)
    for found, right in zip(_slopes(value, sources), _slopes(due, sources), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-11, atol=1e-12)


def _slopes(value, sources):
    parameters = torch.autograd.grad(value, sources, allow_unused=True)
    return [p if p is not None else torch.zeros(()) for p in parameters]


@pytest.mark.parametrize(
    ("objective", "build"),
    [
        (Regularized(), lambda net: Predicted(net)),
        (Contrastive(InfoNCE(), InBatch()), lambda net: Predicted(net, stopped=False)),
        (
            Contrastive(InfoNCE(), InBatch(both=True)),
            lambda net: NearestNeighbor(net, Memory(16, 3).double()),
        ),
    ],
)
def test_objectives_run_the_predictor_once_a_view(objective, build):
    network, h = Counted(), views(3)
    objective(build(network), h, h)
    assert network.calls == 3


def test_views_of_one_encoder_are_whitened_once():
    _, a, b = sided(Whitened(), views(), views())
    assert a is not b
    h = views()
    _, a, b = sided(Whitened(), h, h)
    assert a is b


def test_a_head_without_sides_stays_as_it_is():
    head, h = Cosine(), views()
    assert sided(head, h, h) == (head, h, h)


def test_codes_of_another_precision_than_the_head_are_refused_before_the_predictor_runs():
    network = Counted()
    with pytest.raises(DtypeError, match=r"Predicted holds torch\.float64"):
        Regularized()(Predicted(network), views().float(), views().float())
    assert network.calls == 0


def test_one_view_alone_is_refused_by_objectives():
    with pytest.raises(ShapeError, match="one view only"):
        Regularized()(Cosine(), views(1), views(1))
