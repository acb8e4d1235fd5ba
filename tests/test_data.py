"""Toys and relations against quadrature and their own draws; files with every fault injected."""

import errno
import gzip
import hashlib
import math
import os
import struct
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from ebmlab.data import Standardizer, _files, digits, fashion_mnist, images, mnist, relations, toys
from ebmlab.data.idx import decode_idx, read_idx
from ebmlab.errors import ConfigurationError, DataError, DtypeError, ShapeError

ALL_TOYS = [
    "checkerboard",
    "eight_gaussians",
    "grid_gaussians",
    "pinwheel",
    "rings",
    "spirals",
    "two_moons",
]
KNOWN_TOYS = [name for name in ALL_TOYS if isinstance(getattr(toys, name), toys.KnownToy)]
RELATIONS = ["circle", "crossing_lines", "inverse_sine"]
# Statistical tests reject at this p-value: the chance of a false alarm, per test, over seeds.
FALSE_ALARM = 1e-6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ALL_TOYS)
def test_toys_draw_float32_points_of_the_window_from_the_given_generator_only(name):
    toy, before = getattr(toys, name), torch.get_rng_state()
    points = toy(4000, generator())
    assert points.shape == (4000, 2)
    assert points.dtype == torch.float32
    assert ((points.abs() <= 3).all(-1)).double().mean() > 0.99
    assert torch.equal(points, toy(4000, generator()))
    assert not torch.equal(points, toy(4000, generator(1)))
    assert torch.equal(before, torch.get_rng_state())


def test_five_toys_have_a_density():
    assert KNOWN_TOYS == ["checkerboard", "eight_gaussians", "grid_gaussians", "pinwheel", "rings"]


def _window(half, count):
    """Midpoints of a square grid and the area of one cell."""
    line = half * ((2 * torch.arange(count, dtype=torch.float64) + 1) / count - 1)
    return torch.cartesian_prod(line, line), (2 * half / count) ** 2


@pytest.mark.parametrize("name", KNOWN_TOYS)
def test_a_toys_density_integrates_to_one(name):
    points, area = _window(half=5.0, count=500)
    total = getattr(toys, name).log_density(points).exp().sum() * area
    assert total == pytest.approx(1, abs=1e-8)


def _cloud_p_value(points, log_density, bins=24, half=3.0, fine=10):
    """Of two tests: Pearson's of counts in square bins, and log p(y) has its mean (normal)."""
    grid, area = _window(half, bins * fine)
    on_grid = log_density(grid)
    mass = on_grid.exp() * area
    cell = ((points.double() + half) * (bins / (2 * half))).floor().long()
    inside = ((cell >= 0) & (cell < bins)).all(-1)
    counts = torch.bincount(cell[inside] @ torch.tensor([bins, 1]), minlength=bins**2)
    expected = mass.reshape(bins, fine, bins, fine).sum((1, 3)).flatten() * len(points)
    usual = expected >= 5
    # What falls into rare bins or out of the window is pooled.
    seen = torch.cat([counts[usual], (len(points) - counts[usual].sum())[None]]).double()
    due = torch.cat([expected[usual], (len(points) - expected[usual].sum())[None]])
    seen, due = seen[due > 1e-6], due[due > 1e-6]
    counted = stats.chi2.sf(((seen - due).square() / due).sum().item(), len(due) - 1)
    finite = on_grid.clamp(min=-700)
    mean = (mass * finite).sum()
    variance = (mass * finite.square()).sum() - mean.square()
    surplus = log_density(points.double()).mean() - mean
    # A uniform density has one value only, up to rounding.
    z = surplus.abs() / (variance.clamp(min=1e-9) / len(points)).sqrt()
    return 2 * min(counted, 2 * stats.norm.sf(z.item()))


@pytest.mark.parametrize("name", KNOWN_TOYS)
def test_a_toys_draws_follow_its_density_and_stretched_draws_do_not(name):
    toy = getattr(toys, name)
    points = toy(40000, generator())
    assert _cloud_p_value(points, toy.log_density) > FALSE_ALARM
    assert _cloud_p_value(1.03 * points, toy.log_density) < FALSE_ALARM
    assert toy.log_density(points).isfinite().all()


