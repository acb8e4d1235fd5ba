"""Energies: densities, networks, codes, joint embeddings, reconstructions, discrete models."""

from ebmlab.energies.assignment import Assignment, Scored, entropies
from ebmlab.energies.bernoulli import Bernoulli
from ebmlab.energies.clusters import Clusters, kmeans_plus_plus
from ebmlab.energies.codes import Cosine, CrossEntropy, SquaredDistance, unit
from ebmlab.energies.completion import Completion, PatchError
from ebmlab.energies.components import Components
from ebmlab.energies.density import Density
from ebmlab.energies.gaussians import Gaussian, GaussianMixture, Uniform
from ebmlab.energies.heads import Predicted, Sided
from ebmlab.energies.hopfield import Hopfield, ModernHopfield
from ebmlab.energies.joint import JointEmbedding, are_views, sided, view_groups, view_pairs
from ebmlab.energies.lattices import Ising, Potts
from ebmlab.energies.likelihoods import BinaryCrossEntropy, GaussianNLL
from ebmlab.energies.neighbors import NearestNeighbor
from ebmlab.energies.neural import MLP, Constant, ConvNet, ResNet
from ebmlab.energies.prediction import CodePrediction
from ebmlab.energies.rbm import RBM, JointRBM
from ebmlab.energies.reconstruction import Reconstruction
from ebmlab.energies.shapes import Banana, DoubleWell, Funnel, Ring
from ebmlab.energies.subspace import Subspace
from ebmlab.energies.superclasses import SuperClasses
from ebmlab.energies.supported import Supported
from ebmlab.energies.whitened import Whitened

__all__ = [
    "MLP",
    "RBM",
    "Assignment",
    "Banana",
    "Bernoulli",
    "BinaryCrossEntropy",
    "Clusters",
    "CodePrediction",
    "Completion",
    "Components",
    "Constant",
    "ConvNet",
    "Cosine",
    "CrossEntropy",
    "Density",
    "DoubleWell",
    "Funnel",
    "Gaussian",
    "GaussianMixture",
    "GaussianNLL",
    "Hopfield",
    "Ising",
    "JointEmbedding",
    "JointRBM",
    "ModernHopfield",
    "NearestNeighbor",
    "PatchError",
    "Potts",
    "Predicted",
    "Reconstruction",
    "ResNet",
    "Ring",
    "Scored",
    "Sided",
    "SquaredDistance",
    "Subspace",
    "SuperClasses",
    "Supported",
    "Uniform",
    "Whitened",
    "are_views",
    "entropies",
    "kmeans_plus_plus",
    "sided",
    "unit",
    "view_groups",
    "view_pairs",
]
