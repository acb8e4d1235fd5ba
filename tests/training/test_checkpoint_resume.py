import pytest
import torch
from checkpoint_support import DATA, OPTIMIZERS, build_all, everything, train, trained_run
from torch import nn

from ebmlab.training import load, save
from ebmlab.training.checkpoint import Restored

trained = pytest.fixture(trained_run)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_restored_run_goes_on_bit_for_bit(tmp_path, kind):
    method, optimizer, rng = build_all(kind)
    train(method, optimizer, rng, 7)
    path = tmp_path / "run.safetensors"
    save(path, method, optimizer, rngs={"main": rng}, step=7)

    again, optimizer_2, rng_2 = build_all(kind, seed=9)
    assert everything(again, optimizer_2, rng_2) != everything(method, optimizer, rng)
    assert load(path, again, optimizer_2, rngs={"main": rng_2}) == Restored(7, {})
    assert everything(again, optimizer_2, rng_2) == everything(method, optimizer, rng)
    assert again.energy.teacher.clock == 7
    assert torch.equal(again.objective.pool, method.objective.pool)

    assert train(again, optimizer_2, rng_2, 6) == train(method, optimizer, rng, 6)
    assert everything(again, optimizer_2, rng_2) == everything(method, optimizer, rng)


@pytest.mark.parametrize("lost", ["optimizer", "rng", "buffers"])
def test_without_any_one_part_the_run_goes_another_way(trained, lost):
    path, (method, optimizer, rng), (again, optimizer_2, rng_2) = trained
    load(
        path,
        again,
        None if lost == "optimizer" else optimizer_2,
        rngs=None if lost == "rng" else {"main": rng_2},
    )
    if lost == "buffers":
        again.objective.pool.zero_()
    assert train(again, optimizer_2, rng_2, 6) != train(method, optimizer, rng, 6)


def test_a_second_order_optimizer_with_lists_in_its_state_goes_on(tmp_path):
    def make():
        torch.manual_seed(0)
        net = nn.Linear(3, 1, dtype=torch.float64)
        return net, torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=3)

    def train_on(net, optimizer):
        def closure():
            optimizer.zero_grad()
            loss = (net(DATA.double()) - 1).abs().pow(1.5).mean()
            loss.backward()
            return loss

        return [float(optimizer.step(closure).detach()) for _ in range(3)]

    net, optimizer = make()
    train_on(net, optimizer)
    save(tmp_path / "run", net, optimizer)
    net_2, optimizer_2 = make()
    load(tmp_path / "run", net_2, optimizer_2)
    assert train_on(net, optimizer) == train_on(net_2, optimizer_2)


def test_the_state_of_an_optimizer_keeps_its_types(trained):
    path, (_, optimizer, _), (again, optimizer_2, _) = trained
    load(path, again, optimizer_2)
    (group,), state = optimizer_2.param_groups, optimizer_2.state_dict()["state"]
    assert group["betas"] == (0.8, 0.95)
    assert isinstance(group["betas"], tuple)
    assert (group["foreach"], group["amsgrad"]) == (None, True)
    assert state.keys() == optimizer.state_dict()["state"].keys()
    assert (state[0]["step"].shape, state[0]["step"].dtype) == ((), torch.float32)


def test_saving_changes_nothing_and_draws_nothing(trained):
    path, run, _ = trained
    before, world = everything(*run), torch.get_rng_state()
    save(path, *run[:2], rngs={"main": run[2]})
    assert everything(*run) == before
    assert torch.equal(torch.get_rng_state(), world)


def test_the_weights_alone_can_be_loaded(trained):
    path, (method, *_), (again, *_) = trained
    load(path, again)
    assert all(map(torch.equal, method.state_dict().values(), again.state_dict().values()))


def test_gradients_and_identity_of_parameters_stay(trained):
    path, _, (again, *_) = trained
    parameters = [*again.parameters()]
    parameters[0].grad = torch.ones_like(parameters[0])
    load(path, again)
    assert [id(p) for p in again.parameters()] == [id(p) for p in parameters]
    assert torch.equal(parameters[0].grad, torch.ones_like(parameters[0]))
