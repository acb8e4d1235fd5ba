"""Pictures of couplings against those of the model that made the data."""

from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import energies
from ebmlab.plot.style import PALETTE
from exhibits.exhibit import panels

__all__ = ["Bonds", "bonded", "ising", "spins"]

ising = energies.Ising((3, 3), coupling=0.3, field=0.1, periodic=False)
_STATES = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 9).reshape(-1, 3, 3)
_P = (-ising(None, _STATES).double()).softmax(0)


class Bonds(NamedTuple):
    """Energies with all pairs coupled, by name."""

    learned: dict[str, energies.Pairwise]


def spins(n: int) -> Tensor:
    """Exact draws (n, 3, 3) of the model, all of whose states are listed."""
    rng = torch.Generator().manual_seed(0)
    return _STATES[torch.multinomial(_P, n, replacement=True, generator=rng)]


def bonded(found: Bonds) -> Figure:
    """Learned couplings against true ones, and probabilities of all states."""
    figure, (left, right) = panels(1, 1)
    true = energies.Pairwise.of(ising).couplings.detach()
    shift = 0.02 * torch.linspace(-1, 1, len(true))
    entropy = -float((_P * _P.log()).sum())
    left.plot([-0.1, 0.4], [-0.1, 0.4], color="black", linewidth=0.6)
    ends = [1e-5, 0.2]
    right.plot(ends, ends, color="black", linewidth=0.6)
    for k, (name, energy) in enumerate(found.learned.items()):
        couplings = energy.couplings.detach()
        how = {"color": PALETTE[k], "markersize": 4, "label": name}
        left.plot(true + shift, couplings, "ox"[k], **how)
        with torch.no_grad():
            q = (-energy(None, _STATES).double()).softmax(0)
        loss = float((_P * (_P / q).log()).sum()) + entropy
        how["label"] = f"{name}: NLL {loss:.3f}"
        right.plot(_P, q, "ox"[k], **{**how, "markersize": 2})
    right.plot([], [], " ", label=f"true: NLL {entropy:.3f}")
    low = min(float(e.couplings.detach().min()) for e in found.learned.values()) - 0.05
    left.set(xlabel="true coupling (spread a little)", ylabel="learned coupling", ylim=(low, None))
    right.set(xlabel="true probability of a state", ylabel="learned", xscale="log", yscale="log")
    right.legend(loc="upper left")
    if len(found.learned) > 1:
        left.legend(loc="upper left")
    return figure
