"""Activation checkpointing: blocks of a network that are run again in the backward pass."""

from collections.abc import Iterable
from contextlib import nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ebmlab._kinds import require_a
from ebmlab.errors import ConfigurationError

__all__ = ["Recomputable", "recomputed"]


class Recomputable(nn.Module):
    """A block of a network, large enough that `recomputed` takes it by itself."""


def recomputed(module: nn.Module, blocks: Iterable[nn.Module] | None = None) -> nn.Module:
    """Keep of each block only what enters it, and run it again in the backward pass.

    Activations inside the blocks are freed, all but those of the one block that is run again. In
    place, without a change of names in `state_dict`. A block is run again as it was: with the
    random numbers that it drew, and with the buffers that it had, so that its gradients are the
    same and statistics of batch normalization move once. Gradients of gradients pass, at the
    full memory; without gradients nothing changes.

    Args:
        module: a network, or a `Method` with networks in it.
        blocks: the modules to run again, parts of `module`; None takes the blocks of this
            library's residual networks and transformers, and where there are none the innermost
            parts of each `nn.Sequential` that hold layers of their own.

    Returns:
        The module itself.

    Raises:
        ConfigurationError: there are no such blocks, or a block is not a part of the module.

    Example:
        >>> from ebmlab.networks import ResNet
        >>> f = recomputed(ResNet(18, small=True, width=4))
        >>> f(torch.randn(2, 3, 8, 8)).sum().backward()
        >>> int(f.get_buffer("stages.0.0.branch.1.num_batches_tracked"))
        1

    Source: Chen, Xu, Zhang, Guestrin 2016, arXiv:1604.06174.
    """
    require_a(nn.Module, "module", module, "a network, or Method(energy, objective)")
    chosen = _blocks_of(module) if blocks is None else _parts_of(module, blocks)
    if not chosen:
        raise ConfigurationError(
            f"{type(module).__name__} has no blocks to run again, neither those of ResNet, "
            "RegNetY, ViT or Transformer, nor parts of nn.Sequential with layers of their own; "
            "pass blocks=, such as [m for m in network.modules() if isinstance(m, MyBlock)]"
        )
    for block in chosen:
        if not isinstance(block, _Recomputed):
            # As `fully_shard` does it: hooks, names and copies stay as they are.
            block.__class__ = _recomputing(type(block))
    return module


def _parts_of(module: nn.Module, blocks: Iterable[nn.Module]) -> list[nn.Module]:
    own, chosen = set(module.modules()), list(blocks)
    for block in chosen:
        if require_a(nn.Module, "a block", block, "a part of the module") not in own:
            raise ConfigurationError(
                f"a block, {type(block).__name__}, is not a part of {type(module).__name__}"
            )
    return chosen


def _blocks_of(module: nn.Module) -> list[nn.Module]:
    ours: list[nn.Module] = [p for p in module.modules() if isinstance(p, Recomputable)]
    if ours:
        return ours
    sequences = [part for part in module.modules() if isinstance(part, nn.Sequential)]
    # A single layer keeps what enters it either way.
    found = dict.fromkeys(
        part for sequence in sequences for part in sequence if any(True for _ in part.children())
    )
    return [part for part in found if not any(p in found for p in part.modules() if p is not part)]


class _Recomputed(nn.Module):
    """What the class of a block derives from, before its own."""

    def forward(self, *inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return super().forward(*inputs, **named)
        if torch.compiler.is_compiling():
            # The compiler's graphs have no state: what is run again in them moves nothing.
            return checkpoint(super().forward, *inputs, use_reentrant=False, **named)
        generators = [v for v in (*inputs, *named.values()) if isinstance(v, torch.Generator)]
        again = _AsItWas(self, generators)
        return checkpoint(
            super().forward,
            *inputs,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), again),
            **named,
        )


@cache
def _recomputing(kind: type[nn.Module]) -> type[nn.Module]:
    return type(f"Recomputed{kind.__name__.lstrip('_')}", (_Recomputed, kind), {})


class _AsItWas:
    """A context in which a block has the buffers, and generators the states, of now.

    It is entered again where gradients have gradients, each time with fresh copies: the block
    may move them.
    """

    def __init__(self, block: nn.Module, generators: Iterable[torch.Generator]) -> None:
        self._held = [(part._buffers, name) for part in block.modules() for name in part._buffers]
        self._buffers = [_copy(buffers[name]) for buffers, name in self._held]
        self._states = [(rng, rng.get_state()) for rng in generators]

    def __enter__(self) -> None:
        self._present = [buffers[name] for buffers, name in self._held]
        self._after = [(rng, rng.get_state()) for rng, _ in self._states]
        self._put([_copy(buffer) for buffer in self._buffers], self._states)

    def __exit__(self, *_: object) -> None:
        self._put(self._present, self._after)

    def _put(
        self, found: list[Tensor | None], states: list[tuple[torch.Generator, Tensor]]
    ) -> None:
        for (buffers, name), buffer in zip(self._held, found, strict=True):
            buffers[name] = buffer
        for rng, state in states:
            rng.set_state(state)


def _copy(buffer: Tensor | None) -> Tensor | None:
    return None if buffer is None else buffer.detach().clone()
