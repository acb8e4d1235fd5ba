"""The tour's pictures: six landscapes, a cut through them, free energies, digits completed."""

from dataclasses import replace
from pathlib import Path

import torch
from matplotlib.figure import Figure, SubFigure

from ebmlab import plot
from ebmlab.data.relations import inverse_sine
from ebmlab.free_energy import FreeEnergy
from ebmlab.metrics import grid_energies
from ebmlab.slices import Plane, landscape
from ebmlab.tour.digits import Completions
from ebmlab.tour.relation import HI, LO, Problem, Trained
from ebmlab.tour.report import Picture

__all__ = ["draw_cut", "draw_digits", "draw_families", "draw_temperatures"]

CUT = 0.5
TOP = 12.0


def draw_families(trained: list[Trained], problem: Problem, out: Path) -> Picture:
    """All energies over the (x, y) plane, in nats, on one scale."""
    temperatures = _temperatures(trained)
    plane = Plane.xy(origin=torch.zeros(2, device=problem.grid.device))
    fields = []
    for t in trained:
        potential = problem.over_plane(t.method.energy, temperatures[t.family.key])
        field = landscape(potential, plane, lo=LO, hi=HI, resolution=161)
        # E above its lowest value at the same x.
        fields.append(replace(field, energy=field.energy - field.energy.amin(0)))
    data = torch.cat([part[:300] for part in problem.splits["test"]], dim=1)
    figure = plot.landscapes(
        fields,
        [t.family.title for t in trained],
        data=data,
        columns=3,
        limits=(0.0, TOP),
        xlabel="x (observed)",
        ylabel="y (predicted)",
    )
    caption = (
        "E(x, y) / T of each family above its lowest value at the same x, since x is given and y "
        "is asked for; T is fitted on validation pairs, dots are held-out pairs. The embedding "
        "without a cure is drawn at the temperature of the one with VICReg."
    )
    return _save(figure, out, "families", "Six energies of one relation", caption)


def _temperatures(trained: list[Trained]) -> dict[str, float]:
    fitted = {t.family.key: t.results["temperature"] for t in trained}
    return fitted | {"joint_embedding": fitted.get("vicreg", fitted.get("joint_embedding", 1.0))}


def draw_cut(trained: list[Trained], problem: Problem, out: Path) -> Picture:
    """E(x, ·) / T at one x with three right answers, beside -log p of the truth."""
    grid, temperatures = problem.grid, _temperatures(trained)
    x = torch.full((1, 1), CUT, device=grid.device)
    lines = {"truth, -log p(y | x)": -inverse_sine.log_density(x, grid[:, None])}
    for t in trained:
        row = grid_energies(t.method.energy, problem.x_scale.apply(x), problem.seen_grid)[0]
        lines[t.family.title] = row / temperatures[t.family.key]
    shifted = {name: (line - line.min()).clamp(max=2 * TOP) for name, line in lines.items()}
    ax = plot.curves(shifted, steps=grid, xlabel="y", ylabel="energy above the minimum (nats)")
    ax.set_ylim(0, TOP)
    caption = f"A cut at x = {CUT}, where three y are right."
    return _save(ax.figure, out, "cut", "How many answers?", caption)


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
        f"F(x = {CUT}, y) of the latent-variable model: at T = 0 each code digs its own well; "
        "with rising temperature they melt into the mean."
    )
    return _save(ax.figure, out, "temperature", "From a minimum over z to a mean", caption)


def draw_digits(completions: Completions, out: Path) -> Picture:
    """For each held-out x one row: the truth, regression, and one completion per code."""
    rows, columns = completions.images.shape[:2]
    headings = ["truth", "regression", *(f"z = {code + 1}" for code in range(columns - 2))]
    ax = plot.images(completions.images.flatten(0, 1), columns=columns, headings=headings)
    caption = (
        f"{rows} held-out digits, one a row. First the truth, then regression, then the "
        "completion of the same upper half under each value of z."
    )
    return _save(ax.figure, out, "digits", "What could the lower half look like?", caption)


def _save(figure: Figure | SubFigure, out: Path, name: str, title: str, caption: str) -> Picture:
    assert isinstance(figure, Figure)
    figure.savefig(out / f"{name}.png")
    return Picture(name, title, caption)
