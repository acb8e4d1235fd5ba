"""log p(y) of every datum, by importance weighting and by annealing, against the closed form."""

import pytest
import torch
from linear_gaussian_support import (
    OFFSET,
    STD,
    decoder,
    draws,
    model,
    negative_log_likelihood,
    poor_encoder,
    posterior_encoder,
)
from partition_support import honest
from problems import F64, generator, randn
from torch import Tensor

from ebmlab import FreeEnergy
from ebmlab.energies import Gaussian, GaussianNLL, Reconstruction
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import ImportanceWeighted
from ebmlab.networks import Conditional, Mean
from ebmlab.partition import Estimate, annealed_evidence, evidence
from ebmlab.samplers import HMC

PRIOR = Gaussian(torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64))
TIMES = torch.linspace(0, 1, 31, dtype=F64)


def agrees(found: Estimate, y: Tensor) -> bool:
    """Whether the errors of 50 data are what their standard errors say, at RATE."""
    return honest(found.log_z + negative_log_likelihood(y), found.standard_error, 0.0)


def annealed(y: Tensor, kernel=None, *, chains: int = 200, seed: int = 1) -> Estimate:
    kernel = HMC(0.35, 3, jitter=0.3) if kernel is None else kernel
    return annealed_evidence(
        model(), PRIOR, kernel, None, y, times=TIMES, chains=chains, rng=generator(seed)
    )


def test_importance_weighting_finds_every_datums_likelihood():
    y = draws(50)
    found = evidence(model(), poor_encoder(), None, y, samples=2000, rng=generator(1), chunk=300)
    assert found.bound == "lower"
    assert found.log_weights is not None
    assert found.log_weights.shape == (2000, 50)
    assert agrees(found, y)
    shifted = found._replace(log_z=found.log_z + 3 * found.standard_error)
    assert not agrees(shifted, y)


def test_the_posterior_itself_is_worth_all_its_draws():
    y = draws(5)
    found = evidence(model(), posterior_encoder(), None, y, samples=40, rng=generator())
    torch.testing.assert_close(found.log_z, -negative_log_likelihood(y))
    torch.testing.assert_close(found.effective_sample_size, torch.full((5,), 40.0, dtype=F64))
    poor = evidence(model(), poor_encoder(), None, y, samples=40, rng=generator())
    assert (poor.effective_sample_size < 35).all()


def test_fitted_gaussians_come_to_the_posterior_and_leave_the_model_alone():
    energy, encoder, y = model(), poor_encoder(), draws(50)
    before = [p.detach().clone() for part in (energy, encoder) for p in part.parameters()]
    found = evidence(energy, encoder, None, y, samples=40, rng=generator(), refine=150)
    assert (found.effective_sample_size > 39).all()
    assert agrees(evidence(energy, encoder, None, y, samples=999, rng=generator(4), refine=5), y)
    after = [p for part in (energy, encoder) for p in part.parameters()]
    assert all(map(torch.equal, before, after))
    assert all(p.grad is None and p.requires_grad for p in after)


def test_annealing_finds_every_datums_likelihood():
    y = draws(50)
    found = annealed(y)
    assert found.log_weights is not None
    assert found.log_weights.shape == (200, 50)
    assert agrees(found, y)
    # The control anneals without moving: draws from the prior, and errors that are too small.
    still = annealed(y, HMC(1e-9, 1))
    assert not agrees(still._replace(standard_error=found.standard_error), y)


def test_the_estimate_is_the_importance_weighted_bound_of_the_same_draws():
    y = draws(3)
    found = evidence(model(), poor_encoder(), None, y, samples=30, rng=generator(2))
    free = FreeEnergy(model(), ImportanceWeighted(poor_encoder(), 30), 1.0)
    torch.testing.assert_close(-found.log_z, free(None, y, rng=generator(2)))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_temperature_divides_the_energy_alone(temperature):
    # E / T is another likelihood, but for its normalization: y ~ N(W z + b, T σ²).
    y, std = draws(4), STD * temperature**0.5
    same = Reconstruction(decoder(), GaussianNLL(std), takes_x=False)
    off = GaussianNLL(STD)(y, y) / temperature - GaussianNLL(std)(y, y)
    for estimate in (
        lambda e, t: evidence(
            e, poor_encoder(), None, y, samples=50, rng=generator(), temperature=t
        ),
        lambda e, t: annealed_evidence(
            e, PRIOR, HMC(0.3, 2), None, y, times=TIMES, chains=3, rng=generator(), temperature=t
        ),
    ):
        torch.testing.assert_close(
            estimate(model(), temperature).log_z, estimate(same, 1.0).log_z - off
        )


