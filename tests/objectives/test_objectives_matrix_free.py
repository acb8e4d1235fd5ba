"""InfoNCE and NT-Xent without the matrix: the loss of `Contrastive`, on one rank and on two."""

import pytest
import torch
from problems import F64, randn
from ranks_support import RANKS, on_two_ranks
from torch import nn

from ebmlab.energies import (
    Cosine,
    JointEmbedding,
    NearestNeighbor,
    Predicted,
    SquaredDistance,
    Whitened,
    unit,
)
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.losses import InfoNCE as Loss
from ebmlab.negatives import InBatch
from ebmlab.networks import Memory
from ebmlab.objectives import Contrastive, NTXent
from ebmlab.teachers import EMA

PAIRS = {
    "NTXent": (NTXent(0.3), Contrastive(Loss(0.3), InBatch(both=True))),
    "NTXent, steep": (NTXent(0.01), Contrastive(Loss(0.01), InBatch(both=True))),
    "one way": (NTXent(0.3, both=False), Contrastive(Loss(0.3), InBatch())),
}


def encoder(seed=0):
    f = nn.Linear(5, 4, bias=False, dtype=F64)
    f.weight.data = randn(4, 5, seed=seed)
    return f


def views(count, batch=7):
    return tuple(randn(batch, 5, seed=10 + i) for i in range(count))


def embeddings():
    f, g = encoder(), encoder(1)
    return {
        "one encoder": JointEmbedding(f, f, Cosine()),
        "two encoders": JointEmbedding(f, g, Cosine()),
        "slow teacher": JointEmbedding(f, EMA(g), Cosine()),
        "tempered": JointEmbedding(
            f, f, 2.0 * (Cosine() / nn.Parameter(torch.tensor(0.7, dtype=F64)))
        ),
        "predicted": JointEmbedding(f, f, Predicted(square(), stopped=False)),
        "neighbors": JointEmbedding(f, f, NearestNeighbor(square(), Memory(6, 4).double())),
        "whitened": JointEmbedding(f, f, Whitened()),
    }


def square():
    p = nn.Linear(4, 4, bias=False, dtype=F64)
    p.weight.data = randn(4, 4, seed=2)
    return p


def gradients(energy, loss):
    parameters = [p for p in energy.parameters() if p.requires_grad]
    return torch.autograd.grad(loss.value, parameters, allow_unused=True)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("kind", embeddings())
@pytest.mark.parametrize("count", [0, 2, 3])
def test_the_loss_is_that_of_the_matrix_in_value_and_gradients(name, kind, count):
    free, matrix = PAIRS[name]
    energy = embeddings()[kind]
    x, y = views(2) if count == 0 else (views(count), views(count))
    got, due = free(energy, x, y), matrix(energy, x, y)
    assert torch.allclose(got.value, due.value, rtol=1e-12)
    for metric in ("e_pos", "e_neg", "gap"):
        assert torch.allclose(got.metrics[metric], due.metrics[metric], rtol=1e-12), metric
    for a, b in zip(gradients(energy, got), gradients(energy, due), strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_permuting_the_batch_or_swapping_the_views_changes_nothing():
    energy, (v1, v2) = embeddings()["one encoder"], views(2)
    order = torch.tensor([3, 1, 6, 0, 2, 5, 4])
    due = NTXent(0.3)(energy, (v1, v2), (v1, v2)).value
    w1, w2 = v1[order], v2[order]
    assert torch.allclose(NTXent(0.3)(energy, (w1, w2), (w1, w2)).value, due, rtol=1e-13)
    assert torch.allclose(NTXent(0.3)(energy, (v2, v1), (v2, v1)).value, due, rtol=1e-13)
    mixed = NTXent(0.3)(energy, (w1, v2), (w1, v2)).value
    assert not torch.allclose(mixed, due, rtol=1e-3)


def test_other_heads_and_batches_of_one_are_refused():
    f = encoder()
    with pytest.raises(ConfigurationError, match="the head is SquaredDistance"):
        NTXent()(JointEmbedding(f, f, SquaredDistance()), views(2), views(2))
    one = views(2, batch=1)
    for objective in (NTXent(), NTXent(both=False)):
        with pytest.raises(ShapeError, match="batch of one"):
            objective(JointEmbedding(f, f, Cosine()), one, one)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("kind", ["one encoder", "two encoders"])
def test_a_memory_adds_its_codes_to_the_negatives_and_takes_the_batch_on_commit(both, kind):
    memory = Memory(9, 4).double()
    energy, x = embeddings()[kind], views(2)
    loss = NTXent(0.3, memory, both=both)(energy, x, x)
    _, hx, hy = energy.embed(x, x)
    values, past = [], unit(memory.codes)
    for i, j in ((0, 1), (1, 0)):
        a, b = unit(hx[i]), unit(hy[j])
        keys = torch.cat([b, past, a]) if both else torch.cat([b, past])
        logits = a @ keys.T / 0.3
        if both:
            own = torch.arange(7)
            logits = logits.index_put((own, 16 + own), torch.tensor(-torch.inf, dtype=F64))
        values.append(logits.logsumexp(1) - (a * b).sum(1) / 0.3)
    due = torch.cat(values).mean()
    assert torch.allclose(loss.value, due, rtol=1e-12)
    for a, b in zip(
        gradients(energy, loss), gradients(energy, loss._replace(value=due)), strict=True
    ):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)
    before = memory.codes.clone()
    assert torch.equal(memory.codes, before)
    loss.commit()
    assert torch.equal(memory.codes[:5], hy.detach().reshape(-1, 4)[9:])


def on_a_rank(rank, name, x, y):
    energy = embeddings()["two encoders"]
    share = tuple(v.chunk(RANKS)[rank] for v in x), tuple(v.chunk(RANKS)[rank] for v in y)
    loss = PAIRS[name][0](energy, *share)
    loss.value.backward()
    return loss.value.detach(), [p.grad for p in energy.parameters()]


def every_objective(rank, x, y):
    return {name: on_a_rank(rank, name, x, y) for name in PAIRS}


def test_two_ranks_equal_one_process():
    x, y = views(2, batch=6), views(2, batch=6)
    both = on_two_ranks(every_objective, x, y)
    for name, (free, _) in PAIRS.items():
        energy = embeddings()["two encoders"]
        due = free(energy, x, y)
        due.value.backward()
        values = torch.stack([part[name][0] for part in both])
        assert torch.allclose(values.mean(), due.value.detach(), rtol=1e-12), name
        assert (values - due.value.detach()).abs().min() > 1e-6
        for i, parameter in enumerate(energy.parameters()):
            mean = sum(part[name][1][i] for part in both) / RANKS
            assert torch.allclose(mean, parameter.grad, rtol=1e-9), name
