"""Nearest neighbors against all distances; copies are told, and fresh and blurred data are not."""

import pytest
import torch
from problems import randn

from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.metrics import memorization, nearest


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_neighbors_are_those_of_all_distances(chunk):
    points, data = randn(9, 2, 3), randn(20, 2, 3, seed=1)
    found = nearest(points, data, chunk=chunk)
    away, order = torch.cdist(points.flatten(1), data.flatten(1)).sort(1)
    assert torch.equal(found.which, order[:, 0])
    torch.testing.assert_close(found.distance, away[:, 0])
    torch.testing.assert_close(found.ratio, away[:, 0] / away[:, 1])


def test_copies_are_told_and_new_or_blurred_data_are_not():
    train, held, fresh = randn(3, 300, 8)
    half = torch.cat([fresh[:150], train[:150] + 0.01 * fresh[150:]])
    found = memorization(half, train, held)
    assert found.copies == pytest.approx(0.5, abs=0.02)
    # Half are certain to be nearer; of the rest, half: standard error 0.02.
    assert found.closer == pytest.approx(0.75, abs=0.1)
    assert found.held_copies < 0.02
    blurred = memorization(0.5 * fresh, train, held)
    assert blurred.closer > 0.8
    assert blurred.copies < 0.02
    assert torch.equal(blurred.held.which, nearest(held, train).which)


def test_a_twin_in_the_data_counts_as_a_copy():
    data = randn(5, 3)
    found = memorization(data[:1], torch.cat([data, data]), randn(4, 3, seed=1))
    assert found.copies == 1.0
    assert bool(found.samples.ratio.isnan().all())


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"\(4, 3\)"):
        nearest(randn(4, 3), randn(5, 2))
    with pytest.raises(NonFiniteError, match="data"):
        nearest(randn(4, 3), torch.full((5, 3), torch.nan).double())
