"""One optimizer a player: the same run as two groups of one, and one that can be resumed."""

import pytest
import torch
from checkpoint_support import everything
from torch import nn

from ebmlab import fit, methods
from ebmlab.energies import MLP
from ebmlab.errors import ConfigurationError, FileError
from ebmlab.networks import MLP as Network
from ebmlab.networks import Generator
from ebmlab.training import Players, Recording, Stepping, falling_cosine, load, save

Y = torch.randn(64, 2, generator=torch.Generator().manual_seed(5))
CRITIC, GENERATOR = {"lr": 4e-3, "betas": (0.0, 0.9)}, {"lr": 1e-2, "betas": (0.5, 0.9)}


def played(kind, seed=0):
    """A method of two players, its optimizer, a generator of random numbers."""
    torch.manual_seed(seed)
    generator = Generator(Network(3, 2, (4,)), 3)
    method = methods.wgan_gp(MLP(2, hidden=(4,)), generator, every=2)
    critic, made = method.energy.parameters(), generator.parameters()
    adam = torch.optim.Adam
    optimizer = {
        "groups": lambda: adam([{"params": critic, **CRITIC}, {"params": made, **GENERATOR}]),
        "players": lambda: Players(adam(critic, **CRITIC), adam(made, **GENERATOR)),
        "two kinds": lambda: Players(
            adam(critic, **CRITIC), torch.optim.SGD(made, lr=0.1, momentum=0.9)
        ),
    }[kind]()
    return method, optimizer, torch.Generator().manual_seed(seed)


def train(run, steps=8, schedule=None):
    method, optimizer, rng = run
    how = {"stepping": Stepping(schedule), "record": Recording(every=1), "batch_size": 16}
    run = fit(method, (None, Y), steps=steps, rng=rng, optimizer=optimizer, **how)
    return run.history["value"]


@pytest.mark.parametrize("schedule", [None, falling_cosine])
def test_players_are_two_groups_of_one_optimizer(schedule):
    groups, players, other = (played(kind) for kind in ("groups", "players", "two kinds"))
    due = train(groups, schedule=schedule)
    assert train(players, schedule=schedule) == due
    assert [group["lr"] for group in players[1].param_groups] == [4e-3, 1e-2]
    assert train(other, schedule=schedule) != due  # the control


def test_a_scheduler_of_torch_moves_the_step_sizes_of_both():
    run = played("players")
    train(run, steps=3, schedule=torch.optim.lr_scheduler.ExponentialLR(run[1], 0.5))
    sizes = [group["lr"] for part in run[1].optimizers for group in part.param_groups]
    assert sizes == pytest.approx([4e-3 / 8, 1e-2 / 8])


@pytest.mark.parametrize("kind", ["groups", "players", "two kinds"])
def test_a_restored_game_goes_on_bit_for_bit(tmp_path, kind):
    run, again = played(kind), played(kind, seed=1)
    train(run, steps=5)
    path = tmp_path / "run.safetensors"
    save(path, *run[:2], rngs={"main": run[2]})
    load(path, *again[:2], rngs={"main": again[2]})
    assert everything(*again) == everything(*run)
    assert train(again) == train(run)
    assert everything(*again) == everything(*run)
    assert [len(state) for state in (again[1].state, run[1].state)] == [8, 8]


def test_other_players_are_refused_and_nothing_moves(tmp_path):
    run, other = played("players"), played("two kinds", seed=1)
    train(run, steps=2)
    save(tmp_path / "run", *run[:2])
    before = everything(*other)
    with pytest.raises(FileError, match="optimizer's group 1: momentum is missing in the file"):
        load(tmp_path / "run", *other[:2])
    with pytest.raises(ConfigurationError, match=r"'Adam', 'Adam'.*'Adam', 'SGD'"):
        other[1].load_state_dict(run[1].state_dict())
    assert everything(*other) == before


def test_a_parameter_has_one_player_and_a_group_too():
    net = nn.Linear(2, 1)
    one, two = (torch.optim.SGD(net.parameters(), lr=0.1) for _ in range(2))
    with pytest.raises(ConfigurationError, match="one of them twice"):
        Players(one, two)
    with pytest.raises(ConfigurationError, match="no player"):
        Players()
    with pytest.raises(ConfigurationError, match="of type Linear"):
        Players(net)
    with pytest.raises(ConfigurationError, match="belongs to one player"):
        Players(one).add_param_group({"params": [nn.Parameter(torch.zeros(1))]})


def test_a_closure_is_called_once_for_all_players():
    net, calls = nn.Linear(1, 1), []
    players = Players(*(torch.optim.SGD([p], lr=0.1) for p in net.parameters()))

    def closure():
        calls.append(1)
        players.zero_grad()
        loss = net(torch.ones(1, 1)).sum()
        loss.backward()
        return loss

    before = [p.detach().clone() for p in net.parameters()]
    players.step(closure)
    assert len(calls) == 1
    moved = [float((old - p).detach()) for old, p in zip(before, net.parameters(), strict=True)]
    assert moved == pytest.approx([0.1, 0.1])
