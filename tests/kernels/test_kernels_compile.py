"""Triton's compiler takes every kernel, for a GPU that need not be there.

The interpreter runs what the compiler may refuse, so this is checked on its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

DATA, NUMBER = "*fp32", "fp32"

NUMBERS = {"step_size": "*fp64", "temperature": NUMBER, "bound": NUMBER}
FLAGS = {"HELD": True, "WARM": False, "CLAMP": True}
LANGEVIN = {
    "module": "ebmlab.kernels.update_triton",
    "kernel": "_langevin",
    "types": {"y": DATA, "grad": DATA, "seed": "*i64", "out": DATA}
    | dict.fromkeys(["chains", "dim", "half"], "i32")
    | NUMBERS,
    "constants": FLAGS | {"SIDE": False, "ROWS": 8, "PLACES": 64},
    "functions": {},
}
CHAIN = {
    "module": "ebmlab.kernels.chain_triton",
    "kernel": "_chain",
    "types": {"y": DATA, "seeds": "*i64", "packed": DATA, "out": DATA}
    | dict.fromkeys(["chains", "dim", "row", "column", "steps"], "i32")
    | NUMBERS,
    "constants": FLAGS | {"COUNT": 3, "DIM": 2, "ROWS": 256},
    "functions": {"SLOPE": "mixture"},
}
NETWORK = {
    **CHAIN,
    "constants": FLAGS | {"COUNT": 16, "DIM": 2, "ROWS": 16},
    "functions": {"SLOPE": "network"},
}


def compiled(requests: list[dict], cache: Path) -> list:
    """How often each access to memory occurs in each program."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(cache)}
    environment.pop("TRITON_INTERPRET", None)
    script = Path(__file__).parents[1] / "support" / "compile_for_gpu.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", script, json.dumps(requests)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_kernel_compiles_and_an_update_moves_12_bytes_per_element(tmp_path):
    wrong = {**LANGEVIN, "types": {**LANGEVIN["types"], "temperature": DATA}}
    update, chain, network, refused = compiled([LANGEVIN, CHAIN, NETWORK, wrong], tmp_path)
    # A thread's eight elements: y and its gradient in, y out, each access one of 16 bytes.
    assert update["ld.global.v4.b32"] == 4
    assert update["st.global.v4.b32"] == 2
    # The two coordinates of a thread's two chains are written once, when the chain ends, and on
    # the way nothing goes through shared memory.
    assert chain["st.global.b32"] == 4
    assert "bar.sync" not in chain
    assert chain["shared memory"] == 0
    # Products are in single precision, not in that of the matrix units.
    assert network["fma.rn.f32"] > 0
    assert "CompilationError" in refused


@pytest.mark.slow
def test_the_widest_kernels_fit_into_shared_memory(tmp_path):
    network = {**NETWORK, "constants": FLAGS | {"COUNT": 128, "DIM": 2, "ROWS": 16}}
    gaussian = {
        **CHAIN,
        "constants": FLAGS | {"COUNT": 1, "DIM": 128, "ROWS": 16},
        "functions": {"SLOPE": "gaussian"},
    }
    for program in compiled([network, gaussian], tmp_path):
        assert program["shared memory"] < 227 * 1024
