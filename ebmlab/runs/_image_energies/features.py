"""Features by which pictures are judged: those of a small classifier of the training images."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["class_features"]

WIDTH, FEATURES, STEPS, BATCH, RATE, BLOCK = 16, 64, 600, 128, 2e-3, 1000


def class_features(
    images: Tensor, labels: Tensor, steps: int = STEPS, seed: int = 0
) -> Callable[[Tensor], Tensor]:
    """Train a convolutional classifier on images and labels; gives its features (n, 64) of others.

    Distances of such features are of this classifier: they compare pictures of one data set with
    each other, and are no FID.
    """
    rng = torch.Generator(images.device).manual_seed(seed)
    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        torch.manual_seed(seed)
        network = _network(images, int(labels.max()) + 1).to(images.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(images), (BATCH,), generator=rng, device=images.device)
        loss = functional.cross_entropy(network(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return lambda shown: _features(network[:-1], shown)


def _network(images: Tensor, classes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = images.shape[1]
    for outputs in (WIDTH, 2 * WIDTH, 4 * WIDTH):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.SiLU()]
        inputs = outputs
    body = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(FEATURES), nn.SiLU())
    body(images[:1])
    return nn.Sequential(*body, nn.Linear(FEATURES, classes))


@torch.no_grad()
def _features(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network(part) for part in images.split(BLOCK)])
