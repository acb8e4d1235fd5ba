"""Faults met on purpose: each injected, the message read, and a control that passes.

The numbers are those of the list of faults; what samplers and `run` do about theirs (12 to 15, 19,
20, 22, 23) is tested beside them.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ebmlab import Energy, FreeEnergy, FunctionEnergy, perturbations
from ebmlab.energies import MLP, Cosine, Gaussian, JointEmbedding, SquaredDistance
from ebmlab.errors import EbmlabError
from ebmlab.inference import Amortized, Descent, Enumerate
from ebmlab.losses import InfoNCE
from ebmlab.negatives import Corrupted, FromData, InBatch, MostOffending, Noise, Replay
from ebmlab.objectives import (
    NCE,
    Contrastive,
    DenoisingScore,
    GradientPenalty,
    Likelihood,
    Regularized,
)
from ebmlab.samplers import MALA, Langevin


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=_rng(seed))


def refused(kind: type[EbmlabError], call: Callable[[], object], *fragments: str) -> None:
    """The call raises a typed error that is also a built-in one and says all the fragments."""
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, EbmlabError)
    assert isinstance(caught.value, ValueError | RuntimeError)
    for fragment in fragments:
        assert fragment in str(caught.value)


def _noise() -> Noise:
    return Noise(Gaussian(torch.zeros(2), torch.eye(2)), k=3)


def _offending() -> MostOffending:
    return MostOffending(0.5, Descent(steps=2))


def _summed() -> Likelihood:
    return Likelihood(_normal(5, 2, seed=3), torch.zeros(5))


# All that is done with an energy of x and y (vectors of 2).
USES: dict[str, Callable[[Energy, Tensor | None, Tensor], object]] = {
    "energy": lambda e, x, y: e(x, y),
    "potential": lambda e, x, y: e.given(x)(y),
    "gradient": lambda e, x, y: e.given(x).value_and_grad(y),
    "in_batch": lambda e, x, y: InBatch()(e, x, y),
    "noise": lambda e, x, y: _noise()(e, x, y, _rng()),
    "corrupted": lambda e, x, y: Corrupted(perturbations.Gaussian(0.25), 2)(e, x, y, _rng()),
    "most_offending": lambda e, x, y: _offending()(e, x, y, _rng()),
    "nce": lambda e, x, y: NCE(_noise().density, 2)(e, x, y, _rng()),
    "likelihood": lambda e, x, y: _summed()(e, x, y),
    "gradient_penalty": lambda e, x, y: GradientPenalty()(e, x, y),
    "from_data": lambda e, x, y: FromData(Langevin(0.01), 2)(e, x, y, _rng()),
    "replay": lambda e, x, y: Replay(torch.zeros(9, 2), MALA(0.01), 2)(e, x, y, _rng()),
    "contrastive": lambda e, x, y: Contrastive(InfoNCE(), InBatch())(e, x, y),
    "regularized": lambda e, x, y: Regularized()(e, x, y),
    "denoising_score": lambda e, x, y: DenoisingScore(0.1)(e, x, y, _rng()),
}
SAMPLED = (
    "gradient",
    "from_data",
    "replay",
    "denoising_score",
    "most_offending",
    "gradient_penalty",
)
uses = pytest.mark.parametrize("use", USES.values(), ids=USES)
slopes = pytest.mark.parametrize("use", [USES[name] for name in SAMPLED], ids=SAMPLED)

ENERGIES: dict[str, Callable[[], Energy]] = {
    "network": lambda: MLP(2, x_dim=2),
    "codes": SquaredDistance,
    "cosine": Cosine,
    "embedding": lambda: JointEmbedding(nn.Linear(2, 3), head=SquaredDistance()),
}
energies = pytest.mark.parametrize("build", ENERGIES.values(), ids=ENERGIES)

# All ways to infer a z of length 2; the encoder takes x and y of length 2.
INFERENCES: dict[str, Callable[[], tuple[nn.Module, float]]] = {
    "enumerate": lambda: (Enumerate(_normal(3, 2)), 0.0),
    "enumerate_warm": lambda: (Enumerate(_normal(3, 2)), 0.5),
    "descent": lambda: (Descent(_normal(3, 2), steps=2), 0.0),
    "amortized": lambda: (Amortized(_Joined(nn.Linear(4, 2))), 0.0),
}
inferences = pytest.mark.parametrize("infer", INFERENCES.values(), ids=INFERENCES)


class _Joined(nn.Module):
    """A network of several vectors side by side."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(torch.cat(inputs, dim=-1))


def _pair_energy(output: Callable[[Tensor], Tensor] = lambda e: e[:, 0]) -> FunctionEnergy:
    """A network of x and y, whose output (n, 1) is made an energy, right or wrong."""
    network = _Joined(nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1)))
    return FunctionEnergy(lambda x, y: output(network(x, y)), ("x", "y"))


def _latent_energy(output: Callable[[Tensor], Tensor] = lambda e: e[:, 0]) -> FunctionEnergy:
    network = _Joined(nn.Sequential(nn.Linear(6, 8), nn.Softplus(), nn.Linear(8, 1)))
    return FunctionEnergy(lambda x, y, z: output(network(x, y, z)), ("x", "y", "z"))


def _free(infer: Callable[[], tuple[nn.Module, float]], energy: Energy) -> FreeEnergy:
    inference, temperature = infer()
    return FreeEnergy(energy, inference, temperature)
