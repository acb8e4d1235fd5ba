"""The table of the hypothesis, in Markdown."""

from statistics import mean, stdev
from typing import Any

COLUMNS = {
    "kl": "KL",
    "I(z; a)": "I(z; a)",
    "I(z; a | x)": "I(z; a given x)",
    "I(z; target)": "I(z; digit)",
    "ARI": "ARI",
    "plan": "plan",
    "circular": "angle",
    "digit": "digit probe",
    "pose": "pose probe",
    "rank": "rank",
    "seconds": "s",
}

NOTE = """\
Three actions where the name says nothing else: at most ln 3 = 1.099 nats of z; eight: ln 8 =
2.079. KL is the mean KL(q(z | x, y) || prior), or where one z is found the entropy of its numbers.
I(z; a given x) is within 20 pairs of one x, where counting alone makes some 0.1 nats. I(z; digit)
is what z says of which digit it is. Continuous z are numbered by k-means. A plan is right if the
four z of lowest energy, read as the actions they most often stand for, lead to the very angle of
the goal; by chance 0.097. "angle" is the mean cosine of what is left of the turn beside z. Probes
are linear, of single pictures: digits by chance 0.1, eight sectors of the angle by chance 0.125.
Mean ± deviation over seeds; seconds are of a processor that others used too. What was expected and
did not come true: z brings no better digit probe than a JEPA without z has; no code beats pixels
where a probe asks for the pose; an angle z ends in another minimum in some seeds, of higher
energy, and five starts do not always help; a Gaussian z with a network and a search on a circle
mean little. Spread within pairs costs the probe of the digit where a network predicts, and neither
it nor operators alone give z its meaning under VICReg.
"""


def report(record: dict[str, Any]) -> str:
    """The whole file."""
    runs = record["runs"]
    names = list(dict.fromkeys(run["who"] for run in runs))
    head = ["method", "seeds", *COLUMNS.values()]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in names:
        own = [run for run in runs if run["who"] == name]
        cells = [cell([run[key] for run in own if key in run], key) for key in COLUMNS]
        lines.append("| " + " | ".join([name, str(len(own)), *cells]) + " |")
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    about = f"{record['machine']}, {record['threads']} thread(s); {versions}; {record['date']}."
    settings = ", ".join(f"{name} {value}" for name, value in record["settings"].items())
    return "\n".join(
        [f"`{record['command']}`", "", about, "", f"Settings: {settings}.", "", NOTE, *lines, ""]
    )


def cell(values: list[float], key: str) -> str:
    """Mean ± deviation."""
    if not values:
        return "–"
    digits = 1 if key in {"rank", "seconds"} else 3
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"
