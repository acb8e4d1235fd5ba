"""z of several parts: a code and a vector, inferred one after the other."""

import math

import pytest
import torch
from problems import randn
from torch import nn

from ebmlab import FreeEnergy, FunctionEnergy, Method
from ebmlab.energies import JointEmbedding, Reconstruction
from ebmlab.errors import ConfigurationError
from ebmlab.inference import (
    LBFGS,
    Amortized,
    AmortizedCategorical,
    Enumerate,
    ImportanceWeighted,
    Product,
    Sampled,
    Vector,
)
from ebmlab.metrics import gain, information
from ebmlab.objectives import Regularized
from ebmlab.prediction import predict
from ebmlab.samplers import Langevin
from ebmlab.testing import check_energy, check_inference

CODES = torch.eye(3, dtype=torch.float64)
SHIFTS = torch.tensor([[-1.0], [0.3], [2.0]], dtype=torch.float64)


class Lines(nn.Module):
    """x + A[code] + shift · B[code]: three lines in the plane."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(randn(3, 2, seed=1)), nn.Parameter(randn(3, 2, seed=2))

    def forward(self, x, code, shift):
        return x + code @ self.a + shift * (code @ self.b)


def lines(prior=None):
    return Reconstruction(Lines(), prior=prior, z_ndim=(1, 1)).double()


class Pulled(Lines):
    """Squared distance from the lines, and half the squared shift: its minimum is known."""

    def forward(self, x, y, code, shift):
        away = super().forward(x, code, shift) - y
        return away.square().sum(-1) + 0.5 * shift.square().sum(-1)


def pulled():
    return FunctionEnergy(Pulled(), ("x", "y", "z"), z_ndim=(1, 1)).double()


def data(n=4):
    return randn(n, 2, seed=3), randn(n, 2, seed=4)


def table(energy, x, y):
    """E of every code and shift: (codes, shifts, n)."""
    return torch.stack(
        [torch.stack([energy(x, y, (c.expand(len(y), -1), s.expand(len(y), -1))) for s in SHIFTS])
         for c in CODES]
    )  # fmt: skip


def test_energies_of_several_parts_keep_the_laws():
    x, y = data()
    z = (CODES[[0, 1, 2, 0]], randn(4, 1, seed=5))
    check_energy(lines(), x, y, z)
    check_energy(pulled(), x, y, z)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_two_enumerated_parts_are_one_table(temperature):
    energy, (x, y) = lines(), data()
    infer = Product(Enumerate(CODES), Enumerate(SHIFTS))
    free = FreeEnergy(energy, infer, temperature)
    each = table(energy, x, y).flatten(0, 1)
    if temperature:
        due = -temperature * ((-each / temperature).logsumexp(0) - math.log(9))
    else:
        due = each.amin(0)
    assert torch.allclose(free(x, y), due, rtol=1e-12)
    parameters = list(energy.parameters())
    got = torch.autograd.grad(free(x, y).sum(), parameters)
    for a, b in zip(got, torch.autograd.grad(due.sum(), parameters), strict=True):
        assert torch.allclose(a, b, rtol=1e-10)
    assert free.bound == "exact"
    assert math.isclose(infer.capacity(), math.log(9))


def test_the_joint_posterior_is_that_of_the_table_part_by_part():
    energy, (x, y) = lines(), data()
    weights = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    infer = Product(Enumerate(CODES, weights), Enumerate(SHIFTS))
    q = FreeEnergy(energy, infer, 0.5).posterior(x, y)
    log_joint = weights.log()[:, None, None] - table(energy, x, y) / 0.5
    due = log_joint.flatten(0, 1).softmax(0).unflatten(0, (3, 3))
    assert q.counts == (3, 3)
    # The first part is fastest.
    assert torch.allclose(q.weights.unflatten(0, (3, 3)), due.transpose(0, 1), rtol=1e-10)
    each = energy(x, y, q.atoms).unflatten(0, (3, 3))
    assert torch.allclose(each, table(energy, x, y).transpose(0, 1))
    prior = (weights[:, None, None] / 3).log().expand_as(due)
    nats = (due * (due.log() - prior)).sum((0, 1))
    assert torch.allclose(q.information, nats, rtol=1e-10)


def test_a_code_enumerated_and_a_shift_searched_for():
    energy, (x, y) = pulled(), data()
    infer = Product(Enumerate(CODES), LBFGS(torch.zeros(1, 1, dtype=torch.float64)))
    free = FreeEnergy(energy, infer)
    base, way = x + energy.function.a[:, None], energy.function.b
    away = y - base
    best = (away * way[:, None]).sum(-1) / (way.square().sum(-1, keepdim=True) + 0.5)
    each = (away - best[..., None] * way[:, None]).square().sum(-1) + 0.5 * best.square()
    assert torch.allclose(free(x, y), each.amin(0), rtol=1e-9)
    code, shift = free.posterior(x, y).atoms
    assert torch.equal(code[0].argmax(-1), each.argmin(0))
    assert torch.allclose(shift[0, :, 0], best.gather(0, each.argmin(0)[None])[0], rtol=1e-4)
    # A flat z under the same search leaves the corners, and is too low.
    function = energy.function
    flat = FunctionEnergy(lambda x, y, z: function(x, y, z[:, :3], z[:, 3:]), ("x", "y", "z"))
    off = LBFGS(torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=torch.float64))
    assert bool((FreeEnergy(flat, off)(x, y) < free(x, y) - 0.1).any())


class Guess(nn.Module):
    """A Gaussian of the shift, from x, y and the code that is held."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(7, 2)

    def forward(self, x, y, code):
        mean, log_std = self.linear(torch.cat([x, y, code], -1)).chunk(2, -1)
        return mean, log_std


