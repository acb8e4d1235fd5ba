"""The text of a function that trains a method, with all that it needs, as a script."""

import ast
import inspect
from collections import defaultdict
from collections.abc import Iterable, Iterator
from textwrap import dedent
from types import FunctionType, ModuleType

__all__ = ["script"]

SEED = "torch.manual_seed(0)"


def script(function: FunctionType) -> str:
    """Imports, helpers, the seed, and the function's statements but for the last, its return."""
    parts = dict.fromkeys([("import", "torch"), *_needed(function)])
    helpers = [text for kind, text in parts if kind == "helper"]
    names = defaultdict[str, list[str]](list)
    for kind, text in parts:
        if kind.startswith("from "):
            names[kind].append(text)
    whole = [f"import {text}" for kind, text in parts if kind == "import"]
    lines = [f"{module} import {', '.join(sorted(each))}" for module, each in names.items()]
    imports = "\n".join([*sorted(whole), *sorted(lines)])
    return "\n\n".join([imports, *helpers, f"{SEED}\n{_body(function)}"])


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


def _needed(function: FunctionType) -> Iterator[tuple[str, str]]:
    """The imports and the sources of helpers that a function's names stand for, in order."""
    module = inspect.getmodule(function)
    assert module is not None
    # Of helpers the whole text is shown; of a method's function only its body.
    tree = _tree(function)
    body = [s for s in tree.body if not isinstance(s, ast.Return)]
    yield from _sources(body if tree.decorator_list else [tree], module)


def _sources(nodes: Iterable[ast.AST], module: ModuleType) -> Iterator[tuple[str, str]]:
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
            yield "helper", inspect.getsource(value).strip()
        elif name in constants:
            yield from _sources([constants[name].value], module)
            yield "helper", ast.unparse(constants[name])
        elif name in bound:
            statement, alias = bound[name]
            named = alias.name + (f" as {alias.asname}" if alias.asname else "")
            package = statement.module if isinstance(statement, ast.ImportFrom) else None
            yield (f"from {package}" if package else "import", named)


def _aliases(statement: ast.stmt) -> list[ast.alias]:
    return statement.names if isinstance(statement, ast.Import | ast.ImportFrom) else []
