"""An energy means the same however it is called: on data or on codes, wrapped or not."""

import pytest
import torch
from laws_support import X2, X3, Y2, Joined, net, normal
from test_laws_shipped_inferences import INFERENCES, OTHER_Y
from torch import nn

from ebmlab import FreeEnergy, Method, Plane, landscape, methods
from ebmlab.energies import (
    Assignment,
    Completion,
    Cosine,
    JointEmbedding,
    NearestNeighbor,
    Predicted,
    Reconstruction,
    SquaredDistance,
    Supported,
    Whitened,
)
from ebmlab.errors import ConfigurationError
from ebmlab.inference import (
    L1,
    LBFGS,
    Amortized,
    Enumerate,
    Implicit,
    LevenbergMarquardt,
    Proximal,
    Refined,
    Sinkhorn,
)
from ebmlab.metrics import information
from ebmlab.networks import Memory
from ebmlab.objectives import DenoisingScore, Regularized
from ebmlab.prediction import calibrate, predict, retrieve
from ebmlab.regularizers import VICReg
from ebmlab.testing import check_energy

RAW_X, RAW_Y = normal(4, 7, seed=20), normal(4, 6, seed=21)


class Counted(nn.Module):
    """An encoder that counts its calls."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.calls = encoder, 0

    def forward(self, h):
        self.calls += 1
        return self.encoder(h)


def encoder(codes, raw):
    """From raw data of another length to such codes; whole numbers are their own codes."""
    if codes is not None and not codes.is_floating_point():
        return Counted(nn.Identity()), codes, 0
    return Counted(net(raw.shape[1], 1 if codes is None else codes.shape[1])), raw, 1


def embedded(name):
    """An inference of the table under an energy whose codes are made of other data."""
    infer, head, x, temperature, _ = INFERENCES[name]()
    f, x, x_ndim = encoder(x, RAW_X)
    g, y, y_ndim = encoder(OTHER_Y.get(name, Y2), RAW_Y)
    pair = JointEmbedding(f, g, head, x_ndim=x_ndim, y_ndim=y_ndim)
    return FreeEnergy(pair, infer, temperature).double(), cast(x), cast(y)


def cast(t):
    return t.double() if t.is_floating_point() else t


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", INFERENCES)
def test_z_is_inferred_from_codes_and_each_side_is_encoded_once(name):
    energy, x, y = embedded(name)
    f, g = energy.energy.online, energy.energy.target
    value = energy(x, y, rng=seeded())
    assert (f.calls, g.calls) == (1, 1)
    head, hx, hy = energy.embed(x, y)
    torch.testing.assert_close(head(hx, hy, rng=seeded()), value, rtol=0, atol=0)
    q = energy.posterior(x, y, rng=seeded())
    due = energy.infer(energy.energy.head, hx, hy, energy.temperature, rng=seeded())
    torch.testing.assert_close(q.atoms, due.atoms, rtol=0, atol=0)
    assert (f.calls, g.calls) == (3, 3)
    Regularized()(energy, x, y, seeded()).commit()
    assert (f.calls, g.calls) == (4, 4)


def jepa(infer, predictor=None, prior=None, **options):
    """Data of 7 and 6 numbers, codes of 3 and 2, z of 1."""
    predictor = Joined(net(4, 2)) if predictor is None else predictor
    f, g = net(7, 3), net(6, 2)
    more = {"predictor": predictor, "infer": infer, "target": g, "prior": prior, **options}
    return methods.jepa(f, 2, 1, regularizer=VICReg(), temperature=0.0, **more)


class OfZ(nn.Module):
    """A predictor that looks at z alone."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 2)

    def forward(self, h, z):
        return self.linear(z)


START = torch.zeros(1, 1)
JEPAS = {
    "Amortized": lambda: jepa(Amortized(Joined(net(5, 1)))),
    "Proximal": lambda: jepa(Proximal(START, tolerance=1e-5), prior=L1(0.1)),
    "LevenbergMarquardt": lambda: jepa(LevenbergMarquardt(START), OfZ()),
    "LBFGS": lambda: jepa(LBFGS(START)),
    "Enumerate": lambda: jepa(Enumerate(normal(3, 1))),
}


@pytest.mark.parametrize("name", JEPAS)
def test_a_jepa_with_z_is_one_energy_in_training_and_outside(name):
    method = JEPAS[name]()
    loss = method(RAW_X, RAW_Y)
    torch.testing.assert_close(loss.metrics["e_pos"], method.energy(RAW_X, RAW_Y).mean().detach())
    assert information(method.energy, RAW_X, RAW_Y).shape == (4,)
    held = calibrate(method.energy, RAW_X, RAW_Y, level=0.5)
    assert bool(held.contains(RAW_X, RAW_Y).any())
    assert retrieve(method, RAW_X, RAW_Y, k=2).indices.shape == (4, 2)