def test_moons_and_spirals_lie_about_their_curves():
    t = torch.linspace(0, 1, 2001)[:, None]
    arc = torch.cat([(math.pi * t).cos() - 0.5, (math.pi * t).sin() - 0.25], dim=-1)
    turn = 3 * math.pi * t
    arm = t * torch.cat([turn.cos(), turn.sin()], dim=-1)
    for toy, curve, size in ((toys.two_moons, arc, 1.6), (toys.spirals, arm, 2.5)):
        points = toy(2000, generator())
        distance = torch.cdist(points, size * torch.cat([curve, -curve])).amin(-1)
        # The distance to a line of N(0, σ²I) is |N(0, σ²)|: a false alarm of 5.5 σ in 2000 · 4e-8
        # < 1e-4 of the seeds; its mean square has a relative deviation of √(2 / 2000) = 0.03,
        # five of which, and what lies past the ends or between two turns, the bounds leave room.
        assert distance.max() < 5.5 * toy.noise
        assert 0.75 < distance.square().mean() / toy.noise**2 < 1.25
        stretched = torch.cdist(1.2 * points, size * torch.cat([curve, -curve])).amin(-1)
        assert stretched.max() > 5.5 * toy.noise
        own = torch.cdist(points, size * curve).amin(-1) < 5.5 * toy.noise
        # Each half has probability ½ plus what lies near both: five standard deviations, 3e-7.
        assert own.double().mean() > 0.5 - 5 * 0.5 / math.sqrt(2000)
        assert own.double().mean() < 0.8


def test_spirals_spread_their_points_by_the_square_of_the_radius():
    squared = toys.spirals(2000, generator()).double().square().sum(-1)
    due = toys.spirals.radius**2 / 2 + 2 * toys.spirals.noise**2
    error = squared.std() / math.sqrt(2000)
    # Five standard errors: a false alarm in 6e-7 of the seeds.
    assert abs(squared.mean() - due) < 5 * error
    assert abs(squared.sqrt().mean() ** 2 - due) > 5 * error


def test_toys_keep_dtype_and_leading_dimensions_of_what_they_judge():
    y = torch.zeros(3, 4, 2, dtype=torch.float64)
    for name in KNOWN_TOYS:
        out = getattr(toys, name).log_density(y)
        assert out.shape == (3, 4)
        assert out.dtype == torch.float64


def test_toys_refuse_what_they_cannot_draw_or_judge():
    with pytest.raises(ConfigurationError, match="n = 0"):
        toys.rings(0, generator())
    with pytest.raises(ConfigurationError, match="rng"):
        toys.rings(3, None)
    with pytest.raises(ShapeError, match=r"\(4, 3\)"):
        toys.rings.log_density(torch.zeros(4, 3))
    with pytest.raises(ConfigurationError, match="noise"):
        toys.Rings(noise=0.0)
    with pytest.raises(ConfigurationError, match="cells"):
        toys.Checkerboard(cells=3)


@pytest.mark.parametrize("name", RELATIONS)
def test_relations_draw_columns_from_the_given_generator_only(name):
    relation, before = getattr(relations, name), torch.get_rng_state()
    x, y = relation(1000, generator())
    again = relation(1000, generator())
    assert x.shape == y.shape == (1000, 1)
    assert x.dtype == y.dtype == torch.float32
    assert torch.equal(x, again[0])
    assert torch.equal(y, again[1])
    assert torch.equal(before, torch.get_rng_state())
    low, high = relation.y_range
    assert ((y >= low) & (y <= high)).all()


def _on_grid(relation, x, count):
    """A grid on y_range and p(y | x) there, (n, count)."""
    grid = torch.linspace(*relation.y_range, count, dtype=torch.float64)
    return grid, relation.log_density(x[:, None], grid[None, :, None]).exp()


@pytest.mark.parametrize("noise", [0.05, 0.02, 0.2])
@pytest.mark.parametrize("name", RELATIONS)
def test_a_conditional_density_integrates_to_one(name, noise):
    relation = type(getattr(relations, name))(noise)
    x = torch.tensor([[-0.1], [0.0], [0.3], [0.45], [0.59], [0.98]], dtype=torch.float64)
    grid, density = _on_grid(relation, x, count=20001)
    total = integrate.simpson(density.numpy(), grid.numpy(), axis=-1)
    assert total == pytest.approx(np.ones(len(x)), abs=1e-7)


def _slow_inverse_sine(x, y, noise):
    def likelihood(v):
        return stats.norm.pdf(x, v + 0.3 * math.sin(2 * math.pi * v), noise)

    mass, _ = integrate.quad(likelihood, 0, 1, points=np.linspace(0, 1, 40)[1:-1], limit=400)
    return math.log(likelihood(y) / mass)


