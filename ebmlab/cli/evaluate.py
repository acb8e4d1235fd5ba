"""`ebmlab evaluate`."""

import sys

from ebmlab.cli.arguments import Other, Run
from ebmlab.cli.table import aligned, number

__all__ = ["evaluate"]


def evaluate(run: Run, data: Other = None, limit: int = 10_000, device: Other = None) -> None:
    """Measure the codes of a run on held-out images: kNN, linear probe, ranks, spread, energy.

    Prints one table and writes evaluation.json into the run's folder.

    Args:
        run: the folder that `ebmlab train` wrote.
        data: other images of the same shape.
        limit: images at most, of those with labels to learn from and of those to judge.
        device: where to compute: cpu, cuda, …
    """
    from ebmlab.runs.evaluate import evaluate as evaluated

    result = evaluated(run, data=data, limit=limit, device=device)
    about = ", ".join(f"{key} {value}" for key, value in result.settings.items())
    rows = [[name, number(value)] for name, value in result.numbers.items()]
    sys.stdout.write(f"{about}\n\n{aligned([['held-out images', 'value'], *rows])}\n")
    if result.advice is not None:
        sys.stdout.write(f"\n{result.advice}\n")
