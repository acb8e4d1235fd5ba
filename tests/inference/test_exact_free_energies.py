"""Exact free energies by hand, with slopes and curvatures, and the tables that they spare."""

import pytest
import torch
from problems import F64, latent, randn
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ebmlab import FreeEnergy, methods
from ebmlab._distances import squared_distances
from ebmlab._tracing import traced
from ebmlab.energies import Clusters, Gaussian, Reconstruction
from ebmlab.inference import Enumerate
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method

DATA, ATOMS = randn(9, 3), randn(7, 2, seed=1)
WEIGHTS = torch.tensor([0.5, 1.0, 0.0, 2.0, 1.0, 0.1, 3.0], dtype=F64)
MATRIX = randn(3, 2, seed=2)


class Bent(nn.Module):
    """z -> tanh(W z)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(MATRIX.clone())

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.weight.mT).tanh()


def prior():
    return Gaussian(torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64))


def made():
    """Name, energy, its parameter, atoms, and E (n, k) by hand."""

    def apart(y, w):
        return (y[:, None] - (ATOMS @ w.mT).tanh()).square().sum(-1)

    def with_prior(y, w):
        return apart(y, w) + prior()(None, ATOMS)

    bent = Reconstruction(Bent(), takes_x=False)
    regular = Reconstruction(Bent(), prior=0.5 * prior() + 0.5 * prior(), takes_x=False)
    centers = nn.Parameter(randn(7, 3, seed=3))
    plain = Bent()
    function = latent(lambda y, z: (y - plain(z)).square().sum(-1))
    return [
        ("reconstruction", bent, bent.decoder.weight, ATOMS, apart),
        ("prior", regular, regular.decoder.weight, ATOMS, with_prior),
        ("weighted", 1.0 * bent, bent.decoder.weight, ATOMS, apart),
        ("function", function, plain.weight, ATOMS, apart),
        (
            "clusters",
            Clusters(centers),
            centers,
            torch.arange(7),
            lambda y, c: (y[:, None] - c).square().sum(-1),
        ),
    ]


def by_hand(energies, weights, temperature):
    if temperature == 0:
        return energies[:, weights > 0].amin(1)
    logs = (weights / weights.sum()).log() - energies / temperature
    return -temperature * logs.logsumexp(1)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("temperature", [0.0, 0.5, 1e-3])
@pytest.mark.parametrize("case", made(), ids=lambda case: case[0])
def test_values_slopes_and_curvatures_are_those_by_hand(case, temperature, weights):
    _, energy, parameter, atoms, table = case
    free = FreeEnergy(energy, Enumerate(atoms, weights), temperature)
    shares = torch.ones(7, dtype=F64) if weights is None else weights
    y = DATA.clone().requires_grad_()
    known = parameter.detach().clone().requires_grad_()
    found, due = free(None, y), by_hand(table(y, known), shares, temperature)
    torch.testing.assert_close(found, due, rtol=1e-12, atol=1e-12)
    way, back = randn(*DATA.shape, seed=4), randn(*parameter.shape, seed=5)
    results = []
    for value, moved in ((found, parameter), (due, known)):
        slopes = torch.autograd.grad(value.square().sum(), (y, moved), create_graph=True)
        along = (slopes[0] * way).sum() + (slopes[1] * back).sum()
        results.append([*slopes, *torch.autograd.grad(along, (y, moved))])
    for ours, theirs in zip(*results, strict=True):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_the_value_is_what_the_posterior_says(temperature):
    free = FreeEnergy(Reconstruction(Bent(), takes_x=False), Enumerate(ATOMS), temperature)
    q = free.posterior(None, DATA)
    energies = free.energy(None, DATA, q.atoms)
    due = (q.weights * energies).sum(0) + temperature * q.information
    torch.testing.assert_close(free(None, DATA), due, rtol=1e-12, atol=1e-12)


def test_x_with_batches_of_its_own_meets_every_y():
    table = randn(4, 3, seed=6)
    energy = latent(lambda y, z: (y - table[z]).square().sum(-1))
    energy.z_ndim = 0
    free = FreeEnergy(energy, Enumerate(torch.arange(4)), 0.5)
    due = by_hand((DATA[:, None] - table).square().sum(-1), torch.ones(4, dtype=F64), 0.5)
    torch.testing.assert_close(free(None, DATA.reshape(3, 1, 3, 3)).flatten(), due)


def far_out():
    """Points in pairs that are 1e-3 apart, 1e3 away from the middle of all."""
    y = torch.tensor([-1e3, 1e3], dtype=F64)[torch.arange(40) % 2, None] + randn(40, 3)
    return y, y + 1e-3 * randn(40, 3, seed=1)


def test_of_double_precision_close_pairs_far_out_are_differences():
    x, y = (t.requires_grad_() for t in far_out())
    due = (x[:, None] - y).square().sum(-1)
    found = squared_distances(x, y)
    torch.testing.assert_close(found, due, rtol=1e-8, atol=0)
    (-found).logsumexp(1).sum().backward()
    ours = [x.grad, y.grad]
    x.grad = y.grad = None
    (-due).logsumexp(1).sum().backward()
    for one, other in zip(ours, [x.grad, y.grad], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)
    # Where nothing may wait for values, as in a traced program, products stand alone.
    with traced():
        rounded = squared_distances(x, y).diagonal()
    assert ((rounded - due.diagonal()) / due.diagonal()).abs().max() > 1e-6


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor had that was made."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        # Of a view that is spread, only what lies in memory counts.
        made = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        sizes = [t.untyped_storage().size() // t.itemsize for t in made]
        self.numbers = max([self.numbers, *sizes])
        return out


def largest(call):
    with Largest() as seen:
        call()
    return seen.numbers


N, K, DIM = 600, 500, 40


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_no_table_of_data_by_atoms_by_dimensions_is_laid_out(temperature):
    y, atoms = randn(N, DIM).float(), torch.linspace(-1, 1, K)[:, None]
    decoder = nn.Linear(1, DIM)
    free = FreeEnergy(Reconstruction(decoder, takes_x=False), Enumerate(atoms), temperature)
    assert largest(lambda: free(None, y).mean().backward()) <= N * K
    clusters = FreeEnergy(Clusters(y[:K]), Enumerate(torch.arange(K)), temperature)
    step = Method(clusters, Regularized())
    assert largest(lambda: step(None, y).commit()) <= N * K
    # The counter sees one that is laid out.
    assert largest(lambda: (decoder(atoms)[:, None] - y).square().sum(-1)) == N * K * DIM


@pytest.fixture
def asked(monkeypatch):
    """How often z was inferred by enumeration."""
    calls, choose = [], Enumerate.choose

    def counted(self, *args):
        calls.append(self)
        return choose(self, *args)

    monkeypatch.setattr(Enumerate, "choose", counted)
    return calls


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_step_of_kmeans_infers_once_until_something_moves(asked, temperature):
    y, spoilt = DATA.clone(), methods.kmeans(DATA[:3], temperature)
    method = methods.kmeans(DATA[:3], temperature)
    method(None, y).commit()
    assert len(asked) == 1
    method(None, y).commit()
    assert len(asked) == 2
    loss = spoilt(None, y)
    y += 1.0
    loss.commit()
    assert len(asked) == 4
    due = methods.kmeans(DATA[:3], temperature)
    due.energy.update(None, DATA + 1.0)
    for one, other in zip(spoilt.state_dict().values(), due.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


def test_tensors_that_do_not_tell_when_they_move_are_inferred_again():
    with torch.inference_mode():
        y = DATA.clone()
        method = methods.kmeans(y[:3].clone())
        method(None, y).commit()
    due = methods.kmeans(DATA[:3])
    due(None, DATA).commit()
    for one, other in zip(method.state_dict().values(), due.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


def test_the_nearest_of_a_fine_curve_are_those_of_differences_without_all_of_them():
    t = torch.linspace(-3, 3, 800, dtype=F64)
    curve = torch.stack([t.sin(), t.cos(), t], 1).float()
    y = randn(300, 3, seed=7).float()
    free = FreeEnergy(Clusters(curve), Enumerate(torch.arange(800)))
    due = (y.double()[:, None] - curve.double()).square().sum(-1)
    z = free.posterior(None, y).atoms[0]
    found = due.gather(1, z[:, None])[:, 0]
    torch.testing.assert_close(found, due.amin(1), rtol=1e-6, atol=0)
    torch.testing.assert_close(free(None, y).double(), due.amin(1), rtol=1e-6, atol=0)
    with traced():
        torch.testing.assert_close(free(None, y).double(), due.amin(1), rtol=1e-6, atol=0)
