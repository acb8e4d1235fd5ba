import os

import pytest
import torch

from ebmlab.data import digits, fashion_mnist, mnist
from ebmlab.errors import ConfigurationError


def test_digits_are_the_ones_of_scikit_learn():
    pictures, labels = digits()
    assert pictures.shape == (1797, 1, 8, 8)
    assert (pictures.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert (pictures.min(), pictures.max()) == (0, 1)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # A zero is dark in the middle and light around it.
    zero = pictures[labels == 0].mean((0, 1))
    assert zero[3:5, 3:5].mean() < 0.2 < 0.5 < zero[1, 3:5].mean()


@pytest.mark.parametrize("load", [mnist, fashion_mnist])
def test_an_unknown_split_is_refused(load):
    with pytest.raises(ConfigurationError, match="validation"):
        load("validation")


# Mean and standard deviation of the training pixels as widely published, and labels per class.
KNOWN = {
    mnist: (0.1307, 0.3081, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
    fashion_mnist: (0.2860, 0.3530, [6000] * 10),
}


@pytest.mark.parametrize("load", [mnist, fashion_mnist])
def test_the_real_files_hold_what_is_known_of_them(load):
    if not os.environ.get("EBMLAB_DATA"):
        pytest.skip("EBMLAB_DATA names no folder with the MNIST files")
    mean, std, counts = KNOWN[load]
    pictures, labels = load("train")
    assert pictures.shape == (60000, 1, 28, 28)
    assert (pictures.min(), pictures.max()) == (0, 1)
    assert pictures.mean() == pytest.approx(mean, abs=1e-4)
    assert pictures.std() == pytest.approx(std, abs=1e-4)
    assert labels.bincount().tolist() == counts
    pictures, labels = load("test")
    assert pictures.shape == (10000, 1, 28, 28)
    assert labels.shape == (10000,)
