"""Couplings of Ising models from draws, by every objective: how far from the truth.

    python benchmarks/lattices.py [NAME …] [--part small|torus] [--seeds 5] [--out FILE]

`lattices_small` compares all objectives, `lattices_torus` finds sparse couplings of many spins. A
part that is not run keeps its rows in the file.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from lattices_small import ENTRIES, small, small_table
from lattices_torus import CASES, torus, torus_table
from measure import circumstances


def save(out: Path | None, about: dict[str, Any], found: dict[str, list[dict[str, Any]]]) -> None:
    """Rows and circumstances as JSON, the tables beside it as Markdown."""
    if out is None:
        return
    out.write_text(json.dumps(about | found, indent=1) + "\n")
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    head = f"`{about['command']}`\n\n{about['machine']}, {about['threads']} thread; {versions}; "
    head += f"commit {about['commit']}, {about['date']}. Medians over draws of the data.\n"
    notes = (
        "Couplings of a periodic 4 × 4 Ising model, J = 0.2, from 10,000 exact draws:",
        "-log RMSE over the whole matrix, by pseudo-likelihood of 2,000 draws; bonds that were "
        "missed, and couplings that are none:",
    )
    tables = small_table(found["small"]), torus_table(found["torus"])
    body = [f"{note}\n\n{table}\n" for note, table in zip(notes, tables, strict=True)]
    out.with_suffix(".md").write_text("\n".join([head, *body]))


def main() -> None:
    """Parse the command line, learn, print, save."""
    parser = argparse.ArgumentParser(description="couplings of Ising models by every objective")
    parser.add_argument("names", nargs="*", help="objectives of the small lattice; default: all")
    parser.add_argument("--part", choices=("small", "torus"), help="default: both")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="JSON file; the tables go beside it as .md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("once")
    about = circumstances(" ".join(["python", *sys.argv]))
    found: dict[str, list[dict[str, Any]]] = {"small": [], "torus": []}
    if options.part and options.out and options.out.exists():
        before = json.loads(options.out.read_text())
        found |= {part: before[part] for part in found if part != options.part}
        about["command"] = f"{before['command']}` and `{about['command']}"
    names = list(dict.fromkeys(["exact likelihood", *(options.names or ENTRIES)]))
    if options.part != "torus":
        for seed in range(options.seeds):
            found["small"] += small(seed, names)
            save(options.out, about, found)
        print(small_table(found["small"]), flush=True)
    if options.part != "small":
        for case in CASES:
            found["torus"] += [torus(case, seed) for seed in range(options.seeds)]
            save(options.out, about, found)
        print(torus_table(found["torus"]), flush=True)


if __name__ == "__main__":
    main()
