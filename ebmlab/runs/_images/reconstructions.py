"""Images beside what a trained method makes of them, where it makes images."""

from dataclasses import replace

import torch
from torch import Tensor

from ebmlab.energies import Completion
from ebmlab.free_energy import FreeEnergy
from ebmlab.networks import MaskedAutoencoder
from ebmlab.networks._backbones.patches import assembled, hidden_patches
from ebmlab.runs._images.run import ImageRun
from ebmlab.types import Tree

__all__ = ["reconstructed"]


@torch.no_grad()
def reconstructed(built: ImageRun, images: Tensor) -> dict[str, Tensor]:
    """Rows of images by name: what was shown, and what became of it; empty where nothing does."""
    rng = torch.Generator(images.device).manual_seed(0)
    rows = torch.arange(len(images), device=images.device)
    if built.preset.measure is None:
        return {}
    x, y = built.preset.feed.draw(replace(built.setting, images=images), rows, rng)
    energy = built.method.energy
    if isinstance(energy, Completion) and isinstance(energy.network, MaskedAutoencoder):
        return {"y": images, **_completed(energy, energy.network, x)}
    decode = energy.decoding()
    if decode is None or not isinstance(energy, FreeEnergy) or not isinstance(y, Tensor):
        return {}
    decoded = decode(x, energy.posterior(x, y, rng=rng).single()[0])
    both = {"y": y, "decoded": decoded}
    return {k: v if v.ndim == 4 else v.unflatten(1, built.setting.shape) for k, v in both.items()}


def _completed(energy: Completion, network: MaskedAutoencoder, x: Tree) -> dict[str, Tensor]:
    """The visible patches on gray ground, and completed with those predicted."""
    assert isinstance(x, tuple)
    patches, visible = x
    hidden = hidden_patches(visible, network.count)
    indices = torch.cat([visible, hidden], dim=1)
    predicted = energy.predict(x)
    side, patch = network.encoder.side, network.encoder.patch
    sheets = {"visible": torch.full_like(predicted, 0.5), "completed": predicted}
    return {
        name: assembled(torch.cat([patches, rest], dim=1), indices, (side, side), patch)
        for name, rest in sheets.items()
    }
