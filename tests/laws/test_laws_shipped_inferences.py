import pytest
import torch
from laws_support import (
    CODES,
    LABELS,
    NUMBERS,
    X1,
    X2,
    X3,
    Y2,
    Conjugate,
    Joined,
    all_codes,
    clustered,
    clusters,
    descent,
    gaussian_encoder,
    latent,
    net,
    normal,
    pairs,
    plane,
    queued,
    unit_prior,
)
from torch import nn

from ebmlab.energies import Reconstruction, SuperClasses
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference import (
    L1,
    LBFGS,
    Amortized,
    AmortizedCategorical,
    Centered,
    Descent,
    Enumerate,
    Factorized,
    HeavyBall,
    Implicit,
    ImportanceWeighted,
    LevenbergMarquardt,
    Nearest,
    Projected,
    Proximal,
    Refined,
    Sampled,
    Sinkhorn,
    SoftNearest,
    Stored,
    SuperClustered,
)
from ebmlab.samplers import HMC
from ebmlab.testing import check_inference


class Lowest(Inference):
    """The lowest of CODES for every datum, by a loop."""

    bound = "exact"

    def choose(self, energy, x, y, temperature, rng):
        atom = torch.empty(1, len(y), 1, dtype=y.dtype)
        for i in range(len(y)):
            costs = [energy(x[i : i + 1], y[i : i + 1], z[None].to(y.dtype)) for z in CODES]
            atom[0, i] = CODES[int(torch.cat(costs).argmin())]
        zero = torch.zeros_like(y[:, 0])
        return Posterior(atom, torch.ones_like(zero)[None], zero, zero)


class Thresholded(Inference):
    """The minimum of ‖w z + b - y‖² + λ |z| for a scalar z, in closed form."""

    bound = "exact"

    def choose(self, energy, x, y, temperature, rng):
        w, b = energy.decoder.weight[:, 0], energy.decoder.bias
        along = (y - b) @ w
        size = (along.abs() - 0.5 * energy.prior.weight).clamp(min=0)
        atom = (along.sign() * size / w.square().sum()).detach()
        zero = torch.zeros_like(atom)
        return Posterior(atom[None, ..., None], torch.ones_like(zero)[None], zero, zero)


class Solved(nn.Module):
    """The mean and log std of the exact q at temperature T."""

    def __init__(self, energy, temperature):
        super().__init__()
        self.decoder, self.temperature = energy.decoder, temperature

    def forward(self, y):
        energy = Reconstruction(self.decoder, takes_x=False)
        low, high = Conjugate()(energy, None, y, self.temperature).atoms
        return (low + high) / 2, ((high - low) / 2).log()


def solved():
    energy = plane()
    infer = Amortized(Solved(energy, 0.5), samples=16)
    return infer, energy, None, 0.5, Conjugate()


def grid():
    """Values of z, and the weights of a standard normal prior on them."""
    z = torch.linspace(-6, 6, 601, dtype=torch.float64)[:, None]
    return Enumerate(z.float(), (-0.5 * z[:, 0].square()).exp())


class Split(nn.Sequential):
    """Logits (n, parts, codes) of y (2)."""

    def __init__(self, parts, codes):
        super().__init__(net(2, parts * codes), nn.Unflatten(1, (parts, codes)))


STARTS = torch.tensor([[-1.0], [1.0]])

