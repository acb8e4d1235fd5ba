"""What arrives in another shape, or of another kind, than it is meant: told, and not used."""

import warnings

import numpy as np
import pytest
import torch
from faults_support import _normal, _rng, refused
from torch import nn

from ebmlab import FunctionEnergy, Plane, fit, landscape, methods, plot, run
from ebmlab._batched import over_batch
from ebmlab._events import per_datum
from ebmlab.energies import (
    MLP,
    BinaryCrossEntropy,
    ConvNet,
    Cosine,
    CrossEntropy,
    Gaussian,
    GaussianNLL,
    JointEmbedding,
    PatchError,
    Reconstruction,
    ResNet,
    SquaredDistance,
)
from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError, ShapeError
from ebmlab.losses import Hinge, InfoNCE
from ebmlab.objectives import DenoisingScore
from ebmlab.samplers import Langevin
from ebmlab.testing import check_objective

SHARES = torch.full((4, 3), 1 / 3)
# Energies of x and y with one event shape: (energy, x, y).
ALIKE = {
    "squared distance": lambda: (SquaredDistance(), _normal(4, 3), _normal(4, 3, seed=1)),
    "of images": lambda: (SquaredDistance(3), _normal(4, 3, 5, 5), _normal(4, 3, 5, 5)),
    "cosine": lambda: (Cosine(), _normal(4, 3), _normal(4, 3, seed=1)),
    "cross-entropy": lambda: (CrossEntropy(), _normal(4, 3), SHARES),
    "bits": lambda: (BinaryCrossEntropy(), _normal(4, 3), SHARES),
    "normal": lambda: (GaussianNLL(), _normal(4, 3), _normal(4, 3, seed=1)),
    "patches": lambda: (PatchError(), _normal(4, 2, 3), _normal(4, 2, 3, seed=1)),
}
alike = pytest.mark.parametrize("build", ALIKE.values(), ids=ALIKE)


@alike
def test_fault_50_events_that_would_broadcast_are_refused(build):
    energy, x, y = build()
    narrow = y.narrow(-energy.y_ndim, 0, 1)
    refused(ShapeError, lambda: energy(x, narrow), str(tuple(x.shape)), str(tuple(narrow.shape)))
    refused(
        ShapeError, lambda: energy(x.narrow(-energy.x_ndim, 0, 1), y), "only batches broadcast"
    )
    torch.testing.assert_close(energy(x[:, None], y[None]).diagonal(), energy(x, y))


def test_fault_50_what_is_decoded_or_encoded_has_the_width_of_y():
    x, y = _normal(4, 3), _normal(4, 2)
    narrow = Reconstruction(nn.Linear(2, 1), takes_x=False)
    refused(ShapeError, lambda: narrow(None, x, y), "(4, 1)", "(4, 3)")
    codes = JointEmbedding(nn.Linear(3, 4), nn.Linear(2, 1), SquaredDistance())
    refused(ShapeError, lambda: codes(x, y), "(4, 4)", "(4, 1)")
    assert JointEmbedding(nn.Linear(3, 4), nn.Linear(2, 4), Cosine())(x, y).shape == (4,)


def test_fault_50_a_network_takes_x_and_y_of_their_own_widths_only():
    energy, x, y = MLP(2, x_dim=3), _normal(4, 3), _normal(4, 2)
    for use in (energy, energy.value_and_grad):
        refused(ShapeError, lambda use=use: use(y, x), "y has shape (4, 3)", "(*batch, 2)")
        refused(ShapeError, lambda use=use: use(x[:, :2], y), "x has shape (4, 2)", "(*batch, 3)")
    refused(ShapeError, lambda: landscape(MLP(3).given(), Plane.xy()), "(*batch, 3)")
    assert energy(x, y).shape == (4,)


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (lambda a, b: torch.relu(1 + a - b), "(4, 4)"),
        (lambda a, b: a.mean() - b.mean(), "()"),
        (lambda a, b: a[:, None] - b, "(4, 1)"),
        (lambda a, b: 0.0, "float"),
    ],
    ids=["broadcast", "scalar", "a column", "a number"],
)
def test_fault_51_a_loss_of_another_shape_than_the_batch_is_refused(loss, told):
    data, negatives = _normal(4), _normal(4, 1, seed=1)
    refused(
        ShapeError, lambda: per_datum(loss, data, negatives), told, "expected (4,)", ".mean(1)"
    )


def test_fault_51_negatives_are_k_for_each_datum():
    data, negatives = _normal(4), _normal(4, 3, seed=1)
    for wrong in (_normal(4), _normal(3, 4), _normal(1, 4)):
        refused(ShapeError, lambda e=wrong: per_datum(Hinge(1.0), data, e), "k negatives for each")
    for loss in (Hinge(1.0), InfoNCE(0.5), lambda a, b: (a[:, None] - b).mean(1)):
        assert torch.equal(per_datum(loss, data, negatives), loss(data, negatives))


FLOATS = {
    **{name: build for name, build in ALIKE.items() if name != "of images"},
    "network": lambda: (MLP(3, x_dim=3), _normal(4, 3), _normal(4, 3, seed=1)),
    "density": lambda: (Gaussian(torch.zeros(3), torch.eye(3)), None, _normal(4, 3)),
}


@pytest.mark.parametrize("build", FLOATS.values(), ids=FLOATS)
def test_fault_54_whole_and_complex_numbers_and_arrays_are_refused(build):
    energy, x, y = build()
    refused(DtypeError, lambda: energy(x, torch.ones_like(y, dtype=torch.long)), "y", "int64")
    refused(DtypeError, lambda: energy(x, y.cfloat()), "complex64", "view_as_real")
    for use in (lambda y: energy(x, y), lambda y: energy.given(x).value_and_grad(y)):
        refused(ConfigurationError, lambda use=use: use(y.numpy()), "ndarray", "torch.as_tensor")
        use(y)
    refused(ConfigurationError, lambda: energy(x, list(y)), "y is of type list")


