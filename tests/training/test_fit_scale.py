"""What `fit` does to fit a method into memory changes no result; precision changes little."""

import pytest
import torch
from torch import nn

from ebmlab import methods
from ebmlab.energies import MLP
from ebmlab.errors import ConfigurationError
from ebmlab.networks import ResNet
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method
from ebmlab.training import Scale, Stepping, decayed, fit, muon

IMAGES = torch.rand(24, 1, 8, 8, generator=torch.Generator().manual_seed(0))
VIEWS = IMAGES, IMAGES + 0.1 * torch.rand(IMAGES.shape, generator=torch.Generator().manual_seed(1))


def trained(scale=None, stepping=None, **how):
    torch.manual_seed(0)
    encoder = ResNet(18, channels=1, small=True, width=2)
    method = methods.simclr(encoder, encoder.dim, projection=4, x_ndim=3)
    fit(method, VIEWS, steps=4, batch_size=8, scale=scale, stepping=stepping, **how)
    return method.state_dict()


def test_blocks_that_are_run_again_train_to_the_same_weights():
    plain, again = trained(), trained(Scale(recompute=True))
    assert all(torch.equal(again[name], value) for name, value in plain.items())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_encoder_trains_to_near_the_same_weights():
    how = {"optimizer": lambda p: torch.optim.SGD(p, lr=0.1)}
    plain, compiled = trained(**how), trained(Scale(compile=True), **how)
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_half_precision_of_networks_leaves_weights_in_single_and_steps_alike():
    def moved(precision):
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16))
        method = methods.simclr(encoder, 16, projection=8, x_ndim=3)
        before = [p.detach().clone() for p in method.parameters()]
        how = {"batch_size": 24, "optimizer": lambda p: torch.optim.SGD(p, lr=0.1)}
        fit(method, VIEWS, steps=1, stepping=Stepping(precision=precision), **how)
        assert {p.dtype for p in method.parameters()} == {torch.float32}
        pairs = zip(method.parameters(), before, strict=True)
        return torch.cat([(p.detach() - b).flatten() for p, b in pairs])

    single, half = moved(None), moved(torch.bfloat16)
    assert not torch.equal(single, half)
    assert torch.cosine_similarity(single, half, dim=0) > 0.98
    assert half.norm() / single.norm() == pytest.approx(1.0, abs=0.05)


def test_what_cannot_be_done_is_told():
    energy = MLP(2)
    with pytest.raises(ConfigurationError, match="compile is set, but Method has no encoder"):
        fit(Method(energy, Regularized()), (None, torch.zeros(4, 2)), steps=1,
            scale=Scale(compile=True))  # fmt: skip
    with pytest.raises(ConfigurationError, match="there is one process; start several: torchrun"):
        trained(Scale(shard=True))
    with pytest.raises(
        ConfigurationError, match=r"precision is torch.float16; expected torch\.bf"
    ):
        Stepping(precision=torch.float16)
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.raises(ConfigurationError, match="warmup is 3 beside a StepLR"):
        Stepping(scheduler, warmup=3)


def test_a_gradient_is_clipped_and_step_sizes_warm_up():
    lengths = []
    for clip in (None, 1e-3):
        torch.manual_seed(0)
        method = methods.regression(nn.Linear(5, 2))
        before = [p.detach().clone() for p in method.parameters()]
        x = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
        how = {"optimizer": lambda p: torch.optim.SGD(p, lr=1.0)}
        fit(method, (x, x[:, :2] * 3), steps=1, stepping=Stepping(warmup=4, clip=clip), **how)
        moved = [p.detach() - b for p, b in zip(method.parameters(), before, strict=True)]
        lengths.append(float(torch.cat([m.flatten() for m in moved]).norm()))
    # A quarter of the step size at the first of four steps.
    assert lengths[1] == pytest.approx(0.25e-3, rel=1e-3)
    assert lengths[0] > 0.1


def test_biases_do_not_decay_and_matrices_go_to_muon():
    encoder = ResNet(18, channels=1, small=True, width=2)
    weights, others = decayed(encoder.parameters(), 0.1)
    assert all(p.ndim > 1 for p in weights["params"])
    assert all(p.ndim == 1 for p in others["params"])
    assert (weights["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert trained(optimizer=muon)["encoder.stem.0.weight"].isfinite().all()
