"""Recipes of words, on pairs and chains whose law is known."""

import pytest
import torch
from problems import generator, randn

from ebmlab import fit, methods
from ebmlab.data import Characters, Text
from ebmlab.networks import Transformer
from ebmlab.training import Stepping, falling_cosine

K = 5
JOINT = (0.8 * (randn(K, K) + randn(K, K).mT)).flatten().softmax(0).reshape(K, K)
COUNTS, GIVEN = JOINT.sum(0), JOINT / JOINT.sum(1, keepdim=True)


def pairs(n, rng):
    index = torch.multinomial(JOINT.flatten(), n, replacement=True, generator=rng)
    return index // K, index % K


def off(got, due):
    return float((got.detach().double() - due).square().mean().sqrt())


@pytest.mark.parametrize("power", [1.0, 0.75])
def test_inner_products_of_words_are_logs_of_how_much_likelier_they_meet_than_noise(power):
    torch.manual_seed(0)
    method = methods.skip_gram(COUNTS, 8, k=4, power=power)
    sizes = {"steps": 150, "batch_size": 1000, "lr": 0.1}
    fit(method, pairs, **sizes, stepping=Stepping(schedule=falling_cosine))
    x, y = torch.cartesian_prod(torch.arange(K), torch.arange(K)).unbind(1)
    energy, information = -GIVEN.log(), (GIVEN / COUNTS).log()
    noise = (COUNTS**power / (COUNTS**power).sum()).log()
    product = method.encoder.weight @ method.energy.terms[0].target.weight.mT
    # Measured 0.05 where these numbers spread by 1; without the noise, log 4 = 1.4 is missing.
    assert off(method.energy(x, y).reshape(K, K), energy) < 0.1
    assert off(product, GIVEN.log() - noise) < 0.1
    assert (off(product, information) < 0.1) == (power == 1)


def chain(length, seed):
    """A text whose every token hangs on the one before."""
    rng, tokens = generator(seed), [0]
    for _ in range(length - 1):
        tokens.append(int(torch.multinomial(GIVEN[tokens[-1]], 1, generator=rng)))
    return Text(torch.tensor(tokens), Characters("abcde"))


@pytest.mark.parametrize("recipe", ["next_word", "masked_words"])
def test_words_of_a_chain_are_told_as_well_as_can_be(recipe):
    torch.manual_seed(0)
    text, causal = chain(6000, 1), recipe == "next_word"
    network = Transformer(K, 4, dim=16, depth=1, heads=2, causal=causal)
    method = getattr(methods, recipe)(network, K)

    def drawn(n, rng):
        return text.following(n, 3, rng) if causal else text.masked(n, 3, rng, share=0.0)

    fit(method, drawn, steps=100, lr=0.02, stepping=Stepping(schedule=falling_cosine))
    # One hidden of three: the first, the last, or between two, each as often.
    law, two = JOINT.sum(1), GIVEN[:, :, None] * GIVEN[None]
    ahead = -(law[:, None] * GIVEN * GIVEN.log()).sum()
    back = -(law[:, None] * GIVEN * (law[:, None] * GIVEN / (law @ GIVEN)).log()).sum()
    middle = -(law[:, None, None] * two * (two / two.sum(1, keepdim=True)).log()).sum()
    due = float(ahead if causal else (ahead + back + middle) / 3)
    x, y = drawn(4000, generator(5))
    assert abs(float(method(x, y).value.detach()) - due) < 0.05
