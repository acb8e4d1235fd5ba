import pytest
import torch
from negatives_support import Count
from problems import generator, randn
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy
from ebmlab.energies import MLP, JointEmbedding, SquaredDistance
from ebmlab.losses import difference
from ebmlab.negatives import FromData, Replay
from ebmlab.objectives import Contrastive
from ebmlab.samplers import MALA, Langevin, run


def test_from_data_starts_at_the_data_and_takes_its_steps():
    y = randn(5, 2)
    last = FunctionEnergy(lambda y: y[:, -1])
    draw = FromData(Count(), steps=3)(last, None, y, generator())
    torch.testing.assert_close(draw.energies, y[:, 1:] + 3)
    torch.testing.assert_close(draw.metrics["moved"], torch.tensor(3.0).double())


@pytest.mark.parametrize("sampler", [Langevin(0.1), MALA(0.2)])
@pytest.mark.parametrize("x_dim", [0, 2])
def test_contrastive_divergence_is_the_slope_at_the_data_minus_that_at_the_chains_ends(
    sampler, x_dim
):
    energy = MLP(2, x_dim=x_dim, hidden=(8,)).double()
    x, y = (randn(16, x_dim) if x_dim else None), randn(16, 2, seed=1)
    Contrastive(difference, FromData(sampler, 5))(energy, x, y, generator()).value.backward()
    end = run(sampler, energy.given(x), y, steps=5, rng=generator()).state.y
    parameters = list(energy.parameters())
    low = torch.autograd.grad(energy(x, y).mean(), parameters)
    high = torch.autograd.grad(energy(x, end).mean(), parameters)
    for parameter, a, b in zip(parameters, low, high, strict=True):
        torch.testing.assert_close(parameter.grad, a - b, rtol=1e-10, atol=1e-12)
    assert energy.network[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    "negatives", [FromData(Langevin(0.1), 4), Replay(torch.zeros(20, 2), MALA(0.1), 4)]
)
def test_no_step_of_a_chain_is_in_the_graph_of_its_energies(negatives):
    energy, y = MLP(2), torch.ones(8, 2, requires_grad=True)
    draw = negatives(energy, None, y, generator())
    bias = energy.network[-1].bias
    slope, of_y = torch.autograd.grad(draw.energies.sum(), [bias, y], allow_unused=True)
    torch.testing.assert_close(slope, torch.tensor([8.0]))
    assert of_y is None


@pytest.mark.parametrize(
    "negatives", [FromData(Langevin(0.1), 2), Replay(torch.zeros(20, 3), Langevin(0.1), 2)]
)
def test_chains_among_codes_report_detached_metrics_and_reach_the_encoder_of_x_only(negatives):
    online, target = nn.Linear(4, 3), nn.Linear(4, 3)
    energy = JointEmbedding(online, target, SquaredDistance())
    x, y = randn(6, 4).float(), randn(6, 4, seed=1).float()
    _, hx, hy = energy.embed(x, y)
    draw = negatives(energy.head, hx, hy, generator())
    assert not any(metric.requires_grad for metric in draw.metrics.values())
    draw.energies.sum().backward()
    assert online.weight.grad.abs().max() > 0
    assert target.weight.grad is None


class Jittered(Energy):
    """A flat energy that draws noise, and remembers it."""

    takes_x, stochastic = False, True

    def __init__(self) -> None:
        super().__init__()
        self.noise: list[Tensor] = []

    def forward(self, x: Tensor | None, y: Tensor, z: Tensor | None = None, *, rng) -> Tensor:
        self.noise.append(torch.randn(y.shape, generator=rng, dtype=y.dtype))
        return 0.0 * y.sum(-1)


def test_the_noise_of_a_stochastic_energy_is_not_that_of_the_chain():
    energy, y = Jittered(), randn(6, 2)
    replay = Replay(y, Langevin(0.5), steps=1, rebirth=0.0)
    replay(energy, None, y, generator()).commit()
    assert torch.equal(energy.noise[0], energy.noise[1])  # within a chain it is one function
    chain = (replay.pool - y).flatten()
    assert not torch.isclose(chain[:, None], energy.noise[0].flatten()).any()
