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

LANGEVIN = {
    "module": "ebmlab.kernels.update_triton",
    "kernel": "_langevin",
    "types": dict.fromkeys(["y", "grad"], DATA)
    | {"seed": "*i64", "out": DATA, "count": "i32"}
    | dict.fromkeys(["step_size", "size", "bound"], NUMBER)
    | {"offset": "i32"},
    "constants": {"CLAMP": True, "BLOCK": 128},
    "functions": {},
}

LEAPFROG = {
    "module": "ebmlab.kernels.update_triton",
    "kernel": "_kick_drift",
    "types": dict.fromkeys(["y", "r", "grad"], DATA)
    | {"seed": "*i64", "y_out": DATA, "r_out": DATA, "count": "i32"}
    | {"step_size": NUMBER, "offset": "i64"},
    "constants": {"REFRESH": True, "BLOCK": 128},
    "functions": {},
}

CHAIN = {
    "module": "ebmlab.kernels.chain_triton",
    "kernel": "_chain",
    "types": {"y": DATA, "seed": "*i64", "packed": DATA, "out": DATA}
    | dict.fromkeys(["count", "steps", "first"], "i32")
    | {"step_size": NUMBER, "size": NUMBER},
    "constants": {"COUNT": 3, "BLOCK": 128},
    "functions": {"SLOPE": "mixture"},
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
    wrong = {**LANGEVIN, "types": {**LANGEVIN["types"], "step_size": DATA}}
    *programs, refused = compiled([LANGEVIN, LEAPFROG, CHAIN, wrong], tmp_path)
    update, leapfrog, chain = programs
    # A thread's four elements: y and its gradient in, y out, each in one access of 16 bytes.
    assert update["ld.global.v4.b32"] == 2
    assert update["st.global.v4.b32"] == 1
    assert leapfrog["ld.global.v4.b32"] == 2
    assert leapfrog["st.global.v4.b32"] == 2
    for counted in programs:
        # The noise is made where it is used: nothing goes through shared memory.
        assert not [name for name in counted if "shared" in name or name == "bar.sync"]
    # A chain is written once, when it ends.
    assert chain["st.global.b32"] == 2
    assert "CompilationError" in refused
