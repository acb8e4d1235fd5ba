import torch
from problems import F64, generator

from ebmlab.data import views


def images(n=5, c=3, h=12, w=14, seed=0):
    return torch.rand(n, c, h, w, generator=generator(seed), dtype=F64)


# Each view with settings under which every sample changes.
IMAGE_VIEWS = {
    "Crop": views.Crop((9, 7), (0.2, 0.8)),
    "Flip": views.Flip(),
    "Rotate": views.Rotate(40.0),
    "ColorJitter": views.ColorJitter(0.6, 0.6, 0.6, 0.4),
    "Brightness": views.Brightness(0.7),
    "Grey": views.Grey(0.5),
    "Solarize": views.Solarize(0.5),
    "Blur": views.Blur(5, probability=1.0),
    "Noise": views.Noise(0.2),
    "Static": views.Static(),
    "Flat": views.Flat(),
    "Compose": views.Compose((views.Crop(8), views.ColorJitter(0.3, 0.3, 0.3, 0.1), views.Grey())),
}
SQUARE_VIEWS = {"QuarterTurn": views.QuarterTurn()}
POINT_VIEWS = {
    "PointNoise": views.PointNoise(0.3),
    "PointRotation": views.PointRotation(),
    "Compose of points": views.Compose((views.PointNoise(), views.PointRotation(30.0))),
}
ALL = IMAGE_VIEWS | SQUARE_VIEWS | POINT_VIEWS


def data(name, n=5, seed=0):
    if name in POINT_VIEWS:
        return torch.randn(n, 3, generator=generator(seed), dtype=F64)
    return images(n, w=12 if name in SQUARE_VIEWS else 14, seed=seed)
