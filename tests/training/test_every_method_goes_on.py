"""Whatever state a method has, a run of `fit` on tensors goes on from any step to the last bit."""

import pytest
import torch
from torch import nn

from ebmlab import methods
from ebmlab.energies import MLP, GaussianNLL
from ebmlab.networks import MLP as Network
from ebmlab.networks import GaussianHead, Generator
from ebmlab.samplers import Langevin
from ebmlab.training import Checkpoints, Stepping, fit

Y = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
X = Y + 0.1 * torch.randn(40, 5, generator=torch.Generator().manual_seed(1))
PAIR, VIEWS, ALONE = (X, Y), ((X, Y), (X, Y)), (None, Y)
SMALL = {"projection": 4, "hidden": 8}


def net():
    return nn.Linear(5, 6)


METHODS = {
    "simclr": (lambda: methods.simclr(net(), 6, projection=4), PAIR),
    "moco": (lambda: methods.moco(net(), 6, projection=4, memory=24), PAIR),
    "byol": (lambda: methods.byol(net(), 6, **SMALL), PAIR),
    "vicreg": (lambda: methods.vicreg(net(), 6), PAIR),
    "lejepa": (lambda: methods.lejepa(net(), 6, **SMALL), VIEWS),
    "swav": (
        lambda: methods.swav(net(), 6, prototypes=5, memory=16, frozen_steps=2, **SMALL),
        VIEWS,
    ),
    "deepcluster": (
        lambda: methods.deepcluster(net(), 6, memory=40, every=3, prototypes=(4, 3), **SMALL),
        VIEWS,
    ),
    "dino": (lambda: methods.dino(net(), 6, outputs=8, hidden=8, bottleneck=4), VIEWS),
    "kmeans": (lambda: methods.kmeans(Y[:4].clone()), ALONE),
    "vae": (
        lambda: methods.vae(GaussianHead(net()), Network(3, 5, (8,)), GaussianNLL(0.5)),
        ALONE,
    ),
    "persistent_cd": (
        lambda: methods.persistent_cd(MLP(5, hidden=(6,)), Y[:16].clone(), Langevin(0.1), steps=2),
        ALONE,
    ),
    "gan": (
        lambda: methods.gan(MLP(5, hidden=(6,)), Generator(Network(2, 5, (8,)), 2)), ALONE,
    ),
}  # fmt: skip


def run(name, folder, *ends):
    """The state after runs to each of these steps, each of which goes on from the last."""
    build, data = METHODS[name]
    for seed, steps in enumerate(ends):
        torch.manual_seed(seed * (len(ends) > 1))
        method = build()
        fit(
            method,
            data,
            steps=steps,
            batch_size=8,
            stepping=Stepping(warmup=4),
            keep=Checkpoints(folder, resume=True),
        )
    return method.state_dict()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", METHODS)
def test_a_method_goes_on_in_mid_epoch_as_if_it_had_never_stopped(tmp_path, name):
    whole, parts = run(name, tmp_path / "whole", 9), run(name, tmp_path / "parts", 3, 7, 9)
    assert whole.keys() == parts.keys()
    for key, value in whole.items():
        assert torch.equal(parts[key], value), key
