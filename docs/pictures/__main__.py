"""Draw the pictures of all methods, or of some: python docs/pictures FOLDER [--only NAME …]."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    """Write NAME.png for each method, and print its CPU seconds."""
    from pictures import METHODS

    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=list(METHODS), metavar="NAME")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    whole = 0.0
    for name in asked.only:
        began = time.process_time()
        METHODS[name].draw().savefig(asked.folder / f"{name}.png")
        seconds = time.process_time() - began
        whole += seconds
        print(f"{name:24} {seconds:5.1f} CPU seconds", flush=True)
    print(f"{'all':24} {whole:5.1f} CPU seconds")


if __name__ == "__main__":
    main()
