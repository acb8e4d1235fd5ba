"""What an energy of images is worth: its pictures beside held-out images, and energies of both."""

import torch
from torch import Tensor

from ebmlab import metrics
from ebmlab.data.galleries import required_labels
from ebmlab.errors import ConfigurationError
from ebmlab.runs._image_energies.chains import TIMES, decoded, from_noise, longer
from ebmlab.runs._image_energies.features import class_features
from ebmlab.runs._image_energies.run import ImageEnergyRun
from ebmlab.runs._images.image_sets import ImageSet, image_set
from ebmlab.runs.kind import Findings

__all__ = ["codes_of", "energies_at_lowest", "image_energy_findings", "shown_images"]

MOST, NEIGHBORS, LONG, BLOCK = 2000, 5, 256, 256


def image_energy_findings(built: ImageEnergyRun, data: str | None, limit: int | None) -> Findings:
    """Fréchet distance, precision and recall, energies of codes, nearest training images.

    Raises:
        ConfigurationError: the images are not of the run's shape, or too few.
        DataError: the images are missing.
    """
    images = shown_images(built, data).limited(limit)
    n = min(MOST, len(images.test_images))
    if n <= NEIGHBORS:
        raise ConfigurationError(f"limit is {limit}; judge at least {NEIGHBORS + 1} images")
    rng = torch.Generator(built.device).manual_seed(0)
    codes = from_noise(built, n, rng).state.y
    made, held = decoded(built, codes), images.test_images[:n]
    features = class_features(images.images[:], required_labels(images.labels))
    numbers = {
        **_pictures(features(made), features(held), features(images.images[:n])),
        **_energies(built, codes, held, rng),
        **_memory(made, held, images.images[:]),
    }
    return Findings(len(images.images), len(images.test_images), numbers, {}, None)


def shown_images(built: ImageEnergyRun, data: str | None) -> ImageSet:
    """The images to look at, on the run's device; raise where their shape is not the run's."""
    images = built.images if data is None else image_set(data).to(built.device)
    shape, seen = tuple(images.images.shape[1:]), tuple(built.images.images.shape[1:])
    if shape != seen:
        raise ConfigurationError(f"data {data} has images {shape}, but the run saw {seen}")
    return images


@torch.no_grad()
def codes_of(built: ImageEnergyRun, images: Tensor) -> Tensor:
    """The codes (n, dim) of images, a block at a time."""
    return torch.cat([built.method.encode(part) for part in images.split(BLOCK)])


def _pictures(made: Tensor, held: Tensor, seen: Tensor) -> dict[str, float]:
    about = "of a classifier of ours"
    alike = metrics.precision_recall(made, held, NEIGHBORS)
    return {
        f"Fréchet distance of samples, features {about}": float(
            metrics.frechet_distance(made, held)
        ),
        "the same of training images": float(metrics.frechet_distance(seen, held)),
        **{f"{name} of samples (k = {NEIGHBORS})": v for name, v in alike._asdict().items()},
    }


def energies_at_lowest(built: ImageEnergyRun, images: Tensor, rng: torch.Generator) -> Tensor:
    """E(z) of draws of q(z | y) under the noise of the lowest level, which chains have too."""
    with torch.no_grad():
        q = [built.posterior(part, rng).single()[0] for part in images.split(BLOCK)]
    codes = torch.cat(q)
    noise = torch.randn(codes.shape, generator=rng, device=codes.device)
    return built.energy_of(codes + built.shape.low * noise)


def _energies(
    built: ImageEnergyRun, codes: Tensor, held: Tensor, rng: torch.Generator
) -> dict[str, float]:
    on = longer(built, codes[:LONG], rng)
    data, drawn, later = (
        energies_at_lowest(built, held, rng),
        built.energy_of(codes),
        built.energy_of(on),
    )
    return {
        "E(z) of held-out codes, mean": float(data.mean()),
        "E(z) of held-out codes, std": float(data.std()),
        "E(z) of samples, mean": float(drawn.mean()),
        "E(z) of samples, std": float(drawn.std()),
        f"E(z) of samples after {TIMES} times the steps": float(later.mean()),
    }


def _memory(made: Tensor, held: Tensor, seen: Tensor) -> dict[str, float]:
    """Copies would lie nearer to training images than held-out images do."""
    found = metrics.memorization(made, seen, held)
    return {
        "distance of samples to the nearest training image, median": _median(found.samples),
        "that of held-out images": _median(found.held),
        "copies of training images among samples": found.copies,
    }


def _median(found: metrics.Neighbors) -> float:
    return float(found.distance.double().median())
