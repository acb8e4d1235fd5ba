"""Texts drawn site by site, against lists of all texts; rates as in test_gibbs.py."""

import pytest
import torch
from discrete_support import chi_square
from problems import F64, RATE, generator, randn

from ebmlab.energies import Categorical, PseudoEnergy
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.networks import Transformer
from ebmlab.samplers import MALA, MaskedGibbs, run
from ebmlab.types import Potential

K, LENGTH, CHAINS = 3, 3, 6000
ALL = torch.cartesian_prod(*[torch.arange(K)] * LENGTH)
PLACES = torch.tensor([K**2, K, 1])
TABLE = 1.5 * randn(len(ALL))


def u(y):
    return TABLE[y @ PLACES]


def exact(y, site):
    """Minus the energies of all tokens at a site."""
    filled = y.repeat(K, 1, 1)
    filled[:, :, site] = torch.arange(K)[:, None]
    return -TABLE[filled @ PLACES].mT


def other(y, site):
    """Conditionals that have nothing to do with u."""
    rest = y.clone()
    rest[:, site] = 0
    return 1.5 * torch.stack([randn(len(ALL), seed=9 + k)[rest @ PLACES] for k in range(K)], 1)


def accepts(y, potential=u):
    counts = (y @ PLACES).bincount(minlength=len(ALL)).numpy()
    law = (-potential(ALL).detach()).softmax(0).numpy()
    return chi_square(counts, law) > RATE


def drawn(sampler, steps, potential=u):
    """Chains that start from exact draws of exp(-u)."""
    law = (-potential(ALL).detach()).softmax(0)
    start = ALL[torch.multinomial(law, CHAINS, replacement=True, generator=generator(1))]
    return start, run(sampler, potential, start, steps=steps, rng=generator(2))


@pytest.mark.parametrize("adjusted", [False, True])
def test_exact_conditionals_keep_the_law_and_are_always_accepted(adjusted):
    start, chain = drawn(MaskedGibbs(exact, adjusted=adjusted), 3)
    assert accepts(chain.state.y)
    assert (chain.state.y != start).any(1).double().mean() > 0.5
    torch.testing.assert_close(chain.acceptance, torch.ones(CHAINS, dtype=F64))
    torch.testing.assert_close(chain.state.energy, u(chain.state.y))


def test_chains_find_the_law_from_one_text():
    start = torch.zeros(CHAINS, LENGTH, dtype=torch.long)
    assert accepts(run(MaskedGibbs(exact), u, start, steps=30, rng=generator(3)).state.y)
    assert not accepts(run(MaskedGibbs(exact), u, start, steps=1, rng=generator(3)).state.y)


@pytest.mark.parametrize(("adjusted", "right"), [(True, True), (False, False)])
def test_any_conditionals_keep_the_law_where_draws_are_tested_and_only_there(adjusted, right):
    _, chain = drawn(MaskedGibbs(other, (2, 0, 1), adjusted), 4)
    assert accepts(chain.state.y) == right
    if adjusted:
        assert 0.1 < chain.acceptance.mean() < 0.95
        torch.testing.assert_close(chain.state.energy, u(chain.state.y))


def test_a_masked_model_draws_what_it_hides_and_has_a_law_of_its_own():
    torch.manual_seed(1)
    network = Transformer(K, LENGTH, dim=4, depth=1, heads=1).double()
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, dtype=F64)
    masked = Categorical(network, y_ndim=1, hidden=K)
    energies = PseudoEnergy(masked)(None, ALL).detach()
    listed = Potential(lambda y: energies[y @ PLACES])
    _, tested = drawn(MaskedGibbs(masked.conditional, adjusted=True), 3, listed)
    assert accepts(tested.state.y, listed)
    start, free = drawn(MaskedGibbs(masked.conditional), 3, listed)
    assert not accepts(free.state.y, listed)
    held = run(MaskedGibbs(masked.conditional, (1,)), listed, start, steps=1, rng=generator())
    assert torch.equal(held.state.y[:, [0, 2]], start[:, [0, 2]])
    assert not torch.equal(held.state.y, start)


def test_proposals_without_an_energy_are_rejected_and_counted():
    def holed(y):
        return torch.where(y[:, 1] == 2, torch.nan, u(y))

    start = torch.zeros(100, LENGTH, dtype=torch.long)
    chain = run(MaskedGibbs(other, adjusted=True), holed, start, steps=5, rng=generator(), thin=1)
    assert not (chain.samples[..., 1] == 2).any()
    assert chain.info.nonfinite.sum() > 0


def test_what_is_no_text_is_told():
    start, rng = torch.zeros(4, LENGTH, dtype=torch.long), generator()
    for error, sampler, y, told in (
        (DtypeError, MaskedGibbs(exact), start.double(), "float64"),
        (ShapeError, MaskedGibbs(exact), start[:, 0], r"\(4,\)"),
        (ShapeError, MaskedGibbs(lambda y, s: exact(y, s)[0]), start, "conditional gave"),
        (ConfigurationError, MaskedGibbs(exact, (3,)), start, "sites"),
        (DtypeError, MALA(0.1), start, "int64"),
    ):
        with pytest.raises(error, match=told):
            run(sampler, u, y, steps=1, rng=rng)
