import math
import warnings

import pytest
import torch
from problems import generator
from ranks_support import on_two_ranks
from torch import nn

from ebmlab import fit, methods
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.metrics import (
    Collapse,
    OnlineAccuracy,
    OnlineRanks,
    Watches,
    knn_accuracy,
    lidar,
    linear_probe,
    rankme,
)
from ebmlab.metrics.online_probe import OnlineProbe
from ebmlab.protocols import Loss
from ebmlab.training import Recording

LOSS = Loss(torch.zeros(()), {}, {})


def blobs(n, classes=3, dim=4, noise=0.5, seed=0):
    rng = generator(seed)
    labels = torch.randint(classes, (n,), generator=rng)
    return torch.eye(dim)[labels] + noise * torch.randn(n, dim, generator=rng), labels


def jitter(images, rng):
    return images + 0.2 * torch.randn(images.shape, generator=rng)


def encoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 5)]
        return nn.Sequential(*layers)


def everything(**options):
    train, test = blobs(60), blobs(41, seed=1)
    accuracy = OnlineAccuracy(train, test, k=5, steps=10, rows=16, **options)
    return Watches(accuracy, OnlineRanks(test[0], jitter, count=3, rows=16, **options))


def test_the_numbers_are_those_of_the_metrics_of_codes_in_eval_mode():
    method = methods.vicreg(encoder(), 5)
    found = everything()(method, (None, None), LOSS)
    (train, labels), (test, test_labels) = blobs(60), blobs(41, seed=1)
    method.eval()
    with torch.no_grad():
        codes, test_codes = method.encode(train), method.encode(test)
        rng = generator(0)
        views = torch.stack([method.encode(jitter(test, rng)) for _ in range(3)], 1)
    assert found["knn_accuracy"] == knn_accuracy(codes, labels, test_codes, test_labels, 5)
    assert found["rankme"] == pytest.approx(rankme(test_codes), rel=1e-6)
    assert found["lidar"] == pytest.approx(lidar(views), rel=1e-6)


def test_a_look_leaves_modes_buffers_gradients_and_generators_as_they_were():
    method = methods.vicreg(encoder(), 5)
    method.encoder[1].eval()
    for parameter in method.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {k: v.clone() for k, v in method.state_dict().items()}
    modes = [module.training for module in method.modules()]
    world = torch.get_rng_state()
    assert len(everything()(method, (None, None), LOSS)) == 4
    assert [module.training for module in method.modules()] == modes
    assert torch.equal(torch.get_rng_state(), world)
    assert all(torch.equal(before[k], v) for k, v in method.state_dict().items())
    assert all(bool((p.grad == 1).all()) for p in method.parameters())


def test_training_is_the_same_with_and_without_watches():
    def trained(watch):
        method = methods.vicreg(encoder(), 5)
        data = blobs(64)[0]
        with torch.random.fork_rng():
            torch.manual_seed(1)
            run = fit(
                method,
                (data, data),
                steps=8,
                batch_size=32,
                record=Recording(every=2, watch=watch),
            )
        return run, method.state_dict()

    (run, watched), (_, alone) = trained(everything(every=2)), trained(None)
    assert all(torch.equal(watched[k], alone[k]) for k in alone)
    assert [math.isnan(value) for value in run.history["lidar"]] == [False, True, False, True]


def test_the_probe_follows_adam_of_torch_to_the_last_digits():
    codes, index = blobs(200)
    codes = codes.double()
    probe = OnlineProbe(3, lr=0.01, rows=32, seed=4)
    probe.train(codes, index, 25)
    weight = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    optimizer, rng = torch.optim.Adam([weight], lr=0.01), generator(4)
    for _ in range(25):
        rows = torch.randint(200, (32,), generator=rng)
        logits = codes[rows] @ weight[:, :4].mT + weight[:, 4]
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, index[rows]).backward()
        optimizer.step()
    torch.testing.assert_close(probe.state_dict()["weight"], weight.detach())


