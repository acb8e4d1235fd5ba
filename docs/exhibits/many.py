"""Inferences of many numbers at once: sparse codes, and binary fields."""

import torch
from torch import nn

from ebmlab import FreeEnergy, FunctionEnergy, energies, inference
from exhibits.exhibit import shown
from exhibits.many_drawn import Field, Sparse, binary, sparse

__all__ = ["MANY"]


def proximal() -> Sparse:
    rng = torch.Generator().manual_seed(0)
    decoder = nn.Linear(64, 32, bias=False)
    decoder.weight.data = torch.randn(32, 64, generator=rng) / 32**0.5
    z = torch.zeros(1, 64).index_fill(1, torch.randperm(64, generator=rng)[:5], 1.0)
    z = z * torch.randn(1, 64, generator=rng).sign()
    y = decoder(z).detach() + 0.03 * torch.randn(1, 32, generator=rng)
    energy = energies.Reconstruction(decoder, prior=inference.L1(0.1), takes_x=False)
    infer = inference.Proximal(starts=torch.zeros(1, 64))
    return Sparse(energy, y, z[0], infer(energy, None, y).atoms[0, 0].detach())


def factorized() -> Field:
    ising = energies.Ising((4, 4), coupling=0.35, periodic=False)

    def cost(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:  # z are clean spins, y noisy ones
        return ising(None, z.unflatten(-1, (4, 4))) - 0.5 * (y * (2 * z - 1)).sum(-1)

    energy = FunctionEnergy(cost, ("y", "z"))
    y = torch.tensor([[1, 1, -1, -1, 1, -1, -1, -1, 1, 1, 1, -1, 1, 1, -1, 1.0]])
    free = FreeEnergy(energy, inference.Factorized(16), temperature=1.0)
    return Field(energy, y, free.posterior(None, y).atoms[0, 0], free(None, y))


MANY = {
    "Proximal": shown(
        proximal,
        sparse,
        "Left: the sparse z that made y (crosses) and the one found from y, half as long (stems): "
        "most entries are exactly 0, the others shrunk a little by the penalty. Right: the energy "
        "above its minimum: with momentum (FISTA) it falls faster than without (ISTA).",
    ),
    "Factorized": shown(
        factorized,
        binary,
        "Noisy spins y, the mean-field probabilities q(z = 1), and the exact ones from all 65 536 "
        "z. Right: site by site. Mean field is too sure of itself, and its F lies above the exact "
        "one.",
    ),
}
