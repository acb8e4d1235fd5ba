"""Recipes of words: a softmax over all that a token can be, or contrast with frequent tokens."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.energies import Categorical, Frequencies, InnerProduct, JointEmbedding
from ebmlab.methods.cards import card
from ebmlab.objectives import NCE, Likelihood
from ebmlab.protocols import Method

__all__ = ["masked_words", "next_word", "skip_gram"]


@card(
    energy="-Σ f(x)_{s, y_s} of hidden sites s",
    objective="-log p(y | x), all tokens summed",
    collapse="softmax over the vocabulary",
)
def masked_words(network: nn.Module, vocabulary: int) -> Method:
    """Masked language model: hidden tokens of a text y are told from those that x shows.

    x is y with some tokens replaced by the number `vocabulary`, as `data.Text.masked` makes it.
    The loss is in nats per hidden token. Hidden tokens are scored as if independent given x;
    `samplers.MaskedGibbs` draws them in turn.

    Args:
        network: (n, length) to logits (n, length, vocabulary), `networks.Transformer(…)`.
        vocabulary: how many tokens there are, K.

    Source: Devlin et al. 2019, arXiv:1810.04805; Taylor 1953, "Cloze procedure".
    """
    require_counts(vocabulary=vocabulary)
    energy = Categorical(network, y_ndim=1, hidden=vocabulary)
    return Method(energy, Likelihood(torch.arange(vocabulary)))


@card(
    energy="-Σ f(x)_{s, y_s} of all sites s",
    objective="-log p(y | x), all tokens summed",
    collapse="softmax over the vocabulary",
)
def next_word(network: nn.Module, vocabulary: int) -> Method:
    """Causal language model: y_s follows x_s, and is told from x up to there.

    Nothing of x after a site may reach its logits: then the sum over the sites is -log p of the
    whole text. The loss is in nats per token.

    Args:
        network: as in `masked_words`, `networks.Transformer(…, causal=True)`.
        vocabulary: how many tokens there are, K.

    Source: Shannon 1951; Bengio, Ducharme, Vincent, Jauvin 2003; Radford et al. 2019.
    """
    require_counts(vocabulary=vocabulary)
    return Method(Categorical(network, y_ndim=1), Likelihood(torch.arange(vocabulary)))


@card(
    energy="-u(x)·v(y) - log q(y)",
    objective="NCE, q ∝ counts^0.75",
    collapse="draws of the noise q",
)
def skip_gram(counts: Tensor, dim: int = 64, *, k: int = 5, power: float = 0.75) -> Method:
    """word2vec: a token x and one nearby, y, against k draws of a noise q ∝ counts^power.

    E tends to -log p(y | x), so that u(x)·v(y) = log p(y | x) - log q(y), the pointwise mutual
    information where power is 1. In the paper, which leaves the noise out of the energy and sums
    over the draws, it lies log k lower. `data.Text.neighbors` draws x and y; u is the
    representation.

    Args beside those that recipes share:
        counts: how often each token occurs, (K,), as `data.Text.counts`.
        k: draws per pair.
        power: of the counts, for the noise.

    Source: Mikolov, Sutskever, Chen, Corrado, Dean 2013, arXiv:1310.4546; NCE of words, Mnih,
    Kavukcuoglu 2013; what it learns, Levy, Goldberg 2014.
    """
    u, v = (nn.Embedding(len(counts), dim) for _ in range(2))
    for table in (u, v):
        nn.init.normal_(table.weight, std=dim**-0.5)
    noise = Frequencies(counts, power)
    energy = JointEmbedding(u, v, InnerProduct(), x_ndim=0) + noise
    return Method(energy, NCE(noise, k), encoder=u)
