"""SEER: what it costs by counting, what was measured of it, and what a GPU makes of it.

    python benchmarks/seer.py --part sizes gpus
    python benchmarks/seer.py --part memory --batch 6
    python benchmarks/seer.py --part runs --folder IMAGES --networks 400mf 8gf --epochs 4
    python benchmarks/seer.py --part speed --device cuda
    python benchmarks/seer.py --part speed

sizes and gpus are arithmetic on the meta device. memory compares it with small networks, each
reading a process of its own: bytes that autograd keeps, counted, and by how much the resident
memory rises; in bf16 the copies of weights are kept as well, once a step. runs are those of
`ebmlab train seer --data IMAGES`, read from their folders. speed takes steps on crops of noise, in
bf16; on a CPU of a small network alone, in fp32, where the peak is that of the whole process.

Model FLOPs are those of one forward and one backward pass, 6 for each multiplication with addition
of a forward pass; blocks that are run again do more work, which does not count as use.
"""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from measure import circumstances
from seer_counts import GB, Crops, Head, activations, gpus_for, macs, parameters, plan
from seer_steps import Reading, read

from ebmlab.energies import JointEmbedding
from ebmlab.networks import Prototypes
from ebmlab.runs import configured, train
from ebmlab.runs._images.run import ImageRun
from ebmlab.runs.restore import restore

Row = dict[str, Any]
BATCH, MEMORIES = 8704, (80, 141)
# Dense products in bfloat16, FLOP/s.
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
TINY = Reading("400mf", 4, 64, 32, hidden=512, prototypes=64, steps=1)


def sizes(options: argparse.Namespace) -> list[Row]:
    """Parameters, multiplications and activations of networks with SEER's head."""
    found = []
    for name in options.networks or ("400mf", "8gf", "256gf"):
        row: Row = {"network": name, **parameters(name, Head())}
        for size in (160, 96):
            kept = activations(name, size)
            row |= {
                f"GMAC at {size}": macs(name, size) / 1e9,
                f"MB an image at {size}": kept.whole / 1e6,
                f"between blocks, {size}": kept.between / 1e6,
                f"largest block, {size}": kept.block / 1e6,
            }
        found.append(row)
    return found


def gpus(options: argparse.Namespace) -> list[Row]:
    """How many GPUs hold a batch of 8704 images of the largest network."""
    found = []
    for name in options.networks or ("256gf",):
        planned = plan(name, Head(), Crops())
        for memory in MEMORIES:
            for shard in (False, True):
                for recompute in (False, True):
                    n = gpus_for(planned, BATCH, memory * GB, shard, recompute)
                    each = n if shard and n else 1
                    found.append(
                        {
                            "network": name,
                            "GB of a GPU": memory,
                            "sharded": shard,
                            "blocks run again": recompute,
                            "weights, gradients, momentum, GB": planned.states(each) / GB,
                            "activations, GB an image": planned.image(recompute) / GB,
                            "images on a GPU": planned.images(memory * GB, each, recompute),
                            f"GPUs for {BATCH}": n,
                        }
                    )
    return found


def memory(options: argparse.Namespace) -> list[Row]:
    """Counted and measured bytes for each image of a batch, each reading a process of its own."""
    found = []
    for name in options.networks or ("400mf", "8gf"):
        counts = {size: activations(name, size) for size in (TINY.large, TINY.small)}
        for half in (False, True)[: 1 if name == "8gf" else 2]:
            for recompute in (False, True):
                reading = replace(
                    TINY, network=name, batch=options.batch, recompute=recompute, half=half
                )
                taken = read(reading)
                crops = [counts[size] for size in reading.crops.sizes]
                alive = sum(a.between if recompute else a.whole for a in crops)
                block = max(a.block for a in crops) if recompute else 0.0
                unit = options.batch * 1e6
                scale = 2e6 if half else 1e6
                found.append(
                    {
                        "network": name,
                        "crops": f"2 × {reading.large}, 4 × {reading.small}",
                        "batch": options.batch,
                        "precision": "bf16" if half else "fp32",
                        "blocks run again": recompute,
                        "counted on meta, MB an image": alive / scale,
                        "kept, MB an image": taken["kept"] / unit,
                        "counted, with the largest block": (alive + block) / scale,
                        "resident, MB an image": taken["peak"] / unit,
                        "s a step": taken["seconds"],
                    }
                )
    return found


def runs(options: argparse.Namespace) -> list[Row]:
    """What `ebmlab train seer --data FOLDER` came to; a run that is there is read as it is."""
    found = []
    for name in options.networks or ("400mf", "8gf"):
        config = configured(
            "seer",
            str(options.folder),
            encoder=f"regnety-{name}",
            epochs=options.epochs,
            batch_size=options.batch,
            size=options.size,
        )
        out = options.runs / f"seer-{name}"
        there = (out / "config.json").exists()
        built = restore(out)[1] if there else train(config, out).built
        assert isinstance(built, ImageRun)
        found.append({"network": name, "batch": options.batch, **_told(out, built)})
    return found


