"""Sets of discrete answers: what may be the answer to each question, and how probable."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.errors import ShapeError
from ebmlab.plot.style import PALETTE, numbers, prepared, style

__all__ = ["answers"]

_FAINT, _STRONG = 0.04, 0.55
_INSIDE, _RIGHT, _LEFT = PALETTE[0], PALETTE[1], "#9a9a9a"


@style()
def answers(
    probabilities: Tensor,
    names: Sequence[str],
    ax: Axes | None = None,
    *,
    sets: Tensor | None = None,
    right: Tensor | None = None,
    sides: Sequence[str] = (),
    shown: int = 8,
    title: str | None = None,
) -> Axes:
    """The likeliest answers to each question, a row each: the darker the likelier.

    Members of the set are framed, and how many more there are is written at the end of the row;
    the right answer is in another color and underlined, whether the set holds it or not.

    Args:
        probabilities: (n, k), of n questions.
        names: of the k answers.
        ax: where to draw; None makes a new figure.
        sets: which answers are in each set, bool (n, k); None frames none.
        right: which answer is right, (n,); None marks none.
        sides: left of the rows, such as the questions.
        shown: how many answers in a row.
        title: above the rows.

    Raises:
        ShapeError: what is given does not fit (n, k).
        ConfigurationError: shown < 1.

    Example:
        >>> import torch
        >>> p = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4]])
        >>> ax = answers(p, "abc", sets=p > 0.3, right=torch.tensor([0, 2]), shown=2)
        >>> [text.get_text() for text in ax.texts][:2]
        ['a', '70 %']
    """
    require_counts(shown=shown)
    p = numbers(probabilities)
    held = _fitting("sets", sets, p.shape)
    truth = _fitting("right", right, p.shape[:1])
    for name, given, due in (("names", names, p.shape[-1]), ("sides", sides, len(p))):
        if p.ndim != 2 or (len(given) != due and not (name == "sides" and not len(given))):
            raise ShapeError(f"{name} are {len(given)}, probabilities {p.shape}; (n, k) of {name}")
    columns = min(shown, p.shape[1])
    ax = prepared(ax, (0.62 * columns + 2.6, 0.42 * len(p) + 0.5), title)
    order = np.argsort(-p, axis=1, kind="stable")[:, :columns]
    for i, row in enumerate(order):
        inside = np.zeros(p.shape[1], bool) if held is None else held[i].astype(bool)
        for column, k in enumerate(row):
            own = truth is not None and int(truth[i]) == k
            _cell(ax, (column, i), names[int(k)], float(p[i, k]), inside=bool(inside[k]), own=own)
        more = int(inside.sum() - inside[row].sum())
        if more:
            ax.text(columns + 0.05, i, f"+ {more}", va="center", color=_INSIDE, fontsize=8)
    ax.set(xlim=(-0.5, columns + 0.3), ylim=(len(p) - 0.5, -0.5), xticks=[])
    ax.set_yticks(range(len(p)) if len(sides) else [], sides, family="monospace")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def _cell(
    ax: Axes, place: tuple[int, int], name: str, p: float, *, inside: bool, own: bool
) -> None:
    column, row = place
    shade = _FAINT + (_STRONG - _FAINT) * p
    box: dict[str, Any] = {
        "facecolor": (*_rgb(_INSIDE), shade),
        "edgecolor": _INSIDE if inside else "none",
    }
    ax.add_patch(Rectangle((column - 0.45, row - 0.4), 0.9, 0.8, linewidth=1.1, **box))
    ink = _RIGHT if own else "black" if inside else _LEFT
    weight = "bold" if inside or own else "normal"
    how: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
    ax.text(column, row - 0.1, name, family="monospace", fontsize=9, weight=weight, **how)
    ax.text(column, row + 0.26, f"{100 * p:.0f} %", fontsize=5.5, **how)
    if own:
        ax.plot([column - 0.3, column + 0.3], [row + 0.37] * 2, color=_RIGHT, linewidth=1.4)


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _fitting(name: str, given: Tensor | None, shape: tuple[int, ...]) -> np.ndarray | None:
    if given is None:
        return None
    if tuple(given.shape) != tuple(shape):
        raise ShapeError(f"{name} has shape {tuple(given.shape)}; expected {tuple(shape)}")
    return given.detach().cpu().numpy()
