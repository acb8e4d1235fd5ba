"""Convolutions over tokens, held against their formula."""

import pytest
import torch
from problems import generator

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks import TokenConvNet

K = 5


def test_logits_are_sums_over_places_and_two_layers():
    torch.manual_seed(0)
    f = TokenConvNet(K, reach=2, dim=3, width=4).double()
    tokens = torch.randint(K + 1, (2, 7), generator=generator(1))
    padded = torch.nn.functional.pad(f.embedding(tokens), (0, 0, 2, 2))
    places = f.places.weight.permute(2, 1, 0)
    for site in range(7):
        h = f.places.bias + sum(padded[:, site + i] @ places[i] for i in range(5))
        h = torch.nn.functional.gelu(h)
        due = f.out(h + torch.nn.functional.gelu(f.layer(h)))
        torch.testing.assert_close(f(tokens)[:, site], due)
        torch.testing.assert_close(f.at(tokens, site), due)


def test_what_is_no_text_is_refused():
    f = TokenConvNet(K, dim=3, width=4)
    with pytest.raises(ShapeError, match="tokens have shape"):
        f(torch.zeros(3, dtype=torch.long))
    with pytest.raises(ConfigurationError, match="label 6"):
        f(torch.tensor([[6]]))
