"""Energies: densities, networks, codes, joint embeddings, reconstructions, discrete models."""

from ebmlab.energies.bernoulli import Bernoulli
from ebmlab.energies.codes import Cosine, CrossEntropy, SquaredDistance, unit
from ebmlab.energies.density import Density
from ebmlab.energies.gaussians import Gaussian, GaussianMixture, Uniform
from ebmlab.energies.heads import Predicted
from ebmlab.energies.hopfield import Hopfield, ModernHopfield
from ebmlab.energies.joint import JointEmbedding, view_pairs
from ebmlab.energies.lattices import Ising, Potts
from ebmlab.energies.neural import MLP, Constant, ConvNet
from ebmlab.energies.rbm import RBM, JointRBM
from ebmlab.energies.reconstruction import Reconstruction
from ebmlab.energies.shapes import Banana, DoubleWell, Funnel, Ring

__all__ = [
    "MLP",
    "RBM",
    "Banana",
    "Bernoulli",
    "Constant",
    "ConvNet",
    "Cosine",
    "CrossEntropy",
    "Density",
    "DoubleWell",
    "Funnel",
    "Gaussian",
    "GaussianMixture",
    "Hopfield",
    "Ising",
    "JointEmbedding",
    "JointRBM",
    "ModernHopfield",
    "Potts",
    "Predicted",
    "Reconstruction",
    "Ring",
    "SquaredDistance",
    "Uniform",
    "unit",
    "view_pairs",
]
