"""Inferences of clusters: shares of each, balanced, centered, sharpened, or set by K-means."""

import torch

from ebmlab import FreeEnergy, energies, inference, networks
from exhibits.clusters_drawn import Directions, Shares, directions, shares
from exhibits.exhibit import shown

__all__ = ["CLUSTERS"]


def sinkhorn() -> Shares:
    angle = torch.tensor([0.2] * 20 + [2.2] * 7 + [4.2] * 3) + 0.5 * torch.randn(30)
    codes = torch.stack([angle.cos(), angle.sin()], 1)
    prototypes = networks.Prototypes(2, 3)
    prototypes.weight.data = torch.tensor([[1.0, 0.0], [-0.5, 0.866], [-0.5, -0.866]])
    head = FreeEnergy(energies.Assignment(prototypes), inference.Sinkhorn(0.2, iterations=20))
    alone = (prototypes(codes) / 0.2).softmax(1)
    balanced = head.posterior(codes, codes).atoms[0]
    return Shares({"softmax of each code": alone, "Sinkhorn": balanced})


def centered() -> Shares:
    codes = torch.randn(30, 3) + torch.tensor([1.5, 0.0, 0.0])  # the first cluster wins most
    infer = inference.Centered(3, temperature=0.3, momentum=0.9)
    head = FreeEnergy(energies.Assignment(), infer)
    first = head.posterior(codes, codes).atoms[0]
    for _ in range(40):
        head.update(None, codes)  # what a commit does: the center moves
    return Shares(
        {"center at 0": first, "after 40 commits": head.posterior(codes, codes).atoms[0]}
    )


def soft_nearest() -> Shares:
    angle = torch.linspace(0, 4.2, 30)
    codes = torch.stack([angle.cos(), angle.sin()], 1)
    at = torch.tensor([0.0, 0.4, 1.8, 2.2, 3.8, 4.2])
    support, labels = torch.stack([at.cos(), at.sin()], 1), torch.eye(3).repeat_interleave(2, 0)
    p = (codes @ support.T / 0.3).softmax(1) @ labels
    head = FreeEnergy(energies.Assignment(), inference.SoftNearest(0.25))
    return Shares({"p of the support": p, "z, sharpened": head.posterior(None, p.log()).atoms[0]})


def clustered() -> Directions:
    angle = torch.tensor([0.3, 1.6, 3.9]).repeat(40) + 0.25 * torch.randn(120)
    codes = torch.stack([angle.cos(), angle.sin()], 1)
    centers = networks.Prototypes(2, 3)
    infer = inference.Clustered(centers, networks.Memory(120, 2), every=1)
    head = FreeEnergy(energies.Assignment(centers), infer)
    panels = {"start": (codes, head.posterior(None, codes).atoms[0], centers.weight.clone())}
    head.update(None, codes)  # what a commit does: K-means over the memory
    z = head.posterior(None, codes).atoms[0]
    return Directions({**panels, "after K-means": (codes, z, centers.weight)})


def super_clustered() -> Directions:
    label = torch.arange(160) % 2
    angle = torch.tensor([0.2, 0.9, 3.2, 4.1]).repeat_interleave(40) + 0.12 * torch.randn(160)
    angle = angle + 0.5 * label
    codes = torch.stack([angle.cos(), angle.sin()], 1)
    infer = inference.SuperClustered(2, labels=2, clusters=2, parts=2, size=160, every=1)
    head = FreeEnergy(energies.SuperClasses(2, 2, 2, 2), infer)
    head.update(codes, label)  # what a commit does: K-means in two levels
    z = head.posterior(codes, label).atoms[0]
    return Directions(
        {f"label {k}": (codes[label == k], z[label == k], infer.coarse) for k in (0, 1)}
    )


_READ = "Each row is a code, each column a cluster: dark is a large share. "

CLUSTERS = {
    "Sinkhorn": shown(
        sinkhorn,
        shares,
        _READ + "Two thirds of the codes lie near the first prototype. A softmax of each code "
        "alone follows them; Sinkhorn gives every cluster the same total share (right), and "
        "so splits codes of the first group among the others.",
    ),
    "Centered": shown(
        centered,
        shares,
        _READ + "At first the cluster with the largest mean logit takes two thirds. The center "
        "learns that mean and takes it away: after 40 commits the totals (right) are about even, "
        "though nothing forces them to be equal.",
    ),
    "SoftNearest": shown(
        soft_nearest,
        shares,
        _READ + "Codes on an arc and their class probabilities from six labeled neighbors; z is "
        "p to the power 1 / 0.25, normalized: the same class leads, the doubt is smaller.",
    ),
    "Clustered": shown(
        clustered,
        directions,
        "Codes on the circle, colored by the nearest center (arrows), before and after the "
        "K-means of one commit: the centers go to the middle of the three groups.",
    ),
    "SuperClustered": shown(
        super_clustered,
        directions,
        "Codes of two labels, colored by z = (cluster, part). The two clusters (arrows) are "
        "common to both labels; each label splits them into parts of its own.",
    ),
}