# Inferences: name -> (infer, energy, x, temperature, the exact one or None).
INFERENCES = {
    "Enumerate, T=0": lambda: (Enumerate(CODES), latent(), X1, 0.0, Lowest()),
    "Enumerate, T=0.5": lambda: (Enumerate(CODES), latent(), X1, 0.5, None),
    "Enumerate, weights": lambda: (Enumerate(CODES, torch.arange(5.0)), latent(), X1, 2.0, None),
    "Enumerate, learned": lambda: (Enumerate(nn.Parameter(CODES)), latent(), X1, 0.0, None),
    "Enumerate, grid": lambda: (grid(), plane(), None, 0.5, Conjugate()),
    "Descent": lambda: (descent(), latent(unit_prior()), X1, 0.0, None),
    "Descent, linear": lambda: (descent(), plane(), None, 0.0, Conjugate()),
    "Descent, unconverged": lambda: (descent(8, 1.5), latent(unit_prior()), X1, 0.0, None),
    "Descent, momentum": lambda: (
        Descent(STARTS, steps=60, direction=HeavyBall(0.5)),
        latent(unit_prior()),
        X1,
        0.0,
        None,
    ),
    "LBFGS": lambda: (LBFGS(STARTS), latent(unit_prior()), X1, 0.0, None),
    "LBFGS, linear": lambda: (LBFGS(STARTS, chunk=1), plane(), None, 0.0, Conjugate()),
    "LevenbergMarquardt": lambda: (LevenbergMarquardt(STARTS), plane(), None, 0.0, Conjugate()),
    "Proximal": lambda: (Proximal(STARTS, tolerance=1e-6), latent(L1(0.3)), X1, 0.0, None),
    "Proximal, linear": lambda: (
        Proximal(STARTS, tolerance=1e-6),
        Reconstruction(nn.Linear(1, 2), prior=L1(0.3), takes_x=False),
        None,
        0.0,
        Thresholded(),
    ),
    "Implicit": lambda: (Implicit(LBFGS(STARTS)), latent(unit_prior()), X1, 0.0, None),
    "Amortized, T=0": lambda: (Amortized(net(2, 1)), plane(), None, 0.0, Conjugate()),
    "Amortized, T=0.5": lambda: (
        Amortized(Joined(net(2, 1), net(2, 1)), samples=3),
        plane(),
        None,
        0.5,
        Conjugate(),
    ),
    "Amortized, exact q": solved,
    "Amortized, of x": lambda: (gaussian_encoder(), latent(), X1, 1.0, None),
    "ImportanceWeighted, T=0": lambda: (
        ImportanceWeighted(Joined(net(2, 1), net(2, 1))),
        plane(),
        None,
        0.0,
        Conjugate(),
    ),
    "ImportanceWeighted, T=0.5": lambda: (
        ImportanceWeighted(Joined(net(2, 1), net(2, 1)), samples=5),
        plane(),
        None,
        0.5,
        Conjugate(),
    ),
    "ImportanceWeighted, of x": lambda: (
        ImportanceWeighted(Joined(net(3, 1), net(3, 1)), samples=1),
        latent(),
        X1,
        1.0,
        None,
    ),
    "ImportanceWeighted, doubly": lambda: (
        ImportanceWeighted(Joined(net(2, 1), net(2, 1)), samples=5, doubly=True),
        plane(),
        None,
        0.5,
        Conjugate(),
    ),
    "Refined, LBFGS": lambda: (Refined(net(2, 1), LBFGS()), plane(), None, 0.0, Conjugate()),
    "Refined, Proximal": lambda: (
        Refined(net(2, 1), Proximal(tolerance=1e-6)),
        Reconstruction(nn.Linear(1, 2), prior=L1(0.3), takes_x=False),
        None,
        0.0,
        Thresholded(),
    ),
    "Refined, of x": lambda: (
        Refined(Joined(net(3, 1), net(3, 1)), LBFGS()),
        latent(unit_prior()),
        X1,
        0.0,
        None,
    ),
    "Sampled, prior": lambda: (
        Sampled(HMC(0.3, 5), steps=5, chains=2, prior=unit_prior()),
        plane(),
        None,
        0.5,
        None,
    ),
    "Sampled, start": lambda: (
        Sampled(HMC(0.3, 5), steps=5, chains=2, start=STARTS),
        latent(unit_prior()),
        X1,
        0.5,
        None,
    ),
    "Factorized, T=0": lambda: (Factorized(3, 2), pairs(), None, 0.0, Enumerate(all_codes())),
    "Factorized, T=0.5": lambda: (Factorized(3, 2), pairs(), None, 0.5, Enumerate(all_codes())),
    "Factorized, no pairs": lambda: (
        Factorized(3, 2, starts=all_codes()),
        pairs(coupling=0.0),
        None,
        0.5,
        Enumerate(all_codes()),
    ),
    "AmortizedCategorical, T=0": lambda: (
        AmortizedCategorical(net(2, 3)),
        Reconstruction(net(3, 2), takes_x=False),
        None,
        0.0,
        Enumerate(torch.eye(3)),
    ),
    "AmortizedCategorical, all codes": lambda: (
        AmortizedCategorical(net(2, 3), samples=None),
        Reconstruction(net(3, 2), takes_x=False),
        None,
        0.5,
        Enumerate(torch.eye(3)),
    ),
    "AmortizedCategorical, T=0.5": lambda: (
        AmortizedCategorical(Split(3, 2), samples=2, relaxation=0.7),
        pairs(),
        None,
        0.5,
        Enumerate(all_codes()),
    ),
    "Nearest": lambda: (
        Nearest(normal(5, 2, seed=6)),
        Reconstruction(nn.Linear(2, 2), takes_x=False),
        None,
        0.0,
        Enumerate(normal(5, 2, seed=6)),
    ),
    "Nearest, learned": lambda: (
        Nearest(nn.Parameter(normal(5, 2, seed=6))),
        Reconstruction(nn.Linear(2, 2), takes_x=False),
        None,
        0.0,
        None,
    ),
    "Nearest, encoder": lambda: (
        Nearest(nn.Parameter(CODES), net(2, 1)),
        plane(),
        None,
        0.0,
        Enumerate(CODES),
    ),
    "Projected": lambda: (Projected(), plane(), None, 0.0, Conjugate()),
    "Stored": lambda: (
        Stored(CODES),
        Reconstruction(nn.Linear(1, 2), takes_x=False, x_ndim=0),
        NUMBERS,
        0.0,
        None,
    ),
    "Sinkhorn": lambda: (Sinkhorn(0.5), clusters(), X2, 0.0, None),
    "Sinkhorn, queue": lambda: (queued(), clusters(), X2, 0.0, None),
    "Centered": lambda: (Centered(2, 0.5), clusters(), X2, 0.0, None),
    "SoftNearest": lambda: (SoftNearest(), clusters(), X2, 0.0, None),
    "Clustered": lambda: (*clustered(), X2, 0.0, None),
    "SuperClustered": lambda: (
        SuperClustered(3, 2, 2, 3, size=9, every=1),
        SuperClasses(3, 2, 2, 3),
        X3,
        0.0,
        None,
    ),
    "closed form": lambda: (Conjugate(), plane(), None, 0.5, grid()),
}

