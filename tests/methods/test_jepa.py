"""JEPA with and without z: its formula, what z buys, how much z can say."""

import math

import pytest
import torch
from problems import F64, generator, randn
from torch import nn

from ebmlab import FreeEnergy, fit, methods
from ebmlab.data import relations
from ebmlab.energies import Gaussian, JointEmbedding
from ebmlab.errors import ConfigurationError
from ebmlab.inference import Amortized, Descent, Enumerate
from ebmlab.metrics import information
from ebmlab.networks import MLP, Choice
from ebmlab.networks.mlp import Conditional
from ebmlab.regularizers import SIGReg, VICReg
from ebmlab.teachers import EMA


def seeded(build, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def encoder(seed=0):
    return seeded(lambda: MLP(5, 3, (8,)).double(), seed)


def same(value, due, parameters):
    torch.testing.assert_close(value, due, rtol=1e-10, atol=0)
    own = list(parameters)
    for a, b in zip(torch.autograd.grad(value, own), torch.autograd.grad(due, own), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-11)


def pair(n=8):
    return randn(n, 5), randn(n, 5, seed=1)


def test_without_z_the_target_moves_too():
    f, p, (x, y) = encoder(), nn.Linear(3, 3).double(), pair()
    method = methods.jepa(f, 3, 0, predictor=p, weight=0.3, energy_weight=2.0)
    hx, hy = f(x), f(y)
    due = 2 * (p(hx) - hy).square().sum(1).mean() + 0.3 * VICReg()(hx, hy)
    same(method(x, y, generator()).value, due, method.parameters())


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_with_z_it_is_the_least_or_the_free_energy_over_codes(temperature):
    f, g, (x, y) = encoder(), encoder(2), pair()
    p = Choice(seeded(lambda: MLP(3, 4 * 3, (6,)).double()), 4)
    infer = Enumerate(torch.eye(4, dtype=F64))
    method = methods.jepa(
        f, 3, 4, predictor=p, infer=infer, target=g, temperature=temperature,
        regularizer=SIGReg(8), energy_weight=1.0,
    )  # fmt: skip
    hx, hy = f(x), g(y)
    each = (p.network(hx).unflatten(1, (4, 3)) - hy[:, None]).square().sum(-1)
    free = -0.5 * ((-each / 0.5).logsumexp(1) - math.log(4)) if temperature else each.amin(1)
    due = free.mean() + SIGReg(8)(hx, hy)
    same(method(x, y, generator()).value, due, method.parameters())


@pytest.mark.parametrize("codes", [0, 3])
def test_views_predict_each_other_both_ways(codes):
    f, (a, b) = encoder(), pair()
    p = seeded(lambda: MLP(3, max(codes, 1) * 3, (6,)).double())
    z = {"infer": Enumerate(torch.eye(codes, dtype=F64))} if codes else {}
    method = methods.jepa(
        f, 3, codes, predictor=Choice(p, codes) if codes else p, regularizer=VICReg(), **z
    )
    both = 0.5 * (method.energy(a, b) + method.energy(b, a)).mean()
    views = (a, b)
    torch.testing.assert_close(method.energy(views, views).mean(), both)
    due = 0.3 * both + VICReg()(f(a), f(b))
    same(method(views, views, generator()).value, due, method.parameters())


def test_a_prior_of_z_is_a_term_of_the_energy():
    f, p = encoder(), Conditional(nn.Linear(5, 3)).double()
    prior = Gaussian(torch.zeros(2).double(), 0.5 * torch.eye(2).double())
    infer = Enumerate(randn(6, 2, seed=3))
    z = {"infer": infer, "prior": prior, "temperature": 0.0}
    method, (x, y) = methods.jepa(f, 3, 2, predictor=p, **z), pair()
    each = [(p(f(x), z.expand(8, 2)) - f(y)).square().sum(1) + prior(None, z) for z in infer.atoms]
    torch.testing.assert_close(method.energy(x, y), torch.stack(each).amin(0))


def test_an_encoder_and_its_slow_copy():
    f = encoder()
    method = methods.jepa(f, 3, 0, predictor=nn.Linear(3, 3).double(), target=EMA(f, 0.5))
    x, y = pair()
    loss = method(x, y, generator())
    loss.value.backward()
    teacher = method.energy.target.module
    assert all(p.grad is None for p in teacher.parameters())
    with torch.no_grad():
        for p in f.parameters():
            p.add_(1.0)
    before = next(teacher.parameters()).clone()
    loss.commit()
    torch.testing.assert_close(next(teacher.parameters()), before + 0.5)


def joined(outputs):
    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.mean, self.log_std = nn.Linear(6, outputs), nn.Linear(6, outputs)

        def forward(self, hx, hy):
            both = torch.cat([hx, hy], -1)
            return self.mean(both), self.log_std(both)

    return Joined().double()


INFERENCES = {
    "none": lambda: (None, 0.0),
    "Enumerate": lambda: (Enumerate(torch.eye(2, dtype=F64)), 0.0),
    "Enumerate, warm": lambda: (Enumerate(torch.eye(2, dtype=F64)), 0.5),
    "Descent": lambda: (Descent(randn(2, 2), steps=5), 0.0),
    "Amortized": lambda: (Amortized(joined(2)), 1.0),
}


@pytest.mark.parametrize("name", INFERENCES)
def test_every_way_to_choose_z_trains_and_state_moves_in_commit_only(name):
    infer, temperature = INFERENCES[name]()
    f = encoder()
    p = nn.Linear(3, 3) if infer is None else Conditional(nn.Linear(5, 3))
    target = EMA(f, 0.9)
    z = {} if infer is None else {"codes": 2, "infer": infer, "temperature": temperature}
    method = methods.jepa(f, 3, **{"codes": 0, **z}, predictor=p.double(), target=target)
    assert isinstance(method.energy, JointEmbedding if infer is None else FreeEnergy)
    x, y = randn(32, 5), randn(32, 5, seed=1)
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=1e-2)
    values = []
    for _ in range(15):
        state = {k: v.clone() for k, v in method.state_dict().items()}
        loss = method(x, y, generator())
        assert all(torch.equal(v, state[k]) for k, v in method.state_dict().items())
        values.append(float(loss.value.detach()))
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
    assert values[-1] < values[0]
    assert int(target.clock) == 15
    assert method.encode(x).shape == (32, 3)


