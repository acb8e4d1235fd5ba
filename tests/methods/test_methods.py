"""Recipes: each is judged against a plain formula of its paper, values and gradients."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmlab import Method, methods
from ebmlab.energies import MLP, Uniform
from ebmlab.networks import MLP as Net
from ebmlab.networks import Choice
from ebmlab.samplers import Langevin
from ebmlab.teachers import EMA


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _net(*sizes: int, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Net(sizes[0], sizes[-1], sizes[1:-1]).double()


def _views(n: int = 6, dim: int = 5) -> tuple[Tensor, Tensor]:
    first, second = torch.randn(2, n, dim, generator=_rng(), dtype=torch.float64)
    return first, first + 0.3 * second


def _judge(method: Method, x, y, expected: Tensor) -> None:
    """The loss and its gradients in all parameters equal those of `expected`."""
    own = [p for p in method.parameters() if p.requires_grad]
    value = method(x, y, _rng()).value
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    found = torch.autograd.grad(value, own)
    for a, b in zip(found, torch.autograd.grad(expected, own), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def test_siamese_is_the_contrastive_loss_of_all_pairs():
    f, (a, b) = _net(5, 8, 3), _views()
    d = (f(a)[:, None] - f(b)[None]).square().sum(-1)
    off = ~torch.eye(len(a), dtype=torch.bool)
    push = (2.0 - d).clamp(min=0).square()[off].reshape(len(a), -1).mean(1)
    _judge(methods.siamese(f, margin=2.0), a, b, (d.diagonal().square() + push).mean())


def test_simclr_is_nt_xent():
    method = methods.simclr(_net(5, 8, 4), 4, projection=3, temperature=0.2).double()
    a, b = _views()
    f = method.energy.online
    h = functional.normalize(torch.cat([f(a), f(b)]), dim=1)
    n = len(a)
    logits = (h @ h.T / 0.2).masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
    target = torch.arange(2 * n).roll(n)
    _judge(method, (a, b), (a, b), functional.cross_entropy(logits, target))


def test_vicreg_is_its_authors_loss():
    f, (a, b) = _net(5, 8, 4), _views(8)
    ha, hb = f(a), f(b)
    loss = 25 * functional.mse_loss(ha, hb)
    for codes in (ha, hb):
        h = codes - codes.mean(0)
        std = (h.var(0) + 1e-4).sqrt()
        loss = loss + 25 * functional.relu(1 - std).mean() / 2
        covariance = h.T @ h / (len(h) - 1)
        off = covariance - covariance.diagonal().diag()
        loss = loss + off.square().sum() / h.shape[1]
    _judge(methods.vicreg(f, 4), a, b, loss)


def test_vicreg_with_two_encoders_and_a_projector_compares_projected_codes():
    f, g, p, (a, b) = _net(5, 8, 4), _net(5, 6, 3, seed=1), _net(4, 3), _views(8)
    method = methods.vicreg(f, 3, g, projector=p)
    torch.testing.assert_close(method.energy(a, b), (p(f(a)) - g(b)).square().sum(-1))
    torch.testing.assert_close(method.encode(a), f(a))


def test_simsiam_stops_the_targets_gradient():
    method = methods.simsiam(_net(5, 8, 4), 4, projection=6, bottleneck=3).double()
    (a, b), f, p = _views(), method.energy.online, method.energy.head.predictor
    ha, hb = f(a), f(b)
    one, two = (
        functional.cosine_similarity(p(h), other.detach()).mean()
        for h, other in ((ha, hb), (hb, ha))
    )
    _judge(method, (a, b), (a, b), -0.5 * (one + two))


def test_byol_follows_a_slow_teacher():
    method = methods.byol(_net(5, 8, 4), 4, projection=3, hidden=6, decay=0.9).double()
    teacher = method.energy.target
    assert isinstance(teacher, EMA)
    for weight in teacher.module.parameters():
        weight.add_(0.1)
    (a, b), f, p = _views(), method.energy.online, method.energy.head.predictor
    ta, tb = teacher(a), teacher(b)
    both = [
        2 - 2 * functional.cosine_similarity(p(f(view)), target).mean()
        for view, target in ((a, tb), (b, ta))
    ]
    value = method((a, b), (a, b)).value
    torch.testing.assert_close(value + 4, sum(both))
    before = next(teacher.module.parameters()).clone()
    student = next(f.parameters())
    method((a, b), (a, b)).commit()
    torch.testing.assert_close(
        next(teacher.module.parameters()), 0.9 * before + 0.1 * student.detach()
    )


def test_regression_is_least_squares_over_images_too():
    f = nn.Sequential(nn.Flatten(), nn.Linear(12, 12), nn.Unflatten(1, (3, 2, 2))).double()
    x, y = torch.randn(2, 5, 3, 2, 2, generator=_rng(), dtype=torch.float64)
    method = methods.regression(f, x_ndim=3, y_ndim=3)
    _judge(method, x, y, (f(x) - y).square().sum((1, 2, 3)).mean())


def test_joint_embedding_is_the_mean_squared_distance():
    f, g, (a, b) = _net(5, 8, 4), _net(5, 8, 4, seed=1), _views()
    _judge(methods.joint_embedding(f, g), a, b, (f(a) - g(b)).square().sum(1).mean())


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_latent_prediction_is_a_minimum_or_a_soft_one(temperature):
    net, (x, y) = _net(5, 8, 3 * 5), _views()
    method = methods.latent_prediction(
        Choice(net, 3), torch.eye(3, dtype=torch.float64), temperature
    )
    each = (net(x).reshape(-1, 3, 5) - y[:, None]).square().sum(-1)
    soft = -0.5 * ((-each / 0.5).logsumexp(1) - math.log(3))
    _judge(method, x, y, (soft if temperature else each.amin(1)).mean())


def test_noise_contrastive_is_a_softmax_among_draws():
    energy, (x, y) = MLP(5, x_dim=5, hidden=(8,)).double(), _views()
    low, high = torch.full((5,), -2.0).double(), torch.full((5,), 2.0).double()
    density = Uniform(low, high)
    draws = density.sample(3 * len(y), _rng()).reshape(3, *y.shape)
    logits = -torch.cat([energy(x, y)[None], energy(x, draws)]).T
    expected = functional.cross_entropy(logits, torch.zeros(len(y), dtype=torch.long))
    _judge(methods.noise_contrastive(energy, density, k=3), x, y, expected)


def test_igebm_pushes_up_its_own_chains():
    energy, (_, y) = MLP(5, hidden=(8,)).double(), _views()
    method = methods.igebm(energy, torch.zeros(20, 5).double(), Langevin(0.01), steps=3)
    loss = method(None, y, _rng())
    slots = torch.randperm(20, generator=_rng())[: len(y)]
    loss.commit()
    chains = method.objective.negatives.pool[slots]
    high, low = energy(None, chains), energy(None, y)
    again = (low - high + low.square() + high.square()).mean()
    torch.testing.assert_close(loss.value, again)


def test_denoising_score_of_the_blurred_datas_energy_is_least():
    # At the optimum for data at 0 the slope is ỹ/σ² and the loss exactly 0; elsewhere it is not.
    class Bowl(nn.Module):
        def __init__(self, variance: float) -> None:
            super().__init__()
            self.variance = nn.Parameter(torch.tensor(variance, dtype=torch.float64))

        def forward(self, y: Tensor) -> Tensor:
            return 0.5 * y.square().sum(-1) / self.variance

    from ebmlab import FunctionEnergy

    y = torch.zeros(50, 2, dtype=torch.float64)
    right, wrong = (
        methods.denoising_score(FunctionEnergy(Bowl(v)), 0.3)(None, y, _rng()).value
        for v in (0.09, 0.2)
    )
    assert right < 1e-20 < 1e-3 < wrong


def test_every_recipe_prints_what_it_is_made_of():
    shown = repr(methods.simclr(_net(5, 8, 4), 4))
    for part in ("JointEmbedding", "Cosine()", "InfoNCE(temperature=0.5)", "InBatch(both=True)"):
        assert part in shown
    assert "VICReg(std=25.0" in repr(methods.vicreg(_net(5, 8, 4), 4))
