"""The same on real digits: x is the upper half, y the lower half."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebmlab import methods
from ebmlab.data import digits
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.metrics import knn_accuracy
from ebmlab.networks import MLP, Choice
from ebmlab.training import Recording, fit

__all__ = ["Completions", "Halves", "complete", "embed", "halves"]

CODES, TRAIN, NOISE = 8, 1200, 0.1


class Halves(NamedTuple):
    """Digits cut in two: pixels (n, 32) of upper and lower halves, and labels."""

    upper: Tensor
    lower: Tensor
    labels: Tensor

    def part(self, rows: slice) -> "Halves":
        """Some of the rows."""
        return Halves(self.upper[rows], self.lower[rows], self.labels[rows])


class Completions(NamedTuple):
    """What the latent-variable model and regression answer for a few held-out x.

    `images` is (rows, columns, 1, 8, 8): the given half, the truth, regression, then one
    completion per code, by rising energy; `energies` is (rows, columns - 1), without the half.
    """

    images: Tensor
    energies: Tensor
    results: dict[str, float]


def halves(seed: int, device: torch.device) -> tuple[Halves, Halves]:
    """The digits shuffled, cut, and split into 1,200 for training and 597 held out."""
    images, labels = digits()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    images, labels = images[order].to(device), labels[order].to(device)
    cut = Halves(images[:, 0, :4].flatten(1), images[:, 0, 4:].flatten(1), labels)
    return cut.part(slice(0, TRAIN)), cut.part(slice(TRAIN, None))


class _Blurred:
    """Batches of the training halves, the upper one with a little noise against overfitting."""

    def __init__(self, data: Halves) -> None:
        self.data = data

    def __call__(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """n random pairs."""
        upper, lower = self.data.upper, self.data.lower
        rows = torch.randint(len(upper), (n,), generator=rng, device=upper.device)
        noise = torch.randn(n, upper.shape[1], generator=rng, device=upper.device)
        return upper[rows] + NOISE * noise, lower[rows]


def complete(
    train: Halves,
    test: Halves,
    judge: Energy,
    *,
    steps: int,
    seed: int,
    progress: bool,
    show: int = 6,
) -> Completions:
    """Train a latent-variable model of 8 codes and a regression; complete held-out digits.

    The completions of a row are put in the order of `judge`'s energy of the two halves.
    """
    device = train.upper.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        decoder = Choice(MLP(32, 32 * CODES, (128,)), CODES).to(device)
        latent = methods.latent_prediction(decoder, torch.eye(CODES), 0.3).to(device)
        point = methods.regression(MLP(32, 32, (128,))).to(device)
    for method, title in ((latent, "digits: latent variable"), (point, "digits: regression")):
        rng = torch.Generator(device).manual_seed(seed)
        fit(
            method,
            _Blurred(train),
            steps=steps,
            rng=rng,
            lr=2e-3,
            record=Recording(title=title, progress=progress),
        )
    assert isinstance(latent.energy, FreeEnergy)
    lowest = FreeEnergy(latent.energy.energy, latent.energy.infer)
    with torch.no_grad():
        results = {
            "best_of_codes_error": float(lowest(test.upper, test.lower).mean()),
            "regression_error": float(point.energy(test.upper, test.lower).mean()),
        }
        x = test.upper[:show]
        codes = torch.eye(CODES, device=device)
        each = torch.stack([decoder(x, code.expand(len(x), -1)) for code in codes])
        order = judge(x.expand(len(each), -1, -1), each).argsort(0)
        each = each.gather(0, order[..., None].expand_as(each))
        lower = torch.cat([test.lower[None, :show], point.encode(x)[None], each])
        scores = judge(x.expand(len(lower), -1, -1), lower).T
        lower = torch.cat([torch.zeros_like(lower[:1]), lower])
        both = torch.cat([x.expand(len(lower), -1, -1), lower], dim=-1).transpose(0, 1)
    return Completions(both.reshape(*both.shape[:2], 1, 8, 8).clamp(0, 1), scores, results)


def embed(
    train: Halves, test: Halves, *, steps: int, seed: int, progress: bool
) -> tuple[Energy, dict[str, float]]:
    """A VICReg joint embedding of the two halves: its energy, and kNN of upper halves by codes."""
    device = train.upper.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        encoder = nn.Sequential(MLP(32, 128, (128,)), nn.SiLU()).to(device)
        target = MLP(32, 128, (128, 128)).to(device)
        projector = nn.Linear(128, 128).to(device)
        method = methods.vicreg(encoder, 128, target, projector=projector, cov=25.0)

    def accuracy(code: nn.Module) -> float:
        with torch.no_grad():
            return knn_accuracy(code(train.upper), train.labels, code(test.upper), test.labels)

    results = {"knn_pixels": accuracy(nn.Identity()), "knn_random_encoder": accuracy(encoder)}
    draw, title = _Blurred(train), "digits: joint embedding"
    rng = torch.Generator(device).manual_seed(seed)
    fit(
        method,
        draw,
        steps=steps,
        rng=rng,
        batch_size=256,
        lr=2e-3,
        record=Recording(title=title, progress=progress),
    )
    return method.energy, results | {"knn_codes": accuracy(encoder)}
