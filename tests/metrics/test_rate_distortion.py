import math

import pytest
import torch
from problems import f64, generator, latent, randn
from torch import nn

from ebmlab import FreeEnergy, methods
from ebmlab.errors import ConfigurationError
from ebmlab.inference import AmortizedCategorical, Enumerate
from ebmlab.metrics import rate_distortion

BITS = f64([[0.0], [1.0]])
HAMMING = FreeEnergy(latent(lambda y, z: (y - z).abs().sum(-1)), Enumerate(BITS))
WARMTH = [0.05, 0.2, 0.7, 2.0, 9.0]


def test_a_fair_bit_lies_on_shannons_curve():
    found = rate_distortion(HAMMING, None, BITS, WARMTH)
    d = 1 / (1 + (1 / found.temperature).exp())
    torch.testing.assert_close(found.distortion, d)
    entropy = -torch.xlogy(d, d) - torch.xlogy(1 - d, 1 - d)
    torch.testing.assert_close(found.rate, math.log(2) - entropy)
    # The slope of Shannon's curve is -T.
    torch.testing.assert_close(((1 - d) / d).log(), 1 / found.temperature)


def test_the_rate_falls_to_nothing_and_the_distortion_rises_to_that_of_a_guess():
    codes, y = randn(5, 2), randn(40, 2, seed=1)
    free = FreeEnergy(latent(lambda y, z: (y - z).square().sum(-1)), Enumerate(codes))
    found = rate_distortion(free, None, y, [1e-4, *WARMTH, 1e6])
    assert (found.rate.diff() <= 0).all()
    assert (found.distortion.diff() >= 0).all()
    costs = (y[:, None] - codes).square().sum(-1)
    assert float(found.rate[0]) == pytest.approx(math.log(5), abs=1e-6)
    assert float(found.distortion[0]) == pytest.approx(float(costs.amin(1).mean()))
    assert float(found.rate[-1]) == pytest.approx(0, abs=1e-9)
    assert float(found.distortion[-1]) == pytest.approx(float(costs.mean()), abs=1e-4)
    for t, rate, distortion in zip(*found, strict=True):
        free.temperature = float(t)
        whole = free(None, y).mean()
        torch.testing.assert_close(distortion + t * rate, whole)


def test_an_encoder_runs_once_for_all_temperatures():
    calls = []
    f = nn.Linear(2, 2).double()
    f.register_forward_hook(lambda *_: calls.append(1))
    predictor = nn.Bilinear(2, 3, 2).double()
    method = methods.jepa(f, 2, 3, predictor=predictor).double()
    found = rate_distortion(method.energy, randn(7, 2), randn(7, 2, seed=1), WARMTH)
    assert len(calls) == 2
    method.energy.temperature = WARMTH[1]
    q = method.energy.posterior(randn(7, 2), randn(7, 2, seed=1))
    torch.testing.assert_close(found.rate[1], q.information.mean().detach())


def test_what_has_no_curve_is_refused():
    for energy, said in (
        (HAMMING.energy, "expected FreeEnergy"),
        (FreeEnergy(HAMMING.energy, AmortizedCategorical(nn.Linear(1, 2)), 1.0), "not exact"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            rate_distortion(energy, None, BITS, WARMTH, generator())
    with pytest.raises(ConfigurationError, match="a temperature is 0"):
        rate_distortion(HAMMING, None, BITS, [0.0])
