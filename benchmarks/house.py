"""What a laboratory does all day: checkpoints, landscapes, probes, blurred views.

    python benchmarks/run.py --topic house --topic rbm --out benchmarks/results/house_cpu.json

Checkpoints are flushed to the disk on both sides, and timed by the clock on the wall with all
cores, since ours are hashed by a thread of its own; all else has the processor's clock. The
landscape by hand evaluates all points at once. The probes are scikit-learn's own, in float64, and
the blurs by hand multiply every image, also those that no blur is drawn for.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from measure import Row, compared, race
from torch import Tensor, nn

from ebmlab import Plane, energies, landscape
from ebmlab.data.views import Blur
from ebmlab.metrics import linear_probe
from ebmlab.training import load, save

TOPIC, TURNS = "house", 9


def rows(device: str, quick: bool) -> Iterator[Row]:
    """A row for each comparison."""
    yield from checkpoints(device, width=64 if quick else 2048)
    for case, contenders in (
        landscapes(device, 8 if quick else 40),
        probed(device, 200 if quick else 5000),
        blurred(device, 8 if quick else 256),
    ):
        clock = time.process_time if device == "cpu" else time.perf_counter
        yield from compared(TOPIC, case, "ebmlab", race(contenders, device, TURNS, clock))


def checkpoints(device: str, width: int) -> Iterator[Row]:
    """A network and the moments of AdamW, written to the disk and read from it."""
    net = nn.Sequential(*[nn.Linear(width, width) for _ in range(6)]).to(device)
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.ones(2, width, device=device)).sum().backward()
    optimizer.step()
    with tempfile.TemporaryDirectory() as folder, all_cores():
        sealed, plain = Path(folder) / "sealed", Path(folder) / "plain"

        def torch_save() -> None:
            with plain.open("wb") as file:
                torch.save({"net": net.state_dict(), "moments": optimizer.state_dict()}, file)
                file.flush()
                os.fsync(file.fileno())

        def torch_load() -> None:
            found = torch.load(plain, weights_only=True)
            net.load_state_dict(found["net"])
            optimizer.load_state_dict(found["moments"])

        saving = {"ebmlab": lambda: save(sealed, net, optimizer), "torch.save": torch_save}
        loading = {"ebmlab": lambda: load(sealed, net, optimizer), "torch.load": torch_load}
        for verb, contenders in {"save": saving, "load": loading}.items():
            times = race(contenders, device, TURNS)
            size = sealed.stat().st_size / 1e6
            yield from compared(TOPIC, f"{verb} {size:.0f} MB, sealed", "ebmlab", times)


@contextmanager
def all_cores() -> Iterator[None]:
    """Whatever the race was bound to, here all cores serve."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    bound = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, bound)


def landscapes(device: str, resolution: int) -> tuple[str, dict[str, Callable[[], Any]]]:
    """A convolutional energy on a plane through images."""
    net = energies.ConvNet(1).to(device)
    images = torch.rand(200, 1, 28, 28, generator=torch.Generator().manual_seed(0)).to(device)
    plane, u = Plane.pca(images), net.given()

    @torch.no_grad()
    def by_hand() -> Tensor:
        grid = torch.linspace(-3, 3, resolution, device=device)
        a, b = (t.reshape(-1, 1, 1, 1) for t in torch.meshgrid(grid, grid, indexing="xy"))
        return net.network(plane.origin + a * plane.axes[0] + b * plane.axes[1])

    ours = lambda: landscape(u, plane, resolution=resolution)  # noqa: E731
    case = f"landscape {resolution} × {resolution} of a ConvNet, 28 × 28"
    return case, {"ebmlab": ours, "plain torch": by_hand}


def probed(device: str, n: int) -> tuple[str, dict[str, Callable[[], Any]]]:
    """A linear probe of codes in ten classes that overlap."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (2 * n,), generator=rng)
    means = 0.15 * torch.randn(10, 256, generator=rng)
    codes = means[labels] + torch.randn(2 * n, 256, generator=rng)
    known, hidden = (codes[:n], labels[:n]), (codes[n:], labels[n:])

    def by_scikit_learn() -> float:
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        probe.fit(known[0].double().numpy(), known[1].numpy())
        return probe.score(hidden[0].double().numpy(), hidden[1].numpy())

    here = [t.to(device) for t in (*known, *hidden)]
    found, judge = linear_probe(*here), by_scikit_learn()
    case = f"probe {n:,} × 256, 10 classes: {found:.4f} as {judge:.4f}"
    return case, {"ebmlab": lambda: linear_probe(*here), "scikit-learn": by_scikit_learn}


def blurred(device: str, n: int) -> tuple[str, dict[str, Callable[[], Any]]]:
    """Half of the images blurred, or all of them, half by a kernel that does nothing."""
    images = torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)
    view, rng = Blur(5), torch.Generator(device).manual_seed(0)
    (sigma,) = view.draw(images, rng)
    case = f"blur, half of {n} × 3 × 32 × 32"
    ours, by_hand = lambda: view.apply(images, (sigma,)), lambda: view._blurred(images, sigma)
    return case, {"ebmlab": ours, "ebmlab, all rows": by_hand}