def test_a_jepa_answers_in_data_where_its_target_leaves_y_as_it_is():
    method = methods.jepa(
        net(7, 3),
        6,
        1,
        predictor=Joined(net(4, 6)),
        infer=Enumerate(normal(3, 1)),
        target=nn.Identity(),
    )
    found = predict(method, RAW_X, k=3)
    assert found.y.shape == (3, 4, 6)
    for y, energy in zip(found.y, found.energies, strict=True):
        torch.testing.assert_close(method.energy(RAW_X, y), energy, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["Amortized", "LBFGS", "Enumerate"])
def test_a_jepa_with_z_keeps_the_laws_of_energies(name):
    method = JEPAS[name]()
    unreached = [n for n, _ in method.energy.named_parameters() if n.startswith("infer.")]
    late = unreached if name != "Amortized" else []
    second = name == "Amortized"
    differentiable = ("x", "y") if second else ()
    check_energy(
        method.energy, RAW_X, RAW_Y, unreached=tuple(late), second=second,
        differentiable=differentiable,
    )  # fmt: skip


def balanced():
    return FreeEnergy(Assignment(), Sinkhorn(0.5))


def drawn():
    """Needs random numbers."""
    decoder = Reconstruction(nn.Linear(1, 2), takes_x=False)
    return FreeEnergy(decoder, Amortized(Joined(net(2, 1), net(2, 1))), 1.0)


def predicted(part):
    return JointEmbedding(nn.Linear(2, 2), head=Predicted(nn.Linear(2, 2), part))


# Each holds a part that judges codes (2); it is judged on X2 and Y2.
WRAPPERS = {
    "Predicted": lambda part: Predicted(nn.Linear(2, 2), part),
    "NearestNeighbor": lambda part: NearestNeighbor(nn.Linear(2, 2), Memory(4, 2), part),
    "Reconstruction": lambda part: FreeEnergy(
        Reconstruction(Joined(net(4, 2)), part), Enumerate(normal(3, 2))
    ),
    "JointEmbedding": lambda part: JointEmbedding(nn.Linear(2, 2), head=part),
    "weights": lambda part: 0.5 * part / 2.0,
    "a sum": lambda part: SquaredDistance() + part,
    "all of them": lambda part: 2 * predicted(part) + Cosine(),
}
PARTS = {"Whitened": Whitened, "Sinkhorn": balanced}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_what_couples_a_batch_couples_whatever_holds_it(wrapper, part):
    energy, apart = WRAPPERS[wrapper](PARTS[part]()), WRAPPERS[wrapper](SquaredDistance())
    assert (energy.couples, apart.couples) == (True, False)
    assert not energy.stochastic
    with pytest.raises(ConfigurationError, match="couples the rows"):
        landscape(energy.given(X2[:1]), Plane.xy(), resolution=3)
    with pytest.raises(ConfigurationError, match="couples the rows"):
        retrieve(energy, X2, Y2, k=1)
    assert landscape(apart.given(X2[:1]), Plane.xy(), resolution=3).energy.shape == (3, 3)
    assert retrieve(apart, X2, Y2, k=1).indices.shape == (4, 1)


def test_inferences_and_labeled_supports_pass_on_what_couples_too():
    head = Reconstruction(Joined(net(4, 2)), Whitened(), z_ndim=1)
    for infer in (LBFGS(torch.zeros(1, 2)), Implicit(LBFGS(torch.zeros(1, 2)))):
        assert FreeEnergy(head, infer).couples
    coupling = LBFGS(torch.zeros(1, 2))
    coupling.couples = True
    plain = Reconstruction(Joined(net(4, 2)))
    for infer in (Implicit(coupling), Refined(net(4, 2), coupling)):
        assert FreeEnergy(plain, infer).couples
    assert Supported(nn.Linear(2, 2), Whitened(), classes=2).couples
    assert Completion(nn.Bilinear(3, 2, 4), Whitened(), x_ndim=(1, 1)).couples


@pytest.mark.parametrize("wrapper", [w for w in WRAPPERS if w != "Reconstruction"])
def test_what_draws_asks_for_a_generator_whatever_holds_it(wrapper):
    energy = WRAPPERS[wrapper](drawn())
    assert energy.stochastic
    with pytest.raises(ConfigurationError, match="pass rng"):
        energy(X2, Y2)
    once, twice = energy(X2, Y2, rng=seeded()), energy(X2, Y2, rng=seeded())
    assert torch.equal(once, twice)
    assert not torch.equal(once, energy(X2, Y2, rng=torch.Generator().manual_seed(1)))


def test_a_method_moves_state_that_lies_below_a_raw_objective():
    energy = JointEmbedding(nn.Linear(3, 3), head=NearestNeighbor(nn.Linear(3, 3), Memory(8, 3)))
    before = energy.head.memory.codes.clone()
    Method(energy, DenoisingScore(0.1))(X3, X3, seeded()).commit()
    assert not torch.equal(before, energy.head.memory.codes)
