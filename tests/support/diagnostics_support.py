import numpy as np
import torch
from problems import F64, generator


def autoregressive(draws, chains, *event, phi, seed=0):
    """AR(1) chains in equilibrium, of variance 1."""
    noise = torch.randn(draws, chains, *event, generator=generator(seed), dtype=F64)
    steps = [noise[0]]
    for push in noise[1:]:
        steps.append(phi * steps[-1] + (1 - phi**2) ** 0.5 * push)
    return torch.stack(steps)


def as_arrays(samples):
    """Samples as (*event, chains, draws)."""
    return np.moveaxis(samples.double().numpy(), (1, 0), (-2, -1))
