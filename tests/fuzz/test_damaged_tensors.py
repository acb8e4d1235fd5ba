"""One tensor of a sound call is damaged: it is told by a typed error, or means something."""

import warnings
from fnmatch import fnmatch
from functools import cache

import pytest
import torch
from fuzz_calls import CALLS
from fuzz_damages import (
    DAMAGES,
    FINITE,
    NARROW,
    Outcome,
    Place,
    bad,
    called,
    outcome,
    places,
    swept,
    tensor_at,
    told,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ebmlab import FunctionEnergy
from ebmlab.errors import ShapeError

pytestmark = pytest.mark.filterwarnings("ignore")
KINDS = sorted({kind for kind, _ in CALLS})

# Whose last dimension may have any length, and why.
ANY_WIDTH = {
    "prediction: balls_volume: centers": "balls of any dimension",
    "metric:*": "a population of codes has the width that it has",
    "loss: *: e_neg": "there are as many negatives as one likes",
    "*:*images*: y": "images of any size",
    "*: ConvNet*: y": "images of any size",
    "*: ResNet*: y": "images of any size",
    "*: Constant: y": "it is not looked at, but for its batch",
    "*: Assignment*: y": "y enters through z alone",
    "posterior: Stored: y": "z is looked up by x",
    **{
        f"posterior: {name}*: x": "z is that of y's codes"
        for name in ("Sinkhorn", "Centered", "SoftNearest", "Clustered")
    },
    "*: Reconstruction, x unused: x": "it is not looked at, but for its batch",
    "*: FunctionEnergy*": "the function that was given broadcasts",
    "posterior: Amortized, exact q: y": "a decoder of the test that broadcasts",
    "posterior: closed form: y": "an inference of the test that broadcasts",
    "*: PseudoEnergy: y": "texts may be shorter",
    "sampler: MaskedGibbs*": "texts may be shorter",
}
# What has NaN for finite tensors, as its documentation says.
NAN = {
    "*: Denoised*: x": "a noise level of 0",
    "metric: autocorrelation*": "a constant chain",
    "metric: rhat*": "a constant coordinate",
    "metric: mcse_std*": "a constant coordinate",
    "metric: ebfmi*": "a constant energy",
    "metric: reliability*": "an empty bin",
    "metric: circular_correlation*": "angles that do not vary",
}


@cache
def every_place() -> list[Place]:
    """All calls are built here, which takes seconds: not where tests are collected."""
    return list(places())


def excused(place: Place, table: dict[str, str]) -> bool:
    return any(fnmatch(str(place), pattern) for pattern in table)


@settings(
    max_examples=800,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.deferred(lambda: st.sampled_from(every_place())),
    st.lists(st.sampled_from(list(DAMAGES)), min_size=1, max_size=2),
)
def test_a_damaged_tensor_never_ends_in_an_untyped_error(place, damages):
    try:
        value = bad(place, *damages)
    except LookupError:
        assume(False)
    found = called(place, value)
    assert found.kind != "untyped", (told(place, *damages), found.value)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_of_width_one_never_broadcasts(kind):
    silent = []
    for place in (p for p in every_place() if p.kind == kind and tensor_at(p).ndim > 1):
        if tensor_at(place).shape[-1] > 1 and not excused(place, ANY_WIDTH):
            found = called(place, bad(place, NARROW))
            if found.kind != "typed":
                silent.append(str(place))
    assert not silent


@pytest.mark.parametrize("kind", KINDS)
def test_finite_tensors_never_make_a_silent_nan(kind):
    silent = []
    for place in (p for p in every_place() if p.kind == kind and not excused(p, NAN)):
        for damage in ("zeros", "equal rows"):
            try:
                found = called(place, bad(place, damage))
            except LookupError:
                continue
            if found.kind == "NaN":
                silent.append(told(place, damage))
    assert not silent


@pytest.mark.slow
def test_of_more_than_ten_thousand_calls_less_than_one_percent_are_untyped():
    found = swept(every_place())
    total = sum(sum(counts.values()) for counts in found.counts.values())
    assert total > 10_000
    assert len(found.untyped) < 0.01 * total, found.untyped
    # No call hangs; the longest are solvers that a large number keeps busy.
    assert found.slowest < 30


# Controls: the meter tells all four outcomes apart, sound calls pass, and a function that
# broadcasts is seen to.
def test_sound_calls_are_accepted():
    wrong = []
    for place in every_place():
        found = called(place, tensor_at(place))
        if found.kind != "accepted" and not excused(place, NAN):
            wrong.append((str(place), found.value))
    assert not wrong


def test_the_meter_tells_outcomes_apart():
    x, y = torch.zeros(4, 3), torch.ones(4, 3)
    use = {
        "typed": lambda x, y: FunctionEnergy(lambda y: y)(None, y),
        "untyped": lambda x, y: x @ y,
        "NaN": lambda x, y: {"value": [x / x]},
        "accepted": lambda x, y: (x - y[:, :1]).square().sum(-1),
    }
    for kind, call in use.items():
        assert outcome(call, {"x": x, "y": y}).kind == kind
    refused = outcome(lambda x, y: FunctionEnergy(lambda y: y)(None, y), {"x": x, "y": y})
    assert isinstance(refused, Outcome)
    assert isinstance(refused.value, ShapeError)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(FINITE) <= set(DAMAGES)
