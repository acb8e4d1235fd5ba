"""`ebmlab tour`: one relation, many answers, from data to a page."""

from ebmlab.tour.run import run_tour

__all__ = ["run_tour"]