BALANCED = {"envelope": False, "coupled": True}
INFERENCE_EXEMPTIONS = {
    "Descent, unconverged": ({"envelope": False}, "the theorem holds at the minimum only"),
    "ImportanceWeighted, of x": ({"estimated": True}, "one draw's log q / p, not its mean"),
    "ImportanceWeighted, T=0.5": ({"estimated": True}, "the same, of few draws"),
    "ImportanceWeighted, doubly": (
        {"estimated": True, "envelope": False},
        "the same, and a gradient that is the value's in the mean only",
    ),
    "AmortizedCategorical, T=0": ({"envelope": False}, "the gradient goes straight through"),
    "AmortizedCategorical, T=0.5": ({"envelope": False}, "the same"),
    "Nearest, encoder": ({"envelope": False}, "the same"),
    "Sinkhorn": (BALANCED, "the whole batch shares the clusters, which no gradient passes"),
    "Sinkhorn, queue": (BALANCED, "the same"),
    "Centered": ({"envelope": False}, "no gradient passes z, and z is not the minimum"),
    "SoftNearest": ({"envelope": False}, "the same"),
}

# y where it is another one than Y2.
OTHER_Y = {"SuperClustered": LABELS}


# Where draws are random, their mean keeps its bound to five standard errors, at the fixed seed 0:
# a right one fails at about one seed in 100,000 (four data). The control in
# test_laws_broken_inferences.py is too low.
@pytest.mark.parametrize("name", INFERENCES)
def test_shipped_inference_keeps_the_laws(name):
    infer, energy, x, temperature, exact = INFERENCES[name]()
    excused, _ = INFERENCE_EXEMPTIONS.get(name, ({}, ""))
    y = OTHER_Y.get(name, Y2)
    check_inference(infer, energy, x, y, temperature=temperature, exact=exact, **excused)


@pytest.mark.parametrize("name", INFERENCE_EXEMPTIONS)
def test_inference_exemption_is_needed(name):
    infer, energy, x, temperature, _ = INFERENCES[name]()
    with pytest.raises(AssertionError, match=r"envelope|information|independence"):
        check_inference(infer, energy, x, Y2, temperature=temperature)
