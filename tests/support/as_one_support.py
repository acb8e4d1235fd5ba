"""Every recipe and every objective, trained on some ranks or on one, and how far apart."""

import importlib.util
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from unittest import mock

import torch
from dealt_support import COMMON, Dealt
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ebmlab import FunctionEnergy, methods, objectives
from ebmlab._randomness import fork
from ebmlab.energies import RBM, DeepBoltzmann, Ring
from ebmlab.errors import ShapeError
from ebmlab.negatives import Replay, replay
from ebmlab.networks import BatchNorm, ConvEncoder, RegNetY
from ebmlab.objectives import Contrastive
from ebmlab.protocols import Method
from ebmlab.samplers import MALA

# Its parts for two and four ranks, 22 and 11, are no other size of any case.
ROWS, STEPS = 44, 3
# A ratio of probabilities has steep slopes at first.
RATES = {"ConcreteScore": 1e-7}


def copied(place: str) -> ModuleType:
    """A table of tests, which may be changed here and stays as it is there."""
    path = Path(__file__).parent.parent / place
    spec = importlib.util.spec_from_file_location(f"of_ranks_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recipes = copied("methods/test_every_recipe_in_every_precision.py")
laws = copied("laws/test_laws_shipped_objectives.py")


class WholeRing(Ring):
    """A density that draws by rejection: all ranks' points at once, of which each has its own."""

    def sample(self, n, rng):
        return Dealt.among_all(n, lambda count: super(WholeRing, self).sample(count, rng))


def normalized(outputs=4, inputs=recipes.DIM):
    """What recipes are built with: batch normalization in the backbone too."""
    return nn.Sequential(nn.Linear(inputs, 8), BatchNorm(8), nn.SiLU(), nn.Linear(8, outputs))


def chains():
    return Replay(laws.normal(60, 2, seed=9), MALA(0.1), steps=2, rebirth=0.5)


# Builders of the tables look their parts up when they are called; pools hold a batch.
recipes.f, recipes.N = normalized, ROWS
laws.replay, laws.Ring = chains, WholeRing
recipes.RECIPES["rbm"] = lambda: methods.rbm(RBM(6, 4), torch.ones(60, 6)), recipes.bits
recipes.RECIPES["deep_boltzmann"] = (
    lambda: methods.deep_boltzmann(DeepBoltzmann(6, 4, 3), torch.ones(60, 9)),
    recipes.bits,
)


def of_recipe(name: str) -> tuple:
    build, data = recipes.RECIPES[name]
    return build(), *data(ROWS)


def of_objective(name: str) -> tuple:
    objective, energy, x, y = laws.OBJECTIVES[name]()
    done = {}
    return Method(energy, objective), *(grown(tree, done) for tree in (x, y))


def of_negatives(name: str) -> tuple:
    energy, x, y, negatives = laws.NEGATIVES[name]()
    done = {}
    objective = Contrastive(laws.LOSSES["InfoNCE"], negatives)
    return Method(energy, objective), *(grown(tree, done) for tree in (x, y))


def of_scores(objective) -> tuple:
    """Slopes of an energy that couples a batch, and their slopes."""
    energy = FunctionEnergy(nn.Sequential(normalized(1, 2), nn.Flatten(0)))
    return Method(energy, objective), None, recipes.normal(ROWS, 2)


def of_images(encoder: nn.Module, dim: int) -> tuple:
    views = recipes.normal(2, ROWS, 1, 8, 8).unbind(0)
    return methods.vicreg(encoder, dim, x_ndim=3), views, views


def grown(tree, done: dict):
    """As many rows, alike where they are of a kind, noisy otherwise; a view stays one tensor."""
    if isinstance(tree, tuple):
        return tuple(grown(leaf, done) for leaf in tree)
    if tree is None:
        return None
    if id(tree) not in done:
        rng = torch.Generator().manual_seed(len(done) + 1)
        # Rows that belong together stay so.
        rows = tree[(3 * torch.arange(ROWS)) % len(tree)]
        if rows.is_floating_point() and not bool((rows == rows.round()).all()):
            rows = rows + 0.3 * torch.randn(rows.shape, generator=rng)
        done[id(tree)] = rows
    return done[id(tree)]


CASES: dict[str, Callable[[], tuple]] = {
    **{name: lambda name=name: of_recipe(name) for name in recipes.RECIPES},
    **{name: lambda name=name: of_objective(name) for name in laws.OBJECTIVES},
    **{f"negatives: {name}": lambda name=name: of_negatives(name) for name in laws.NEGATIVES},
    "ExactScore, normalized": lambda: of_scores(objectives.ExactScore()),
    "SlicedScore, normalized": lambda: of_scores(objectives.SlicedScore()),
    "DenoisingScore, normalized": lambda: of_scores(objectives.DenoisingScore(0.3)),
    "ConvEncoder": lambda: of_images(ConvEncoder(1, 2), 8),
    "RegNetY": lambda: of_images(RegNetY(2, 8, 8.0, 2.0, 8, channels=1), 16),
}


def cut(tree, rows: Callable[[Tensor], Tensor], dtype: torch.dtype, done: dict):
    """What has the batch is cut; a view that is in x and y stays one tensor."""
    if isinstance(tree, tuple):
        return tuple(cut(leaf, rows, dtype, done) for leaf in tree)
    if tree is None:
        return None
    if id(tree) not in done:
        own = rows(tree) if len(tree) == ROWS else tree
        done[id(tree)] = own.to(dtype) if own.is_floating_point() else own
    return done[id(tree)]


def case(name: str, rows: Callable[[Tensor], Tensor], dtype: torch.dtype) -> tuple:
    torch.manual_seed(0)
    method, *data = CASES[name]()
    done = {}
    return method.to(dtype), *(cut(tree, rows, dtype, done) for tree in data)


def common(rng: torch.Generator) -> torch.Generator:
    """What `shared` gives where all ranks hand in the same stream, and so does one process."""
    generator = fork(rng)
    COMMON.add(generator)
    return generator


def ddp(method: nn.Module) -> nn.Module:
    return DistributedDataParallel(method, broadcast_buffers=False, find_unused_parameters=True)


def shard(method: nn.Module) -> nn.Module:
    # It takes a second to import, and ranks alone need it.
    from torch.distributed.fsdp import fully_shard

    return fully_shard(method)


WRAPS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "ddp": ddp,
    "shard": shard,
    "alone": lambda method: method,
}


