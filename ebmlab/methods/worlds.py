"""Recipes that learn a world from films of it, in which nobody says what was done."""

from torch import nn

from ebmlab._checks import require_counts
from ebmlab.energy import Energy
from ebmlab.free_energy import Inference
from ebmlab.methods.cards import card
from ebmlab.methods.predictive import jepa
from ebmlab.protocols import Method, Regularizer
from ebmlab.regularizers import VICReg

__all__ = ["world_model"]


@card(
    energy="‖p(f(x_t), z) - g(x_{t+1})‖² + R(z)",
    z="what was done, as one of k",
    objective="mean + VICReg",
    collapse="variance; little z",
)
def world_model(
    encoder: nn.Module,
    dim: int,
    codes: int = 8,
    *,
    predictor: nn.Module | None = None,
    infer: Inference | None = None,
    target: nn.Module | None = None,
    temperature: float | None = None,
    prior: Energy | None = None,
    regularizer: Regularizer | None = None,
    weight: float = 1.0,
    energy_weight: float = 0.3,
    x_ndim: int = 3,
) -> Method:
    """A latent world model: a JEPA of films, in which z takes the place of actions unseen.

    E = ‖p(f(x_t), z_t) - g(x_{t+1})‖² + R(z_t). Since z acts alike on every code, it says what was
    done, and not what is seen; a network of h and z side by side may let it say something else at
    each code. Where films differ much and moves little, codes may spread by telling films apart,
    and z then says nothing: the moments of one film are one group, and VICReg() +
    Within(VICReg()) asks that codes spread within films too.

    `Clips.pairs` makes batches (things, moments, *event) of x and y. Of a trained method
    `prediction.inverse` says what was done in a film, `prediction.rollout` what would be seen, and
    `prediction.plan` what to do.

    Args:
        encoder: f, (n, *event) -> (n, dim), the representation.
        dim: length of a code.
        codes: length of z, >= 1.
        predictor: p(h, z); `Operators` by default.
        infer: how z is chosen; None: all `codes` one-hot z are tried.
        target: g; None is f, `teachers.EMA(f)` a slow copy of it.
        temperature: T >= 0 of the free energy over z; None as in `jepa`: warm, dim / 10.
        prior: R, an energy of z; None where `infer` counts the prior as information.
        regularizer: of the codes; VICReg() by default.
        weight: of the regularizer.
        energy_weight: of the mean energy.
        x_ndim: event dimensions of a moment: 1 points, 3 images.

    Raises:
        ConfigurationError: codes < 1.

    Example:
        >>> import torch
        >>> from ebmlab import data, fit, prediction
        >>> from ebmlab.networks import MLP
        >>> film = data.worlds.TwoRooms().clips(64, 5, torch.Generator().manual_seed(0))
        >>> f = nn.Sequential(nn.Flatten(), MLP(17 * 17, 8, (32,)))
        >>> method = world_model(f, dim=8, codes=5)
        >>> _ = fit(method, film.pairs(), steps=5, batch_size=16)
        >>> prediction.inverse(method, film.frames).shape
        torch.Size([64, 4, 5])

    Source: LeCun 2022, "A path towards autonomous machine intelligence"; Bruce et al. 2024,
    arXiv:2402.15391 (latent actions of films); Sobal et al. 2025, arXiv:2502.14819 (planning with
    such codes where actions are known).
    """
    require_counts(codes=codes)
    return jepa(
        encoder,
        dim,
        codes,
        predictor=predictor,
        infer=infer,
        target=target,
        temperature=temperature,
        prior=prior,
        regularizer=VICReg() if regularizer is None else regularizer,
        weight=weight,
        energy_weight=energy_weight,
        x_ndim=x_ndim,
    )
