"""A classifier is an energy: labels are clamped, summed out, and chains move the image."""

import pytest
import torch
from problems import F64, f64, fits, generator, randn
from scipy import stats
from torch import nn

from ebmlab import run
from ebmlab.energies import Classifier, Constant, Ensemble, Gaussian, Mixture
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.losses import difference
from ebmlab.negatives import FromData, Hard, Noise
from ebmlab.objectives import Contrastive, DenoisingScore, LabelLikelihood, Unconditional
from ebmlab.samplers import MALA, Langevin
from ebmlab.samplers._steps.start import noise_like

ROUND = Gaussian(f64([0.0, 0.0]), torch.eye(2, dtype=F64))
LABELS = torch.tensor([0, 4, 2, 2, 1])


def classifier(classes: int = 5) -> Classifier:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, classes))
    return Classifier(network.double(), y_ndim=1)


def test_it_is_minus_a_logit_and_minus_the_log_of_their_sum():
    energy, y = classifier(), randn(5, 2)
    logits = energy.network(y)
    torch.testing.assert_close(energy(LABELS, y), -logits[torch.arange(5), LABELS])
    torch.testing.assert_close(energy(None, y), -logits.exp().sum(1).log())
    torch.testing.assert_close(energy.encode(y), logits)
    log_p = logits.log_softmax(1)
    torch.testing.assert_close(energy.probabilities(y), log_p.exp())
    found = energy(None, y) - energy(LABELS, y)
    torch.testing.assert_close(found, log_p[torch.arange(5), LABELS])
    every = energy.for_each_x(y)
    torch.testing.assert_close(every, energy(torch.arange(5), y[:, None]))
    torch.testing.assert_close(energy.at_each(LABELS, y), energy(LABELS[:, None], y[None]))
    torch.testing.assert_close(energy.at_each(None, y), energy(None, y))
    # Control: a mean in place of the sum is another energy, by log 5.
    assert (energy(None, y) + logits.exp().mean(1).log()).abs().min() > 1.6


