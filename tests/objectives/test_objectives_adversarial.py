"""Two players in one loss: each gets the gradient of its own formula and nothing else."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from ebmlab._slopes import through
from ebmlab.energies import MLP, Autoencoder, Gaussian
from ebmlab.errors import ConfigurationError, GradientError, ShapeError
from ebmlab.function_energy import FunctionEnergy
from ebmlab.losses import Levels, difference, logistic
from ebmlab.negatives import Noise
from ebmlab.networks import MLP as Network
from ebmlab.networks import Conditional, Generator
from ebmlab.objectives import (
    Adversarial,
    Contrastive,
    Cooperative,
    Entropic,
    Fooling,
    GradientPenalty,
    Repelled,
)
from ebmlab.perturbations import Between
from ebmlab.samplers import Langevin, run

B, DIM, K, SIGMA = 6, 3, 4, 0.3


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def players(seed=0):
    """A critic, the encoder of an autoencoder that is one, a generator, data: float64."""
    torch.manual_seed(seed)
    critic = Autoencoder(Network(2, 3, (5,)), Network(3, 2, (5,))).double()
    generator = Generator(Network(DIM, 2, (5,)), DIM).double()
    return critic, generator, torch.randn(B, 2, generator=seeded(1), dtype=torch.float64)


def fooling(critic_of, lead_of):
    """The plain formulas of a game without any more to it."""

    def formulas(critic, generator, y, rng, game):
        fake = generator.network(generator.noise(B, rng))
        lead = lead_of(critic(None, fake)).mean()
        return critic_of(critic(None, y), critic(None, fake.detach())).mean(), lead, fake

    return formulas


def repelled(critic, generator, y, rng, game):
    plain = fooling(lambda p, n: p + (1.5 - n).relu(), lambda e: e)
    value, lead, fake = plain(critic, generator, y, rng, game)
    codes = critic.encoder(fake)
    pairs = [
        functional.cosine_similarity(codes[i], codes[j], dim=0) ** 2
        for i in range(B)
        for j in range(B)
        if i != j
    ]
    return value, lead + 0.7 * torch.stack(pairs).mean(), fake


def cooperative(critic, generator, y, rng, game):
    fake = generator.network(generator.noise(B, rng))
    ends = run(Langevin(0.01), critic.given(), fake.detach(), steps=3, rng=rng).state.y
    lead = (fake - ends).square().sum(1).mean() / (2 * SIGMA**2)
    return (critic(None, y) - critic(None, ends)).mean(), lead, fake


def entropic(critic, generator, y, rng, game):
    """The score of q, weighed by hand, in place of the gradient of log q."""
    z = generator.noise(B, rng)
    fake = generator.network(z)
    drawn = fake + SIGMA * torch.randn(2, B, generator=rng, dtype=torch.float64).T
    xi = torch.randn(K, B, DIM, generator=rng, dtype=torch.float64)
    eta = game.log_eta.exp()
    normal = torch.distributions.Normal
    each = z + eta * xi
    made = generator.network(each)
    parts = normal(made, SIGMA).log_prob(drawn).sum(-1) + normal(0.0, 1.0).log_prob(each).sum(-1)
    logits = parts - normal(z, eta).log_prob(each).sum(-1)
    weights = logits.softmax(0)[..., None]
    score = (weights * (made - drawn) / SIGMA**2).sum(0).detach()
    lead = (critic(None, drawn) + 0.5 * (score * drawn).sum(1)).mean()
    return (critic(None, y) - critic(None, drawn.detach())).mean(), lead, fake


GAMES = {
    "saturating": (
        lambda critic: Fooling(logistic, functional.logsigmoid),
        fooling(
            lambda p, n: -(-p).sigmoid().log() - n.sigmoid().log(), lambda e: e.sigmoid().log()
        ),
    ),
    "non-saturating": (
        lambda critic: Fooling(logistic, functional.softplus),
        fooling(
            lambda p, n: -(-p).sigmoid().log() - n.sigmoid().log(), lambda e: -(-e).sigmoid().log()
        ),
    ),
    "hinge": (
        lambda critic: Fooling(Levels(-1.0, 1.0)),
        fooling(lambda p, n: (1 + p).relu() + (1 - n).relu(), lambda e: e),
    ),
    "Wasserstein": (lambda critic: Fooling(difference), fooling(lambda p, n: p - n, lambda e: e)),
    "EBGAN": (
        lambda critic: Repelled(Fooling(Levels(0.0, 1.5)), critic.encoder, weight=0.7),
        repelled,
    ),
    "cooperative": (lambda critic: Cooperative(Langevin(0.01), 3, SIGMA), cooperative),
    "entropic": (lambda critic: Entropic(DIM, SIGMA, 0.5, K).double(), entropic),
}


@pytest.mark.parametrize("name", GAMES)
def test_each_player_descends_its_own_plain_formula(name):
    make, formulas = GAMES[name]
    critic, generator, y = players()
    game = make(critic)
    loss = Adversarial(generator, game)(critic, None, y, seeded(7))
    loss.value.backward()
    value, lead, _ = formulas(critic, generator, y, seeded(7), game)
    torch.testing.assert_close(loss.terms["critic"], value.detach())
    sides = {"critic": (value, dict(critic.named_parameters())),
             "generator": (lead, dict(generator.named_parameters()))}  # fmt: skip
    for side, (own, parameters) in sides.items():
        due = torch.autograd.grad(own, list(parameters.values()), retain_graph=True)
        for (parameter, p), grad in zip(parameters.items(), due, strict=True):
            torch.testing.assert_close(p.grad, grad, msg=f"{side}: {parameter}")
        # The control: the other sign would be seen, as something moves.
        assert any((g.abs() > 1e-4).any() for g in due), side


@pytest.mark.parametrize("name", GAMES)
def test_each_term_reaches_every_parameter_of_its_player_and_none_of_the_other(name):
    for frozen in ("critic", "generator"):
        critic, generator, y = players()
        game = GAMES[name][0](critic)
        ({"critic": critic, "generator": generator}[frozen]).requires_grad_(False)
        Adversarial(generator, game)(critic, None, y, seeded(7)).value.backward()
        for player, module in {"critic": critic, "generator": generator}.items():
            for parameter, p in module.named_parameters():
                assert (p.grad is None) == (player == frozen), (player, parameter)
    # What the critic gets is the same whether the generator learns or not.
    critic, generator, y = players()
    grads = []
    for learns in (True, False):
        critic.zero_grad()
        generator.requires_grad_(learns)
        loss = Adversarial(generator, GAMES[name][0](critic))(critic, None, y, seeded(7))
        loss.value.backward()
        grads.append([p.grad for p in critic.parameters()])
    for a, b in zip(*grads, strict=True):
        assert torch.equal(a, b)


class Quantiles(Generator):
    """z at the quantiles of N(0, 1), in place of draws."""

    def noise(self, n, rng):
        return quantiles(n)


def quantiles(n):
    return torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)[:, None]


class Quadratic(nn.Module):
    def __init__(self, *weights):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float64))

    def forward(self, y):
        return (self.weights * torch.cat([torch.ones_like(y), y, y.square()], 1)).sum(1)


def log_ratio(mean, std):
    """Coefficients of log p_g - log p_data with p_g = N(mean, std²), p_data = N(0, 1)."""
    return -0.5 * (mean / std) ** 2 - math.log(std), mean / std**2, 0.5 - 0.5 / std**2


def slope_of_critic(loss, weights, mean=0.7, std=1.5):
    """The largest gradient of E = a + by + cy²: data of N(0, 1), fakes of N(mean, std²)."""
    network = nn.Linear(1, 1, dtype=torch.float64).requires_grad_(False)
    network.weight.fill_(std)
    network.bias.fill_(mean)
    objective = Adversarial(Quantiles(network, 1), Fooling(loss, functional.softplus))
    energy = FunctionEnergy(Quadratic(*weights))
    objective(energy, None, quantiles(10_000), seeded()).value.backward()
    return float(next(energy.parameters()).grad.abs().max())


def test_the_critic_at_its_optimum_is_the_logarithm_of_the_ratio_of_densities():
    """The logistic loss is convex in the energy: where its slope is 0, it has its only optimum."""
    best = log_ratio(0.7, 1.5)
    assert slope_of_critic(logistic, best) < 1e-3
    # The controls: twice or minus it, that of another generator, another loss.
    for loss, weights in (
        (logistic, [2 * w for w in best]),
        (logistic, [-w for w in best]),
        (logistic, log_ratio(0.6, 1.5)),
        (Levels(-1.0, 1.0), best),
    ):
        assert slope_of_critic(loss, weights) > 0.01


def test_the_entropy_of_a_linear_generator_is_that_of_its_gaussian():
    """k = 4,000 draws, b = 50: relative errors of the weights' gradient are below 5 %."""
    generator = Generator(nn.Linear(2, 2), 2).double()
    generator.network.weight.data = torch.tensor([[1.0, 0.3], [0.0, 0.6]], dtype=torch.float64)
    game, y = Entropic(2, 0.5, k=4000).double(), torch.zeros(50, 2, dtype=torch.float64)
    game.log_eta.data.zero_()
    flat = MLP(2).double()
    for p in flat.parameters():
        p.data.zero_()
    loss = Adversarial(generator, game)(flat, None, y, seeded(3))
    loss.value.backward()
    rng = seeded(3)
    fake = generator(generator.noise(50, rng))
    drawn = fake + 0.5 * torch.randn(2, 50, generator=rng, dtype=torch.float64).T
    w = generator.network.weight.detach()
    covariance = w @ w.T + 0.25 * torch.eye(2, dtype=torch.float64)
    mean = generator.network.bias.detach()
    law = torch.distributions.MultivariateNormal(mean, covariance)
    torch.testing.assert_close(
        loss.terms["entropy"], law.log_prob(drawn).mean().detach(), rtol=0.01, atol=0.01
    )
    score = -(drawn.detach() - mean) @ torch.linalg.inv(covariance)
    (due,) = torch.autograd.grad(
        (score * drawn).sum(1).mean(), [generator.network.weight], retain_graph=True
    )
    torch.testing.assert_close(generator.network.weight.grad, due, rtol=0.05, atol=0.02)
    assert 0 < loss.metrics["ess"] < 1
    # The control: the slope of the density without the noise is another one.
    bare = -(drawn.detach() - mean) @ torch.linalg.inv(w @ w.T)
    (other,) = torch.autograd.grad((bare * fake).sum(1).mean(), [generator.network.weight])
    assert (other - due).abs().max() > 0.2


