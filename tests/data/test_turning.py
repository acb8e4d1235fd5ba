"""Turning digits: exact truth, nothing lost by turning often, what is refused."""

import pytest
import torch
from problems import generator

from ebmlab import data
from ebmlab.data.worlds import TurningDigits
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError

SOME = data.digits()[0][:20]


def test_turns_by_right_angles_move_pixels_and_add_up_exactly():
    world = TurningDigits(SOME, (90.0, 180.0, 37.0))
    start = torch.stack([torch.arange(20.0), torch.zeros(20)], 1)
    torch.testing.assert_close(world.render(start), SOME)
    for k, quarters in ((0, 1), (1, 2)):
        seen = world.render(world.step(start, torch.full((20,), k)))
        torch.testing.assert_close(seen, SOME.rot90(quarters, (2, 3)), atol=1e-5, rtol=0)
    # 360 turns of 37° are whole rounds.
    round_trip = world.play(start, torch.full((20, 360), 2))[:, -1]
    assert torch.equal(round_trip, start)


def test_moves_say_what_happened_and_every_turn_occurs():
    world = TurningDigits(SOME, padding=2)
    x, y, action, state = world.moves(300, generator())
    assert x.shape == y.shape == (300, 1, 12, 12)
    assert world.codes == 3
    assert torch.equal(world.render(state), x)
    assert torch.equal(world.render(world.step(state, action)), y)
    assert set(action.tolist()) == {0, 1, 2}
    turned = (world.step(state, action) - state)[:, 1].remainder(360)
    assert torch.equal(turned, torch.tensor([275.0, 60.0, 175.0])[action])


def test_the_default_turns_lead_to_fifteen_angles_well_apart():
    world = TurningDigits(SOME)
    every = torch.cartesian_prod(*[torch.arange(3)] * 4)
    ends = world.play(torch.zeros(81, 2), every)[:, -1, 1]
    angles, counts = ends.unique(return_counts=True)
    assert len(angles) == 15
    assert torch.cat([angles, angles[:1] + 360]).diff().min() >= 15
    assert int(counts.square().sum()) == 639


def test_an_action_may_be_any_angle():
    world = TurningDigits(SOME, None)
    assert world.codes is None
    frames, actions, states = world.clips(50, 3, generator())
    assert frames.shape == (50, 3, 1, 8, 8)
    assert actions.shape == (50, 2, 1)
    assert -180 <= actions.min() < -150 < 150 < actions.max() < 180
    total = (states[:, 0, 1] + actions.sum((1, 2))).remainder(360)
    apart = (states[:, 2, 1] - total + 180).remainder(360) - 180
    assert apart.abs().max() < 1e-3


def test_what_is_no_set_of_images_and_no_turns_are_refused():
    for images in (SOME[0], SOME[:0]):
        with pytest.raises(ShapeError, match="images have shape"):
            TurningDigits(images)
    with pytest.raises(DtypeError, match="images"):
        TurningDigits((255 * SOME).byte())
    with pytest.raises(ConfigurationError, match="turns is empty"):
        TurningDigits(SOME, ())
    with pytest.raises(ConfigurationError, match="padding"):
        TurningDigits(SOME, padding=-1)
