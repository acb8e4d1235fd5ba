"""Recipes in which z is sparse."""

import torch
from torch import Tensor, nn

from ebmlab.energies import CodePrediction, Reconstruction
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import L1, Amortized, Proximal, Refined
from ebmlab.methods.cards import card
from ebmlab.networks import LISTA, Dictionary
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method

__all__ = ["lista", "psd", "sparse_coding"]


@card(energy="‖D z - y‖² + λ‖z‖₁", z="FISTA", collapse="sparse z, unit columns")
def sparse_coding(
    atoms: Tensor,
    weight: float = 1.0,
    *,
    nonnegative: bool = False,
    steps: int = 500,
    tolerance: float | None = 3e-4,
    compile: bool = False,
) -> Method:
    """Sparse coding: F(y) = min over z of ‖D z - y‖² + λ ‖z‖₁, the columns of D of length one.

    The sparsity of z, which a unit column cannot buy off, prevents collapse. Codes are
    `method.energy.posterior(None, y).atoms[0]`.

    Args:
        atoms: the first columns of D, (k, dim), such as k different data.
        weight: λ.
        nonnegative: whether z >= 0 as well.
        steps: the most proximal-gradient steps of a code.
        tolerance: where they stop, see `Proximal`.
        compile: compile the steps, for many batches of one shape.

    Source: Olshausen, Field 1996; Beck, Teboulle 2009.
    """
    penalty = L1(weight, nonnegative=nonnegative)
    energy = Reconstruction(Dictionary(atoms), prior=penalty, takes_x=False)
    start = torch.zeros(1, len(atoms), dtype=atoms.dtype, device=atoms.device)
    infer = Proximal(start, steps=steps, tolerance=tolerance, compile=compile)
    return Method(FreeEnergy(energy, infer), Regularized())


@card(energy="‖D z - y‖² + λ‖z‖₁ + α‖z - f(y)‖²", z="FISTA from f(y)", collapse="sparse z")
def psd(
    atoms: Tensor,
    encoder: nn.Module,
    weight: float = 1.0,
    prediction: float = 1.0,
    *,
    steps: int = 500,
    tolerance: float | None = 3e-4,
) -> Method:
    """Predictive sparse decomposition: sparse coding that teaches an encoder to guess its codes.

    F(y) = min over z of ‖D z - y‖² + λ ‖z‖₁ + α ‖z - f(y)‖², z found by proximal gradient from
    f(y). As in `sparse_coding` the sparsity of z prevents collapse; f is trained by the last term
    alone, and afterwards f(y) stands in for the search. Codes are
    `method.energy.posterior(None, y).atoms[0]`, their guesses `method.encode(y)`.

    Args beside those of `sparse_coding`:
        encoder: f, (n, dim) -> (n, k).
        prediction: α.

    Source: Kavukcuoglu, Ranzato, LeCun 2010, arXiv:1010.3467.
    """
    coding = Reconstruction(Dictionary(atoms), prior=L1(weight), takes_x=False)
    infer = Refined(encoder, Proximal(steps=steps, tolerance=tolerance))
    energy = FreeEnergy(coding + CodePrediction(encoder, prediction), infer)
    return Method(energy, Regularized(), encoder=encoder)


@card(energy="‖D z - y‖² + λ‖z‖₁", z="f(y), unrolled ISTA", collapse="sparse z, unit columns")
def lista(atoms: Tensor, steps: int = 3, weight: float = 1.0, *, shared: bool = False) -> Method:
    """LISTA under the energy it is to lower: F(y) = ‖D f(y) - y‖² + λ ‖f(y)‖₁.

    f unrolls `steps` steps of ISTA and learns their matrices. The sparsity of z, which a unit
    column cannot buy off, prevents collapse. D learns as well, unless it is frozen:
    `method.energy.energy.decoder.requires_grad_(False)`.

    Args beside those of `sparse_coding`:
        steps: layers of f.
        shared: whether all layers share their matrices.

    Source: Gregor, LeCun 2010, "Learning fast approximations of sparse coding", which fits f to
    the minima instead.
    """
    decoder = Dictionary(atoms)
    encoder = LISTA(decoder.weight.T, steps, weight, shared=shared)
    energy = Reconstruction(decoder, prior=L1(weight), takes_x=False)
    return Method(FreeEnergy(energy, Amortized(encoder)), Regularized(), encoder=encoder)
