"""What a network of SEER's costs: parameters, multiplications, activations; by counting, on meta.

Nothing is computed: tensors on the meta device have shapes and no memory. Bytes of activations are
those that autograd keeps for the backward pass, each memory once, parameters and buffers apart, as
`torch.autograd.graph.saved_tensors_hooks` sees them; on a CPU the same count is of real tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from ebmlab import methods
from ebmlab.networks import recomputed, regnety
from ebmlab.networks.recomputed import Recomputable
from ebmlab.protocols import Method

GB = 1e9


@dataclass(frozen=True)
class Head:
    """Sizes of SEER's head: hidden layers, codes, prototypes."""

    hidden: int = 8192
    projection: int = 256
    prototypes: int = 16_000


@dataclass(frozen=True)
class Crops:
    """How many views of which sizes."""

    large: int = 160
    small: int = 96
    count: int = 4

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of all views of an image."""
        return (self.large, self.large, *(self.small,) * self.count)


def built(name: str, head: Head, channels: int = 3) -> Method:
    """SEER of a RegNetY, on the device that is set."""
    network = regnety(name, channels)
    sizes = {"hidden": head.hidden, "projection": head.projection, "prototypes": head.prototypes}
    return methods.seer(network, network.dim, frozen_steps=0, x_ndim=3, **sizes)


def parameters(name: str, head: Head) -> dict[str, int]:
    """Exact numbers of parameters: of the backbone, of the head, of the prototypes."""
    with torch.device("meta"):
        method = built(name, head)
    assert method.encoder is not None
    whole, backbone = _count(method), _count(method.encoder)
    prototypes = head.projection * head.prototypes
    return {
        "backbone": backbone,
        "head": whole - backbone - prototypes,
        "prototypes": prototypes,
        "all": whole,
    }


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def macs(name: str, size: int, channels: int = 3) -> int:
    """Multiplications with additions of one image of this size, forward through the backbone."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        regnety(name, channels).eval()(torch.empty(1, channels, size, size))
    return counter.get_total_flops() // 2


def kept(module: nn.Module, call: Callable[[], Any]) -> int:
    """Bytes that autograd keeps of a call, beside the module's own tensors."""
    own = {t.untyped_storage()._cdata for t in (*module.parameters(), *module.buffers())}
    held: dict[int, int] = {}
    alive = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            held[storage._cdata] = storage.nbytes()
            alive.append(storage)
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        out = call()
    del out
    return sum(held.values())


@dataclass(frozen=True)
class Activations:
    """Bytes for each image of one crop: kept by all, kept between blocks, of the largest block."""

    whole: float
    between: float
    block: float


def activations(name: str, size: int, channels: int = 3) -> Activations:
    """Bytes in single precision, the slope between batches of two and of four images."""
    with torch.device("meta"):
        plain, again = regnety(name, channels), recomputed(regnety(name, channels))

        def of(module: nn.Module) -> float:
            counts = [
                kept(module, lambda n=n: module(torch.empty(n, channels, size, size)))
                for n in (2, 4)
            ]
            return (counts[1] - counts[0]) / 2

        return Activations(of(plain), of(again), _largest(plain, channels, size))


def _largest(network: nn.Module, channels: int, size: int) -> float:
    entered: list[tuple[nn.Module, Tensor]] = []
    blocks = [part for part in network.modules() if isinstance(part, Recomputable)]
    handles = [
        part.register_forward_pre_hook(lambda part, inputs: entered.append((part, inputs[0])))
        for part in blocks
    ]
    with torch.no_grad():
        network(torch.empty(2, channels, size, size))
    for handle in handles:
        handle.remove()

    def of(part: nn.Module, h: Tensor) -> float:
        counts = [
            kept(part, lambda n=n: part(h[:1].expand(n, -1, -1, -1).clone().requires_grad_()))
            for n in (2, 4)
        ]
        return (counts[1] - counts[0]) / 2

    return max(of(part, h) for part, h in entered)


@dataclass(frozen=True)
class Plan:
    """Memory of a step on one GPU, in bytes.

    Weights, gradients and momentum are in single precision, and weights once more in the
    precision of the products. Sharded, each GPU holds its share of them, and in addition the
    whole of the largest block of weights and of its gradient, twice: the next one is fetched
    meanwhile.
    """

    parameters: int
    largest: int
    crops: dict[int, tuple[int, Activations]]
    half: bool = True

    def states(self, gpus: int) -> float:
        """Of weights, gradients, momentum, on each of so many GPUs; 1 is not sharded."""
        width = 2 if self.half else 4
        copies = width * self.parameters if self.half else 0
        if gpus == 1:
            return 12 * self.parameters + copies
        return 12 * self.parameters / gpus + 2 * (width + 4) * self.largest

    def image(self, recompute: bool) -> float:
        """Of each image in the batch of a GPU."""
        scale = 0.5 if self.half else 1.0
        parts = self.crops.values()
        if not recompute:
            return scale * sum(count * a.whole for count, a in parts)
        # The crops are run again one view after the other.
        return scale * (sum(n * a.between for n, a in parts) + max(a.block for _, a in parts))

    def images(self, memory: float, gpus: int, recompute: bool, spare: float = 0.1) -> int:
        """How many images fit on each GPU, a share of whose memory is left for all else."""
        return max(0, int(((1 - spare) * memory - self.states(gpus)) / self.image(recompute)))


def plan(name: str, head: Head, crops: Crops, half: bool = True) -> Plan:
    """The plan of a network with SEER's head."""
    with torch.device("meta"):
        network = regnety(name)
    largest = max(_count(part) for part in network.modules() if isinstance(part, Recomputable))
    counts = {size: crops.sizes.count(size) for size in dict.fromkeys(crops.sizes)}
    found = {size: (n, activations(name, size)) for size, n in counts.items()}
    return Plan(parameters(name, head)["all"], largest, found, half)


def gpus_for(plan: Plan, batch: int, memory: float, shard: bool, recompute: bool) -> int | None:
    """The fewest GPUs of this memory that hold a batch; None where not even one image fits."""
    if not shard:
        each = plan.images(memory, 1, recompute)
        return -(-batch // each) if each else None
    gpus = 2
    while gpus <= batch:
        if plan.images(memory, gpus, recompute) * gpus >= batch:
            return gpus
        gpus += 1
    return None
