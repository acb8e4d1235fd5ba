"""log p(y | x) of a model with latent z, datum by datum: an integral over z is a log Z."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_non_negative, require_positive
from ebmlab.energies import Density
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference._atoms import data_batch
from ebmlab.inference._encoding import encoded, gaussian_noise, require_log_std
from ebmlab.inference._local import fitted_gaussians
from ebmlab.partition.annealing import ais
from ebmlab.partition.course import Transition
from ebmlab.partition.estimate import Estimate
from ebmlab.types import Potential, Tree

__all__ = ["annealed_evidence", "evidence"]


@torch.no_grad()
def evidence(
    energy: Energy,
    encoder: nn.Module,
    x: Tree,
    y: Tree,
    *,
    samples: int,
    rng: torch.Generator,
    temperature: float = 1.0,
    chunk: int = 100,
    refine: int = 0,
    draws: Tensor | None = None,
) -> Estimate:
    """log ∫ exp(-E(x, y, z) / T) N(z; 0, 1) dz of each datum, by importance sampling.

    It is log p(y | x) where E = -log p(y | x, z) and T = 1. z is drawn from the encoder's Gaussian
    q, with weights exp(-E / T) p(z) / q(z): a lower bound in expectation, which is tight where q
    covers the posterior. A small effective sample size says that it does not.

    Args:
        energy: E(x, y, z), z a vector.
        encoder: maps (x, y), or y alone, to (mean, log_std), as for `Amortized`.
        x: as the energy takes it.
        y: the data, (*batch, *event).
        samples: draws of z per datum, >= 2.
        rng: a generator on y's device.
        temperature: T > 0.
        chunk: how many draws per datum at a time, which bounds the memory.
        refine: by how many steps each datum's q is first fitted to it, beyond what the encoder
            gives (see `inference.local`): a few dozen make few draws worth many.
        draws: from each datum's posterior, (s, *batch, dim) with s > dim, such as the atoms of
            `Sampled`: q is then the Gaussian of their mean and covariance, which knows how the
            entries of z correlate, and the encoder is not called.

    Returns:
        An `Estimate` whose numbers are (*batch).

    Raises:
        ConfigurationError: samples < 2, chunk < 1, refine < 0, T <= 0, draws beside refine, or no
            (mean, log_std).
        ShapeError: there are no more draws than z has entries.
        NonFiniteError: an energy is NaN or -∞, or all weights of a datum are 0.

    Example:
        >>> from ebmlab.energies import GaussianNLL, Reconstruction
        >>> from ebmlab.networks import GaussianHead
        >>> energy = Reconstruction(nn.Linear(1, 3), GaussianNLL(), takes_x=False)
        >>> rng, encoder = torch.Generator().manual_seed(0), GaussianHead(nn.Linear(3, 2))
        >>> evidence(energy, encoder, None, torch.zeros(5, 3), samples=50, rng=rng).log_z.shape
        torch.Size([5])

    Source: Rezende, Mohamed, Wierstra 2014, arXiv:1401.4082; Burda et al. 2016, arXiv:1509.00519.
    """
    require_positive("temperature", temperature)
    require_counts(chunk=chunk)
    require_non_negative("refine", refine)
    if samples < 2:
        raise ConfigurationError(f"samples is {samples}; a standard error takes at least 2")
    if draws is not None and refine:
        raise ConfigurationError("draws define q, refine improves the encoder's: pass only one")
    if draws is not None:
        mean, root = _moments(draws)
    else:
        if refine:
            encoder = fitted_gaussians(
                energy, encoder, x, y, steps=refine, rng=rng, temperature=temperature
            )
        mean, log_std = encoded(encoder, energy, x, y)
        root = torch.diag_embed(require_log_std(log_std).exp())
    log_det = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def weighed(count: int) -> Tensor:
        noise = gaussian_noise(mean, count, rng, "evidence")
        z = mean + torch.einsum("...ij,k...j->k...i", root, noise)
        # log p(z) / q(z) of two Gaussians: their constants cancel.
        ratio = 0.5 * (noise.square() - z.square()).sum(-1) + log_det
        return ratio - energy(x, y, z, rng=rng) / temperature

    full, rest = divmod(samples, chunk)
    counts = [chunk] * full + [rest] * (rest > 0)
    return Estimate.from_weights(torch.cat([weighed(count).double() for count in counts]))


def _moments(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and a root of the covariance of draws; correlations, which err most, shrunk by 1/10."""
    s, dim = len(draws), draws.shape[-1]
    if s <= dim:
        what = f"{s} of each posterior; the covariance of {dim} entries needs more"
        raise ShapeError(f"draws has shape {tuple(draws.shape)}: {what}")
    mean = draws.mean(0)
    away = draws - mean
    covariance = torch.einsum("s...i,s...j->...ij", away, away) / (s - 1)
    own = torch.diag_embed(covariance.diagonal(dim1=-2, dim2=-1))
    return mean, torch.linalg.cholesky(covariance.lerp(own, 0.1))


def annealed_evidence(
    energy: Energy,
    prior: Density,
    kernel: Transition,
    x: Tree,
    y: Tree,
    *,
    times: Tensor,
    chains: int,
    rng: torch.Generator,
    temperature: float = 1.0,
    moves: int = 1,
) -> Estimate:
    """log ∫ exp(-E(x, y, z) / T) p(z) dz of each datum, by annealing from the prior.

    The integral that `evidence` estimates, without an encoder: every datum's chains begin at
    draws from p and end at its posterior, on the path p(z) exp(-t E / T). A lower bound
    in expectation, tight where chains keep up with the path.

    `prior` is p(z), such as a standard `Gaussian`; `chains` are those of each datum, at least two,
    and the kernel moves all chains of all data. energy, x, y and the temperature are as in
    `evidence`, all else is as in `ais`.

    Returns:
        An `Estimate` whose numbers are (*batch).

    Raises:
        ShapeError, ConfigurationError, NonFiniteError: as `ais`; T <= 0.

    Example:
        >>> from ebmlab.energies import Gaussian, GaussianNLL, Reconstruction
        >>> from ebmlab.samplers import HMC
        >>> energy = Reconstruction(nn.Linear(1, 3), GaussianNLL(), takes_x=False)
        >>> times, rng = torch.linspace(0, 1, 11), torch.Generator().manual_seed(0)
        >>> prior, y = Gaussian(torch.zeros(1), torch.eye(1)), torch.zeros(5, 3)
        >>> found = annealed_evidence(
        ...     energy, prior, HMC(0.2, 5), None, y, times=times, chains=10, rng=rng
        ... )
        >>> found.standard_error.shape
        torch.Size([5])

    Source: Wu, Burda, Salakhutdinov, Grosse 2017, arXiv:1611.04273.
    """
    require_positive("temperature", temperature)
    batch = data_batch(energy, x, y)
    lead = (chains, *batch)
    log_z0 = prior.log_z.detach()

    def explained(z: Tensor) -> Tensor:
        energies = energy(x, y, z.reshape(*lead, prior.dim)).flatten()
        return energies / temperature + prior(None, z) + log_z0

    u, rows = Potential(explained), chains * batch.numel()
    found = ais(u, prior, kernel, times=times, chains=rows, rng=rng, moves=moves)
    assert found.log_weights is not None
    return Estimate.from_weights(found.log_weights.reshape(lead))