def _told(out: Path, built: ImageRun) -> Row:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    quarter = max(1, len(lines) // 4)
    values = [line["value"] for line in lines]
    method = built.method.eval()
    assert isinstance(method.energy, JointEmbedding)
    prototypes = next(part for part in method.modules() if isinstance(part, Prototypes))
    with torch.no_grad():
        logits = prototypes(method.energy.online(built.images.images[:1000]))
    used = logits.argmax(-1).unique().numel()
    steps = lines[-1]["step"]
    return {
        "parameters": sum(p.numel() for p in built.method.parameters()),
        "steps": steps,
        "ln K": math.log(logits.shape[-1]),
        "loss, first quarter": sum(values[:quarter]) / quarter,
        "loss, last quarter": sum(values[-quarter:]) / quarter,
        "prototypes in use": f"{used} of {logits.shape[-1]}",
        "images/s": steps * built.config.batch_size / lines[-1]["seconds"],
    }


def speed(options: argparse.Namespace) -> list[Row]:
    """Images in a second, memory, and the share of the device's products that the model uses."""
    found = []
    for reading in _on_cpu() if options.device == "cpu" else _on_gpu(options):
        taken = read(reading)
        work = sum(macs(reading.network, size) for size in reading.crops.sizes)
        planned = plan(
            reading.network, Head(reading.hidden, 256, reading.prototypes), reading.crops
        )
        row: Row = {
            "network": reading.network,
            "crops": f"2 × {reading.large}, {reading.count} × {reading.small}",
            "batch": reading.batch,
            "precision": "bf16" if reading.half else "fp32",
            "blocks run again": reading.recompute,
            "failed": taken.get("failed", ""),
        }
        if "failed" not in taken:
            rate = reading.batch / taken["seconds"]
            peak = _peak_flops()
            due = planned.states(1) + reading.batch * planned.image(reading.recompute)
            row |= {
                "images/s": rate,
                "peak, GB": taken["all"] / GB,
                "by arithmetic, GB": due / GB,
                "model TFLOP/s": 6 * work * rate / 1e12,
                "utilization": 6 * work * rate / peak if peak else None,
                "loss": taken["value"],
            }
        found.append(row)
    return found


def _on_cpu() -> list[Reading]:
    return [TINY, replace(TINY, recompute=True)]


def _on_gpu(options: argparse.Namespace) -> list[Reading]:
    """Each network with the largest batch that the arithmetic says fits, up to 512 images."""
    whole = torch.cuda.get_device_properties(0).total_memory
    found = []
    for name in options.networks or ("8gf", "32gf", "128gf", "256gf"):
        planned = plan(name, Head(), Crops())
        for recompute in (False, True):
            n = min(512, planned.images(whole, 1, recompute, spare=0.15) // 8 * 8)
            if n:
                found.append(
                    Reading(name, n, recompute=recompute, half=True, device="cuda", counted=False)
                )
    return found


def _peak_flops() -> float | None:
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return next((flops for known, flops in PEAKS.items() if known in name), None)


PARTS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "sizes": sizes,
    "gpus": gpus,
    "memory": memory,
    "runs": runs,
    "speed": speed,
}


def table(rows: Sequence[Row]) -> str:
    """Markdown, a line for each row."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in names if any(row.get(name) not in (None, "") for row in rows)]
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(row.get(name)) for name in names] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return "–" if value is None else str(value)


def main() -> None:
    """Parse the command line; measure the parts asked for, and keep the others as they were."""
    parser = argparse.ArgumentParser(description="SEER")
    parser.add_argument("--part", nargs="*", choices=PARTS, default=["sizes", "gpus"])
    parser.add_argument("--networks", nargs="*", help="names of RegNetYs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="of images, for runs")
    parser.add_argument("--size", type=int, default=16, help="of the images, for runs")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs are kept")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=32, help="6 for memory on a CPU")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = options.out / f"seer_{options.device}.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for part in options.part:
        rows = PARTS[part](options)
        found[part] = circumstances(_command(part, options))
        found[part]["rows"] = rows
        print(table(rows))
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")
    path.with_suffix(".md").write_text("\n".join(_section(*item) for item in found.items()))


def _command(part: str, options: argparse.Namespace) -> str:
    """The command without the paths of a machine."""
    words = [f"python benchmarks/seer.py --part {part}"]
    words += [f"--networks {' '.join(options.networks)}"] if options.networks else []
    words += [f"--device {options.device}"] if options.device != "cpu" else []
    if part in ("memory", "runs"):
        words.append(f"--batch {options.batch}")
    if part == "runs":
        words.append(f"--folder IMAGES --size {options.size} --epochs {options.epochs}")
    return " ".join(words)


def _section(part: str, found: dict[str, Any]) -> str:
    about = (
        f"{found['machine']}, {found['gpu'] or 'no GPU'}, {found['threads']} thread; torch "
        f"{found['versions']['torch']}; commit {found['commit']}, {found['date']}."
    )
    what = (PARTS[part].__doc__ or "").strip()
    return f"## {part}\n\n{what}\n\n`{found['command']}`\n\n{about}\n\n{table(found['rows'])}"


if __name__ == "__main__":
    main()
