import pytest
import torch
from problems import F64, f64, generator
from torch import Tensor

from ebmlab.data.worlds import BouncingBalls, MovingDigits, TwoRooms, World, stacked
from ebmlab.errors import ConfigurationError, ShapeError

PICTURES = torch.rand(5, 1, 6, 8, generator=generator())
ROLLS = [(0, -2), (0, 2), (-2, 0), (2, 0), (0, 0)]


@pytest.mark.parametrize("action", range(5))
def test_a_discrete_move_on_the_open_canvas_is_a_roll(action):
    world = MovingDigits(PICTURES, 12)
    state = world.start(50, generator())
    moved = world.step(state, torch.full((50,), action))
    expected = world.render(state).roll(ROLLS[action], dims=(2, 3))
    assert torch.equal(world.render(moved), expected)
    # All of an image is somewhere on the canvas.
    kept = PICTURES[state[:, 0].long()].sum((1, 2, 3))
    torch.testing.assert_close(world.render(moved).sum((1, 2, 3)), kept)


def test_a_shift_between_pixels_is_the_mean_of_those_on_both_sides():
    world = MovingDigits(PICTURES, 12, 2.0, continuous=True)
    state = torch.tensor([[1.0, 3.0, 4.0]])
    there = world.render(world.step(state, torch.tensor([[1.25, -0.5]])))
    whole = world.render(state)
    rows = 0.75 * whole.roll(1, 2) + 0.25 * whole.roll(2, 2)
    torch.testing.assert_close(there, 0.5 * rows + 0.5 * rows.roll(-1, 3))
    film = world.clips(20, 9, generator())
    assert film.actions.shape == (20, 8, 2)
    assert 1.8 < float(film.actions.abs().max()) <= 2
    steps = film.states.diff(dim=1)[..., 1:] - film.actions
    assert float((steps - 12 * (steps / 12).round()).abs().max()) < 1e-5


def test_walls_stop_a_digit_where_the_canvas_ends_and_nothing_is_cut_off():
    world = MovingDigits(PICTURES, 12, walls=True)
    film = world.clips(200, 12, generator())
    places = film.states[..., 1:]
    assert places.amin((0, 1)).tolist() == [0, 0]
    assert places.amax((0, 1)).tolist() == [6, 4]
    kept = PICTURES[film.states[:, 0, 0].long()].sum((1, 2, 3))
    torch.testing.assert_close(film.frames.sum((2, 3, 4)), kept[:, None].expand(-1, 12))
    state = torch.tensor([[0.0, 1.0, 4.0]])
    assert world.step(state, torch.tensor([2])).tolist() == [[0, 0, 4]]
    assert world.step(state, torch.tensor([1])).tolist() == [[0, 1, 4]]


def reversed_balls(state: Tensor) -> Tensor:
    places, velocities = state.chunk(2, 1)
    return torch.cat([places, -velocities], 1)


@pytest.mark.parametrize("balls", [1, 2, 3])
def test_balls_keep_their_energy_stay_inside_apart_and_run_backwards(balls):
    world = BouncingBalls(balls)
    start, still = world.start(40, generator()).double(), torch.zeros(40, dtype=torch.long)
    states = [start]
    for _ in range(12):
        states.append(world.step(states[-1], still))
    film = torch.stack(states)
    places, velocities = (half.unflatten(2, (balls, 2)) for half in film.chunk(2, 2))
    energy = velocities.square().sum((2, 3))
    torch.testing.assert_close(energy, energy[:1].expand_as(energy), rtol=1e-12, atol=0)
    assert places.min() >= world.low
    assert places.max() <= world.high
    for i, j in world.pairs:
        gap = (places[:, :, i] - places[:, :, j]).norm(dim=-1)
        assert float(gap.min()) > 2 * world.radius - 1e-9
    assert bool((velocities[1:] != velocities[:-1]).any())
    back = reversed_balls(states[-1])
    for _ in range(12):
        back = world.step(back, still)
    torch.testing.assert_close(reversed_balls(back), start, atol=1e-6, rtol=0)


def test_a_ball_between_walls_goes_to_and_fro_as_a_triangle_wave():
    world = BouncingBalls(size=20)
    state = f64([[5.0, 9.0, 3.0, -4.0]])
    length = world.high - world.low
    for t in range(1, 30):
        state = world.step(state, torch.tensor([0]))
        for axis, (first, rate) in enumerate([(5.0, 3.0), (9.0, -4.0)]):
            phase = (first + rate * t - world.low) % (2 * length)
            there = world.low + min(phase, 2 * length - phase)
            assert float(state[0, axis]) == pytest.approx(there)


def test_balls_that_meet_keep_their_momentum_and_head_on_they_swap_velocities():
    world = BouncingBalls(2, size=1000)
    places = f64([[500.0, 500.0, 500.0, 505.0]]).expand(50, 4)
    slow = torch.randn(50, 4, generator=generator(), dtype=F64)
    after = world.step(torch.cat([places, slow], 1), torch.zeros(50, dtype=torch.long))[:, 4:]
    momentum = slow.unflatten(1, (2, 2)).sum(1)
    torch.testing.assert_close(after.unflatten(1, (2, 2)).sum(1), momentum)
    met = (after - slow).abs().sum(1) > 0
    assert 3 < int(met.sum()) < 47
    head_on = torch.cat([places[:1], f64([[0.0, 3.0, 0.0, -1.0]])], 1)
    end = world.step(head_on, torch.tensor([0]))[0]
    assert end[4:].tolist() == [0, -1, 0, 3]
    assert end[:4].tolist() == [500, 500, 500, 507]


