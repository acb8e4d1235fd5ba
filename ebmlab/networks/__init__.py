"""Backbones: fully connected and convolutional."""

from ebmlab.networks.convnet import ConvNet
from ebmlab.networks.mlp import MLP, Conditional

__all__ = ["MLP", "Conditional", "ConvNet"]
