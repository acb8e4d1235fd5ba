"""Chains over z where q(z | y) is a Gaussian known in closed form."""

import math

import pytest
import torch
from inference_support import _Times
from problems import F64, RATE, conditional, f64, generator, has_mean, has_variance, latent, randn
from scipy import stats
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.energies import Gaussian, Reconstruction
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.inference import Sampled
from ebmlab.samplers import HMC, MALA, Coloring, Dense, EllipticalSlice, Gibbs, Langevin
from ebmlab.types import Posterior

DECODER = f64([[2.0, 0.3], [0.0, 0.8], [1.0, 0.0]])
T = 0.5
PRIOR = Gaussian(f64([0.5, -1.0]), f64([[1.0, 0.3], [0.3, 0.5]]))
Y = f64([[1.0, 0.0, 0.5], [-2.0, 1.0, 0.0]])


def energy() -> Reconstruction:
    """½ ‖y - W z‖²."""
    half = FunctionEnergy(lambda x, y: 0.5 * (x - y).square().sum(-1), ("x", "y"))
    return Reconstruction(_Times(nn.Parameter(DECODER.clone())), half, takes_x=False)


def posterior(y: Tensor, temperature: float = T) -> tuple[Tensor, Tensor]:
    """Mean (n, 2) and covariance (2, 2) of q ∝ p(z) exp(-E / T)."""
    precision = PRIOR.precision + DECODER.T @ DECODER / temperature
    covariance = torch.linalg.inv(precision)
    pull = PRIOR.mean @ PRIOR.precision + y @ DECODER / temperature
    return pull @ covariance, covariance


def whitened(q: Posterior, temperature: float = T) -> Tensor:
    """Atoms (k, n, 2), standard normal if they are draws of the posterior."""
    mean, covariance = posterior(Y, temperature)
    return (q.atoms - mean) @ torch.linalg.inv(torch.linalg.cholesky(covariance)).T


def fits(q: Posterior, temperature: float = T) -> bool:
    """Means and variances of both coordinates and of their sum, for each datum: RATE in all."""
    for draws in whitened(q, temperature).unbind(1):
        for draw in (draws[:, 0], draws[:, 1], draws.sum(1) / math.sqrt(2)):
            if not (has_mean(draw, 0.0, 1.0, RATE / 12) and has_variance(draw, 1.0, RATE / 12)):
                return False
    return True


KERNELS = {
    "HMC": (HMC(0.15, 3), 15),
    "MALA": (MALA(0.08), 60),
    "elliptical": (EllipticalSlice(Dense(PRIOR.scale), PRIOR.mean), 30),
}


@pytest.mark.parametrize("name", KERNELS)
def test_chains_end_in_draws_of_the_posterior(name):
    sampler, steps = KERNELS[name]
    infer = Sampled(sampler, steps, chains=3000, prior=PRIOR)
    q = infer(energy(), None, Y, T, rng=generator())
    assert q.atoms.shape == (3000, 2, 2)
    assert fits(q)
    # Controls: neither at another temperature, nor where they begin.
    assert not fits(q, 2 * T)
    assert not fits(q._replace(atoms=PRIOR.sample(6000, generator(1)).reshape(3000, 2, 2)))


class Careless(Sampled):
    """Forgets the prior, where the chains go."""

    def choose(self, energy, x, y, temperature, rng):
        self.prior = None
        return super().choose(energy, x, y, temperature, rng)


def exact(weight: Tensor) -> Tensor:
    """-T log ∫ p(z) exp(-½ ‖y - W z‖² / T) dz summed over the data, up to a constant."""
    covariance = T * torch.eye(3, dtype=F64) + weight @ PRIOR.scale @ PRIOR.scale.T @ weight.T
    off = Y - PRIOR.mean @ weight.T
    fit = 0.5 * torch.einsum("ni,ij,nj->", off, torch.linalg.inv(covariance), off)
    return T * (fit + 0.5 * len(Y) * torch.logdet(covariance))


@pytest.mark.parametrize(("kind", "right"), [(Sampled, True), (Careless, False)])
def test_the_gradient_is_that_of_the_exact_free_energy(kind, right):
    model, chains = energy(), 8_000
    weight = model.get_parameter("decoder.weight")
    infer = kind(HMC(0.15, 3), 15, chains, start=PRIOR.sample(chains, generator(1)), prior=PRIOR)
    free = FreeEnergy(model, infer, T)
    assert free.bound == "gradient"
    (grad,) = torch.autograd.grad(free(None, Y, rng=generator(2)).sum(), weight)
    (due,) = torch.autograd.grad(exact(weight), weight)
    infer = kind(HMC(0.15, 3), 15, chains, start=infer.start, prior=PRIOR)
    z = infer(model, None, Y, T, rng=generator(2)).atoms
    each = -torch.einsum("kni,knj->kij", Y - z @ weight.detach().T, z)
    # The mean of 8,000 such products is Gaussian to far below the rate of a false alarm.
    torch.testing.assert_close(each.mean(0), grad)
    assert right == all(
        has_mean(each[:, i, j], float(due[i, j]), float(each[:, i, j].std()), RATE / 6)
        for i in range(3)
        for j in range(2)
    )


