"""Races: contenders take turns in one process, after a warm-up each; medians, spreads, ratios."""

import importlib.metadata
import importlib.util
import json
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

PEERS = (
    "torchebm",
    "jax",
    "blackjax",
    "numpyro",
    "scikit-learn",
    "scipy",
    "lightly",
    "rbms",
    "kornia",
)


@dataclass(frozen=True)
class Row:
    """One comparison: medians of seconds; `ratio` is the peer's time by ours, above 1 we win."""

    topic: str
    case: str
    ours: str
    seconds: float
    spread: float
    peer: str = ""
    peer_seconds: float | None = None
    peer_spread: float | None = None
    ratio: float | None = None
    ess_per_second: float | None = None
    peer_ess_per_second: float | None = None
    ess_ratio: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Time:
    """Seconds of one contender: the first call (compilation and warm-up), then each turn."""

    first: float
    turns: tuple[float, ...]
    result: Any

    @property
    def seconds(self) -> float:
        """The median of the turns."""
        return median(self.turns)

    @property
    def spread(self) -> float:
        """Largest less smallest of the turns."""
        return max(self.turns) - min(self.turns)


def installed(name: str) -> bool:
    """Whether a peer can be imported."""
    return importlib.util.find_spec(name) is not None


def race(
    contenders: dict[str, Callable[[], Any]],
    device: str = "cpu",
    turns: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Time]:
    """Let contenders take turns: each is called once to warm up, and then `turns` times."""

    def timed(call: Callable[[], Any]) -> tuple[float, Any]:
        if device != "cpu":
            torch.cuda.synchronize()
        start = clock()
        result = call()
        if device != "cpu":
            torch.cuda.synchronize()
        return clock() - start, result

    first = {name: timed(call)[0] for name, call in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    results: dict[str, Any] = {}
    for _ in range(turns):
        for name, call in contenders.items():
            spent, results[name] = timed(call)
            seconds[name].append(spent)
    return {n: Time(first[n], tuple(seconds[n]), results[n]) for n in contenders}


def bulk_ess(samples: Tensor) -> float:
    """Bulk effective draws of the worst coordinate; samples are (draws, chains, dim)."""
    from ebmlab.metrics import ess

    return float(ess(samples).min())


def compared(
    topic: str, case: str, ours: str, times: dict[str, Time], ess: dict[str, float] | None = None
) -> list[Row]:
    """A row for each peer, and one for us alone where there is none."""
    own = times[ours]
    speed = {name: ess[name] / times[name].seconds for name in ess} if ess else {}
    note = f"first call {own.first:.1f} s"
    if len(times) == 1:
        return [Row(topic, case, ours, own.seconds, own.spread, note=note)]
    return [
        Row(
            topic,
            case,
            ours,
            own.seconds,
            own.spread,
            peer,
            time.seconds,
            time.spread,
            time.seconds / own.seconds,
            speed.get(ours),
            speed.get(peer),
            speed[ours] / speed[peer] if speed else None,
            f"{note}, peer {time.first:.1f} s",
        )
        for peer, time in times.items()
        if peer != ours
    ]


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    head = ["topic", "case", "ours", "s", "±", "peer", "s", "±", "ratio"]
    head += ["ESS/s", "peer ESS/s", "ratio", "note"]
    body = [[_cell(value) for value in asdict(row).values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"
        for cells in [head, *body]
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return str(value)


def circumstances(command: str) -> dict[str, Any]:
    """The machine, the versions and the commit that a table belongs to."""
    names = ("ebmlab", "torch", "numpy", *PEERS)
    versions = {name: _version(name) for name in names}
    return {
        "command": command,
        "machine": _processor(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions.items() if version},
        "absent": [name for name in PEERS if not versions[name]],
        "commit": _output("git", "rev-parse", "--short", "HEAD"),
        "date": time.strftime("%Y-%m-%d"),
    }


def save(path: Path, about: dict[str, Any], rows: Sequence[Row]) -> None:
    """Write rows and circumstances as JSON, and the table beside it as Markdown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = about | {"rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(record, indent=1) + "\n")
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    gpu = about["gpu"] or "no GPU"
    lines = [
        f"`{about['command']}`",
        "",
        f"{about['machine']}, {gpu}, {about['threads']} thread(s); {versions}; commit "
        f"{about['commit']}, {about['date']}. Absent: {', '.join(about['absent']) or 'none'}.",
        "",
        table(rows),
        "",
    ]
    path.with_suffix(".md").write_text("\n".join(lines))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{named[0]} × {len(named)}" if named else platform.processor()


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
