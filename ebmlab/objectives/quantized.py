"""Train what stands behind a codebook: decoder, encoder and codes."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_non_negative
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Nearest
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["VectorQuantized"]


class VectorQuantized(Objective):
    """mean E(x, y, e) + ‖sg[h] - e‖² + β ‖h - sg[e]‖², h encoded and e the nearest code.

    sg stops the gradient. The energy trains decoder and, straight through e, encoder; the second
    term trains a codebook that is a Parameter (others move on commit, and have no such term);
    the third keeps h near its code. Squares are summed over a datum.

    Args:
        commitment: β >= 0.

    Terms: `energy`, `commitment`, and `codebook` where gradients move it. Metrics, over the batch:
    `information`, the entropy of which code is used, in nats per part, at most log K;
    `perplexity`, exp of it; `restarts`, dead codes begun again so far; `e_pos`.

    Raises:
        ConfigurationError: the energy is no FreeEnergy with `Nearest` and an encoder.

    Example:
        >>> from ebmlab import methods
        >>> f, g = torch.nn.Linear(3, 2), torch.nn.Linear(2, 3)
        >>> method = methods.vq_vae(f, g, torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
        >>> sorted(method(None, torch.ones(4, 3)).terms)
        ['commitment', 'energy']

    Source: van den Oord, Vinyals, Kavukcuoglu 2017, arXiv:1711.00937.
    """

    shows = ("commitment",)

    def __init__(self, commitment: float = 0.25) -> None:
        super().__init__()
        require_non_negative("commitment", commitment)
        self.commitment = commitment

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; the encoder runs once."""
        free, infer = _quantizer(energy)
        found = infer.quantize(free.energy, x, y)
        q = infer.posterior(free.energy, found)
        e_pos = free.energy(x, y, q.atoms, rng=rng).mean()
        n, book = q.information.numel(), infer.codebook
        h, codes = found.encoded, found.codes
        away = (h - codes.detach()).square().sum() / n
        terms = {"energy": e_pos, "commitment": self.commitment * away}
        if isinstance(book.codes, nn.Parameter):
            terms["codebook"] = (h.detach() - codes).square().sum() / n
        value = torch.stack(list(terms.values())).sum()
        nats = _entropy(found.number, len(book.codes), h.dtype)
        metrics = {
            "e_pos": e_pos.detach(),
            "information": nats,
            "perplexity": nats.exp(),
            "restarts": book.restarts.clone(),
        }
        return Loss(value, {name: term.detach() for name, term in terms.items()}, metrics)


def _quantizer(energy: Energy) -> tuple[FreeEnergy, Nearest]:
    infer = energy.infer if isinstance(energy, FreeEnergy) else None
    if isinstance(energy, FreeEnergy) and isinstance(infer, Nearest) and infer.encoder is not None:
        return energy, infer
    raise ConfigurationError(
        f"VectorQuantized needs FreeEnergy(…, Nearest(codebook, encoder)), not {energy}"
    )


def _entropy(index: Tensor, k: int, dtype: torch.dtype) -> Tensor:
    """Of the share of each code, in nats."""
    share = torch.bincount(index.flatten(), minlength=k).to(dtype) / index.numel()
    return torch.special.entr(share).sum()
