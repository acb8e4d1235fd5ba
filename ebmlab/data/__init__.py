"""Data: toy densities, relations with several right answers, images; all drawn or checked here."""

from ebmlab.data import posteriors, relations, toys
from ebmlab.data.images import digits, fashion_mnist, mnist
from ebmlab.data.standardizer import Standardizer

__all__ = ["Standardizer", "digits", "fashion_mnist", "mnist", "posteriors", "relations", "toys"]
