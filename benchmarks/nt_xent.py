"""NT-Xent without the matrix of logits against lightly's: seconds, peak memory, gradients.

One step is the loss of two batches of codes and its gradient in both; memory is what a step adds
to the resident set of the process at its peak (Linux; on CUDA, what the allocator adds).
"""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from lightly_losses import available
from measure import Row, compared, race
from torch import Tensor

from ebmlab.energies import Cosine
from ebmlab.losses import InfoNCE
from ebmlab.negatives import InBatch
from ebmlab.objectives import Contrastive, NTXent

TEMPERATURE, DIM = 0.5, 128

Step = Callable[[], tuple[Tensor, Tensor]]


def rows(device: str, quick: bool) -> Iterator[Row]:
    """Batches of 1,024 and 8,192 pairs."""
    for batch in (256,) if quick else (1024, 8192):
        rng = torch.Generator(device).manual_seed(batch)
        codes = torch.randn(2, batch, DIM, generator=rng, device=device).requires_grad_()
        contenders = {"NTXent": _objective(NTXent(TEMPERATURE), codes)}
        if batch <= 1024:
            matrix = Contrastive(InfoNCE(TEMPERATURE), InBatch(both=True))
            contenders["Contrastive"] = _objective(matrix, codes)
        if available():
            contenders["lightly"] = _lightly(codes)
        yield from _measured(batch, device, contenders)


def _objective(objective: torch.nn.Module, codes: Tensor) -> Step:
    def step() -> tuple[Tensor, Tensor]:
        loss = objective(Cosine(), codes, codes, None)
        return loss.value.detach(), torch.autograd.grad(loss.value, codes)[0]

    return step


def _lightly(codes: Tensor) -> Step:
    from lightly.loss import NTXentLoss

    judge = NTXentLoss(TEMPERATURE)

    def step() -> tuple[Tensor, Tensor]:
        loss = judge(codes[0], codes[1])
        return loss.detach(), torch.autograd.grad(loss, codes)[0]

    return step


def _measured(batch: int, device: str, contenders: dict[str, Step]) -> Iterator[Row]:
    memory = {name: _peak(step, device) for name, step in contenders.items()}
    times = race(contenders, device, turns=3)
    value, grad = times["NTXent"].result
    for row in compared("nt_xent", f"{batch} pairs, d = {DIM}", "NTXent", times):
        note = f"{memory['NTXent'] / 2**20:.0f} MiB"
        if row.peer:
            other, slope = times[row.peer].result
            share = float((grad - slope).abs().max() / slope.abs().max())
            note = (
                f"{memory['NTXent'] / 2**20:.0f} against {memory[row.peer] / 2**20:.0f} MiB "
                f"({memory[row.peer] / memory['NTXent']:.0f} times); values differ by "
                f"{float((value - other).abs()):.1e}, gradients by {share:.1e} of the largest"
            )
        yield replace(row, note=note)


def _peak(step: Step, device: str) -> float:
    """Bytes that the first step adds at its peak."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    # What earlier steps freed goes back to the system; writing 5 sets the peak to what is left.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    step()
    return max(_resident("VmHWM") - before, 1)


def _resident(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith(field))
