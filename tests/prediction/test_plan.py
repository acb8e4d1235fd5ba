import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from problems import F64, f64, generator, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy, methods
from ebmlab.data.worlds import TurningDigits, TwoRooms, World
from ebmlab.energies import JointEmbedding, Reconstruction, SquaredDistance
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import LBFGS, Circle, Descent, Enumerate, OneHot, Vector
from ebmlab.networks import MLP, Choice
from ebmlab.networks.manifolds import Ellipse, Horn
from ebmlab.objectives import Regularized
from ebmlab.prediction import CEM, MPPI, Exhaustive, Gradient, inverse, plan, rollout
from ebmlab.prediction._planners.laws import Normal
from ebmlab.protocols import Method

N, T = 4, 3
RHO = 0.1


class Linear(nn.Module):
    """x' = A x + B z."""

    def __init__(self) -> None:
        super().__init__()
        self.a = 0.7 * torch.eye(3, dtype=F64) + 0.1 * randn(3, 3, seed=1)
        self.b = randn(3, 2, seed=2)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return x @ self.a.T + z @ self.b.T


def codes_of(dim: int = 2) -> Method:
    """A joint embedding whose encoder is not the identity, and whose predictor is nonlinear."""
    f, p = MLP(5, dim, (8,)).double(), Choice(MLP(dim, 3 * dim, (8,)), codes=3).double()
    infer = Enumerate(torch.eye(3, dtype=F64))
    return methods.jepa(f, dim, 3, predictor=p, infer=infer)


def test_a_rollout_is_the_predictor_again_and_again_on_codes_or_on_what_is_seen():
    method, x, z = codes_of(), randn(N, 5), torch.eye(3, dtype=F64)[None, [0, 2, 1]]
    z = z.expand(N, 3, 3).clone().requires_grad_()
    head = method.energy.embed(x, x)[0].energy
    states = [method.encode(x)]
    for t in range(3):
        states.append(head.decoder(states[-1], z[:, t]))
    found = rollout(method, x, z)
    torch.testing.assert_close(found, torch.stack(states, 1))
    slopes = torch.autograd.grad(found.sum(), [z, *method.parameters()])
    assert all(bool(slope.abs().sum() > 0) for slope in slopes)
    seen, linear = randn(N, 3), Linear()
    plain = rollout(FreeEnergy(Reconstruction(linear), LBFGS()), seen, randn(N, 2, 2, seed=5))
    once = linear(seen, randn(N, 2, 2, seed=5)[:, 0])
    torch.testing.assert_close(plain[:, 2], linear(once, randn(N, 2, 2, seed=5)[:, 1]))
    # An encoder before a decoder of y itself: every state is seen, and encoded again.
    mixed = JointEmbedding(linear_of(3), nn.Identity(), Reconstruction(linear))
    torch.testing.assert_close(
        rollout(mixed, seen, randn(N, 2, 2, seed=5))[:, 1],
        linear(mixed.online(seen), randn(N, 2, 2, seed=5)[:, 0]),
    )


def linear_of(dim: int) -> nn.Module:
    return nn.Linear(dim, dim).double()


def test_the_exhaustive_plan_is_the_lowest_of_all_sequences_tried_by_hand():
    method, x, goal = codes_of(), randn(N, 5), randn(N, 5, seed=3)
    found = plan(method, x, goal, Exhaustive(), T)
    eye, hg = torch.eye(3, dtype=F64), method.encode(goal).detach()
    for i in range(N):
        energies = {}
        for numbers in itertools.product(range(3), repeat=T):
            end = rollout(method, x[i : i + 1], eye[list(numbers)][None])[0, -1].detach()
            energies[numbers] = float((end - hg[i]).square().sum())
        best = min(energies, key=energies.__getitem__)
        assert tuple(found.z[i].argmax(-1).tolist()) == best
        assert float(found.energies[i]) == pytest.approx(energies[best])
    torch.testing.assert_close(found.reached, rollout(method, x, found.z)[:, -1].detach())
    assert not found.z.requires_grad
    by_shares = plan(method, x, goal, CEM(), T, rng=generator())
    assert torch.equal(by_shares.z, found.z)
    by_paths = plan(method, x, goal, MPPI(temperature=0.05), T, rng=generator())
    assert torch.equal(by_paths.z, found.z)


@dataclass
class Quadratic:
    """E = ‖A x + B z - y‖² + ρ ‖z‖², whose plans are those of least squares."""

    x: Tensor
    goal: Tensor

    def energy(self, sign: float = 1.0) -> FreeEnergy:
        prior = FunctionEnergy(lambda y: RHO * y.square().sum(-1), ("y",))
        distance = SquaredDistance() if sign > 0 else -1.0 * SquaredDistance()
        return FreeEnergy(Reconstruction(Linear(), distance, prior), LBFGS())

    def exact(self) -> tuple[Tensor, Tensor]:
        a, b = Linear().a, Linear().b
        power = torch.linalg.matrix_power
        c = torch.cat([power(a, T - 1 - t) @ b for t in range(T)], 1)
        left = self.goal - self.x @ power(a, T).T
        z = left @ c @ torch.linalg.inv(c.T @ c + RHO * torch.eye(2 * T, dtype=F64))
        energy = (left - z @ c.T).square().sum(-1) + RHO * z.square().sum(-1)
        return z.unflatten(1, (T, 2)), energy


