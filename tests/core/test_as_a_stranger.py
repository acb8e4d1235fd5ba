import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from cli_support import ebmlab

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
    script = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    for steps in ("steps=800", "steps=200"):
        assert steps in script
        script = script.replace(steps, "steps=3")
    exec(compile(script, "README.md", "exec"), {})
    assert (tmp_path / "moons.png").stat().st_size > 10_000


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
