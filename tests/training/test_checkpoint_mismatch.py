import pytest
import torch
from checkpoint_support import build_all, everything, reseal, trained_run
from torch import nn

from ebmlab.errors import FileError
from ebmlab.methods import pca
from ebmlab.training import fit, load, save

trained = pytest.fixture(trained_run)


def refused(path, *run, **rngs) -> str:
    before = everything(run[0], run[1], torch.Generator())
    with pytest.raises(FileError, match="holds another configuration") as error:
        load(path, *run, **rngs)
    assert everything(run[0], run[1], torch.Generator()) == before
    return str(error.value)


def test_every_difference_of_the_method_is_listed_and_nothing_changes(tmp_path):
    class Net(nn.Module):
        def __init__(self, **tensors) -> None:
            super().__init__()
            for name, tensor in tensors.items():
                self.register_buffer(name, tensor)

    ones = torch.ones(2)
    save(tmp_path / "run", Net(same=ones, gone=ones[:1], wide=torch.ones(3), fine=ones.double()))
    other = Net(same=torch.zeros(2), new=torch.zeros(1), wide=torch.zeros(4), fine=torch.zeros(2))
    text = refused(tmp_path / "run", other, None)
    assert text.splitlines()[1:] == [
        "  missing in the file: tensor new",
        "  only in the file: tensor gone",
        "  wide: (3,) torch.float32 in the file, (4,) torch.float32 here",
        "  fine: (2,) torch.float64 in the file, (2,) torch.float32 here",
    ]


def test_a_buffer_may_be_wider_than_in_the_file_and_a_parameter_may_not(tmp_path):
    old, new = (pca(3, 2) for _ in range(2))
    y = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    fit(old, (None, y), steps=4, batch_size=16)
    old.energy.energy.covariance = old.energy.energy.covariance.float()
    save(tmp_path / "run", old)
    load(tmp_path / "run", new)
    covariance = new.energy.energy.covariance
    assert covariance.dtype == torch.float64
    assert torch.equal(covariance, old.energy.energy.covariance.double())
    save(tmp_path / "run", new)
    assert "covariance: (3, 3) torch.float64 in" in refused(tmp_path / "run", old, None)
    save(tmp_path / "run", nn.Linear(1, 1))
    assert "weight: (1, 1) torch.float32 in" in refused(
        tmp_path / "run", nn.Linear(1, 1).double(), None
    )


def test_an_expanded_tensor_is_saved_but_cannot_be_written(tmp_path):
    net = nn.Linear(1, 1)
    net.register_buffer("wide", torch.ones(1).expand(3))
    save(tmp_path / "run", net)
    assert "wide: expanded here" in refused(tmp_path / "run", net, None)
    net.wide = torch.zeros(3)
    load(tmp_path / "run", net)
    assert torch.equal(net.wide, torch.ones(3))


def test_tied_weights_do_not_go_into_untied_ones_nor_back(tmp_path):
    def net(tied):
        first, second = nn.Linear(2, 2), nn.Linear(2, 2)
        return nn.Sequential(first, first if tied else second)

    for tied in (True, False):
        path = tmp_path / f"{tied}"
        save(path, net(tied))
        load(path, net(tied))
        assert "1.weight: the same tensor as" in refused(path, net(not tied), None)


def test_another_optimizer_is_refused(trained):
    path, _, (again, *_) = trained
    both = [*again.parameters()]
    sgd = torch.optim.SGD(both, lr=0.1)
    assert "optimizer: AdamW in the file, SGD here" in refused(path, again, sgd)
    groups = torch.optim.AdamW([{"params": both[:1]}, {"params": both[1:]}])
    assert "1 groups in the file, 2 here" in refused(path, again, groups)
    reverse = torch.optim.AdamW(both[::-1])
    assert "another order here" in refused(path, again, reverse)
    fewer = torch.optim.AdamW(both[1:])
    text = refused(path, again, fewer)
    assert "only in the file: parameter of the optimizer's group 0: energy.online.0.weight" in text


def test_another_width_is_refused_whole(trained):
    path, *_ = trained
    text = refused(path, *build_all(width=5)[:2])
    assert "energy.online.0.weight: (4, 3) torch.float32 in the file, (5, 3)" in text
    assert "energy.online.1.num_batches_tracked" not in text


def test_a_missing_optimizer_is_said(tmp_path):
    net = nn.Linear(1, 1)
    save(tmp_path / "run", net)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    assert "missing in the file: the optimizer" in refused(tmp_path / "run", net, sgd)
    load(tmp_path / "run", net)


def test_generators_must_be_those_that_were_saved(trained):
    path, _, (again, optimizer, rng) = trained
    before = rng.get_state()
    text = refused(path, again, optimizer, rngs={"main": rng, "noise": rng})
    assert "missing in the file: generator noise" in text
    assert "only in the file: generator main" in refused(path, again, optimizer, rngs={})
    assert torch.equal(rng.get_state(), before)


def test_the_state_of_a_generator_that_does_not_fit_is_refused(tmp_path):
    net, rng = nn.Linear(1, 1, bias=False), torch.Generator().manual_seed(1)
    save(tmp_path / "run", net, rngs={"main": rng})
    reseal(tmp_path / "run", lambda content: content.replace(b'\\"cpu\\"', b'\\"gpu\\"', 1))
    assert "on gpu in the file, cpu here" in refused(
        tmp_path / "run", net, None, rngs={"main": rng}
    )
    save(tmp_path / "run", net, rngs={"main": rng})
    reseal(tmp_path / "run", lambda content: content[:-5056] + bytes(5056))
    assert "its state does not fit" in refused(tmp_path / "run", net, None, rngs={"main": rng})