def test_models_of_x_have_an_evidence_of_pairs():
    class Shifted(torch.nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return posterior_encoder()(y - x)

    # y - x is the linear-Gaussian model's.
    line = decoder(torch.cat([torch.eye(4, dtype=F64), decoder().weight], 1), decoder().bias)
    energy = Reconstruction(Conditional(line), GaussianNLL(STD))
    x, y = randn(3, 1, 4, seed=7), draws(5)
    due = torch.stack([-negative_log_likelihood(y - row) for row in x])
    found = evidence(energy, Shifted(), x, y, samples=3, rng=generator())
    torch.testing.assert_close(found.log_z, due)
    fitted = evidence(energy, Shifted(), x, y, samples=50, rng=generator(), refine=20)
    assert (fitted.effective_sample_size > 45).all()
    assert (fitted.log_z - due).abs().max() < 0.1
    chains = annealed_evidence(
        energy, PRIOR, HMC(0.3, 3), x, y, times=TIMES, chains=100, rng=generator()
    )
    assert chains.log_z.shape == (3, 5)
    assert ((chains.log_z - due) / chains.standard_error).abs().max() < 5.5


def test_parameters_are_left_alone_and_no_graph_is_kept():
    energy, encoder, y = model(), poor_encoder(), draws(3)
    for found in (
        evidence(energy, encoder, None, y, samples=5, rng=generator()),
        annealed_evidence(
            energy, PRIOR, HMC(0.3, 2), None, y, times=TIMES[::15], chains=2, rng=generator()
        ),
    ):
        assert not found.log_z.requires_grad
    assert all(p.grad is None for part in (energy, encoder) for p in part.parameters())


def test_what_cannot_be_estimated_is_refused():
    y, rng = draws(3), generator()
    for wrong in ({"samples": 1}, {"samples": 5, "chunk": 0}, {"samples": 5, "refine": -1}):
        with pytest.raises(ConfigurationError, match=f"{[*wrong][-1]} is"):
            evidence(model(), poor_encoder(), None, y, rng=rng, **wrong)
    with pytest.raises(ConfigurationError, match="log_std"):
        evidence(model(), Mean(poor_encoder()), None, y, samples=10, rng=rng)
    with pytest.raises(ConfigurationError, match="temperature"):
        evidence(model(), poor_encoder(), None, y, samples=10, rng=rng, temperature=0.0)
    with pytest.raises(ConfigurationError, match="temperature"):
        annealed_evidence(
            model(), PRIOR, HMC(0.3), None, y, times=TIMES, chains=2, rng=rng, temperature=-1.0
        )


def slanted(n: int) -> tuple[Reconstruction, Tensor, Tensor, Tensor]:
    """A model whose two z are strongly correlated given y: -log p(y | z), y, -log p(y), draws."""
    weight = torch.tensor([[1.5, 1.4], [1.0, 1.1], [0.8, 0.6], [-0.5, -0.8]], dtype=F64)
    energy = Reconstruction(decoder(weight), GaussianNLL(STD), takes_x=False)
    y = randn(n, 2, seed=3) @ weight.T + OFFSET + STD * randn(n, 4, seed=4)
    precision = torch.eye(2, dtype=F64) + weight.T @ weight / STD**2
    mean = (y - OFFSET) @ weight @ precision.inverse() / STD**2
    root = torch.linalg.cholesky(precision.inverse())
    z = mean + randn(400, n, 2, seed=5) @ root.T
    return energy, y, negative_log_likelihood(y, weight), z


def test_draws_of_the_posterior_give_a_proposal_that_knows_its_correlations():
    energy, y, loss, found_z = slanted(20)
    rng = generator(1)
    found = evidence(energy, poor_encoder(), None, y, samples=400, rng=rng, draws=found_z)
    assert honest(found.log_z + loss, found.standard_error, 0.0)
    shifted = found._replace(log_z=found.log_z + 5 * found.standard_error)
    assert not honest(shifted.log_z + loss, shifted.standard_error, 0.0)
    fitted = evidence(energy, poor_encoder(), None, y, samples=400, rng=rng, refine=60)
    assert (found.effective_sample_size > 300).all()
    assert (fitted.effective_sample_size < 200).all()


def test_too_few_draws_for_a_covariance_or_draws_beside_refinement_are_refused():
    energy, y, _, found_z = slanted(3)
    with pytest.raises(ConfigurationError, match="pass only one"):
        evidence(
            energy, poor_encoder(), None, y, samples=9, rng=generator(), draws=found_z, refine=1
        )
    with pytest.raises(ShapeError, match="2 of each posterior"):
        evidence(energy, poor_encoder(), None, y, samples=9, rng=generator(), draws=found_z[:2])
