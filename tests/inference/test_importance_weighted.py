"""Importance-weighted draws of z against their formula, and the bound against the likelihood."""

import math

import pytest
import torch
from linear_gaussian_support import (
    draws,
    model,
    negative_log_likelihood,
    poor_encoder,
    posterior_encoder,
)
from problems import RATE, generator
from scipy import stats
from torch import Tensor, distributions, nn

from ebmlab import FreeEnergy
from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError
from ebmlab.inference import Amortized, ImportanceWeighted
from ebmlab.networks import Mean


def free(encoder, samples: int, temperature: float = 1.0, *, doubly: bool = False) -> FreeEnergy:
    infer = ImportanceWeighted(encoder, samples, doubly=doubly)
    return FreeEnergy(model(), infer, temperature)


def log_weights(free: FreeEnergy, y: Tensor, noise: Tensor, *, stopped: bool = False) -> Tensor:
    """ℓ_k = log p(z_k) - log q(z_k) - E_k / T by torch's distributions, at given noise.

    `stopped` keeps log q's own parameters from the gradient, which goes through z alone.
    """
    mean, log_std = free.get_submodule("infer.encoder")(y)
    z = mean + log_std.exp() * noise
    mean, log_std = (mean.detach(), log_std.detach()) if stopped else (mean, log_std)
    q = distributions.Normal(mean, log_std.exp()).log_prob(z).sum(-1)
    p = distributions.Normal(torch.zeros_like(z), 1.0).log_prob(z).sum(-1)
    return p - q - free.energy(None, y, z) / free.temperature


@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("samples", [1, 7])
def test_the_free_energy_is_minus_the_log_of_the_mean_weight_with_its_gradient(
    samples, temperature
):
    y = draws(6)
    bound = free(poor_encoder(), samples, temperature)
    noise = torch.randn(samples, 6, 2, generator=generator(3), dtype=y.dtype)
    log_w = log_weights(bound, y, noise)
    due = -temperature * (log_w.logsumexp(0) - math.log(samples))
    got = bound(None, y, rng=generator(3))
    torch.testing.assert_close(got, due, rtol=1e-12, atol=1e-12)
    own = list(bound.parameters())
    assert len(own) == 5
    for ours, theirs in zip(
        torch.autograd.grad(got.sum(), own), torch.autograd.grad(due.sum(), own), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    q = bound.posterior(None, y, rng=generator(3))
    torch.testing.assert_close(q.weights, log_w.softmax(0))


def test_with_the_posterior_as_encoder_every_draw_gives_the_likelihood():
    # All weights are p(y): the bound has neither gap nor noise, whatever K and the draws.
    y = draws(20)
    due = negative_log_likelihood(y)
    for samples, seed in ((1, 0), (1, 1), (5, 2)):
        got = free(posterior_encoder(), samples)(None, y, rng=generator(seed))
        torch.testing.assert_close(got, due, rtol=1e-12, atol=1e-12)
    other = free(poor_encoder(), 5)(None, y, rng=generator())
    assert (other - due).abs().max() > 0.05


def mean_gap(samples: int, repeats: int, seed: int = 0) -> tuple[float, float]:
    """The bound above -log p(y), averaged over `repeats` times five data, and its standard error.

    The encoder is poor, so that there is a gap.
    """
    y = draws(5)
    with torch.no_grad():
        many = y.repeat(repeats, 1)
        value = free(poor_encoder(), samples)(None, many, rng=generator(seed))
        gap = (value - negative_log_likelihood(many)).reshape(repeats, 5).mean(1)
    return float(gap.mean()), float(gap.std()) / math.sqrt(repeats)


def test_the_bound_is_above_the_likelihood_and_tightens_with_the_draws():
    # Each "greater" is a z-test of independent means that equal bounds pass by chance at RATE. The
    # true differences are at least 18 standard errors, of which 4.8 are asked.
    z = stats.norm.isf(RATE)
    gaps = [mean_gap(samples, 4000, seed=samples) for samples in (1, 3, 10)]
    for (more, error), (less, other) in zip(gaps, [*gaps[1:], (0.0, 0.0)], strict=True):
        assert more - less > z * math.hypot(error, other)


def test_many_draws_give_the_likelihood():
    # 40,000 draws: the gaps of ten data have standard deviations of at most 0.005 over seeds, six
    # of which are passed by chance in one of 5e7.
    y = draws(10)
    with torch.no_grad():
        value = free(poor_encoder(), 40_000)(None, y, rng=generator(4))
        few = free(poor_encoder(), 1)(None, y, rng=generator(4))
    due = negative_log_likelihood(y)
    assert (value - due).abs().max() < 0.03
    assert (few - due).abs().max() > 0.03


def test_one_draw_is_the_amortized_bound_in_the_mean():
    y = draws(1).expand(40_000, 4)
    with torch.no_grad():
        one = free(poor_encoder(), 1)(None, y, rng=generator(5))
        closed = FreeEnergy(model(), Amortized(poor_encoder()), 1.0)(None, y, rng=generator(6))
    error = math.hypot(float(one.std()), float(closed.std())) / 200
    difference = float(one.mean() - closed.mean())
    z = stats.norm.isf(RATE / 2)
    assert abs(difference) < z * error
    assert abs(difference + 0.1) > z * error


class Given(nn.Module):
    """Means and log stds of its own for every row, so that each row has its own gradient."""

    def __init__(self, encoder: nn.Module, y: Tensor) -> None:
        super().__init__()
        self.mean, self.log_std = (nn.Parameter(part.detach().clone()) for part in encoder(y))

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean, self.log_std


def encoder_gradients(doubly: bool, encoder: nn.Module, samples: int, repeats: int) -> Tensor:
    """Gradients (repeats, 4) in the mean and log std of one datum's q, each from its own draws."""
    y = draws(1).expand(repeats, 4)
    given = Given(encoder, y)
    value = free(given, samples, doubly=doubly)(None, y, rng=generator(8)).sum()
    return torch.cat(torch.autograd.grad(value, [given.mean, given.log_std]), 1)


def test_the_doubly_reparametrized_gradient_has_the_same_mean_and_less_noise():
    plain, double = (encoder_gradients(d, poor_encoder(), 4, 40_000) for d in (False, True))
    error = (plain.var(0) + double.var(0)).sqrt() / 200
    limit = stats.norm.isf(RATE / 2 / plain.shape[1]) * error
    assert ((plain.mean(0) - double.mean(0)).abs() < limit).all()
    assert (double.var(0) < 0.7 * plain.var(0)).all()
    # The control stops log q's parameters, and weighs by w where w² is due.
    y = draws(1).expand(40_000, 4)
    given = Given(poor_encoder(), y)
    noise = torch.randn(4, 40_000, 2, generator=generator(8), dtype=y.dtype)
    value = -log_weights(free(given, 4), y, noise, stopped=True).logsumexp(0).sum()
    broken = torch.cat(torch.autograd.grad(value, [given.mean, given.log_std]), 1)
    assert not ((plain.mean(0) - broken.mean(0)).abs() < limit).all()


def test_at_the_posterior_the_doubly_reparametrized_gradient_is_exactly_zero():
    assert encoder_gradients(True, posterior_encoder(), 3, 5).abs().max() < 1e-12
    assert encoder_gradients(False, posterior_encoder(), 3, 5).abs().max() > 0.1


def test_the_energys_gradient_and_the_value_do_not_depend_on_how_the_encoders_is_taken():
    y, encoder = draws(6), poor_encoder()
    plain, double = free(encoder, 5), free(encoder, 5, doubly=True)
    values = [bound(None, y, rng=generator(2)) for bound in (plain, double)]
    assert torch.equal(*values)
    slopes = [
        torch.autograd.grad(value.sum(), list(bound.energy.parameters()))
        for value, bound in zip(values, (plain, double), strict=True)
    ]
    torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-13)