PARTS = {
    "tempered": (lambda e: e / 0.5, lambda own, g: own / 0.5),
    "weighed": (lambda e: 3.0 * e, lambda own, g: 3 * own),
    "a product": (lambda e: e + ROUND,
                  lambda own, g: own + g),
    "twice": (lambda e: e + 0.5 * e, lambda own, g: 1.5 * own),
    "an ensemble": (
        lambda e: Ensemble(e, ROUND),
        lambda own, g: 0.5 * (own + g),
    ),
    "a mixture": (
        lambda e: Mixture(e, ROUND),
        lambda own, g: -torch.stack([-own, -g + 0 * own]).logsumexp(0) + torch.tensor(2.0).log(),
    ),
    "a product, tempered": (lambda e: (e + Constant(2.0).double()) / 0.5,
                            lambda own, g: (own + 2) / 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_labels_are_summed_out_of_what_is_made_of_it(name):
    energy, y = classifier(), randn(5, 2)
    compose, due = PARTS[name]
    whole = compose(energy)
    gaussian = 0.5 * y.square().sum(1)
    table = due(-energy.network(y), gaussian[:, None].expand(5, 5))
    torch.testing.assert_close(whole(LABELS, y), table[torch.arange(5), LABELS])
    torch.testing.assert_close(whole(None, y), -(-table).exp().sum(1).log())
    torch.testing.assert_close(whole.at_each(None, y), whole(None, y))
    value, grad = whole.given().value_and_grad(y)
    free = y.clone().requires_grad_()
    total = -(-due(-energy.network(free), 0.5 * free.square().sum(1)[:, None])).logsumexp(1).sum()
    torch.testing.assert_close(value, whole(None, y).detach())
    torch.testing.assert_close(grad, torch.autograd.grad(total, free)[0])
    loss = LabelLikelihood()(whole, LABELS, y).value
    wanted = nn.functional.cross_entropy(-table, LABELS)
    torch.testing.assert_close(loss, wanted)
    weights = list(energy.parameters())
    pairs = zip(*(torch.autograd.grad(v, weights) for v in (loss, wanted)), strict=True)
    for got, want in pairs:
        torch.testing.assert_close(got, want)


class Counting(nn.Linear):
    """A network that notes the rows of every call."""

    def __init__(self) -> None:
        super().__init__(2, 3, dtype=F64)
        self.seen: list[int] = []

    def forward(self, input):
        self.seen.append(len(input))
        return super().forward(input)


def test_the_network_runs_once_for_both_energies():
    network, y = Counting(), randn(6, 2)
    energy, labels = Classifier(network, y_ndim=1), torch.tensor([0, 1, 2, 2, 1, 0])
    loss = LabelLikelihood()(energy, labels, y)
    loss.commit()
    assert network.seen == [6]
    logits = nn.functional.linear(y, network.weight, network.bias)
    torch.testing.assert_close(loss.value, nn.functional.cross_entropy(logits, labels))


@pytest.mark.parametrize("x", [None, LABELS])
@pytest.mark.parametrize("points", [FromData(Langevin(0.01), 2), Noise(ROUND)])
def test_chains_and_noise_are_images_and_not_logits(points, x):
    energy, y = classifier(), randn(5, 2)
    contrast = Contrastive(difference, Hard(points, 1))
    objective = contrast if x is not None else Unconditional(contrast)
    value = objective(energy, LABELS, y, generator()).value
    e_neg = points(energy, x, y, generator()).energies
    torch.testing.assert_close(value, energy(x, y).mean() - e_neg.mean())


def test_given_a_label_chains_draw_the_images_of_that_label():
    # Logits that are quadratic in y make p(y | k) a Gaussian about -1 or 2, of width 1.
    class Quadratic(nn.Module):
        def forward(self, y):
            return -0.5 * (y - f64([-1.0, 2.0])).square()

    energy, start = Classifier(Quadratic(), y_ndim=1), randn(3000, 1)
    for label, center in ((0, -1.0), (1, 2.0)):
        u = energy.given(torch.tensor(label))
        y = run(MALA(0.9), u, start, steps=30, rng=generator()).state.y[:, 0]
        assert fits(y, stats.norm(center, 1.0).cdf)
        assert not fits(y, stats.norm(1.0 - center, 1.0).cdf)
    y = run(MALA(0.9), energy.given(), 2 * start, steps=60, rng=generator()).state.y[:, 0]
    both = [stats.norm(c, 1.0) for c in (-1.0, 2.0)]
    assert fits(y, lambda t: 0.5 * (both[0].cdf(t) + both[1].cdf(t)), 1e-9)


def test_a_slope_of_p_of_y_is_what_unconditional_denoising_sees():
    energy, y = classifier(), randn(5, 2)
    loss = Unconditional(DenoisingScore(0.3))(energy, LABELS, y, generator()).value
    noise = noise_like(y, generator())
    free = (y + 0.3 * noise).requires_grad_()
    total = -energy.network(free).logsumexp(1).sum()
    (grad,) = torch.autograd.grad(total, free, create_graph=True)
    torch.testing.assert_close(loss, 0.5 * (0.3 * grad - noise).square().sum(1).mean())


def test_labels_that_are_none_are_refused():
    energy, y = classifier(), randn(5, 2)
    for wrong, kind, told in (
        (LABELS + 1, ConfigurationError, "label 5; labels of 5 classes are 0 … 4"),
        (LABELS - 1, ConfigurationError, "label -1"),
        (LABELS.double(), DtypeError, "float64"),
        (LABELS[:3], ShapeError, "batches differ"),
    ):
        with pytest.raises(kind, match=told):
            energy(wrong, y)
    with pytest.raises(ConfigurationError, match="x is None: a likelihood of x needs data"):
        LabelLikelihood()(energy, None, y)
    with pytest.raises(ConfigurationError, match="Gaussian does not list its x"):
        LabelLikelihood()(ROUND, LABELS, y)
