"""Energies: densities, networks, codes, joint embeddings, reconstructions, discrete models."""

from ebmlab.energies._codes.assignment import Assignment, ClusterEnergy, entropies
from ebmlab.energies._codes.codes import Cosine, CrossEntropy, InnerProduct, SquaredDistance, unit
from ebmlab.energies._codes.heads import Predicted
from ebmlab.energies._codes.joint import JointEmbedding
from ebmlab.energies._codes.neighbors import NearestNeighbor
from ebmlab.energies._codes.superclasses import SuperClasses
from ebmlab.energies._codes.supported import Supported
from ebmlab.energies._codes.whitened import Whitened
from ebmlab.energies._densities.density import Density
from ebmlab.energies._densities.frequencies import Frequencies
from ebmlab.energies._densities.gaussians import Gaussian, GaussianMixture, Uniform
from ebmlab.energies._densities.shapes import Banana, DoubleWell, Funnel, Ring
from ebmlab.energies._discrete.bernoulli import Bernoulli
from ebmlab.energies._discrete.bipartite import JointRBM
from ebmlab.energies._discrete.deep import DeepBoltzmann
from ebmlab.energies._discrete.hopfield import Hopfield, ModernHopfield
from ebmlab.energies._discrete.lattices import Ising, Potts
from ebmlab.energies._discrete.pairwise import Pairwise
from ebmlab.energies._discrete.rbm import RBM, GaussianRBM
from ebmlab.energies.autoencoder import Autoencoder
from ebmlab.energies.categorical import Categorical
from ebmlab.energies.classifier import Classifier
from ebmlab.energies.clusters import Clusters, kmeans_plus_plus
from ebmlab.energies.completion import Completion, PatchError
from ebmlab.energies.components import Components
from ebmlab.energies.denoised import Denoised
from ebmlab.energies.ensemble import Ensemble
from ebmlab.energies.likelihoods import BinaryCrossEntropy, GaussianNLL
from ebmlab.energies.mixture import DensityMixture, Mixture
from ebmlab.energies.neural import MLP, Constant, ConvNet, ResNet
from ebmlab.energies.normalized import Normalized
from ebmlab.energies.prediction import CodePrediction
from ebmlab.energies.pseudo import PseudoEnergy
from ebmlab.energies.reconstruction import Reconstruction
from ebmlab.energies.shells import Shells
from ebmlab.energies.subspace import Subspace

__all__ = [
    "MLP",
    "RBM",
    "Assignment",
    "Autoencoder",
    "Banana",
    "Bernoulli",
    "BinaryCrossEntropy",
    "Categorical",
    "Classifier",
    "ClusterEnergy",
    "Clusters",
    "CodePrediction",
    "Completion",
    "Components",
    "Constant",
    "ConvNet",
    "Cosine",
    "CrossEntropy",
    "DeepBoltzmann",
    "Denoised",
    "Density",
    "DensityMixture",
    "DoubleWell",
    "Ensemble",
    "Frequencies",
    "Funnel",
    "Gaussian",
    "GaussianMixture",
    "GaussianNLL",
    "GaussianRBM",
    "Hopfield",
    "InnerProduct",
    "Ising",
    "JointEmbedding",
    "JointRBM",
    "Mixture",
    "ModernHopfield",
    "NearestNeighbor",
    "Normalized",
    "Pairwise",
    "PatchError",
    "Potts",
    "Predicted",
    "PseudoEnergy",
    "Reconstruction",
    "ResNet",
    "Ring",
    "Shells",
    "SquaredDistance",
    "Subspace",
    "SuperClasses",
    "Supported",
    "Uniform",
    "Whitened",
    "entropies",
    "kmeans_plus_plus",
    "unit",
]
