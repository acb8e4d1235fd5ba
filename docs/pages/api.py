"""The reference: a page for each public module, an entry for each public name."""

import importlib
from pathlib import Path

from pages.public import Name, modules, names
from pages.writing import first_sentence, heading, put

__all__ = ["write"]


def entry(name: Name) -> str:
    """Sphinx's directive for one name."""
    lines = [f".. {name.kind}:: {name.full}"]
    if name.kind in {"autoclass", "autoexception"}:
        lines += ["   :members:", "   :show-inheritance:"]
    if name.kind == "autodata":
        lines += ["   :no-value:"]
    return "\n".join(lines)


def page(module: str, here: list[Name], homes: dict[str, str]) -> str:
    """A table of all names, then those without a page of their own."""
    text = heading(module) + first_sentence(importlib.import_module(module)) + "\n\n"
    text += "".join(f"- {{py:obj}}`{name.name} <{name.full}>` {told(name)}\n" for name in here)
    own = [entry(name) for name in here if name.full not in homes]
    if own:
        text += "\n" + heading("In full", 2)
        text += "```{eval-rst}\n" + "\n\n".join(own) + "\n```\n"
    return text


def told(name: Name) -> str:
    """One sentence; an alias of types has none."""
    sentence = first_sentence(name.value) if name.kind != "autodata" else ""
    return "– " + sentence.replace("<", "\\<").replace("*", "\\*") if sentence else ""


def write(folder: Path, homes: dict[str, str]) -> None:
    """Write the reference; names in `homes` have pages of their own."""
    every = names()
    pages = {m: [name for name in every if name.module == m] for m in modules()}
    for module, here in pages.items():
        if here:
            put(folder / f"{module}.md", page(module, here, homes))
    shown = [name for name in every if ">>>" in (name.value.__doc__ or "")]
    listed = "\n".join(m for m, here in pages.items() if here)
    put(
        folder / "index.md",
        heading("API reference")
        + f"All {len(every)} public names of ebmlab {{{{ version }}}}, module by module; "
        f"{len(shown)} have an example of their own, which the tests run. What begins with an "
        "underscore, and the programs under `ebmlab.kernels`, may change at any time.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n",
    )