def _slow_circle(x, y, noise):
    angle = np.linspace(0, 2 * math.pi, 4000, endpoint=False)
    along_x = stats.norm.pdf(x, np.cos(angle), noise)
    along_y = stats.norm.pdf(y, np.sin(angle), noise)
    return math.log((along_x * along_y).sum() / along_x.sum())


def _slow_crossing_lines(x, y, noise):
    return math.log(0.5 * stats.norm.pdf(y, x, noise) + 0.5 * stats.norm.pdf(y, -x, noise))


SLOW = {
    "inverse_sine": _slow_inverse_sine,
    "circle": _slow_circle,
    "crossing_lines": _slow_crossing_lines,
}


@pytest.mark.parametrize("noise", [0.05, 0.15])
@pytest.mark.parametrize("name", RELATIONS)
def test_a_conditional_density_equals_a_slow_computation(name, noise):
    relation = type(getattr(relations, name))(noise)
    points = [(0.5, 0.48), (0.45, 0.83), (0.05, 0.02), (0.97, 0.9), (0.2, 0.3), (-0.03, 0.04)]
    for x, y in points:
        pair = torch.tensor([[[x]], [[y]]], dtype=torch.float64)
        assert relation.log_density(*pair).item() == pytest.approx(
            SLOW[name](x, y, noise), abs=1e-9, rel=1e-9
        )


def test_densities_stay_finite_far_away_where_naive_ones_underflow():
    x = torch.tensor([[-3.0], [4.0]], dtype=torch.float64)
    y = torch.full((2, 1), 0.5, dtype=torch.float64)
    for name in RELATIONS:
        assert getattr(relations, name).log_density(x, y).isfinite().all()
    grid, density = _on_grid(relations.inverse_sine, x, count=100001)
    total = integrate.simpson(density.numpy(), grid.numpy(), axis=-1)
    assert total == pytest.approx(np.ones(2), abs=1e-6)


def _conditional_p_value(relation, x, y):
    """Of two tests: F(y | x) is uniform (Kolmogorov), log p(y | x) has its mean (normal)."""
    u, surplus, variance = [], 0.0, 0.0
    for part_x, part_y in zip(x.double().split(250), y.double().split(250), strict=True):
        grid, density = _on_grid(relation, part_x, count=501)
        share = torch.cumulative_trapezoid(density, grid, dim=-1)
        u += [np.interp(y, grid[1:], row) for y, row in zip(part_y[:, 0], share, strict=True)]
        log_density = density.clamp(min=1e-300).log()
        mean = torch.trapezoid(density * log_density, grid, dim=-1)
        square = torch.trapezoid(density * log_density.square(), grid, dim=-1)
        surplus += (relation.log_density(part_x, part_y) - mean).sum().item()
        variance += (square - mean.square()).sum().item()
    normal = 2 * stats.norm.sf(abs(surplus) / math.sqrt(variance))
    return 2 * min(stats.kstest(u, "uniform").pvalue, normal)


@pytest.mark.parametrize("name", RELATIONS)
def test_draws_follow_the_conditional_density_and_not_that_of_another_noise(name):
    relation = getattr(relations, name)
    x, y = relation(2000, generator())
    for side in (x < 0.4, x > 0.4):
        pairs = x[side][:, None], y[side][:, None]
        assert _conditional_p_value(relation, *pairs) > FALSE_ALARM
        assert _conditional_p_value(type(relation)(0.065), *pairs) < FALSE_ALARM


def test_nothing_but_the_unit_interval_is_an_answer_to_the_inverse_sine():
    x = torch.tensor([[0.01]])
    outside = relations.inverse_sine.log_density(x, torch.tensor([[-1e-3], [1.001]]))
    assert torch.equal(outside, torch.full((2,), -torch.inf))


def test_three_branches_exist_only_between_the_turns_of_the_sine():
    x = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    counts = torch.tensor([len(y) for y in relations.inverse_sine.branches(x)])
    turn = math.acos(-1 / (0.6 * math.pi)) / (2 * math.pi)
    upper = turn + 0.3 * math.sin(2 * math.pi * turn)
    assert (round(1 - upper, 3), round(upper, 3)) == (0.407, 0.593)
    inside = (x > 1 - upper) & (x < upper)
    assert torch.equal(counts, torch.where(inside, 3, 1))
    outside = relations.inverse_sine.branches(torch.tensor([-0.01, 1.01]))
    assert [len(y) for y in outside] == [0, 0]


