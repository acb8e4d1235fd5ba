"""The law of NUTS, broken copies of it that are seen, and what it does at faults."""

from collections.abc import Callable

import pytest
import torch
from problems import (
    F64,
    PLANE,
    fits,
    generator,
    log_gamma,
    log_gamma_cdf,
    log_gamma_draws,
    randn,
    root,
    root_cdf,
    root_draws,
)
from samplers_support import bowl
from torch import Tensor

from ebmlab.errors import ConfigurationError, DivergenceError
from ebmlab.samplers import nuts
from ebmlab.samplers._run.run import run
from ebmlab.samplers._steps import machine
from ebmlab.samplers._steps.lots import Lots, lots
from ebmlab.samplers._steps.turns import Marks
from ebmlab.samplers.nuts import NUTS

CHAINS = 6_000

# (u, exact draws, their distribution, sampler)
LINES = {
    "skewed": (log_gamma, log_gamma_draws, log_gamma_cdf, NUTS(0.8)),
    "skewed, cut short": (log_gamma, log_gamma_draws, log_gamma_cdf, NUTS(0.3, max_depth=2)),
    "NaN below -1": (root, root_draws, root_cdf, NUTS(0.2)),
}


@pytest.mark.parametrize("name", LINES)
def test_nuts_keeps_exact_draws_of_a_line_exact(name):
    u, draws, cdf, sampler = LINES[name]
    start = draws(CHAINS, seed=5)
    assert fits(start[:, 0], cdf)
    for steps in (1, 15):
        chain = run(sampler, u, start, steps=steps, rng=generator(6))
        assert fits(chain.state.y[:, 0], cdf)
    assert (chain.state.y != start).double().mean() > 0.8


@pytest.mark.parametrize(("name", "step_size"), [("gaussian", 0.5), ("banana", 0.3)])
def test_nuts_keeps_exact_draws_of_a_plane_exact(name, step_size):
    problem = PLANE[name]
    start = problem.density.sample(CHAINS, generator(1)).double()
    chain = run(NUTS(step_size), problem.density.given(), start, steps=5, rng=generator(6))
    assert problem.accepts(chain.state.y)


def test_nuts_reaches_a_gaussian_from_afar():
    problem = PLANE["gaussian"]
    start = torch.full((CHAINS, 2), 2.0, dtype=F64)
    chain = run(NUTS(0.5), problem.density.given(), start, steps=12, rng=generator(7))
    assert problem.accepts(chain.state.y)


def with_lots(**wrong: float) -> Callable[..., Lots]:
    def broken(seeds: Tensor, leaf: Tensor, dtype: torch.dtype) -> Lots:
        given = lots(seeds, leaf, dtype)
        return given._replace(**{k: torch.full_like(given.pick, w) for k, w in wrong.items()})

    return broken


def heavy(momentum: Tensor) -> Tensor:
    return momentum.square().sum(0)


def no_turn(self: Marks, looked: Tensor, momentum: Tensor, total: Tensor) -> Tensor:
    return torch.ones_like(looked[0])


BROKEN = {
    "the last leaf instead of a weighed one": (nuts, "lots", with_lots(pick=-torch.inf)),
    "a later branch whatever its weight": (nuts, "lots", with_lots(join=-torch.inf)),
    "a wrong kinetic energy": (machine, "_kinetic", heavy),
    "U-turns inside a branch overlooked": (Marks, "ahead", no_turn),
    "always into the future": (nuts, "lots", with_lots(time=1.0)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_tree_is_seen(name, monkeypatch):
    module, attribute, wrong = BROKEN[name]
    monkeypatch.setattr(module, attribute, wrong)
    start = log_gamma_draws(CHAINS, seed=5)
    chain = run(NUTS(0.8), log_gamma, start, steps=15, rng=generator(6))
    assert not fits(chain.state.y[:, 0], log_gamma_cdf)


def test_trees_stop_at_points_without_energy_and_are_counted():
    seen = []

    def u(y: Tensor) -> Tensor:
        energy = root(y) + torch.where(y[:, 0] > 1, torch.inf, 0.0)
        seen.append((~energy.isfinite()).double())
        return energy

    start = root_draws(500, seed=1)
    start = start[start[:, 0] < 1]
    chain = run(NUTS(0.2), u, start, steps=1, rng=generator(2))
    assert chain.info.nonfinite.sum() > 50
    assert torch.equal(chain.info.nonfinite, chain.info.divergent)
    # A tree sees nothing after its first bad point, so that whoever has met none is not counted.
    met = torch.stack(seen).sum(0) > 0
    assert not (chain.info.nonfinite.bool() & ~met).any()
    assert (~met).sum() > 50
    assert ((chain.state.y > -1) & (chain.state.y <= 1)).all()
    assert chain.state.energy.isfinite().all()
    assert chain.state.grad.isfinite().all()


def test_an_energy_error_above_a_thousand_is_a_divergence():
    def cliff(y: Tensor) -> Tensor:
        return bowl(y) + 1e4 * (y[:, 0] - 1).clamp(min=0)

    start = randn(500, 2, seed=1).clamp(max=0.5)
    info = run(NUTS(0.5), cliff, start, steps=10, rng=generator(2)).info
    assert info.divergent.sum() > 100
    assert (info.nonfinite == 0).all()
    calm = run(NUTS(0.5), bowl, start, steps=10, rng=generator(2)).info
    assert (calm.divergent == 0).all()


def test_an_energy_of_minus_infinity_without_a_gradient_is_named():
    def pit(y: Tensor) -> Tensor:
        return bowl(y) + (1.5 - y[:, 0]).clamp(min=0).log()

    with pytest.raises(DivergenceError, match=r"chain \d+ at step \d+.*without bound"):
        run(NUTS(0.3), pit, torch.zeros(50, 2), steps=10, rng=generator())


def test_an_endless_slope_diverges():
    with pytest.raises(DivergenceError, match="without bound"):
        run(NUTS(1e5), lambda y: y.sum(1), torch.zeros(3, 2), steps=100, rng=generator())


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ConfigurationError, match="max_depth is 0"):
        NUTS(0.1, max_depth=0)
