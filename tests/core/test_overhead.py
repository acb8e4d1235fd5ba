"""What the checks around an energy cost beside the bare function, in CPU time."""

import time

import torch
from problems import randn
from torch import nn

from ebmlab.energy import Energy

TURNS, CALLS = 8, 50


class Network(Energy):
    takes_x = False

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(16, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, x, y, z=None):
        return self.network(y).squeeze(-1)


class Wasteful(Network):
    """It computes each energy many times."""

    def forward(self, x, y, z=None):
        return torch.stack([super(Wasteful, self).forward(x, y) for _ in range(12)]).mean(0)


def seconds(call, y):
    start = time.process_time()
    for _ in range(CALLS):
        call(y)
    return time.process_time() - start


def ratio(call, bare, y):
    """How many times the CPU time of the bare function; of some turns the quickest of each."""
    turns = [(seconds(call, y), seconds(bare, y)) for _ in range(TURNS)]
    mine, theirs = (min(each) for each in zip(*turns, strict=True))
    return mine / theirs


@torch.no_grad()
def test_a_call_costs_at_most_four_times_the_bare_network():
    y = randn(64, 16).float()
    for energy, cheap in ((Network(), True), (Wasteful(), False)):
        network = energy.network
        found = ratio(lambda y, e=energy: e(None, y), lambda y, n=network: n(y).squeeze(-1), y)
        assert (found < 4) == cheap


def test_a_potential_s_gradient_costs_at_most_four_times_autograd_s():
    energy, y = Network(), randn(64, 16).float()

    def bare(y):
        y = y.detach().requires_grad_()
        return torch.autograd.grad(energy.network(y).sum(), y)

    assert ratio(energy.given().value_and_grad, bare, y) < 4
    assert ratio(Wasteful().given().value_and_grad, bare, y) > 4
