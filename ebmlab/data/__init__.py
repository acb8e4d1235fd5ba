"""Data: toy densities, relations with several right answers, images; all drawn or checked here."""

from ebmlab.data import posteriors, relations, toys, views, worlds
from ebmlab.data.cifar import cifar10
from ebmlab.data.images import digits, fashion_mnist, mnist
from ebmlab.data.manifolds import ellipse, horn
from ebmlab.data.standardizer import Standardizer

__all__ = [
    "Standardizer",
    "cifar10",
    "digits",
    "ellipse",
    "fashion_mnist",
    "horn",
    "mnist",
    "posteriors",
    "relations",
    "toys",
    "views",
    "worlds",
]
