"""`ebmlab plot`."""

import sys

from ebmlab.cli.arguments import Other, Run

__all__ = ["plot"]


def plot(run: Run, data: Other = None, device: Other = None) -> None:
    """Draw a run into its folder: curves.png, and what it has learned.

    Of images: codes.png by class, spectrum.png, and reconstructions.png where the method decodes
    images. Of points: landscape.png with data and samples, samples.png, and film.gif of how the
    landscape came about. Of energies of images: samples.png with the nearest training images,
    reconstructions.png, and energies.png. Of words: answers.png, hidden characters of held-out
    text with the probabilities of what they may be, and sizes.png of sets of answers.

    Args:
        run: the folder that `ebmlab train` wrote.
        data: other images or points of the same shape, or another text.
        device: where to compute: cpu, cuda, …
    """
    from ebmlab.runs.draw import draw

    for path in draw(run, data=data, device=device):
        sys.stdout.write(f"{path}\n")
