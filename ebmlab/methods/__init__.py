"""Recipes: each method is an energy and an objective, put together in a few lines.

`print(method)` shows what a method is made of; `ebmlab methods` lists them all, and
`ebmlab methods NAME` tells all about one.

Args that recipes share, unless they say otherwise:
    encoder: f, (n, *event) -> (n, dim), the representation.
    decoder: g, from codes as the encoder gives them.
    dim: length of the representation.
    distance: of g(z) and y; None takes the squared distance of vectors.
    projection: length of the codes that are compared.
    hidden: width of the projector's hidden layers.
    temperature: τ, by which logits or cosines are divided.
    x_ndim: event dimensions of x: 1 points, 3 images.
"""

from ebmlab.methods.adversarial import *
from ebmlab.methods.asymmetric import *
from ebmlab.methods.autoencoders import *
from ebmlab.methods.cards import is_recipe
from ebmlab.methods.chains import *
from ebmlab.methods.classifiers import *
from ebmlab.methods.clustering import *
from ebmlab.methods.clusters import *
from ebmlab.methods.contrastive import *
from ebmlab.methods.densities import *
from ebmlab.methods.discrepancies import *
from ebmlab.methods.image_energies import *
from ebmlab.methods.images import *
from ebmlab.methods.lattices import *
from ebmlab.methods.machines import *
from ebmlab.methods.manifolds import *
from ebmlab.methods.masked import *
from ebmlab.methods.predictive import *
from ebmlab.methods.regularized import *
from ebmlab.methods.scores import *
from ebmlab.methods.sparse import *
from ebmlab.methods.stored import *
from ebmlab.methods.unrolled import *
from ebmlab.methods.variational import *
from ebmlab.methods.words import *
from ebmlab.methods.worlds import *

__all__ = [name for name, value in sorted(globals().items()) if is_recipe(value)]  # pyright: ignore[reportUnsupportedDunderAll]
