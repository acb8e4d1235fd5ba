import math

import pytest
import torch
from problems import randn
from regularizers_support import is_symmetric, same_value_and_slopes, views

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.regularizers import MeanEntropy


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_it_is_the_negative_entropy_of_the_mean_assignment(temperature):
    x, y = views(6, 4)
    p = torch.cat([(h / temperature).softmax(-1) for h in (x, y)]).mean(0)
    same_value_and_slopes(MeanEntropy(temperature)(x, y), (p * p.log()).sum(), x, y)


def test_sharpened_probabilities_are_low_temperatures_of_their_logarithms():
    p = views(6, 4)[0].detach().softmax(-1).requires_grad_()
    sharp = p**4 / (p**4).sum(-1, keepdim=True)
    mean = sharp.mean(0)
    same_value_and_slopes(MeanEntropy(0.25)(p.log(), p.log()), (mean * mean.log()).sum(), p)


def test_it_is_least_where_all_outputs_are_used_and_zero_where_one_is():
    even = 50 * torch.eye(8, dtype=torch.float64)
    assert float(MeanEntropy()(even, even)) == pytest.approx(-math.log(8))
    one = even[:1].expand(8, 8)
    assert float(MeanEntropy()(one, one)) == pytest.approx(0, abs=1e-12)
    assert float(MeanEntropy()(0 * even, 0 * even)) == pytest.approx(-math.log(8))


def test_gradients_are_finite_where_probabilities_underflow():
    logits = torch.tensor([[0.0, 800.0], [0.0, 900.0]], requires_grad=True)
    value = MeanEntropy()(logits, logits)
    (grad,) = torch.autograd.grad(value, logits)
    assert grad.isfinite().all()
    # Control: by p log p it is NaN.
    p = logits.softmax(-1).mean(0)
    (bare,) = torch.autograd.grad((p * p.log()).sum(), logits)
    assert bare.isnan().any()


def test_batches_and_views_have_no_order():
    assert is_symmetric(MeanEntropy(0.5), *views())


def test_half_precision_and_autocast_are_computed_in_float32():
    h = randn(64, 8).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = MeanEntropy()(h, h)
    assert torch.equal(inside, MeanEntropy()(h, h))
    assert MeanEntropy()(h.bfloat16(), h.bfloat16()).dtype == torch.float32


def test_faults_are_refused_by_name():
    with pytest.raises(ConfigurationError, match="temperature"):
        MeanEntropy(0.0)
    with pytest.raises(ShapeError, match=r"\(1, 4\)"):
        MeanEntropy()(torch.zeros(1, 4), torch.zeros(1, 4))
