"""Chains of a run: from noise down the levels, on at the lowest, under pixels that are seen."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmlab.energies import Reconstruction
from ebmlab.runs._image_energies.run import ImageEnergyRun
from ebmlab.samplers import Stage, noise_levels, noise_stages, run, walk_down
from ebmlab.types import Chain, Potential

__all__ = ["TIMES", "answers", "decoded", "from_noise", "longer"]

Rise = Callable[[Tensor], Tensor]
LEVELS, STEPS, STEP, TIMES = 30, 5, 0.2, 10
# Seen pixels are steeper than any noise level.
SEEN_STEPS, SEEN_STEP = 20, 0.03
BLOCK = 500


def from_noise(built: ImageEnergyRun, n: int, rng: torch.Generator, thin: int = 0) -> Chain:
    """Chains of n codes that begin as noise as wide as the highest level."""
    return walk_down(_stages(built, STEP), _noise(built, n, rng), steps=STEPS, rng=rng, thin=thin)


def longer(
    built: ImageEnergyRun, codes: Tensor, rng: torch.Generator, times: int = TIMES
) -> Tensor:
    """Codes that went on at the lowest level for so many times as many steps."""
    last = _stages(built, STEP)[-1]
    steps = times * LEVELS * STEPS
    return run(last.sampler, last.u, codes, steps=steps, rng=rng).state.y


def answers(
    built: ImageEnergyRun, image: Tensor, seen: Tensor, n: int, rng: torch.Generator
) -> Tensor:
    """n codes (n, dim) of images that agree with an image (c, h, w) where `seen` (h, w) is True.

    The prior walks down its levels beside ‖y - g(z)‖²/2s² of the seen pixels, which counts in
    full at the lowest level, and above it less, as noise of σ² weighs less.
    """
    energy, low = built.energy, built.shape.low
    seeing = nn.Sequential(energy.decoder, _Seen(seen))
    agrees = Reconstruction(seeing, energy.distance, takes_x=False).given(y=image[None] * seen)
    levels = noise_levels(built.shape.high, low, LEVELS)
    stages = [
        Stage(_sum(stage.u, agrees, (low / sigma) ** 2), stage.sampler)
        for stage, sigma in zip(_stages(built, SEEN_STEP), levels, strict=True)
    ]
    return walk_down(stages, _noise(built, n, rng), steps=SEEN_STEPS, rng=rng).state.y


@torch.no_grad()
def decoded(built: ImageEnergyRun, codes: Tensor) -> Tensor:
    """The images (n, c, h, w) of codes, a block at a time."""
    return torch.cat([built.energy.decode(None, part) for part in codes.split(BLOCK)])


class _Seen(nn.Module):
    """Hides pixels: they are 0, and no slope comes from them."""

    seen: Tensor

    def __init__(self, seen: Tensor) -> None:
        super().__init__()
        self.register_buffer("seen", seen)

    def forward(self, images: Tensor) -> Tensor:
        return images * self.seen


def _sum(u: Rise, v: Rise, weight: float) -> Potential:
    return Potential(lambda z: u(z) + weight * v(z))


def _stages(built: ImageEnergyRun, step_size: float) -> list[Stage]:
    prior, shape = built.energy.prior, built.shape
    assert prior is not None
    return noise_stages(prior, noise_levels(shape.high, shape.low, LEVELS), step_size)


def _noise(built: ImageEnergyRun, n: int, rng: torch.Generator) -> Tensor:
    """Codes of unit scale under noise of the highest level."""
    wide = (1 + built.shape.high**2) ** 0.5
    return wide * torch.randn(n, built.dim, generator=rng, device=built.device)
