"""State that adds up: right in half precision too, through casts, saving and loading."""

import copy
from typing import ClassVar

import pytest
import torch
from mixtures_support import commits
from problems import F64, generator, randn
from torch import nn

from ebmlab import FreeEnergy, methods
from ebmlab._precise import SINGLE, Precise
from ebmlab._ranks import averaged
from ebmlab.energies import Assignment, Components, SuperClasses
from ebmlab.inference import Centered, Enumerate, SuperClustered
from ebmlab.networks import LISTA, Codebook, Dictionary, Memory
from ebmlab.objectives import Likelihood
from ebmlab.teachers import EMA

HALVES = pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])


class Counter(Precise):
    floors: ClassVar = {"count": SINGLE, "sum": F64}

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.tensor(0.1))
        self.register_buffer("sum", torch.tensor(0.1, dtype=F64))
        self.register_buffer("plain", torch.tensor(0.1))


def test_casts_leave_what_adds_up_its_bits_and_follow_double_and_device():
    counter = nn.Sequential(Counter())
    for cast in (lambda m: m.half(), lambda m: m.bfloat16(), lambda m: m.to(torch.bfloat16)):
        cast(counter)
        assert (counter[0].count.dtype, counter[0].sum.dtype) == (SINGLE, F64)
        assert torch.equal(counter[0].count, torch.tensor(0.1))
        assert counter[0].plain.dtype != SINGLE
    assert counter.double()[0].count.dtype == F64
    assert counter.half()[0].count.dtype == SINGLE
    assert counter.float()[0].sum.item() == 0.1
    elsewhere = counter.to("meta", torch.bfloat16)[0]
    assert (elsewhere.count.device.type, elsewhere.count.dtype) == ("meta", SINGLE)


@HALVES
def test_a_codebook_learns_the_mean_of_many(half):
    y = (1.49 + 0.1 * randn(5000, 1)).to(half)
    given = torch.zeros(1, 1, dtype=half)
    for book in (Codebook(given), Codebook(given.float()).to(half)):
        index = book.nearest(y)
        for part in y.split(100):
            Codebook.learn(book, part, index[None, : len(part)], torch.ones(1, len(part)).to(half))
        assert float(book.counts) == 100
        torch.testing.assert_close(book.codes[0], y[-100:].float().mean(0))
        book.learn(y, index[None], torch.ones(1, 5000, dtype=half))
        assert float(book.counts) == 5000
        torch.testing.assert_close(book.codes[0], y.float().mean(0))
    # Counts and sums of the data's own type stall.
    stalled = torch.zeros((), dtype=half)
    for _ in range(5000):
        stalled += 1
    assert float(stalled) in (256, 2048)


@HALVES
def test_a_codebook_that_is_a_parameter_keeps_its_type_and_is_counted(half):
    book = Codebook(nn.Parameter(torch.zeros(2, 1))).to(half)
    y = torch.ones(5000, 1, dtype=half)
    book.learn(y, torch.zeros(1, 5000, dtype=torch.long), torch.ones(1, 5000, dtype=half))
    assert (book.codes.dtype, book.counts.dtype) == (half, SINGLE)
    # The second code was dead, and begins again at a datum.
    assert (float(book.counts[0]), book.codes.flatten().tolist()) == (5000, [0, 1])


@HALVES
@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_kmeans_and_mixtures_in_half_precision_are_those_of_single(half, temperature):
    y = torch.cat([0.1 * randn(3000, 2), 4 + 0.1 * randn(3000, 2, seed=1)]).to(half)
    start = y[[0, -1]]
    made = {
        "codebook.codes": lambda t: methods.kmeans(t, temperature),
        "means": lambda t: methods.gmm(t, torch.ones(2).to(t)),
        "covariances": lambda t: methods.gmm(t, torch.ones(2, 2).to(t)),
    }
    for name, build in made.items():
        method, judge = build(start.float()).to(half), build(start.float())
        commits(method, y, 3)
        commits(judge, y.float(), 3)
        for found in (method, build(start)):
            state = found.get_buffer(f"energy.energy.{name}")
            assert state.dtype == SINGLE
        due = judge.get_buffer(f"energy.energy.{name}")
        torch.testing.assert_close(method.get_buffer(f"energy.energy.{name}"), due)
        assert float(method(None, y).value) == pytest.approx(float(judge(None, y.float()).value))