PLANNERS = [
    (Gradient(LBFGS()), 1e-6),
    (Gradient(Descent(steps=60), starts=1), 1e-2),
    (CEM(samples=400, elites=40, rounds=20), 1e-3),
    (MPPI(samples=500, rounds=40, std=0.2, keep=0.0, temperature=0.05), 0.05),
]


@pytest.mark.parametrize(("planner", "tolerance"), PLANNERS)
def test_plans_of_a_linear_world_are_those_of_least_squares(planner, tolerance):
    case = Quadratic(randn(N, 3), 2 * randn(N, 3, seed=3))
    z, energy = case.exact()
    found = plan(case.energy(), case.x, case.goal, planner, T, rng=generator(), prior=Vector(2))
    again = plan(case.energy(), case.x, case.goal, planner, T, rng=generator(), prior=Vector(2))
    assert torch.equal(found.z, again.z)
    assert bool((found.energies >= energy - 1e-9).all())
    assert float((found.energies / energy - 1).max()) < tolerance
    torch.testing.assert_close(found.z, z, atol=5 * tolerance**0.5, rtol=0)


def test_a_planner_of_the_wrong_sign_ends_far_from_the_goal():
    case = Quadratic(randn(N, 3), 2 * randn(N, 3, seed=3))
    wrong = plan(
        case.energy(-1.0), case.x, case.goal, PLANNERS[2][0], T, rng=generator(), prior=Vector(2)
    )
    assert bool(((wrong.z - case.exact()[0]).flatten(1).norm(dim=1) > 1).all())


def test_one_round_of_path_integrals_is_the_posterior_mean_of_a_quadratic():
    """Under N(0, s²) and exp(-(z - g)² / λ) the mean is g s² / (s² + λ/2); 5 errors of a draw."""
    g, s, lam, draws = 1.5, 0.8, 0.7, 100_000
    law = Normal(Vector(1), f64([[[0.0]]]), f64([[[s]]]))
    z = law.draw(draws, generator())
    weights = MPPI(temperature=lam).weights((z - g).square().sum((-1, -2)))
    mean = float(law.fitted(z, weights, 0.0, narrow=False).mean)
    error = float((weights.square()[..., None, None] * (z - mean).square()).sum().sqrt())
    assert abs(mean - g * s**2 / (s**2 + lam / 2)) < 5 * error < 0.03


ANGLES = f64([0.05, 2.0, math.pi, 6.2])


@pytest.mark.parametrize(
    "planner",
    [
        Gradient(LBFGS()),
        Gradient(Descent(steps=50, space=Circle()), starts=3),
        CEM(std=2.0),
        MPPI(std=0.3, rounds=30, temperature=0.01),
    ],
)
@pytest.mark.parametrize("x", [None, f64([[0.3]] * 4)])
def test_the_angle_of_an_ellipse_and_of_a_horn_is_planned_too(planner, x):
    ellipse, radii = Ellipse((2.0, 1.5)).double(), nn.Linear(1, 2).double()
    radii.weight.data, radii.bias.data = f64([[1.0], [0.5]]), f64([1.0, 1.0])
    free = FreeEnergy(
        Reconstruction(ellipse, takes_x=False) if x is None else Reconstruction(Horn(radii)),
        Descent(Circle().atoms(4, F64), space=Circle()),
    )
    decode = free.decoding()
    goal = decode(x, ANGLES[:, None]).detach()
    found = plan(free, x, goal, planner, 1, rng=generator(), prior=Circle())
    torch.testing.assert_close(found.reached, goal, atol=0.05, rtol=0)
    off = Circle().toward(found.z[:, 0], ANGLES[:, None])
    assert float(off.abs().max()) < 0.05


def test_atoms_of_an_angle_are_planned_by_trying_them():
    method = methods.latent_prediction(Ellipse((2.0, 1.5)), Circle().atoms(36), takes_x=False)
    goal = method.energy.decoding()(None, Circle().atoms(36)[[7, 30]]).detach()
    found = plan(method, None, goal, Exhaustive(), 1)
    assert torch.equal(found.z[:, 0], Circle().atoms(36)[[7, 30]])


