"""Joint embeddings of two blurred copies of one point."""

from ebmlab import Method, fit, methods
from ebmlab.networks import MLP
from pictures.exhibit import shown
from pictures.pairs import of_assignments, of_support, of_views
from pictures.toys import pairs, rotations, supported, views

LOW = "Dark where y is compatible with the star x. "


def f() -> MLP:
    """Points to codes of length 8."""
    return MLP(2, 8, (64, 64))


@shown(
    of_views,
    "Nothing prevents collapse: all codes shrink to one point (their standard deviation is "
    "in the title; the rank is that of the rest), so that E is near 0 for every pair. The "
    "landscapes, scaled to be seen at all, tell little of the star.",
)
def joint_embedding() -> Method:
    method = methods.joint_embedding(f())
    fit(method, pairs, steps=300, lr=3e-3)
    return method


@shown(
    of_views,
    "Dark where y is compatible with the star x. Pairs of other points are pushed beyond a "
    "margin of the squared distance. The codes hardly bend the moons, and the valley is a "
    "wide bowl about the star.",
)
def siamese() -> Method:
    method = methods.siamese(f())
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_views,
    LOW + "All other points of the batch are negatives. Codes keep the moons' order, "
    "and only the place on the moon decides.",
)
def simclr() -> Method:
    method = methods.simclr(f(), 8, projection=8, temperature=0.2)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(of_views, LOW + "Negatives are a queue of a slow teacher's codes of past batches.")
def moco() -> Method:
    method = methods.moco(f(), 8, projection=8, memory=512, decay=0.95)
    fit(method, pairs, steps=300, lr=3e-3)
    return method


@shown(
    of_views,
    "Dark where y is compatible with the star x. The nearest of past codes to one view's "
    "is predicted from the other view; other points of the batch are negatives.",
)
def nnclr() -> Method:
    method = methods.nnclr(f(), 8, projection=8, hidden=32, bottleneck=32, memory=512)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_views,
    "Dark where y is compatible with the star x. No negatives: a predictor guesses the "
    "code that a slow copy of the encoder gives. Codes do not collapse here, although all "
    "equal codes would be a minimum.",
)
def byol() -> Method:
    method = methods.byol(f(), 8, projection=8, hidden=32, decay=0.95)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_views,
    LOW + "As BYOL without the slow copy: the gradient of the target is stopped, "
    "which is enough here.",
)
def simsiam() -> Method:
    method = methods.simsiam(f(), 8, projection=32, bottleneck=8)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_views,
    LOW + "The cross-correlation of the two views' codes is made the identity: the "
    "representation below the expander keeps several directions.",
)
def barlow_twins() -> Method:
    method = methods.barlow_twins(f(), 8, projection=32, hidden=32)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_views,
    "Dark where y is compatible with the star x. Variance and covariance terms keep codes "
    "spread: of two moons in a plane, codes of about 3.5 directions are made. The valley "
    "is wide where no data tell more.",
)
def vicreg() -> Method:
    method = methods.vicreg(f(), 8)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_views,
    LOW + "The population of projected codes is held at N(0, I), by its projections "
    "on random directions.",
)
def lejepa() -> Method:
    method = methods.lejepa(f(), 8, projection=8, hidden=32, directions=64)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_support,
    "Codes are whitened over the batch before they are compared: the energy is no function "
    "of one y. Instead: the cosine of the codes of 40 points, ordered along the upper moon "
    "and then the lower one, and these codes. Neighbors agree, far points do not.",
)
def w_mse() -> Method:
    method = methods.w_mse(f(), 8, projection=4, hidden=32, rows=None)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_assignments,
    "Each view predicts the cluster of the other, and all clusters get equal "
    "shares. Left, the regions that the 8 prototypes own; right, the codes.",
)
def swav() -> Method:
    method = methods.swav(f(), 8, prototypes=8, projection=8, hidden=32, frozen_steps=30)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_assignments,
    "SwAV with more iterations of Sinkhorn and a wide head that normalizes "
    "nothing over the batch. Left, the regions that the 8 prototypes own.",
)
def seer() -> Method:
    method = methods.seer(f(), 8, prototypes=8, projection=8, hidden=64, frozen_steps=30)
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_assignments,
    "A student predicts the clusters of a slow copy, whose outputs are centered and "
    "sharpened. Left, the regions of the 8 outputs; the title says how many the data use: "
    "no output wins all, though some win nothing.",
)
def dino() -> Method:
    method = methods.dino(f(), 8, outputs=8, hidden=32, bottleneck=8, decay=0.95)
    fit(method, views, steps=400, lr=3e-3)
    return method


@shown(
    of_assignments,
    "K-means of all codes, every 25 steps, names the clusters that views "
    "predict. Left, the regions of the 8 clusters: pieces of the moons.",
)
def deepcluster() -> Method:
    method = methods.deepcluster(
        f(), 8, memory=512, every=25, prototypes=(8,), projection=8, hidden=32
    )
    fit(method, views, steps=300, lr=3e-3)
    return method


@shown(
    of_assignments,
    "Points are turned by 0°, 90°, 180° or 270°; the code tells by how much, and in which "
    "cluster of that turn they lie: 4 · 2 super-classes. Left, the likeliest super-class "
    "of each point, by the learned codes.",
)
def deepercluster() -> Method:
    method = methods.deepercluster(
        f(), 8, memory=512, every=25, clusters=2, parts=2, projection=8, hidden=32, x_ndim=1
    )
    fit(method, rotations, steps=300, lr=3e-3)
    return method


@shown(
    of_support,
    "Views agree on their class among the neighbors of a labeled support, 30 points named "
    "by their moon. Left, the cosine of the codes of 40 points, along the upper moon and "
    "then the lower one: neighbors agree, and in codes this short the two classes are no "
    "clear blocks.",
)
def paws() -> Method:
    method = methods.paws(f(), 8, 2, projection=8, hidden=32)
    fit(method, supported, steps=300, lr=3e-3)
    return method


@shown(
    of_views,
    LOW + "Without z the code of y is predicted from that of x; VICReg's terms keep "
    "the population from collapsing. What x does not say of y is left out of the codes.",
)
def jepa() -> Method:
    method = methods.jepa(f(), 8, codes=0, predictor=MLP(8, 8, (32,)), energy_weight=3.0)
    fit(method, pairs, steps=300, lr=3e-3)
    return method