def test_the_width_of_the_proposal_climbs_to_that_of_the_posterior():
    """b k = 160,000 draws: the standard error is below 1 % of the factor squared."""
    generator = Generator(nn.Linear(1, 1), 1).double()
    generator.network.weight.data.fill_(2.0)
    game, y = Entropic(1, 0.5, k=800).double(), torch.zeros(200, 1, dtype=torch.float64)
    # E log N(y'; g(z + ηξ), σ²) p(z + ηξ) + log η is highest at η² = 1 / (1 + w² / σ²).
    best = (1 + 2.0**2 / 0.5**2) ** -0.5
    for factor in (0.5, 1.0, 2.0):
        game.zero_grad()
        game.log_eta.data.fill_(math.log(factor * best))
        Adversarial(generator, game)(MLP(1).double(), None, y, seeded()).value.backward()
        assert float(game.log_eta.grad) == pytest.approx(factor**2 - 1, abs=0.05 * factor**2)


def test_between_its_steps_the_generator_gets_nothing():
    critic, generator, y = players()
    objective = Adversarial(generator, Fooling(difference), every=3)
    learned = []
    for _ in range(6):
        generator.zero_grad()
        loss = objective(critic, None, y, seeded())
        loss.value.backward()
        learned.append(all(p.grad is not None for p in generator.parameters()))
        assert ("generator" in loss.terms) == learned[-1]
        loss.commit()
    assert learned == [False, False, True] * 2
    again = Adversarial(generator, Fooling(difference), every=3)
    again.load_state_dict(objective.state_dict())
    assert again.clock.steps == 6


