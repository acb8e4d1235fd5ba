"""`ebmlab evaluate`."""

import sys

from ebmlab.cli.arguments import Other, Run
from ebmlab.cli.table import aligned, number

__all__ = ["evaluate"]


def evaluate(run: Run, data: Other = None, limit: int = 10_000, device: Other = None) -> None:
    """Measure a run on held-out images, points or text, in one table and in its evaluation.json.

    Codes of images: kNN, linear probe, ranks, spread, energy. Energies of points: the exact NLL in
    the plane and its excess over the data's entropy, weights of modes, samples beside data (MMD,
    precision and recall), slopes on data (KSD), and how well noise is told. Energies of images:
    the Fréchet distance of samples by features of a small classifier, precision and recall,
    energies of data, samples and longer chains, distances to the nearest training images. Words:
    bits of a held-out character beside those of counts, and how many answers a set holds that
    holds the truth nine times in ten.

    Args:
        run: the folder that `ebmlab train` wrote.
        data: other images or points of the same shape, or another text.
        limit: data at most, of those to learn from and of those to judge.
        device: where to compute: cpu, cuda, …
    """
    from ebmlab.runs.evaluate import evaluate as evaluated

    result = evaluated(run, data=data, limit=limit, device=device)
    about = ", ".join(f"{key} {value}" for key, value in result.settings.items())
    rows = [[name, number(value)] for name, value in result.findings.numbers.items()]
    sys.stdout.write(f"{about}\n\n{aligned([['held-out data', 'value'], *rows])}\n")
    if result.findings.advice is not None:
        sys.stdout.write(f"\n{result.findings.advice}\n")