def test_a_turning_point_of_the_sine_is_one_branch():
    turn = torch.tensor(math.acos(-1 / (0.6 * math.pi)) / (2 * math.pi), dtype=torch.float64)
    for y in (turn, 1 - turn):
        x = y + 0.3 * (2 * math.pi * y).sin()
        for shift, count in ((-1e-6, 2), (0.0, 1), (1e-6, 0)):
            # Beyond a maximum, or below a minimum, two branches are gone.
            outward = shift if y < 0.5 else -shift
            found = relations.inverse_sine.branches((x + outward)[None])[0]
            near = (found - y).abs() < 0.01
            assert (near.sum(), (~near).sum()) == (count, 1)


@pytest.mark.parametrize("name", RELATIONS)
def test_branches_are_sorted_roots_in_the_dtype_of_x(name):
    relation = getattr(relations, name)
    noise_free = {
        "inverse_sine": lambda x, y: y + 0.3 * (2 * math.pi * y).sin() - x,
        "circle": lambda x, y: x**2 + y**2 - 1,
        "crossing_lines": lambda x, y: x**2 - y**2,
    }[name]
    x = torch.rand(200, generator=generator(), dtype=torch.float64)
    found = relation.branches(x)
    for here, y in zip(x, found, strict=True):
        assert noise_free(here, y).abs().max() < 1e-13
        assert torch.equal(y, y.sort().values)
        assert len(y.unique()) == len(y)
    assert relation.branches(x.float())[0].dtype == torch.float32


@pytest.mark.parametrize("name", RELATIONS)
def test_branches_are_where_the_density_peaks(name):
    relation = getattr(relations, name)
    x = torch.tensor([0.45, 0.5, 0.55], dtype=torch.float64)
    grid = torch.linspace(*relation.y_range, 20001, dtype=torch.float64)
    density = relation.log_density(x[:, None, None], grid[None, :, None])
    peak = (density[:, 1:-1] > density[:, :-2]) & (density[:, 1:-1] > density[:, 2:])
    for row, y in zip(peak, relation.branches(x), strict=True):
        assert grid[1:-1][row].tolist() == pytest.approx(y.tolist(), abs=0.003)


def test_circle_and_lines_have_fewer_branches_at_their_special_points():
    answers = relations.circle.branches(torch.tensor([-1.0, 0.0, 1.0, 1.1]))
    assert [y.tolist() for y in answers] == [[0.0], [-1.0, 1.0], [0.0], []]
    answers = relations.crossing_lines.branches(torch.tensor([0.0, -0.5]))
    assert [y.tolist() for y in answers] == [[0.0], [-0.5, 0.5]]


@pytest.mark.parametrize("name", RELATIONS)
def test_log_density_broadcasts_and_keeps_the_dtype(name):
    relation = getattr(relations, name)
    x, y = relation(6, generator())
    pairs = relation.log_density(x[:, None], y[None])
    assert pairs.shape == (6, 6)
    assert pairs.dtype == torch.float32
    assert torch.equal(pairs.diagonal(), relation.log_density(x, y))


def test_relations_refuse_what_they_cannot_judge():
    x, y = relations.circle(6, generator())
    with pytest.raises(ShapeError, match="x has shape"):
        relations.circle.log_density(x[:, 0], y)
    with pytest.raises(ShapeError, match="batches differ"):
        relations.circle.log_density(x, y[:4])
    with pytest.raises(DtypeError, match="float64"):
        relations.circle.log_density(x, y.double())
    with pytest.raises(DtypeError, match="int64"):
        relations.circle.log_density(x.long(), y)
    with pytest.raises(ShapeError, match="branches"):
        relations.circle.branches(x)
    with pytest.raises(ConfigurationError, match="noise"):
        relations.Circle(-1.0)
    with pytest.raises(ConfigurationError, match="n = 0"):
        relations.circle(0, generator())


def test_standardized_data_have_mean_zero_and_deviation_one_and_come_back():
    t = 3 + 2 * torch.randn(500, 2, 3, generator=generator(), dtype=torch.float64)
    scale = Standardizer.fit(t)
    out = scale.apply(t)
    assert out.mean(0).abs().max() < 1e-12
    assert (out.square().mean(0) - 1).abs().max() < 1e-12
    assert (scale.undo(out) - t).abs().max() < 1e-12


