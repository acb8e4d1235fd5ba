"""Every recipe and objective, trained on several ranks and on one: what is compared, and how."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext

import test_every_recipe_in_every_precision as recipes
import test_laws_shipped_objectives as laws
import torch
from dealt_support import COMMON, Dealt
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from ebmlab import methods
from ebmlab._randomness import fork
from ebmlab.energies import RBM, DeepBoltzmann, Ring
from ebmlab.negatives import Replay, replay
from ebmlab.networks import BatchNorm
from ebmlab.objectives import Contrastive
from ebmlab.protocols import Method
from ebmlab.samplers import MALA

# Its parts for two and four ranks, 22 and 11, are no other size of any case.
ROWS, STEPS = 44, 3


def encoder(outputs=4, inputs=recipes.DIM):
    """What recipes are built with: batch normalization in the backbone too."""
    return nn.Sequential(
        nn.Linear(inputs, 8), BatchNorm(8), nn.SiLU(), nn.Linear(8, outputs)
    )


def replayed():
    return Replay(laws.normal(60, 2, seed=9), MALA(0.1), steps=2, rebirth=0.5)


# Builders of the tables look their parts up when they are called.
recipes.f, recipes.N, laws.replay = encoder, ROWS, replayed
recipes.RECIPES["rbm"] = lambda: methods.rbm(RBM(6, 4), torch.ones(60, 6)), recipes.bits
recipes.RECIPES["deep_boltzmann"] = (
    lambda: methods.deep_boltzmann(DeepBoltzmann(6, 4, 3), torch.ones(60, 9)), recipes.bits
)


def common(rng):
    """What `shared` gives where all ranks have the same stream, and one process too."""
    generator = fork(rng)
    COMMON.add(generator)
    return generator


replay.shared = common


class WholeRing(Ring):
    """A density that draws by rejection: all ranks' points at once, of which each has its own."""

    def sample(self, n, rng):
        return Dealt.among_all(n, lambda count: super(WholeRing, self).sample(count, rng))


laws.Ring = WholeRing


def of_recipe(name: str) -> tuple:
    build, data = recipes.RECIPES[name]
    torch.manual_seed(0)
    return build(), *data(ROWS)


def of_objective(name: str) -> tuple:
    torch.manual_seed(0)
    objective, energy, x, y = laws.OBJECTIVES[name]()
    done = {}
    return Method(energy, objective), *(grown(tree, done) for tree in (x, y))


def of_negatives(name: str) -> tuple:
    torch.manual_seed(0)
    energy, x, y, negatives = laws.NEGATIVES[name]()
    done = {}
    objective = Contrastive(laws.LOSSES["InfoNCE"], negatives)
    return Method(energy, objective), *(grown(tree, done) for tree in (x, y))


def grown(tree, done: dict):
    """Some of the rows, with noise where they are no numbers of a kind; a view stays one tensor."""
    if isinstance(tree, tuple):
        return tuple(grown(leaf, done) for leaf in tree)
    if tree is None:
        return None
    if id(tree) not in done:
        rng = torch.Generator().manual_seed(len(done) + 1)
        # What belongs together stays so.
        rows = tree[(3 * torch.arange(ROWS)) % len(tree)]
        if rows.is_floating_point() and not bool((rows == rows.round()).all()):
            rows = rows + 0.3 * torch.randn(rows.shape, generator=rng)
        done[id(tree)] = rows
    return done[id(tree)]


CASES: dict[str, Callable[[], tuple]] = {
    **{name: lambda name=name: of_recipe(name) for name in recipes.RECIPES},
    **{name: lambda name=name: of_objective(name) for name in laws.OBJECTIVES},
    **{f"negatives: {name}": lambda name=name: of_negatives(name) for name in laws.NEGATIVES},
}


def cut(tree, rank: int, ranks: int, dtype: torch.dtype, done: dict):
    if isinstance(tree, tuple):
        return tuple(cut(leaf, rank, ranks, dtype, done) for leaf in tree)
    if tree is None:
        return None
    if id(tree) not in done:
        own = tree.chunk(ranks)[rank] if len(tree) == ROWS else tree
        done[id(tree)] = own.to(dtype) if own.is_floating_point() else own
    return done[id(tree)]


def whole(t: Tensor) -> Tensor:
    return (t.full_tensor() if isinstance(t, DTensor) else t).detach().clone()


def ddp(method: nn.Module) -> nn.Module:
    return DistributedDataParallel(method, broadcast_buffers=False, find_unused_parameters=True)


WRAPS = {"ddp": ddp, "shard": fully_shard, "none": lambda method: method}


def trained(name: str, rank: int = 0, ranks: int = 1, wrap: str = "none", dtype=torch.float64):
    """Losses of three steps with commits, gradients of each, and the state at the end."""
    method, x, y = CASES[name]()
    method, done = method.to(dtype), {}
    x, y = (cut(tree, rank, ranks, dtype, done) for tree in (x, y))
    if any(p.requires_grad for p in method.parameters()):
        model = WRAPS[wrap](method)
    else:
        model = method
    learned = [p for p in method.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, 0.01) if learned else None
    rng, found = torch.Generator().manual_seed(7), []
    dealt = Dealt(rank, ranks, ROWS // ranks) if ranks > 1 else nullcontext()
    with warnings.catch_warnings(action="ignore"), dealt:
        for _ in range(STEPS):
            loss = model(x, y, rng)
            found.append({"loss": whole(loss.value)})
            if optimizer is not None:
                optimizer.zero_grad()
                loss.value.backward()
                found[-1] |= {
                    n: whole(p.grad) for n, p in method.named_parameters() if p.grad is not None
                }
                optimizer.step()
            loss.commit()
    return found, {name: whole(t) for name, t in method.state_dict().items()}


def train_all(rank: int, ranks: int, names: list[str], wrap: str, dtype=torch.float64) -> dict:
    results = {}
    for name in names:
        try:
            results[name] = trained(name, rank, ranks, wrap, dtype)
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"
    return results


def distance(alone, parts) -> str | float:
    """The largest difference of losses, gradients and state, or what is wrong."""
    for part in parts:
        if isinstance(part, str):
            return part
    steps, state = alone
    worst, where = 0.0, "nowhere"

    def see(got: Tensor, due: Tensor, place: str) -> None:
        nonlocal worst, where
        if got.shape != due.shape:
            worst, where = float("inf"), f"{place} {tuple(got.shape)} {tuple(due.shape)}"
            return
        if not got.is_floating_point():
            gap = float((got != due).any())
        else:
            scale = max(1.0, float(due.abs().nan_to_num().max())) if due.numel() else 1.0
            gap = float((got - due).abs().max()) / scale if due.numel() else 0.0
            gap = gap if gap == gap else float("inf")
        if gap > worst:
            worst, where = gap, place

    for i, step in enumerate(steps):
        for key, due in step.items():
            got = [found[i].get(key, torch.zeros_like(due)) for found, _ in parts]
            if key == "loss":
                see(torch.stack(got).mean(0), due, f"loss of step {i}")
            else:
                for each in got:
                    see(each, due, f"gradient of {key}, step {i}")
    for _, own in parts:
        for key, due in state.items():
            see(own[key], due, f"state {key}")
    return (worst, where)
