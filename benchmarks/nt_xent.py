"""NT-Xent without the matrix of logits against lightly's: seconds, peak memory, gradients.

One step is the loss of two batches of codes and its gradient in both; memory is what a step adds
to the resident set of the process at its peak (Linux; on CUDA, what the allocator adds). On CUDA
also InfoNCE of 65,536 pairs, whose matrix of logits alone would take 17 GB.
"""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from lightly_losses import available
from measure import Row, compared, race
from torch import Tensor, nn

from ebmlab.energies import Cosine, JointEmbedding
from ebmlab.losses import InfoNCE
from ebmlab.negatives import InBatch
from ebmlab.objectives import Contrastive, NTXent

TEMPERATURE, DIM, WIDE = 0.5, 128, 256

Step = Callable[[], tuple[Tensor, Tensor]]


def rows(device: str, quick: bool) -> Iterator[Row]:
    """Batches of 1,024 and 8,192 pairs."""
    for batch in (256,) if quick else (1024, 8192):
        codes = _codes(batch, DIM, device)
        contenders = {"NTXent": _objective(NTXent(TEMPERATURE), codes)}
        if batch <= 1024:
            matrix = Contrastive(InfoNCE(TEMPERATURE), InBatch(both=True))
            contenders["Contrastive"] = _objective(matrix, codes)
        if available():
            contenders["lightly"] = _lightly(codes)
        yield from _measured(f"{batch} pairs, d = {DIM}", device, contenders)
    if device != "cpu" or quick:
        batch = 256 if quick else 65_536
        codes = _codes(batch, WIDE, device)
        step = _objective(NTXent(TEMPERATURE, both=False), codes, one_way=True)
        contenders = {"NTXent": step, "ebmlab in TF32": _rounded(step)}
        yield from _measured(f"InfoNCE, {batch} pairs, d = {WIDE}", device, contenders)


def _codes(batch: int, dim: int, device: str) -> Tensor:
    rng = torch.Generator(device).manual_seed(batch)
    return torch.randn(2, batch, dim, generator=rng, device=device).requires_grad_()


def _rounded(step: Step) -> Step:
    """The same with products of numbers that are rounded to TF32, where a device does that."""

    def rounded() -> tuple[Tensor, Tensor]:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        try:
            return step()
        finally:
            torch.set_float32_matmul_precision(before)

    return rounded


def _objective(objective: nn.Module, codes: Tensor, *, one_way: bool = False) -> Step:
    """Codes as two views of one datum, both ways; or as x and y."""
    energy = Cosine() if one_way else JointEmbedding(nn.Identity(), nn.Identity(), Cosine())

    def step() -> tuple[Tensor, Tensor]:
        views = codes.unbind()
        x, y = views if one_way else (views, views)
        loss = objective(energy, x, y, None)
        return loss.value.detach(), torch.autograd.grad(loss.value, codes)[0]

    return step


def _lightly(codes: Tensor) -> Step:
    from lightly.loss import NTXentLoss

    judge = NTXentLoss(TEMPERATURE)

    def step() -> tuple[Tensor, Tensor]:
        loss = judge(codes[0], codes[1])
        return loss.detach(), torch.autograd.grad(loss, codes)[0]

    return step


def _measured(case: str, device: str, contenders: dict[str, Step]) -> Iterator[Row]:
    memory = {name: _peak(step, device) for name, step in contenders.items()}
    times = race(contenders, device, turns=3)
    value, grad = times["NTXent"].result
    for row in compared("nt_xent", case, "NTXent", times):
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
