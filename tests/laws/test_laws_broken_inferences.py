import random

import pytest
import torch
from laws_support import CODES, X1, Y2, Conjugate, Joined, latent, net, numbered, plane
from torch import nn

from ebmlab.free_energy import Inference
from ebmlab.inference import Amortized, Enumerate
from ebmlab.testing import check_inference


class Weighted(Inference):
    """A sound enumeration at T > 0, whose posterior `change` breaks."""

    bound = "exact"

    def __init__(self, change=None):
        super().__init__()
        self.codes = nn.Parameter(CODES.clone())
        self.calls = 0
        self.change = change

    def choose(self, energy, x, y, temperature, rng):
        q = Enumerate(self.codes)(energy, x, y, temperature, rng=rng)
        return q if self.change is None else self.change(self, q, y)


def called(infer):
    infer.calls += 1


# (the law, change(infer, q, y))
BROKEN_POSTERIORS = [
    ("weights", lambda i, q, y: q._replace(weights=2 * q.weights)),
    ("weights", lambda i, q, y: q._replace(weights=q.weights - 1, energies=None)),
    ("weights", lambda i, q, y: q._replace(weights=q.weights[:, :1].expand(-1, 3))),
    ("information", lambda i, q, y: q._replace(information=q.information - 3)),
    ("information", lambda i, q, y: q._replace(information=q.information.mean())),
    ("residual", lambda i, q, y: q._replace(residual=q.residual - 1)),
    ("atoms", lambda i, q, y: q._replace(atoms=q.atoms[:, :1])),
    ("energies", lambda i, q, y: q._replace(energies=q.energies + 1)),
    ("dtype kept", lambda i, q, y: q._replace(residual=q.residual.float())),
    ("global generator", lambda i, q, y: (torch.rand(()), q)[1]),
    ("input untouched", lambda i, q, y: (y.add_(1.0), q)[1]),
    ("state unmoved", lambda i, q, y: (called(i), q)[1]),
    ("a function", lambda i, q, y: q._replace(residual=q.residual + random.random())),
    ("batch independence", lambda i, q, y: q._replace(residual=q.residual + y.square().sum())),
]


@pytest.mark.parametrize(("law", "change"), numbered(BROKEN_POSTERIORS))
def test_a_broken_posterior_is_refused(law, change):
    with pytest.raises(AssertionError, match=law):
        check_inference(Weighted(change), latent(), X1, Y2, temperature=0.5)


@pytest.mark.parametrize("wrong", [float("nan"), -float("inf")])
def test_an_estimate_of_the_information_is_a_finite_number(wrong):
    def broken(infer, q, y):
        return q._replace(information=q.information + wrong)

    with pytest.raises(AssertionError, match="information: expected finite"):
        check_inference(Weighted(broken), latent(), X1, Y2, temperature=0.5, estimated=True)


class Lenient(Weighted):
    """Takes a temperature for its size."""

    def __call__(self, energy, x, y, temperature=0.0, *, rng=None):
        return super().choose(energy, x, y, abs(temperature), rng)


class Cut(Weighted):
    """The codes are learned, and no gradient reaches them."""

    def choose(self, energy, x, y, temperature, rng):
        with torch.no_grad():
            return super().choose(energy, x, y, temperature, rng)


class Careless(Weighted):
    """Forgets the temperature of the information."""

    def choose(self, energy, x, y, temperature, rng):
        q = super().choose(energy, x, y, temperature, rng)
        return q._replace(information=q.information / temperature)


class Optimist(Weighted):
    """Leaves out what z costs, and says upper."""

    bound = "upper"

    def choose(self, energy, x, y, temperature, rng):
        q = super().choose(energy, x, y, temperature, rng)
        return q._replace(information=torch.zeros_like(q.information))


class Pessimist(Weighted):
    """Counts twice what z costs, and says lower."""

    bound = "lower"

    def choose(self, energy, x, y, temperature, rng):
        q = super().choose(energy, x, y, temperature, rng)
        return q._replace(information=2 * q.information)


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("temperature", Lenient),
        ("envelope", Cut),
        ("envelope: the gradient in", Careless),
        ("'exact'", Careless),
        ("'upper'", Optimist),
        ("'lower'", Pessimist),
    ],
)
def test_a_broken_inference_is_refused(law, broken):
    # The value's slope is not at stake in the bounds.
    envelope = law.startswith("envelope")
    with pytest.raises(AssertionError, match=law):
        check_inference(
            broken(), latent(), X1, Y2, temperature=0.5, exact=Weighted(), envelope=envelope
        )


def test_a_sound_inference_passes_and_is_not_changed():
    infer, energy = Weighted(), latent()
    check_inference(infer, energy, X1, Y2, temperature=0.5, exact=Weighted())
    assert torch.equal(infer.codes, CODES)
    assert infer.codes.grad is None


def test_a_random_bound_that_is_too_low_is_refused():
    """Half of the KL term: the mean of 64 draws lies below the exact free energy."""

    class Cheap(Amortized):
        def choose(self, energy, x, y, temperature, rng):
            q = super().choose(energy, x, y, temperature, rng)
            return q._replace(information=q.information - q.information)

    infer = Cheap(Joined(net(2, 1), net(2, 1)), samples=64)
    with torch.no_grad():
        infer.encoder.nets[1][-1].bias.fill_(-1.0)
    with pytest.raises(AssertionError, match="'upper'"):
        check_inference(infer, plane(), None, Y2, temperature=5.0, exact=Conjugate())
