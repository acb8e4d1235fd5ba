"""Many chains, long chains, images: what is kept is what was asked for."""

import resource
import sys

import pytest
import torch
from problems import generator
from samplers_support import bowl

from ebmlab.energies import ConvNet
from ebmlab.samplers import HMC, MALA, Langevin, run


def _peak() -> float:
    """The most memory that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.slow
def test_a_hundred_thousand_chains_of_a_thousand_steps_need_little_memory():
    start = torch.zeros(100_000, 2)
    run(Langevin(0.1), bowl, start, steps=10, rng=generator())
    before = _peak()
    chain = run(Langevin(0.1), bowl, start, steps=1000, rng=generator(), thin=250)
    assert chain.samples.shape == (4, 100_000, 2)
    # The samples are 3 MB; every step kept would be 800.
    assert _peak() - before < 50
    assert chain.samples[-1].var() == pytest.approx(1 / (1 - 0.05), rel=0.02)


@pytest.mark.parametrize("sampler", [Langevin(1e-4), MALA(1e-4), HMC(1e-2, 3)])
def test_images_of_a_convolutional_energy_are_sampled_with_a_bar(sampler, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    u = ConvNet(1, width=4).given()
    start = torch.rand(3, 1, 28, 28, generator=generator())
    chain = run(sampler, u, start, steps=6, rng=generator(1), thin=3, progress=True)
    assert chain.samples.shape == (2, 3, 1, 28, 28)
    assert chain.samples.isfinite().all()
    assert not torch.equal(chain.state.y, start)
    assert "6/6" in capsys.readouterr().err
