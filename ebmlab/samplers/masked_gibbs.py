"""Texts drawn a token at a time, each from what a model says of it given all others."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_index
from ebmlab._rows import require_finite
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.kernel import Kernel
from ebmlab.samplers.mala import MetropolisInfo
from ebmlab.types import GibbsState, Potential

__all__ = ["MaskedGibbs"]


@dataclass(frozen=True, eq=False)
class MaskedGibbs(Kernel):
    """Every step draws some sites of texts y (chains, length) anew, in turn, given all others.

    A masked model says what a hidden token may be. Its conditionals need not be those of any one
    density: unadjusted, the chain then has a law of its own, which depends on the order of the
    sites, and u only measures it. `adjusted`, each draw is a proposal with a Metropolis test
    under u, and exp(-u) is left exactly invariant whatever the conditionals are, at one more
    energy a site.

    Args:
        conditional: (y, s) to logits (chains, K) of the token at site s, which do not depend on
            the token that is there: `energies.Categorical(…, hidden=K).conditional`.
        sites: those that are drawn, in this order; None takes all, from first to last.
        adjusted: whether draws are tested.

    Raises:
        DtypeError: y is no tensor of whole numbers.
        ShapeError, ConfigurationError: y is not (chains, length), a site lies outside it, or
            logits are not (chains, K).

    Example:
        >>> from ebmlab.samplers import run
        >>> def u(y): return 2.0 * (y.diff(dim=1) != 0).sum(1)
        >>> def conditional(y, s):
        ...     like = [y[:, t, None] == torch.arange(3) for t in (s - 1, s + 1) if 0 <= t < 5]
        ...     return 2.0 * sum(part.float() for part in like)
        >>> rng, start = torch.Generator().manual_seed(0), torch.zeros(100, 5, dtype=torch.long)
        >>> run(MaskedGibbs(conditional), u, start, steps=9, rng=rng).state.y.unique()
        tensor([0, 1, 2])

    Source: Geman, Geman 1984; masked models, Wang, Cho 2019, arXiv:1902.04094; with a test,
    Goyal, Dyer, Berg-Kirkpatrick 2022, arXiv:2106.02736.
    """

    conditional: Callable[[Tensor, int], Tensor]
    sites: tuple[int, ...] | None = None
    adjusted: bool = False

    @property
    def counted(self) -> bool:
        """No: a sweep takes numbers for every site."""
        return False

    @property
    def block(self) -> int:
        """None: a sweep is long enough by itself."""
        return 0

    def require(self, y: Tensor) -> None:
        """Texts are whole numbers."""
        require_index("y", y)

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> GibbsState:
        """Energies at the start; the conditional is looked at once."""
        self.require(y)
        if y.ndim != 2 or not y.shape[1]:
            raise ShapeError(f"y has shape {tuple(y.shape)}; expected texts (chains, length)")
        if any(not 0 <= site < y.shape[1] for site in self._sites(y)):
            raise ConfigurationError(f"sites are {self.sites}; a text has {y.shape[1]}, from 0 on")
        with torch.no_grad():
            logits = self.conditional(y, self._sites(y)[0])
            energy = u(y)
        if logits.ndim != 2 or len(logits) != len(y):
            raise ShapeError(
                f"conditional gave {tuple(logits.shape)} for {len(y)} texts; expected logits "
                "(chains, K) of one site"
            )
        require_finite(y, energy, energy, "y: chain")
        return GibbsState(y.clone(), energy, energy.new_empty(len(y), 0))

    def draw(self, state: GibbsState, source: Source) -> Tensor:
        """Uniform numbers (2, sites, chains): which token, and the threshold of its test."""
        count, like = len(self._sites(state.y)), state.energy
        shape = (2, count, len(like))
        return torch.rand(shape, generator=source.rng, dtype=like.dtype, device=like.device)

    @torch.no_grad()
    def move(
        self, u: Potential, state: GibbsState, noise: Tensor
    ) -> tuple[GibbsState, MetropolisInfo]:
        """One sweep over the sites of every chain."""
        y, energy = state.y, state.energy
        accepted, lost = torch.zeros_like(energy), torch.zeros_like(energy)
        for site, share, threshold in zip(self._sites(y), *noise, strict=True):
            log_p = self.conditional(y, site).log_softmax(-1)
            fresh = y.index_copy(1, torch.tensor([site]).to(y.device), _drawn(log_p, share).to(y))
            if not self.adjusted:
                y, accepted = fresh, accepted + 1
                continue
            proposed = u(fresh)
            back, forth = (log_p.gather(1, t[:, site, None].long()).squeeze(1) for t in (y, fresh))
            log_ratio = energy - proposed + back - forth
            sound = ~(proposed.isnan() | proposed.isposinf())
            chance = torch.where(sound, log_ratio.clamp(max=0).exp(), 0.0).to(energy)
            take = threshold < chance
            y, energy = torch.where(take[:, None], fresh, y), torch.where(take, proposed, energy)
            accepted, lost = accepted + chance, lost + (~sound).to(lost)
        energy = energy if self.adjusted else u(y)
        info = MetropolisInfo(accepted / len(self._sites(y)), lost)
        return GibbsState(y, energy, state.fields), info

    def _sites(self, y: Tensor) -> tuple[int, ...]:
        return tuple(range(y.shape[1])) if self.sites is None else self.sites


def _drawn(log_p: Tensor, share: Tensor) -> Tensor:
    """The tokens (chains, 1) where sums of p (chains, K) pass a share (chains,) of the whole."""
    sums = log_p.double().exp().cumsum(-1)
    reached = share.double()[:, None] * sums[:, -1:]
    return torch.searchsorted(sums, reached, right=True).clamp(max=log_p.shape[-1] - 1)
