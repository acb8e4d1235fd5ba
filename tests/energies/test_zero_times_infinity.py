"""0 · (-∞) is 0: a probability of 0 with an infinite log costs nothing and passes no gradient."""

import math

import pytest
import torch
from problems import F64, f64
from torch import nn
from torch.nn import functional

from ebmlab import FreeEnergy
from ebmlab.energies import Assignment, Bernoulli, BinaryCrossEntropy, CrossEntropy, SuperClasses
from ebmlab.errors import ConfigurationError
from ebmlab.inference import AmortizedCategorical, Sinkhorn
from ebmlab.regularizers import MeanEntropy

INF = math.inf
LOWEST = {torch.float64: -INF, torch.float32: -INF, torch.bfloat16: -INF, torch.float16: -65504.0}
TARGETS = f64([[1.0, 0.0, 0.0], [0.25, 0.0, 0.75]])


def of_superclasses(x, z):
    energy = SuperClasses(1, labels=1, clusters=3, parts=1).double()
    nn.init.zeros_(energy.coarse.weight)
    label = torch.zeros(z.shape[:-1], dtype=torch.long)
    bias = {"coarse.bias": x.reshape(-1)}
    return torch.func.functional_call(energy, bias, (x.new_zeros(*x.shape[:-1], 1), label, z))


CROSS_ENTROPIES = {
    "CrossEntropy": CrossEntropy(),
    "Assignment": lambda x, z: Assignment(temperature=1.0)(x, x, z),
    "SuperClasses": of_superclasses,
}


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
@pytest.mark.parametrize("pairs", [False, True], ids=["rows", "all pairs"])
def test_a_cluster_that_cannot_be_costs_nothing_where_it_is_not_asked_for(name, pairs):
    x = f64([[0.3, -INF, -1.0]]).requires_grad_()
    z = (TARGETS[None] if pairs else TARGETS).clone().requires_grad_()
    energy = CROSS_ENTROPIES[name](x[:, None] if pairs else x, z)
    kept = [0, 2]
    log_p = x[:, kept].log_softmax(-1)
    due = -(TARGETS[:, kept] * log_p).sum(-1)
    torch.testing.assert_close(energy.flatten(), due)
    slope, of_z = torch.autograd.grad(energy.sum(), (x, z))
    (right,) = torch.autograd.grad(due.sum(), x)
    torch.testing.assert_close(slope, right)
    torch.testing.assert_close(of_z.reshape(2, 3)[:, kept], -log_p.expand(2, 2))
    assert of_z.isfinite().all()
    # Where it is asked for the energy is infinite. Control: the bare sum is NaN in either case.
    asked = CROSS_ENTROPIES[name](x, f64([[0.0, 1e-6, 1.0 - 1e-6]]))
    assert asked.isposinf().all()
    assert torch.einsum("bk,nk->bn", TARGETS, x.log_softmax(-1)).isnan().all()


@pytest.mark.parametrize("kind", LOWEST)
@pytest.mark.parametrize("make", [CrossEntropy, Assignment])
def test_logits_at_the_end_of_every_type_cost_as_in_double_precision(make, kind):
    x = torch.tensor([[0.5, LOWEST[kind], -LOWEST[torch.float16], 0.0]], dtype=kind)
    z = torch.tensor([[0.0, 0.0, 1.0, 0.0]], dtype=kind)
    x.requires_grad_()
    energy = make(temperature=0.1)(x, z) if make is CrossEntropy else make(None, 0.1)(x, x, z)
    (slope,) = torch.autograd.grad(energy.sum(), x)
    assert float(energy.detach()) == 0
    assert (slope == 0).all()


def test_bits_that_are_certain_cost_nothing_or_infinitely_much():
    x = f64([INF, INF, INF, -INF, -INF, -INF, 0.0]).requires_grad_()
    y = f64([1.0, 0.0, 0.5, 0.0, 1.0, 0.5, 1.0])
    each = BinaryCrossEntropy(ndim=0)(x, y)
    torch.testing.assert_close(each, f64([0.0, INF, INF, 0.0, INF, INF, math.log(2)]))
    (slope,) = torch.autograd.grad(each[[0, 3, 6]].sum(), x)
    torch.testing.assert_close(slope, f64([0.0] * 6 + [-0.5]))
    assert functional.binary_cross_entropy_with_logits(x[3], y[3]).isnan()


def test_a_unit_that_is_never_one_leaves_the_others_as_they_are():
    units, others = Bernoulli(f64([0.7, -INF, -0.2])), Bernoulli(f64([0.7, -0.2]))
    y = f64([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(units(None, y), others(None, y[:, [0, 2]]))
    torch.testing.assert_close(units.log_z, others.log_z)
    assert units(None, f64([[0.0, 1.0, 0.0]])).isposinf()
    for bad in (INF, math.nan):
        with pytest.raises(ConfigurationError, match=r"below \+∞"):
            Bernoulli(f64([0.0, bad]))


def test_an_output_that_no_datum_has_adds_nothing_to_the_entropy_of_the_mean():
    kept = f64([[0.1, 0.9], [-2.0, 0.3], [1.0, 0.0]]).requires_grad_()
    h = functional.pad(kept, (0, 1), value=-INF)
    value, due = MeanEntropy(0.5)(h, h), MeanEntropy(0.5)(kept, kept)
    torch.testing.assert_close(value, due)
    slopes = [torch.autograd.grad(each, kept)[0] for each in (value, due)]
    torch.testing.assert_close(*slopes)


def test_a_code_that_the_encoder_rules_out_carries_no_information():
    class Ruled(nn.Module):
        def forward(self, x, y):
            return functional.pad(y, (0, 1), value=-INF)

    y = f64([[0.4, -0.4]]).requires_grad_()
    energy = Assignment(temperature=1.0)
    infer = AmortizedCategorical(Ruled())
    q = infer(energy, y.new_zeros(1, 3), y, 1.0, rng=torch.Generator().manual_seed(0))
    p = y.softmax(-1)
    due = (p * p.log()).sum(-1) + math.log(3)
    torch.testing.assert_close(q.information, due)
    slopes = [torch.autograd.grad(each.sum(), y)[0] for each in (q.information, due)]
    torch.testing.assert_close(*slopes)


def test_balanced_clusters_leave_out_the_cluster_that_no_code_can_enter():
    h = functional.pad(f64([[0.5, -0.2], [0.1, 0.4], [-1.0, 0.0]]), (0, 1), value=-INF)
    head = FreeEnergy(Assignment(), Sinkhorn(0.5))
    z = head.posterior(h, h).atoms[0]
    torch.testing.assert_close(z.sum(1), torch.ones(3, dtype=F64))
    assert (z[:, 2] == 0).all()
    assert head(h, h).isfinite().all()
