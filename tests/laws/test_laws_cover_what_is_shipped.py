from test_laws_shipped_energies import ENERGIES
from test_laws_shipped_inferences import INFERENCES
from test_laws_shipped_objectives import LOSSES, NEGATIVES, OBJECTIVES
from test_laws_shipped_samplers import COUPLED, DISCRETE, SAMPLERS
from torch import nn

from ebmlab import (
    FunctionEnergy,
    energies,
    inference,
    losses,
    negatives,
    objectives,
    regularizers,
    samplers,
    teachers,
)
from ebmlab.algebra import Scaled, Sum, Tempered
from ebmlab.energy import Energy
from ebmlab.free_energy import Inference
from ebmlab.protocols import Objective, Regularizer


def shipped(module, kind):
    """The concrete public classes of a module."""
    public = [getattr(module, name) for name in module.__all__]
    classes = [c for c in public if isinstance(c, type) and issubclass(c, kind)]
    return {c for c in classes if not getattr(c, "__abstractmethods__", None)}


def parts(modules):
    return {type(part) for module in modules for part in module.modules()}


def test_the_tables_hold_everything_that_is_shipped():
    judged = parts(build()[0] for build in ENERGIES.values())
    assert shipped(energies, Energy) | {FunctionEnergy, Sum, Scaled, Tempered} <= judged
    assert shipped(teachers, nn.Module) <= judged
    inferred = {type(build()[0]) for build in INFERENCES.values()}
    assert shipped(inference, Inference) <= inferred
    assert shipped(inference, Inference) <= judged
    sampled = {type(build()[0]) for build in (SAMPLERS | DISCRETE | COUPLED).values()}
    assert {c for c in shipped(samplers, object) if hasattr(c, "step")} <= sampled
    assert set(losses.__all__) - {"MarginLoss"} == set(LOSSES)
    assert shipped(negatives, negatives.Negatives) <= {
        type(build()[-1]) for build in NEGATIVES.values()
    }
    shaping = [build()[0] for build in OBJECTIVES.values()]
    trained = parts(shaping)
    assert shipped(objectives, Objective) <= trained
    held = {type(o.regularizer) for o in shaping if isinstance(o, objectives.Regularized)}
    assert shipped(regularizers, Regularizer) <= held
