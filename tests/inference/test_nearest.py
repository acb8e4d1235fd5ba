"""The nearest code: against a loop, in blocks, straight through, part by part, moved by data."""

import pytest
import torch
from autoencoders_support import linear
from problems import F64, f64, randn
from torch import nn

from ebmlab import FreeEnergy, _distances
from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Nearest
from ebmlab.networks import Codebook


def plain(z_ndim=1, *, decoder=None):
    return Reconstruction(decoder or nn.Identity(), takes_x=False, z_ndim=z_ndim)


def test_the_nearest_code_is_found_in_blocks_of_any_size(monkeypatch):
    codes, y = randn(7, 3, seed=1), randn(50, 3, seed=2)
    due = torch.cdist(y, codes).argmin(1)
    for block in (2**22, 21, 7, 1):
        monkeypatch.setitem(_distances._BLOCK, "cpu", block)
        assert torch.equal(Codebook(codes).nearest(y), due)
    assert torch.equal(Codebook(codes).nearest(y.reshape(5, 10, 3)), due.reshape(5, 10))
    assert len(due.unique()) > 3


def test_an_offset_does_not_blur_single_precision():
    codes, y = randn(7, 3, seed=1), randn(50, 3, seed=2)
    due = torch.cdist(y, codes).argmin(1)
    found = Codebook((codes + 1e4).float()).nearest((y + 1e4).float())
    margin = torch.cdist(y, codes).topk(2, largest=False).values.diff(dim=1)[:, 0]
    assert torch.equal(found[margin > 0.01], due[margin > 0.01])


def test_of_equal_codes_the_first_is_taken():
    assert Codebook(f64([[-1.0], [1.0], [1.0]])).nearest(f64([[3.0], [2.0]])).tolist() == [1, 1]


def test_without_an_encoder_the_free_energy_is_the_distance_to_the_nearest_code():
    codes, y = nn.Parameter(randn(5, 3, seed=1)), randn(20, 3, seed=2)
    free = FreeEnergy(plain(), Nearest(codes))
    due = (y[:, None] - codes).square().sum(-1).amin(1)
    torch.testing.assert_close(free(None, y), due)
    grads = [torch.autograd.grad(v.sum(), codes)[0] for v in (free(None, y), due)]
    torch.testing.assert_close(*grads)


def test_behind_an_encoder_the_gradient_goes_straight_through():
    codes, f, g = nn.Parameter(randn(5, 3, seed=1)), linear(4, 3), linear(3, 4, seed=2)
    y = randn(20, 4, seed=3)
    free = FreeEnergy(plain(decoder=g), Nearest(codes, f))
    h = f(y)
    e = codes[torch.cdist(h, codes).argmin(1)].detach()
    torch.testing.assert_close(free(None, y), (g(e) - y).square().sum(1))
    # The encoder's gradient is that of the energy in e, pulled through h.
    atom = e.clone().requires_grad_()
    (slope,) = torch.autograd.grad((g(atom) - y).square().sum(), atom)
    (due,) = torch.autograd.grad((h * slope).sum(), f.weight)
    got = torch.autograd.grad(free(None, y).sum(), (f.weight, codes), allow_unused=True)
    torch.testing.assert_close(got[0], due)
    assert got[1] is None
    assert torch.equal(free.posterior(None, y).atoms[0], e)


def test_every_part_of_a_code_map_is_quantized_by_itself():
    codes = randn(5, 2, seed=1)
    f = nn.Sequential(linear(4, 6), nn.Unflatten(1, (3, 2)))
    g = nn.Sequential(nn.Flatten(), linear(6, 4, seed=2))
    y = randn(8, 4, seed=3)
    infer = Nearest(codes, f)
    free = FreeEnergy(plain(2, decoder=g), infer)
    q = free.posterior(None, y)
    due = codes[torch.cdist(f(y).reshape(-1, 2), codes).argmin(1)].reshape(8, 3, 2)
    assert torch.equal(q.atoms[0], due)
    assert q.weights.shape == (1, 8)
    assert free(None, y.reshape(2, 4, 4)).shape == (2, 4)
    free.update(None, y)
    assert float(infer.codebook.counts.sum()) == pytest.approx(0.99 * 5 + 24)


def test_codes_follow_a_moving_average_of_what_they_stand_for():
    codes, y, decay = randn(4, 2, seed=1), randn(30, 2, seed=2), 0.8
    free = FreeEnergy(plain(), Nearest(codes, decay=decay))
    count, total, now = torch.ones(4, dtype=F64), codes, codes
    for _ in range(3):
        share = torch.eye(4, dtype=F64)[torch.cdist(y, now).argmin(1)]
        count, total = decay * count + share.sum(0), decay * total + share.T @ y
        now = total / count[:, None]
        free.update(None, y)
    assert isinstance(free.infer, Nearest)
    torch.testing.assert_close(free.infer.codebook.codes, now)
    torch.testing.assert_close(free.infer.codebook.counts, count)


@pytest.mark.parametrize("learned", [False, True])
def test_a_dead_code_begins_again_at_the_farthest_vector_of_the_batch(learned):
    start = f64([[0.0, 0.0], [50.0, 50.0]])
    book = nn.Parameter(start.clone()) if learned else start
    y = f64([[0.0, 1.0], [3.0, 0.0], [0.0, -1.0]])
    infer = Nearest(book, decay=0.5, restart=0.2)
    free = FreeEnergy(plain(), infer)
    codes = infer.codebook
    free.update(None, y)
    # The mean count is 2, and 0.5 is above a fifth of it.
    assert int(codes.restarts) == 0
    assert codes.codes[1].tolist() == [50.0, 50.0]
    free.update(None, y)
    assert int(codes.restarts) == 1
    assert codes.codes[1].tolist() == [3.0, 0.0]
    assert float(codes.counts[1]) > 0.2 * float(codes.counts.mean())
    free.update(None, y)
    assert int(codes.restarts) == 1
    kept = Nearest(start, decay=0.5, restart=None)
    for _ in range(9):
        FreeEnergy(plain(), kept).update(None, y)
    assert kept.codebook.codes[1].tolist() == [50.0, 50.0]


def test_as_many_codes_begin_again_as_there_are_vectors():
    y = f64([[0.0], [4.0], [9.0]])
    far = torch.full((6, 1), 1e3, dtype=F64)
    codes = torch.cat([f64([[0.0]]), far + torch.arange(6)[:, None]])
    infer = Nearest(codes, decay=0.0, restart=0.0)
    FreeEnergy(plain(), infer).update(None, y)
    found = infer.codebook.codes.flatten().tolist()
    # The first is the mean of all; two vectors lie off its old place, and the third on it.
    assert found[0] == pytest.approx(13 / 3)
    assert found[1:3] == [9.0, 4.0]
    assert found[3:] == [1002.0, 1003.0, 1004.0, 1005.0]
    assert int(infer.codebook.restarts) == 2


def test_forward_moves_nothing_and_refusals_are_typed():
    infer = Nearest(randn(4, 2))
    before = {name: part.clone() for name, part in infer.state_dict().items()}
    infer(plain(), None, randn(5, 2))
    assert all(torch.equal(part, before[name]) for name, part in infer.state_dict().items())
    with pytest.raises(ConfigurationError, match="temperature"):
        infer(plain(), None, randn(5, 2), 1.0)
    with pytest.raises(ShapeError, match="codes"):
        infer(plain(), None, randn(5, 3))
