"""One method's exhibit: how it is made and trained, how that is drawn, and what to see there."""

import ast
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from textwrap import dedent
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import torch
from matplotlib.figure import Figure

__all__ = ["Exhibit", "shown"]

T = TypeVar("T")
SEED = "torch.manual_seed(0)"


@dataclass(frozen=True)
class Exhibit:
    """A method on the toy data.

    Attributes:
        build: makes the method and trains it; its body is the code that pages show.
        view: what was trained -> its picture.
        caption: what the picture shows, how to read it and what to notice.
    """

    build: Callable[[], Any]
    view: Callable[[Any], Figure]
    caption: str

    def draw(self) -> Figure:
        """Train the method from seed 0, and draw it."""
        # Short runs warn of chains that hardly move; captions say what comes of it.
        with torch.random.fork_rng(), warnings.catch_warnings(action="ignore"):
            torch.manual_seed(0)
            return self.view(self.build())

    @property
    def code(self) -> str:
        """Imports, helpers and the body of `build`, as a script."""
        assert isinstance(self.build, FunctionType)
        parts = dict.fromkeys(_needed(self.build))
        imports = sorted(p for p in {*parts, "import torch"} if p.startswith(("import", "from")))
        helpers = [part for part in parts if part not in imports]
        return "\n\n".join(["\n".join(imports), *helpers, f"{SEED}\n{_body(self.build)}"])


def shown(view: Callable[[T], Figure], caption: str) -> Callable[[Callable[[], T]], Exhibit]:
    """Make of a function that builds and trains a method the method's exhibit."""
    return lambda build: Exhibit(build, view, caption)


def _tree(function: FunctionType) -> ast.FunctionDef:
    node = ast.parse(dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def _body(function: FunctionType) -> str:
    """The statements of a function, without the last one, which returns the method."""
    lines = dedent(inspect.getsource(function)).splitlines()
    statements = [s for s in _tree(function).body if not isinstance(s, ast.Return)]
    last = statements[-1].end_lineno
    return dedent("\n".join(lines[statements[0].lineno - 1 : last]))


def _needed(function: FunctionType) -> Iterator[str]:
    """The imports and the sources of helpers that a function's names stand for, in order."""
    module = inspect.getmodule(function)
    assert module is not None
    # Of helpers the whole text is shown; of a method's function only its body.
    tree = _tree(function)
    yield from _sources(tree.body if tree.decorator_list else [tree], module)


def _sources(nodes: Iterable[ast.AST], module: ModuleType) -> Iterator[str]:
    source = ast.parse(inspect.getsource(module))
    bound = {a.asname or a.name: (s, a) for s in source.body for a in _aliases(s)}
    constants = {
        t.id: s
        for s in source.body
        if isinstance(s, ast.Assign)
        for t in s.targets
        if isinstance(t, ast.Name)
    }
    for name in [n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)]:
        value = vars(module).get(name)
        if isinstance(value, FunctionType) and value.__module__.startswith("pictures"):
            yield from _needed(value)
            yield inspect.getsource(value).strip()
        elif name in constants:
            yield from _sources([constants[name].value], module)
            yield ast.unparse(constants[name])
        elif name in bound:
            statement, alias = bound[name]
            way = f"from {statement.module} " if isinstance(statement, ast.ImportFrom) else ""
            yield f"{way}import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
        elif isinstance(value, type) and value.__module__.startswith("pictures"):
            yield from _sources([ast.parse(inspect.getsource(value))], module)
            yield inspect.getsource(value).strip()


def _aliases(statement: ast.stmt) -> list[ast.alias]:
    return statement.names if isinstance(statement, ast.Import | ast.ImportFrom) else []
