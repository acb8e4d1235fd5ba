"""Whether z is told to be dead, to name y, or to mean another thing for each x."""

import math
import re
import warnings

import pytest
import torch
from problems import f64, generator, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy, fit, methods
from ebmlab.energies import Reconstruction
from ebmlab.errors import CollapseError, ConfigurationError
from ebmlab.inference import Enumerate
from ebmlab.metrics import Latent, LatentWarning
from ebmlab.networks import MLP, Conditional
from ebmlab.training import Recording

EYE = torch.eye(3).double()
X = randn(120, 2)
ACTION = torch.arange(120) % 3


def turned(x: Tensor, angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1]], -1)


def third(k: Tensor) -> Tensor:
    return 2 * math.pi / 3 * k


Y = turned(X, third(ACTION)) + 0.02 * randn(120, 2, seed=1)
# Rotations by thirds of a turn; one for all z; another first one for each length of x.
MEANT = FunctionEnergy(
    lambda x, y, z: (turned(x, third(z.argmax(-1))) - y).square().sum(-1), ("x", "y", "z")
)
NOTHING = FunctionEnergy(
    lambda x, y, z: (turned(x, third(0 * z.argmax(-1))) - y).square().sum(-1), ("x", "y", "z")
)
OTHER_FOR_EACH_X = FunctionEnergy(
    lambda x, y, z: (
        (turned(x, third(z.argmax(-1) + (9 * x.norm(dim=-1)).floor())) - y).square().sum(-1)
    ),
    ("x", "y", "z"),
)
# z names the place where y lies.
PLACES = turned(f64([[1.0, 0.0]]).expand(3, 2), third(torch.arange(3)))
NAMED = FunctionEnergy(lambda x, y, z: (z @ PLACES - y + 0 * x).square().sum(-1), ("x", "y", "z"))


def told(energy, x=X, y=Y, temperature=0.1, times=4, **settings):
    """All warnings of some looks, and the metrics."""
    watch = Latent(patience=3, **settings)
    free = FreeEnergy(energy, Enumerate(EYE), temperature)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LatentWarning)
        for _ in range(times):
            metrics = watch.look(free, x, y)
    return [str(warning.message) for warning in caught], metrics


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_z_that_says_what_is_done_to_every_x_is_not_told(temperature):
    messages, metrics = told(MEANT, temperature=temperature)
    assert messages == []
    assert metrics["latent_gain"] > 0.5
    assert metrics["latent_in_y"] < 0.05
    assert metrics["latent_shared"] > 0.95


@pytest.mark.parametrize(
    ("energy", "y", "said"),
    [
        (NOTHING, Y, "z is dead: that of another datum costs -?0.000"),
        (MEANT, X, "z is dead: that of another datum costs -?0.000"),  # one code has all data
        (NAMED, Y, "z is read off y alone, [5-9][0-9]%"),
        (OTHER_FOR_EACH_X, Y, "one map for each z explains only [0-9]%"),
    ],
)
def test_z_that_is_dead_or_means_nothing_common_is_told_once_with_a_mend(energy, y, said):
    assert told(energy, y=y, times=2, temperature=0.0)[0] == []
    (message,), _ = told(energy, y=y, times=7, temperature=0.0)
    assert re.search(said, message)
    assert ";" in message


def test_energy_as_low_does_not_tell_them_apart_but_the_metrics_do():
    values = [
        FreeEnergy(energy, Enumerate(EYE), 0.1)(X, Y).mean()
        for energy in (MEANT, OTHER_FOR_EACH_X)
    ]
    torch.testing.assert_close(values[0], values[1])
    assert told(OTHER_FOR_EACH_X)[1]["latent_shared"] < 0.1


def test_z_that_stands_for_y_by_design_is_not_told():
    assert told(NAMED, target=1.0)[0] == []
    places = Reconstruction(nn.Linear(3, 2, bias=False).double(), takes_x=False)
    messages, metrics = told(places, x=None)
    assert messages == []
    assert set(metrics) == {"latent_gain"}


def test_z_may_be_continuous_and_data_may_be_moments_of_things():
    angles = 2 * math.pi * torch.arange(24, dtype=X.dtype) / 24
    free = FreeEnergy(
        FunctionEnergy(
            lambda x, y, z: (turned(x, torch.atan2(z[..., 1], z[..., 0])) - y).square().sum(-1),
            ("x", "y", "z"),
        ),
        Enumerate(torch.stack([angles.cos(), angles.sin()], -1)),
        0.01,
    )
    y = turned(X, 2 * math.pi * torch.rand(120, generator=generator(), dtype=X.dtype))
    found = Latent().look(free, X, y)
    assert found["latent_gain"] > 0.5
    assert found["latent_in_y"] < 0.05
    assert found["latent_shared"] > 0.9
    split = Latent().look(free, X.unflatten(0, (30, 4)), y.unflatten(0, (30, 4)))
    assert split == pytest.approx(found)


def test_given_to_fit_it_looks_and_moves_nothing():
    free = Enumerate(torch.eye(3))
    predictor = Conditional(MLP(2 + 3, 2, (8,)))
    method = methods.jepa(nn.Linear(2, 2), 2, 3, predictor=predictor, infer=free, temperature=0.0)
    data = (X.float(), Y.float())
    plain = {k: v.clone() for k, v in method.state_dict().items()}
    runs = []
    for watch in (None, Latent()):
        method.load_state_dict(plain)
        run = fit(method, data, steps=3, rng=generator(), record=Recording(every=1, watch=watch))
        runs.append(run.history)
    assert runs[0]["value"] == runs[1]["value"]
    assert len(runs[1]["latent_gain"]) == 3
    assert Latent()(nn.Identity(), data, None) == {}


def test_with_stop_it_raises_and_an_energy_without_z_is_refused():
    watch = Latent(patience=1, stop=True)
    with pytest.raises(CollapseError, match="z is dead"):
        watch.look(FreeEnergy(NOTHING, Enumerate(EYE), 0.1), X, Y)
    with pytest.raises(ConfigurationError, match="expected FreeEnergy"):
        Latent().look(MEANT, X, Y)
    for bad in ({"gain": 0}, {"target": 2}, {"shared": -1}, {"rows": 7}, {"patience": 0}):
        with pytest.raises(ConfigurationError, match=next(iter(bad))):
            Latent(**bad)
