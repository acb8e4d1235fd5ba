"""What a contender of the hypothesis's table is worth: what z means, plans, probes, rank."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ebmlab import FreeEnergy, Method, metrics
from ebmlab.data.worlds import TurningDigits
from ebmlab.energies import JointEmbedding, Reconstruction

STARTS, EACH, GOALS, STEPS = 150, 20, 300, 4


@torch.no_grad()
def judged(
    method: Method | None, f: nn.Module, world: TurningDigits, labels: Tensor, seed: int
) -> dict[str, Any]:
    """All columns, on test images."""
    rng = torch.Generator().manual_seed(1000 + seed)
    f.eval()
    found = probed(nn.Flatten() if method is None else f, world, labels, rng)
    if method is None or not isinstance(method.energy, FreeEnergy):
        return found
    method.eval()
    return found | meaning(method.energy, world, labels, rng)


def probed(
    f: nn.Module, world: TurningDigits, labels: Tensor, rng: torch.Generator
) -> dict[str, Any]:
    """Linear probes of single pictures: the digit, and which of eight sectors its angle is in."""
    state = world.start(4000, rng)
    h = f(world.render(state))
    cut = slice(3000), slice(3000, None)
    found = {"rank": float(metrics.effective_rank(h)), "std": float(h.std(0).mean())}
    factors = {"digit": labels[state[:, 0].long()], "pose": (state[:, 1] // 45).long()}
    for name, factor in factors.items():
        train, test = ((h[part], factor[part]) for part in cut)
        found[name] = metrics.linear_probe(*train, *test)
    return found


def meaning(
    free: FreeEnergy, world: TurningDigits, labels: Tensor, rng: torch.Generator
) -> dict[str, Any]:
    """What z says of the action, of x's, of the target's class, and how well it plans."""
    start = world.start(STARTS, rng).repeat_interleave(EACH, 0)
    action = world.act(len(start), rng)
    x, y = world.render(start), world.render(world.step(start, action))
    q = free.posterior(x, y, rng=rng)
    found = {"kl": float(q.information.mean()), "energy": float(free(x, y, rng=rng).mean())}
    assert isinstance(q.atoms, Tensor)
    best = q.atoms.gather(0, at(q.weights.argmax(0), q.atoms))[0]
    if world.codes is None:
        turned = action[:, 0].deg2rad()
        return found | {"circular": metrics.circular_correlation(turned, best[:, 0]).match}
    z, atoms = numbered(best, free, world.codes)
    if q.information.abs().max() == 0:  # one z is found: it carries what its numbers do
        found["kl"] = metrics.code_use(one_hot(z, len(atoms)).float()).information
    which = torch.arange(STARTS).repeat_interleave(EACH)
    shared = {
        "I(z; a)": (action, None),
        "I(z; a | x)": (action, which),
        "I(z; target)": (labels[start[:, 0].long()], None),
    }
    for name, (factor, given) in shared.items():
        found[name] = metrics.mutual_information(z, factor, given=given, rng=rng).nats
    found["ARI"] = metrics.adjusted_rand(z, action)
    if world.codes == 3:
        table = one_hot(z, len(atoms)).float().T @ one_hot(action, 3).float()
        found["plan"] = planned(free, world, atoms, table.argmax(1), rng)
    return found


def at(best: Tensor, atoms: Tensor) -> Tensor:
    """Index of one atom of each datum, for gather: (1, n, dim)."""
    return best[None, :, None].expand(1, -1, atoms.shape[-1])


def numbered(z: Tensor, free: FreeEnergy, count: int) -> tuple[Tensor, Tensor]:
    """Numbers of z (n,) and what they stand for: the atoms, or the centers of `count` clusters."""
    known = free.infer.possible()
    if known is not None and known.shape[1] > 1:
        return torch.cdist(z, known).argmin(1), known
    if bool(((z == 0) | (z == 1)).all()):
        return z.argmax(1), torch.eye(z.shape[1])
    from sklearn.cluster import KMeans

    angle = z.shape[1] == 1
    points = torch.cat([z.cos(), z.sin()], 1) if angle else z
    found = KMeans(count, n_init="auto", random_state=0).fit(points.numpy())
    centers = torch.as_tensor(found.cluster_centers_, dtype=z.dtype)
    atoms = torch.atan2(centers[:, 1], centers[:, 0])[:, None] if angle else centers
    return torch.as_tensor(found.labels_, dtype=torch.long), atoms


def planned(
    free: FreeEnergy, world: TurningDigits, atoms: Tensor, action: Tensor, rng: torch.Generator
) -> float:
    """How often the four z of lowest energy, read as actions, lead to the very angle of the goal.

    All sequences are tried; chance is 639 / 6561.
    """
    start = world.start(GOALS, rng)
    goal = world.play(start, world.act(GOALS * STEPS, rng).unflatten(0, (GOALS, STEPS)))[:, -1]
    pair = free.energy
    assert isinstance(pair, JointEmbedding)
    assert isinstance(pair.head, Reconstruction)
    h, due = pair.online(world.render(start)), pair.target(world.render(goal))
    every = torch.tensor(list(itertools.product(range(len(atoms)), repeat=STEPS)))
    h = h.repeat_interleave(len(every), 0)
    for t in range(STEPS):
        h = pair.head.decode(h, atoms[every[:, t]].repeat(GOALS, 1))
    energy = (h.unflatten(0, (GOALS, -1)) - due[:, None]).square().sum(-1)
    end = world.play(start, action[every[energy.argmin(1)]])[:, -1]
    return float((end == goal).all(1).float().mean())
