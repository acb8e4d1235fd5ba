from typing import NamedTuple

import numpy as np
import pytest
import torch
from problems import generator, randn
from torch import Tensor

from ebmlab import metrics
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.samplers import MALA, run
from ebmlab.types import Chain


class Record(NamedTuple):
    acceptance: Tensor
    divergent: Tensor


def bowl(y):
    return 0.5 * y.square().flatten(1).sum(1)


def test_columns_are_what_the_functions_return():
    samples = randn(100, 4, 2, 3)
    table = metrics.summary(samples, probabilities=(0.1, 0.75))
    pooled = samples.flatten(0, 1)
    torch.testing.assert_close(table.mean, pooled.mean(0))
    torch.testing.assert_close(table.std, pooled.std(0))
    torch.testing.assert_close(table.mcse, metrics.mcse(samples))
    torch.testing.assert_close(table.ess_bulk, metrics.ess(samples))
    torch.testing.assert_close(table.ess_tail, metrics.ess_tail(samples))
    torch.testing.assert_close(table.rhat, metrics.rhat(samples))
    due = np.quantile(pooled.numpy(), (0.1, 0.75), axis=0)
    np.testing.assert_allclose(table.quantiles, due, rtol=1e-12)
    assert (table.draws, table.chains) == (100, 4)
    assert table.names[:4] == ("y[0, 0]", "y[0, 1]", "y[0, 2]", "y[1, 0]")


def test_the_table_is_aligned_and_short():
    samples = randn(100, 4, 30) * torch.logspace(-5, 5, 30)
    lines = str(metrics.summary(samples)).splitlines()
    head, rows = lines[0], lines[1:21]
    assert {len(line) for line in (head, *rows)} == {len(head)}
    assert rows[0].split()[0] == "y[0]"
    assert lines[21] == "… and 10 more"
    assert lines[22].startswith("100 draws x 4 chains; largest R-hat ")
    assert "divergences" not in lines[22]


def test_a_chain_adds_its_acceptance_and_its_divergences():
    chain = run(MALA(0.5), bowl, torch.zeros(3, 2), steps=20, thin=1, rng=generator())
    table = metrics.summary(chain, ["first", "second"])
    assert table.names == ("first", "second")
    assert table.acceptance is not None
    assert table.divergences is None
    assert torch.equal(table.acceptance, chain.acceptance)
    assert "acceptance 0." in str(table)
    record = Record(20 * chain.acceptance, torch.tensor([0.0, 2.0, 1.0]))
    told = metrics.summary(Chain(*chain[:4], record))
    assert told.divergences is record.divergent
    assert "; 3 divergences;" in str(told)


def test_a_scalar_and_a_constant_have_a_table():
    assert metrics.summary(randn(10, 2)).names == ("y",)
    lines = str(metrics.summary(torch.ones(10, 2))).splitlines()
    assert lines[1].split() == ["y", "1", "0", "0", "1", "1", "1", "20", "20", "nan"]
    assert "R-hat" not in lines[2]


def test_faults_are_typed():
    with pytest.raises(ShapeError, match=r"names holds 1, .* has 2"):
        metrics.summary(randn(10, 2, 2), ["one"])
    for probabilities in ((), (0.5, 1.1)):
        with pytest.raises(ConfigurationError, match=r"all in \[0, 1\]"):
            metrics.summary(randn(10, 2), probabilities=probabilities)
    nothing = run(MALA(0.5), bowl, torch.zeros(3, 2), steps=5, rng=generator())
    with pytest.raises(ShapeError, match=r"0 draws .* thin=1"):
        metrics.summary(nothing)
