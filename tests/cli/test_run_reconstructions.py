"""What runs draw of images: those shown, and what became of them."""

import pytest
import torch

from ebmlab.runs import Config
from ebmlab.runs._images.reconstructions import reconstructed
from ebmlab.runs.build import build


def built(method, encoder=None):
    return build(Config(method, "digits", 1, 8, 1e-3, True, encoder, 8, 32, 0, "cpu"))


def test_visible_patches_stay_and_the_network_fills_the_others():
    run = built("masked_autoencoder")
    # No pixel is as gray as what is hidden.
    images = 0.9 * run.images.test_images[:5]
    rows = reconstructed(run, images)
    assert list(rows) == ["y", "visible", "completed"]
    assert torch.equal(rows["y"], images)
    shown = rows["visible"] == images
    assert 0.2 < shown.float().mean() < 0.4
    assert (rows["visible"][~shown] == 0.5).all()
    assert torch.equal(rows["completed"][shown], images[shown])
    again = built("masked_autoencoder")
    with torch.no_grad():
        again.method.energy.get_parameter("network.leave.bias").add_(1.0)
    moved = reconstructed(again, images)["completed"] - rows["completed"]
    assert torch.equal(moved == 0, rows["completed"] == images)
    torch.testing.assert_close(moved[moved != 0], torch.ones_like(moved[moved != 0]))


@pytest.mark.parametrize(("method", "encoder"), [("autoencoder", "mlp"), ("pca", None)])
def test_y_stands_above_what_z_decodes_to(method, encoder):
    run = built(method, encoder)
    rows = reconstructed(run, run.images.test_images[:5])
    assert list(rows) == ["y", "decoded"]
    assert torch.equal(rows["y"], run.images.test_images[:5])
    assert rows["decoded"].shape == rows["y"].shape


def test_methods_that_decode_nothing_show_nothing():
    assert reconstructed(built("simclr", "conv"), torch.rand(5, 1, 8, 8)) == {}
