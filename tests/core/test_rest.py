"""A mask inside y: samplers and solvers find a Gaussian's conditional law of what is unknown."""

import pytest
import torch
from problems import COVARIANCE_3, F64, f64, fits, generator, randn
from scipy import stats

from ebmlab import FunctionEnergy, run
from ebmlab._slopes import slope
from ebmlab.energies import MLP, RBM, Gaussian, SquaredDistance
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.inference import Descent
from ebmlab.rest import Rest
from ebmlab.samplers import HMC, MALA, NUTS, Annealed, Gibbs, Langevin, geometric

MEAN = f64([0.5, -1.0, 2.0])
MASK = torch.tensor([False, True, False])
IMAGE = torch.tensor([[[True, False], [False, False]], [[False, True], [True, False]]])


def conditional(observed):
    """Mean and covariance of entries 0 and 2 given entry 1, by the formula of partitions."""
    free, known = [0, 2], [1]
    gain = COVARIANCE_3[free][:, known] / COVARIANCE_3[1, 1]
    mean = MEAN[free] + (gain * (observed[1] - MEAN[1]))[:, 0]
    return mean, COVARIANCE_3[free][:, free] - gain @ COVARIANCE_3[known][:, free]


def distances(y, mean, covariance):
    """Squares of y's whitened distance to a Gaussian's mean."""
    return ((y - mean) @ torch.linalg.inv(covariance) * (y - mean)).sum(1)


@pytest.mark.parametrize(
    ("sampler", "steps"),
    [
        (Langevin(0.04), 120),
        (MALA(0.3), 60),
        (HMC(0.4, 5), 20),
        (NUTS(0.5), 10),
        (Annealed(MALA(0.3), geometric(4.0, 1.0, 20)), 60),
    ],
    ids=lambda each: type(each).__name__,
)
def test_chains_sample_the_conditional_law(sampler, steps):
    observed = f64([torch.nan, 1.2, torch.nan])
    u = Gaussian(MEAN, COVARIANCE_3).given(y=observed, mask=MASK)
    mean, covariance = conditional(observed)
    chain = run(sampler, u, torch.zeros(500, 2, dtype=F64), steps=steps, rng=generator())
    # Independent chains: false alarms 1e-6.
    assert fits(distances(chain.state.y, mean, covariance), stats.chi2(2).cdf)
    marginal = MEAN[[0, 2]], COVARIANCE_3[[0, 2]][:, [0, 2]]
    assert not fits(distances(chain.state.y, *marginal), stats.chi2(2).cdf)
    torch.testing.assert_close(u.fill(chain.state.y)[:, 1], f64([1.2]).expand(500))


def test_a_solver_finds_the_conditional_mean_of_each_observed():
    observed = randn(4, 3)
    u = Gaussian(MEAN, COVARIANCE_3).given(y=observed, mask=MASK)
    found = Descent(steps=500, tolerance=1e-7).minimize(u, torch.zeros(4, 2, dtype=F64)).argmin
    due = torch.stack([conditional(each)[0] for each in observed])
    torch.testing.assert_close(found, due, rtol=0, atol=1e-5)


@pytest.mark.parametrize("chains", [None, 5])
def test_take_and_fill_undo_each_other(chains):
    y = randn(3, 5, 2, 2, 2)
    observed = y[0, 0] if chains is None else y[0]
    rest = Rest(lambda y: y.flatten(1).sum(1), observed, IMAGE)
    free = rest.take(y)
    assert free.shape == (3, 5, 5)
    full = rest.fill(free)
    torch.testing.assert_close(full, torch.where(IMAGE, observed, y))
    torch.testing.assert_close(rest.take(full), free)
    assert rest.fill(free[0]).shape == (5, 2, 2, 2)


def test_energies_and_slopes_are_those_of_whole_y():
    energy, x, y = MLP(4, x_dim=2, hidden=(8,)).double(), randn(3, 2), randn(3, 4, seed=1)
    mask = torch.tensor([True, False, True, False])
    u, rest = energy.given(x), energy.given(x, y=y, mask=mask)
    values, grads = u.value_and_grad(y)
    for found in (rest.value_and_grad(y[:, ~mask]), slope(rest, y[:, ~mask])):
        torch.testing.assert_close(found[0].detach(), values)
        torch.testing.assert_close(found[1], grads[:, ~mask])


def test_a_slope_written_by_hand_is_the_one_that_is_used():
    class Doubled(SquaredDistance):
        def value_and_grad(self, x, y, z=None, *, rng=None):
            return self(x, y).detach(), 4 * (y - x)

    rest = Doubled().given(f64([0.0, 0.0]), y=f64([1.0, 1.0]), mask=torch.tensor([True, False]))
    torch.testing.assert_close(rest.value_and_grad(f64([[3.0]])), (f64([10.0]), f64([[12.0]])))


BOWL = FunctionEnergy(lambda y: y.square().sum((-3, -2, -1)), y_ndim=3)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"mask": IMAGE.float()}, DtypeError, "mask has dtype torch.float32"),
        ({"mask": torch.ones_like(IMAGE)}, ConfigurationError, "knows 8 of 8"),
        ({"mask": torch.zeros_like(IMAGE)}, ConfigurationError, "knows 0 of 8"),
        ({"mask": IMAGE[0]}, ShapeError, "y_ndim is 3"),
        ({"mask": IMAGE[:1]}, ShapeError, "observed has shape"),
        ({"mask": IMAGE, "y": None}, ShapeError, "y is None"),
        ({"mask": IMAGE, "y": torch.zeros(0, 2, 2, 2)}, ShapeError, "observed has shape"),
        ({"mask": IMAGE, "y": torch.zeros(2, 2, 2).long()}, DtypeError, "observed has dtype"),
    ],
)
def test_masks_that_fit_nothing_are_refused(given, error, told):
    with pytest.raises(error, match=told):
        BOWL.given(**{"y": torch.zeros(2, 2, 2), **given})


def test_what_is_free_must_fit_mask_and_chains():
    u = BOWL.given(y=torch.zeros(3, 2, 2, 2), mask=IMAGE)
    for free, error, told in (
        (torch.zeros(3, 4), ShapeError, "leaves 5 entries"),
        (torch.zeros(2, 5), ShapeError, "3 observed y"),
        (torch.zeros(3, 5).double(), DtypeError, "float64"),
    ):
        with pytest.raises(error, match=told):
            u(free)
    with pytest.raises(ShapeError, match=r"y has shape \(3, 2\)"):
        u.take(torch.zeros(3, 2))


def test_blocks_of_whole_y_do_not_draw_the_rest():
    rbm, mask = RBM(4, 2), torch.tensor([True, False, False, False])
    u = rbm.given(y=torch.zeros(4), mask=mask)
    with pytest.raises(ConfigurationError, match="GibbsWithGradients"):
        run(Gibbs(rbm.conditionals()), u, torch.zeros(2, 3), steps=1, rng=generator())