def test_rows_that_depend_on_each_other_pass_their_whole_gradient():
    y = torch.randn(4, 2, generator=seeded(), dtype=torch.float64, requires_grad=True)
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)

    def coupled(at):
        return ((at * w) @ at.T).square().logsumexp(0).prod()

    value = through(coupled, 2 * y)
    value.backward()
    (due,) = torch.autograd.grad(coupled(2 * y), [y])
    torch.testing.assert_close(y.grad, due)
    torch.testing.assert_close(value, coupled(2 * y))
    assert w.grad is None
    with pytest.raises(GradientError, match="carries no gradient to y"):
        through(lambda at: at.detach().sum(), y)


def test_samples_carry_no_gradient_into_the_generator():
    critic, generator, y = players()
    assert not generator.sample(3, seeded()).requires_grad
    for objective in (
        GradientPenalty(1.0, Between(generator)),
        Contrastive(difference, Noise(generator, k=2)),
    ):
        objective(critic, None, y, seeded()).value.backward()
    assert all(p.grad is None for p in generator.parameters())
    assert all(p.grad is not None for p in critic.encoder.parameters())
    generator(generator.noise(3, seeded())).sum().backward()  # the control
    assert all(p.grad is not None for p in generator.parameters())


def test_the_slope_between_data_and_fakes_is_that_at_their_mixtures():
    _, generator, y = players()
    energy = Gaussian(torch.zeros(2), torch.eye(2)).double()
    value = GradientPenalty(1.0, Between(generator))(energy, None, y, seeded(4)).value
    rng = seeded(4)
    fake = generator.sample(B, rng)
    share = torch.rand(B, generator=rng, dtype=torch.float64)[:, None]
    slopes = torch.linalg.vector_norm(torch.lerp(y, fake, share), dim=1)
    torch.testing.assert_close(value.detach(), (slopes - 1).square().mean())