def test_binary_z_are_drawn_by_gibbs_without_a_prior():
    coupling, y = 0.8, f64([[0.4, -0.3], [-1.0, 0.5]])
    model = latent(lambda y, z: (y * z).sum(-1) + coupling * z.prod(-1))
    infer = Sampled(
        Gibbs(Coloring(tuple(torch.eye(2).bool()))), 12, 4000, start=torch.zeros(1, 2, dtype=F64)
    )
    q = infer(model, None, y, T, rng=generator())
    states = f64([[0, 0], [0, 1], [1, 0], [1, 1]])

    def agrees(temperature: float) -> bool:
        cost = model(None, y, states[:, None].expand(4, 2, 2))
        due = (-cost / temperature).softmax(0)
        seen = (q.atoms[:, None] == states[:, None]).all(-1).double().sum(0)
        # Both data together: twice three degrees of freedom.
        statistic = ((seen - 4000 * due).square() / (4000 * due)).sum()
        return bool(stats.chi2.sf(float(statistic), 6) > RATE)

    assert agrees(T)
    assert not agrees(1.2 * T)


def test_what_chains_cannot_tell_is_zero_and_the_value_is_the_mean_energy():
    infer = Sampled(Langevin(0.01), 3, 5, prior=PRIOR)
    model = energy()
    q = infer(model, None, Y, T, rng=generator())
    assert torch.equal(q.information, torch.zeros(2, dtype=F64))
    assert torch.equal(q.residual, torch.zeros(2, dtype=F64))
    assert not q.atoms.requires_grad
    value = FreeEnergy(model, infer, T)(None, Y, rng=generator())
    torch.testing.assert_close(value, model(None, Y, q.atoms).mean(0))


def test_chains_go_on_from_where_earlier_ones_ended():
    start, rng = randn(3, 2), generator()
    long = Sampled(MALA(0.1), 5, 3, start=start)(energy(), None, Y, T, rng=generator())
    first = Sampled(MALA(0.1), 2, 3, start=start)(energy(), None, Y, T, rng=rng)
    rest = Sampled(MALA(0.1), 3, 3, start=start).resume(first.atoms)
    torch.testing.assert_close(rest(energy(), None, Y, T, rng=rng).atoms, long.atoms)
    with pytest.raises(ShapeError, match="batch"):
        rest(energy(), None, Y[:1], T, rng=rng)


def test_every_pair_of_a_batch_has_chains_of_its_own():
    model, x, y = conditional(), randn(3, 2, seed=1), randn(4, 2, seed=2)
    start = randn(5, 3, 4, 3, seed=3)
    infer = Sampled(Langevin(0.01), 1, 5, start=start)
    q = infer(model, x[:, None], y[None], 1.0, rng=generator())
    # The step's noise is known, and so is where each chain has to be.
    push = Langevin(0.01).source(generator()).normal(start.reshape(60, 3)).reshape(start.shape)
    free = start.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(x[:, None], y[None], free).sum(), free)
    torch.testing.assert_close(q.atoms, start - 0.01 * slope + math.sqrt(0.02) * push)


def test_what_does_not_fit_is_refused():
    infer = Sampled(MALA(0.1), 2, prior=PRIOR)
    with pytest.raises(ConfigurationError, match="T is 0"):
        infer(energy(), None, Y, rng=generator())
    with pytest.raises(ConfigurationError, match="rng"):
        infer(energy(), None, Y, T)
    for arguments in ({"steps": 0}, {"steps": 1, "chains": 0}, {"steps": 1}):
        prior = PRIOR if len(arguments) == 2 or not arguments["steps"] else None
        with pytest.raises(ConfigurationError):
            Sampled(MALA(0.1), prior=prior, **arguments)
    with pytest.raises(ShapeError, match="start"):
        Sampled(MALA(0.1), 1, 3, start=torch.zeros(2, 2))
    images = FunctionEnergy(
        lambda y, z: (y - z.sum((1, 2))).square(), ("y", "z"), y_ndim=0, z_ndim=2
    )
    with pytest.raises(ShapeError, match="prior"):
        infer(images, None, Y[:, 0], T, rng=generator())
    broken = Sampled(MALA(0.1), 1, 1, start=f64([[math.nan, 0.0]]))
    with pytest.raises(NonFiniteError, match="chain"):
        broken(energy(), None, Y, T, rng=generator())
