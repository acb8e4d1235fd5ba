import torch
from objectives_support import Counted
from problems import generator, randn
from torch import Tensor, nn

from ebmlab import Energy
from ebmlab.energies import MLP, Cosine, Gaussian, JointEmbedding, SquaredDistance
from ebmlab.losses import InfoNCE, SquareSquare, difference
from ebmlab.negatives import FromData, InBatch, Noise
from ebmlab.objectives import Contrastive
from ebmlab.samplers import Langevin


def _contrast_step(objective: Contrastive, energy: Energy) -> tuple[Tensor, Tensor]:
    """How far one small step moves the mean energy of the data and of the negatives."""
    y = 0.3 * randn(64, 2).float() + torch.tensor([2.0, 0.0])
    negatives = 0.3 * randn(64, 2, seed=1).float() - torch.tensor([2.0, 0.0])
    before = [energy(None, points).mean().detach() for points in (y, negatives)]
    objective(energy, None, y, generator(1)).value.backward()
    with torch.no_grad():
        for parameter in energy.parameters():
            if parameter.grad is not None:
                parameter.sub_(1e-2 * parameter.grad)
    after = [energy(None, points).mean().detach() for points in (y, negatives)]
    return after[0] - before[0], after[1] - before[1]


def test_difference_pushes_the_data_down_and_the_negatives_up():
    noise = Noise(Gaussian(torch.tensor([-2.0, 0.0]), 0.09 * torch.eye(2)))
    low, high = _contrast_step(Contrastive(difference, noise), MLP(2, hidden=(32,)))
    assert low < -1e-3
    assert high > 1e-3
    turned = Contrastive(lambda e_pos, e_neg: -difference(e_pos, e_neg), noise)
    low, high = _contrast_step(turned, MLP(2, hidden=(32,)))
    assert low > 1e-3
    assert high < -1e-3


def test_metrics_are_the_mean_energies_and_nothing_carries_a_graph():
    x, y = randn(5, 3).requires_grad_(), randn(5, 3, seed=1).requires_grad_()
    loss = Contrastive(SquareSquare(2.0), InBatch())(SquaredDistance(), x, y)
    matrix = torch.cdist(x, y).square().detach()
    high = (matrix.sum() - matrix.trace()) / 20
    low = matrix.trace() / 5
    torch.testing.assert_close(loss.metrics, {"e_pos": low, "e_neg": high, "gap": high - low})
    torch.testing.assert_close(loss.terms, {"contrastive": loss.value.detach()})
    assert loss.value.requires_grad
    assert not any(t.requires_grad for t in (*loss.terms.values(), *loss.metrics.values()))


def test_a_learned_temperature_gets_the_gradient_of_infonces_own():
    x, y = randn(6, 3), randn(6, 3, seed=1)
    temperature = nn.Parameter(torch.tensor(0.4, dtype=torch.float64))
    energy = JointEmbedding(nn.Identity(), head=Cosine()) / temperature
    value = Contrastive(InfoNCE(), InBatch())(energy, x, y).value
    value.backward()

    def fixed(tau: float) -> Tensor:
        return Contrastive(InfoNCE(tau), InBatch())(Cosine(), x, y).value

    torch.testing.assert_close(value.detach(), fixed(0.4))
    slope = (fixed(0.4 + 1e-6) - fixed(0.4 - 1e-6)) / 2e-6
    torch.testing.assert_close(temperature.grad, slope, rtol=1e-6, atol=1e-8)


def test_negatives_from_the_data_see_codes_where_the_energy_embeds():
    encoder = Counted()
    energy = JointEmbedding(encoder, head=SquaredDistance())
    x, y = randn(6, 4), randn(6, 4, seed=1)
    loss = Contrastive(difference, FromData(Langevin(0.01), 5))(energy, x, y, generator())
    assert encoder.calls == 2
    loss.value.backward()
    assert encoder.linear.weight.grad.abs().max() > 0
