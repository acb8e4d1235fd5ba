import itertools

import pytest
import torch
from fit_support import line, pairs

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.training import fit
from ebmlab.training.batches import Draws, source_of


def batches(data, size, rng):
    source = source_of(data, size)
    for step in itertools.count(1):
        yield source.batch(step, Draws(rng, rng))


def test_an_epoch_visits_every_row_once_and_the_next_in_another_order():
    rng = torch.Generator().manual_seed(0)
    source = batches((None, torch.arange(24)), 4, rng)
    epochs = [torch.cat([next(source)[1] for _ in range(6)]) for _ in range(2)]
    for epoch in epochs:
        assert torch.equal(epoch.sort().values, torch.arange(24))
    assert not torch.equal(*epochs)


@pytest.mark.parametrize(("n", "size", "due"), [(10, 4, [4, 4]), (3, 4, [3]), (4, 4, [4])])
def test_a_short_batch_is_dropped_unless_it_is_the_only_one(n, size, due):
    source = batches((None, torch.arange(n)), size, torch.Generator())
    for _ in range(3):
        epoch = [next(source)[1] for _ in due]
        assert [len(batch) for batch in epoch] == due
        assert len(torch.cat(epoch).unique()) == sum(due)


def test_a_batch_of_all_rows_is_the_data_themselves():
    rows = torch.arange(6.0)
    whole, part = (source_of(((rows, rows + 1), rows), size) for size in (6, 5))
    draws = Draws(*[torch.Generator().manual_seed(0)] * 2)
    for _ in range(2):
        x, y = whole.batch(1, draws)
        assert x[0] is rows
        assert y is rows
        assert torch.equal(x[1], rows + 1)
    assert part.batch(1, draws)[1].data_ptr() != rows.data_ptr()


def test_rows_of_all_views_stay_together():
    rows = torch.arange(12)
    x, y = next(batches(((rows, rows[:, None] * 2.0), [rows * 3]), 5, torch.Generator()))
    assert torch.equal(x[1][:, 0], x[0] * 2.0)
    assert isinstance(y, tuple)
    assert torch.equal(y[0], x[0] * 3)


def test_an_iterable_is_gone_through_again_and_again():
    given = [(None, torch.tensor([float(i)])) for i in range(3)]
    source = batches(given, 99, torch.Generator())
    assert [float(next(source)[1]) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_data_loaders_and_their_lists_are_taken():
    views = torch.arange(6.0)
    loader = torch.utils.data.DataLoader([((v, v), v) for v in views], batch_size=3)
    x, y = next(batches(loader, 99, torch.Generator()))
    assert isinstance(x, tuple)
    assert torch.equal(x[0], y)


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        ((torch.zeros(3, 1), torch.zeros(4, 1)), ShapeError, r"x \(3, 1\), y \(4, 1\)"),
        ((torch.zeros(0, 1), torch.zeros(0, 1)), ShapeError, "at least 1"),
        ((None, torch.tensor(1.0)), ShapeError, r"y \(\)"),
        ((torch.zeros(3, 1),), ConfigurationError, "tuple of 1"),
        ((torch.zeros(3, 1), None), ConfigurationError, "y holds a NoneType"),
        (([1.0], torch.zeros(1, 1)), ConfigurationError, "x holds a float"),
        (torch.zeros(3, 1), ConfigurationError, "a batch is a Tensor"),
        ([], ConfigurationError, "data is empty"),
        (iter([pairs(4)]), ConfigurationError, "ended after 1 batches"),
        (3, ConfigurationError, "data is a int"),
        (lambda size, rng: torch.zeros(size), ConfigurationError, "a batch is a Tensor"),
    ],
)
def test_data_of_another_form_is_refused(data, error, match):
    with pytest.raises(error, match=match):
        fit(line(), data, steps=2)