def trained(codes, energy_weight=1.0, seed=0):
    """x and y on two lines that cross, both through one affine encoder: code = a x + b."""
    x, y = relations.crossing_lines(512, generator())
    p = Choice(MLP(1, codes, (16,)), codes)
    more = {"temperature": 0.0, "regularizer": VICReg(), "energy_weight": energy_weight}
    method = seeded(lambda: methods.jepa(nn.Linear(1, 1), 1, codes, predictor=p, **more), seed)
    fit(method, (x, y), steps=90, lr=0.05, rng=generator(seed))
    return method


@pytest.fixture(scope="module")
def models():
    return {codes: seeded(lambda codes=codes: trained(codes)) for codes in (1, 2)}


def predictions(method, x):
    """p(f(x), z) for every z, as the y of this code, (n, codes)."""
    (f, head), infer = (
        (method.energy.energy.online, method.energy.energy.head),
        method.energy.infer,
    )
    n = len(x)
    codes = [head.decode(f(x), z.expand(n, -1)) for z in infer.atoms]
    return ((torch.cat(codes, 1) - f.bias) / f.weight[0, 0]).detach().sort(1).values


def test_with_z_both_right_codes_are_predicted_and_without_it_their_mean(models):
    x = torch.linspace(0.3, 0.9, 7)[:, None]
    right = torch.stack(relations.crossing_lines.branches(x[:, 0]))
    assert (predictions(models[2], x) - right).abs().max() < 0.15
    alone = predictions(models[1], x)
    assert (alone - right.mean(1, keepdim=True)).abs().max() < 0.25
    assert (alone - right).abs().amin(1).min() > 0.15


