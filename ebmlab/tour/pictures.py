"""The tour's pictures: the data, six landscapes and a cut, free energies, digits completed."""

from dataclasses import replace
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ebmlab import plot
from ebmlab.data.relations import inverse_sine
from ebmlab.free_energy import FreeEnergy
from ebmlab.metrics import grid_energies
from ebmlab.plot.style import PALETTE, opened, prepared, style
from ebmlab.slices import Plane, landscape
from ebmlab.tour.digits import Completions
from ebmlab.tour.relation import HI, LO, Problem, Trained
from ebmlab.tour.report import Picture

__all__ = [
    "draw_cut",
    "draw_data",
    "draw_digits",
    "draw_families",
    "draw_regression",
    "draw_temperatures",
]

CUT = 0.5
TOP = 12.0
SHOWN = 8


@style()
def draw_data(problem: Problem, out: Path) -> Picture:
    """The held-out pairs alone, and the right answers at one x."""
    ax = _scatter(problem)
    right = inverse_sine.branches(torch.tensor([CUT]))[0]
    ax.axvline(CUT, color="black", linewidth=1, linestyle="--")
    ax.plot([CUT] * len(right), right.tolist(), "o", color="black", label=f"right at x = {CUT}")
    ax.legend(loc="upper left")
    caption = (
        "Each dot is one pair: x is what you are given, y is what is asked for. Follow the dashed "
        f"line at x = {CUT} upwards: it meets the dots three times. Three y are right."
    )
    return _save(ax.figure, out, "data", "One question, three right answers", caption)


@style()
@torch.no_grad()
def draw_regression(trained: Trained, problem: Problem, out: Path) -> Picture:
    """What regression answers at each x, over the data."""
    ax = _scatter(problem)
    x = torch.linspace(0, 1, 201, device=problem.grid.device)[:, None]
    answer = trained.method.encode(problem.x_scale.apply(x)) * problem.y_scale.std
    ax.plot(x[:, 0].cpu(), (answer + problem.y_scale.mean)[:, 0].cpu(), color=PALETTE[1], lw=2.4)
    caption = (
        "Regression learns one answer for each x, with the least squared error. That is the mean "
        "of the right answers, here the line. Where the dots form bands it runs between them: "
        "near x = 0.33 and x = 0.67 it answers where there is hardly a dot."
    )
    return _save(ax.figure, out, "regression", "Why plain prediction fails", caption)


def _scatter(problem: Problem) -> Axes:
    x, y = (part[:1500, 0].cpu() for part in problem.splits["test"])
    ax = opened(prepared(None, (5.2, 3.6)), grid=True)
    ax.plot(x, y, ".", color=PALETTE[0], markersize=3, alpha=0.5)
    ax.set(xlabel="x (given)", ylabel="y (asked for)", xlim=(LO, HI), ylim=(LO, HI))
    return ax


def draw_families(trained: list[Trained], problem: Problem, out: Path) -> Picture:
    """All energies over the (x, y) plane, in nats, on one scale."""
    plane = Plane.xy(origin=torch.zeros(2, device=problem.grid.device))
    fields = []
    for t in trained:
        potential = problem.over_plane(t.method.energy, t.results["temperature"])
        field = landscape(potential, plane, lo=LO, hi=HI, resolution=161)
        # E above its lowest value at the same x.
        fields.append(replace(field, energy=field.energy - field.energy.amin(0)))
    data = torch.cat([part[:300] for part in problem.splits["test"]], dim=1)
    figure = plot.landscapes(
        fields,
        [t.family.title for t in trained],
        data=data,
        columns=2,
        limits=(0.0, TOP),
        xlabel="x (given)",
        ylabel="y (asked for)",
    )
    figure.axes[-1].set_ylabel("energy above its lowest, divided by T")
    caption = (
        "Dark is low energy: this y fits this x. Light is high energy: it does not. Orange dots "
        "are pairs that training never saw. A good energy is dark where the dots are, and nowhere "
        "else. Energies are divided by T of the table."
    )
    return _save(figure, out, "families", "Six energies learned from the same pairs", caption)


def draw_cut(trained: list[Trained], problem: Problem, out: Path) -> Picture:
    """E(x, ·) / T at one x with three right answers, beside -log p of the truth."""
    grid = problem.grid
    x = torch.full((1, 1), CUT, device=grid.device)
    lines = {"truth, -log p(y | x)": -inverse_sine.log_density(x, grid[:, None])}
    for t in trained:
        row = grid_energies(t.method.energy, problem.x_scale.apply(x), problem.seen_grid)[0]
        lines[t.family.title] = row / t.results["temperature"]
    shifted = {name: (line - line.min()).clamp(max=2 * TOP) for name, line in lines.items()}
    ax = plot.curves(shifted, steps=grid, xlabel="y", ylabel="energy above the minimum (nats)")
    ax.set_ylim(0, TOP / 2)
    assert isinstance(ax.figure, Figure)
    ax.figure.set_size_inches(5.2, 4.6)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    caption = (
        f"The same energies along the dashed line, x = {CUT}. Each dip is an answer. The first "
        "curve is the truth, with three dips; look for which curves have them too, and where."
    )
    return _save(ax.figure, out, "cut", "A cut: count the dips", caption)


def draw_temperatures(trained: Trained, problem: Problem, out: Path) -> Picture:
    """The free energy of a latent-variable model along y, over temperature."""
    free = trained.method.energy
    assert isinstance(free, FreeEnergy)
    grid = problem.grid
    temperatures = torch.tensor([0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0])
    x = problem.x_scale.apply(torch.full((1, 1), CUT, device=grid.device))
    rows = [
        grid_energies(FreeEnergy(free.energy, free.infer, float(t)), x, problem.seen_grid)[0]
        for t in temperatures
    ]
    ax = plot.free_energy(grid, torch.stack(rows), temperatures)
    ax.set_xlabel("y")
    caption = (
        f"The energy of the model with a hidden choice z, along x = {CUT}. T = 0 (dashed) takes "
        "the best z only: a sharp dip for each. With rising T all z count and the dips melt "
        "into one, at their mean: regression again."
    )
    return _save(
        ax.figure, out, "temperature", "Temperature: from sharp answers to their mean", caption
    )


def draw_digits(completions: Completions, out: Path) -> Picture:
    """For each held-out x one row: the half, the truth, regression, and completions by energy."""
    shown = completions.images[:, :SHOWN]
    rows, columns = shown.shape[:2]
    lowest = [str(rank + 1) for rank in range(columns - 3)]
    captions = [
        text
        for row in completions.energies[:, : SHOWN - 1]
        for text in ("", *(f"{float(energy):.2f}" for energy in row))
    ]
    ax = plot.images(
        shown.flatten(0, 1),
        columns=columns,
        headings=["given", "truth", "regression", *lowest],
        captions=captions,
    )
    caption = (
        f"{rows} digits that training never saw, one a row: the given half, the whole digit, "
        "regression's answer, then five completions, lowest energy first. The number under "
        "each is its energy, E(upper half, lower half). Regression blurs where several digits "
        "fit; the completions are different digits. A low energy means that the two halves fit, "
        "not that it is the digit somebody wrote."
    )
    return _save(ax.figure, out, "digits", "What could the lower half be?", caption, dpi=220)


def _save(
    figure: Figure | SubFigure, out: Path, name: str, title: str, caption: str, dpi: int = 150
) -> Picture:
    assert isinstance(figure, Figure)
    figure.savefig(out / f"{name}.png", dpi=dpi)
    return Picture(name, title, caption)
