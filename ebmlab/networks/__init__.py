"""Backbones: fully connected and convolutional."""

from ebmlab.networks.convnet import ConvNet
from ebmlab.networks.dictionary import Dictionary
from ebmlab.networks.mlp import MLP, Choice, Conditional, Projector

__all__ = ["MLP", "Choice", "Conditional", "ConvNet", "Dictionary", "Projector"]
