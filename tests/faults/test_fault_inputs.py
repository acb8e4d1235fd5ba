"""Inputs that were silent or untyped once: told at the border, by name, once for all classes."""

import ast
import math
from pathlib import Path

import pytest
import torch
from faults_support import _normal, _rng, refused
from torch import nn

import ebmlab
from ebmlab import FreeEnergy, FunctionEnergy, Method, losses, methods, metrics, run
from ebmlab.energies import (
    MLP,
    Assignment,
    Banana,
    Classifier,
    Clusters,
    CodePrediction,
    Constant,
    Reconstruction,
    SquaredDistance,
    SuperClasses,
)
from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError, ShapeError
from ebmlab.inference import Centered, Clustered, Enumerate, Projected
from ebmlab.networks import ConvNet, Memory, Prototypes, ViT
from ebmlab.objectives import LabelLikelihood, Regularized
from ebmlab.prediction import balls_volume, low_energy_volume
from ebmlab.regularizers import SIGReg, VICReg
from ebmlab.samplers import Langevin, linear
from ebmlab.types import Potential

SHARES = torch.full((4, 3), 1 / 3)


def test_fault_50_regression_takes_one_y_for_each_x():
    x, y = _normal(4, 3), _normal(4)
    scalar = methods.regression(nn.Linear(3, 1))
    refused(ShapeError, lambda: scalar(x, y), "x (4, 3)", "y (4,)")
    flat = methods.regression(nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), y_ndim=0)
    refused(ShapeError, lambda: flat(x, y[:, None]), "x (4, 3)", "y (4, 1)")
    torch.testing.assert_close(flat(x, y).value, (flat.encode(x) - y).square().mean())
    assert scalar(x, y[:, None]).value.shape == ()


def test_fault_50_an_objective_takes_no_pairs_where_an_energy_does():
    energy, x, y = Classifier(nn.Linear(2, 3), y_ndim=1), torch.tensor([0, 1, 2, 0]), _normal(4, 2)
    assert energy(x[:, None], y).shape == (4, 4)
    refused(ShapeError, lambda: LabelLikelihood()(energy, x[:, None], y), "(4, 1)", "one x for")
    assert LabelLikelihood()(energy, x, y).value.isfinite()
    refused(ShapeError, lambda: Regularized()(SquaredDistance(), y[:1], y), "x", "(1,)", "(4,)")


BROADCAST = {
    "z of clusters": (
        lambda z: Assignment()(_normal(4, 3), _normal(4, 3), z),
        SHARES,
        "z has shape (4, 1)",
        "(*batch, 3)",
    ),
    "logits of clusters": (
        lambda x: Assignment()(x, _normal(4, 3), SHARES),
        _normal(4, 3),
        "Assignment of x (4, 1)",
        "z has shape (4, 3)",
    ),
    "a predicted code": (
        lambda z: CodePrediction(nn.Linear(2, 3))(None, _normal(4, 2), z),
        _normal(4, 3),
        "z has shape (4, 1)",
        "f(y)",
    ),
    "parts of clusters": (
        lambda z: SuperClasses(2, 2, 1, 3)(_normal(4, 2), torch.zeros(4).long(), z),
        SHARES,
        "z has shape (4, 1)",
    ),
    "codes about a center": (
        lambda y: FreeEnergy(Assignment(), Centered(3)).posterior(y, y),
        _normal(4, 3),
        "y has shape (4, 1)",
        "Centered",
    ),
    "data on a plane": (
        lambda y: FreeEnergy(
            Reconstruction(nn.Linear(1, 2), takes_x=False), Projected()
        ).posterior(None, y),
        _normal(4, 2),
        "y has shape (4, 1)",
        "the decoder",
    ),
    "two populations": (
        lambda hx: VICReg()(hx, _normal(4, 3)),
        _normal(4, 3),
        "hx has shape (4, 1)",
        "hy (4, 3)",
    ),
}


@pytest.mark.parametrize("case", BROADCAST.values(), ids=BROADCAST)
def test_fault_50_events_of_one_number_meet_no_wider_ones(case):
    use, tensor, *fragments = case
    refused(ShapeError, lambda: use(tensor[:, :1]), *fragments)
    use(tensor)


