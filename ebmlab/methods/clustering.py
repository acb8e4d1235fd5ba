"""Recipes in which z says which cluster y belongs to, and x's code predicts it."""

from collections.abc import Callable

from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.energies import Assignment, JointEmbedding, SuperClasses, Supported
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Centered, Clustered, Sinkhorn, SoftNearest, SuperClustered
from ebmlab.methods.cards import card
from ebmlab.networks import MLP, Directions, Memory, Projector, Prototypes
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method
from ebmlab.regularizers import MeanEntropy
from ebmlab.teachers import EMA

__all__ = ["deepcluster", "deepercluster", "dino", "paws", "seer", "swav"]


@card(energy="-Σ z log softmax(C f(x) / τ)", z="Sinkhorn of C f(y)", collapse="equal clusters")
def swav(
    encoder: nn.Module,
    dim: int,
    *,
    prototypes: int = 3000,
    projection: int = 128,
    hidden: int = 2048,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    iterations: int = 3,
    memory: int = 0,
    memory_from: int = 0,
    frozen_steps: int = 313,
    views: int | None = 2,
    projector: nn.Module | None = None,
    x_ndim: int = 1,
) -> Method:
    """SwAV: each view's code predicts the cluster of another view's, balanced over the batch.

    The equal share of all clusters prevents collapse. x are all views, y those whose clusters are
    predicted: x = (g1, g2, l1, …), y = (g1, g2) for two large and several small crops.

    Args beside those that recipes share:
        prototypes: number of clusters K.
        epsilon, iterations: ε and iterations of Sinkhorn.
        memory: past codes of each view that join its batch, where that is smaller than K; 3840 in
            the paper.
        memory_from: commits before that; 15 epochs in the paper, which fills it only from then on.
        frozen_steps: commits in which the prototypes stay.
        views: how many views y holds, each with a memory of its own; None: y is one tensor.
        projector: codes (n, dim) to (n, projection); None for `networks.Projector`.

    Source: Caron et al. 2020, arXiv:2006.09882.
    """
    require_counts(0, memory=memory)
    require_counts(views=1 if views is None else views)
    if projector is None:
        projector = Projector(dim, hidden, projection)
    f = nn.Sequential(encoder, projector)
    past = Memory(memory, projection, views=views) if memory else None
    infer = Sinkhorn(epsilon, iterations, past, memory_from)
    head = Assignment(Prototypes(projection, prototypes, frozen_steps), temperature)
    energy = JointEmbedding(f, f, FreeEnergy(head, infer), x_ndim=x_ndim)
    return Method(energy, Regularized(), encoder=encoder)


@card(energy="-Σ z log softmax(C f(x) / τ)", z="Sinkhorn of C f(y)", collapse="equal clusters")
def seer(
    encoder: nn.Module,
    dim: int,
    *,
    prototypes: int = 16000,
    projection: int = 256,
    hidden: int = 8192,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    iterations: int = 10,
    frozen_steps: int = 313,
    x_ndim: int = 1,
) -> Method:
    """SEER: SwAV with more clusters and more iterations of Sinkhorn, a RegNetY and a wide head.

    What prevents collapse is that of `swav`. The head has three linear layers and, unlike that of
    SwAV, no normalization. In the paper the encoder is `networks.regnety("256gf")`, views are
    `data.views.swav(160, 96, 4)`, two of 160 and four of 96 pixels, of 8704 images on 512 GPUs;
    one epoch of a billion of them, in half precision, blocks run again (`networks.recomputed`).
    The optimizer is `training.LARS` with decay 1e-5 over *all* parameters in one group, its step
    rising over 8000 steps to 0.3 for each 256 images of the batch, then falling as a cosine. A
    network of ten billion parameters (`regnety("10b")`) had ε 0.03.

    Args beside those that recipes share:
        prototypes: number of clusters K.
        epsilon, iterations: ε and iterations of Sinkhorn.
        frozen_steps: commits in which the prototypes stay.

    Source: Goyal et al. 2021, arXiv:2103.01988; Goyal et al. 2022, arXiv:2202.08360.
    """
    return swav(
        encoder,
        dim,
        prototypes=prototypes,
        projection=projection,
        temperature=temperature,
        epsilon=epsilon,
        iterations=iterations,
        frozen_steps=frozen_steps,
        projector=MLP(dim, projection, (hidden, hidden), nn.ReLU),
        x_ndim=x_ndim,
    )


@card(energy="-log softmax(C f(x) / τ)_z", z="K-means of all f(y)", collapse="clusters")
def deepcluster(
    encoder: nn.Module,
    dim: int,
    *,
    memory: int,
    every: int,
    prototypes: tuple[int, ...] = (3000, 3000, 3000),
    projection: int = 128,
    hidden: int = 2048,
    temperature: float = 0.1,
    iterations: int = 10,
    seed: int = 0,
    x_ndim: int = 1,
) -> Method:
    """DeepCluster-v2: each view's code predicts the cluster of another's, found by K-means.

    Clusters of all the data, which no gradient moves, prevent collapse. x and y are tuples of
    views, as in SwAV. The energies of the clusterings are averaged. To begin with clusters of
    data, as the paper does, call `training.settle` with `every` commits. The current code is
    assigned, not that of the last epoch.

    Args beside those that recipes share:
        memory: how many codes K-means sees, such as one for each datum and view of y.
        every: commits from one K-means to the next: an epoch.
        prototypes: number of clusters of each clustering.
        iterations, seed: of K-means; each further clustering has one seed more.

    Source: Caron et al. 2020, arXiv:2006.09882.
    """
    f = nn.Sequential(encoder, Projector(dim, hidden, projection))
    heads = []
    for i, k in enumerate(prototypes):
        centers = Prototypes(projection, k)
        infer = Clustered(centers, Memory(memory, projection), every, iterations, seed + i)
        heads.append(FreeEnergy(Assignment(centers, temperature), infer))
    head = sum(heads[1:], heads[0]) / len(heads) if len(heads) > 1 else heads[0]
    return Method(JointEmbedding(f, f, head, x_ndim=x_ndim), Regularized(), encoder=encoder)


