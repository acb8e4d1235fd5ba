"""What becomes of calls with one damaged tensor: told by a typed error, by another one, or taken.

    python benchmarks/fuzz.py --out benchmarks/results/fuzz_cpu.json

The calls are those of `tests/fuzz`: every public energy and its gradient, inference, objective,
negatives, loss, sampler, regularizer, metric, prediction and partition function, as the tables of
laws build them. Each of their tensors is damaged in each way: shapes, types, numbers. What is
taken means something: batches broadcast, populations have any width, networks take whole numbers,
large numbers are numbers. NaN comes of NaN, of infinities, and where the documentation says so.
"""

import argparse
import json
import sys
import warnings
from collections import Counter
from pathlib import Path

import torch
from measure import circumstances

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "laws")]

from fuzz_damages import DAMAGES, places, swept  # noqa: E402  # pyright: ignore[reportMissingImports]

KINDS = ("typed", "untyped", "accepted", "NaN")


def main() -> None:
    """Sweep, print, save."""
    parser = argparse.ArgumentParser(description="calls with one damaged tensor")
    parser.add_argument("--out", type=Path, help="JSON file; the table goes beside it as .md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    about = circumstances(" ".join(["python", "benchmarks/fuzz.py", *sys.argv[1:]]))
    where = list(places())
    found = swept(where)
    rows = {**found.counts, "all": sum(found.counts.values(), Counter())}
    text = table(rows)
    print(text)
    print(*found.untyped, sep="\n")
    if options.out:
        record = about | {"rows": rows, "untyped": found.untyped, "slowest": found.slowest}
        options.out.write_text(json.dumps(record, indent=1) + "\n")
        head = (
            f"`{about['command']}`\n\n{about['machine']}, {about['threads']} thread(s); torch "
            f"{about['versions']['torch']}; commit {about['commit']}, {about['date']}. "
            f"{len(where)} tensors, {len(DAMAGES)} ways to damage one; the longest call took "
            f"{found.slowest:.1f} s.\n\n"
        )
        options.out.with_suffix(".md").write_text(head + text + "\n")


def table(rows: dict[str, Counter]) -> str:
    """A row for each kind of call."""
    lines = [["calls", *KINDS, "untyped, %"], ["---"] * (len(KINDS) + 2)]
    for kind, counts in rows.items():
        share = 100 * counts["untyped"] / sum(counts.values())
        lines.append([kind, *(f"{counts[each]:,}" for each in KINDS), f"{share:.2f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