def whole(t: Tensor) -> Tensor:
    """A share of a tensor, or what is no share, as the whole tensor."""
    return getattr(t, "full_tensor", lambda: t)().detach().clone()


def trained(name: str, rank: int = 0, ranks: int = 1, wrap: str = "alone", dtype=torch.float64):
    """Losses and gradients of three steps with commits, in training mode, and the last state."""
    method, x, y = case(name, lambda t: t.chunk(ranks)[rank], dtype)
    learned = [p for p in method.parameters() if p.requires_grad]
    dealt = Dealt(rank, ranks, ROWS // ranks) if ranks > 1 else nullcontext()
    rng, found = torch.Generator().manual_seed(7), []
    with (
        warnings.catch_warnings(action="ignore"),
        mock.patch.object(replay, "shared", common),
        dealt,
    ):
        model = WRAPS[wrap](method) if learned else method
        learned = [p for p in method.parameters() if p.requires_grad]
        for _ in range(STEPS):
            loss = model(x, y, rng)
            step = {"loss": whole(loss.value)}
            if learned:
                optimizer = torch.optim.SGD(learned, RATES.get(name, 0.01))
                optimizer.zero_grad()
                loss.value.backward()
                named = method.named_parameters()
                step |= {n: whole(p.grad) for n, p in named if p.grad is not None}
                optimizer.step()
            found.append(step)
            loss.commit()
    return found, {n: whole(t) for n, t in method.state_dict().items()}


def train_all(rank: int, ranks: int, names: list[str], wrap: str, dtype=torch.float64) -> dict:
    """What is trained, or the error of what cannot be, by name."""
    found = {}
    for name in names:
        try:
            found[name] = trained(name, rank, ranks, wrap, dtype)
        except (RuntimeError, ValueError) as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


def refused(rank: int, name: str) -> str:
    """What a rank says to batches of 22 rows here, and 21 there."""
    method, x, y = case(name, lambda t: t[: 22 - rank], torch.float32)
    try:
        method(x, y, torch.Generator().manual_seed(7))
    except ShapeError as error:
        return str(error)
    return "taken"


def farthest(alone: tuple, parts: list[tuple]) -> tuple[float, str]:
    """The largest distance of losses' mean, gradients and state from one process's, and where.

    In the units of a tensor's largest entry, where that is above 1.
    """
    steps, state = alone
    seen: list[tuple[float, str]] = []
    for i, step in enumerate(steps):
        losses = torch.stack([found[i]["loss"] for found, _ in parts])
        seen.append((_gap(losses.mean(), step["loss"]), f"loss, step {i}"))
        for found, _ in parts:
            assert set(found[i]) >= set(step)
            gaps = [
                (_gap(found[i][key], step.get(key)), f"slope of {key}, step {i}")
                for key in found[i]
                if key != "loss"
            ]
            seen += gaps
    for _, own in parts:
        assert set(own) == set(state)
        seen += [(_gap(own[key], due), key) for key, due in state.items()]
    return max(seen)


def _gap(got: Tensor, due: Tensor | None) -> float:
    due = torch.zeros_like(got) if due is None else due
    if not due.is_floating_point():
        return float(not torch.equal(got, due))
    assert got.shape == due.shape
    gap = (got - due).abs() / due.abs().amax().clamp(min=1) if due.numel() else due
    return float(torch.where(gap.isnan(), torch.inf, gap).max()) if gap.numel() else 0.0
