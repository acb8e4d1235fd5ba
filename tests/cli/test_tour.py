import itertools
import json
import re

import pytest
import torch

from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.tour import digits, pictures, relation, report, run
from ebmlab.tour.run import run_tour

KEYS = ["regression", "joint_embedding", "contrastive", "vicreg", "latent", "latent_warm"]
PICTURES = {"data", "regression", "families", "cut", "temperature", "digits"}


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(run, "QUICK", 3)
    monkeypatch.setattr(run, "QUICK_DIGITS", 2)
    monkeypatch.setattr(relation, "SIZES", {"train": 512, "validation": 100, "test": 300})


def test_the_tour_writes_a_whole_report_that_opens_offline(tmp_path, few_steps, capsys):
    run_tour(tmp_path / "out", seed=3, quick=True)
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["complete"] is True
    assert metrics["settings"] == {
        "seed": 3,
        "device": "cpu",
        "quick": True,
        "steps": 3,
        "threads": 1,
    }
    drawn = {"train": 512, "validation": 100, "test": 300}
    assert metrics["splits"] == {**drawn, "digits train": 1200, "digits test": 597}
    assert list(metrics["families"]) == KEYS
    for key, results in metrics["families"].items():
        assert {"nll", "branch_recall", "branch_precision"} <= set(results)
        embeds = key in {"joint_embedding", "vicreg"}
        assert ("code_std" in results) == ("effective_rank" in results) == embeds
    assert {"knn_codes", "knn_pixels", "best_of_codes_error"} <= set(metrics["digits"])
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == PICTURES
    table, notes = capsys.readouterr()
    assert all(family.title in table for family in relation.FAMILIES)
    for number, family in enumerate(relation.FAMILIES, start=1):
        assert f"[{number}/8] {family.title}: 3 steps … " in notes
    assert "\r" not in notes
    assert len(notes.splitlines()) == len(KEYS) + 2
    page = (tmp_path / "out/index.html").read_text()
    assert page.count("data:image/png;base64,") == len(PICTURES)
    assert not re.search(r"https?://|src=\"(?!data:)|<link|<script", page)
    assert "Interrupted" not in page
    assert page.index('alt="Each dot is one pair') < page.index('alt="Dark is low energy')
    links = re.findall(r'href="([^"]+)"', page)
    assert links == ["explorer.html"]
    assert all((tmp_path / "out" / link).stat().st_size > 1000 for link in links)
    levels = [int(level) for level in re.findall(r"<h(\d)>", page)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert "prefers-color-scheme: dark" in page


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scores(tmp_path, few_steps):
    def results(out, seed):
        run_tour(tmp_path / out, seed=seed, quick=True, verbose=False)
        families = json.loads((tmp_path / out / "metrics.json").read_text())["families"]
        return {key: {**each, "seconds": 0} for key, each in families.items()}

    assert results("a", 1) == results("b", 1) != results("c", 2)


def test_ctrl_c_leaves_a_report_of_what_is_done(tmp_path, few_steps, monkeypatch):
    whole = run.train

    def interrupted(family, *args, **kwargs):
        if family.key == "vicreg":
            raise KeyboardInterrupt
        return whole(family, *args, **kwargs)

    monkeypatch.setattr(run, "train", interrupted)
    run_tour(tmp_path, quick=True, verbose=False)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["complete"] is False
    assert list(metrics["families"]) == KEYS[:3]
    assert "Interrupted" in (tmp_path / "index.html").read_text()
    assert (tmp_path / "families.png").exists()


def test_ctrl_c_at_the_very_start_still_leaves_a_report(tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train", interrupted)
    run_tour(tmp_path, quick=True, verbose=False)
    assert json.loads((tmp_path / "metrics.json").read_text())["families"] == {}
    assert (tmp_path / "index.html").exists()


def test_a_device_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="warp"):
        run_tour(tmp_path, device="warp")


@pytest.mark.parametrize("threads", [1, 3])
def test_the_tour_takes_its_threads_and_gives_the_callers_back(
    tmp_path, few_steps, monkeypatch, threads
):
    seen, whole = [], run.train
    before = torch.get_num_threads()

    def counted(*args, **kwargs):
        seen.append(torch.get_num_threads())
        if len(seen) == 2:
            raise ZeroDivisionError
        return whole(*args, **kwargs)

    monkeypatch.setattr(run, "train", counted)
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            run_tour(tmp_path, quick=True, verbose=False, threads=threads)
        assert (seen, torch.get_num_threads()) == ([threads] * 2, 2)
    finally:
        torch.set_num_threads(before)
    with pytest.raises(ConfigurationError, match="threads is 0"):
        run_tour(tmp_path, threads=0)


def test_titles_are_escaped():
    odd = relation.Family("odd", "a < b", lambda problem: None, "x & y")  # pyright: ignore
    shown = report.Report.__new__(report.Report)
    shown.trained = [relation.Trained(odd, None, {"nll": 1.0})]  # pyright: ignore
    assert "a &lt; b" in shown._table_html()
    assert "x &amp; y" in shown._lessons()


@pytest.mark.slow
def test_the_tour_keeps_its_promises(tmp_path):
    families = {t.family.key: t.results for t in run_tour(tmp_path, verbose=False).trained}
    for key in ("contrastive", "vicreg", "latent"):
        assert families[key]["branch_recall"] >= 0.95
    assert all(families[key]["branch_precision"] >= 0.9 for key in ("contrastive", "vicreg"))
    # Three codes are three answers at every x, also where one is right.
    assert 0.4 <= families["latent"]["branch_precision"] <= 0.8
    assert families["regression"]["branch_recall"] <= 0.4
    limits = {"contrastive": 0.1, "vicreg": 0.4, "latent": 0.6}
    assert all(families[key]["nll_above_truth"] <= most for key, most in limits.items())
    assert families["regression"]["nll_above_truth"] >= 0.7
    collapsed = families["joint_embedding"]
    assert collapsed["code_std"] < 0.05 * collapsed["code_std_start"]
    assert collapsed["code_std"] < 0.01 * families["vicreg"]["code_std"]


class _Constant(Energy):
    """A single valley at raw y = 0.5, whatever x is."""

    def __init__(self, problem):
        super().__init__()
        self.center = problem.y_scale.apply(torch.tensor([0.5]))

    def forward(self, x, y, z=None):
        valley = (y - self.center).square().sum(-1)  # pyright: ignore
        return valley + torch.zeros_like(x).sum(-1)  # pyright: ignore


class _True(Energy):
    """-log p(y | x), and a false valley at y = 0.5 beyond x = 0.9 if asked for."""

    def __init__(self, problem, false):
        super().__init__()
        self.problem, self.false = problem, false

    def forward(self, x, y, z=None):
        x = x * self.problem.x_scale.std + self.problem.x_scale.mean
        y = y * self.problem.y_scale.std + self.problem.y_scale.mean
        truth = -relation.inverse_sine.log_density(x, y)
        well = 1000 * (y[..., 0] - 0.5).square() - 3
        return torch.where(self.false & (x[..., 0] > 0.9), truth.minimum(well), truth)


def test_precision_is_over_all_x(few_steps):
    problem = relation.draw_problem(0, torch.device("cpu"))
    # y = 0.5 is within 0.05 of the middle answer for |x - 0.5| <= 0.3 sin(0.1 π) - 0.05 = 0.0427.
    assert relation.precision(_Constant(problem), problem, 1.0) == pytest.approx(9 / 101)
    truth, false = (torch.tensor(value) for value in (False, True))
    assert relation.precision(_True(problem, truth), problem, 1.0) == 1.0
    assert relation.precision(_True(problem, false), problem, 1.0) < 0.95


def test_table_and_panel_have_the_same_temperature(tmp_path, few_steps, monkeypatch):
    fields, whole = [], pictures.plot.landscapes
    monkeypatch.setattr(
        pictures.plot,
        "landscapes",
        lambda each, *args, **kwargs: fields.extend(each) or whole(each, *args, **kwargs),
    )
    shown = run_tour(tmp_path, quick=True, verbose=False)
    low = torch.linspace(relation.LO, relation.HI, 161)
    problem = relation.draw_problem(0, torch.device("cpu"))
    for trained, field in zip(shown.trained, fields, strict=True):
        x = low[80].expand(161, 1)
        with torch.no_grad():
            energy = trained.method.energy(
                problem.x_scale.apply(x), problem.y_scale.apply(low[:, None])
            )
        expected = (energy - energy.min()) / trained.results["temperature"]
        torch.testing.assert_close(field.energy[:, 80], expected, rtol=1e-3, atol=1e-3)
    both = [shown.trained[k].results["temperature"] for k in (1, 3)]
    assert both[0] == both[1]


def test_completions_are_ordered_by_energy():
    train, test = digits.halves(0, torch.device("cpu"))
    energy, _ = digits.embed(train, test, steps=2, seed=0, progress=False)
    shown = digits.complete(train, test, energy, steps=2, seed=0, progress=False)
    assert shown.images.shape == (6, 11, 1, 8, 8)
    assert shown.energies.shape == (6, 10)
    completions = shown.energies[:, 2:]
    assert (completions.diff(dim=1) >= 0).all()
    assert (completions.diff(dim=1) > 0).any()
    assert not shown.images[:, 0, :, 4:].any()
    torch.testing.assert_close(shown.images[:, 1].flatten(1)[:, 32:], test.lower[:6])
    with torch.no_grad():
        truth = energy(test.upper[:6], test.lower[:6])
    torch.testing.assert_close(shown.energies[:, 0], truth)