def test_after_some_looks_the_probe_does_as_one_that_is_trained_to_its_minimum():
    train, test = blobs(400, noise=0.4), blobs(400, noise=0.4, seed=1)
    watch = OnlineAccuracy(train, test, steps=40)
    looks = [watch.look(lambda images: images)["probe_accuracy"] for _ in range(10)]
    best = linear_probe(*train, *test)
    assert 0.8 < best < 0.99
    assert looks[-1] == pytest.approx(best, abs=0.02)


def test_a_state_goes_on_as_if_nothing_had_happened():
    method = methods.joint_embedding(nn.Identity())
    one, other = everything(every=2), everything(every=2)
    seen = [one(method, (None, None), LOSS) for _ in range(6)]
    assert [bool(each) for each in seen] == [True, False] * 3
    for _ in range(3):
        other(method, (None, None), LOSS)
    resumed = everything(every=2)
    resumed.load_state_dict(other.state_dict())
    assert [resumed(method, (None, None), LOSS) for _ in range(3)] == seen[3:]
    ours, whole = (w.state_dict()["0"]["probe"] for w in (resumed, one))
    assert ours["steps"] == whole["steps"] == 30
    assert all(torch.equal(ours[k], whole[k]) for k in ("weight", "mean", "square", "rng"))


@pytest.mark.parametrize("state", [{}, {"0": {"looks": -1}, "1": {"looks": 0}}, {"0": {}}])
def test_the_state_of_something_else_is_told(state):
    with pytest.raises(ConfigurationError):
        everything().load_state_dict(state)


def test_a_probe_of_other_classes_is_told():
    two, three = OnlineProbe(2, lr=1, rows=2, seed=0), OnlineProbe(3, lr=1, rows=2, seed=0)
    two.train(*blobs(10, classes=2), 1)
    with pytest.raises(ConfigurationError, match="3 classes"):
        three.load_state_dict(two.state_dict())
    two.load_state_dict(two.state_dict())
    with pytest.raises(ConfigurationError, match="7 dimensions"):
        two.train(torch.zeros(10, 7), torch.zeros(10).long(), 1)


def test_codes_that_are_not_finite_give_no_numbers():
    method = methods.joint_embedding(nn.Identity())
    with torch.no_grad():
        broken = nn.Linear(4, 4)
        broken.weight.fill_(math.nan)
    assert everything()(methods.joint_embedding(broken), (None, None), LOSS) == {}
    assert len(everything()(method, (None, None), LOSS)) == 4


def test_wrong_arguments_are_told():
    images, labels = blobs(10)
    with pytest.raises(ShapeError, match=r"\(10, 4\).*\(9,\)"):
        OnlineAccuracy((images, labels[:9]), (images, labels))
    with pytest.raises(DtypeError, match="float32"):
        OnlineAccuracy((images, labels.float()), (images, labels), k=5)
    with pytest.raises(ConfigurationError, match="k is 20"):
        OnlineAccuracy((images, labels), (images, labels))
    with pytest.raises(ConfigurationError, match="one class"):
        OnlineAccuracy((images, 0 * labels), (images, labels), k=5)
    with pytest.raises(ShapeError, match="images"):
        OnlineRanks(images[:1])
    with pytest.raises(ConfigurationError, match="Method"):
        everything()(nn.Linear(4, 4), (None, None), LOSS)


def test_watches_that_give_one_number_twice_are_told_and_names_tell_them_apart():
    images, _ = blobs(10)
    method = methods.joint_embedding(nn.Identity())
    one, two = OnlineRanks(images), OnlineRanks(2 * images[:5])
    with pytest.raises(ConfigurationError, match="'rankme'"):
        Watches(one, two)(method, (images, images), LOSS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = Watches(Collapse(), one, other=two)(method, (images, images), LOSS)
    assert {"rankme", "other.rankme", "effective_rank"} <= set(seen)


def looked(rank):
    return everything()(methods.vicreg(encoder(), 5), (None, None), LOSS)


def test_two_ranks_see_what_one_sees():
    alone, (first, second) = looked(0), on_two_ranks(looked)
    assert first == second
    assert first == pytest.approx(alone, rel=1e-5)
