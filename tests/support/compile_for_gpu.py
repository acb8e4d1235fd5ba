"""Compile a Triton kernel for an H100 or H200, which needs none; prints what it reads and writes.

Run in a process of its own, without the interpreter: `python compile_for_gpu.py JSON`, a list of
the arguments of `compiled`.
"""

import importlib
import json
import re
import sys
from collections import Counter

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, CompilationError

EVEN = ("chains", "dim", "half")


def compiled(module: str, kernel: str, types: dict, constants: dict, functions: dict) -> dict:
    """How often each kind of access to global and shared memory occurs in the PTX."""
    home = importlib.import_module(module)
    fixed = {**constants, **{name: getattr(home, value) for name, value in functions.items()}}
    # As at a launch of sizes that are multiples of 16, whose pointers are multiples of 16 bytes.
    aligned = [i for i, name in enumerate(types) if types[name][0] == "*" or name in EVEN]
    source = ASTSource(
        fn=getattr(home, kernel),
        signature={**types, **dict.fromkeys(fixed, "constexpr")},
        constexprs=fixed,
        attrs={(i,): [["tt.divisibility", 16]] for i in aligned},
    )
    options = {"enable_fp_fusion": False}
    program = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    ptx = program.asm["ptx"]
    found = re.findall(r"(?:ld|st)\.(?:global|shared)[.\w]*|bar\.sync|fma\.rn\.f32", ptx)
    return Counter(found) | {"shared memory": program.metadata.shared}


def attempted(request: dict) -> dict | str:
    """What came of it: the counts, or the compiler's complaint."""
    try:
        return compiled(**request)
    except CompilationError as fault:
        return f"CompilationError: {fault}"


if __name__ == "__main__":
    requests = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps([attempted(request) for request in requests]))
