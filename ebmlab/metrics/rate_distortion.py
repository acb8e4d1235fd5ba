"""How much z tells, and how well y is then predicted, over temperature."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._kinds import require_a
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy
from ebmlab.types import Rng, Tree

__all__ = ["RateDistortion", "rate_distortion"]


class RateDistortion(NamedTuple):
    """A curve over temperature, each (t,) in float64.

    Attributes:
        temperature: T, as given.
        rate: mean KL(q_T(z | x, y) || prior), nats.
        distortion: mean E_q[E(x, y, z)], in the units of the energy.
    """

    temperature: Tensor
    rate: Tensor
    distortion: Tensor


@torch.no_grad()
def rate_distortion(
    energy: Energy, x: Tree, y: Tree, temperatures: Sequence[float], rng: Rng = None
) -> RateDistortion:
    """(rate, distortion) of one trained energy at each temperature: F_T = distortion + T * rate.

    q_T minimizes distortion + T * rate, so that -T is the curve's slope; as T grows the rate falls
    to 0 and the distortion rises to that of a guessed z. With the prior that suits the data best
    the curve is Shannon's. x and y are encoded once.

    Raises:
        ConfigurationError: the energy is no `FreeEnergy`, its inference is not exact, or T <= 0,
            where one z is found whose nats are not known.

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> from ebmlab.inference import Enumerate
        >>> hamming = FunctionEnergy(lambda y, z: (y - z).abs().sum(-1), ("y", "z"))
        >>> bits = torch.tensor([[0.0], [1.0]])
        >>> free = FreeEnergy(hamming, Enumerate(bits))
        >>> curve = rate_distortion(free, None, bits, [0.1, 1.0, 100.0])
        >>> [round(nats, 2) for nats in curve.rate.tolist()]
        [0.69, 0.11, 0.0]

    Source: Blahut 1972; Arimoto 1972.
    """
    free = require_a(FreeEnergy, "energy", energy, "one that infers z, such as method.energy")
    if free.infer.bound != "exact" or free.infer.point:
        raise ConfigurationError(
            f"{type(free.infer).__name__} is not exact over temperatures (its bound is "
            f"{free.infer.bound!r}); judge with FreeEnergy(energy.energy, Enumerate(…))"
        )
    for temperature in temperatures:
        require_positive("a temperature", temperature)
    codes = free.energy.codes(x, y)
    found = []
    for temperature in temperatures:
        pairs = []
        for hx, hy in codes.groups():
            q = free.infer(codes.head, hx, hy, temperature, rng=rng)
            e = codes.head(hx, hy, q.atoms, rng=rng) if q.energies is None else q.energies
            distortion = (q.weights * e.masked_fill(q.weights == 0, 0.0)).sum(0)
            pairs.append(torch.stack([q.information.mean(), distortion.mean()]).double())
        found.append(torch.stack(pairs).mean(0))
    rate, distortion = torch.stack(found).unbind(1)
    return RateDistortion(torch.tensor(temperatures, dtype=torch.float64), rate, distortion)
