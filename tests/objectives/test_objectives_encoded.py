"""The bound of an encoder, the loss of its codes' prior, each by hand; who learns from which."""

import pytest
import torch
from problems import generator, randn
from torch import nn

from ebmlab.energies import MLP, GaussianNLL, Reconstruction
from ebmlab.errors import ConfigurationError
from ebmlab.inference import Amortized
from ebmlab.networks import GaussianHead
from ebmlab.objectives import DenoisingScore, Encoded

STD = 0.3


def model():
    torch.manual_seed(0)
    energy = Reconstruction(nn.Linear(2, 3), GaussianNLL(STD), MLP(2, hidden=(5,)), takes_x=False)
    encoder = GaussianHead(nn.Linear(3, 4))
    return energy.double(), Encoded(Amortized(encoder), DenoisingScore(0.5)).double()


def test_it_is_the_bound_without_the_prior_and_the_prior_s_own_loss():
    energy, objective = model()
    y, rng, same = randn(6, 3), generator(1), generator(1)
    loss = objective(energy, None, y, rng)
    mean, log_std = objective.infer.encoder(y)
    noise = torch.randn(1, 6, 2, generator=same, dtype=y.dtype)[0]
    z = mean + log_std.exp() * noise
    q, unit = torch.distributions.Normal(mean, log_std.exp()), torch.distributions.Normal(0, 1)
    kl = torch.distributions.kl_divergence(q, unit).sum(-1)
    likely = torch.distributions.Normal(energy.decoder(z), STD).log_prob(y).sum(-1)
    bound = (kl - likely).mean()
    prior = objective.shape(energy.prior, None, z.detach(), same).value
    torch.testing.assert_close(loss.terms["bound"], bound.detach())
    torch.testing.assert_close(loss.value, bound + prior)
    torch.testing.assert_close(loss.metrics["information"], kl.mean().detach())
    # The decoder and the encoder learn from the bound alone, the prior from its loss alone.
    for part, due in ((energy.decoder, bound), (objective.infer, bound), (energy.prior, prior)):
        learned = [p for p in part.parameters() if p.requires_grad]
        got, wanted = (
            torch.autograd.grad(value, learned, retain_graph=True, allow_unused=True)
            for value in (loss.value, due)
        )
        for a, b in zip(got, wanted, strict=True):
            assert (a is None) == (b is None)
            if a is not None and b is not None:
                torch.testing.assert_close(a, b)


def test_an_energy_without_a_prior_is_refused():
    _, objective = model()
    bare = Reconstruction(nn.Linear(2, 3), GaussianNLL(STD), takes_x=False).double()
    with pytest.raises(ConfigurationError, match="0 priors"):
        objective(bare, None, randn(6, 3), generator())


def test_a_prior_that_a_weight_makes_another_one_is_refused():
    energy, objective = model()
    for weighted in (0.5 * energy, energy / torch.tensor(2.0, dtype=torch.float64)):
        with pytest.raises(ConfigurationError, match="weighs its prior"):
            objective(weighted, None, randn(6, 3), generator())
