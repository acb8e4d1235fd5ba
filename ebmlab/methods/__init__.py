"""Recipes: each method is an energy and an objective, put together in a few lines.

`print(method)` shows what a method is made of.
"""

from ebmlab.methods.asymmetric import byol, simsiam
from ebmlab.methods.autoencoders import (
    autoencoder,
    contractive_autoencoder,
    denoising_autoencoder,
    pca,
)
from ebmlab.methods.clustering import deepcluster, deepercluster, dino, paws, swav
from ebmlab.methods.clusters import gmm, kmeans, vq_vae
from ebmlab.methods.contrastive import (
    igebm,
    moco,
    nnclr,
    noise_contrastive,
    siamese,
    simclr,
)
from ebmlab.methods.images import image_prediction
from ebmlab.methods.manifolds import ellipse, horn
from ebmlab.methods.masked import masked_autoencoder
from ebmlab.methods.predictive import jepa, joint_embedding, latent_prediction, regression
from ebmlab.methods.regularized import barlow_twins, lejepa, vicreg, w_mse
from ebmlab.methods.scores import denoising_score
from ebmlab.methods.sparse import lista, psd, sparse_coding
from ebmlab.methods.stored import glo
from ebmlab.methods.variational import iwae, vae

__all__ = [
    "autoencoder",
    "barlow_twins",
    "byol",
    "contractive_autoencoder",
    "deepcluster",
    "deepercluster",
    "denoising_autoencoder",
    "denoising_score",
    "dino",
    "ellipse",
    "glo",
    "gmm",
    "horn",
    "igebm",
    "image_prediction",
    "iwae",
    "jepa",
    "joint_embedding",
    "kmeans",
    "latent_prediction",
    "lejepa",
    "lista",
    "masked_autoencoder",
    "moco",
    "nnclr",
    "noise_contrastive",
    "paws",
    "pca",
    "psd",
    "regression",
    "siamese",
    "simclr",
    "simsiam",
    "sparse_coding",
    "swav",
    "vae",
    "vicreg",
    "vq_vae",
    "w_mse",
]
