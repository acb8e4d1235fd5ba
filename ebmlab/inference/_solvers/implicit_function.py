"""How an argmin moves with the energy: the derivative of the implicit function."""

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative
from ebmlab._parts import single_ndim
from ebmlab._slopes import slope
from ebmlab.energy import Energy
from ebmlab.errors import GradientError
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._solvers.point import clamped
from ebmlab.types import Potential, Rng, Tree, as_potential

__all__ = ["Implicit", "implicit"]


def implicit(u: Potential, argmin: Tensor, *, damping: float = 0.0) -> Tensor:
    """The argmin again, now with its derivative in whatever u depends on.

    At a minimum ∂u/∂z = 0, hence dž/dθ = -(∂²u/∂z² + λ I)⁻¹ ∂²u/∂z∂θ, λ = 0. The Hessian of each
    row is dense: it takes as many backward passes as z has entries.

    Args:
        u: the potential that was minimized.
        argmin: (rows, *event), converged: an error of its gradient is one of the derivative.
        damping: λ >= 0, for minima that are flat in some direction.

    Raises:
        GradientError: the Hessian of a row is not positive definite.

    Example:
        >>> b = torch.tensor([[1.0, 2.0]], requires_grad=True)
        >>> z = implicit(lambda z: (z - 3 * b).square().sum(-1), 3 * b.detach())
        >>> torch.autograd.grad(z.sum(), b)[0]
        tensor([[3., 3.]])

    Source: Krantz, Parks 2002; Bai, Kolter, Koltun 2019, arXiv:1909.01377 (in networks).
    """
    require_non_negative("damping", damping)
    z = argmin.detach().requires_grad_()
    _, grad = slope(as_potential(u), z, create_graph=True)
    force = grad.reshape(len(z), -1)
    factor = _factor(_hessian(force, z), damping)
    motion = torch.cholesky_solve((force - force.detach())[..., None], factor)
    return z.detach() - motion.reshape(z.shape)


def _hessian(force: Tensor, z: Tensor) -> Tensor:
    """∂ force_j / ∂ z_i, (rows, d, d), detached."""
    columns = [
        torch.autograd.grad(entry.sum(), z, retain_graph=True, materialize_grads=True)[0]
        if entry.requires_grad
        else torch.zeros_like(z)
        for entry in force.unbind(1)
    ]
    return torch.stack([column.reshape(force.shape) for column in columns], 1)


def _factor(hessian: Tensor, damping: float) -> Tensor:
    identity = torch.eye(hessian.shape[-1], dtype=hessian.dtype, device=hessian.device)
    factor, failed = torch.linalg.cholesky_ex(hessian + damping * identity)
    if bool(failed.any()):
        row = int(failed.nonzero()[0])
        raise GradientError(
            f"row {row}: the Hessian at the argmin is not positive definite, so the argmin has no "
            "derivative there; converge further, or pass damping > 0 if the minimum is flat"
        )
    return factor


class Implicit(Inference):
    """A point inference whose z carries its derivative, for losses that see z or ŷ itself.

    Args:
        infer: finds one z per datum; it has to converge.
        damping: λ of `implicit`.

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> from ebmlab.inference import LBFGS
        >>> energy = FunctionEnergy(lambda y, z: (2 * y - z).square().sum(-1), ("y", "z"))
        >>> y = torch.ones(1, 2, requires_grad=True)
        >>> z = Implicit(LBFGS(torch.zeros(1, 2)))(energy, None, y).atoms
        >>> torch.autograd.grad(z.sum(), y)[0]
        tensor([[2., 2.]])
    """

    point = True

    def __init__(self, infer: Inference, damping: float = 0.0) -> None:
        super().__init__()
        require_non_negative("damping", damping)
        self.infer, self.damping = infer, damping

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        q = self.infer(energy, x, y, rng=rng)
        if not torch.is_grad_enabled():
            return q
        z = q.single()
        event = z.shape[z.ndim - single_ndim(energy) :]
        u = clamped(energy, x, y, z.shape, rng)
        atoms = implicit(u, z.reshape(-1, *event), damping=self.damping)
        return q._replace(atoms=atoms.reshape(z.shape), energies=None)