def test_constant_columns_are_centered_and_not_blown_up():
    t = torch.stack([torch.full((1000,), 0.1), torch.linspace(0, 1, 1000)], dim=-1)
    out = Standardizer.fit(t).apply(t)
    assert torch.equal(out[:, 0], torch.zeros(1000))
    assert out[:, 1].std() == pytest.approx(1, abs=1e-3)


def test_the_standardizer_works_in_float32_or_better_and_needs_two_rows():
    t = (100 + torch.randn(4000, 1, generator=generator())).bfloat16()
    scale = Standardizer.fit(t)
    assert scale.mean.dtype == torch.float32
    assert scale.mean.item() == pytest.approx(t.double().mean().item(), abs=1e-3)
    with pytest.raises(ShapeError, match="n >= 2"):
        Standardizer.fit(torch.ones(1, 3))
    with pytest.raises(DtypeError, match="int64"):
        Standardizer.fit(torch.ones(4, dtype=torch.int64))


def idx_bytes(array, kind=0x08, dtype=">u1"):
    array = np.asarray(array)
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.astype(dtype).tobytes()


@pytest.mark.parametrize(
    ("kind", "dtype", "torch_dtype"),
    [
        (0x08, ">u1", torch.uint8),
        (0x09, ">i1", torch.int8),
        (0x0B, ">i2", torch.int16),
        (0x0C, ">i4", torch.int32),
        (0x0D, ">f4", torch.float32),
        (0x0E, ">f8", torch.float64),
    ],
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_idx_files_of_every_type_are_read_plain_and_compressed(
    tmp_path, kind, dtype, torch_dtype, compress
):
    numbers = np.array([[1, 2, 3], [100, 5, 0]])
    path = tmp_path / "file"
    path.write_bytes(compress(idx_bytes(numbers, kind, dtype)))
    out = read_idx(path)
    assert out.dtype == torch_dtype
    assert out.tolist() == numbers.tolist()


GOOD = idx_bytes(np.arange(12).reshape(3, 4))
ZIPPED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "truncated"),
        (GOOD[:3], "truncated"),
        (GOOD[:10], "header"),
        (GOOD[:-1], "truncated"),
        (GOOD + b"\0", "trailing"),
        (b"\1" + GOOD[1:], "no IDX file"),
        (GOOD[:2] + b"\x0a" + GOOD[3:], "no IDX file"),
        (GOOD[:3] + b"\0" + GOOD[4:], "no IDX file"),
        (GOOD[:4] + b"\xff" * 8 + GOOD[12:], "truncated"),
        (ZIPPED[:-1], "truncated"),
        (ZIPPED[:12], "truncated"),
        (ZIPPED + b"\0", "trailing"),
        (ZIPPED[:-8] + bytes([ZIPPED[-8] ^ 1]) + ZIPPED[-7:], "damaged"),
        (gzip.compress(GOOD[:-1], mtime=0), "truncated"),
        (gzip.compress(GOOD + b"\0", mtime=0), "trailing"),
    ],
)
def test_a_damaged_idx_file_is_refused_by_name(tmp_path, content, fault):
    path = tmp_path / "numbers-idx2-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=fault) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_a_missing_idx_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "nothing")


def test_an_empty_idx_array_is_fine():
    assert decode_idx(idx_bytes(np.zeros((0, 4))), "none").shape == (0, 4)