@HALVES
def test_prior_weights_are_learned_in_half_precision(half):
    infer = Enumerate(torch.arange(2), torch.tensor([0.5, 0.5]).to(half), decay=1.0).to(half)
    energy, y = Components(torch.tensor([[-3.0], [3.0]]), torch.ones(2)).to(half), randn(7, 1)
    y = (y.sign() * 3).to(half)
    for _ in range(1000):
        infer.update(None, y, lambda: infer(energy, None, y, 1.0))
    share = (y < 0).float().mean()
    assert float(infer.log_weights.exp()[0]) == pytest.approx(float(share), abs=1e-3)
    assert (float(infer.count), infer.log_weights.dtype) == (7001, SINGLE)


@HALVES
def test_a_teacher_moves_by_steps_below_its_parameters_resolution(half):
    for student in (nn.Linear(2, 2).to(half), nn.Linear(2, 2)):
        nn.init.zeros_(student.weight)
        pair = nn.ModuleList([student, EMA(student, 0.999)]).to(half)
        nn.init.ones_(student.weight)
        for _ in range(700):
            pair[1].step()
        due = 1 - 0.999**700
        assert pair[1].module.weight.dtype == half
        torch.testing.assert_close(
            pair[1].module.weight.float(), torch.full((2, 2), due), rtol=4e-3, atol=0
        )
        saved = pair[1].state_dict()
        torch.testing.assert_close(saved["module.weight"], torch.full((2, 2), due))
        # Back in single precision the average has lost nothing.
        single = copy.deepcopy(pair).float()[1]
        torch.testing.assert_close(single.module.weight, saved["module.weight"])
        assert set(single.state_dict()) == set(saved)
    alone = torch.zeros((), dtype=half)
    for _ in range(700):
        alone.lerp_(torch.ones((), dtype=half), 0.001)
    assert abs(float(alone) - due) > 5e-3


@HALVES
def test_a_teacher_in_half_precision_resumes_exactly(half):
    student = nn.Linear(3, 3).to(half)
    teacher, twin = EMA(student, 0.999), EMA(nn.Linear(3, 3).to(half), 0.999)
    nn.init.constant_(student.weight, 2.0)
    for _ in range(50):
        teacher.step()
    saved = copy.deepcopy(teacher.state_dict())
    twin.load_state_dict(saved)
    twin._student = teacher._student
    for _ in range(50):
        teacher.step()
        twin.step()
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name])
    # What it runs is not enough to go on from.
    blunt = EMA(student, 0.999)
    blunt.load_state_dict(
        {n: v.to(half) if v.is_floating_point() else v for n, v in saved.items()}
    )
    for _ in range(50):
        blunt.step()
    assert not torch.equal(
        blunt.state_dict()["module.weight"], teacher.state_dict()["module.weight"]
    )
    with pytest.raises(RuntimeError, match="size mismatch"):
        twin.load_state_dict({**saved, "module.weight": torch.ones(2, 2)})


@HALVES
def test_the_center_is_the_moving_average_of_half_precision_codes(half):
    head = FreeEnergy(Assignment(), Centered(3, momentum=0.999)).to(half)
    h = torch.tensor([[1.0, 100.0, -7.0]], dtype=half).expand(8, 3)
    for _ in range(500):
        head.update(None, h)
    due = (1 - 0.999**500) * h[0].float()
    torch.testing.assert_close(head.infer.center, due)
    shares = head.posterior(h, h).atoms
    assert shares.dtype == half
    torch.testing.assert_close(
        shares[0, 0].float(), ((h[0] - due).to(half).float() / 0.04).softmax(0), rtol=0, atol=4e-3
    )
    mean, count = averaged(torch.ones(5000, 1, dtype=half))
    assert (float(mean), float(count)) == (1, 5000)


