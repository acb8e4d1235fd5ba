"""Backbones, heads and decoders: fully connected, convolutional, residual, transformers."""

from ebmlab.networks._backbones.conv_encoder import ConvEncoder
from ebmlab.networks._backbones.convnet import ConvNet
from ebmlab.networks._backbones.masked import MaskedAutoencoder
from ebmlab.networks._backbones.patches import patched
from ebmlab.networks._backbones.predictor import BlockPredictor, PatchCodes
from ebmlab.networks._backbones.regnet import RegNetY
from ebmlab.networks._backbones.resnet import ResNet
from ebmlab.networks._backbones.strided import StridedDecoder, StridedEncoder
from ebmlab.networks._backbones.token_convnet import TokenConvNet
from ebmlab.networks._backbones.transformer import Transformer
from ebmlab.networks._backbones.vit import ViT, vit_small, vit_tiny
from ebmlab.networks._operators.affine import Operators
from ebmlab.networks._operators.generators import LieOperators
from ebmlab.networks._operators.low_rank import LowRankOperators
from ebmlab.networks._operators.rotations import Rotations
from ebmlab.networks.batch_norm import BatchNorm, synchronized
from ebmlab.networks.codebook import Codebook
from ebmlab.networks.denoiser import Denoiser
from ebmlab.networks.dictionary import Dictionary
from ebmlab.networks.expander import Expander
from ebmlab.networks.gaussian_head import GaussianHead, Mean
from ebmlab.networks.generator import Generator
from ebmlab.networks.lista import LISTA
from ebmlab.networks.manifolds import Ellipse, Horn
from ebmlab.networks.memory import Memory
from ebmlab.networks.mlp import MLP, Choice, Conditional, Projector
from ebmlab.networks.modulated import Modulated
from ebmlab.networks.prototypes import Directions, Prototypes
from ebmlab.networks.spectral import SpectralNorm, spectral_norm
from ebmlab.networks.transposed import Transposed

__all__ = [
    "LISTA",
    "MLP",
    "BatchNorm",
    "BlockPredictor",
    "Choice",
    "Codebook",
    "Conditional",
    "ConvEncoder",
    "ConvNet",
    "Denoiser",
    "Dictionary",
    "Directions",
    "Ellipse",
    "Expander",
    "GaussianHead",
    "Generator",
    "Horn",
    "LieOperators",
    "LowRankOperators",
    "MaskedAutoencoder",
    "Mean",
    "Memory",
    "Modulated",
    "Operators",
    "PatchCodes",
    "Projector",
    "Prototypes",
    "RegNetY",
    "ResNet",
    "Rotations",
    "SpectralNorm",
    "StridedDecoder",
    "StridedEncoder",
    "TokenConvNet",
    "Transformer",
    "Transposed",
    "ViT",
    "patched",
    "spectral_norm",
    "synchronized",
    "vit_small",
    "vit_tiny",
]
