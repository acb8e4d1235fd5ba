import math
import warnings
from copy import deepcopy

import pytest
import torch
from problems import randn
from torch import nn

from ebmlab import methods
from ebmlab.energies import MLP
from ebmlab.errors import CollapseError, ConfigurationError
from ebmlab.metrics import Collapse, CollapseWarning, code_std, effective_rank
from ebmlab.metrics.compared import compared
from ebmlab.networks import Projector
from ebmlab.objectives import DenoisingScore
from ebmlab.protocols import Loss, Method


def looks(watch, codes, numbers=None, times=5, logits=None):
    """The messages of all warnings over some looks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollapseWarning)
        for _ in range(times):
            watch.look(codes, numbers, logits)
    return [str(warning.message) for warning in caught]


HEALTHY = randn(64, 8)
LINE = randn(64, 1) * randn(1, 8, seed=1)
FEW = randn(64, 3) @ randn(3, 40, seed=1)


@pytest.mark.parametrize(
    ("codes", "seen"),
    [
        (5 + 1e-3 * HEALTHY, "one constant vector"),
        (torch.ones(64, 8), "one constant vector: 0.00%"),
        (LINE, "in few directions: effective rank 1.00 of 8"),
        (LINE + 1e-3 * HEALTHY, "in few directions"),
        (LINE[:, :2], "in few directions: effective rank 1.00 of 2"),
        (FEW, "in few directions: effective rank 2"),
    ],
)
def test_collapsed_codes_are_told_once_with_what_to_try(codes, seen):
    (told,) = looks(Collapse(), codes, times=12)
    assert seen in told
    assert "add negatives, a variance term" in told


@pytest.mark.parametrize(
    "codes",
    [
        HEALTHY,
        1e-6 * HEALTHY,
        HEALTHY + 3,
        HEALTHY[:, :2],
        HEALTHY[:, :1],
        HEALTHY[:3],
        HEALTHY.bfloat16(),
        HEALTHY / 0,
        HEALTHY[:1],
    ],
)
def test_healthy_codes_and_codes_that_cannot_be_judged_are_not(codes):
    assert looks(Collapse(), codes) == []


def test_codes_that_shrink_to_the_origin_are_told_though_their_shape_stays():
    watch = Collapse(patience=2)
    assert looks(watch, HEALTHY) == []
    assert looks(watch, 0.1 * HEALTHY) == []
    (told,) = looks(watch, 1e-4 * HEALTHY)
    assert "codes shrink to a point" in told


def test_a_sign_counts_only_in_patience_looks_in_a_row():
    watch = Collapse(patience=3)
    for codes in (LINE, LINE, HEALTHY, LINE, LINE):
        assert looks(watch, codes, times=1) == []
    assert len(looks(watch, LINE, times=1)) == 1


def test_metrics_are_those_of_the_codes():
    found = Collapse().look(HEALTHY + 2)
    assert set(found) == {"effective_rank", "code_std", "code_spread"}
    assert found["effective_rank"] == effective_rank(HEALTHY)
    assert found["code_std"] == pytest.approx(code_std(HEALTHY))
    square = (HEALTHY + 2).square().mean()
    assert found["code_spread"] == pytest.approx(float((HEALTHY.var(0).mean() / square).sqrt()))
    assert Collapse().look() == {}


def test_a_number_that_stands_at_ln_k_is_told_and_one_that_moves_is_not():
    stuck = {"loss": torch.tensor(3.0), "energy": torch.tensor(math.log(30) + 1e-4)}
    (told,) = looks(Collapse(30), None, stuck, times=9)
    assert "energy stays at ln 30 = 3.401" in told
    assert "assignments are uniform" in told
    assert Collapse(30, patience=1).look(None, {"energy": 3.0})["stuck"] == 0.0
    for other in (None, 31):
        assert looks(Collapse(other), None, stuck) == []
    watch = Collapse(30)
    for step in range(20):
        assert looks(watch, None, {"energy": math.log(30) * (1 - 1e-3 * (step % 4))}, 1) == []


def test_data_that_fall_into_few_clusters_are_told_and_those_of_many_are_not():
    wide = randn(100, 300)
    one, two = wide.clone(), wide.clone()
    one[:, 7] += 50
    two[:, 0] += torch.where(torch.arange(100) < 50, 50.0, 0.0)
    two[:, 1] += 25
    (told,) = looks(Collapse(), HEALTHY, times=9, logits=one)
    assert "few clusters: 1.00 of 100" in told
    assert "Sinkhorn" in told
    (told,) = looks(Collapse(), None, logits=two)
    assert "few clusters: 2.00 of 100" in told
    for logits in (wide, two[:, :2], wide[:1], wide[:, :1]):
        assert looks(Collapse(), HEALTHY, logits=logits) == []
    assert Collapse().look(None, None, two)["clusters"] == pytest.approx(2.0)


def test_with_stop_it_raises():
    watch = Collapse(patience=2, stop=True)
    watch.look(LINE)
    with pytest.raises(CollapseError, match="in few directions"):
        watch.look(LINE)


def test_arguments_out_of_range_are_refused_by_name():
    for bad in ("few", "spread", "shrink", "tolerance", "patience"):
        with pytest.raises(ConfigurationError, match=f"{bad} is 0"):
            Collapse(**{bad: 0})
    with pytest.raises(ConfigurationError, match="outputs 1"):
        Collapse(outputs=1)


def network():
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def test_compared_codes_are_those_before_the_head_and_nothing_moves():
    f, p = network(), Projector(3, 6, 4)
    method = methods.vicreg(f, 4, projector=p)
    views = randn(20, 5).float(), randn(20, 5, seed=1).float()
    state = {k: v.clone() for k, v in method.state_dict().items()}
    codes, logits = compared(nn.ModuleDict({"wrapped": method}), views, views, rows=7)
    assert all(torch.equal(v, state[k]) for k, v in method.state_dict().items())
    assert all(m.training for m in method.modules())
    assert all(m.track_running_stats for m in method.modules() if isinstance(m, nn.BatchNorm1d))
    assert logits is None
    assert not codes.requires_grad
    torch.testing.assert_close(codes, deepcopy(p)(deepcopy(f)(views[0][:7])).detach())
    alone = compared(method, views, views, rows=1).codes
    method.eval()
    torch.testing.assert_close(alone, p(f(views[0][:1])).detach())
    torch.testing.assert_close(
        compared(method, views, views, rows=7).codes, p(f(views[0][:7])).detach()
    )


def test_codes_are_those_that_the_loss_sees_without_what_is_random():
    f = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    method = methods.joint_embedding(f)
    views, state = randn(20, 5).float(), torch.get_rng_state()
    # Statistics of long ago, which would hide that these codes are one.
    f[1].running_mean.fill_(3.0)
    f[1].running_var.fill_(1e-8)
    codes = compared(method, views, views).codes
    f[2].p = 0.0
    torch.testing.assert_close(codes, deepcopy(f)(views).detach())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_view_of_both_sides_is_encoded_once():
    calls = []
    f = network()
    f.register_forward_hook(lambda *_: calls.append(1))
    views = randn(20, 5).float(), randn(20, 5, seed=1).float()
    compared(methods.joint_embedding(f), views, views)
    assert len(calls) == 2


def test_without_an_embedding_the_encoder_is_asked_or_nothing():
    y = randn(20, 5).float()
    energy = MLP(5)
    assert compared(Method(energy, DenoisingScore(0.1)), None, y).codes is None
    f = network()
    method = Method(energy, DenoisingScore(0.1), encoder=f)
    codes = compared(method, None, y).codes
    torch.testing.assert_close(codes, deepcopy(f)(y).detach())
    assert compared(nn.Linear(2, 2), None, y).codes is None


def test_it_watches_a_method_and_its_loss():
    method = methods.joint_embedding(network().double())
    x = randn(20, 5)
    loss = Loss(torch.tensor(1.0), {}, {"e_pos": torch.tensor(math.log(7))})
    found = Collapse(7, patience=1, stop=False)
    with pytest.warns(CollapseWarning, match="e_pos stays at ln 7"):
        numbers = found(method, (x, x), loss)
    assert numbers["stuck"] == 1.0
    assert numbers["effective_rank"] == effective_rank(compared(method, x, x).codes)


def test_what_it_remembers_goes_on_in_another():
    first, second = Collapse(patience=3), Collapse(patience=3)
    looks(first, HEALTHY, times=1)
    assert looks(first, 0.01 * HEALTHY, times=2) == looks(second, 0.01 * HEALTHY, times=1) == []
    second.load_state_dict(first.state_dict())
    (told,) = looks(second, 0.01 * HEALTHY, times=1)
    assert "shrink to a point: their standard deviation is 1.0e-02, and was 1.0e+00" in told
    assert second.state_dict() == {
        "widest": code_std(HEALTHY),
        "streaks": {"constant": 0, "shrunk": 3, "rank": 0},
        "told": ["codes"],
    }
    first.load_state_dict(second.state_dict())
    assert looks(first, torch.ones(64, 8), times=5) == []
