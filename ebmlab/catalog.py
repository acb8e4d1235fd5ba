"""Every recipe in one line: its energy, how z is chosen, its objective, what prevents collapse."""

import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ebmlab import methods
from ebmlab.errors import ConfigurationError

__all__ = ["CATALOG", "Entry", "described", "family", "recipe"]


class Entry(NamedTuple):
    """One recipe in the notation of the library: f and g encode or decode, sg stops gradients.

    Attributes:
        energy: E(x, y, z), up to a factor.
        z: how it is chosen; a dash where there is none.
        objective: what pushes the energy down on data, and up elsewhere.
        collapse: what prevents collapse.
    """

    energy: str
    z: str
    objective: str
    collapse: str


_NONE = "–"
_DOWN = "mean energy"

CATALOG: Mapping[str, Entry] = {
    "autoencoder": Entry("‖g(z) - y‖²", "f(y)", _DOWN, "z narrower than y"),
    "barlow_twins": Entry("‖f(x) - f(y)‖²", _NONE, "cross-correlation → 1", "its diagonal"),
    "byol": Entry("-cos(p(f(x)), f'(y))", _NONE, _DOWN, "slow teacher f' and predictor p"),
    "contractive_autoencoder": Entry("‖g(z) - y‖²", "f(y)", "mean + λ ‖∂f/∂y‖²", "slope of f"),
    "deepcluster": Entry("-log softmax(C f(x) / τ)_z", "K-means of all f(y)", _DOWN, "clusters"),
    "deepercluster": Entry(
        "-log softmax(C f(x))_(y, z)", "K-means in rotations y", _DOWN, "clusters, known y"
    ),
    "denoising_autoencoder": Entry("‖g(z) - y‖²", "f(y + σξ)", _DOWN, "noise"),
    "denoising_score": Entry("any E(y)", _NONE, "‖∇E(y + σξ) - ξ/σ‖²", "slopes, not heights"),
    "dino": Entry(
        "-Σ z log softmax(f(x) / τ)", "softmax((f'(y) - c) / τ')", _DOWN, "centering, sharpening"
    ),
    "ellipse": Entry(
        "‖(w₁ cos z, w₂ sin z) - y‖²", "grid of angles", _DOWN, "z has one dimension"
    ),
    "glo": Entry("‖g(z) - y‖²", "stored for each datum", _DOWN, "z narrower than y"),
    "gmm": Entry("-log N(y; μ_z, Σ_z)", "summed, weights w_z", "-log p(y), EM", "normalization"),
    "horn": Entry(
        "‖(f₁(x) cos z, f₂(x) sin z) - y‖²", "grid of angles", _DOWN, "one-dimensional z"
    ),
    "igebm": Entry("any E(y)", _NONE, "E(y) - E(chains) + E²", "negatives by Langevin"),
    "image_prediction": Entry(
        "‖g(f(x), z) - y‖²", "one of k codes", _DOWN, "z carries log k nats"
    ),
    "iwae": Entry(
        "-log p(y | z)", "K draws of N(f(y))", "-log mean p(y, z)/q(z)", "normalization"
    ),
    "jepa": Entry(
        "‖p(f(x), z) - g(y)‖² + R(z)", "by any inference", "mean + VICReg", "variance; little z"
    ),
    "joint_embedding": Entry("‖f(x) - g(y)‖²", _NONE, _DOWN, "nothing: it collapses"),
    "kmeans": Entry("‖c_z - y‖²", "nearest of K", "mean energy, Lloyd", "K values of z"),
    "latent_prediction": Entry("‖g(x, z) - y‖²", "one of k atoms", _DOWN, "z carries log k nats"),
    "lejepa": Entry("‖f(x) - f(y)‖²", _NONE, "mean + λ SIGReg", "codes are N(0, I)"),
    "lista": Entry("‖D z - y‖² + λ‖z‖₁", "f(y), unrolled ISTA", _DOWN, "sparse z, unit columns"),
    "masked_autoencoder": Entry(
        "‖g(f(x)) - y‖² of hidden patches", _NONE, _DOWN, "y itself is the target"
    ),
    "moco": Entry("-cos(f(x), f'(y))", _NONE, "InfoNCE, queue", "negatives"),
    "nnclr": Entry("-cos(p(f(x)), nearest(f(y)))", _NONE, "InfoNCE in the batch", "negatives"),
    "noise_contrastive": Entry("any E(x, y)", _NONE, "InfoNCE, noise", "negatives"),
    "paws": Entry(
        "-Σ z log p(x)", "p(y)^(1/t), by neighbors", "mean - H(mean p)", "labels, mean entropy"
    ),
    "pca": Entry("‖W z + μ - y‖²", "Wᵀ (y - μ)", "mean energy, closed form", "z narrower than y"),
    "psd": Entry("‖D z - y‖² + λ‖z‖₁ + α‖z - f(y)‖²", "FISTA from f(y)", _DOWN, "sparse z"),
    "regression": Entry("‖f(x) - y‖²", _NONE, _DOWN, "y itself is the target"),
    "siamese": Entry("‖f(x) - f(y)‖²", _NONE, "square-square, batch", "negatives"),
    "simclr": Entry("-cos(f(x), f(y))", _NONE, "InfoNCE, both views", "negatives"),
    "simsiam": Entry("-cos(p(f(x)), sg f(y))", _NONE, _DOWN, "predictor p, stopped gradient"),
    "sparse_coding": Entry("‖D z - y‖² + λ‖z‖₁", "FISTA", _DOWN, "sparse z, unit columns"),
    "swav": Entry("-Σ z log softmax(C f(x) / τ)", "Sinkhorn of C f(y)", _DOWN, "equal clusters"),
    "vae": Entry("-log p(y | z)", "a draw of N(f(y))", "mean + KL(q ‖ N(0, 1))", "normalization"),
    "vicreg": Entry("‖f(x) - f(y)‖²", _NONE, "mean + variance + cov", "variance of the codes"),
    "vq_vae": Entry("‖g(c_z) - y‖²", "code nearest to f(y)", "mean + β ‖f - sg c‖²", "K codes"),
    "w_mse": Entry("-cos(W f(x), W f(y))", _NONE, _DOWN, "whitening W"),
}


def recipe(name: str) -> Callable[..., object]:
    """The function of this name.

    Raises:
        ConfigurationError: there is none; those that there are get listed.
    """
    if name not in methods.__all__:
        raise ConfigurationError(
            f"method is {name!r}; there are {', '.join(sorted(methods.__all__))}"
        )
    return getattr(methods, name)


def family(name: str) -> str:
    """The module that a recipe is written in.

    Example:
        >>> family("simclr")
        'contrastive'
    """
    return recipe(name).__module__.rpartition(".")[2]


def described(name: str) -> str:
    """All about a recipe: its equation, its arguments with their defaults, its documentation.

    Example:
        >>> print(described("denoising_score").split(chr(10))[2])
        energy     any E(y)
    """
    function, entry = recipe(name), CATALOG[name]
    widest = max(len(field) for field in entry._fields)
    lines = [f"{field.ljust(widest)}  {text}" for field, text in entry._asdict().items()]
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
    ]
    call = f"{name}{inspect.Signature(bare)}"
    wrapped = textwrap.fill(call, 79, subsequent_indent="    ", break_on_hyphens=False)
    head = f"ebmlab.methods.{name}, of the {family(name)} ones"
    return "\n".join([head, "", *lines, "", wrapped, "", inspect.getdoc(function) or ""])
