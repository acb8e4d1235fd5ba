"""Recipes for discrete y that compare a datum with its neighbors, one site away: no log Z."""

from ebmlab.energy import Energy
from ebmlab.methods.cards import card
from ebmlab.objectives import (
    ConcreteScore,
    MinimumProbabilityFlow,
    PseudoLikelihood,
    RatioMatching,
)
from ebmlab.protocols import Method
from ebmlab.samplers import Binary
from ebmlab.samplers.discrete import StateSpace

__all__ = ["concrete_score", "probability_flow", "pseudo_likelihood", "ratio_matching"]


@card(
    energy="any E(x, y), discrete y",
    objective="Σ -log p(y_i | other sites)",
    collapse="all values of a site",
)
def pseudo_likelihood(energy: Energy, space: StateSpace | None = None) -> Method:
    """Maximum pseudo-likelihood: each site is predicted from all others.

    Args:
        energy: E(x, y) of binary or one-hot y; x is None where it takes none.
        space: None for y in {0, 1}; `Categorical()` for one-hot y.

    Source: Besag 1975.
    """
    return Method(energy, PseudoLikelihood(space or Binary()))


@card(
    energy="any E(x, y), discrete y",
    objective="Σ σ(E(y) - E(y'))², neighbors y'",
    collapse="neighbors lie higher",
)
def ratio_matching(energy: Energy, space: StateSpace | None = None) -> Method:
    """Ratio matching: p(y') / (p(y) + p(y')) of neighbors is that of the data. Bounded.

    Args are those of `pseudo_likelihood`.

    Source: Hyvärinen 2007.
    """
    return Method(energy, RatioMatching(space or Binary()))


@card(
    energy="any E(x, y), discrete y",
    objective="Σ exp(½ (E(y) - E(y'))), neighbors y'",
    collapse="neighbors lie higher",
)
def probability_flow(energy: Energy, space: StateSpace | None = None) -> Method:
    """Minimum probability flow: probability leaves data for their neighbors as slowly as can be.

    Args are those of `pseudo_likelihood`.

    Source: Sohl-Dickstein, Battaglino, DeWeese 2011, arXiv:0906.4779.
    """
    return Method(energy, MinimumProbabilityFlow(space or Binary()))


@card(
    energy="any E(x, y), discrete y",
    objective="Σ r² - 2/r, r = exp(E(y) - E(y'))",
    collapse="ratios, not heights",
)
def concrete_score(energy: Energy, space: StateSpace | None = None) -> Method:
    """Concrete score matching: the relative change of probability to each neighbor.

    Args are those of `pseudo_likelihood`. It needs more data than the others.

    Source: Meng, Choi, Song, Ermon 2022, arXiv:2211.00802.
    """
    return Method(energy, ConcreteScore(space or Binary()))
