"""Figures in notebooks."""

import sys

__all__ = ["show_in_cells"]


def show_in_cells() -> None:
    """Where a notebook runs, a cell that ends with a figure shows it, as it does for pyplot's.

    Otherwise only pyplot, which no picture here passes through, would tell notebooks how.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.core.pylabtools import select_figure_formats

        select_figure_formats(shell, {"png"}, bbox_inches=None)
