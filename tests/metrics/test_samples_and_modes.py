"""Precision and recall by double loops, shares of modes by counting and by integrals."""

import math

import pytest
import torch
from problems import f64, generator, randn

from ebmlab.data import toys
from ebmlab.energies import GaussianMixture
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.metrics import mode_weights, precision_recall


def by_loops(samples, data, k):
    """The four numbers as their papers write them."""

    def reach(points):
        return [sorted(math.dist(p, q) for q in points)[k] for p in points]

    samples, data = samples.tolist(), data.tolist()
    near, far = reach(data), reach(samples)
    n, m = len(samples), len(data)
    inside = [[math.dist(s, d) <= r for s in samples] for d, r in zip(data, near, strict=True)]
    held = [any(math.dist(s, d) <= r for s, r in zip(samples, far, strict=True)) for d in data]
    precision = sum(any(row[j] for row in inside) for j in range(n)) / n
    density = sum(map(sum, inside)) / (k * n)
    return precision, sum(held) / m, density, sum(map(any, inside)) / m


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_precision_and_recall_are_those_of_double_loops(k, chunk):
    samples, data = 0.7 * randn(9, 3), randn(14, 3) + 0.5
    due = by_loops(samples, data, k)
    assert precision_recall(samples, data, k, chunk=chunk) == pytest.approx(due, abs=1e-12)
    # They are not symmetric: a swap of the two sets is seen.
    assert by_loops(data, samples, k) != pytest.approx(due, abs=0.02)


def test_a_missing_mode_costs_recall_and_a_wrong_one_precision():
    ring = toys.eight_gaussians(800, generator())
    right = ring[ring[:, 0] > -0.5]
    less = precision_recall(right, ring)
    more = precision_recall(ring, right)
    assert less.precision == 1
    assert less.recall == pytest.approx(len(right) / len(ring), abs=0.03)
    assert more.precision == pytest.approx(len(right) / len(ring), abs=0.03)
    assert more.recall == 1
    assert less.coverage < 0.75 < more.coverage


def test_samples_of_the_data_s_law_have_density_one_and_cover_it():
    first, second = randn(2, 1000, 2)
    found = precision_recall(first, second.float().double(), k=5)
    # The share 1 - 2⁻⁵ for as many samples; five standard errors of 1000: 0.03.
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.03)
    assert found.density == pytest.approx(1, abs=0.1)


def test_precision_and_recall_take_images_and_refuse_what_does_not_fit():
    images = torch.rand(20, 1, 4, 4, generator=generator())
    assert precision_recall(images, images, 2) == precision_recall(
        images.flatten(1), images.flatten(1), 2
    )
    with pytest.raises(ConfigurationError, match="5 samples and 9 data"):
        precision_recall(torch.zeros(5, 2), torch.zeros(9, 2), 5)
    with pytest.raises(ShapeError, match="differ in their event"):
        precision_recall(torch.zeros(9, 2), torch.zeros(9, 3))
    with pytest.raises(NonFiniteError, match="samples"):
        precision_recall(torch.full((9, 2), math.nan), torch.zeros(9, 2))


MODES = f64([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
WEIGHTS = f64([0.5, 0.2, 0.3])


def test_the_mass_of_modes_on_a_grid_is_that_of_the_mixture():
    axis = torch.linspace(-6, 6, 121, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    energy = GaussianMixture(MODES, 0.3, WEIGHTS)
    found = mode_weights(grid, MODES, energies=energy.potential(grid), expected=WEIGHTS)
    torch.testing.assert_close(found.weights, WEIGHTS, rtol=0, atol=1e-7)
    assert found.error < 1e-7
    # A shift of all energies changes nothing, their sign everything.
    raised = mode_weights(grid, MODES, energies=energy.potential(grid) + 1e4)
    torch.testing.assert_close(raised.weights, WEIGHTS, rtol=0, atol=1e-7)
    assert float(raised.error) == pytest.approx(0.5 - 1 / 3, abs=1e-7)
    turned = mode_weights(grid, MODES, energies=-energy.potential(grid), expected=WEIGHTS)
    assert turned.error > 0.1


def test_samples_are_counted_where_they_are_nearest():
    draws = GaussianMixture(MODES, 0.3, WEIGHTS).sample(4000, generator())
    found = mode_weights(draws, MODES, expected=WEIGHTS)
    # Five standard deviations of a share near ½: a false alarm in 6e-7 of the seeds.
    assert found.error < 5 * 0.5 / math.sqrt(4000)
    nearest = torch.cdist(draws, MODES).argmin(1).bincount() / 4000
    torch.testing.assert_close(found.weights, nearest.double())


def test_modes_refuse_what_does_not_fit():
    with pytest.raises(ShapeError, match="differ in dimension"):
        mode_weights(torch.zeros(4, 2), torch.zeros(3, 3))
    with pytest.raises(ShapeError, match=r"energies has shape \(3,\); expected \(4,\)"):
        mode_weights(torch.zeros(4, 2), torch.zeros(3, 2), energies=torch.zeros(3))
    with pytest.raises(ShapeError, match=r"expected has shape \(4,\); expected \(3,\)"):
        mode_weights(torch.zeros(4, 2), torch.zeros(3, 2), expected=torch.zeros(4))
    with pytest.raises(NonFiniteError, match="NaN or -∞"):
        mode_weights(torch.zeros(4, 2), torch.zeros(3, 2), energies=torch.full((4,), -math.inf))
