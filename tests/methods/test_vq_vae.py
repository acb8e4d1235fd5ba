"""VQ-VAE: the published loss, values and gradients; learned and averaged codes; what is used."""

import math

import pytest
import torch
from autoencoders_support import gaussian, linear
from problems import F64, randn
from torch import nn

from ebmlab import FreeEnergy, fit, methods
from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError
from ebmlab.inference import Amortized, Nearest
from ebmlab.objectives import VectorQuantized


def official(f, g, codes, y, beta, parts=1):
    """Mean over the data of ‖g(e) - y‖² + ‖sg[h] - e‖² + β ‖h - sg[e]‖²."""
    h = f(y)
    flat = h.reshape(len(y) * parts, -1)
    e = codes[torch.cdist(flat, codes).argmin(1)].reshape(h.shape)
    straight = h + (e - h).detach()
    energy = (g(straight) - y).square().sum(1)
    book = (h.detach() - e).square().flatten(1).sum(1)
    commitment = beta * (h - e.detach()).square().flatten(1).sum(1)
    return energy.mean(), book.mean(), commitment.mean()


def of_parts():
    f = nn.Sequential(linear(4, 6), nn.Unflatten(1, (3, 2)))
    return f, nn.Sequential(nn.Flatten(), linear(6, 4, seed=2)), 3


def of_vectors():
    return linear(4, 2), linear(2, 4, seed=2), 1


@pytest.mark.parametrize("made", [of_vectors, of_parts])
def test_the_loss_and_all_gradients_are_the_published_ones(made):
    f, g, parts = made()
    codes, y = nn.Parameter(randn(5, 2, seed=7)), randn(9, 4, seed=3)
    method = methods.vq_vae(f, g, codes, 0.3, parts=parts > 1)
    terms = official(f, g, codes, y, 0.3, parts)
    loss = method(None, y)
    torch.testing.assert_close(loss.value, sum(terms))
    for name, due in zip(("energy", "codebook", "commitment"), terms, strict=True):
        torch.testing.assert_close(loss.terms[name], due.detach())
    own = [*f.parameters(), *g.parameters(), codes]
    assert {id(p) for p in method.parameters()} == {id(p) for p in own}
    got, due = (torch.autograd.grad(v, own) for v in (loss.value, sum(terms)))
    for a, b in zip(got, due, strict=True):
        torch.testing.assert_close(a, b)
        assert b.abs().max() > 0


def test_averaged_codes_have_no_term_and_move_on_commit_only():
    f, g, _ = of_vectors()
    codes, y = randn(5, 2, seed=7), randn(9, 4, seed=3)
    method = methods.vq_vae(f, g, codes, decay=0.9)
    energy, _, commitment = official(f, g, codes, y, 0.25)
    loss = method(None, y)
    torch.testing.assert_close(loss.value, energy + commitment)
    book = method.get_buffer("energy.infer.codebook.codes")
    assert torch.equal(book, codes)
    loss.commit()
    share = torch.eye(5, dtype=F64)[torch.cdist(f(y), codes).argmin(1)]
    due = (0.9 * codes + share.T @ f(y)) / (0.9 + share.sum(0))[:, None]
    torch.testing.assert_close(book, due.detach())


def test_information_and_perplexity_tell_what_is_used():
    f, g = nn.Identity(), nn.Identity()
    codes = torch.eye(4, dtype=F64)
    method = methods.vq_vae(f, g, codes)
    cases = (([0, 1, 2, 3], math.log(4)), ([0, 0, 1, 1], math.log(2)), ([2, 2, 2, 2], 0.0))
    for used, nats in cases:
        metrics = method(None, codes[used]).metrics
        assert float(metrics["information"]) == pytest.approx(nats)
        assert float(metrics["perplexity"]) == pytest.approx(math.exp(nats))
        assert float(metrics["restarts"]) == 0


@pytest.mark.parametrize("learned", [False, True])
def test_training_uses_all_codes_and_revives_those_that_start_dead(learned):
    y = gaussian(256)
    f, g = linear(4, 2), linear(2, 4, seed=2)
    start = 0.1 * randn(16, 2, seed=4) + 20 * (torch.arange(16) > 3)[:, None]
    method = methods.vq_vae(f, g, nn.Parameter(start) if learned else start, decay=0.9)
    before = method(None, y)
    fit(method, (None, y), steps=150, batch_size=256, lr=0.02)
    after = method(None, y)
    assert float(before.metrics["perplexity"]) < 4.01
    assert float(after.metrics["restarts"]) >= 12
    assert float(after.metrics["perplexity"]) > 8
    assert float(after.metrics["information"]) <= math.log(16)
    # The two main axes, quantized to 16 points, leave less than one axis kept exactly would.
    assert float(after.metrics["e_pos"]) < 3.0 < float(before.metrics["e_pos"])


def test_only_quantizers_are_trained_this_way():
    f, g, _ = of_vectors()
    energy, y = Reconstruction(g, takes_x=False), randn(3, 4)
    for infer in (Amortized(f), Nearest(randn(5, 2))):
        with pytest.raises(ConfigurationError, match="Nearest"):
            VectorQuantized()(FreeEnergy(energy, infer), None, y)
    with pytest.raises(ConfigurationError, match="commitment"):
        methods.vq_vae(f, g, randn(5, 2), -1.0)
