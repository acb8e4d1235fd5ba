"""Teachers: closed forms of the moving average, and gradients that must not pass."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from ebmlab.energies import Cosine, JointEmbedding
from ebmlab.errors import ConfigurationError
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method
from ebmlab.teachers import EMA, Detached, rising_cosine


def _student(value: float = 0.0) -> nn.Linear:
    student = nn.Linear(2, 2).double()
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.fill_(value)
    return student


def _set(module: nn.Module, value: float) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(value)


def _one(teacher: EMA) -> float:
    values = torch.cat([parameter.flatten() for parameter in teacher.module.parameters()])
    assert (values == values[0]).all()
    return values[0].item()


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.996, 1.0])
def test_a_constant_student_is_approached_geometrically(decay):
    student = _student(3.0)
    teacher = EMA(student, decay)
    _set(student, -1.0)
    for n in range(1, 21):
        teacher.step()
        assert _one(teacher) == pytest.approx(-1.0 + decay**n * 4.0, abs=1e-12)


def test_a_moving_student_is_averaged_with_exponential_weights():
    student = _student(1.0)
    teacher = EMA(student, 0.8)
    path = [0.5, -2.0, 4.0, 1.5]
    for value in path:
        _set(student, value)
        teacher.step()
    expected = 0.8**4 + sum(0.2 * 0.8 ** (3 - t) * value for t, value in enumerate(path))
    assert _one(teacher) == pytest.approx(expected, abs=1e-12)


def test_decay_may_be_a_function_of_the_clock():
    clocks: list[int] = []

    def decay(clock: Tensor) -> Tensor:
        clocks.append(int(clock))
        return 1 - 0.5 / (1 + clock.double())

    student = _student(1.0)
    teacher = EMA(student, decay)
    _set(student, 0.0)
    for _ in range(4):
        teacher.step()
    assert clocks == [0, 1, 2, 3]
    assert _one(teacher) == pytest.approx(math.prod(1 - 0.5 / (1 + t) for t in range(4)))


def test_the_teacher_starts_as_a_copy_that_the_student_does_not_share():
    student = nn.Linear(2, 3)
    teacher = EMA(student)
    y = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(teacher(y), student(y))
    _set(student, 7.0)
    assert not torch.equal(teacher(y), student(y))


def test_no_gradient_passes_a_teacher_and_none_is_left_on_it():
    student = nn.Linear(2, 3)
    teacher = EMA(student)
    y = torch.ones(4, 2, requires_grad=True)
    out = teacher(y)
    assert not out.requires_grad
    (student(y) * out).sum().backward()
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert all(p.grad is not None for p in student.parameters())


def test_the_student_is_no_part_of_the_teachers_parameters_or_state():
    student = nn.Linear(2, 3)
    teacher = EMA(student)
    own = {id(p) for p in teacher.parameters()}
    assert own.isdisjoint(id(p) for p in student.parameters())
    assert set(teacher.state_dict()) == {"clock", "module.weight", "module.bias"}


def _method() -> Method:
    student = nn.Linear(2, 2)
    energy = JointEmbedding(student, EMA(student, 0.5), Cosine())
    return Method(energy, Regularized(), encoder=student)


def test_a_deep_copy_of_the_method_links_teacher_and_student_of_the_copy():
    method = _method()
    twin = copy.deepcopy(method)
    before = copy.deepcopy(method.state_dict())
    start = twin.energy.target.module.weight.clone()
    _set(twin.encoder, 5.0)
    twin.energy.target.step()
    torch.testing.assert_close(twin.energy.target.module.weight, 0.5 * start + 2.5)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert int(twin.energy.target.clock) == 1
    assert int(method.energy.target.clock) == 0


def test_moving_the_method_to_another_dtype_keeps_the_link():
    method = _method().double()
    _set(method.encoder, 5.0)
    start = method.energy.target.module.weight.clone()
    method.energy.target.step()
    assert method.energy.target.module.weight.dtype == torch.float64
    torch.testing.assert_close(method.energy.target.module.weight, 0.5 * start + 2.5)


def test_state_saved_and_restored_continues_identically():
    def decay(clock: Tensor) -> Tensor:
        return 1 - 1 / (2 + clock.double())

    student = _student(1.0)
    teacher = EMA(student, decay)
    _set(student, 0.0)
    for _ in range(3):
        teacher.step()
    restored = EMA(student, decay)
    restored.load_state_dict(copy.deepcopy(teacher.state_dict()))
    assert int(restored.clock) == 3
    teacher.step()
    restored.step()
    assert _one(restored) == _one(teacher)


def test_buffers_are_the_teachers_own():
    student = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    teacher = EMA(student, 0.5)
    student(10 * torch.ones(4, 2) * torch.arange(4.0)[:, None])
    assert student[1].num_batches_tracked == 1
    teacher.step()
    buffers = dict(teacher.module.named_buffers())
    assert torch.equal(buffers["1.running_mean"], torch.zeros(3))
    assert torch.equal(buffers["1.running_var"], torch.ones(3))
    assert buffers["1.num_batches_tracked"] == 0


@pytest.mark.parametrize("decay", [-0.1, 1.1, math.nan, math.inf])
def test_a_decay_outside_the_unit_interval_raises(decay):
    with pytest.raises(ConfigurationError, match="decay is"):
        EMA(nn.Linear(1, 1), decay)


def test_detached_shares_its_parameters_and_passes_no_gradient():
    module = nn.Linear(2, 3)
    detached = Detached(module)
    y = torch.ones(4, 2, requires_grad=True)
    out = detached(y)
    assert torch.equal(out, module(y))
    assert not out.requires_grad
    assert {id(p) for p in detached.parameters()} == {id(p) for p in module.parameters()}
    _set(module, 1.0)
    assert torch.equal(detached(y), module(y))


def test_a_detached_target_leaves_the_gradient_of_the_online_side_alone():
    module = nn.Linear(2, 3).double()
    x, y = torch.randn(2, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    Regularized()(JointEmbedding(module, Detached(module)), x, y).value.backward()
    stopped = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    Cosine()(module(x), module(y).detach()).mean().backward()
    for a, b in zip(stopped, module.parameters(), strict=True):
        torch.testing.assert_close(a, b.grad)
    module.zero_grad()
    Regularized()(JointEmbedding(module, module), x, y).value.backward()
    assert (module.weight.grad - stopped[0]).abs().max() > 1e-3


def test_a_decay_rises_along_a_cosine_and_stays_at_one():
    decay = rising_cosine(0.9, steps=8)
    found = [float(decay(torch.tensor(t))) for t in range(11)]
    due = [1 - 0.05 * (1 + math.cos(math.pi * min(t, 8) / 8)) for t in range(11)]
    assert found == pytest.approx(due, abs=1e-12)
    assert found[8:] == [1.0, 1.0, 1.0]


def test_a_rising_decay_moves_a_teacher_of_any_precision():
    student = nn.Linear(2, 2).half()
    teacher = EMA(student, rising_cosine(0.5, steps=4))
    start = teacher.module.weight.clone()
    _set(student, 2.0)
    teacher.step()
    torch.testing.assert_close(teacher.module.weight, (0.5 * start.float() + 1.0).half())


@pytest.mark.parametrize("bad", [(1.5, 10), (-0.1, 10), (0.9, 0)])
def test_a_rising_decay_out_of_range_raises(bad):
    with pytest.raises(ConfigurationError, match=r"start is|steps is"):
        rising_cosine(*bad)


def test_a_decay_may_be_a_tensor_in_its_range():
    student = nn.Linear(2, 2)
    teacher = EMA(student, torch.tensor(0.5))
    start = teacher.module.weight.clone()
    _set(student, 2.0)
    teacher.step()
    torch.testing.assert_close(teacher.module.weight, 0.5 * start + 1.0)
    with pytest.raises(ConfigurationError, match="decay is"):
        EMA(student, torch.tensor(1.5))
