"""One line and the right exit code, whatever is at the other end: real processes."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_support import TINY, ebmlab

ROOT = Path(__file__).parents[2]


def process(*arguments, shell="", stderr=subprocess.PIPE, **environment):
    """Run a command to its end, with redirections of a shell: what it wrote, and its exit code."""
    buffered = {"PYTHONUNBUFFERED": ""}
    line = f'"$0" -m ebmlab {" ".join(map(str, arguments))} {shell}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable],
        check=False,
        env={"PYTHONPATH": str(ROOT)} | os.environ | buffered | environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        timeout=120,
    )


def test_letters_that_a_terminal_lacks_are_spelled(monkeypatch):
    page = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(page, encoding="ascii"))
    for name, value in {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "20"}.items():
        monkeypatch.setenv(name, value)
    assert ebmlab(monkeypatch, "methods") == 0
    text = page.getvalue().decode("ascii")
    assert "||g(z) - y||^2" in text
    assert "+ lambda SIGReg" in text
    assert "?" not in text
    assert len(text.splitlines()) > 80


def test_letters_that_a_terminal_has_are_not(monkeypatch):
    page = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(page, encoding="cp1252"))
    assert ebmlab(monkeypatch, "methods", "vq_vae") == 0
    text = page.getvalue().decode("cp1252")
    assert "||g(c_z) - y||²" in text
    assert "beta, how strongly" in text


CLOSED = {
    "nowhere to complain": (("methods", "simclrr"), "2>&-", 1, b"did you mean simclr?\n", b""),
    "full": (("methods", "moco"), ">/dev/full", 1, b"", b"ebmlab: No space left on device\n"),
    "reader gone": (("methods", "moco"), "| true; exit ${PIPESTATUS[0]}", 0, b"", b""),
    "both gone": (("--help",), "2>&1 | true; exit ${PIPESTATUS[0]}", 0, b"", b""),
}


# Each is a process of its own; by default one of a kind.
LATER = {"nowhere to complain", "full"}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow) if c in LATER else c for c in CLOSED]
)
def test_a_closed_stream_is_no_traceback(case):
    arguments, shell, code, said, complained = CLOSED[case]
    done = process(*arguments, shell=shell)
    assert done.returncode == code
    assert done.stdout.endswith(said)
    assert done.stdout.count(b"\n") == said.count(b"\n")
    assert done.stderr == complained


def test_ctrl_c_while_libraries_are_imported(tmp_path):
    torch = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    (tmp_path / "torch.py").write_text(torch)
    done = process("methods", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode in (128 + signal.SIGINT, -signal.SIGINT)
    assert (done.stdout, done.stderr) == (b"", b"ebmlab: interrupted\n")


def test_a_bar_is_drawn_on_a_terminal_though_standard_output_is_closed(tmp_path):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    here, there = pty.openpty()
    termios.tcsetwinsize(there, (24, 80))
    done = process("train", "pca", *TINY, "--out", tmp_path / "run", shell=">&-", stderr=there)
    os.close(there)
    assert done.returncode == 0
    shown = os.read(here, 1 << 16)
    os.close(here)
    assert b"\rpca on digits: 100%" in shown
    assert b"2/2" in shown
    assert b"Traceback" not in shown


def test_no_bar_is_drawn_elsewhere(tmp_path, monkeypatch, capsys):
    assert ebmlab(monkeypatch, "train", "pca", *TINY, "--out", tmp_path) == 0
    assert capsys.readouterr().err == ""
