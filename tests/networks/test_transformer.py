"""Transformers of tokens, held against their formulas."""

import pytest
import torch
from problems import F64, generator

from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.networks import Transformer

K, LENGTH = 7, 6


def network(**options):
    torch.manual_seed(0)
    made = Transformer(K, LENGTH, dim=8, depth=2, heads=2, **options).double()
    for parameter in made.parameters():
        parameter.data = 0.4 * torch.randn(parameter.shape, dtype=F64)
    return made


def texts(n=5, length=LENGTH):
    return torch.randint(K + 1, (n, length), generator=generator(1))


def by_hand(own, tokens, causal):
    """The same by the formulas, one head at a time."""
    h, t = own.embedding.weight[tokens] + own.positions[: tokens.shape[1]], tokens.shape[1]
    later = torch.ones(t, t, dtype=torch.bool).triu(1) & causal
    for block in own.blocks:
        q, k, v = block.qkv(block.attention_norm(h)).split(8, -1)
        heads = [
            (q[..., a] @ k[..., a].mT / 2).masked_fill(later, -torch.inf).softmax(-1) @ v[..., a]
            for a in (slice(4), slice(4, 8))
        ]
        h = h + block.out(torch.cat(heads, -1))
        wide = block.mlp[0](block.mlp_norm(h))
        h = h + block.mlp[2](0.5 * wide * (1 + torch.erf(wide / 2**0.5)))
    h = own.norm(h)
    return h @ own.embedding.weight[:K].mT


@pytest.mark.parametrize("causal", [False, True])
def test_logits_follow_the_formulas(causal):
    own = network(causal=causal)
    for tokens in (texts(), texts(length=3)):
        torch.testing.assert_close(own(tokens), by_hand(own, tokens, causal))
        assert not torch.allclose(own(tokens), by_hand(own, tokens, not causal))


def test_a_causal_one_sees_nothing_of_what_follows():
    tokens = texts()
    changed = tokens.clone()
    changed[:, 3] = (changed[:, 3] + 1) % K
    moved = [
        (f(changed) - f(tokens)).abs().amax((0, 2)) > 0 for f in (network(causal=True), network())
    ]
    assert moved[0].tolist() == [False, False, False, True, True, True]
    assert moved[1].all()


def test_the_logits_of_one_site_are_those_of_all_there():
    for site in (0, 4, -1):
        due = network()(texts())[:, site]
        torch.testing.assert_close(network(site=site)(texts()), due)
        torch.testing.assert_close(network().at(texts(), site), due)


def test_what_is_no_text_is_told():
    for error, call, told in (
        (ShapeError, lambda: network()(texts(length=7)), r"\(5, 7\)"),
        (ShapeError, lambda: network()(texts()[0]), r"\(6,\)"),
        (ConfigurationError, lambda: network()(texts() + 3), "tokens"),
        (DtypeError, lambda: network()(texts().double()), "float64"),
        (ConfigurationError, lambda: network(site=6), "site is 6"),
        (ConfigurationError, lambda: Transformer(K, LENGTH, dim=9, heads=2), "heads 2"),
    ):
        with pytest.raises(error, match=told):
            call()