def test_digits_are_the_ones_of_scikit_learn():
    pictures, labels = digits()
    assert pictures.shape == (1797, 1, 8, 8)
    assert (pictures.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert (pictures.min(), pictures.max()) == (0, 1)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # A zero is dark in the middle and light around it.
    zero = pictures[labels == 0].mean((0, 1))
    assert zero[3:5, 3:5].mean() < 0.2 < 0.5 < zero[1, 3:5].mean()


PIXELS = np.arange(5 * 28 * 28).reshape(5, 28, 28) % 256
LABELS = np.array([3, 1, 4, 1, 5])
SMALL = {
    "train-images-idx3-ubyte.gz": idx_bytes(PIXELS),
    "train-labels-idx1-ubyte.gz": idx_bytes(LABELS),
}
RAW = {name: gzip.compress(content, mtime=0) for name, content in SMALL.items()}
NAMES = list(RAW)


class Mirror:
    """Stands in for the network: serves RAW, what `faulty` says first, and keeps count."""

    def __init__(self):
        self.urls = []
        self.faulty = []

    def __call__(self, url):
        self.urls.append(url)
        return self.faulty.pop(0) if self.faulty else RAW[url.rpartition("/")[2]]


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    """A training split of five pictures, an empty cache, no data folder, and no network."""
    hashes = tuple(hashlib.sha256(content).hexdigest() for content in SMALL.values())
    monkeypatch.setattr(images, "_MNIST", {"train": hashes})
    monkeypatch.setattr(images, "_FASHION_MNIST", {"train": hashes})
    monkeypatch.delenv("EBMLAB_DATA", raising=False)
    monkeypatch.setenv("EBMLAB_CACHE", str(tmp_path / "cache"))
    mirror = Mirror()
    monkeypatch.setattr(_files, "_fetch", mirror)
    return mirror


def put(folder, contents=RAW, data_set="mnist"):
    (folder / data_set).mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / data_set / name).write_bytes(content)
    return folder


def is_the_small_set(loaded):
    pictures, labels = loaded
    assert pictures.shape == (5, 1, 28, 28)
    assert (pictures.dtype, labels.dtype) == (torch.float32, torch.int64)
    expected = torch.as_tensor(PIXELS, dtype=torch.float32) / 255
    return torch.equal(pictures[:, 0], expected) and labels.tolist() == LABELS.tolist()


def test_root_comes_before_the_variable_before_the_cache(mirror, monkeypatch, tmp_path):
    root = put(tmp_path / "root")
    wrong = put(tmp_path / "wrong", dict.fromkeys(NAMES, b"wrong"))
    monkeypatch.setenv("EBMLAB_DATA", str(wrong))
    assert is_the_small_set(mnist("train", root))
    monkeypatch.setenv("EBMLAB_DATA", str(root))
    assert is_the_small_set(mnist("train"))
    assert mirror.urls == []
    assert not (tmp_path / "cache").exists()
    monkeypatch.delenv("EBMLAB_DATA")
    assert is_the_small_set(mnist("train"))
    assert len(mirror.urls) == 2


def test_any_gzip_of_the_same_data_and_none_at_all_are_as_good(mirror, tmp_path):
    slow = {name: gzip.compress(content, 1, mtime=7) for name, content in SMALL.items()}
    assert slow != RAW
    assert is_the_small_set(mnist("train", put(tmp_path / "slow", slow)))
    plain = {name.removesuffix(".gz"): content for name, content in SMALL.items()}
    assert is_the_small_set(mnist("train", put(tmp_path / "plain", plain)))


def test_files_are_downloaded_once_each_from_their_own_place(mirror, tmp_path):
    assert is_the_small_set(mnist("train"))
    assert is_the_small_set(mnist("train"))
    assert mirror.urls == [
        f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}" for name in NAMES
    ]
    assert is_the_small_set(fashion_mnist("train"))
    assert len(mirror.urls) == 4
    assert mirror.urls[2].startswith("https://github.com/zalandoresearch/fashion-mnist/raw/")
    kept = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert kept == {f"cache/{folder}/{n}" for folder in ("mnist", "fashion-mnist") for n in NAMES}


