"""Methods of images: digits of 8 × 8 pixels."""

from functools import partial
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ebmlab import Method, Plane, data, fit, methods, metrics, plot
from ebmlab.data.views import Blocks, Masked
from ebmlab.energies import Completion, Denoised, Reconstruction
from ebmlab.networks import Denoiser, GaussianHead, StridedDecoder, StridedEncoder
from ebmlab.prediction import predict
from ebmlab.samplers import noise_levels, noise_stages, walk_down
from ebmlab.training import Stepping, falling_cosine
from pictures.exhibit import shown
from pictures.planes import SIZE

FALLS = Stepping(schedule=falling_cosine)


def digits() -> Tensor:
    """1,797 handwritten digits, (n, 1, 8, 8)."""
    return data.digits()[0]


def patches(n: int, rng: torch.Generator, hide: Masked | Blocks, of: Tensor) -> Any:
    """Of n digits what is shown, and what is hidden."""
    return hide(of[torch.randint(len(of), (n,), generator=rng)], rng)


def _sheet(rows: dict[str, Tensor]) -> Figure:
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        batch = torch.cat(list(rows.values()))
        plot.images(batch, len(batch) // len(rows), figure.add_subplot(), sides=list(rows))
    return figure


def _laid(patches: Tensor, places: Tensor, ground: Tensor) -> Tensor:
    """Images (n, 1, 8, 8) of patches (n, k, 4) at their places, over a ground of all patches."""
    where = places[..., None].expand(-1, -1, 4)
    whole = ground.scatter(1, where, patches)
    return nn.functional.fold(whole.mT, (8, 8), 2, stride=2)


def _of_masked(method: Method) -> Figure:
    """New digits, what is shown of them, and what is told of the rest."""
    new = digits()[1600:1612]
    (shown_, visible), _ = Masked(2, share=0.5)(new, torch.Generator().manual_seed(1))
    hidden = torch.ones(12, 16).scatter(1, visible, 0.0).nonzero()[:, 1].view(12, -1)
    energy = method.eval().energy
    assert isinstance(energy, Completion)
    with torch.no_grad():
        told = energy.predict((shown_, visible))
    seen = _laid(shown_, visible, torch.full((12, 16, 4), 0.35))
    ground = nn.functional.unfold(seen, 2, stride=2).mT
    return _sheet({"digit": new, "shown": seen, "told": _laid(told, hidden, ground)})


@shown(
    _of_masked,
    "New digits, the half of their patches that is shown, and the rest as the "
    "decoder tells it. Told patches are blurred where several would fit: they are means.",
)
def masked_autoencoder() -> Method:
    method = methods.masked_autoencoder(
        8, 2, channels=1, dim=32, depth=2, heads=4, decoder_dim=32, decoder_depth=1,
        decoder_heads=4, normalized=False,
    )  # fmt: skip
    hidden = partial(patches, hide=Masked(2, share=0.5), of=digits()[:1600])
    fit(method, hidden, steps=500, batch_size=128, lr=3e-3, stepping=FALLS)
    return method


def _of_codes(method: Method) -> Figure:
    """Codes of digits that were not trained on, by class, and how well neighbors agree."""
    images, labels = data.digits()
    with torch.no_grad():
        h = method.eval().encode(images)
    right = metrics.knn_accuracy(h[:1400], labels[:1400], h[1400:], labels[1400:])
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, middle = figure.subplots(1, 2)
        flat = Plane.pca(h).coordinates(h)
        plot.codes(flat[1400:], labels[1400:], left, title=f"codes: kNN {right:.0%}")
        plot.spectrum({"codes": h}, middle)
        middle.set_title(f"effective rank {metrics.effective_rank(h):.1f} of {h.shape[1]}")
    return figure


@shown(
    _of_codes,
    "Codes of hidden blocks are predicted, not their pixels, with a slow teacher as the "
    "target. Left, codes of whole digits by class, of which training knew nothing. After "
    "so few steps the nearest neighbors are right far more often than by chance (10 %), "
    "but classes still overlap.",
)
def ijepa() -> Method:
    method = methods.ijepa(
        8, 2, channels=1, dim=32, depth=2, heads=4, predictor_dim=16, predictor_depth=1,
        predictor_heads=2, decay=0.99,
    )  # fmt: skip
    hidden = partial(patches, hide=Blocks(2), of=digits()[:1600])
    fit(method, hidden, steps=300, batch_size=128, lr=2e-3, stepping=FALLS)
    return method


class Trained(NamedTuple):
    """A method and the energy of its codes."""

    method: Method
    prior: Denoised


def _of_draws(trained: Trained) -> Figure:
    """Digits, and images of codes that walked from noise down to the prior's lowest level."""
    rng = torch.Generator().manual_seed(0)
    stages = noise_stages(trained.prior, noise_levels(3.0, 0.1, 20), step_size=0.2)
    walked = walk_down(stages, 3.2 * torch.randn(24, 16, generator=rng), steps=5, rng=rng)
    energy = trained.method.eval().energy
    assert isinstance(energy, Reconstruction)
    with torch.no_grad():
        made = energy.decode(None, walked.state.y)
    rows = {"data": digits()[:12], "draws": made[:12], "more": made[12:]}
    return _sheet(rows)


@shown(
    _of_draws,
    "An energy of an autoencoder's codes is the prior: codes walk from noise to its "
    "valleys by Langevin steps, and the decoder makes images of them, many of which are "
    "digits.",
)
def image_energy() -> Trained:
    prior = Denoised(Denoiser(16, 64), 0.1)
    encoder = GaussianHead(StridedEncoder((1, 8, 8), 32))
    method = methods.image_energy(encoder, StridedDecoder(16, (1, 8, 8)), prior)
    fit(method, (None, digits()), steps=500, lr=2e-3, stepping=FALLS)
    return Trained(method, prior)


def halves() -> tuple[Tensor, Tensor]:
    """Upper and lower halves of 1,600 digits."""
    upper, lower = digits()[:1600].chunk(2, dim=2)
    return upper.contiguous(), lower.contiguous()


def _of_halves(method: Method) -> Figure:
    """New digits, and the best completions of their upper halves."""
    new = digits()[1600:1612]
    upper = new[:, :, :4].contiguous()
    told = predict(method.eval(), upper, k=3).y
    sheets = {f"answer {k + 1}": torch.cat([upper, each], 2) for k, each in enumerate(told)}
    return _sheet({"digit": new, **sheets})


@shown(
    _of_halves,
    "The lower half of a digit from the upper one: each code z is a whole answer, and the "
    "best three of eight are shown. They differ where the upper half leaves it open.",
)
def image_prediction() -> Method:
    method = methods.image_prediction((1, 4, 8), (1, 4, 8), codes=8, width=128)
    fit(method, halves(), steps=500, lr=3e-3, stepping=FALLS)
    return method
