"""`Method.encode`: the encoder's output, or z inferred for y, for every method that has one."""

import math

import pytest
import torch
from problems import generator, randn
from torch import nn
from torch.distributions import MultivariateNormal

from ebmlab import Method, energies, methods
from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Descent, Refined
from ebmlab.objectives import DenoisingScore, Regularized


def test_clusters_are_encoded_by_how_well_each_fits():
    centers, y = randn(3, 2), randn(7, 2, seed=1)
    fits = methods.kmeans(centers).encode(y)
    torch.testing.assert_close(fits, -torch.cdist(y, centers).square())
    method = methods.kmeans(centers)
    assert torch.equal(fits.argmax(1), method.energy.posterior(None, y).atoms[0])


def test_components_are_encoded_by_their_log_densities():
    means, y = randn(3, 2), randn(7, 2, seed=1)
    a = randn(3, 2, 2, seed=2)
    covariances, weights = a @ a.mT + torch.eye(2).double(), torch.tensor([0.2, 0.5, 0.3])
    method = methods.gmm(means, covariances, weights.double())
    logs = MultivariateNormal(means, covariances).log_prob(y[:, None])
    torch.testing.assert_close(method.encode(y), logs)
    posterior = (method.encode(y) + weights.double().log()).softmax(1)
    torch.testing.assert_close(posterior, method.energy.posterior(None, y).weights.T)


@pytest.fixture
def linear():
    decoder = nn.Linear(2, 5, bias=False).double()
    decoder.weight.data = randn(5, 2, seed=3)
    return decoder


def test_glo_encodes_new_data_by_least_squares(linear):
    method, y = methods.glo(linear, n=4, dim=2, rng=generator(), radius=10.0).double(), randn(7, 5)
    expected = torch.linalg.lstsq(linear.weight, y.T).solution.T
    torch.testing.assert_close(method.encode(y), expected.detach(), rtol=1e-6, atol=1e-6)
    stored = method.energy.posterior(torch.arange(4), y[:4]).atoms[0]
    assert not torch.allclose(method.encode(y[:4]), stored, atol=0.1)


def test_glo_encodes_within_its_ball(linear):
    method, y = methods.glo(linear, n=4, dim=2, rng=generator(), radius=0.3).double(), randn(7, 5)
    z = method.encode(y).detach()
    assert (z.norm(dim=1) <= 0.3 + 1e-12).all()
    turn = 2 * math.pi * torch.arange(360).double() / 360
    ring = torch.stack([turn.cos(), turn.sin()], 1)
    disk = torch.cat([0.3 * share * ring for share in (0.25, 0.5, 0.75, 1.0)])
    lowest = method.energy.energy(None, y, disk[:, None]).min(0).values
    assert (method.energy.energy(None, y, z) <= lowest + 1e-3).all()


def test_sparse_codes_are_those_of_lowest_energy():
    atoms, y = randn(6, 4), randn(5, 4, seed=1)
    method = methods.sparse_coding(atoms, 0.3, tolerance=1e-10)
    z = method.encode(y)
    free = method.energy(None, y)
    moved = (z + 1e-3 * randn(50, 5, 6, seed=2)).detach()
    assert (method.energy.energy(None, y, z) <= free + 1e-12).all()
    assert (method.energy.energy(None, y, moved) > free - 1e-9).all()
    assert ((z == 0).double().mean(1) > 0).all()


def test_vectors_are_encoded_by_the_nearest_value_of_z():
    turn = 2 * math.pi * torch.arange(48) / 48
    y = 1.2 * torch.stack([turn.cos(), turn.sin()], 1)[[3, 17, 40]]
    torch.testing.assert_close(methods.ellipse().encode(y).flatten(), turn[[3, 17, 40]])
    choice = methods.latent_prediction(nn.Identity(), torch.eye(3), takes_x=False)
    assert torch.equal(choice.encode(torch.eye(3)[[2, 0]] + 0.1), torch.eye(3)[[2, 0]])


@pytest.mark.parametrize("wrapped", [lambda f: f, lambda f: 3 * f, lambda f: f / 0.1])
def test_weights_do_not_move_z(wrapped):
    f = nn.Linear(3, 2).double()
    g = Reconstruction(nn.Linear(2, 3).double(), takes_x=False)
    y = randn(5, 3)
    refined = FreeEnergy(g, Refined(f, Descent(steps=20)))
    method = Method(wrapped(refined), Regularized())
    torch.testing.assert_close(method.encode(y), refined.posterior(None, y).atoms[0])


NOTHING = {
    "no z": (methods.denoising_score(energies.MLP(2), 0.1), "MLP has no z to encode y by"),
    "no encoder": (
        Method(energies.JointEmbedding(nn.Linear(2, 2)), DenoisingScore(0.1)),
        r"JointEmbedding has no z .* Method\(…, encoder=f\)",
    ),
    "z of x and y": (methods.horn(), r"depends on x too: take posterior\(x, y\)"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_what_has_no_code_of_y_alone_says_what_to_do(case):
    method, said = NOTHING[case]
    with pytest.raises(ConfigurationError, match=said):
        method.encode(torch.zeros(3, 2))
