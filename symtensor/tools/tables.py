"""Tables of ops, rules, functions and files, read from where they are defined: what `symtensor ops` and its like print.

>>> elementwise, *families = ops()
>>> next(row for row in elementwise.rows if row[0] == "tanh(x)")
('tanh(x)', 'float', 'yes', 'Hyperbolic tangent.')
>>> print(Table("Fruit", "", ("name", "colour"), [("apple", "red"), ("fig", "blue")]).plain())
Fruit
  name   colour
  apple  red
  fig    blue
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from itertools import chain, groupby
from pathlib import Path
from types import ModuleType

from symtensor import ops as ops_package
from symtensor import tensor as tensor_package
from symtensor.grad.local import has_pullback
from symtensor.ir.node import Op, Variable
from symtensor.ops.elementwise import Cast, Elementwise
from symtensor.rewrite.phases import PIPELINE
from symtensor.rewrite.rule import KEEPS, Equation, GraphPass, Phase, Rule
from symtensor.tensor import extra_ops, nlinalg, slinalg
from symtensor.types.tensor import TensorType

__all__ = ["TABLES", "Table", "files", "ops", "rules", "vocabulary", "written"]

Member = Rule | GraphPass
"""What a phase is made of."""


@dataclass(frozen=True)
class Table:
    """A title, a sentence on what the rows are, the heads of the columns, the rows."""

    title: str
    doc: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def plain(self) -> str:
        """The table for a terminal; the last column is as long as it is."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                 for row in (self.header, *self.rows)]
        return "\n  ".join(filter(None, [self.title, self.doc, *lines]))

    def markdown(self) -> str:
        """The table for a page."""
        rows = [self.header, ("---",) * len(self.header), *self.rows]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        return "\n".join([f"## {self.title}", "", *([self.doc, ""] if self.doc else []), *lines])


def written(name: str, markdown: bool = False) -> str:
    """The tables called `name`, for a terminal or as the page `docs/reference/<name>.md`."""
    tables = TABLES[name]()
    if not markdown:
        return "\n\n".join(table.plain() for table in tables)
    head = f"# All {name}\n\nWritten by `symtensor {name} --markdown`; not to be edited."
    return "\n\n".join([head, *(table.markdown() for table in tables)])


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").split("\n\n")[0].replace("\n", " ")


# -- ops --------------------------------------------------------------------------------------------------

def ops() -> list[Table]:
    """the primitive operations"""
    modules = [import_module(f"{ops_package.__name__}.{found.name}")
               for found in pkgutil.iter_modules(ops_package.__path__)]
    own = [member for module in modules for member in (getattr(module, name) for name in module.__all__)
           if isinstance(member, Elementwise) and not isinstance(member, Cast)]
    doc = f"{len(own)} scalar functions, each with its NumPy meaning, its C text and its derivative."
    tables = [Table("Elementwise", doc, ("op", "dtypes", "derivative", "meaning"), list(map(_elementwise, own)))]
    for module in modules:
        classes = [cls for cls in vars(module).values() if inspect.isclass(cls) and issubclass(cls, Op)
                   and cls.__module__ == module.__name__ and cls not in (Op, Elementwise)]
        if classes:
            tables.append(Table(module.__name__.rpartition(".")[2].capitalize(), _first_line(module),
                                ("op", "parameters", "code", "derivative", "meaning"), list(map(_class, classes))))
    return tables


def _elementwise(op: Elementwise) -> tuple[str, ...]:
    definition = op.definition
    arguments = ", ".join("xyz"[:definition.arity])
    return (f"{op.name}({arguments})", definition.kind, "yes" if definition.pullback else "no",
            definition.doc.split("\n")[0])


def _class(cls: type[Op]) -> tuple[str, ...]:
    parameters = ", ".join(field.name for field in fields(cls))  # type: ignore[arg-type]
    code = "index expression" if cls.element is not None else "library" if cls.routine is not None else "own"
    derivative = "yes" if has_pullback(cls) else "no"
    return (cls.__name__, parameters, code, derivative, _first_line(cls))


# -- the vocabulary ---------------------------------------------------------------------------------------

_ADDRESSES = ("arguments", "extra_ops", "inplace", "linalg", "nlinalg", "slinalg", "variable")
"""Modules of the vocabulary whose functions are defined in others."""


