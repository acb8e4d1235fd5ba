"""Draw a dictionary of 8 × 8 patches of photographs: `python benchmarks/dictionary_picture.py`."""

from pathlib import Path

import torch
from sparse_coding import ATOMS, dictionary, patches

from ebmlab import plot
from ebmlab.energies import unit

OUT = Path(__file__).parent / "results" / "dictionary_atoms.png"
STEPS = 800


def main() -> None:
    """Learn the atoms, and draw them from the most localized one on; gray is 0."""
    torch.set_num_threads(1)
    train = patches(22_000)[:-2000].float()
    learned, seconds = dictionary(train, unit(train[:ATOMS]), STEPS)
    atoms = unit(learned)
    # How many pixels an atom is spread over: 1 / Σ w² of its shares of energy.
    spread = 1 / atoms.square().square().sum(1)
    atoms = atoms[spread.argsort()].reshape(-1, 1, 8, 8)
    shown = 0.5 + 0.5 * atoms / atoms.abs().amax((1, 2, 3), keepdim=True)
    plot.images(shown, columns=20).figure.savefig(OUT)
    print(
        f"{OUT.name}: {STEPS} batches, {seconds:.0f} s of the processor; pixels per atom: ", end=""
    )
    print(", ".join(f"{q:.0f}" for q in spread.quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()))


if __name__ == "__main__":
    main()
