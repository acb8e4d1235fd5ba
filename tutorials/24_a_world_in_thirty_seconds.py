# %% [markdown]
# # A world in thirty seconds
#
# **Question: films show a digit that somebody moves, and nobody says how. Can an energy find out
# what was done, and then do it: bring a digit to where a picture shows it?**

# %% The data first: films of digits on a canvas whose edges meet, one of five moves between frames
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import ebmlab
from ebmlab import Method, data, methods, plot, prediction
from ebmlab.data.worlds import MovingDigits
from ebmlab.networks import MLP, Conditional, Operators
from ebmlab.training import Stepping

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
MOVES, STEPS, N = ["left", "right", "up", "down", "stay"], 4, 300
rng = torch.Generator().manual_seed(0)
digits = data.digits()[0]
world, new = MovingDigits(digits[:1500], 12), MovingDigits(digits[1500:], 12)
films, test = world.clips(20_000, 5, rng), new.clips(N, 1 + STEPS, rng)
captions = [MOVES[a] for film in test.actions[:3] for a in film]
captions = [c for i in range(3) for c in ["", *captions[STEPS * i : STEPS * (i + 1)]]]
ax = plot.images(test.frames[:3].flatten(0, 1), 1 + STEPS, captions=captions)
ax.figure.savefig(FIGURES / "24_films.png")

# %% [markdown]
# | | formula | in code |
# |---|---|---|
# | energy | E = ‖p(f(x_t), z) - f(x_{t+1})‖², p(h, z) = Σ_k z_k (A_k h + b_k) | `Operators` |
# | z | F = -T log mean_k exp(-E_k / T), one of five; nobody names them | `Enumerate` |
# | objective | mean F + VICReg of all codes | `world_model` |
# | what was done | argmin_z E(x_t, x_{t+1}, z) | `prediction.inverse` |
# | what to do | argmin of E(x_3, goal, z_4) over z_1 … z_4, x_t = p(x_{t-1}, z_t) | `plan` |


# %%
def trained(predictor: nn.Module) -> tuple[Method, float]:
    torch.manual_seed(0)
    f, began = nn.Sequential(nn.Flatten(), MLP(144, 32, (128, 128))), time.process_time()
    method = methods.world_model(f, 32, 5, predictor=predictor)
    ebmlab.fit(
        method,
        films.pairs(),
        steps=800,
        batch_size=128,
        lr=3e-3,
        stepping=Stepping(schedule=ebmlab.training.falling_cosine),
    )
    return method.eval(), time.process_time() - began


def table(method: Method, frames: Tensor, actions: Tensor) -> Tensor:
    z = prediction.inverse(method, frames).argmax(-1)
    counts = torch.zeros(5, 5)
    return counts.index_put((z, actions), torch.ones(z.shape), accumulate=True)


def judged(method: Method) -> dict[str, float]:
    """Each z gets the name of the action it goes with most often in 50 films of the training."""
    names = table(method, films.frames[:50], films.actions[:50]).argmax(1)
    joint = table(method, test.frames, test.actions) / test.actions.numel()
    apart = joint.sum(1, keepdim=True) * joint.sum(0)
    right = names[prediction.inverse(method, test.frames).argmax(-1)] == test.actions
    way = prediction.plan(method, test.frames[:, 0], goal, prediction.Exhaustive(), STEPS)
    end = new.render(done(names[way.z.argmax(-1)])[:, -1])
    return {
        "I(z; action)": float((joint * (joint / apart).clamp(min=1e-9).log()).sum()),
        "action named": float(right.float().mean()),
        "goal reached": float(same(end, goal).float().mean()),
    }


def done(actions: Tensor) -> Tensor:
    return new.play(test.states[:, 0], actions)


def same(seen: Tensor, other: Tensor) -> Tensor:
    return (seen - other).abs().flatten(1).amax(1) < 1e-3


# %% [markdown]
# ## The failure: a network of code and z may mean another move by z at each code
#
# An MLP of (h, z) predicts the next code as well, but is free to use z = 3 for "left" here and for
# "up" there. Operators are not: whatever z does to one code it does to all of them.

# %%
goal, chance = test.frames[:, -1], new.act(N * STEPS, rng).unflatten(0, (N, STEPS))
found = {"chance": {"I(z; action)": 0.0, "action named": 0.2}}
found["chance"]["goal reached"] = float(same(new.render(done(chance)[:, -1]), goal).float().mean())
free, _ = trained(Conditional(MLP(32 + 5, 32, (128,))))
alike, seconds = trained(Operators(32, 5))
found |= {"any network": judged(free), "operators": judged(alike)}
for name, row in found.items():
    print(f"{name:12}", ", ".join(f"{key} {value:.3f}" for key, value in row.items()))
print(f"trained in {seconds:.0f} CPU seconds; ln 5 is {torch.tensor(5.0).log():.3f} nats")

# %% A plan, done in the world: as filmed (top), as planned (middle), and the goal (bottom)
names = table(alike, films.frames[:50], films.actions[:50]).argmax(1)
way = prediction.plan(alike, test.frames[:, 0], goal, prediction.Exhaustive(), STEPS)
planned = new.render(done(names[way.z.argmax(-1)]).flatten(0, 1)).unflatten(0, (N, 1 + STEPS))
rows = [part[:8].transpose(0, 1) for part in (test.frames, planned)]
film = torch.cat([*rows, goal[:8].expand(1 + STEPS, -1, -1, -1, -1)], 1)
titles = [f"filmed, planned, goal: moment {t}" for t in range(1 + STEPS)]
plot.animate_images(film, FIGURES / "24_plan.gif", columns=8, titles=titles, fps=1.5)
sides = ["filmed", "planned", "goal"]
plot.images(film[-1], 8, sides=sides).figure.savefig(FIGURES / "24_plan.png")

# %% The claim: where z acts alike on all codes, it is the action, and plans made of it succeed
fine, poor = found["operators"], found["any network"]
assert fine["I(z; action)"] > 1.5 > 0.5 > poor["I(z; action)"]
assert fine["action named"] > 0.95
assert fine["goal reached"] > 0.95 > 0.5 > poor["goal reached"]
