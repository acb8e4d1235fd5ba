"""Write the pictures of the exhibits: python docs/exhibits FOLDER [--only NAME …]."""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from exhibits import INFERENCES, OBJECTIVES, SAMPLERS


def main() -> None:
    """Draw all, or some, and print how much CPU time each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where NAME.png go")
    parser.add_argument("--only", nargs="*", default=[], help="these names alone")
    given = parser.parse_args()
    exhibits = {**SAMPLERS, **INFERENCES, **OBJECTIVES}
    given.folder.mkdir(parents=True, exist_ok=True)
    begin = time.process_time()
    for name in given.only or exhibits:
        start = time.process_time()
        exhibits[name].draw().savefig(given.folder / f"{name}.png")
        print(f"{name:24} {time.process_time() - start:6.2f} s")
    print(f"{'all':24} {time.process_time() - begin:6.2f} s")


if __name__ == "__main__":
    main()
