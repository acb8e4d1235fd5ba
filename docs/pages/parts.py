"""A page for each sampler, inference and objective."""

import inspect
from pathlib import Path
from types import ModuleType

from ebmlab import inference, methods, objectives, samplers
from exhibits import INFERENCES, OBJECTIVES, SAMPLERS, Exhibit
from pages.writing import first_sentence, heading, put

__all__ = ["write"]

KINDS: dict[str, tuple[ModuleType, dict[str, Exhibit], str]] = {
    "Samplers": (
        samplers,
        SAMPLERS,
        "Each runs on every potential: `run(sampler, u, y, steps=…, rng=…)`. `warmup` learns "
        "their step sizes and metrics. [Which one?](../howto/choose_sampler.md)",
    ),
    "Inferences": (
        inference,
        INFERENCES,
        "Each chooses z, or a distribution q(z | x, y): `FreeEnergy(energy, infer, temperature)` "
        "is an energy of x and y again.",
    ),
    "Objectives": (
        objectives,
        OBJECTIVES,
        "Each shapes every energy it fits: `objective(energy, x, y, rng).value.backward()`. They "
        "add and scale. [Which one?](../howto/choose_objective.md)",
    ),
}


def made_with(name: str) -> list[str]:
    """The methods whose recipe names this class."""
    recipes = {m: inspect.getsource(getattr(methods, m)) for m in methods.__all__}
    return [m for m, source in recipes.items() if f"{name}(" in source]


def page(module: ModuleType, name: str, shown: Exhibit) -> str:
    """One part."""
    text = heading(name) + first_sentence(getattr(module, name)) + "\n\n"
    text += f"```{{figure}} /_static/parts/{name}.png\n:alt: {name}\n\n{shown.caption}\n```\n\n"
    text += heading("The code of the picture", 2) + f"```python\n{shown.code.strip()}\n```\n\n"
    used = made_with(name)
    if used:
        listed = ", ".join(f"[{m}](../methods/{m}.md)" for m in used)
        text += heading("Methods made with it", 2) + listed + "\n\n"
    path = f"{module.__name__}.{name}"
    text += heading("Settings and source", 2)
    return (
        text
        + f"```{{eval-rst}}\n.. autoclass:: {path}\n   :members:\n   :show-inheritance:\n```\n"
    )


def write(folder: Path) -> dict[str, str]:
    """Write all pages and their index; returns the home of each name."""
    homes, text = {}, heading("Samplers, inferences, objectives")
    for title, (module, exhibits, words) in KINDS.items():
        text += heading(title, 2) + words + "\n\n::::{grid} 1 2 3 3\n:gutter: 2\n\n"
        for name, shown in exhibits.items():
            put(folder / f"{name}.md", page(module, name, shown))
            homes[f"{module.__name__}.{name}"] = f"parts/{name}"
            told = first_sentence(getattr(module, name)).split(":")[0]
            text += (
                f":::{{grid-item-card}} {name}\n:link: {name}\n:link-type: doc\n"
                f":img-bottom: /_static/parts/{name}.png\n\n{told}\n:::\n\n"
            )
        text += "::::\n\n"
    listed = "\n".join(name for _, exhibits, _ in KINDS.values() for name in exhibits)
    put(folder / "index.md", text + f"```{{toctree}}\n:hidden:\n\n{listed}\n```\n")
    return homes
