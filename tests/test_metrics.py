"""Metrics against closed forms, other implementations, and controls that must score badly."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier

from ebmlab import Energy, FunctionEnergy
from ebmlab.data import digits, relations
from ebmlab.energies import Gaussian, SquaredDistance
from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError, ShapeError
from ebmlab.metrics import (
    branch_scores,
    code_std,
    conditional_nll,
    effective_rank,
    fit_temperature,
    grid_energies,
    knn_accuracy,
    linear_probe,
    rankme,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


@pytest.fixture(scope="module")
def digit_codes():
    pictures, labels = digits()
    codes = pictures.flatten(1)
    return codes[:1200], labels[:1200], codes[1200:], labels[1200:]


def _slow_knn(codes, labels, test_codes, test_labels, k):
    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    right = 0
    for query, answer in zip(unit(test_codes), test_labels, strict=True):
        cosine = unit(codes) @ query
        votes = {}
        for i in np.argsort(-cosine)[:k]:
            votes[labels[i]] = votes.get(labels[i], 0.0) + math.exp(cosine[i] / 0.07)
        right += max(votes, key=votes.get) == answer
    return right / len(test_labels)


@pytest.mark.parametrize("k", [1, 7, 50])
def test_knn_equals_a_slow_computation_across_chunks(k):
    codes, test_codes = randn(120, 3), randn(600, 3, seed=1)
    labels = torch.randint(3, 8, (120,), generator=generator())
    test_labels = torch.randint(3, 8, (600,), generator=generator(1))
    arguments = (codes, labels, test_codes, test_labels)
    slow = _slow_knn(*(t.numpy() for t in arguments), k)
    assert knn_accuracy(*arguments, k=k) == pytest.approx(slow, abs=1e-12)


def test_knn_agrees_with_scikit_learn_on_digits_and_is_lost_on_shuffled_labels(digit_codes):
    codes, labels, test_codes, test_labels = digit_codes
    judge = KNeighborsClassifier(20, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07))
    judge.fit(codes, labels)
    score = knn_accuracy(*digit_codes)
    assert score == pytest.approx(judge.score(test_codes, test_labels), abs=2e-3)
    assert score > 0.93
    shuffled = labels[torch.randperm(len(labels), generator=generator())]
    # Chance is 0.1; of 597 trials, 0.2 lies eight standard deviations away.
    assert knn_accuracy(codes, shuffled, test_codes, test_labels) < 0.2


def test_a_close_neighbor_outvotes_two_far_ones():
    codes = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.8, -0.6]])
    labels = torch.tensor([0, 1, 1])
    query = torch.tensor([[1.0, 0.0]])
    assert knn_accuracy(codes, labels, query, torch.tensor([0]), k=3) == 1.0
    assert knn_accuracy(codes[1:], labels[1:], query, torch.tensor([0]), k=2) == 0.0


def test_knn_refuses_more_neighbors_than_codes_and_labels_that_do_not_fit(digit_codes):
    codes, labels, test_codes, test_labels = (t[:10] for t in digit_codes)
    with pytest.raises(ConfigurationError, match="k is 11"):
        knn_accuracy(codes, labels, test_codes, test_labels, k=11)
    with pytest.raises(ConfigurationError, match="k is 0"):
        knn_accuracy(codes, labels, test_codes, test_labels, k=0)
    with pytest.raises(ShapeError, match="test_labels has shape"):
        knn_accuracy(codes, labels, test_codes, test_labels[:5], k=1)
    with pytest.raises(ShapeError, match="differ in their dimension"):
        knn_accuracy(codes, labels, test_codes[:, :5], test_labels, k=1)
    with pytest.raises(DtypeError, match="labels has dtype"):
        knn_accuracy(codes, labels.float(), test_codes, test_labels, k=1)
    with pytest.raises(NonFiniteError, match="test_codes"):
        knn_accuracy(codes, labels, test_codes / 0, test_labels, k=1)


def test_a_linear_probe_finds_a_line_and_not_a_circle():
    codes = randn(600, 2, dtype=torch.float32)
    sides = (codes @ torch.tensor([1.0, -2.0]) > 0).long()
    discs = (codes.norm(dim=1) > 1.18).long()
    assert linear_probe(codes[:400], sides[:400], codes[400:], sides[400:]) > 0.97
    assert linear_probe(codes[:400], discs[:400], codes[400:], discs[400:]) < 0.65


def test_a_linear_probe_standardizes_by_the_training_codes(digit_codes):
    codes, labels, test_codes, test_labels = digit_codes
    score = linear_probe(*digit_codes)
    assert score > 0.9
    size = torch.logspace(-6, 6, codes.shape[1])
    scaled = linear_probe(codes * size + size, labels, test_codes * size + size, test_labels)
    assert scaled == pytest.approx(score, abs=0.01)
    shifted = linear_probe(codes, labels, test_codes + 3, test_labels)
    assert shifted < score - 0.05


def test_a_linear_probe_takes_half_precision_and_refuses_a_single_class(digit_codes):
    codes, labels, test_codes, test_labels = digit_codes
    assert linear_probe(codes[:300].bfloat16(), labels[:300], test_codes, test_labels) > 0.8
    with pytest.raises(ConfigurationError, match="one class"):
        linear_probe(codes, torch.zeros_like(labels), test_codes, test_labels)


def _with_singular_values(values, n=40, d=8):
    """Centered codes (n, d) with the given singular values."""
    raw = randn(n, len(values))
    left, _ = torch.linalg.qr(raw - raw.mean(0))
    right, _ = torch.linalg.qr(randn(d, len(values), seed=1))
    return left @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right.mT


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0, 2.0], [3.0, 1.0], [5.0, 0.5, 0.1, 0.1]])
def test_effective_rank_is_the_perplexity_of_the_centered_singular_values(values):
    codes = _with_singular_values(values)
    perplexity = math.exp(stats.entropy(values))
    for moved in (codes, 1e-9 * codes, codes + 100.0):
        assert effective_rank(moved) == pytest.approx(perplexity, rel=1e-6)


def test_rankme_counts_a_shift_as_a_direction_and_effective_rank_does_not():
    codes = _with_singular_values([1.0, 1.0])
    assert rankme(codes) == pytest.approx(2, rel=1e-4)
    away = codes + 1000.0
    assert rankme(away) == pytest.approx(1, abs=0.01)
    assert effective_rank(away) == pytest.approx(2, rel=1e-6)


def test_rankme_is_the_published_formula():
    codes = randn(50, 12)
    values = np.linalg.svd(codes.numpy(), compute_uv=False)
    p = values / np.abs(values).sum() + 1e-7
    assert rankme(codes) == pytest.approx(math.exp(-(p * np.log(p)).sum()), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_collapsed_population_has_rank_one_and_no_spread(dtype):
    constant = torch.full((100, 16), 0.1).to(dtype) + torch.arange(16).to(dtype)
    assert effective_rank(constant) == 1.0
    assert rankme(constant) == pytest.approx(1, abs=1e-4)
    assert code_std(constant) == pytest.approx(0, abs=1e-6)
    rounded = constant.clone()
    rounded[::7, ::2] = torch.nextafter(rounded[::7, ::2], torch.zeros((), dtype=dtype))
    assert effective_rank(rounded) == 1.0
    zero = torch.zeros(5, 3, dtype=dtype)
    assert (effective_rank(zero), rankme(zero), code_std(zero)) == (1.0, 1.0, 0.0)


def test_variation_above_the_rounding_is_no_collapse():
    codes = 1 + 0.1 * randn(400, 256, dtype=torch.float32)
    assert effective_rank(codes.bfloat16()) == pytest.approx(effective_rank(codes), rel=0.01)
    codes[:, 1:] = 5.0
    codes[:, 2] = torch.linspace(-1, 1, 400)
    assert 1.2 < effective_rank(codes) <= 2


def test_the_spread_is_computed_in_float32_for_half_precision():
    codes = (8 + randn(4000, 4, dtype=torch.float32)).bfloat16()
    exact = codes.double().numpy().std(axis=0, ddof=1).mean()
    assert code_std(codes) == pytest.approx(exact, rel=1e-5)
    assert codes.std(0).mean().item() != pytest.approx(exact, rel=1e-5)


def test_populations_that_have_no_spread_to_speak_of_are_refused():
    for metric in (effective_rank, code_std):
        with pytest.raises(ShapeError, match="n >= 2"):
            metric(torch.ones(1, 4))
    assert rankme(torch.ones(1, 4)) == pytest.approx(1, abs=1e-4)
    for metric in (effective_rank, code_std, rankme):
        with pytest.raises(ShapeError, match=r"\(4,\)"):
            metric(torch.ones(4))
        with pytest.raises(DtypeError, match="int64"):
            metric(torch.ones(4, 4, dtype=torch.int64))
        with pytest.raises(NonFiniteError, match="NaN"):
            metric(torch.full((4, 4), torch.nan))


GRID = torch.linspace(-12, 12, 2401, dtype=torch.float64)


class Largest(Energy):
    """(x - y)², and the largest batch that was asked for."""

    def __init__(self):
        super().__init__()
        self.batch = 0

    def forward(self, x, y, z=None):
        out = (x - y).square().sum(-1)
        self.batch = max(self.batch, out.numel())
        return out


@pytest.mark.parametrize("chunk", [1, 7, 40, 95, 10**6])
def test_grid_energies_are_all_pairs_in_bounded_memory(chunk):
    x, grid, energy = randn(13, 1), GRID[::60], Largest()
    out = grid_energies(energy, x, grid, chunk)
    assert torch.equal(out, (x - grid).square())
    assert energy.batch <= chunk


def test_grid_energies_carry_no_gradient_and_serve_energies_without_x():
    scale = torch.nn.Parameter(torch.tensor(2.0))
    trained = FunctionEnergy(lambda x, y: scale * (x - y).square().sum(-1), ("x", "y"))
    x, grid = torch.zeros(3, 1), torch.linspace(-1, 1, 5)
    assert not grid_energies(trained, x, grid).requires_grad
    alone = Gaussian(torch.zeros(1), torch.eye(1))
    out = grid_energies(alone, torch.zeros(3, 7), grid)
    assert torch.equal(out, (0.5 * grid.square()).expand(3, 5))


def test_grid_energies_refuse_images_and_empty_grids():
    x = torch.zeros(3, 1)
    with pytest.raises(ConfigurationError, match="y_ndim 3"):
        grid_energies(SquaredDistance(ndim=3), x, torch.zeros(5))
    with pytest.raises(ShapeError, match="neither empty"):
        grid_energies(SquaredDistance(), x, torch.zeros(0))
    with pytest.raises(ShapeError, match="neither empty"):
        grid_energies(SquaredDistance(), x[:0], torch.zeros(5))
    with pytest.raises(ConfigurationError, match="chunk"):
        grid_energies(SquaredDistance(), x, torch.zeros(5), chunk=0)


def _gaussian_rows(n=100, scale=0.5, factor=1.0):
    """factor·(y - x)²/2·scale² on the grid and at the quantiles of N(x, scale²)."""
    quantile = torch.as_tensor(stats.norm.ppf((np.arange(n) + 0.5) / n))
    x = torch.linspace(-3, 3, n, dtype=torch.float64)
    energies = factor * 0.5 * ((GRID - x[:, None]) / scale).square()
    return energies, factor * 0.5 * quantile.square(), quantile


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_the_nll_of_a_gaussian_is_its_closed_form(temperature):
    energies, at, quantile = _gaussian_rows()
    closed = 0.5 * math.log(2 * math.pi * temperature * 0.25) + at.mean() / temperature
    nll = conditional_nll(energies, GRID, at, temperature)
    assert nll.shape == ()
    assert nll.dtype == torch.float64
    assert nll == pytest.approx(closed.item(), abs=1e-12)
    judge = -stats.norm.logpdf(0.5 * quantile, scale=0.5 * math.sqrt(temperature)).mean()
    assert nll == pytest.approx(judge, abs=1e-12)


def test_the_nll_of_the_true_density_is_its_entropy_and_every_other_is_worse():
    energies, at, _ = _gaussian_rows(n=1000)
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.25)
    true = conditional_nll(energies, GRID, at, 1.0)
    assert true == pytest.approx(entropy, abs=2e-3)
    for wrong in (0.5, 0.9, 1.1, 2.0):
        assert conditional_nll(energies, GRID, at, wrong) > true
    assert conditional_nll(-energies, GRID, -at, 1.0) > true + 1


def test_the_nll_does_not_see_an_offset_of_any_row_and_survives_huge_energies():
    energies, at, _ = _gaussian_rows()
    offset = 1e6 * randn(len(at))
    moved = conditional_nll(energies + offset[:, None], GRID, at + offset, 1.0)
    assert moved == pytest.approx(conditional_nll(energies, GRID, at, 1.0).item(), abs=1e-8)
    cold = conditional_nll(1e6 * energies, GRID, 1e6 * at, 1e6)
    assert cold == pytest.approx(conditional_nll(energies, GRID, at, 1.0).item(), abs=1e-8)


def test_the_nll_takes_uneven_grids_and_walls():
    energies = torch.where(GRID.abs() > 1, torch.inf, 0.0)[None]
    # The trapezoid rule sees the box up to the middle of the step next to the wall.
    flat = conditional_nll(energies, GRID, torch.zeros(1), 1.0)
    assert flat == pytest.approx(math.log(2.01), abs=1e-9)
    uneven = torch.linspace(-2.2, 2.2, 3001, dtype=torch.float64) ** 3
    curved = conditional_nll(0.5 * uneven.square()[None], uneven, torch.full((1,), 0.5), 1.0)
    assert curved == pytest.approx(0.5 + 0.5 * math.log(2 * math.pi), abs=1e-5)


@pytest.mark.parametrize("factor", [1e-5, 0.3, 1.0, 7.0, 1e6])
def test_the_fitted_temperature_is_the_factor_of_a_gaussian_energy(factor):
    energies, at, _ = _gaussian_rows(n=100, factor=factor)
    assert fit_temperature(energies, GRID, at) == pytest.approx(2 * at.mean().item(), rel=1e-8)
    expected = torch.full_like(at, 0.5 * factor)
    assert fit_temperature(energies, GRID, expected) == pytest.approx(factor, rel=1e-8)


def test_the_fitted_temperature_takes_uneven_grids():
    uneven = torch.linspace(-2.2, 2.2, 3001, dtype=torch.float64) ** 3
    fitted = fit_temperature(0.5 * uneven.square()[None], uneven, torch.full((1,), 0.5))
    assert fitted == pytest.approx(1, abs=1e-3)


def test_the_fitted_temperature_does_not_see_offsets_and_sees_the_data():
    energies, at, _ = _gaussian_rows()
    offset = 1e3 * randn(len(at))
    fitted = fit_temperature(energies, GRID, at)
    moved = fit_temperature(energies + offset[:, None], GRID, at + offset)
    assert moved == pytest.approx(fitted, rel=1e-6)
    assert fit_temperature(energies, GRID, 2 * at) == pytest.approx(2 * fitted, rel=1e-3)


def test_the_fitted_temperature_is_the_best_of_a_scan_for_wells_that_are_not_gaussian():
    energies = (GRID.square() - 1).square().expand(50, -1) * 3
    place = torch.linspace(0.6, 1.3, 50, dtype=torch.float64)
    at = (place.square() - 1).square() * 3
    fitted = fit_temperature(energies, GRID, at)
    best = conditional_nll(energies, GRID, at, fitted)
    for factor in (1e-3, 0.5, 0.98, 1.02, 2.0, 1e3):
        assert conditional_nll(energies, GRID, at, factor * fitted) > best


@pytest.mark.parametrize("energy", [torch.zeros_like(GRID), 1e-7 * GRID.cos(), GRID.square()])
def test_an_energy_that_knows_nothing_ends_uniform_over_the_window(energy):
    # Flat, flat but for rounding, and a well as far from the data as can be.
    at = energy.amax().expand(20)
    energies = energy.expand(20, -1)
    fitted = fit_temperature(energies, GRID, at)
    assert fitted > 0
    assert conditional_nll(energies, GRID, at, fitted) == pytest.approx(math.log(24), abs=1e-4)


def test_a_wall_does_not_disturb_the_fit():
    energies, at, _ = _gaussian_rows()
    walled = torch.where(GRID.abs() > 9, torch.inf, energies)
    fitted = fit_temperature(walled, GRID, at)
    assert fitted == pytest.approx(fit_temperature(energies, GRID, at), rel=1e-4)
    steep = torch.where(GRID.abs() > 9, 1e12, energies)
    assert fit_temperature(steep, GRID, at) == pytest.approx(fitted, rel=1e-4)


def test_density_scores_refuse_what_does_not_fit():
    energies, at, _ = _gaussian_rows(n=4)
    answers = [torch.zeros(1)] * 4
    for score in (lambda *a: conditional_nll(*a, 1.0), fit_temperature):
        with pytest.raises(ShapeError, match="do not fit"):
            score(energies, GRID[:-1], at)
        with pytest.raises(ShapeError, match="do not fit"):
            score(energies, GRID, at[:-1])
        with pytest.raises(ConfigurationError, match="increase"):
            score(energies, GRID.flip(0), at)
    with pytest.raises(ConfigurationError, match="temperature"):
        conditional_nll(energies, GRID, at, 0.0)
    with pytest.raises(NonFiniteError, match="no temperature"):
        fit_temperature(energies, GRID, at + torch.inf)
    broken = energies.clone()
    broken[2, 5] = torch.nan
    for refused in (broken, torch.where(torch.arange(4)[:, None] == 2, torch.inf, energies)):
        with pytest.raises(NonFiniteError, match="row 2"):
            fit_temperature(refused, GRID, at)
        with pytest.raises(NonFiniteError, match="row 2"):
            branch_scores(refused, GRID, answers, 1.0)
    with pytest.raises(ShapeError, match="branches holds 3"):
        branch_scores(energies, GRID, answers[:3], 1.0)
    with pytest.raises(ConfigurationError, match="all empty"):
        branch_scores(energies, GRID, [torch.zeros(0)] * 4, 1.0)
    for setting in ({"tolerance": 0.0}, {"depth": -1.0}):
        with pytest.raises(ConfigurationError, match=next(iter(setting))):
            branch_scores(energies, GRID, answers, 1.0, **setting)


def _wells(*places, lift=0.0):
    """Unit parabolas at the places, the first lifted, on a row of the grid."""
    heights = [lift] + [0.0] * (len(places) - 1)
    wells = [(GRID - place).square() + h for place, h in zip(places, heights, strict=True)]
    return torch.stack(wells).amin(0)


def test_recall_and_precision_count_over_all_rows():
    energies = torch.stack([_wells(-1.0, 1.0), _wells(-1.0, 1.0), _wells(3.0)])
    answers = [torch.tensor(a) for a in ([-1.0, 1.0], [-1.0], [2.0, 3.0, 4.0])]
    # Five minima, four of them right; six answers, four of them found.
    scores = branch_scores(energies, GRID, answers, 1.0)
    assert scores.recall == pytest.approx(4 / 6)
    assert scores.precision == pytest.approx(4 / 5)


def test_one_minimum_may_find_two_answers_and_two_minima_one():
    apart = [torch.tensor([0.98, 1.02])]
    assert branch_scores(_wells(1.0, 3.0)[None], GRID, apart, 1.0) == (1, 0.5)
    answers = [torch.tensor([1.0, 2.0])]
    assert branch_scores(_wells(0.97, 1.03)[None], GRID, answers, 1.0) == (0.5, 1)


def test_minima_lie_between_grid_points_where_the_parabola_says():
    for place in (0.0033, 0.4951, 2.0):
        answers = [torch.tensor([place], dtype=torch.float64)]
        for grid in (GRID, GRID + 1e-3 * (5 * GRID).sin()):
            row = (grid - place).square()[None]
            assert branch_scores(row, grid, answers, 1.0, tolerance=1e-9) == (1, 1)
            # The grid alone is not that fine, as the neighboring point shows.
            assert branch_scores(row, grid, [answers[0] + 1e-3], 1.0, tolerance=9e-4) == (0, 0)


def test_only_minima_within_the_depth_count_and_it_scales_with_temperature():
    row = _wells(-1.0, 1.0, lift=0.4)[None]
    both = [torch.tensor([-1.0, 1.0])]
    assert branch_scores(row, GRID, both, 1.0) == (1, 1)
    assert branch_scores(row, GRID, both, 0.07) == (0.5, 1)
    assert branch_scores(row, GRID, both, 0.09) == (1, 1)
    assert branch_scores(row, GRID, both, 0.07, depth=6.0) == (1, 1)


def test_the_tolerance_is_how_far_an_answer_may_be():
    row = _wells(1.0)[None]
    near = [torch.tensor([1.04])]
    assert branch_scores(row, GRID, near, 1.0) == (1, 1)
    assert branch_scores(row, GRID, near, 1.0, tolerance=0.03) == (0, 0)


def test_a_flat_bottom_is_one_minimum_at_its_middle_and_a_flat_shoulder_none():
    flat = (GRID.abs() - 0.5).clamp(min=0)[None]
    assert branch_scores(flat, GRID, [torch.tensor([0.0])], 1.0, tolerance=1e-6) == (1, 1)
    lopsided = torch.where(GRID > 0, flat, 20 * flat)
    assert branch_scores(lopsided, GRID, [torch.tensor([0.0])], 1.0, tolerance=1e-6) == (1, 1)
    shoulder = (GRID.square() - torch.where(GRID > 0, 1.0, 0.0)).clamp(max=0.25)
    shoulder = torch.where(GRID < -1, 0.25 + (GRID + 1).square(), shoulder)[None]
    scores = branch_scores(shoulder, GRID, [torch.tensor([0.01])], 1.0)
    assert scores == (1, 1)


def test_an_edge_is_a_minimum_only_if_the_energy_falls_towards_it():
    slope, window = GRID[None], [GRID[[0]]]
    assert branch_scores(slope, GRID, window, 1.0) == (1, 1)
    assert branch_scores(-slope, GRID, window, 1.0) == (0, 0)
    both = [GRID[[0, -1]]]
    assert branch_scores(-slope.square(), GRID, both, 1.0) == (1, 1)
    saturated = (GRID + 11.99).clamp(min=0)[None]
    assert branch_scores(saturated, GRID, window, 1.0) == (1, 1)


def test_a_constant_energy_finds_nothing_and_a_wall_is_no_minimum():
    answers = [torch.tensor([0.0])]
    assert branch_scores(torch.zeros(1, len(GRID)), GRID, answers, 1.0) == (0, 0)
    walled = torch.where(GRID.abs() > 1, torch.inf, GRID.square())[None]
    assert branch_scores(walled, GRID, answers, 1.0) == (1, 1)
    slit = torch.where(GRID.abs() > 1e-6, torch.inf, GRID.square())[None]
    assert branch_scores(slit, GRID, answers, 1.0) == (1, 1)


def test_the_true_energy_of_the_inverse_problem_scores_best_and_a_regression_does_not():
    relation = relations.inverse_sine
    grid = torch.linspace(*relation.y_range, 401, dtype=torch.float64)
    x = torch.linspace(0.45, 0.55, 41, dtype=torch.float64)
    branches = relation.branches(x)

    def true(x, y):
        return -relation.log_density(x, y)

    def regression(x, y):
        return (y - 0.5).square().sum(-1) / 0.01

    right = grid_energies(FunctionEnergy(true, ("x", "y")), x[:, None], grid)
    assert branch_scores(right, grid, branches, 1.0) == (1, 1)
    mean = grid_energies(FunctionEnergy(regression, ("x", "y")), x[:, None], grid)
    assert branch_scores(mean, grid, branches, 1.0).recall <= 0.4
    noisy = right + 1.0 * randn(*right.shape)
    assert branch_scores(noisy, grid, branches, 1.0).precision < 0.9
    turned = branch_scores(-right, grid, branches, 1.0)
    assert turned.recall < 0.1


def test_the_true_energy_of_the_inverse_problem_is_at_temperature_one():
    relation = relations.inverse_sine
    x, y = (t.double() for t in relation(4000, generator()))
    grid = torch.linspace(*relation.y_range, 301, dtype=torch.float64)
    energy = FunctionEnergy(
        lambda x, y: 0.5 * (x - y - 0.3 * (2 * math.pi * y).sin()).square().sum(-1) / 0.05**2,
        ("x", "y"),
    )
    energies, at = grid_energies(energy, x, grid), energy(x, y)
    # T is estimated with a relative deviation of √(2 / 4000) = 0.022: five of them, 6e-7.
    fitted = fit_temperature(energies, grid, at)
    assert fitted == pytest.approx(1, abs=0.11)
    nll = conditional_nll(energies, grid, at, 1.0)
    assert nll == pytest.approx(-relation.log_density(x, y).mean().item(), abs=1e-3)