def test_fault_54_an_energy_is_a_float_and_never_wraps_around():
    y = torch.tensor([[200, 3]], dtype=torch.uint8)
    square = FunctionEnergy(lambda y: y.square().sum(-1))
    # Otherwise 200² would be 64.
    refused(DtypeError, lambda: square(None, y), "the energy of FunctionEnergy", "int64")
    refused(DtypeError, lambda: Potential(lambda y: y.sum(-1))(y.int()), "a potential returned")
    refused(DtypeError, lambda: Banana()(None, y), "y has dtype torch.uint8")
    refused(DtypeError, lambda: Clusters(torch.eye(2))(None, y, torch.tensor([0])), "y has dtype")
    for wrong in (y, y.cfloat()):
        refused(DtypeError, lambda y=wrong: SquaredDistance()(y, y), "expected floating point")
    assert float(square(None, y.float())) == 40009.0
    # A constant is not rounded to the type of labels.
    torch.testing.assert_close(
        Constant(3.7, y_ndim=0)(None, torch.tensor([1, 2])).detach(), torch.tensor([3.7, 3.7])
    )


@pytest.mark.parametrize("name", sorted(set(losses.__all__) - {"MarginLoss"}))
def test_fault_54_losses_take_energies_of_one_real_kind(name):
    kind = getattr(losses, name)
    loss = kind() if isinstance(kind, type) else kind
    e_pos, e_neg = _normal(4), _normal(4, 3)
    refused(DtypeError, lambda: loss(e_pos.double(), e_neg), "e_pos", "e_neg", "float64")
    refused(DtypeError, lambda: loss(e_pos, e_neg.to(torch.complex64)), "e_neg", "complex64")
    refused(DtypeError, lambda: loss(e_pos.long(), e_neg), "e_pos", "int64")
    refused(ConfigurationError, lambda: loss(e_pos, e_neg.numpy()), "e_neg", "ndarray")
    assert loss(e_pos.double(), e_neg.double()).dtype == torch.float64


def test_numbers_that_are_none_hide_in_no_volume_and_no_likelihood():
    centers, box = _normal(3, 2), (-torch.ones(2), torch.ones(2))
    hidden = torch.where(torch.arange(6).reshape(3, 2) == 3, torch.nan, centers)
    refused(NonFiniteError, lambda: balls_volume(hidden, 1.0, _rng()), "centers (3, 2)", "NaN")
    refused(ShapeError, lambda: balls_volume(centers, torch.ones(2), _rng()), "radius", "(2,)")
    bowl = Banana().given()
    refused(ConfigurationError, lambda: low_energy_volume(bowl, math.nan, *box), "threshold")
    refused(ConfigurationError, lambda: low_energy_volume(bowl, 1.0, box[0], box[1] / 0), "finite")
    grid, energies, at = torch.linspace(-1, 1, 9), _normal(4, 9), _normal(4)
    refused(
        ConfigurationError,
        lambda: metrics.conditional_nll(energies, grid, None, 1.0),  # pyright: ignore
        "at is of type NoneType",
    )
    refused(DtypeError, lambda: metrics.conditional_nll(energies, grid.byte(), at, 1.0), "grid")
    assert balls_volume(centers, 1.0, _rng()).log_volume.isfinite()
    assert low_energy_volume(bowl, 1.0, *box, points=64).volume.isfinite()
    assert metrics.conditional_nll(energies, grid, at, 1.0).isfinite()


NO_COUNTS = [math.inf, math.nan, 1.5, -1, True, None, "3"]
COUNTED = {
    "depth": lambda n: ViT(8, 4, dim=4, depth=n, heads=1),
    "heads": lambda n: ViT(8, 4, dim=4, depth=1, heads=n),
    "stages": lambda n: ConvNet(1, 1, 2, n),
    "outputs": lambda n: ebmlab.networks.MLP(2, n),
    "x_dim": lambda n: MLP(2, n),
    "x_ndim": lambda n: methods.simclr(nn.Linear(4, 4), 4, x_ndim=n),
    "y_ndim": lambda n: FunctionEnergy(torch.sum, y_ndim=n),
    "frozen_steps": lambda n: Prototypes(3, 3, n),
    "dim": lambda n: Centered(n),
    "steps": lambda n: linear(1.0, 0.5, n),
    "draws": lambda n: balls_volume(_normal(3, 2), 1.0, _rng(), draws=n),
}


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("wrong", NO_COUNTS)
def test_counts_are_whole_numbers(name, wrong):
    refused(ConfigurationError, lambda: COUNTED[name](wrong), f"{name} is {wrong}", "whole")
    COUNTED[name](2)


