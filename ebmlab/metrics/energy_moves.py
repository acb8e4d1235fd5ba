"""Whether refreshed momenta let a Hamiltonian sampler reach all of its energies."""

from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.errors import ShapeError
from ebmlab.metrics.coordinates import moments, require_draws

__all__ = ["ebfmi", "potential_ebfmi"]


def ebfmi(energies: Tensor) -> Tensor:
    """The estimated fraction of missing information of each chain: mean (H_i - H_{i-1})² / Var(H).

    H_i = u(y_i) + ½‖p_i‖² is the *Hamiltonian* right after the momentum was refreshed. Around 1 is
    healthy; below 0.3 the momenta change the energy by too little and the tails are hardly seen.
    From the potential's energies alone, such as `Chain.energies`, use `potential_ebfmi`.

    Args:
        energies: H (draws, chains), at least 4 draws.

    Returns:
        (chains,) in float64; NaN where the energy is constant.

    Raises:
        ShapeError: energies are not (draws, chains), or fewer than 4 draws.
        NonFiniteError: an energy is NaN or infinite.

    Example:
        >>> import torch
        >>> ebfmi(torch.tensor([0.0, 1.0, 0.0, 1.0])[:, None])
        tensor([3.], dtype=torch.float64)

    Source: Betancourt 2016, arXiv:1604.00695.
    """
    variance = _variance(energies)
    return energies.detach().double().diff(dim=0).square().mean(0) / variance


def potential_ebfmi(energies: Tensor, dim: int) -> Tensor:
    """What `ebfmi` comes to with exact trajectories, from u alone: d / (Var(u) + d/2).

    A Gaussian momentum of d coordinates has a kinetic energy of variance d/2, independent of y
    both when it is drawn and when a trajectory ends: so mean (ΔH)² = d, Var(H) = Var(u) + d/2.
    It tells how far the energies of a potential outrun the momenta, whatever kernel drew them.

    Args:
        energies: u(y) (draws, chains), such as `Chain.energies`, at least 4 draws.
        dim: d, how many coordinates y has.

    Returns:
        (chains,) in float64; between 0 and 2, and 1 for a Gaussian.

    Raises:
        ShapeError, NonFiniteError: as in `ebfmi`.
        ConfigurationError: dim < 1.

    Example:
        >>> import torch
        >>> y = torch.randn(4000, 1, 10, generator=torch.Generator().manual_seed(0))
        >>> potential_ebfmi(0.5 * y.square().sum(-1), dim=10).round(decimals=1)
        tensor([1.], dtype=torch.float64)
    """
    require_counts(dim=dim)
    variance = _variance(energies)
    return dim / (variance + dim / 2)


def _variance(energies: Tensor) -> Tensor:
    require_draws(energies, "energies")
    if energies.ndim != 2:
        raise ShapeError(f"energies has shape {tuple(energies.shape)}; expected (draws, chains)")
    return moments(energies.detach().double().mT)[1]
