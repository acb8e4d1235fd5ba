# %% [markdown]
# # The horn
#
# **Question: the answer y depends on what we see, x, and on what we do not, z. Can one energy tell
# the two apart?**

# %% The data first: for each x an ellipse of radii ρ(x), and y anywhere on it
from pathlib import Path

import torch
from matplotlib.figure import Figure

import ebmlab
from ebmlab import data, methods, networks, plot
from ebmlab.training import Stepping, falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
torch.manual_seed(0)  # weights of networks
x, y = data.horn(2000, rng)
held_out = data.horn(5000, rng)


def train(method: ebmlab.Method, x: torch.Tensor | None, steps: int = 500) -> float:
    """The mean energy of new data after training."""
    adam = torch.optim.Adam(method.parameters(), lr=4e-2)
    how = {"steps": steps, "optimizer": adam, "stepping": Stepping(falling_cosine), "rng": rng}
    ebmlab.fit(method, (x, y), **how)
    with torch.no_grad():
        return float(method.energy(*held_out).mean())


# %% [markdown]
# ## The failures: x without z, z without x
#
# Regression, E = ‖f(x) - y‖², answers with the mean of the right answers: the axis of the horn,
# where no y is. An ellipse without x, E = ‖y - (w1 cos z, w2 sin z)‖², is one ring for all x.

# %%
regression, ring = methods.regression(networks.MLP(1, 2, (8, 8))), methods.ellipse()
means = {"regression": train(regression, x, 200), "one ellipse": train(ring, None, 200)}

# %% [markdown]
# ## The cure: E(x, y, z) = (y1 - f1(x) cos z)² + (y2 - f2(x) sin z)²
#
# f is a network 1 → 8 → 8 → 2, z an angle, one of 48. What x tells goes through f; what it does
# not is left to z, whose F∞(x, y) = min E(x, y, z) over z is an energy of x and y.

# %%
horn = methods.horn()
angles = torch.linspace(0, 2 * torch.pi, 49)[:, None]
along = torch.linspace(0, 1, 25)[:, None]


def sheet(method: ebmlab.Method) -> torch.Tensor:
    """The manifold {(x, g(x, z))}, a grid (25, 49, 3)."""
    rows, columns = along[:, None].expand(25, 49, 1), angles.expand(25, 49, 1)
    decoded = method.energy.energy.decode(rows, columns).detach()
    return torch.cat([rows, decoded], dim=-1)


def shown(method: ebmlab.Method) -> dict[str, torch.Tensor]:
    """The manifold, and the points (x, g(x, z)) of it that are nearest to the first data."""
    z = method.energy.posterior(x[:120], y[:120]).atoms[0]
    ends = torch.cat([x[:120], method.energy.energy.decode(x[:120], z).detach()], 1)
    return {"sheet": sheet(method), "ends": ends, "z": angles}


untrained = shown(horn)
means["horn"] = train(horn, x)
print("mean energy of new data:", {name: round(mean, 3) for name, mean in means.items()})

# %% The manifold in the color of z, before and after, with lines from y to the nearest of its x
figure = Figure(figsize=(10.5, 3.3))
points, names = torch.cat([x, y], 1), ("$x$", "$y_1$", "$y_2$")
parts = {"data": {}, "untrained": untrained, "trained": shown(horn)}
for k, (name, how) in enumerate(parts.items()):
    with plot.style():
        ax = figure.add_subplot(1, 3, k + 1, projection="3d")
    plot.space(points[: 120 if how else 600], ax=ax, names=names, title=name, **how)
    ax.set(xlim=(0, 1), ylim=(-15, 15), zlim=(-15, 15))
figure.subplots_adjust(left=0.01, right=0.95, bottom=0.04, top=1.0, wspace=0.1)
figure.savefig(FIGURES / "06_horn.png", dpi=150)

# %% [markdown]
# ## The same energy at every x
#
# Clamp x, and F∞(x, ·) is a landscape of y whose valley is that x's ellipse.

# %%
plane, window = ebmlab.Plane.xy(), {"lo": -17.0, "hi": 17.0, "resolution": 90}
axes = {"limits": (0.0, 6.0), "xlabel": "$y_1$", "ylabel": "$y_2$"}
film = [ebmlab.landscape(horn.energy.given(at), plane, **window) for at in along]
near = [y[(x - at).abs()[:, 0] < 0.02] for at in along]
titles = [f"$F_\\infty$ at x = {float(at):.1f}" for at in along[::12]]
figure = plot.landscapes(film[::12], titles, **axes)
for ax, at, data_near in zip(figure.axes[:3], along[::12], near[::12], strict=True):
    own = horn.energy.energy.decode(at.expand(49, 1), angles).detach()
    plot.manifold(own, angles, ax, data=data_near[:20], words=bool(at > 0), colorbar=False)
figure.savefig(FIGURES / "06_landscapes.png")
labels = [f"$F_\\infty(x, y)$ at x = {float(at):.2f}" for at in along]
plot.sweep(film, labels, FIGURES / "06_over_x.gif", data=near, **axes)

# %% [markdown]
# ## How low can it go?
#
# With the true radii ρ(x), a z of 48 steps is off by up to half a step along the curve, and y by
# its blur across: E[(ρ1² + ρ2²) / 2] (π / 24)² / 12 + 0.05².

# %%
many = torch.linspace(0, 1, 10001)[:, None]
floor = float(data.horn.radii(many).square().mean()) * (torch.pi / 24) ** 2 / 12 + 0.05**2

# %% The claim: neither x nor z alone tells where y is; together they come close to the floor
assert means["regression"] > 30
assert means["one ellipse"] > 5
assert floor < means["horn"] < 0.10
error = sheet(horn)[:, 0, 1].abs() - data.horn.radii(along)[:, 0]
assert error.abs().max() < 0.5
