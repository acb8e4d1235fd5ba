"""The tables of what was learned: by each method, without its anti-collapse part, by lightly."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from invariance_methods import SETTINGS, WIDTH
from invariance_removed import REMOVED
from lightly_objectives import BORROWED

__all__ = ["write"]

Run = dict[str, Any]


def write(lines: Path, about: dict[str, Any], runs: Sequence[Run]) -> None:
    """The runs and their circumstances as JSON, and the tables as Markdown, beside the lines."""
    record = about | {"runs": list(runs)}
    lines.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    images = sorted({run["images"] for run in runs})
    commits = ", ".join(dict.fromkeys(run["commit"] for run in runs))
    parts = [
        f"`{about['command']}`",
        f"{about['machine']}, no GPU, {about['threads']} thread(s); {versions}; commit "
        f"{about['commit']}, {about['date']}; the runs are of commits {commits}.",
        f"Fashion-MNIST under nuisance: 10,000 training and 5,000 test images, kNN@20 (cosine) of "
        f"the encoder's output. Settings were chosen by short runs judged by these test images; "
        f"`unseen` is the accuracy on the other 5,000, which had no part in that, and lightly's "
        f"losses run with our settings. Encoder of three stages, width {WIDTH}; "
        f"{', '.join(f'{n:,}' for n in images)} images seen as two views each. `rank` and "
        "`varies` are the effective rank and the share that varies, of the encoder's output on "
        "test images; `code …` the same, and the standard deviation, of the codes that the energy "
        "compares, on the last batch; `detector` is what `Collapse` said during training.",
        "## Methods",
        learned(about["first"], runs),
        "## Without what prevents collapse",
        "The energy alone is least where all codes are one. Batch normalization, in encoder and "
        "projectors, stands in the way: what is left of cosines is a few directions, of distances "
        "a small size. MoCo without negatives still has its slow teacher.",
        collapsed(runs),
        "## Beside lightly's losses",
        beside(runs),
    ]
    lines.with_suffix(".md").write_text("\n\n".join(parts) + "\n")


def learned(first: dict[str, Sequence[float]], runs: Sequence[Run]) -> str:
    """A row for each method; several seeds are averaged and listed."""
    head = [
        "method",
        "kNN",
        "by seed",
        "unseen",
        "by seed",
        "rank",
        "varies",
        "code rank",
        "batch",
    ]
    body = [
        [name, f"{knn:.3f}", "", f"{unseen:.3f}", "", f"{rank:.1f}", f"{spread:.2f}", *[""] * 6]
        for name, (knn, unseen, rank, spread) in first.items()
    ]
    for name in SETTINGS:
        found = of(runs, "trained", name)
        if found:
            body.append(
                [
                    name,
                    *(average(found), each(found)),
                    *(average(found, "unseen"), each(found, "unseen")),
                    *codes(found[0]),
                    str(found[0]["batch"]),
                    f"{found[0]['lr']:g}",
                    f"{found[0]['processor_seconds']:.0f}",
                    found[0]["settings"],
                    said(found),
                ]
            )
    return table([*head, "lr", "core s", "settings", "detector"], body)


def collapsed(runs: Sequence[Run]) -> str:
    """A row for each method without its anti-collapse part, beside the method with it."""
    head = ["method", "without", "theory"]
    for name in ("kNN", "code rank", "code std", "code varies"):
        head += [name, "with it"]
    body = []
    for name, removed in REMOVED.items():
        found, whole = of(runs, "removed", name), of(runs, "trained", removed.base)
        if found and whole:
            row = [removed.base, removed.without, removed.theory, average(found), average(whole)]
            for kind, form in (
                ("effective_rank", ".1f"),
                ("code_std", ".1e"),
                ("code_spread", ".3f"),
            ):
                row += [f"{side[0][kind]:{form}}" for side in (found, whole)]
            body.append([*row, said(found)])
    return table([*head, "detector"], body)


def beside(runs: Sequence[Run]) -> str:
    """A row for each method that lightly has: same weights, batches, heads and steps."""
    head = ["method", "kNN", "lightly's kNN", "difference", "by seed", "lightly's"]
    body = []
    for name in BORROWED:
        theirs = of(runs, "lightly", name)
        seeds = {run["seed"] for run in theirs}
        ours = [run for run in of(runs, "trained", name) if run["seed"] in seeds]
        if theirs and ours:
            gaps = [
                mean(r[kind] for r in ours) - mean(r[kind] for r in theirs)
                for kind in ("knn", "unseen")
            ]
            spent = [f"{r['processor_seconds']:.0f}" for r in (ours[0], theirs[0])]
            body.append(
                [
                    *(name, average(ours), average(theirs), f"{gaps[0]:+.3f}"),
                    *(each(ours), each(theirs)),
                    *(average(ours, "unseen"), average(theirs, "unseen"), f"{gaps[1]:+.3f}"),
                    *spent,
                ]
            )
    unseen = ["unseen", "lightly's unseen", "difference"]
    return table([*head, *unseen, "core s", "lightly's core s"], body)


def of(runs: Iterable[Run], kind: str, method: str) -> list[Run]:
    """The runs of a method in one table, by seed; of the longest budget only."""
    found = [run for run in runs if (run["kind"], run["method"]) == (kind, method)]
    most = max((run["images"] for run in found), default=0)
    return sorted((r for r in found if r["images"] == most), key=lambda run: run["seed"])


def average(runs: Sequence[Run], kind: str = "knn") -> str:
    """The mean accuracy."""
    return f"{mean(run[kind] for run in runs):.3f}"


def each(runs: Sequence[Run], kind: str = "knn") -> str:
    """The accuracies of several seeds."""
    return ", ".join(f"{run[kind]:.3f}" for run in runs) if len(runs) > 1 else ""


def codes(run: Run) -> list[str]:
    """Rank and variation of the encoder's output, and the rank of the codes compared."""
    rank = run.get("effective_rank")
    return [f"{run['rank']:.1f}", f"{run['spread']:.2f}", "–" if rank is None else f"{rank:.1f}"]


def said(runs: Sequence[Run]) -> str:
    """What the detector said, in all runs."""
    return "; ".join(dict.fromkeys(text for run in runs for text in run["told"])) or "silent"


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Markdown, its columns aligned."""
    rows = [list(head), *map(list, body)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
