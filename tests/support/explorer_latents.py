"""The explorer's free energies and its losses of codes."""

from collections.abc import Callable

import torch
from explorer_numbers import Asked, Parts, normal, number
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.energies import Assignment, Cosine, SquaredDistance
from ebmlab.inference import Enumerate, Sinkhorn
from ebmlab.inference._clusters.sinkhorn import balanced
from ebmlab.metrics import rankme
from ebmlab.objectives import NTXent, Regularized
from ebmlab.regularizers import VICReg

__all__ = ["codes", "latent"]


def latent() -> Asked:
    return {"latent": _gaussians(), "ellipse": _ellipse()}


def _gaussians() -> tuple[Parts, Parts]:
    """F at T = 1 over which of five Gaussians: the uniform prior's 1/K is given back."""
    logits, log_scale = 0.3 * normal(5, seed=14), 0.2 * normal(5, seed=15)
    weights = [t.requires_grad_() for t in (logits, log_scale, normal(5, 2, seed=16))]

    def gaussian(y: Tensor, z: Tensor) -> Tensor:
        logits, log_scale, means = weights
        k = z[..., 0].long()
        off = (y - means[k]).square().sum(-1) / (2 * (2 * log_scale).exp()[k])
        level = torch.log(2 * number(torch.pi)[0]) + 2 * log_scale[k]
        return off + level - logits.log_softmax(0)[k] - number(5).log()[0]

    energy = FunctionEnergy(gaussian, variables=("y", "z"))
    free = FreeEnergy(energy, Enumerate(torch.arange(5.0, dtype=torch.float64)[:, None]), 1.0)
    y = normal(24, 2, seed=17)
    value = free(None, y).mean()
    grads = torch.autograd.grad(value, weights)
    whole = torch.cat([t.detach().flatten() for t in weights])
    answer = {"value": value.detach(), "gradient": torch.cat([g.flatten() for g in grads])}
    return {"weights": whole, "y": y}, answer


def _ellipse() -> tuple[Parts, Parts]:
    angles = torch.arange(48, dtype=torch.float64)[:, None] * (2 * torch.pi / 48)
    radii, y, temperatures = number(2.0, 1.5), number(0.7, -0.4)[None], number(0.3, 1.0, 5.0)

    def distance(y: Tensor, z: Tensor) -> Tensor:
        circle = torch.cat([z.cos(), z.sin()], -1)
        return (y - radii * circle).square().sum(-1)

    energy = FunctionEnergy(distance, variables=("y", "z"))
    frees = [FreeEnergy(energy, Enumerate(angles), float(t)) for t in temperatures]
    coldest = FreeEnergy(energy, Enumerate(angles))(None, y)
    hottest = energy(None, y[None], angles[:, None]).mean(0)
    answer = {
        "free": torch.cat([free(None, y) for free in frees]),
        "limits": torch.cat([coldest, hottest]),
        "q": frees[0].posterior(None, y).weights,
    }
    given = {"y": y, "radii": radii, "atoms": number(48), "temperatures": temperatures}
    return given, answer


def codes() -> Asked:
    first, second, prototypes = normal(12, 2, seed=18), normal(12, 2, seed=19), normal(5, 2)
    prototypes = nn.functional.normalize(prototypes)
    views = {"first": first, "second": second}

    class _Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(prototypes.clone())

        def forward(self, h: Tensor) -> Tensor:
            return nn.functional.normalize(h, dim=-1) @ self.weight.mT

    scores = _Scores()
    head = FreeEnergy(Assignment(scores, 0.1), Sinkhorn())
    value, grads = _pulled(lambda a, b: 0.5 * (head(a, b) + head(b, a)).mean(), views)
    moved = {"prototypes": scores.weight.grad}
    assigned = views | {"prototypes": prototypes, "temperature": number(0.1)}
    vicreg = Regularized(VICReg(25.0, 1.0), energy_weight=25.0 / 2)
    nt_xent, s = NTXent(0.5), scores(first).detach()

    def apart(a: Tensor, b: Tensor) -> Tensor:
        return nt_xent(Cosine(), a, b, None).value

    return {
        "swav": (assigned, {"value": value} | grads | moved),
        "sinkhorn": ({"scores": s, "clusters": number(5)}, {"q": balanced(s)[0]}),
        "info_nce": _pull(
            lambda a, b: 0.5 * (apart(a, b) + apart(b, a)), views, {"temperature": number(0.5)}
        ),
        "vicreg": _pull(lambda a, b: vicreg(SquaredDistance(), a, b, None).value, views, {}),
        "cosine": _pull(lambda a, b: Cosine()(a, b).mean(), views, {}),
        "rank": ({"codes": first}, {"rank": number(rankme(first))}),
    }


def _pulled(of: Callable[[Tensor, Tensor], Tensor], views: Parts) -> tuple[Tensor, Parts]:
    sides = {name: t.clone().requires_grad_() for name, t in views.items()}
    value = of(*sides.values())
    value.backward()
    return value.detach(), {name: t.grad for name, t in sides.items() if t.grad is not None}


def _pull(
    of: Callable[[Tensor, Tensor], Tensor], views: Parts, given: Parts
) -> tuple[Parts, Parts]:
    value, grads = _pulled(of, views)
    return views | given, {"value": value} | grads