def test_right_codes_have_low_energy_with_z_only(models):
    x, y = relations.crossing_lines(500, generator(5))
    energies = {codes: model.energy(x, y).detach().mean() for codes, model in models.items()}
    # Without z what is left is the variance of the code itself, which VICReg keeps at 1 or more.
    assert energies[2] < 0.1 < 0.7 < energies[1]
    assert all(model.encode(x).detach().std() > 0.8 for model in models.values())


def test_without_z_a_heavy_energy_shrinks_the_code_by_what_cannot_be_predicted():
    # At the least of w s² + 25 (1 - s) the deviation s of the code is 12.5 / w.
    method = seeded(lambda: trained(1, energy_weight=25.0))
    x, _ = relations.crossing_lines(512, generator())
    assert method.encode(x).detach().std() == pytest.approx(0.5, abs=0.05)


def test_an_encoder_forgets_without_z_what_x_cannot_tell_and_keeps_it_with_z():
    # y is x or -x: a code of y by a network may drop the sign, and |y| alone can be predicted.
    x, y = relations.crossing_lines(512, generator())
    share = {}
    for codes in (1, 2):

        def build(codes=codes):
            f, g, p = MLP(1, 1, (32,)), MLP(1, 1, (32,)), Choice(MLP(1, codes, (32,)), codes)
            more = {"temperature": 0.0, "regularizer": VICReg(), "energy_weight": 25.0}
            return methods.jepa(f, 1, codes, predictor=p, target=g, **more)

        method = seeded(build)
        fit(method, (x, y), steps=150, lr=1e-2, rng=generator())
        size = torch.linspace(0.2, 1.0, 50)[:, None]
        g = method.energy.energy.target
        with torch.no_grad():
            share[codes] = float((g(size) - g(-size)).square().mean() / 4 / g(y).var())
        # Neither code has collapsed: regularization sees to that in both.
        assert g(y).detach().std() > 0.8
    assert share[1] < 0.02 < 0.7 < share[2]


def test_z_carries_at_most_the_log_of_how_many_codes_there_are(models):
    x, y = relations.crossing_lines(300, generator(5))
    for model in models.values():
        soft = FreeEnergy(model.energy.energy, model.energy.infer, temperature=0.01)
        nats = information(soft, x, y)
        assert nats.max() <= soft.infer.capacity() + 1e-6
    assert nats.mean() > 0.8 * math.log(2)


def test_a_temperature_or_a_prior_without_a_way_to_choose_z_is_refused():
    prior = Gaussian(torch.zeros(1), torch.eye(1))
    for wrong in ({"temperature": 1.0}, {"prior": prior}, {"infer": Enumerate(torch.eye(2))}):
        with pytest.raises(ConfigurationError, match="there is no z"):
            methods.jepa(nn.Linear(1, 1), 1, 0, **wrong)


def test_by_default_z_chooses_operators_warm_and_what_differs_within_a_pair_is_kept():
    f, (x, y) = encoder(), pair()
    method = methods.jepa(f, 3, 2).double()
    p = method.energy.energy.head.decoder
    hx, hy = f(x), f(y)
    moved = torch.einsum("kij,nj->nki", p.maps, hx) + p.shifts
    each = (moved - hy[:, None]).square().sum(-1)
    free = -0.3 * ((-each / 0.3).logsumexp(1) - math.log(2))
    within = VICReg().of(torch.cat([hx - hy, hy - hx]) / 2**0.5)
    due = 0.3 * free.mean() + VICReg()(hx, hy) + within
    same(method(x, y, generator()).value, due, method.parameters())
    assert methods.jepa(f, 3, 2, infer=Descent(torch.zeros(1, 2))).energy.temperature == 0


def test_a_predictor_that_is_an_empty_sequence_is_kept():
    method = methods.jepa(nn.Identity(), 2, 0, predictor=nn.Sequential())
    x = torch.ones(4, 2)
    assert torch.equal(method.energy(x, 3 * x), torch.full((4,), 8.0))