@pytest.mark.parametrize("seed", [math.inf, math.nan, 1.5, None, "3"])
def test_seeds_are_whole_numbers(seed):
    clustered = (Prototypes(2, 2), Memory(4, 2), 1)
    for build in (
        lambda s: SIGReg(seed=s),
        lambda s: Memory(4, 2, s),
        lambda s: Clustered(*clustered, seed=s),
    ):
        refused(ConfigurationError, lambda build=build: build(seed), "seed is", "whole")
        build(-1)


def test_weights_of_objectives_are_finite():
    for wrong in (math.nan, math.inf):
        refused(ConfigurationError, lambda w=wrong: w * Regularized(), f"weight is {wrong}")
    assert (0.5 * Regularized())(SquaredDistance(), *[_normal(4, 2)] * 2).value == 0


class Narrow(nn.Module):
    """Not of this library: it fails as torch does, and counts how often it ran."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, y):
        return self.layer(y)


def first_of_three(y):
    return Narrow()(y)[:, 0]


WIDE = _normal(4, 5)
CALLED = {
    "an energy": (lambda y: FunctionEnergy(Narrow())(None, y), "Narrow"),
    "a potential": (lambda y: Potential(first_of_three)(y), "first_of_three"),
    "chains": (
        lambda y: run(Langevin(0.1), lambda y: Narrow()(y)[:, 0], y, steps=1, rng=_rng()),
        "",
    ),
    "an encoder": (
        lambda y: Method(SquaredDistance(), Regularized(), encoder=Narrow()).encode(y),
        "Narrow",
    ),
    "an inference": (
        lambda y: FreeEnergy(Reconstruction(Narrow(), takes_x=False), Enumerate(y)).posterior(
            None, _normal(4, 3)
        ),
        "Narrow",
    ),
    "clusters": (lambda y: Assignment(Prototypes(2, 3))(y, y, SHARES), "Assignment"),
}


@pytest.mark.parametrize("case", CALLED.values(), ids=CALLED)
def test_what_torch_says_of_a_wrong_width_is_told_with_tensor_shape_and_module(case):
    use, who = case
    refused(ShapeError, lambda: use(WIDE), "(4, 5)", who, "4x5 and 2x3")
    with pytest.raises(ShapeError) as caught:
        use(WIDE)
    assert type(caught.value.__cause__) in (RuntimeError, ShapeError)


def test_faults_of_a_program_are_not_taken_for_those_of_its_tensors():
    def forgotten(y):
        return y.no_such_thing

    def exhausted(y):
        raise torch.OutOfMemoryError("no memory")

    def later(y):
        raise NotImplementedError("to be written")

    for function, kind in (
        (forgotten, AttributeError),
        (exhausted, torch.OutOfMemoryError),
        (later, NotImplementedError),
    ):
        with pytest.raises(kind) as caught:
            Potential(function)(_normal(4, 2))
        assert type(caught.value) is kind
    refused(ConfigurationError, lambda: Potential(forgotten)(None), "y None", "pass a tensor as y")


def unpacking(source: str) -> list[str]:
    """The calls of a program that write an archive's entries into a folder."""
    names = {"extract", "extractall", "unpack_archive"}
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [f.attr for f in calls if isinstance(f, ast.Attribute) and f.attr in names]


def test_fault_41_no_archive_is_unpacked_into_a_folder():
    folder = Path(ebmlab.__file__).parent
    sources = [file.read_text(encoding="utf-8") for file in folder.rglob("*.py")]
    assert len(sources) > 400
    assert not any(unpacking(source) for source in sources if ".extract" in source)
    assert not any("unpack_archive" in source for source in sources)
    assert unpacking("tarfile.open(name).extractall(folder)") == ["extractall"]
