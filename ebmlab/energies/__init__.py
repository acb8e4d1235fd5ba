"""Energies: analytic densities, networks, codes, joint embeddings, reconstructions."""

from ebmlab.energies.codes import Cosine, CrossEntropy, SquaredDistance

__all__ = ["Cosine", "CrossEntropy", "SquaredDistance"]
