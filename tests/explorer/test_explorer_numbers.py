"""The page computes what the library computes."""

import json
import math
import re

import pytest
import torch
from explorer_reference import questions

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.data import toys
from ebmlab.energies import DoubleWell
from ebmlab.inference import Enumerate
from ebmlab.metrics import mcse
from ebmlab.partition import nodes


@pytest.fixture(scope="module")
def ask(chromium, address):
    chromium.open(address, prefers_reduced_motion="reduce")
    return lambda given: chromium.tell(f"ebmlab.answers({json.dumps(given)})")


def test_energies_gradients_chains_and_losses_are_the_librarys(ask):
    """Double precision on both sides: 1e-9 is far below the 1e-5 that anyone could see."""
    asked = questions()
    answers = ask({name: question["given"] for name, question in asked.items()})
    assert len(asked) >= 28
    for name, question in asked.items():
        assert answers[name].keys() == question["answer"].keys()
        for part, expected in question["answer"].items():
            assert answers[name][part] == pytest.approx(expected, rel=1e-9, abs=1e-9), (name, part)


TOYS = {
    "moons": toys.two_moons,
    "eight": toys.eight_gaussians,
    "spirals": toys.spirals,
    "checkerboard": toys.checkerboard,
}


@pytest.mark.parametrize("name", TOYS)
def test_the_pages_toys_are_drawn_from_the_librarys_densities(ask, name):
    """-mean log p of 20,000 points is the entropy that the page shows, within 5 standard errors.

    Six times in 10⁷ runs chance alone would fail; the seed is fixed. Points of a law that is
    wider by a tenth would fail.
    """
    drawn = ask({f"toy_{name}": {"n": [20_000], "seed": [3]}})[f"toy_{name}"]
    y = torch.tensor(drawn["y"], dtype=torch.float64).reshape(-1, 2)

    def off(points):
        surprise = -TOYS[name].log_density(points)
        error = float(surprise.std()) / math.sqrt(len(surprise)) + 0.001
        return abs(float(surprise.mean()) - drawn["entropy"][0]) / error

    assert off(y) < 5
    assert not off(1.1 * y) < 5


def test_the_no_u_turn_sampler_of_the_page_draws_from_its_landscape(ask):
    """Four moments of a double well against quadrature, within 5 Monte Carlo standard errors."""
    given = {"start": [1.0, 0.0], "size": [0.3], "steps": [4000], "seed": [4]}
    y = torch.tensor(ask({"nuts": given})["nuts"]["y"], dtype=torch.float64).reshape(-1, 2)[200:]
    u = DoubleWell(2.0).given()

    def looks(points):
        first, second = points.unbind(-1)
        return torch.stack([first, second, first.square(), u(points)], -1)[:, None]

    points, log_weights = nodes(torch.tensor([-4.0, -8.0]), torch.tensor([4.0, 8.0]), 200)
    points = points.double()

    def off(temperature):
        mass = (log_weights.double() - u(points) / temperature).softmax(0)
        return (looks(y).mean((0, 1)) - mass @ looks(points)[:, 0]) / mcse(looks(y))

    assert off(1.0).abs().max() < 5
    assert off(1.4).abs().max() > 5


def test_the_free_energy_that_the_page_tells_is_the_librarys(chromium, address):
    chromium.open(f"{address}#temperature?t=0&a=2&b=1", prefers_reduced_motion="reduce")
    told = chromium.tell("document.getElementById('summary').textContent")
    at, shown = re.findall(r"\(([^)]*)\), its free energy (\d+\.\d+)", told)[0]
    y = torch.tensor([[float(each) for each in at.split(",")]], dtype=torch.float64)
    angles = torch.arange(72, dtype=torch.float64)[:, None] * (2 * math.pi / 72)

    def distance(y, z):
        return (y - torch.cat([2 * z.cos(), z.sin()], -1)).square().sum(-1)

    energy = FunctionEnergy(distance, variables=("y", "z"))
    free = FreeEnergy(energy, Enumerate(angles), 1.0)(None, y)
    assert abs(float(free) - float(shown)) <= 0.00501
