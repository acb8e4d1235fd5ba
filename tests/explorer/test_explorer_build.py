"""The page that the wheel carries is what the sources build to, and needs nothing else."""

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "explorer"
PAGE = files("ebmlab.cli") / "explorer.html"


def test_the_page_is_what_the_sources_build_to(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("needs node")
    if not (SOURCES / "node_modules" / "esbuild").exists():
        pytest.skip("needs the build's packages: npm ci --prefix explorer")
    built = tmp_path / "explorer.html"
    subprocess.run(["node", SOURCES / "build.mjs", built], check=True, timeout=60)
    assert built.read_bytes() == PAGE.read_bytes(), "node explorer/build.mjs makes it anew"


def test_the_page_is_one_small_file_that_names_no_other():
    text = PAGE.read_text("utf-8")
    assert len(text.encode()) < 1_500_000
    named = set(re.findall(r"https?://[\w./-]+", text))
    assert all(each.startswith("http://www.w3.org/") for each in named)
    assert not re.search(
        r"<link[^>]*href=\"(?!data:)|<script[^>]*src=|@import|url\((?!data:)", text
    )
