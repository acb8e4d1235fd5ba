"""Whether contrastive training goes on well, which its loss does not say."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.plot.style import DASHES, PALETTE, opened, prepared, style

__all__ = ["convergence"]

# Panels, from the top: their names, and the columns that they show under the names of these.
_PANELS: Mapping[str, Mapping[str, str]] = {
    "energy": {"e_pos": "data", "e_neg": "chains"},
    "chains - data": {"gap": "gap"},
    "share of chains": {
        name: name for name in ("acceptance", "continued", "still", "strayed", "coalesced")
    },
    "moved": {"moved": "units of y"},
    "age": {"age": "steps of chains"},
}
_FEW, _INNER = 12, (0.02, 0.98)


@style()
def convergence(
    columns: Mapping[str, Sequence[float]], steps: Sequence[float], *, title: str | None = None
) -> Figure:
    """Energies of data and chains, the gap between them, and the health of the chains, over steps.

    The loss is not drawn: that of contrastive divergence is minus the gap, which is 0 for a
    perfect model, for one that has not begun, and for chains that do not move. Read instead: a
    gap near 0 *while* chains move, are accepted and stay near the data. A gap above 0: the chains
    are not as low as the data, the model still learns or they are too short. Below 0: they have
    found wells that hold no data. Spikes are cut, so that the rest stays legible.

    Args:
        columns: name -> (n,), as `fit(…).history` holds them; shown are `e_pos`, `e_neg`, `gap`,
            `acceptance`, `continued`, `still`, `strayed`, `coalesced`, `moved` and `age`.
        steps: (n,).
        title: above all panels.

    Raises:
        ConfigurationError: none of these columns is there.
        ShapeError: a column is not as long as steps.

    Example:
        >>> figure = convergence({"e_pos": [0.0, -1.0], "e_neg": [0.5, -0.9]}, [10, 20])
        >>> [ax.get_ylabel() for ax in figure.axes]
        ['energy', 'chains - data']
    """
    shown = _found(columns, len(steps))
    size = (5.6, 1.25 * len(shown) + 0.55)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (name, lines) in zip(panels, shown.items(), strict=True):
        _lines(opened(prepared(ax), grid=True), lines, np.asarray(steps, dtype=float))
        ax.set_ylabel(name)
        if name == "share of chains":
            ax.set_ylim(-0.03, 1.03)
        if name == "chains - data":
            ax.axhline(0, color="black", linewidth=0.7, linestyle=(0, (4, 2)))
    figure.align_ylabels()
    panels[-1].set_xlabel("step")
    if title is not None:
        figure.suptitle(title, fontsize=10)
    return figure


def _found(columns: Mapping[str, Sequence[float]], count: int) -> dict[str, dict[str, np.ndarray]]:
    """What there is to show, by panel and name; the gap follows from the energies."""
    held = {name: np.asarray(column, dtype=float) for name, column in columns.items()}
    for name, column in held.items():
        if column.shape != (count,):
            raise ShapeError(f"{name} has shape {column.shape} for {count} steps; expected (n,)")
    if "gap" not in held and {"e_pos", "e_neg"} <= held.keys():
        held["gap"] = held["e_neg"] - held["e_pos"]
    found = {
        panel: {label: held[name] for name, label in names.items() if name in held}
        for panel, names in _PANELS.items()
    }
    shown = {panel: lines for panel, lines in found.items() if lines}
    if not shown:
        listed = ", ".join(name for names in _PANELS.values() for name in names)
        raise ConfigurationError(
            f"columns are {', '.join(columns) or 'none'}; expected some of {listed}: the metrics "
            "of an objective with negatives"
        )
    return shown


def _lines(ax: Axes, lines: Mapping[str, np.ndarray], steps: np.ndarray) -> None:
    mark = "o" if len(steps) <= _FEW else ""
    for k, (name, column) in enumerate(lines.items()):
        # The first lie on top: dashes show what is below them.
        how = {"color": PALETTE[k], "linestyle": DASHES[k % len(DASHES)], "zorder": 2.9 - 0.1 * k}
        ax.plot(steps, column, linewidth=1.1, marker=mark, markersize=2.5, label=name, **how)
    if len(lines) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    values = np.concatenate(list(lines.values()))
    inside = values[np.isfinite(values)]
    if not inside.size:
        return
    low, high = np.quantile(inside, _INNER)
    # Only what dwarfs the rest is cut.
    if np.ptp(inside) > 4 * (high - low) > 0:
        ax.set_ylim(low - 0.5 * (high - low), high + 0.5 * (high - low))