def vocabulary() -> list[Table]:
    """the public functions of symtensor.tensor and symtensor.sparse, by family, and the methods of variables"""
    found = sorted(pkgutil.walk_packages(tensor_package.__path__, f"{tensor_package.__name__}."), key=lambda f: f.name)
    modules = [import_module(f.name) for f in found
               if not f.ispkg and f.name.rpartition(".")[2] not in _ADDRESSES]
    tables = [Table(module.__name__.removeprefix(f"{tensor_package.__name__}."), _first_line(module),
                    ("function", "gives"), [_function(module, name) for name in module.__all__]) for module in modules]
    for name in ("variable", "structure", "arithmetic", "products", "selection"):
        module = import_module(f"symtensor.sparse.{name}")
        tables.append(Table(f"sparse.{name}", _first_line(module), ("function", "gives"),
                            [_function(module, own) for own in module.__all__]))
    for home in (extra_ops, nlinalg, slinalg):
        made = [_function(home, name) for name in home.__all__ if name[0].isupper() and _is_own(home, name)]
        tables.append(Table(home.__name__.rpartition(".")[2], "Theano's ops that are made with parameters.",
                            ("function", "gives"), made))
    return [*tables, Table("Methods of variables", "Beside Python's operators.", ("method", "gives"), list(_methods()))]


def _is_own(home: ModuleType, name: str) -> bool:
    """Whether a module defines a name, and not another for it."""
    return bool(getattr(home, name).__module__ == home.__name__)


def _function(home: object, name: str) -> tuple[str, str]:
    """A function with its arguments and their defaults, as a call is written, and what it gives."""
    member = getattr(home, name)
    if isinstance(member, Elementwise):
        return f"{name}({', '.join('xyz'[:member.definition.arity])})", _first_line(member)
    if not callable(member) or isinstance(member, TensorType):
        return name, _first_line(member)
    signature = inspect.signature(member)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()][home is Variable:]
    return f"{name}{signature.replace(parameters=bare, return_annotation=signature.empty)}", _first_line(member)


def _methods() -> Iterator[tuple[str, str]]:
    for name, _ in inspect.getmembers(Variable):
        if not name.startswith("_"):
            yield _function(Variable, name)


# -- rules ------------------------------------------------------------------------------------------------

def rules() -> list[Table]:
    """the rewrite rules, by family, with the phases they belong to and what they keep"""
    phases = list(dict.fromkeys(phase for level in PIPELINE.values() for phase in level))
    tables = [Table("Phases", "", ("phase", "does"), [(phase.name, _first_line(phase)) for phase in phases]),
              Table("What a rule keeps", "From the strictest class to the loosest.", ("class", "promise"),
                    list(KEEPS.items()))]
    members = dict.fromkeys(chain.from_iterable(map(_members, phases)))
    for home, own in groupby(sorted(members, key=_home), _home):
        tables.append(Table(home.rpartition(".")[2].capitalize(), _first_line(sys.modules[home]),
                            ("rule", "from and to", "phases", "keeps", "why"),
                            [_rule(one, phases) for one in own]))
    return tables


def _members(phase: Phase) -> list[Member]:
    return [*phase.rules, *phase.passes]


def _home(one: Member) -> str:
    return str(one.function.__module__)


def _rule(one: Member, phases: Iterable[Phase]) -> tuple[str, ...]:
    where = [phase.name for phase in phases if one in _members(phase)]
    equation = repr(one) if isinstance(one, Equation) else "(whole graph)" if isinstance(one, GraphPass) else ""
    return (one.name, equation, ", ".join(where), getattr(one, "keeps", "exact"), _first_line(one))


# -- files ------------------------------------------------------------------------------------------------

def files() -> list[Table]:
    """the files of the package, with what each is for"""
    root = Path(str(ops_package.__file__)).parents[1]
    # Where the package is installed, the C sources are inside it; in the repository, beside it.
    paths = [*root.rglob("*.py"), *root.glob("csrc/*.[ch]"), *root.parent.glob("csrc/*.[ch]")]
    return [Table(str(folder.relative_to(root.parent)), "", ("file", "is for"), [(p.name, _purpose(p)) for p in found])
            for folder, found in groupby(sorted(paths, key=lambda p: (p.parent, p)), lambda p: p.parent)]


def _purpose(path: Path) -> str:
    """The first sentence of a file: of its docstring, or of the comment a C file begins with."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].replace("\n", " ")
    comment = text.removeprefix("/*").partition("*/")[0].partition("\n *\n")[0]
    return " ".join(line.strip(" *") for line in comment.splitlines()).strip()


TABLES: dict[str, Callable[[], list[Table]]] = {"ops": ops, "rules": rules, "vocabulary": vocabulary, "files": files}
"""The tables that are commands; the docstrings are their help."""
