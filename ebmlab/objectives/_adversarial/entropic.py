"""A generator that samples the energy: low energies and high entropy."""

import math

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_non_negative, require_positive
from ebmlab._precise import precise
from ebmlab._slopes import through
from ebmlab.losses import difference
from ebmlab.objectives._adversarial.game import Game, Play
from ebmlab.samplers._steps.start import noise_like

__all__ = ["Entropic"]


class Entropic(Game):
    """The critic descends E(y) - E(y'), the generator KL(q ‖ exp(-E) / Z) + log Z = E(y') - H(q).

    y' = g(z) + σξ, so that q(y') = ∫ N(y'; g(z), σ²) p(z) dz has a density and an entropy H. Its
    gradient needs the slope of log q, estimated by importance sampling about the z that made y':

        log q(y') ≈ log mean_i N(y'; g(z_i), σ²) p(z_i) / N(z_i; z, η²),  z_i ~ N(z, η²).

    The generator is a sampler that is learned with the energy: no chain is run, and E tends to
    -log p + c where the sampler keeps up with it. η, one number for each dimension of z, learns
    by its evidence bound E log [N(y'; g(z_i), σ²) p(z_i)] + Σ log η: it is a parameter of the
    game, for the optimizer of either player.

    Args:
        dim: length of z.
        sigma: σ > 0, in the units of y; no detail of the data finer than it is learned.
        entropy: weight of H, >= 0; 1 makes exp(-E) / Z the model.
        k: draws z_i for each y'.

    Terms: `critic`, `generator`, `entropy` (-H), `proposal` (of η). Metrics: `ess`, the share of
    the draws z_i that count.

    Example:
        >>> Entropic(dim=2, sigma=0.1)
        Entropic(sigma=0.1, entropy=1.0, k=20)

    Source: Grathwohl, Kelly, Hashemi, Norouzi, Swersky, Duvenaud 2021, arXiv:2010.04230.
    """

    shows = ("sigma", "entropy", "k")

    def __init__(self, dim: int, sigma: float = 0.1, entropy: float = 1.0, k: int = 20) -> None:
        super().__init__()
        require_counts(dim=dim, k=k)
        require_positive("sigma", sigma)
        require_non_negative("entropy", entropy)
        self.sigma, self.entropy, self.k = sigma, entropy, k
        self.loss = difference
        self.log_eta = nn.Parameter(torch.full((dim,), math.log(sigma)))

    def negatives(self, play: Play, rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The fakes and their noise."""
        fake = play.fake.detach()
        return fake + self.sigma * noise_like(fake, rng), {}

    def lead(
        self, play: Play, shown: Tensor, rng: torch.Generator
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The mean energy of y', minus the entropy of q, and minus the bound that η climbs."""
        y = play.fake + (shown - play.fake.detach())
        own, log_eta = precise(play.z), precise(self.log_eta)
        shape = (self.k, *own.shape)
        xi = torch.randn(shape, generator=rng, device=y.device, dtype=own.dtype)
        z = own + log_eta.exp() * xi
        with torch.no_grad():
            made = self._made(play, z)
            # log p(z_i) - log N(z_i; z, η²), whose constants cancel.
            excess = 0.5 * (xi.square() - z.square()).sum(-1) + log_eta.sum()

        def log_weights(at: Tensor) -> Tensor:
            return self._log_noise(at - made) + excess

        def log_q(at: Tensor) -> Tensor:
            return (log_weights(at).logsumexp(0) - math.log(self.k)).mean()

        def bound(at: Tensor) -> Tensor:
            misfits = self._log_noise(shown - self._made(play, at))
            return (misfits - 0.5 * at.square().sum(-1)).mean()

        terms = {
            "generator": through(lambda at: play.energy(play.x, at, rng=rng).mean(), y),
            "entropy": self.entropy * through(log_q, y),
            "proposal": -through(bound, z) - log_eta.sum(),
        }
        with torch.no_grad():
            counted = log_weights(shown).softmax(0).square().sum(0).reciprocal() / self.k
        return terms, {"ess": counted.mean()}

    def _made(self, play: Play, z: Tensor) -> Tensor:
        """g(x, z_i), (k, b, *event), in the type of y."""
        return play.generator(z.to(play.z.dtype), play.x).to(play.y.dtype)

    def _log_noise(self, t: Tensor) -> Tensor:
        """log N(t; 0, σ² I) of (k, b, *event), (k, b)."""
        t = precise(t).flatten(2)
        constant = t.shape[2] * math.log(self.sigma * math.sqrt(2 * math.pi))
        return -0.5 * (t / self.sigma).square().sum(2) - constant
