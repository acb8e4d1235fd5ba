"""Recipes: each method is an energy and an objective, put together in a few lines.

`print(method)` shows what a method is made of.
"""

from ebmlab.methods.asymmetric import byol, simsiam
from ebmlab.methods.contrastive import igebm, noise_contrastive, siamese, simclr
from ebmlab.methods.predictive import joint_embedding, latent_prediction, regression
from ebmlab.methods.regularized import vicreg
from ebmlab.methods.scores import denoising_score
from ebmlab.methods.sparse import sparse_coding

__all__ = [
    "byol",
    "denoising_score",
    "igebm",
    "joint_embedding",
    "latent_prediction",
    "noise_contrastive",
    "regression",
    "siamese",
    "simclr",
    "simsiam",
    "sparse_coding",
    "vicreg",
]