def test_fault_54_labels_are_told_from_shares():
    logits = _normal(4, 3)
    refused(DtypeError, lambda: CrossEntropy()(logits, torch.arange(4)), "int64", "one_hot")
    shares = nn.functional.one_hot(torch.arange(4) % 3, 3).float()
    assert CrossEntropy()(logits, shares).shape == (4,)


IMAGES = torch.rand(4, 1, 8, 8, generator=_rng())
FLAT = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 1), nn.Flatten(0))
BYTES = (255 * IMAGES).byte()
READ = {
    "y_ndim left at 1": (FunctionEnergy(FLAT), IMAGES, "y_ndim = 1", "for images set y_ndim = 3"),
    "channels last": (
        FunctionEnergy(FLAT, y_ndim=3),
        IMAGES.movedim(-3, -1),
        "y (4, 8, 8, 1)",
        "channels come first",
    ),
    "another width": (
        FunctionEnergy(nn.Linear(5, 1)),
        _normal(4, 2),
        "y (4, 2), read as (*batch, *event)",
        "(4x2 and 5x1)",
    ),
    "a batch norm of rows": (
        FunctionEnergy(nn.BatchNorm1d(3), y_ndim=3),
        IMAGES,
        "BatchNorm1d could not take y (4, 1, 8, 8)",
    ),
}


@pytest.mark.parametrize("case", READ.values(), ids=READ)
def test_what_torch_refuses_is_told_as_it_was_read(case):
    energy, y, *told = case
    refused(ShapeError, lambda: energy(None, y), *told)
    with pytest.raises(ShapeError) as caught:
        energy(None, y)
    assert type(caught.value.__cause__) in (RuntimeError, ValueError)
    assert str(caught.value.__cause__) in str(caught.value)
    assert FunctionEnergy(FLAT, y_ndim=3)(None, IMAGES).shape == (4,)


def test_images_of_bytes_are_refused_and_their_mend_told():
    simclr = methods.simclr(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), 4)
    pair = (BYTES, BYTES)
    refused(DtypeError, lambda: simclr(pair, pair, _rng()), "uint8", ".float() / 255")
    for energy in (ConvNet(1, 2, 1), ResNet(1, width=2)):
        refused(DtypeError, lambda e=energy: e(None, BYTES), "uint8", ".float() / 255")
        refused(
            ShapeError, lambda e=energy: e(None, IMAGES.movedim(-3, -1)), "channels come first"
        )
        assert energy(None, BYTES.float() / 255).shape == (4,)


def test_errors_that_say_what_they_mean_pass_unchanged():
    def exhausted(y):
        raise torch.OutOfMemoryError("no memory")

    def odd(y):
        raise NonFiniteError("y holds NaN")

    for function, kind in ((exhausted, torch.OutOfMemoryError), (odd, NonFiniteError)):
        with pytest.raises(kind) as caught:
            over_batch(function, (_normal(4, 2), 1))
        assert caught.value.__cause__ is None


def test_an_energy_is_no_potential_and_no_picture():
    energy = MLP(2)
    for use in (
        lambda: landscape(energy, Plane.xy()),
        lambda: run(Langevin(0.1), energy, _normal(4, 2), steps=1, rng=_rng()),
    ):
        refused(ConfigurationError, use, "MLP", "energy.given(x)")
    refused(ConfigurationError, lambda: landscape(3.0, Plane.xy()), "float", "a function")
    for use in (plot.contour, plot.surface):
        refused(ConfigurationError, lambda use=use: use(energy), "MLP", "ebmlab.landscape")
    plot.contour(landscape(energy.given(), Plane.xy(), resolution=4))


def test_arrays_are_drawn_as_the_tensors_they_hold():
    sheets = [plot.images(batch) for batch in (IMAGES, IMAGES.numpy())]
    drawn = [np.asarray(ax.images[0].get_array()) for ax in sheets]
    assert np.array_equal(*drawn)
    plot.trajectories(_normal(5, 3, 2).numpy())
    refused(ShapeError, lambda: plot.images(IMAGES.movedim(1, -1)), "movedim(-1, 1)")
    for use in (Plane.pca, lambda y: Plane.through(*y[:3]), lambda y: Plane(y[0], y[1:3])):
        refused(ConfigurationError, lambda use=use: use(_normal(5, 3).numpy()), "ndarray")
        use(_normal(5, 3))


def test_images_of_0_to_255_are_told_once_a_run():
    simclr = methods.simclr(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), 4, x_ndim=3)

    def trained(images):
        fit(simclr, ((images, images), (images, images)), steps=3)

    with pytest.warns(UserWarning, match=r"holds values up to 25\d.*divide by 255") as caught:
        trained(BYTES.float())
    assert [str(warning.message)[0] for warning in caught] == ["x"]
    with pytest.warns(UserWarning, match="batch .* divide by 255"):
        plot.images(BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(IMAGES)
        trained(8 * _normal(4, 1, 8, 8))
        plot.images(IMAGES)


def test_a_parameter_that_no_gradient_reaches_is_told_with_its_argument():
    energy, y = MLP(2, hidden=(8,)), _normal(4, 2)
    with pytest.raises(AssertionError, match=r"pass unreached=\('network.2.bias',\)"):
        check_objective(DenoisingScore(0.1), energy, None, y)
    check_objective(DenoisingScore(0.1), energy, None, y, unreached=("network.2.bias",))