def test_a_data_folder_that_lacks_the_set_leads_to_the_cache(mirror, monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("EBMLAB_DATA", str(tmp_path / "data"))
    assert is_the_small_set(mnist("train"))
    assert len(mirror.urls) == 2


def test_a_data_folder_that_does_not_exist_is_refused(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("EBMLAB_DATA", str(tmp_path / "tpyo"))
    with pytest.raises(DataError, match=r"EBMLAB_DATA is .*tpyo"):
        mnist("train")
    assert mirror.urls == []


def test_a_root_without_the_file_is_refused_and_nothing_is_fetched(mirror, tmp_path):
    with pytest.raises(DataError, match=r"mnist/train-images-idx3-ubyte\.gz.*EBMLAB_DATA"):
        mnist("train", tmp_path)
    assert mirror.urls == []


def flipped(content):
    changed = bytearray(content)
    changed[-1] ^= 1
    return gzip.compress(bytes(changed), mtime=0)


@pytest.mark.parametrize("by_root", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_one_flipped_bit_in_a_given_folder_is_refused_by_name(
    mirror, monkeypatch, tmp_path, name, by_root
):
    folder = put(tmp_path / "data", RAW | {name: flipped(SMALL[name])})
    monkeypatch.setenv("EBMLAB_DATA", str(folder))
    with pytest.raises(DataError, match="SHA-256") as caught:
        mnist("train", folder if by_root else None)
    assert str(folder / "mnist" / name) in str(caught.value)
    assert mirror.urls == []


@pytest.mark.parametrize("bad", [flipped(SMALL[NAMES[0]]), RAW[NAMES[0]][:-5], b"<html>", b""])
def test_a_damaged_download_is_fetched_again_once(mirror, bad):
    mirror.faulty = [bad]
    assert is_the_small_set(mnist("train"))
    assert [url.rpartition("/")[2] for url in mirror.urls] == [NAMES[0], NAMES[0], NAMES[1]]


@pytest.mark.parametrize("bad", [flipped(SMALL[NAMES[0]]), RAW[NAMES[0]][:-5]])
def test_a_download_damaged_twice_is_refused_and_not_kept(mirror, tmp_path, bad):
    mirror.faulty = [bad, bad, bad]
    with pytest.raises(DataError, match=r"https://.*train-images"):
        mnist("train")
    assert len(mirror.urls) == 2
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_damaged_cache_is_fetched_again(mirror, tmp_path):
    mnist("train")
    path = tmp_path / "cache" / "mnist" / NAMES[1]
    path.write_bytes(flipped(SMALL[NAMES[1]]))
    assert is_the_small_set(mnist("train"))
    assert len(mirror.urls) == 3
    assert path.read_bytes() == RAW[NAMES[1]]


def test_a_cache_that_cannot_be_made_is_refused_before_anything_is_fetched(
    mirror, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EBMLAB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="set EBMLAB_CACHE"):
        mnist("train")
    assert mirror.urls == []


def test_a_read_only_cache_is_refused_unless_it_holds_the_files(mirror, monkeypatch):
    mnist("train")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "read-only")

    monkeypatch.setattr(Path, "touch", refuse)
    assert is_the_small_set(mnist("train"))
    with pytest.raises(DataError, match=r"read-only.*set EBMLAB_CACHE"):
        fashion_mnist("train")


def test_a_full_disk_leaves_no_partial_file(mirror, monkeypatch, tmp_path):
    def full(_):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"no space left.*EBMLAB_CACHE"):
        mnist("train")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_user_without_a_home_is_told_which_variable_to_set(mirror, monkeypatch):
    def homeless(_):
        raise RuntimeError("could not determine home directory")

    monkeypatch.delenv("EBMLAB_CACHE")
    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(DataError, match="EBMLAB_CACHE"):
        mnist("train")


def test_no_files_and_no_network_says_how_to_get_them(monkeypatch, tmp_path):
    def unplugged(*_, **__):
        raise URLError("unreachable")

    monkeypatch.delenv("EBMLAB_DATA", raising=False)
    monkeypatch.setenv("EBMLAB_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", unplugged)
    with pytest.raises(DataError, match=r"cannot be downloaded.*EBMLAB_DATA.*root"):
        mnist("train")


def test_fetch_returns_the_bytes_behind_an_address(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert _files._fetch((tmp_path / "file").as_uri()) == b"content"


@pytest.mark.parametrize("load", [mnist, fashion_mnist])
def test_an_unknown_split_is_refused(load):
    with pytest.raises(ConfigurationError, match="validation"):
        load("validation")


# Mean and standard deviation of the training pixels as widely published, and labels per class.
KNOWN = {
    mnist: (0.1307, 0.3081, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
    fashion_mnist: (0.2860, 0.3530, [6000] * 10),
}


@pytest.mark.parametrize("load", [mnist, fashion_mnist])
def test_the_real_files_hold_what_is_known_of_them(load):
    if not os.environ.get("EBMLAB_DATA"):
        pytest.skip("EBMLAB_DATA names no folder with the MNIST files")
    mean, std, counts = KNOWN[load]
    pictures, labels = load("train")
    assert pictures.shape == (60000, 1, 28, 28)
    assert (pictures.min(), pictures.max()) == (0, 1)
    assert pictures.mean() == pytest.approx(mean, abs=1e-4)
    assert pictures.std() == pytest.approx(std, abs=1e-4)
    assert labels.bincount().tolist() == counts
    pictures, labels = load("test")
    assert pictures.shape == (10000, 1, 28, 28)
    assert labels.shape == (10000,)
