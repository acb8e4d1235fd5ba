"""The text of a function that trains a method, with all that it needs, as a script."""

import ast
import importlib
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from textwrap import dedent
from types import FunctionType, ModuleType

__all__ = ["script"]

OURS = ("pictures", "exhibits")
SEED = "torch.manual_seed(0)"


def script(function: FunctionType) -> str:
    """Imports, helpers, the seed, and the function's statements; of a return what it computes."""
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


def _shown(function: FunctionType) -> list[ast.stmt]:
    """The statements of a function but a return that only names, or packs, what there is."""
    *before, last = _tree(function).body
    if not isinstance(last, ast.Return):
        return [*before, last]
    assert last.value is not None
    calls = [n.func for n in ast.walk(last.value) if isinstance(n, ast.Call)]
    module = vars(inspect.getmodule(function))
    packed = any(_ours(module.get(c.id)) for c in calls if isinstance(c, ast.Name))
    return [*before, last] if calls and not packed else before


def _ours(value: object) -> bool:
    """Whether pages have to show this with what uses it."""
    return getattr(value, "__module__", "").startswith(OURS)


def _body(function: FunctionType) -> str:
    """The statements, those of a return without the word."""
    lines = dedent(inspect.getsource(function)).splitlines()
    statements = _shown(function)
    text = dedent("\n".join(lines[statements[0].lineno - 1 : statements[-1].end_lineno]))
    return re.sub(r"^return ", "", text, flags=re.MULTILINE)


def _needed(function: FunctionType, *, helper: bool = False) -> Iterator[tuple[str, str]]:
    """The imports and the sources of helpers that a function's names stand for, in order."""
    module = inspect.getmodule(function)
    assert module is not None
    # Of helpers the whole text is shown; of a method's function only its body.
    tree = _tree(function)
    yield from _sources([tree] if helper else _shown(function), module)


def _sources(nodes: Sequence[ast.AST], module: ModuleType) -> Iterator[tuple[str, str]]:
    names = [n for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)]
    own = {n.id for n in names if isinstance(n.ctx, ast.Store)}
    for name in names:
        if name.id not in own:
            yield from _source(name.id, module)


def _source(name: str, module: ModuleType) -> Iterator[tuple[str, str]]:
    """What a name of a module stands for: an import, or a helper with all that it needs."""
    body = ast.parse(inspect.getsource(module)).body
    bound = {a.asname or a.name: (s, a) for s in body for a in _aliases(s)}
    assigned = {
        target.id: s
        for s in body
        if isinstance(s, ast.Assign)
        for target in s.targets
        if isinstance(target, ast.Name)
    }
    value = vars(module).get(name)
    if isinstance(value, FunctionType) and _ours(value):
        yield from _needed(value, helper=True)
        yield "helper", inspect.getsource(value).strip()
    elif name in assigned:
        yield from _sources([assigned[name].value], module)
        yield "helper", ast.unparse(assigned[name])
    elif name in bound:
        statement, alias = bound[name]
        package = statement.module if isinstance(statement, ast.ImportFrom) else None
        if package and package.startswith(OURS):
            yield from _source(alias.name, importlib.import_module(package))
        else:
            named = alias.name + (f" as {alias.asname}" if alias.asname else "")
            yield (f"from {package}" if package else "import", named)


def _aliases(statement: ast.stmt) -> list[ast.alias]:
    return statement.names if isinstance(statement, ast.Import | ast.ImportFrom) else []