class Known(nn.Module):
    """What a world's actions do to its states."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.world.step(x, z.argmax(-1))


@pytest.mark.parametrize(
    "world", [TwoRooms(), TurningDigits(torch.rand(3, 1, 8, 8, generator=generator()))]
)
def test_with_the_world_known_every_goal_is_reached_by_the_same_plan(world):
    method = methods.latent_prediction(Known(world), torch.eye(world.codes))
    states = world.clips(50, 5, generator()).states
    found = plan(method, states[:, 0], states[:, -1], Exhaustive(), 4)
    assert float(found.energies.max()) == 0
    assert torch.equal(world.play(states[:, 0], found.z.argmax(-1))[:, -1], states[:, -1])


def test_the_way_into_the_other_room_leads_through_the_door():
    world = TwoRooms()
    method = methods.latent_prediction(Known(world), torch.eye(5))
    here, there = torch.tensor([[4.0, 6.0]]), torch.tensor([[4.0, 10.0]])
    found = plan(method, here, there, CEM(samples=512), 6, rng=generator())
    assert float(found.energies) == 0
    path = world.play(here, found.z.argmax(-1))[0]
    assert float((path[path[:, 1] == 8][:, 0] - 8).abs().max()) <= 2


def test_rows_do_not_depend_on_the_batch_and_one_goal_serves_all():
    method, x, goal = codes_of(), randn(N, 5), randn(1, 5, seed=3)
    many = plan(method, x, goal, Exhaustive(), T)
    one = plan(method, x[2:3], goal, Exhaustive(), T)
    assert torch.equal(many.z[2], one.z[0])
    listed = plan(method, x, goal, Exhaustive(), T, prior=OneHot(3))
    assert torch.equal(listed.z, many.z)


def test_inverse_infers_what_lay_between_each_two_moments():
    move = methods.latent_prediction(Linear(), torch.eye(2, dtype=F64))
    z = torch.eye(2, dtype=F64)[torch.randint(2, (N, T), generator=generator())]
    frames = rollout(move, randn(N, 3), z)
    assert torch.equal(inverse(move, frames), z)
    warm = methods.latent_prediction(Linear(), torch.eye(2, dtype=F64), 0.01)
    assert torch.equal(inverse(warm, frames), z)


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ConfigurationError, "more than the 26", lambda m: plan(m, X, X, Exhaustive(26), 3)),
        (ConfigurationError, "horizon is 0", lambda m: plan(m, X, X, Exhaustive(), 0)),
        (ConfigurationError, "draws random", lambda m: plan(m, X, X, CEM(), 1)),
        (ConfigurationError, "one of a list", lambda m: plan(m, X, X, Gradient(), 1)),
        (
            ConfigurationError,
            "are listed",
            lambda m: plan(m, X, X, Exhaustive(), 1, prior=Vector(3)),
        ),
        (ShapeError, "batches", lambda m: plan(m, X, X[:2], Exhaustive(), 1)),
        (ShapeError, "row for each x", lambda m: rollout(m, X, torch.eye(3, dtype=F64))),
        (ShapeError, "films", lambda m: inverse(m, X[:, None])),
        (ConfigurationError, "decodes no state", lambda m: plan(FLAT, X, X, Exhaustive(), 1)),
        (ConfigurationError, "infers no z", lambda m: inverse(FLAT, X)),
        (ShapeError, "not of x's kind", lambda m: plan(HORN, X[:, :1], X[:, :2], TRIED, 2)),
        (ShapeError, "not of x's kind", lambda m: rollout(HORN, X[:, :1], Z)),
        (ConfigurationError, "takes no x", lambda m: plan(ROUND, None, X[:, :2], TRIED, 2)),
        (ConfigurationError, "takes no x", lambda m: rollout(ROUND, X[:, :2], Z)),
        (ConfigurationError, "does not list", lambda m: plan(OPEN, X, X, TRIED, 1)),
    ],
)
def test_what_cannot_be_planned_is_refused(error, match, call):
    with pytest.raises(error, match=match):
        call(codes_of())


def test_a_planner_refuses_settings_out_of_range():
    for make in (
        lambda: CEM(elites=300),
        lambda: CEM(samples=0),
        lambda: CEM(keep=2.0),
        lambda: MPPI(std=0.0),
        lambda: MPPI(temperature=0.0),
        lambda: Gradient(starts=0),
        lambda: Exhaustive(0),
    ):
        with pytest.raises(ConfigurationError):
            make()


X, Z, TRIED = randn(N, 5), torch.zeros(N, 1, 1, dtype=F64), Exhaustive()
FLAT = Method(JointEmbedding(linear_of(5), head=SquaredDistance()), Regularized())
HORN = methods.latent_prediction(Horn(nn.Linear(1, 2).double()), Circle().atoms(4, F64))
ROUND = methods.latent_prediction(Ellipse().double(), Circle().atoms(4, F64), takes_x=False)
OPEN = FreeEnergy(Reconstruction(Linear()), LBFGS())


def test_the_way_between_two_angles_is_the_shorter_one():
    way = Circle().toward(f64([[0.1], [6.2], [1.0]]), f64([[6.2], [0.1], [2.0]]))
    turn = 2 * math.pi
    torch.testing.assert_close(way, f64([[6.1 - turn], [turn - 6.1], [1.0]]))
