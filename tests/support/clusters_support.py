"""Small copies of the recipes with clusters, queues and teachers, their data, and their judge."""

import torch
from problems import generator, randn
from torch import Tensor, nn
from torch.nn import functional

from ebmlab import methods
from ebmlab.teachers import EMA, rising_cosine

N, DIM = 6, 5


def views(count, n=N, seed=0):
    """Views (n, DIM) of the same n data."""
    base = randn(n, DIM, seed=seed)
    return tuple(base + 0.3 * randn(n, DIM, seed=100 + seed + i) for i in range(count))


def encoder():
    return nn.Sequential(nn.Linear(DIM, 4), nn.Tanh())


def small(build, **options):
    """A recipe's method, its weights always the same; batch normalization keeps rows apart."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        method = build(encoder(), 4, **options).double().eval()
    for module in method.modules():
        if isinstance(module, EMA):
            # A teacher that differs from its student.
            for i, weight in enumerate(module.module.parameters()):
                weight.add_(0.2 * randn(*weight.shape, seed=i))
    return method


def support():
    """Labeled data: (m, DIM) and their classes."""
    return randn(9, DIM, seed=50), torch.arange(9) % 3


def two(n=N):
    first = views(2, n)
    return first, first


def crops(n=N):
    every = views(4, n)
    return every, every[:2]


def labeled(n=N):
    first = views(2, n)
    return first, (*first, *support())


def rotated(n=N):
    return views(1, n)[0], torch.arange(n) % 2


def pair(n=N):
    return views(2, n)


SIZES = {"projection": 3, "hidden": 6}
CLUSTERS = {"prototypes": 4, **SIZES}

# Recipes: name -> (a method, x and y of n data).
RECIPES = {
    "simclr": (lambda: small(methods.simclr, projection=3), two),
    "moco": (lambda: small(methods.moco, projection=3, memory=7, decay=0.9), pair),
    "nnclr": (lambda: small(methods.nnclr, bottleneck=4, memory=10, **SIZES), two),
    "byol": (lambda: small(methods.byol, decay=rising_cosine(0.9, 10), **SIZES), two),
    "swav": (lambda: small(methods.swav, prototypes=4, frozen_steps=0, **SIZES), crops),
    "swav, queue": (
        lambda: small(methods.swav, prototypes=4, frozen_steps=0, memory=5, **SIZES),
        crops,
    ),
    "deepcluster": (
        lambda: small(methods.deepcluster, memory=16, every=1, prototypes=(3, 2), **SIZES),
        two,
    ),
    "deepercluster": (
        lambda: small(
            methods.deepercluster,
            memory=16,
            every=1,
            labels=2,
            clusters=2,
            parts=2,
            x_ndim=1,
            **SIZES,
        ),
        rotated,
    ),
    "dino": (lambda: small(methods.dino, outputs=7, hidden=6, bottleneck=3, decay=0.9), crops),
    "paws": (lambda: small(methods.paws, classes=3, **SIZES), labeled),
}


def judge(method, x, y, expected):
    """The loss and its gradients in all parameters equal those of `expected`."""
    own = [p for p in method.parameters() if p.requires_grad]
    value = method(x, y, generator()).value
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    found = torch.autograd.grad(value, own)
    for a, b in zip(found, torch.autograd.grad(expected, own), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


@torch.no_grad()
def official_sinkhorn(logits: Tensor, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """exp(s / ε)ᵀ, its rows and columns scaled in turn."""
    q = (logits / epsilon).exp().T
    q = q / q.sum()
    for _ in range(iterations):
        q = q / q.sum(1, keepdim=True) / q.shape[0]
        q = q / q.sum(0, keepdim=True) / q.shape[1]
    return (q * q.shape[1]).T


def cross_entropy(logits, target, temperature):
    """-Σ_k t_k log softmax(s / τ)_k, averaged over rows."""
    return -(target * functional.log_softmax(logits / temperature, dim=1)).sum(1).mean()


def over_pairs(term, x_count, y_count):
    """The mean of term(i, j) over views i of x and j of y that differ."""
    found = [term(i, j) for j in range(y_count) for i in range(x_count) if i != j]
    return sum(found) / len(found)
