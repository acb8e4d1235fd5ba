import math
import sys

import pytest

from ebmlab.errors import ConfigurationError
from ebmlab.training.loggers import TensorBoard


def test_without_tensorboard_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigurationError, match=r"pip install ebmlab\[log\]"):
        TensorBoard(tmp_path)


def read(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {
        name: {event.step: event.value for event in events.Scalars(name)}
        for name in events.Tags()["scalars"]
    }


def test_a_run_that_goes_on_overwrites_what_came_after_its_checkpoint(tmp_path):
    pytest.importorskip("tensorboard")
    killed = TensorBoard(tmp_path)
    for step in (10, 20, 30):
        killed(step, {"value": float(step), "rank": math.nan})
    assert read(tmp_path)["value"] == {10: 10, 20: 20, 30: 30}
    with TensorBoard(tmp_path) as log:
        log(20, {"value": -20.0})
        log(30, {"value": -30.0})
    found = read(tmp_path)
    assert found["value"] == {10: 10, 20: -20, 30: -30}
    assert list(found["rank"]) == [10]
    killed.close()
    killed.close()
