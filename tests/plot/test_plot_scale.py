import numpy as np
import pytest
import torch
from plot_support import bowl, drawn, filled, spiked, view

from ebmlab import Plane, landscape, plot
from ebmlab.errors import NonFiniteError
from ebmlab.plot.scale import heights, scale


def test_a_quadratic_bowl_is_shown_nearly_whole():
    field = heights(view(bowl, resolution=101))
    assert scale([field]).high > 0.9 * field.max()


def test_one_huge_value_does_not_wash_out_the_picture():
    ax = drawn(plot.contour(view(spiked)))
    low, high = filled(ax).get_clim()
    assert (low, high) == (0, pytest.approx(scale([heights(view(bowl))]).high, rel=0.05))
    assert filled(ax).extend == "max"
    linear = drawn(plot.contour(view(lambda y: y[:, 0])))
    assert filled(linear).extend == "neither"
    assert filled(linear).get_clim() == (0, pytest.approx(6))


def test_limits_are_kept_and_pointed_at_both_ends():
    ax = drawn(plot.contour(view(bowl), limits=(1.0, 2.0)))
    assert filled(ax).get_clim() == (1, 2)
    assert filled(ax).extend == "both"


def test_an_offset_of_the_energy_is_not_seen():
    plane = Plane.xy(2, torch.zeros(2).double())
    field = heights(landscape(lambda y: bowl(y) + 1e11, plane, resolution=20))
    np.testing.assert_allclose(field, heights(view(bowl, resolution=20)), atol=1e-4)


def test_a_collapsed_energy_is_flat_and_not_its_own_rounding_noise():
    noise = torch.randn(900, generator=torch.Generator().manual_seed(0))
    ax = drawn(plot.contour(view(lambda y: 3 + 1e-7 * noise)))
    assert filled(ax).get_clim() == (0, 1)
    assert (filled(ax).get_array() < 0.02).any()
    assert heights(view(lambda y: 3 + 1e-3 * noise)).max() > 1e-3


def test_walls_are_beyond_the_scale_and_undefined_energies_are_holes():
    def broken(y):
        return torch.where(y[:, 0] > 1, torch.nan, torch.where(y[:, 1] > 1, torch.inf, bowl(y)))

    ax = drawn(plot.contour(view(broken), arrows=True))
    assert filled(ax).extend == "max"
    assert np.isfinite(filled(ax).get_clim()).all()
    drawn(plot.surface(view(broken)))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_nothing_finite_is_refused(value):
    with pytest.raises(NonFiniteError):
        plot.contour(view(lambda y: torch.full((len(y),), value)))
