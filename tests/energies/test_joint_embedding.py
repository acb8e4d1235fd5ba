"""Joint embeddings: what is encoded how often, views, stopped targets; reconstructions."""

import pytest
import torch
from problems import Net, f64, generator, randn
from torch import Tensor, nn

from ebmlab.energies import Cosine, Gaussian, JointEmbedding, Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.teachers import EMA, Detached


class Counted(nn.Module):
    """A linear encoder of the mean over an image of any size; counts the rows it sees."""

    def __init__(self, seed: int = 0, outputs: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(randn(2, outputs, seed=seed))
        self.calls = 0

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        return image.mean((-2, -1)) @ self.weight


def _views(*sizes: int) -> tuple[Tensor, ...]:
    return tuple(randn(4, 2, size, size + 1, seed=size) for size in sizes)


def test_a_joint_embedding_compares_codes():
    f, g = Counted(1), Counted(2)
    x, y = _views(5, 3)
    energy = JointEmbedding(f, g, SquaredDistance(), x_ndim=3)
    expected = ((x.mean((2, 3)) @ f.weight - y.mean((2, 3)) @ g.weight) ** 2).sum(1)
    torch.testing.assert_close(energy(x, y), expected)
    assert JointEmbedding(f, x_ndim=3).target is f
    head, hx, hy = energy.embed(x, y)
    torch.testing.assert_close(head(hx, hy), expected)


def test_an_encoder_shared_by_x_and_y_runs_once_per_image():
    f = Counted()
    energy = JointEmbedding(f, f, SquaredDistance(), x_ndim=3)
    one, two = _views(5, 3)
    energy(one, one)
    assert f.calls == 1
    energy(one, two)
    assert f.calls == 3
    energy((one, two), (one, two))
    assert f.calls == 5


def test_every_crop_is_encoded_once():
    f = Counted()
    crops = _views(6, 5, 3, 2)
    JointEmbedding(f, f, SquaredDistance(), x_ndim=3)(crops, crops[:2])
    assert f.calls == 4


@pytest.mark.parametrize(("n", "m"), [(2, 2), (4, 2), (2, 3)])
def test_view_energies_average_over_different_views(n, m):
    f, g = Counted(1), Counted(2)
    crops = _views(6, 5, 3, 2)
    x, y = crops[:n], crops[:m]
    energy = JointEmbedding(f, g, SquaredDistance(), x_ndim=3)
    pairs = [(i, j) for i in range(n) for j in range(m) if i != j]
    codes = [c.mean((2, 3)) for c in crops]
    expected = sum(
        ((codes[i] @ f.weight - codes[j] @ g.weight) ** 2).sum(1) for i, j in pairs
    ) / len(pairs)
    torch.testing.assert_close(energy(x, y), expected)
    assert (f.calls, g.calls) == (n, m)


def test_views_broadcast_as_single_tensors_do():
    f = Net(2, 3)
    energy = JointEmbedding(f, f, SquaredDistance())
    v, w = randn(5, 2, seed=1), randn(5, 2, seed=2)
    rows = energy((v, w), (v, w))
    torch.testing.assert_close(energy((v[0], w[0]), (v[0], w[0])), rows[0])
    matrix = energy((v[:, None], w[:, None]), (v[None], w[None]))
    torch.testing.assert_close(matrix.diagonal(), rows)


def test_views_must_be_on_both_sides_and_more_than_one():
    energy = JointEmbedding(Net(2, 3))
    v = randn(4, 2)
    with pytest.raises(ShapeError, match="both"):
        energy((v, v), v)
    with pytest.raises(ShapeError, match="one view"):
        energy((v,), (v,))
    with pytest.raises(ShapeError, match="None"):
        energy(None, v)


@pytest.mark.parametrize("kind", [EMA, Detached])
def test_no_gradient_reaches_a_stopped_target(kind):
    f = Counted(1)
    target = kind(f)
    x, y = (view.requires_grad_() for view in _views(5, 3))
    energy = JointEmbedding(f, target, SquaredDistance(), x_ndim=3)
    energy(x, y).sum().backward()
    hx, hy = x.mean((2, 3)) @ f.weight, y.mean((2, 3)) @ f.weight
    expected = 2 * x.mean((2, 3)).T @ (hx - hy)  # hy constant
    torch.testing.assert_close(f.weight.grad, expected)
    assert x.grad is not None
    assert y.grad is None
    assert all(p.grad is None for p in target.parameters() if p is not f.weight)


def test_update_reaches_the_head_with_codes():
    class Center(Energy):
        def __init__(self) -> None:
            super().__init__()
            self.seen = []

        def forward(self, x, y, z=None):
            return (x - y).square().sum(-1)

        def update(self, x, y):
            self.seen.append((x, y))

    head, f = Center(), Net(2, 3)
    x, y = randn(4, 2, seed=1), randn(4, 2, seed=2)
    ((2 * JointEmbedding(f, f, head) / 3.0) + Cosine()).update(x, y)
    ((hx, hy),) = head.seen
    torch.testing.assert_close((hx, hy), (f(x).detach(), f(y).detach()))
    assert not hx.requires_grad


def test_reconstruction_decodes_compares_and_counts_the_prior():
    x, y, z = randn(4, 2, seed=1), randn(4, 3, seed=2), randn(6, 4, 1, seed=3)
    decoder = Net(3, 3)
    prior = Gaussian(f64([0.0]), f64([[4.0]]))
    for takes_x, decoder in ((True, Net(3, 3)), (False, Net(1, 3))):
        plain = Reconstruction(decoder, takes_x=takes_x)
        full = Reconstruction(decoder, SquaredDistance(), prior, takes_x=takes_x)
        for k in range(6):
            decoded = decoder(x, z[k]) if takes_x else decoder(z[k])
            distance = ((y - decoded) ** 2).sum(1)
            torch.testing.assert_close(plain.decode(x, z)[k], decoded)
            torch.testing.assert_close(plain(x, y, z)[k], distance)
            torch.testing.assert_close(full(x, y, z)[k], distance + z[k, :, 0] ** 2 / 8)


def test_reconstruction_of_images_from_tokens():
    decoder = nn.Sequential(nn.Embedding(5, 12), nn.Unflatten(-1, (1, 3, 4)))
    energy = Reconstruction(decoder, SquaredDistance(3), takes_x=False, z_ndim=0)
    y = torch.randn(2, 1, 3, 4, generator=generator())
    z = torch.tensor([[0], [4], [2]])
    expected = (decoder(z[:, 0])[:, None] - y[None]).square().sum((2, 3, 4))
    torch.testing.assert_close(energy(None, y, z), expected)
