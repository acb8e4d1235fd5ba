"""Data: toy densities, relations with several right answers, images, texts, worlds."""

from ebmlab.data import posteriors, relations, toys, views, worlds
from ebmlab.data.cifar import cifar10
from ebmlab.data.folders import folder
from ebmlab.data.galleries import Gallery
from ebmlab.data.hugging_face import from_datasets
from ebmlab.data.images import digits, fashion_mnist, mnist
from ebmlab.data.lazy_images import LazyImages
from ebmlab.data.manifolds import ellipse, horn
from ebmlab.data.shards import shards
from ebmlab.data.standardizer import Standardizer
from ebmlab.data.texts import Text, text
from ebmlab.data.vocabularies import BytePairs, Characters, Vocabulary

__all__ = [
    "BytePairs",
    "Characters",
    "Gallery",
    "LazyImages",
    "Standardizer",
    "Text",
    "Vocabulary",
    "cifar10",
    "digits",
    "ellipse",
    "fashion_mnist",
    "folder",
    "from_datasets",
    "horn",
    "mnist",
    "posteriors",
    "relations",
    "shards",
    "text",
    "toys",
    "views",
    "worlds",
]
