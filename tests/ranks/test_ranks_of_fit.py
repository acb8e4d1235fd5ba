"""`fit` on two ranks is `fit` in one process: order, gradients, guard, records, checkpoints."""

import math
from pathlib import Path

import pytest
import torch
from fit_support import Pull, Scripted, line, pairs
from ranks_support import on_two_ranks
from torch import nn

from ebmlab import methods
from ebmlab.errors import ConfigurationError, FileError
from ebmlab.training import Checkpoints, Recording, Scale, Stepping, fit
from ebmlab.training.record import read_record

X = torch.randn(48, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = X + 0.1 * torch.randn(X.shape, generator=torch.Generator().manual_seed(1)).double()


def byol():
    torch.manual_seed(0)
    return methods.byol(nn.Linear(5, 6), 6, projection=4, hidden=8).double()


def trained(method, steps=6, folder=None, *, resume=False, scale=None, **how):
    """A run, and its state; rows are shared out where there are ranks."""
    options = {
        "steps": steps,
        "batch_size": 16,
        "rng": torch.Generator().manual_seed(3),
        "optimizer": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        "keep": None if folder is None else Checkpoints(folder, every=2, resume=resume),
        "scale": scale,
        "record": Recording(folder, every=2),
    }
    run = fit(method, (X, Y), **options | how)
    return run, {n: _whole(t).clone() for n, t in method.state_dict().items()}


def _whole(tensor):
    return tensor.full_tensor() if type(tensor).__name__ == "DTensor" else tensor


class Drawn(Pull):
    """Pulls at a place that moves by noise, of which each rank has its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("place", torch.zeros((), dtype=torch.float64))

    def forward(self, energy, x, y, rng):
        noise = torch.randn((), generator=rng, dtype=y.dtype)
        loss = super().forward(energy, x, y + self.place, rng)
        return loss._replace(commit=lambda: self.place.add_(noise))


def moved(steps, folder, **how):
    method = line(Drawn())
    fit(method, pairs(), steps=steps, batch_size=8, keep=Checkpoints(folder, **how))
    return dict(method.state_dict())


def told(kind, function):
    try:
        function()
    except kind as error:
        return str(error)
    return None


def on_rank(rank, folder):
    folder = Path(folder)
    found = {"byol": trained(byol(), folder=folder / "byol")[1]}
    parts = Stepping(accumulate=2, clip=0.5)
    found["parts"] = trained(byol(), stepping=parts)[1]
    # Weights begin unlike, and there is no buffer of which ranks could ask each other.
    torch.manual_seed(rank)
    bare = methods.regression(nn.Linear(5, 5)).double()
    found["bare"] = trained(bare, folder=folder / "bare")[1]
    # A loss that is infinite on one rank alone.
    odd = line(Scripted(lambda call: math.inf if rank == 1 and call == 2 else 1.0))
    run = fit(odd, pairs(), steps=4, batch_size=8)
    found["guard"] = run.skipped, dict(odd.state_dict())
    found["own"] = moved(6, folder / "once")
    moved(3, folder / "twice")
    found["again"] = moved(6, folder / "twice", resume=True)
    shard = Scale(shard=True)
    found["shards"] = trained(byol(), 6, folder / "shards", scale=shard)[1]
    trained(byol(), 4, folder / "fewer", scale=shard)
    found["more"] = trained(byol(), 6, folder / "fewer", resume=True, scale=shard)[1]
    plain = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6))
    found["told"] = [
        told(ConfigurationError, lambda: trained(byol(), batch_size=15)),
        told(ConfigurationError, lambda: trained(byol(), rng=torch.Generator().manual_seed(rank))),
        told(ConfigurationError, lambda: trained(methods.simsiam(plain, 6).double())),
    ]
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    return on_two_ranks(on_rank, str(folder)), folder


def close(one, two):
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-10, atol=1e-12, msg=name)


def test_weights_and_record_are_those_of_one_process(both, tmp_path):
    ranks, folder = both
    _, alone = trained(byol(), folder=tmp_path)
    _, parts = trained(byol(), stepping=Stepping(accumulate=2, clip=0.5))
    for found in ranks:
        close(alone, found["byol"])
        close(parts, found["parts"])
    close(*(found["bare"] for found in ranks))
    lines = [read_record(at / "metrics.jsonl") for at in (tmp_path, folder / "byol")]
    values = [[line["value"] for line in record] for record in lines]
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    assert not torch.allclose(alone["encoder.weight"], parts["encoder.weight"])


def test_ranks_that_share_out_parameters_train_as_one_process(both):
    ranks, _ = both
    _, alone = trained(byol())
    for found in ranks:
        close(alone, found["shards"])
        close(alone, found["more"])


def test_shares_load_in_one_process_and_damage_is_told(both):
    _, folder = both
    _, whole = trained(byol())
    _, alone = trained(byol(), 6, folder / "shards", resume=True)
    close(whole, alone)
    share = sorted(folder.glob("shards/shards-*/*.safetensors"))[-1]
    content = bytearray(share.read_bytes())
    content[-1] ^= 1
    share.write_bytes(content)
    keep = Checkpoints(folder / "shards", resume=True)
    with pytest.warns(UserWarning, match=f"{share.name} is damaged.*; step 4 is taken instead"):
        assert keep.latest(byol()).step == 4
    for file in folder.glob("shards/shards-*/*.safetensors"):
        file.unlink()
    with pytest.raises(FileError, match="cannot be read"):
        keep.latest(byol())


def test_fault_56_what_is_infinite_on_one_rank_is_skipped_on_all(both):
    ranks, _ = both
    assert [found["guard"][0] for found in ranks] == [1, 1]
    close(*(found["guard"][1] for found in ranks))


def test_fault_34_each_rank_goes_on_with_what_it_alone_has(both):
    ranks, _ = both
    for found in ranks:
        assert all(torch.equal(found["again"][n], value) for n, value in found["own"].items())
    one, two = (found["own"] for found in ranks)
    assert [n for n in one if not torch.equal(one[n], two[n])] == ["objective.place"]


def test_ranks_that_cannot_train_as_one_are_told(both):
    ranks, _ = both
    for found in ranks:
        size, seed, norm = found["told"]
        assert "batch_size is 15, the rows of all 2 ranks together" in size
        assert "rng is seeded otherwise on another rank" in seed
        assert "normalize over the rows of each rank alone" in norm
