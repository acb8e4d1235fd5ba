"""Codes classified by a labeled support, and labels with clusters: values and typed errors."""

import pytest
import torch
from problems import randn
from torch import nn

from ebmlab.energies import SquaredDistance, SuperClasses, Supported
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError

SUPPORT, LABELS = randn(6, 5, seed=1), torch.arange(6) % 3


def supported(**options):
    return Supported(nn.Linear(5, 4), SquaredDistance(), classes=3, **options).double()


def test_log_probabilities_are_normalized_and_name_the_nearest_class():
    energy = Supported(nn.Identity(), SquaredDistance(), classes=3, views=1, temperature=0.01)
    _, log_p, _ = energy.embed(SUPPORT, (SUPPORT, SUPPORT, LABELS))
    torch.testing.assert_close(log_p.exp().sum(1), torch.ones(6).double())
    assert torch.equal(log_p.argmax(1), LABELS)
    torch.testing.assert_close(log_p.exp().amax(1), torch.full((6,), 0.9 + 0.1 / 3).double())


def test_views_that_are_one_tensor_are_encoded_once():
    calls = []

    class Counted(nn.Linear):
        def forward(self, y):
            calls.append(len(y))
            return super().forward(y)

    energy = Supported(Counted(5, 4), SquaredDistance(), classes=3).double()
    a, b, c = (randn(4, 5, seed=i) for i in range(2, 5))
    _, hx, hy = energy.embed((a, b, c), (a, b, SUPPORT, LABELS))
    assert calls == [6, 4, 4, 4]
    assert torch.equal(hx[:2], hy)
    _, hx, hy = energy.embed((a, b), (a, b, SUPPORT, LABELS))
    assert hx is hy


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (randn(2, 5), (randn(2, 5), randn(2, 5), SUPPORT, LABELS), "x holds 1 views, y 2"),
        ((randn(2, 5),) * 2, (randn(2, 5),) * 2, "2 tensors; expected 4"),
        ((randn(2, 5),) * 2, (randn(2, 5), randn(2, 5), SUPPORT, LABELS[:4]), "one label each"),
        ((randn(2, 5),) * 2, (randn(3, 5), randn(3, 5), SUPPORT, LABELS), "batches differ"),
    ],
)
def test_what_does_not_fit_raises(x, y, message):
    with pytest.raises(ShapeError, match=message):
        supported()(x, y)


def test_labels_are_whole_numbers():
    with pytest.raises(DtypeError, match="labels has dtype"):
        supported(views=1)(randn(2, 5), (randn(2, 5), SUPPORT, LABELS.double()))


@pytest.mark.parametrize("bad", [{"views": 0}, {"smoothing": 0.0}, {"temperature": 0.0}])
def test_numbers_out_of_range_raise(bad):
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        supported(**bad)


def test_labels_and_clusters_share_one_normalized_table():
    energy = SuperClasses(3, labels=2, clusters=2, parts=3).double()
    h, label = randn(4, 3), torch.tensor([0, 1, 1, 0])
    table = energy(h[:, None, None], torch.arange(2)[None, :, None], torch.eye(6).double())
    assert table.shape == (4, 2, 6)
    torch.testing.assert_close((-table).exp().sum((1, 2)), torch.ones(4).double())
    z = randn(4, 6).softmax(1)
    due = (table[torch.arange(4), label] * z).sum(1)
    torch.testing.assert_close(energy(h, label, z), due)
    with pytest.raises(DtypeError, match="y has dtype"):
        energy(h, label.double(), z)
    with pytest.raises(ConfigurationError, match="clusters is 0"):
        SuperClasses(3, 2, 0, 3)