def test_at_temperature_zero_z_is_the_encoders_mean():
    y = draws(4)
    q = ImportanceWeighted(poor_encoder(), 5)(model(), None, y)
    torch.testing.assert_close(q.atoms[0], Mean(poor_encoder())(y))
    assert torch.equal(q.weights, torch.ones(1, 4, dtype=y.dtype))


def test_a_draw_of_infinite_energy_weighs_nothing():
    class Half(Reconstruction):
        def forward(self, x, y, z=None):
            assert z is not None
            return super().forward(x, y, z).masked_fill(z[..., 0] > 0, torch.inf)

    y = draws(8)
    energy = Half(model().decoder, model().distance, takes_x=False)
    bound = FreeEnergy(energy, ImportanceWeighted(poor_encoder(), 30), 1.0)
    value = bound(None, y, rng=generator())
    q = bound.posterior(None, y, rng=generator())
    assert torch.equal(q.weights == 0, q.atoms[..., 0] > 0)
    assert (q.weights == 0).any()
    assert value.isfinite().all()
    value.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in bound.parameters())


def test_what_cannot_be_weighed_is_refused():
    y = draws(2)
    infer = ImportanceWeighted(poor_encoder(), 3)
    with pytest.raises(ConfigurationError, match="samples"):
        ImportanceWeighted(poor_encoder(), 0)
    with pytest.raises(ConfigurationError, match="rng"):
        infer(model(), None, y, 1.0)
    with pytest.raises(ConfigurationError, match="log_std"):
        ImportanceWeighted(Mean(poor_encoder()))(model(), None, y, 1.0, rng=generator())