@HALVES
def test_memories_hold_labels_and_codes_as_they_came(half):
    infer = SuperClustered(2, 5000, 2, 1, size=8, every=100).to(half)
    free = FreeEnergy(SuperClasses(2, 5000, 2, 1).to(half), infer)
    h, label = randn(8, 2).to(half), torch.arange(4991, 4999)
    free.update(h, label)
    assert infer.memory.codes[:, -1].tolist() == label.tolist()
    assert torch.equal(infer.memory.codes[:, :2], h.float())
    assert free.posterior(h, label).atoms.dtype == half
    assert Memory(3, 2).to(half).codes.dtype == SINGLE
    assert label.to(half).tolist() != label.tolist()


@HALVES
def test_principal_components_of_half_precision_data_in_many_batches(half):
    y = (20 + randn(2000, 4) * torch.tensor([3.0, 2.0, 1.0, 0.5])).to(half)
    method = methods.pca(4, 2).to(half)
    commits(method, y, 1, size=20)
    energy = method.energy.energy
    double = y.double()
    torch.testing.assert_close(energy.decoder.bias, y.float().mean(0), rtol=1e-5, atol=0)
    values, vectors = torch.linalg.eigh(double.T.cov(correction=0))
    torch.testing.assert_close(energy.variances.double(), values.flip(0)[:2], rtol=1e-4, atol=0)
    torch.testing.assert_close(
        energy.decoder.weight.double().abs(), vectors.flip(1)[:, :2].abs(), rtol=0, atol=5e-3
    )
    assert (method.encode(y).dtype, energy.decoder.weight.dtype) == (half, half)
    assert set(method.state_dict()) == set(methods.pca(4, 2).state_dict())


@HALVES
@pytest.mark.parametrize("name", ["sparse_coding", "psd"])
def test_sparse_codes_of_half_precision_are_nearly_those_of_single(half, name):
    y, atoms = randn(50, 4).to(half), randn(6, 4, seed=1).to(half)
    values = []
    for kind in (half, SINGLE):
        encoder = [nn.Linear(4, 6)] if name == "psd" else []
        for module in encoder:
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
        method = getattr(methods, name)(atoms.to(kind), *encoder, 0.3).to(kind)
        loss = method(None, y.to(kind), generator())
        loss.value.backward()
        loss.commit()
        values.append(float(loss.value.detach()))
        columns = method.get_parameter(
            "energy.energy.decoder.weight"
            if name == "sparse_coding"
            else "energy.energy.terms.0.decoder.weight"
        )
        assert columns.dtype == kind
        torch.testing.assert_close(columns.float().norm(dim=0), torch.ones(6), rtol=0, atol=4e-3)
    assert values[0] == pytest.approx(values[1], rel=0.02)


@HALVES
def test_dictionaries_are_made_of_half_precision_atoms(half):
    atoms = randn(5, 3).to(half)
    assert {p.dtype for p in [*LISTA(atoms).parameters(), *Dictionary(atoms).parameters()]} == {
        half
    }
    y = randn(4, 3).to(half)
    torch.testing.assert_close(
        LISTA(atoms)(y).float(), LISTA(atoms.float())(y.float()), rtol=0.05, atol=0.05
    )
    # Squares of 600 leave float16.
    long = Dictionary(torch.full((1, 3), 600.0, dtype=half))
    torch.testing.assert_close(long.weight.float().norm(), torch.tensor(1.0), rtol=0, atol=4e-3)


def test_whole_numbers_stay_whole():
    values = Likelihood(torch.arange(3)).bfloat16().values
    assert values.dtype == torch.long
    assert Likelihood(torch.eye(3)).bfloat16().values.dtype == torch.float32
