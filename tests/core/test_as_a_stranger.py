import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cli_support import ebmlab

from ebmlab import methods
from ebmlab.networks import ResNet

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py"))


# Minutes in all; `.ci/run` runs them as well.
@pytest.mark.slow
@pytest.mark.parametrize("script", TUTORIALS, ids=lambda path: path.stem)
def test_tutorials_run_and_their_claims_hold(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    assert list((tmp_path / "tutorials/figures").glob("*.png"))


def test_tutorials_are_short_enough_to_read():
    assert TUTORIALS
    assert all(len(script.read_text().splitlines()) <= 120 for script in TUTORIALS)


def test_the_script_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text()
    script = text.split("```python\n")[1].split("```")[0]
    assert len([line for line in script.splitlines() if line.strip()]) <= 15
    script = script.replace("steps=500, rng=rng)\nchain", "steps=3, rng=rng)\nchain")
    exec(compile(script, "README.md", "exec"), {})
    assert (tmp_path / "moons.png").stat().st_size > 10_000


def test_the_example_of_ranks_runs_in_one_process_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text()
    script = text.split("```python\n")[2].split("```")[0]
    for far, near in {"10_000": "3", "1024": "4", "shard=True": "shard=False"}.items():
        assert far in script
        script = script.replace(far, near)
    method = methods.simclr(ResNet(18, width=2, small=True), 16, projection=4, x_ndim=3)
    x = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    exec(compile(script, "README.md", "exec"), {"torch": torch, "method": method, "x": x, "y": x})
    assert (tmp_path / "runs/mine/checkpoint.safetensors").exists()


def test_the_prediction_example_of_the_readme_finds_both_answers():
    text = (ROOT / "README.md").read_text()
    script = text.split("```python\n")[3].split("```")[0]
    assert "steps=500, rng=rng)" in script
    names: dict = {}
    script = script.replace("steps=500, rng=rng)", "steps=300, rng=rng)")
    exec(compile(script, "README.md", "exec"), names)
    low, high = names["two"].y.flatten().sort().values.tolist()
    assert abs(low + 0.5) < 0.15
    assert abs(high - 0.5) < 0.15


def test_the_sampler_example_of_the_readme_runs(capsys):
    text = (ROOT / "README.md").read_text()
    script = text.split("```python\n")[4].split("```")[0]
    for steps in ("steps=300", "steps=200"):
        assert steps in script
        script = script.replace(steps, "steps=40")
    exec(compile(script, "README.md", "exec"), {})
    assert "largest R-hat" in capsys.readouterr().out


def test_an_error_of_the_cli_is_one_line():
    run = subprocess.run(
        [sys.executable, "-m", "ebmlab", "tour", "--device", "warp"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("ebmlab: device 'warp'")
    assert len(run.stderr.strip().splitlines()) == 1


def test_cli_help_names_the_tour(monkeypatch, capsys):
    assert ebmlab(monkeypatch, "tour", "--help") == 0
    shown = capsys.readouterr().out
    for word in ("--out", "--seed", "--device", "--quick"):
        assert word in shown