def test_a_generator_of_x_makes_y_of_x_and_needs_it():
    network = Conditional(Network(1 + DIM, 2, (5,)))
    generator, x = Generator(network, DIM, takes_x=True), torch.linspace(-1, 1, B)[:, None]
    game = Fooling(logistic, functional.softplus)
    energy, y = MLP(2, x_dim=1), torch.randn(B, 2, generator=seeded())
    loss = Adversarial(generator, game)(energy, x, y, seeded())
    fake = network(x, generator.noise(B, seeded()))
    torch.testing.assert_close(loss.metrics["e_neg"], energy(x, fake).mean().detach())
    assert (energy(x, fake).mean() - energy(x, fake.flip(0)).mean()).abs() > 1e-6  # the control
    assert generator.sample(B, seeded(), x).shape == (B, 2)
    for each in (Entropic(DIM, k=2), Cooperative(Langevin(0.01), 2)):
        assert Adversarial(generator, each)(energy, x, y, seeded()).value.isfinite()
    with pytest.raises(ConfigurationError, match="pass x"):
        Adversarial(generator, game)(energy, None, y, seeded())


def test_what_does_not_fit_is_told():
    critic, generator, y = players()
    with pytest.raises(ShapeError, match=r"makes \(6, 2\) of 6 z"):
        Adversarial(generator, Fooling(difference))(
            MLP(3).double(), None, y.new_ones(B, 3), seeded()
        )
    apart = Adversarial(generator, Repelled(Fooling(difference), critic.encoder))
    with pytest.raises(ShapeError, match="two are needed"):
        apart(critic, None, y[:1], seeded())
    with pytest.raises(ConfigurationError, match=r"generator is of type Linear"):
        Adversarial(nn.Linear(2, 2), Fooling(difference))
    with pytest.raises(ConfigurationError, match="low < high"):
        Levels(1.0, 1.0)
