"""Measure ebmlab beside its peers: one table, and a JSON with machine, versions and commit.

    python benchmarks/run.py [--device cpu|cuda] [--topic NAME …] [--quick] [--out FILE]

Peers that are installed are measured in the same process, in turns, each on one thread; absent
ones are said to be absent. `pip install "ebmlab[bench]"` brings them.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

# One thread for everyone, set before any of them is imported.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = (
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1 "
    + os.environ.get("XLA_FLAGS", "")
)

import torch
from measure import Row, circumstances, save, table

TOPICS = (
    "langevin",
    "compilation",
    "hmc",
    "nuts",
    "solvers",
    "posteriors",
    "sparse_coding",
    "nt_xent",
    "vae",
    "rbm",
    "house",
    "assignments",
    "exact",
    "views",
    "step_costs",
    "floors",
    "overhead",
)
# What a GPU is for, in fifteen minutes; `cuda.sh` has more.
CUDA = ("floors", "langevin", "nt_xent", "hmc", "assignments", "posteriors")


def main() -> None:
    """Parse the command line, measure, print, save."""
    parser = argparse.ArgumentParser(description="ebmlab beside its peers")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    told = "default: all, on a GPU " + ", ".join(CUDA)
    parser.add_argument("--topic", action="append", choices=TOPICS, help=told)
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run?")
    parser.add_argument("--out", type=Path, help="JSON file; the table goes beside it as .md")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device is here; take --device cpu")
    torch.set_num_threads(1)
    # A GPU's programs are compiled beside each other.
    if options.device == "cpu" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    about = circumstances(" ".join(["python", "benchmarks/run.py", *sys.argv[1:]]))
    print(f"absent peers: {', '.join(about['absent']) or 'none'}", flush=True)
    rows: list[Row] = []
    for topic in options.topic or (CUDA if options.device == "cuda" else TOPICS):
        found: list[Row] = []
        for row in importlib.import_module(topic).rows(options.device, options.quick):
            found.append(row)
            if options.out:
                save(options.out, about, rows + found)
        print(table(found), flush=True)
        rows += found


if __name__ == "__main__":
    main()
