"""Losses through the steps of a descent, against closed forms and their gradients."""

import pytest
import torch
from problems import F64, generator, randn
from torch import Tensor, nn

from ebmlab import Energy
from ebmlab.energies import MLP, CrossEntropy
from ebmlab.errors import ConfigurationError, DivergenceError, GradientError, ShapeError
from ebmlab.inference import FixedSteps, Simplex
from ebmlab.objectives import Answers, Unrolled
from ebmlab.prediction import think
from ebmlab.protocols import Loss

N, ETA, STEPS = 5, 0.3, 3
X, Y, START = randn(N, 2, seed=1), randn(N, 3, seed=2), randn(N, 3, seed=3)


class Bowl(Energy):
    """½ (y - W x)ᵀ A (y - W x), A = L Lᵀ, whose descent has a closed form."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(randn(3, 2, seed=4))
        self.factor = nn.Parameter(torch.eye(3, dtype=F64) + 0.3 * randn(3, 3, seed=5))

    def forward(self, x, y, z=None):
        return 0.5 * ((y - x @ self.w.T) @ self.factor).square().sum(-1)

    def iterate(self, start: Tensor, k: int, eta: Tensor | float = ETA) -> Tensor:
        """W x + (1 - η A)^k (y - W x): where k steps lead."""
        center, a = X @ self.w.T, self.factor @ self.factor.T
        eta = torch.as_tensor(eta, dtype=F64).reshape(-1, 1, 1)
        power = torch.matrix_power(torch.eye(3, dtype=F64) - eta * a, k)
        return center + torch.einsum("...ij,...j->...i", power, start - center)


class Detached(FixedSteps):
    """The control: the same steps along slopes that count as constants."""

    def search(self, u, start, *, unroll):
        return super().search(u, start, unroll=False)


def of(start: Tensor, solver=None, **how) -> Unrolled:
    """Starts that are given, one number of thoughts, one step size, unless told otherwise."""
    how = {"thoughts": (STEPS, STEPS), "spread": 1.0, "each": False} | how
    return Unrolled(solver or FixedSteps(ETA), start=lambda y, rng: start, **how)


def judged(objective: Unrolled, energy: Energy, seed: int = 0) -> Loss:
    return objective(energy, X, Y, generator(seed))


def squared(answer: Tensor) -> Tensor:
    return (answer - Y).square().sum(-1)


def gradients(value: Tensor, energy: Energy) -> tuple[Tensor, ...]:
    return torch.autograd.grad(value, list(energy.parameters()))


def require_same(loss: Loss, due: Tensor, energy: Energy) -> None:
    torch.testing.assert_close(loss.value, due)
    torch.testing.assert_close(gradients(loss.value, energy), gradients(due, energy))


@pytest.mark.parametrize("each", [False, True])
def test_the_loss_and_its_gradient_are_those_of_the_iterates_in_closed_form(each):
    energy = Bowl()
    losses = torch.stack([squared(energy.iterate(START, k)).mean() for k in (1, 2, 3)])
    loss = judged(of(START, each=each), energy)
    require_same(loss, losses.mean() if each else losses[-1], energy)
    watched = [loss.metrics[name] for name in ("first", "last", "e_first", "e_last")]
    ends = [energy(X, energy.iterate(START, k)).mean() for k in (1, 3)]
    torch.testing.assert_close(torch.stack(watched), torch.stack([*losses[[0, -1]], *ends]))


def test_slopes_that_count_as_constants_are_told_and_other_steps_teach_something_else():
    energy = Bowl()
    right = judged(of(START), energy).value
    with torch.no_grad():
        torch.testing.assert_close(judged(of(START, Detached(ETA)), energy).value, right.detach())
    with pytest.raises(GradientError, match="Detached keeps no graph"):
        judged(of(START, Detached(ETA)), energy)
    other = judged(of(START, FixedSteps(1.01 * ETA)), energy).value
    pairs = zip(gradients(other, energy), gradients(right, energy), strict=True)
    assert not any(torch.allclose(a, b, rtol=1e-3) for a, b in pairs)


def test_each_start_has_a_step_size_of_its_own_within_the_spread():
    energy, share = Bowl(), torch.rand(N, generator=generator(), dtype=F64)
    factor = 4.0 ** (2 * share - 1)
    assert 0.25 <= factor.min() < 0.9 < 3 < factor.max() <= 4
    due = squared(energy.iterate(START, STEPS, 0.05 * factor)).mean()
    loss = judged(of(START, FixedSteps(0.05), spread=4.0), energy)
    require_same(loss, due, energy)
    end = energy(X, energy.iterate(START, STEPS, 0.05 * factor)).mean()
    torch.testing.assert_close(loss.metrics["e_last"], end)


def test_of_several_starts_the_nearest_answer_counts():
    energy, starts = Bowl(), torch.stack([START, -START, 2 * START])
    losses = squared(energy.iterate(starts, STEPS))
    assert len(losses.argmin(0).unique()) > 1
    loss = judged(of(starts.flatten(0, 1), starts=3), energy)
    require_same(loss, losses.min(0).values.mean(), energy)
    assert not torch.allclose(loss.value, losses.mean())


def test_noise_moves_every_answer_before_it_is_thought_over():
    energy, rng = Bowl(), generator()
    torch.rand(N, generator=rng, dtype=F64)  # the factors
    torch.randint(2, 3, (), generator=rng)
    xi = [torch.randn(3, N, generator=rng, dtype=F64).mT for _ in range(2)]
    answer = energy.iterate(energy.iterate(START + 0.2 * xi[0], 1) + 0.2 * xi[1], 1)
    loss = judged(of(START, thoughts=(2, 2), noise=0.2), energy)
    require_same(loss, squared(answer).mean(), energy)


def test_the_number_of_thoughts_is_drawn_between_its_bounds():
    energy = Bowl()
    due = torch.stack([squared(energy.iterate(START, k)).mean() for k in (2, 3, 4)]).detach()
    got = [judged(of(START, thoughts=(2, 4)), energy, seed).value.detach() for seed in range(30)]
    near = (torch.stack(got)[:, None] - due).abs() < 1e-12
    assert near.any(1).all()
    assert near.any(0).all()  # One of three is missing in 30 draws in 2e-5 of all seeds.


def test_thinking_goes_on_from_earlier_answers_to_the_same_pair_alone():
    energy, answers = Bowl(), Answers(1000, 3, share=1.0).double()
    objective = of(START, answers=answers)
    first = judged(objective, energy)
    assert not answers.kept.any()
    first.commit()
    assert int(answers.kept.sum()) == N
    again = judged(objective, energy)
    require_same(again, squared(energy.iterate(answered(energy), STEPS)).mean(), energy)
    assert (first.metrics["recalled"], again.metrics["recalled"]) == (0, 1)
    elsewhere = objective(energy, X, Y + 1, generator())
    torch.testing.assert_close(elsewhere.metrics["last"], first_of(energy, Y + 1))
    mixed = objective(energy, torch.cat([X[:3], X[3:] + 1]), Y, generator())
    torch.testing.assert_close(mixed.metrics["recalled"], torch.tensor(0.6, dtype=F64))
    answers.share = 0.0
    torch.testing.assert_close(judged(objective, energy).value, first.value)


def answered(energy: Bowl) -> Tensor:
    return energy.iterate(START, STEPS).detach()


def first_of(energy: Bowl, y: Tensor) -> Tensor:
    return (answered(energy) - y).square().sum(-1).mean()


def test_of_two_pairs_with_one_place_the_later_one_stays():
    answers, pairs = Answers(1, 2, share=1.0), torch.tensor([7, 8, 9])
    answers.keep(pairs, torch.arange(6.0).reshape(3, 2))
    start, known = answers.recall(pairs, torch.full((3, 2), -1.0), generator())
    assert known.tolist() == [False, False, True]
    assert start.tolist() == [[-1, -1], [-1, -1], [4, 5]]


def test_answers_may_be_logits_or_probabilities():
    y = torch.eye(3, dtype=F64)[[0, 2, 1, 1, 0]]
    energy = MLP(3, 2, hidden=(4,)).double()
    logits = START - ETA * energy.given(X).value_and_grad(START)[1]
    due = -(logits.log_softmax(1) * y).sum(1).mean()
    one = of(START, loss=CrossEntropy(), thoughts=(1, 1))(energy, X, y, generator())
    torch.testing.assert_close(one.value.detach(), due)
    simplex, seen = Simplex(3), []

    def loss(answer, y):
        seen.append(answer)
        return (answer - y).square().sum(1)

    start = simplex.draw(N, generator(), F64)
    objective = of(start, FixedSteps(0.3, space=simplex), loss=loss)
    objective(energy, X, y, generator()).value.backward()
    assert all(bool(simplex.contains(answer.detach()).all()) for answer in seen)
    assert energy.network[0].weight.grad.abs().max() > 0


class Wells(Energy):
    """½ y² - (a / c) log cosh(c y): a step of size 1 leads to a tanh(c y), in two wells or one."""

    takes_x = False

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.5, dtype=F64))
        self.c = nn.Parameter(torch.tensor(1.0, dtype=F64))

    def forward(self, x, y, z=None):
        return (0.5 * y.square() - self.a / self.c * (self.c * y).cosh().log()).sum(-1)


def test_one_start_finds_the_mean_of_two_right_answers_and_several_find_the_answers():
    def ends(starts: int) -> Tensor:
        energy, rng = Wells(), generator(1)
        objective = Unrolled(starts=starts, thoughts=(1, 1))
        for _ in range(40):
            y = torch.randint(0, 2, (32, 1), generator=rng).to(F64) * 2 - 1
            slopes = gradients(objective(energy, None, y, rng).value, energy)
            for p, slope in zip(energy.parameters(), slopes, strict=True):
                p.data -= 0.5 * slope
        return think(energy, None, randn(200, 1), solver=objective.solver).y[-1]

    near = {k: ((ends(k).abs() - 1).abs() < 0.2).double().mean() for k in (1, 6)}
    assert near[6] > 0.9
    assert near[1] < 0.1


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"thoughts": (0, 2)}, ConfigurationError, "thoughts"),
        ({"thoughts": (3, 2)}, ConfigurationError, "thoughts"),
        ({"starts": 0}, ConfigurationError, "starts"),
        ({"spread": 0.9}, ConfigurationError, "spread"),
        ({"noise": -1.0}, ConfigurationError, "noise"),
        ({"loss": lambda answer, y: answer - y}, ShapeError, "reduce over the event"),
        ({"answers": Answers(10, 2)}, ShapeError, r"Answers\(size, 3\)"),
        ({"solver": FixedSteps(1e300, steps=3)}, DivergenceError, "smaller steps"),
    ],
)
def test_what_is_wrong_is_told(wrong, error, words):
    with pytest.raises(error, match=words):
        judged(of(START, **wrong), Bowl())