def test_a_kick_turns_the_first_ball_by_a_right_angle():
    world = BouncingBalls(2, size=1000)
    state = f64([[300.0, 300.0, 600.0, 600.0, 1.0, 2.0, 3.0, 4.0]])
    assert world.step(state, torch.tensor([1])).tolist() == [[298, 301, 603, 604, -2, 1, 3, 4]]


def test_one_frame_tells_no_velocity_and_two_do():
    world = BouncingBalls()
    state = torch.tensor([[7.0, 7.0, 1.0, 0.0], [7.0, 7.0, 0.0, 1.0]])
    film = torch.stack([state, world.step(state, torch.zeros(2, dtype=torch.long))], 1)
    frames = world.render(film.flatten(0, 1)).unflatten(0, (2, 2))
    assert torch.equal(frames[0, 0], frames[1, 0])
    pairs = stacked(frames, 2)
    assert pairs.shape == (2, 1, 2, 16, 16)
    assert float((pairs[0] - pairs[1]).abs().max()) > 0.5


@pytest.mark.parametrize("continuous", [False, True])
def test_nothing_crosses_the_wall_but_through_the_door(continuous):
    world = TwoRooms(continuous=continuous)
    film = world.clips(300, 60, generator())
    row, column = film.states.unbind(-1)
    assert [float(v) for v in (row.min(), row.max())] == [2, 14]
    assert [float(v) for v in (column.min(), column.max())] == [2, 14]
    in_wall = (column - 8).abs() < 2
    assert bool(in_wall.any())
    assert float((row - 8)[in_wall].abs().max()) <= 2
    crossed = (column[:, 1:] > 8) != (column[:, :-1] > 8)
    assert int(crossed.sum()) > 20
    # The way is up or down first, so that the wall is crossed in the row where a move ends.
    assert float((row[:, 1:] - 8)[crossed].abs().max()) <= 2
    if not continuous:
        assert bool((film.states % 2 == 0).all())
        assert len(film.states.flatten(0, 1).unique(dim=0)) == 7 * 6 + 3


def test_rooms_are_seen_as_a_white_dot_between_gray_walls():
    world = TwoRooms()
    seen = world.render(torch.tensor([[4.0, 12.0]]))[0, 0]
    assert seen[4, 12] == 1
    assert (seen == 1).sum() == 5
    assert (seen[:, 8] == 0.5).sum() == 17 - 7
    assert bool((seen[[0, -1]] == 0.5).all() & (seen[:, [0, -1]] == 0.5).all())


def worlds() -> list[World]:
    return [
        MovingDigits(PICTURES, 12),
        MovingDigits(PICTURES, 12, continuous=True, walls=True),
        BouncingBalls(2),
        TwoRooms(),
        TwoRooms(continuous=True),
    ]


@pytest.mark.parametrize("world", worlds())
def test_films_are_what_steps_and_pictures_say_and_pair_their_moments(world):
    film = world.clips(4, 5, generator())
    again = world.play(film.states[:, 0], film.actions)
    assert torch.equal(again, film.states)
    assert torch.equal(world.render(film.states[:, 3]), film.frames[:, 3])
    assert torch.equal(world.clips(4, 5, generator()).frames, film.frames)
    x, y = film.pairs()
    assert torch.equal(x[:, 1:], y[:, :-1])
    three = film.stacked(3)
    assert torch.equal(three.frames[:, 1, -1], film.frames[:, 3, -1])
    step = world.step(three.states[:, 0], three.actions[:, 0])
    assert torch.equal(step, three.states[:, 1])


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ShapeError, "fit", lambda: MovingDigits(PICTURES, 7)),
        (ConfigurationError, "stride", lambda: MovingDigits(PICTURES, 12, 1.5)),
        (ConfigurationError, "stride", lambda: MovingDigits(PICTURES, 12, 0, continuous=True)),
        (ConfigurationError, "at most 3", lambda: BouncingBalls(4, 64)),
        (ConfigurationError, "at most 3", lambda: BouncingBalls(3, 12)),
        (ConfigurationError, "speed", lambda: BouncingBalls(speed=0.0)),
        (ConfigurationError, "multiple of 4", lambda: TwoRooms(15)),
        (ConfigurationError, "stride", lambda: TwoRooms(17, 1)),
        (ConfigurationError, "size", lambda: TwoRooms(5)),
        (ShapeError, "one moment", lambda: TwoRooms().clips(2, 1, generator()).pairs()),
        (ShapeError, "length >= 3", lambda: TwoRooms().clips(2, 2, generator()).stacked(3)),
    ],
)
def test_worlds_refuse_what_they_cannot_be(error, match, call):
    with pytest.raises(error, match=match):
        call()
