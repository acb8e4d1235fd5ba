"""What annealed chains of a machine cost: two products a temperature, and no other numbers."""

import math
from itertools import pairwise

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ebmlab import methods
from ebmlab.energies import RBM, Bernoulli
from ebmlab.partition import RBMPath, ais

VISIBLE, HIDDEN, CHAINS = 12, 7, 30
PRODUCTS = {torch.ops.aten.mm, torch.ops.aten.addmm}


class Products(TorchDispatchMode):
    """Counts products of two matrices, neither of them a row."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        matrices = func.overloadpacket in PRODUCTS and min(args[-2].shape) > 1
        self.count += matrices
        return func(*args, **(kwargs or {}))


def machine() -> tuple[RBM, Bernoulli]:
    rng = torch.Generator().manual_seed(3)
    rbm = RBM(VISIBLE, HIDDEN, std=0.7, rng=rng).double()
    with torch.no_grad():
        rbm.visible_bias.normal_(generator=rng)
        rbm.hidden_bias.normal_(generator=rng)
    return rbm, Bernoulli(torch.randn(VISIBLE, generator=rng, dtype=torch.float64))


def annealed(rbm, start, temperatures, seed=0):
    path = RBMPath(rbm, start)
    rng, times = torch.Generator().manual_seed(seed), torch.linspace(0, 1, temperatures)
    options = {"times": times, "between": path.at, "chains": CHAINS}
    return ais(rbm.given(), start, path.kernel, rng=rng, **options)


def by_hand(rbm, start, temperatures, seed=0):
    """log Z by the same random numbers, everything computed anew where it is needed."""
    rng = torch.Generator().manual_seed(seed)
    w, b, c, a = rbm.weights, rbm.visible_bias, rbm.hidden_bias, start.logits

    def height(v, t):
        reach = t * (v @ w + c)
        return -(v @ (a + t * (b - a))) - (1 + reach.exp()).log().sum(1)

    v, log_weights = start.sample(CHAINS, rng), torch.zeros(CHAINS).double()
    times = torch.linspace(0, 1, temperatures).tolist()
    for before, t in pairwise(times):
        log_weights += height(v, before) - height(v, t)
        noise = [torch.rand(CHAINS, n, generator=rng, dtype=v.dtype) for n in (HIDDEN, VISIBLE)]
        h = (noise[0] < (t * (v @ w + c)).sigmoid()).double()
        v = (noise[1] < (a + t * (b + h @ w.T - a)).sigmoid()).double()
    log_z = (1 + a.exp()).log().sum() + HIDDEN * math.log(2)
    return log_z + log_weights.logsumexp(0) - math.log(CHAINS)


def test_annealed_chains_are_those_of_a_loop_that_keeps_nothing():
    rbm, start = machine()
    found = annealed(rbm, start, 40).log_z
    torch.testing.assert_close(found, by_hand(rbm, start, 40).detach(), rtol=1e-12, atol=0)
    assert (found - by_hand(rbm, start, 40, seed=1)).abs() > 1e-3


def test_a_temperature_takes_two_products():
    counts = []
    for temperatures in (10, 30):
        with Products() as products:
            annealed(*machine(), temperatures)
        counts.append(products.count)
    assert counts[1] - counts[0] == 2 * 20


def test_a_step_of_persistent_chains_takes_six_products():
    rbm, data = RBM(VISIBLE, HIDDEN), torch.ones(CHAINS, VISIBLE)
    method, rng = methods.rbm(rbm, data), torch.Generator().manual_seed(0)
    method(None, data, rng).value.backward()
    with Products() as products:
        method(None, data, rng).value.backward()
    # Upwards for data and chains, down and up by the sweep, and a slope of each.
    assert products.count == 6
