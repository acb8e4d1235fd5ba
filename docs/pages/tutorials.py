"""The tutorials as pages and notebooks: run here, with every picture where it was drawn."""

import json
import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

from pages.writing import heading, put

__all__ = ["notebook", "write"]

SCRIPTS = Path(__file__).parents[2] / "tutorials"
# Pictures are written to files; this shows them below the cell that wrote them.
SHOW = """\
# Shows each picture below the cell that writes it; ebmlab has to be installed
from pathlib import Path

from IPython.display import Image, display

SHOWN = {}


def show_new_pictures(_=None):
    for path in sorted(Path("tutorials/figures").glob("*.*")):
        if SHOWN.get(path.name, 0.0) < path.stat().st_mtime:
            SHOWN[path.name] = path.stat().st_mtime
            display(Image(path.read_bytes()))


get_ipython().events.register("post_run_cell", show_new_pictures)"""
SPENT = '__import__("time").process_time()'


def notebook(script: Path) -> Any:
    """A tutorial as a notebook that shows its pictures."""
    # A title after the marker becomes the first comment of its cell.
    text = re.sub(r"^# %% (?!\[)(.+)$", r"# %%\n# \1", script.read_text(), flags=re.MULTILINE)
    book = jupytext.reads(text, fmt="py:percent")
    book.cells.insert(1, nbformat.v4.new_code_cell(SHOW, metadata={"tags": ["remove-input"]}))
    book.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    book.metadata.pop("jupytext", None)
    for k, cell in enumerate(book.cells):
        cell["id"] = f"cell-{k}"
        cell.metadata.pop("cell_marker", None)
    return book


def run(script: Path, folder: Path, scratch: Path) -> tuple[str, float]:
    """Run a tutorial, keep the notebook with its pictures; the CPU seconds it took."""
    stamp = folder / f"{script.stem}.json"
    if stamp.exists() and stamp.stat().st_mtime > script.stat().st_mtime:
        return script.stem, json.loads(stamp.read_text())["cpu"]
    book = notebook(script)
    book.cells.append(nbformat.v4.new_code_cell(SPENT))
    where = scratch / script.stem
    where.mkdir(parents=True, exist_ok=True)
    client = NotebookClient(book, timeout=600, resources={"metadata": {"path": str(where)}})
    client.execute()
    cpu = float(book.cells.pop().outputs[0]["data"]["text/plain"])
    nbformat.write(book, folder / f"{script.stem}.ipynb")
    pictures = sorted((where / "tutorials/figures").glob("*.png"))
    shutil.copy(max(pictures, key=lambda path: path.stat().st_size), folder / f"{script.stem}.png")
    stamp.write_text(json.dumps({"cpu": cpu}))
    return script.stem, cpu


def title(script: Path) -> str:
    """The first heading."""
    return script.read_text().split("# # ")[1].splitlines()[0]


def question(script: Path) -> str:
    """What the tutorial asks: the bold words at its beginning."""
    text = script.read_text().split("**")[1]
    return " ".join(text.replace("\n# ", " ").split()).removeprefix("Question: ")


def write(folder: Path) -> None:
    """Run all, one on each core, and write the gallery."""
    scripts = sorted(SCRIPTS.glob("[0-9][0-9]_*.py"))
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        spent = dict(pool.map(lambda script: run(script, folder, Path(scratch)), scripts))
    text = heading("Tutorials")
    text += (
        "Each asks one question, shows the data first, the failure before the cure, and asserts "
        "what it claims. All ran when these pages were built "
        f"({sum(spent.values()) / 60:.0f} minutes of one core for {len(scripts)}).\n\n"
        "::::{grid} 1 2 3 3\n:gutter: 2\n\n"
    )
    for script in scripts:
        text += (
            f":::{{grid-item-card}} {title(script)}\n:link: {script.stem}\n:link-type: doc\n"
            f":img-top: {script.stem}.png\n\n{question(script)}\n\n"
            f"*{spent[script.stem]:.0f} s of one core*\n:::\n\n"
        )
    listed = "\n".join(script.stem for script in scripts)
    books = ", ".join(f"{{download}}`{s.stem[:2]} <{s.stem}.ipynb>`" for s in scripts)
    text += f"::::\n\nAs notebooks, with their pictures: {books}.\n\n"
    put(folder / "index.md", text + f"```{{toctree}}\n:hidden:\n\n{listed}\n```\n")
