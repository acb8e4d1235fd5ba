"""Pages that are written anew at each build: methods, parts, tables, tutorials, all names."""

from pathlib import Path

from sphinx.application import Sphinx

from pages import api, docstrings, drawn, methods, parts, tables, tutorials
from pages.writing import sweep

__all__ = ["setup"]

DOCS = Path(__file__).parents[1]
WRITTEN = ("api", "methods", "parts", "tables", "tutorials")


def write(app: Sphinx) -> None:
    """Write every page that comes from the library itself, before Sphinx reads them."""
    for part in WRITTEN:
        (DOCS / part).mkdir(exist_ok=True)
    drawn.draw(DOCS)
    homes = {**methods.write(DOCS / "methods"), **parts.write(DOCS / "parts")}
    api.write(DOCS / "api", homes)
    tables.write(DOCS / "tables")
    tutorials.write(DOCS / "tutorials")
    for part in WRITTEN:
        sweep(DOCS / part)


def setup(app: Sphinx) -> dict[str, bool]:
    """Join the build."""
    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", docstrings.plain, priority=400)
    app.connect("autodoc-process-docstring", docstrings.colons, priority=600)
    app.connect("autodoc-skip-member", docstrings.undocumented)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
