"""The package's layers, read from its own source: imports point down, and files, functions and nesting stay small.

>>> layer_of("symtensor.ir.node") < layer_of("symtensor.ops.scalar")
True
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "symtensor"

LAYERS = (("base",), ("types",), ("ir",), ("ops",), ("grad", "rewrite"), ("lower",), ("codegen",), ("runtime",),
          ("tensor",), ("control", "sparse"), ("frontends", "compat", "tools", "testing"))
"""From the bottom up; packages of one layer do not know each other. Modules of the package itself stand on top."""

EXCUSED_IMPORTS = {
    ("symtensor.types.tensor", "symtensor.ir.node"): "calling a type makes a variable, as in Theano",
    ("symtensor.tensor", "symtensor.gradient"): "T.grad, as in Theano, loaded when first named",
}
FILE_LINES, FUNCTION_LINES, NESTING = 550, 40, 3
EXCUSED_LENGTHS: dict[str, str] = {}
"""Functions longer or deeper than the limit, as module.function, with the reason."""


@cache
def modules() -> dict[str, Path]:
    """Every module of the package and its file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree_of(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def layer_of(module: str) -> int:
    """The number of a module's layer, from the bottom; that of the package's own modules is the highest."""
    parts = module.split(".")
    for number, packages in enumerate(LAYERS):
        if len(parts) > 1 and parts[1] in packages:
            return number
    return len(LAYERS)


def imported(module: str, nodes: Iterator[ast.AST]) -> Iterator[str]:
    """The package's modules that import statements among the nodes name."""
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            known = name if name in modules() else name.rpartition(".")[0]
            if known in modules() and known != module:
                yield known


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """The statements that run when the module is imported: not those in functions or under TYPE_CHECKING."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        yield node
        deferred = isinstance(node, (ast.FunctionDef, ast.Lambda)) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        if not deferred:
            pending += ast.iter_child_nodes(node)


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module: str) -> None:
    """No module knows one of a higher layer, or of another package of its own layer."""
    wrong = []
    for other in imported(module, ast.walk(tree_of(module))):
        own, their = layer_of(module), layer_of(other)
        neighbours = own == their < len(LAYERS) and module.split(".")[1] != other.split(".")[1]
        if (their > own or neighbours) and (module, other) not in EXCUSED_IMPORTS:
            wrong.append(other)
    assert not wrong, f"{module} imports upward or sideways: {', '.join(wrong)}"


def test_no_cycles() -> None:
    """Modules can be put in an order in which each is imported after those it needs."""
    needs = {module: {other for other in imported(module, at_import(tree_of(module)))
                      if not module.startswith(other + ".") and not other.startswith(module + ".")}
             for module in modules()}
    while ready := {module for module, others in needs.items() if not others}:
        needs = {module: others - ready for module, others in needs.items() if module not in ready}
    assert not needs, f"modules import each other: {needs}"


def functions(module: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions and methods of a module, with their names."""
    pending: list[tuple[str, ast.AST]] = [(module, node) for node in tree_of(module).body]
    while pending:
        prefix, node = pending.pop()
        if isinstance(node, ast.FunctionDef):
            yield f"{prefix}.{node.name}", node
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            pending += [(f"{prefix}.{node.name}", child) for child in node.body]


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    documented = ast.get_docstring(function) is not None
    first = function.body[0]
    return function.end_lineno - function.lineno + 1 - documented * (first.end_lineno - first.lineno + 1)


def nesting(function: ast.FunctionDef) -> int:
    """How deep loops and conditions stand in each other; an `elif` is no deeper than its `if`, and a guard no level."""
    deepest = 0
    leaving = (ast.Return, ast.Continue, ast.Break, ast.Raise)
    pending: list[tuple[ast.AST, int]] = [(statement, 0) for statement in function.body]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        if isinstance(node, ast.If) and len(node.body) == 1 and isinstance(node.body[0], leaving) and not node.orelse:
            continue
        for field, value in ast.iter_fields(node):
            chained = field == "orelse" and isinstance(node, ast.If) and [type(v) for v in value] == [ast.If]
            inner = depth + (isinstance(node, (ast.If, ast.For, ast.While)) and not chained)
            if isinstance(value, list) and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                pending += [(child, inner) for child in value if isinstance(child, (ast.stmt, ast.ExceptHandler))]
    return deepest


@pytest.mark.parametrize("module", modules())
def test_sizes(module: str) -> None:
    """Files, functions and nesting keep to the limits, but for those excused with a reason."""
    lines = len(modules()[module].read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES, f"{module} has {lines} lines"
    for name, function in functions(module):
        if name not in EXCUSED_LENGTHS:
            assert body_lines(function) <= FUNCTION_LINES, f"{name} has {body_lines(function)} lines"
            assert nesting(function) <= NESTING, f"{name} is nested {nesting(function)} deep"


@pytest.mark.parametrize("module", modules())
def test_docstring(module: str) -> None:
    """Every module opens with what it is for."""
    assert ast.get_docstring(tree_of(module)), f"{module} has no docstring"


def test_excuses_are_needed() -> None:
    """Nothing is excused that keeps to the rules, or no longer exists."""
    long = {name for module in modules() for name, function in functions(module)
            if body_lines(function) > FUNCTION_LINES or nesting(function) > NESTING}
    assert set(EXCUSED_LENGTHS) <= long
    assert all(other in set(imported(module, ast.walk(tree_of(module)))) for module, other in EXCUSED_IMPORTS)