INFERENCES = {
    "codes and codes": (lambda: Product(Enumerate(CODES), Enumerate(SHIFTS)), 0.5, {}),
    "coldly": (lambda: Product(Enumerate(CODES), Enumerate(SHIFTS)), 0.0, {}),
    "a search": (
        lambda: Product(Enumerate(CODES), LBFGS(torch.zeros(1, 1))), 0.0, {"tolerance": 1e-4}
    ),
    "an encoder": (lambda: Product(Enumerate(CODES), Amortized(Guess())), 1.0, {}),
    "importance": (
        lambda: Product(Enumerate(CODES), ImportanceWeighted(Guess(), samples=3)),
        1.0,
        {"estimated": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INFERENCES)
def test_products_keep_the_laws_of_inference(name):
    build, temperature, options = INFERENCES[name]
    x, y = data()
    check_inference(build(), pulled(), x, y, temperature=temperature, **options)


def test_nested_free_energies_have_temperatures_of_their_own():
    energy, (x, y) = lines(), data()
    inner = FreeEnergy(energy, Enumerate(SHIFTS), 0.2, part=1)
    assert inner.takes_z
    assert inner.z_ndim == 1
    check_energy(inner, x, y, CODES[[0, 1, 2, 0]])
    each = table(energy, x, y)
    cold = -0.2 * ((-each / 0.2).logsumexp(1) - math.log(3))
    due = -1.5 * ((-cold / 1.5).logsumexp(0) - math.log(3))
    outer = FreeEnergy(inner, Enumerate(CODES), 1.5)
    assert torch.allclose(outer(x, y), due, rtol=1e-12)
    assert outer.bound == "exact"
    # One after the other in either order is the same where the temperatures are.
    swapped = FreeEnergy(FreeEnergy(energy, Enumerate(CODES), 0.5, part=0), Enumerate(SHIFTS), 0.5)
    both = FreeEnergy(energy, Product(Enumerate(CODES), Enumerate(SHIFTS)), 0.5)
    assert torch.allclose(swapped(x, y), both(x, y), rtol=1e-12)
    check_inference(Enumerate(CODES), inner, x, y, temperature=0.5)


def test_bounds_are_combined():
    energy, encoder = pulled(), Amortized(Guess().double())
    assert Product(Enumerate(CODES), encoder).bound == "upper"
    below = Enumerate(CODES)
    below.bound = "lower"
    with pytest.raises(ConfigurationError, match="no bound"):
        Product(below, encoder)
    with pytest.raises(ConfigurationError, match="gradients only"):
        Product(Enumerate(CODES), Sampled(Langevin(0.1), 3, start=torch.zeros(1, 1)))
    nested = FreeEnergy(FreeEnergy(energy, encoder, 1.0, part=1), Enumerate(CODES), 1.0)
    assert nested.bound == "upper"


def test_predictions_decode_all_parts():
    energy, (x, _) = lines(), data()
    infer = Product(Enumerate(CODES), Enumerate(SHIFTS))
    found = predict(FreeEnergy(energy, infer), x, 9)
    code, shift = found.z
    assert found.y.shape == (9, 4, 2)
    assert torch.allclose(found.y, energy.decode(x, (code, shift)))
    assert torch.equal(shift[:, 0, 0], SHIFTS[:, 0].repeat(3))
    nested = FreeEnergy(FreeEnergy(energy, Enumerate(CODES), part=0), Enumerate(SHIFTS))
    assert torch.allclose(predict(nested, x, 9).y, found.y)
    search = Product(Enumerate(CODES), LBFGS(torch.zeros(1, 1, dtype=torch.float64)))
    drawn = predict(
        FreeEnergy(energy, search), x, 5, prior=(None, Vector(1)), rng=torch.Generator()
    )
    assert torch.equal(drawn.z[0][:, 0].argmax(-1), torch.tensor([0, 1, 2, 0, 1]))
    with pytest.raises(ConfigurationError, match="LBFGS does not list"):
        predict(FreeEnergy(energy, search), x, 5)
    with pytest.raises(ConfigurationError, match="has 9 atoms"):
        predict(FreeEnergy(energy, infer), x, 10)


def test_joint_embeddings_train_with_both_parts_and_encode_once():
    calls = []

    class Counted(nn.Linear):
        def forward(self, y):
            calls.append(len(y))
            return super().forward(y)

    f = Counted(5, 2).double()
    pair = JointEmbedding(f, head=lines())
    search = LBFGS(torch.zeros(1, 1, dtype=torch.float64))
    free = FreeEnergy(pair, Product(Enumerate(CODES, decay=0.5), search))
    x, y = randn(6, 5, seed=6), randn(6, 5, seed=7)
    loss = Method(free, Regularized())(x, y)
    loss.value.backward()
    loss.commit()
    assert calls == [6, 6]
    assert torch.allclose(loss.value, free(x, y).mean())


def test_learned_weights_of_a_part_follow_its_own_posterior():
    energy, (x, y) = lines(), data()
    learned = Enumerate(CODES, decay=0.0)
    free = FreeEnergy(energy, Product(learned, Enumerate(SHIFTS)), 0.5)
    q = free.posterior(x, y)
    due = q.weights.unflatten(0, q.counts).sum(0).mean(1)
    Method(free, Regularized())(x, y).commit()
    assert torch.allclose(learned.log_weights.exp().double(), due, rtol=1e-6)
    nested = Enumerate(CODES, decay=0.0)
    inner = FreeEnergy(energy, nested, 0.5, part=0)
    Method(FreeEnergy(inner, Enumerate(SHIFTS), 0.5), Regularized())(x, y).commit()
    assert torch.allclose(nested.log_weights.exp().double(), due, rtol=1e-6)


def test_what_z_carries_is_measured():
    energy, (x, y) = lines(), data()
    free = FreeEnergy(energy, Product(Enumerate(CODES), Enumerate(SHIFTS)), 0.5)
    assert torch.allclose(information(free, x, y), free.posterior(x, y).information)
    pairs = free.infer.possible()
    due = table(energy, x, y).mean((0, 1)) - free(x, y)
    assert torch.allclose(gain(free, x, y, pairs), due)


def test_what_does_not_fit_is_refused():
    energy, (x, y) = lines(), data()
    for infer, options in (
        (Enumerate(CODES), {}),
        (Product(Enumerate(CODES), Enumerate(SHIFTS), Enumerate(SHIFTS)), {}),
        (Product(Enumerate(CODES), Enumerate(SHIFTS)), {"part": 1}),
        (Enumerate(CODES), {"part": 2}),
    ):
        with pytest.raises(ConfigurationError, match=r"2 part\(s\)"):
            FreeEnergy(energy, infer, **options)
    with pytest.raises(ConfigurationError, match="infers 1"):
        LBFGS(SHIFTS)(energy, x, y)
    with pytest.raises(ConfigurationError, match="two or more"):
        Product(Enumerate(CODES))
    z = CODES[:1], SHIFTS[:1]
    for held in (None, z, (None, None), z[0]):
        with pytest.raises(ConfigurationError, match="clamp all but one"):
            energy.given(x, y=y, z=held)
    with pytest.raises(ConfigurationError, match="both free"):
        energy.given(x, z=(z[0], None))
    with pytest.raises(ConfigurationError, match="and 0 came"):
        FreeEnergy(energy, Enumerate(SHIFTS), part=1).posterior(x, y)
    with pytest.raises(ConfigurationError, match="no entropy"):
        FreeEnergy(energy, Product(Enumerate(CODES), LBFGS(SHIFTS)), 0.5)(x, y)


def test_encoders_of_codes_and_vectors_go_together():
    energy, (x, y) = lines(), data()
    encoder = Product(
        AmortizedCategorical(nn.Bilinear(2, 2, 3).double()), Amortized(Guess().double())
    )
    free = FreeEnergy(energy, encoder, 1.0)
    loss = free(x, y, rng=torch.Generator().manual_seed(0)).mean()
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in free.parameters())
