"""Objectives: values, directions, sums, commits, and a user's own loop through a `Method`."""

import copy
import math
from itertools import permutations

import pytest
import torch
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy, Loss, Method
from ebmlab.energies import MLP, Cosine, Gaussian, JointEmbedding, SquaredDistance, Uniform
from ebmlab.errors import ConfigurationError, GradientError
from ebmlab.losses import InfoNCE, SquareSquare, difference, logistic
from ebmlab.negatives import FromData, InBatch, Noise, Replay
from ebmlab.objectives import Contrastive, DenoisingScore, Regularized
from ebmlab.protocols import Objective, Stepped
from ebmlab.regularizers import VICReg
from ebmlab.samplers import Langevin
from ebmlab.teachers import EMA


@pytest.fixture(autouse=True)
def _same_networks():
    torch.manual_seed(0)


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=_rng(seed), dtype=torch.float64)


class Counted(nn.Module):
    """A linear encoder that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3).double()
        self.calls = 0

    def forward(self, y: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(y)


class Recording(SquaredDistance):
    """A head that notes what `update` is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def update(self, x: Tensor, y: Tensor) -> None:
        self.seen.append((x, y))


class Clock(Stepped):
    """Counts its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def step(self) -> None:
        self.steps += 1


# Contrastive


def _contrast_step(objective: Contrastive, energy: Energy) -> tuple[Tensor, Tensor]:
    """How far one small step moves the mean energy of the data and of the negatives."""
    y = 0.3 * _normal(64, 2).float() + torch.tensor([2.0, 0.0])
    negatives = 0.3 * _normal(64, 2, seed=1).float() - torch.tensor([2.0, 0.0])
    before = [energy(None, points).mean().detach() for points in (y, negatives)]
    objective(energy, None, y, _rng(1)).value.backward()
    with torch.no_grad():
        for parameter in energy.parameters():
            if parameter.grad is not None:
                parameter.sub_(1e-2 * parameter.grad)
    after = [energy(None, points).mean().detach() for points in (y, negatives)]
    return after[0] - before[0], after[1] - before[1]


def test_difference_pushes_the_data_down_and_the_negatives_up():
    noise = Noise(Gaussian(torch.tensor([-2.0, 0.0]), 0.09 * torch.eye(2)))
    low, high = _contrast_step(Contrastive(difference, noise), MLP(2, hidden=(32,)))
    assert low < -1e-3
    assert high > 1e-3
    turned = Contrastive(lambda e_pos, e_neg: -difference(e_pos, e_neg), noise)
    low, high = _contrast_step(turned, MLP(2, hidden=(32,)))
    assert low > 1e-3
    assert high < -1e-3


def test_metrics_are_the_mean_energies_and_nothing_carries_a_graph():
    x, y = _normal(5, 3).requires_grad_(), _normal(5, 3, seed=1).requires_grad_()
    loss = Contrastive(SquareSquare(2.0), InBatch())(SquaredDistance(), x, y)
    matrix = torch.cdist(x, y).square().detach()
    high = (matrix.sum() - matrix.trace()) / 20
    low = matrix.trace() / 5
    torch.testing.assert_close(loss.metrics, {"e_pos": low, "e_neg": high, "gap": high - low})
    torch.testing.assert_close(loss.terms, {"contrastive": loss.value.detach()})
    assert loss.value.requires_grad
    assert not any(t.requires_grad for t in (*loss.terms.values(), *loss.metrics.values()))


@pytest.mark.parametrize(
    "objective",
    [
        Contrastive(InfoNCE(0.5), InBatch()),
        Contrastive(InfoNCE(0.5), InBatch(both=True)),
        Regularized(),
        Regularized(VICReg(), weight=0.3, energy_weight=2.0),
    ],
)
@pytest.mark.parametrize("views", [2, 3])
def test_views_are_averaged_over_all_pairs_of_different_views(objective, views):
    encoder = nn.Linear(4, 3).double()
    energy = JointEmbedding(encoder, head=SquaredDistance())
    each = tuple(_normal(6, 4, seed=i) for i in range(views))
    together = objective(energy, each, each)
    apart = [objective(energy, a, b) for a, b in permutations(each, 2)]
    torch.testing.assert_close(together.value, torch.stack([p.value for p in apart]).mean())
    for name, value in together.metrics.items():
        mean = torch.stack([part.metrics[name] for part in apart]).mean()
        torch.testing.assert_close(value, mean)


def test_fewer_target_views_meet_every_other_view():
    energy = JointEmbedding(nn.Identity(), head=SquaredDistance())
    a, b, c = (_normal(6, 4, seed=i) for i in range(3))
    pairs = [(b, a), (c, a), (a, b), (c, b)]
    expected = torch.stack([energy(p, q).mean() for p, q in pairs]).mean()
    torch.testing.assert_close(Regularized()(energy, (a, b, c), (a, b)).value, expected)


def test_a_learned_temperature_gets_the_gradient_of_infonces_own():
    x, y = _normal(6, 3), _normal(6, 3, seed=1)
    temperature = nn.Parameter(torch.tensor(0.4, dtype=torch.float64))
    energy = JointEmbedding(nn.Identity(), head=Cosine()) / temperature
    value = Contrastive(InfoNCE(), InBatch())(energy, x, y).value
    value.backward()

    def fixed(tau: float) -> Tensor:
        return Contrastive(InfoNCE(tau), InBatch())(Cosine(), x, y).value

    torch.testing.assert_close(value.detach(), fixed(0.4))
    slope = (fixed(0.4 + 1e-6) - fixed(0.4 - 1e-6)) / 2e-6
    torch.testing.assert_close(temperature.grad, slope, rtol=1e-6, atol=1e-8)


# Sums


def test_a_weighted_sum_is_the_weighted_sum_of_its_parts():
    x, y = _normal(6, 3).requires_grad_(), _normal(6, 3, seed=1)
    contrast = Contrastive(InfoNCE(), InBatch())
    total = (2.0 * contrast + Regularized(VICReg())) * 0.5 + Regularized(energy_weight=3.0)
    loss = total(SquaredDistance(), x, y)
    parts = [
        (weight, part(SquaredDistance(), x, y))
        for weight, part in [
            (1.0, contrast),
            (0.5, Regularized(VICReg())),
            (1.0, Regularized(energy_weight=3.0)),
        ]
    ]
    expected = torch.stack([weight * part.value for weight, part in parts]).sum()
    torch.testing.assert_close(loss.value, expected)
    for a, b in zip(
        torch.autograd.grad(loss.value, x), torch.autograd.grad(expected, x), strict=True
    ):
        torch.testing.assert_close(a, b)
    assert set(loss.terms) == {"contrastive", "energy", "regularizer", "energy_2"}
    torch.testing.assert_close(torch.stack(list(loss.terms.values())).sum(), expected.detach())
    assert set(loss.metrics) == {"e_pos", "e_pos_2", "e_pos_3", "e_neg", "gap"}


@pytest.mark.parametrize("views", [1, 2, 3])
def test_every_image_is_encoded_once_however_many_terms_look_at_the_codes(views):
    online, teacher = Counted(), Counted()
    objective = Contrastive(InfoNCE(), InBatch()) + Regularized(VICReg()) + 0.1 * Regularized()
    each = tuple(_normal(5, 4, seed=i) for i in range(views))
    x = each[0] if views == 1 else each
    loss = objective(JointEmbedding(online, teacher, Recording()), x, x)
    loss.value.backward()
    loss.commit()
    assert (online.calls, teacher.calls) == (views, views)
    alone = Counted()
    objective(JointEmbedding(alone, head=Cosine()), x, x)
    assert alone.calls == views


def test_commit_moves_each_state_once_though_several_terms_hold_it():
    student = Counted()
    teacher, head, clock = EMA(student, 0.5), Recording(), Clock()
    replay = Replay(torch.zeros(20, 3).double(), Langevin(0.01), steps=2)
    contrast = Contrastive(difference, replay)
    contrast.clock = clock
    regularized = Regularized(VICReg())
    regularized.clock, regularized.teacher = clock, teacher
    energy = JointEmbedding(student, teacher, head)
    x = _normal(5, 4)
    loss = (contrast + regularized + 0.5 * regularized)(energy, x, x, _rng())
    loss.value.backward()
    assert (int(teacher.clock), clock.steps, int(replay.age.sum()), head.seen) == (0, 0, 0, [])
    loss.commit()
    assert int(teacher.clock) == 1
    assert clock.steps == 1
    assert int(replay.age.sum()) == 10
    ((hx, hy),) = head.seen
    assert not hx.requires_grad
    assert not hy.requires_grad
    torch.testing.assert_close(hx, student(x))


def test_commit_updates_the_head_with_the_codes_of_all_views():
    head = Recording()
    each = (_normal(5, 4), _normal(5, 4, seed=1))
    encoder = Counted()
    Regularized()(JointEmbedding(encoder, head=head), each, each).commit()
    ((hx, hy),) = head.seen
    assert hx.shape == hy.shape == (2, 5, 3)
    torch.testing.assert_close(hx[1], encoder.linear(each[1]))


def test_a_sum_with_score_matching_gives_codes_to_one_and_points_to_the_other():
    encoder, head = Counted(), Recording()
    energy = JointEmbedding(encoder, head=head)
    x, y = _normal(8, 4), _normal(8, 4, seed=1)
    contrast, score = Contrastive(InfoNCE(), InBatch()), DenoisingScore(0.5)
    mixed = (2.0 * contrast + 0.3 * score)(energy, x, y, _rng(3))
    expected = 2.0 * contrast(energy, x, y).value + 0.3 * score(energy, x, y, _rng(3)).value
    torch.testing.assert_close(mixed.value, expected)
    assert set(mixed.terms) == {"contrastive", "denoising_score"}
    mixed.value.backward()
    head.seen.clear()
    mixed.commit()
    ((hx, hy),) = head.seen
    assert hx.shape == hy.shape == (8, 3)
    assert not hx.requires_grad


def test_an_energy_that_updates_sees_its_own_codes_once_without_an_encoder_too():
    head = Recording()
    x, y = _normal(4, 3).requires_grad_(), _normal(4, 3, seed=1)
    (Regularized() + Contrastive(difference, InBatch()))(head, x, y).commit()
    ((seen_x, seen_y),) = head.seen
    assert torch.equal(seen_x, x)
    assert torch.equal(seen_y, y)
    assert not seen_x.requires_grad


# Denoising score matching


class Precision(Energy):
    """E(y) = a ‖y‖² / 2 with a parameter a."""

    takes_x = False

    def __init__(self, precision: float) -> None:
        super().__init__()
        self.precision = nn.Parameter(torch.tensor(precision, dtype=torch.float64))

    def forward(self, x: Tensor | None, y: Tensor, z: Tensor | None = None) -> Tensor:
        return 0.5 * self.precision * y.square().sum(-1)


def _batch_means(energy: Energy, sigma: float, d: int) -> tuple[Tensor, Tensor]:
    rng, data = _rng(1), _normal(40, 5000, d)
    values = torch.stack([DenoisingScore(sigma)(energy, None, y, rng).value for y in data])
    return values.mean().detach(), values.detach().std() / 40**0.5


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize(("s", "sigma"), [(1.0, 0.5), (0.7, 0.5), (1.5, 1.0)])
def test_the_loss_of_a_gaussian_energy_has_its_closed_form(s, sigma, d):
    # y ~ N(0, 1): σ∇E - ξ = σy/s² + (σ²/s² - 1)ξ, so the loss is d/2 [σ²/s⁴ + (σ²/s² - 1)²].
    # Student's t with 39 degrees of freedom: false-alarm rate 1e-5 at 5.1 standard errors.
    mean, error = _batch_means(Precision(1 / s**2), sigma, d)
    expected = 0.5 * d * (sigma**2 / s**4 + (sigma**2 / s**2 - 1) ** 2)
    assert (mean - expected).abs() < 5.1 * error
    # Controls: a blur of another width, and an energy with its sign turned round.
    other = 0.5 * d * (1.2 * sigma**2 / s**4 + (1.2 * sigma**2 / s**2 - 1) ** 2)
    turned = 0.5 * d * (sigma**2 / s**4 + (sigma**2 / s**2 + 1) ** 2)
    assert not (mean - other).abs() < 5.1 * error
    assert not (mean - turned).abs() < 5.1 * error


@pytest.mark.parametrize("sigma", [0.3, 0.8])
def test_the_minimizer_is_the_score_of_the_blurred_data(sigma):
    # The loss is quadratic in the precision a: Newton's step from anywhere is the minimizer,
    # whose limit is 1/(1 + σ²). Its error over 200,000 draws is below 0.01 at σ >= 0.3.
    energy = Precision(1.0)
    y = _normal(200_000, 1)
    value = DenoisingScore(sigma)(energy, None, y, _rng(1)).value
    (slope,) = torch.autograd.grad(value, energy.precision, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, energy.precision)
    best = (energy.precision - slope / curvature).item()
    assert best == pytest.approx(1 / (1 + sigma**2), abs=0.02)
    assert abs(best - 1.0) > 0.05


def test_a_flat_energy_costs_half_the_dimension():
    flat = FunctionEnergy(lambda y: 0.0 * y.sum(-1))
    value = DenoisingScore(0.3)(flat, None, _normal(50_000, 4), _rng()).value
    # ½‖ξ‖² has mean 2 and standard deviation √2: 4.42 standard errors, false alarm 1e-5.
    assert (value - 2.0).abs() < 4.42 * math.sqrt(2 / 50_000)


def test_gradients_reach_all_parameters_and_equal_finite_differences():
    energy = MLP(2, x_dim=1, hidden=(6,)).double()
    x, y = _normal(5, 1), _normal(5, 2, seed=1)

    def value() -> Tensor:
        return DenoisingScore(0.4)(energy, x, y, _rng(2)).value

    value().backward()
    for name, parameter in energy.named_parameters():
        if name == "network.2.bias":  # a constant has no slope
            assert parameter.grad is None or (parameter.grad == 0).all()
            continue
        assert parameter.grad.abs().max() > 0, name
        flat, grad = parameter.data.view(-1), parameter.grad.view(-1)
        for i in range(len(flat)):
            kept = flat[i].item()
            flat[i] = kept + 1e-5
            above = value().item()
            flat[i] = kept - 1e-5
            below = value().item()
            flat[i] = kept
            assert grad[i].item() == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-8)


def test_score_matching_works_under_no_grad_for_evaluation():
    energy, y = Precision(1.0), _normal(10, 1)
    with torch.no_grad():
        value = DenoisingScore(0.5)(energy, None, y, _rng()).value
    torch.testing.assert_close(value, DenoisingScore(0.5)(energy, None, y, _rng()).value)


@pytest.mark.parametrize("sigma", [0.0, -0.1, math.nan, math.inf])
def test_a_noise_level_that_is_not_positive_raises(sigma):
    with pytest.raises(ConfigurationError, match="sigma"):
        DenoisingScore(sigma)


@pytest.mark.parametrize(
    "function",
    [
        lambda y: y.detach().sum(-1),
        lambda y: torch.zeros(len(y), requires_grad=True),
        lambda y: y.round().argmax(-1).float(),
    ],
)
def test_an_energy_without_a_slope_in_y_has_no_score(function):
    with pytest.raises(GradientError, match=r"\(4, 2\) carries no gradient"):
        DenoisingScore(0.1)(FunctionEnergy(function), None, torch.zeros(4, 2), _rng())


# Regularized


@pytest.mark.parametrize(
    ("objective", "collapses"),
    [(Regularized(), True), (Regularized(VICReg(25, 1), energy_weight=25 / 3), False)],
)
def test_the_energy_loss_alone_collapses_a_joint_embedding_and_vicreg_does_not(
    objective, collapses
):
    encoder = nn.Linear(4, 3)
    energy = JointEmbedding(encoder, head=SquaredDistance())
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.02)
    y = _normal(256, 4).float()
    start = encoder(y).std(0).min().item()
    rng = _rng(1)
    for _ in range(300):
        views = tuple(y + 0.5 * torch.randn(256, 4, generator=rng) for _ in range(2))
        loss = objective(energy, views, views, rng)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
    std = encoder(y).std(0)
    if collapses:
        assert std.max() < start / 100
    else:
        assert std.min() > 0.5


def test_terms_are_weighted_and_detached():
    x, y = _normal(6, 3).requires_grad_(), _normal(6, 3, seed=1)
    loss = Regularized(VICReg(), weight=0.2, energy_weight=3.0)(SquaredDistance(), x, y)
    torch.testing.assert_close(
        loss.terms,
        {
            "energy": 3.0 * (x - y).square().sum(-1).mean().detach(),
            "regularizer": 0.2 * VICReg()(x, y).detach(),
        },
    )
    torch.testing.assert_close(loss.value.detach(), torch.stack([*loss.terms.values()]).sum())
    assert list(Regularized()(SquaredDistance(), x, y).terms) == ["energy"]


@pytest.mark.parametrize("name", ["weight", "energy_weight"])
@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_negative_weights_raise(name, bad):
    with pytest.raises(ConfigurationError, match=name):
        Regularized(**{name: bad})


# Method and a user's loop


def test_a_method_is_its_objective_of_its_energy_and_encodes_with_its_encoder():
    encoder = nn.Linear(4, 3).double()
    energy = JointEmbedding(encoder, head=SquaredDistance())
    objective = Regularized(VICReg())
    method = Method(energy, objective, encoder=encoder)
    x, y = _normal(6, 4), _normal(6, 4, seed=1)
    torch.testing.assert_close(method(x, y).value, objective(energy, x, y).value)
    assert torch.equal(method.encode(y), encoder(y))
    assert len(list(method.parameters())) == 2
    with pytest.raises(ConfigurationError, match="encoder"):
        Method(energy, objective).encode(y)


def _train(method: Method, steps: int) -> list[Loss]:
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=1e-2)
    rng, losses = _rng(1), []
    for _ in range(steps):
        angle = 2 * math.pi * torch.rand(128, generator=rng)
        y = torch.stack([angle.cos(), angle.sin()], dim=1)
        loss = method(None, y + 0.1 * torch.randn(128, 2, generator=rng), rng)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
        losses.append(loss)
    return losses


BOX = Uniform(torch.tensor([-2.0, -2.0]), torch.tensor([2.0, 2.0]))


@pytest.mark.parametrize(
    "objective",
    [
        Contrastive(InfoNCE(), Noise(BOX, k=8)),
        Contrastive(logistic, Noise(BOX, k=8)),
        DenoisingScore(0.3),
    ],
)
def test_a_users_loop_trains_an_energy_whose_ring_is_lower_than_its_hole(objective):
    method = Method(MLP(2, hidden=(32, 32)), objective)
    losses = _train(method, 150)
    first = torch.stack([loss.value.detach() for loss in losses[:10]]).mean()
    last = torch.stack([loss.value.detach() for loss in losses[-10:]]).mean()
    assert last < 0.8 * first
    on, off = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.8, 1.8]])
    assert method.energy(None, on).max() < method.energy(None, off).min()


def test_commit_in_a_users_loop_moves_replay_and_the_energy_learns():
    replay = Replay(BOX.sample(500, _rng()), Langevin(0.01), steps=10, rebirth=0.0)
    regularizer = FunctionEnergy(lambda y: 0.1 * y.square().sum(-1))
    method = Method(MLP(2, hidden=(32,)) + regularizer, Contrastive(difference, replay))
    assert "objective.negatives.pool" in method.state_dict()
    losses = _train(method, 60)
    assert int(replay.age.sum()) == 60 * 128 * 10
    assert losses[0].metrics["age"] == 0
    assert losses[-1].metrics["age"] == pytest.approx(59 * 128 * 10 / 500)
    assert method.energy(None, torch.tensor([[1.0, 0.0]])) < method.energy(
        None, torch.tensor([[1.9, 1.9]])
    )


def test_a_copied_method_trains_like_its_original():
    replay = Replay(BOX.sample(200, _rng()), Langevin(0.01), steps=2, rebirth=0.1)
    method = Method(MLP(2, hidden=(8,)), Contrastive(difference, replay))
    twin = copy.deepcopy(method)
    one, other = _train(method, 5), _train(twin, 5)
    assert [a.value.tolist() for a in one] == [b.value.tolist() for b in other]
    for a, b in zip(method.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_forward_alone_changes_no_state():
    student = nn.Linear(4, 3).double()
    energy = JointEmbedding(student, EMA(student), SquaredDistance())
    replay = Replay(torch.zeros(10, 3).double(), Langevin(0.1), steps=2)
    objective: Objective = Contrastive(difference, replay) + Regularized(VICReg())
    method = Method(energy, objective)
    before = copy.deepcopy(method.state_dict())
    loss = method(_normal(5, 4), _normal(5, 4, seed=1), _rng())
    loss.value.backward()
    assert all(torch.equal(v, before[name]) for name, v in method.state_dict().items())
    loss.commit()
    changed = {n for n, v in method.state_dict().items() if not torch.equal(v, before[n])}
    assert {"energy.target.clock", "objective.parts.0.negatives.pool"} <= changed


def test_negatives_from_the_data_see_codes_where_the_energy_embeds():
    encoder = Counted()
    energy = JointEmbedding(encoder, head=SquaredDistance())
    x, y = _normal(6, 4), _normal(6, 4, seed=1)
    loss = Contrastive(difference, FromData(Langevin(0.01), 5))(energy, x, y, _rng())
    assert encoder.calls == 2
    loss.value.backward()
    assert encoder.linear.weight.grad.abs().max() > 0
