import pytest
import torch
from torch import nn

from ebmlab.codes import Codes, different
from ebmlab.energies import (
    Cosine,
    JointEmbedding,
    NearestNeighbor,
    Predicted,
    SquaredDistance,
    Whitened,
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
    hx = tuple(x)
    codes = Codes(head, hx, hx if siamese else tuple(y), different(n, n))
    due = torch.stack([head(a, b) for a, b in codes.each()])
    done = codes.apart()
    assert len(done.groups()) == 1
    assert not isinstance(done.head, Predicted | NearestNeighbor | Whitened)
    value = done.energies()
    sources = [x] if siamese else [x, y]
    torch.testing.assert_close(value, due, rtol=1e-12, atol=1e-12)
    slopes = _slopes(value.mean(), sources), _slopes(due.mean(), sources)
    for found, right in zip(*slopes, strict=True):
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
    network, h = Counted(), tuple(views(3))
    objective(JointEmbedding(nn.Identity(), head=build(network)), h, h)
    assert network.calls == 3


def test_views_of_one_encoder_are_whitened_once():
    h, other = tuple(views()), tuple(views())
    done = Codes(Whitened(), h, other, different(2, 2)).apart()
    assert not {id(a) for a in done.x} & {id(b) for b in done.y}
    done = Codes(Whitened(), h, h, different(2, 2)).apart()
    assert {id(a) for a in done.x} == {id(b) for b in done.y}


@pytest.mark.parametrize("wrap", [lambda e: 3 * e, lambda e: e / 0.5])
def test_a_weight_goes_with_the_head_that_is_left(wrap):
    h = tuple(views())
    codes = Codes(wrap(Whitened(SquaredDistance())), h, h, different(2, 2))
    done = codes.apart()
    assert type(done.head.energy) is SquaredDistance
    torch.testing.assert_close(done.energies(), codes.energies())


def test_a_head_without_sides_stays_as_it_is():
    h = tuple(views())
    codes = Codes(Cosine(), h, h, different(2, 2))
    assert codes.apart() is codes


def test_codes_of_another_precision_than_the_head_are_refused_before_the_predictor_runs():
    network = Counted()
    with pytest.raises(DtypeError, match=r"Predicted holds torch\.float64"):
        Regularized()(Predicted(network), views().float(), views().float())
    assert network.calls == 0


def test_one_view_alone_is_refused_by_objectives():
    one = tuple(views(1))
    with pytest.raises(ShapeError, match="one view only"):
        Regularized()(JointEmbedding(nn.Identity()), one, one)
