"""Guessed codes: what is drawn, what it costs, and the gradient straight through."""

import math

import pytest
import torch
from laws_support import all_codes
from problems import F64, RATE, Net, f64, generator, randn
from scipy import stats
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import AmortizedCategorical, Enumerate

COST = randn(4, seed=5)
Y = randn(6, 2, seed=3)


def linear() -> FunctionEnergy:
    """Σ_k c_k(y) z_k of one code out of four."""
    return FunctionEnergy(
        lambda y, z: (COST * y.sum(-1, keepdim=True).exp() * z).sum(-1), ("y", "z")
    )


def interacting() -> FunctionEnergy:
    """z_1ᵀ J z_2 of two codes out of three."""
    table = randn(3, 3, seed=6)
    return FunctionEnergy(
        lambda y, z: torch.einsum("nk,kl,nl->n", z[:, 0], table, z[:, 1]), ("y", "z"), z_ndim=2
    )


class Logits(nn.Module):
    """The same logits for all y."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, y: Tensor) -> Tensor:
        return self.logits.expand(len(y), *self.logits.shape)


def expected(
    encoder: nn.Module, energy: FunctionEnergy, codes: Tensor, temperature: float
) -> Tensor:
    """Σ_z q(z) E(z) + T KL(q || uniform) over all codes, (n,)."""
    log_q = encoder(Y).log_softmax(-1)
    each = (log_q[:, None] * codes).flatten(2).sum(-1).T
    cost = energy(None, Y, codes[:, None].expand(-1, len(Y), *codes.shape[1:]))
    nats = (log_q.exp() * log_q).flatten(1).sum(-1) + math.log(len(codes))
    return (each.exp() * cost).sum(0) + temperature * nats


def test_at_zero_temperature_the_likeliest_code_is_taken():
    encoder = Net(2, 4)
    q = AmortizedCategorical(encoder)(linear(), None, Y)
    assert q.atoms.shape == (1, 6, 4)
    assert torch.equal(q.atoms[0], nn.functional.one_hot(encoder(Y).argmax(-1), 4).double())
    assert torch.equal(q.information, torch.zeros(6, dtype=F64))


def test_draws_have_the_probabilities_of_the_logits():
    logits, n = f64([[0.0, 1.0, -1.0], [2.0, 0.0, 0.5]]), 20_000
    q = AmortizedCategorical(Logits(logits), n)(interacting(), None, Y[:1], 1.0, rng=generator())
    torch.testing.assert_close(q.weights.sum(0), torch.ones(1, dtype=F64))
    assert (q.atoms.sum(-1) == 1).all()

    def fits(due: Tensor) -> bool:
        seen = q.atoms[:, 0].sum(0).detach()
        statistic = ((seen - n * due).square() / (n * due)).sum()
        return bool(stats.chi2.sf(float(statistic), 4) > RATE)

    assert fits(logits.softmax(-1))
    assert not fits((0.9 * logits).softmax(-1))


def test_the_information_runs_from_nothing_to_log_k_per_part():
    for logits, nats in ((torch.zeros(2, 3), 0.0), (100 * torch.eye(3)[:2], 2 * math.log(3))):
        q = AmortizedCategorical(Logits(logits.double()))(
            interacting(), None, Y, 1.0, rng=generator()
        )
        torch.testing.assert_close(q.information.detach(), torch.full((6,), nats, dtype=F64))


def test_the_gradient_is_exact_at_every_draw_where_the_energy_is_linear():
    encoder, energy = Net(2, 4), linear()
    free = FreeEnergy(energy, AmortizedCategorical(encoder), 0.7)
    own, codes = list(encoder.parameters()), torch.eye(4, dtype=F64)
    due = torch.autograd.grad(expected(encoder, energy, codes, 0.7).sum(), own)
    for seed in range(3):
        got = torch.autograd.grad(free(None, Y, rng=generator(seed)).sum(), own)
        torch.testing.assert_close(got, due)
    # Control: the information's share alone is something else.
    q = free.posterior(None, Y, rng=generator())
    rest = torch.autograd.grad(0.7 * q.information.sum(), own)
    assert (rest[0] - due[0]).abs().max() > 0.1


def test_value_and_gradient_are_right_in_the_mean_where_parts_interact():
    encoder, energy, n = Logits(randn(2, 3, seed=8)), interacting(), 40_000
    infer = AmortizedCategorical(encoder, n)
    free = FreeEnergy(energy, infer, 0.7)
    value = free(None, Y[:1], rng=generator())
    exact = expected(encoder, energy, all_codes(2, 3).double(), 0.7)[:1]
    (due,) = torch.autograd.grad(exact.sum(), encoder.logits)
    (got,) = torch.autograd.grad(value.sum(), encoder.logits)
    # Energies and their slopes span at most 4, so that a mean of n has a standard error below
    # 2 / √n; six of those are passed at one seed in 5e8, and there are seven numbers.
    slack = 6 * 2 / math.sqrt(n)
    torch.testing.assert_close(value.detach(), exact.detach(), rtol=0, atol=slack)
    torch.testing.assert_close(got, due, rtol=0, atol=slack)
    assert (due.abs() > 2 * slack).any()


def test_a_relaxation_changes_the_way_back_and_nothing_else():
    encoder, energy, tau = Net(2, 4), linear(), 0.5
    plain, relaxed = (AmortizedCategorical(encoder, 3, relaxation=r) for r in (None, tau))
    q, r = (infer(energy, None, Y, 1.0, rng=generator()) for infer in (plain, relaxed))
    for name in ("atoms", "weights", "information"):
        assert torch.equal(getattr(q, name), getattr(r, name))
    uniform = torch.rand(3, 6, 4, generator=generator(), dtype=F64)
    soft = ((encoder(Y) - (-uniform.log()).log()) / tau).softmax(-1)
    own, scale = list(encoder.parameters()), randn(3, 6, 4, seed=9)
    due = torch.autograd.grad((scale * soft).sum(), own)
    torch.testing.assert_close(torch.autograd.grad((scale * r.atoms).sum(), own), due)
    straight = torch.autograd.grad((scale * q.atoms).sum(), own)
    assert (straight[0] - due[0]).abs().max() > 1e-3


def test_a_trained_encoder_reaches_the_exact_free_energy():
    # Costs are linear in y but for what codes share, and so are the logits of the exact q.
    centers = f64([[2.0, 0.0], [0.0, 2.0], [-1.0, -1.0]])
    energy = FunctionEnergy(
        lambda y, z: (torch.cdist(y, centers).square() * z).sum(-1), ("y", "z")
    )
    encoder = nn.Linear(2, 3).double()
    nn.init.zeros_(encoder.weight)
    nn.init.zeros_(encoder.bias)
    codes, temperature = torch.eye(3, dtype=F64), 2.0
    free = FreeEnergy(energy, AmortizedCategorical(encoder), temperature)
    exact = FreeEnergy(energy, Enumerate(codes), temperature)(None, Y)

    def above() -> float:
        return (expected(encoder, energy, codes, temperature) - exact).mean().item()

    assert above() > 0.5
    optimizer, rng = torch.optim.Adam(encoder.parameters(), 0.1), generator()
    for _ in range(150):
        optimizer.zero_grad()
        free(None, Y, rng=rng).mean().backward()
        optimizer.step()
    assert 0 <= above() < 1e-3


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigurationError, match="samples"):
        AmortizedCategorical(Net(2, 4), 0)
    with pytest.raises(ConfigurationError, match="relaxation"):
        AmortizedCategorical(Net(2, 4), relaxation=0.0)
    with pytest.raises(ConfigurationError, match="rng"):
        AmortizedCategorical(Net(2, 4))(linear(), None, Y, 1.0)
    with pytest.raises(ShapeError, match="logits"):
        AmortizedCategorical(Net(2, 4))(interacting(), None, Y)
    images = Reconstruction(nn.Linear(4, 2).double(), takes_x=False)
    pair = nn.Module()
    pair.forward = lambda y: (y, y)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ShapeError, match="pair"):
        AmortizedCategorical(pair)(images, None, Y)


def test_all_codes_are_weighed_without_chance_and_the_gradient_is_exact_whatever_the_energy():
    encoder, codes = Net(2, 4), torch.eye(4, dtype=F64)
    bent = FunctionEnergy(lambda y, z: (y.sum(-1) * (z * COST).sum(-1)).exp(), ("y", "z"))
    ours = FreeEnergy(bent, AmortizedCategorical(encoder, None), 0.5)(None, Y)
    due = expected(encoder, bent, codes, 0.5)
    torch.testing.assert_close(ours, due)
    own = list(encoder.parameters())
    exact = torch.autograd.grad(due.sum(), own)
    torch.testing.assert_close(torch.autograd.grad(ours.sum(), own), exact)
    # Control: straight through one draw it is not.
    drawn = FreeEnergy(bent, AmortizedCategorical(encoder), 0.5)(None, Y, rng=generator())
    assert (torch.autograd.grad(drawn.sum(), own)[0] - exact[0]).abs().max() > 0.1
    with pytest.raises(ConfigurationError, match="several parts"):
        AmortizedCategorical(Logits(randn(2, 3)), None)(interacting(), None, Y, 1.0)