@card(
    energy="-log softmax(C f(x))_(y, z)", z="K-means in rotations y", collapse="clusters, known y"
)
def deepercluster(
    encoder: nn.Module,
    dim: int,
    *,
    memory: int,
    every: int,
    labels: int = 4,
    clusters: int = 4,
    parts: int = 1000,
    projection: int = 128,
    hidden: int = 2048,
    iterations: int = 10,
    seed: int = 0,
    x_ndim: int = 3,
) -> Method:
    """DeeperCluster: predict by which angle x was rotated, and its cluster, and the part of that.

    The rotation, which is known, and clusters of all the data prevent collapse. x are images
    that were rotated, y the numbers (n) of their angles. The authors have no projector, cluster
    whitened features of upright images, and draw all clusters alike often.

    Args beside those that recipes share:
        memory: how many codes K-means sees.
        every: commits from one K-means to the next: 3 epochs in the paper.
        labels: how many angles.
        clusters: how many; with the angles they are labels · clusters super-classes.
        parts: how many in each super-class.
        iterations, seed: of K-means.

    Source: Caron, Bojanowski, Mairal, Joulin 2019, arXiv:1905.01278.
    """
    f = nn.Sequential(encoder, Projector(dim, hidden, projection))
    infer = SuperClustered(
        projection, labels, clusters, parts, memory, every, iterations=iterations, seed=seed
    )
    head = FreeEnergy(SuperClasses(projection, labels, clusters, parts), infer)
    energy = JointEmbedding(f, nn.Identity(), head, x_ndim=x_ndim, y_ndim=0)
    return Method(energy, Regularized(), encoder=encoder)


@card(
    energy="-Σ z log softmax(f(x) / τ)",
    z="softmax((f'(y) - c) / τ')",
    collapse="centering, sharpening",
)
def dino(
    encoder: nn.Module,
    dim: int,
    *,
    outputs: int = 65536,
    hidden: int = 2048,
    bottleneck: int = 256,
    temperature: float = 0.1,
    target_temperature: float | Callable[[Tensor], float | Tensor] = 0.04,
    momentum: float = 0.9,
    decay: float | Callable[[Tensor], float | Tensor] = 0.996,
    frozen_steps: int = 0,
    x_ndim: int = 1,
) -> Method:
    """DINO: a student predicts the clusters of a slow copy of itself, centered and sharpened.

    The center against one cluster for all, the low temperature against equal shares of all, and
    the moving average prevent collapse (dynamics, not descent). x are all views, y the large ones.
    The projector begins with torch's weights, that of the paper with smaller ones.

    Args beside those that recipes share:
        outputs: number of clusters K.
        hidden: widths of the projector.
        bottleneck: length of its output, which is normalized.
        target_temperature: τ of the teacher, or a function of its clock.
        momentum: of the center.
        decay: of the teacher; `teachers.rising_cosine(0.996, steps)` in the paper.
        frozen_steps: commits in which the last layer stays; an epoch in the paper.

    Source: Caron et al. 2021, arXiv:2104.14294.
    """
    projector = MLP(dim, bottleneck, (hidden, hidden), nn.GELU)
    f = nn.Sequential(encoder, projector, Directions(bottleneck, outputs, frozen_steps))
    infer = Centered(outputs, target_temperature, momentum)
    head = FreeEnergy(Assignment(temperature=temperature), infer)
    energy = JointEmbedding(f, EMA(f, decay), head, x_ndim=x_ndim)
    return Method(energy, Regularized(), encoder=encoder)


@card(
    energy="-Σ z log p(x)",
    z="p(y)^(1/t), by neighbors",
    objective="mean - H(mean p)",
    collapse="labels, mean entropy",
)
def paws(
    encoder: nn.Module,
    dim: int,
    classes: int,
    *,
    views: int = 2,
    projection: int = 2048,
    hidden: int = 2048,
    temperature: float = 0.1,
    sharpen: float = 0.25,
    smoothing: float = 0.1,
    entropy: float = 1.0,
    x_ndim: int = 1,
) -> Method:
    """PAWS: the views of an image agree on their class among the neighbors of a labeled support.

    The labels, and the entropy of the mean class, prevent collapse. x = (v1, v2) and y = (v1, v2,
    support, labels); with more views in x than in y the further ones are predicted as well. All
    pairs of views count alike, where those of a small view count half in the paper; the predictor
    that it adds on ImageNet, but not on CIFAR-10, is left out.

    Args beside those that recipes share:
        classes: how many there are; labels are whole numbers below.
        views: how many views y holds.
        temperature: τ of the neighbors.
        sharpen: t, the target is p^{1/t}.
        smoothing: share of each label that goes to all classes.
        entropy: weight of the mean class's entropy.

    Source: Assran et al. 2021, arXiv:2104.13963.
    """
    f = nn.Sequential(encoder, Projector(dim, hidden, projection, layers=3))
    energy = Supported(
        f,
        FreeEnergy(Assignment(temperature=1.0), SoftNearest(sharpen)),
        classes,
        views=views,
        temperature=temperature,
        smoothing=smoothing,
        x_ndim=x_ndim,
    )
    objective = Regularized(MeanEntropy(sharpen), weight=entropy)
    return Method(energy, objective, encoder=encoder)
