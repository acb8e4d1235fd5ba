"""Every part has a picture, a caption and code of its own, and pictures draw."""

import inspect
import types

import pytest
from matplotlib.figure import Figure

from ebmlab import free_energy, inference, objectives, protocols, samplers
from exhibits import INFERENCES, OBJECTIVES, SAMPLERS, Exhibit

ALL = {**SAMPLERS, **INFERENCES, **OBJECTIVES}


def concrete(module: types.ModuleType, kind: type | tuple[type, ...]) -> set[str]:
    classes = {name: getattr(module, name) for name in module.__all__}
    return {
        name
        for name, each in classes.items()
        if inspect.isclass(each) and issubclass(each, kind) and not inspect.isabstract(each)
    }


def is_sampler(each: object) -> bool:
    return inspect.isclass(each) and {"init", "step"} <= set(dir(each))


def test_every_sampler_has_a_picture():
    found = {name for name in samplers.__all__ if is_sampler(getattr(samplers, name))}
    assert set(SAMPLERS) == found - {"Kernel"}


def test_every_inference_has_a_picture():
    assert set(INFERENCES) == concrete(inference, free_energy.Inference)


def test_every_objective_has_a_picture():
    assert set(OBJECTIVES) == concrete(objectives, protocols.Objective)


@pytest.mark.parametrize("name", ALL)
def test_captions_say_something_and_code_is_short(name):
    exhibit = ALL[name]
    assert isinstance(exhibit, Exhibit)
    assert exhibit.caption.strip().endswith(".")
    compile(exhibit.code, name, "exec")
    own = exhibit.code.split("torch.manual_seed(0)\n")[-1]
    assert 2 <= len(own.splitlines()) <= 12
    assert f"{name}(" in exhibit.code or "methods." in exhibit.code
    assert "exhibits" not in exhibit.code


@pytest.mark.parametrize("name", ["Gibbs", "Sinkhorn", "RatioMatching"])
def test_the_code_shown_runs_by_itself_and_is_drawn(name):
    exec(ALL[name].code, {"__name__": name})
    figure = ALL[name].draw()
    assert isinstance(figure, Figure)
    assert all(ax.has_data() for ax in figure.axes)
