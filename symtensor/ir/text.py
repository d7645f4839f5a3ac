"""Graphs as text, and back.

The text is short enough to read, complete enough to be the graph, and holds nothing that is executed when
it is read: ops are found by name among those that are imported.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None, 3)), name="x")
>>> text = to_text(Graph([x], [x * 2 + x]))
>>> print(text)
symbol x.0
input %x: float64 (x.0, 3)
%0: float64 () = constant 2.0
%1: float64 (x.0, 3) = mul(%x, %0)
%2: float64 (x.0, 3) = add(%1, %x)
return %2
>>> to_text(from_text(text)) == text
True
"""

from __future__ import annotations

import ast
import base64
import copyreg
import importlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from symtensor.base.errors import SymtensorError, TextError
from symtensor.ir import provenance, size_text
from symtensor.ir.graph import Graph, applications
from symtensor.ir.node import Constant, Equation, Op, Variable
from symtensor.ir.provenance import Line, Lines, Places
from symtensor.types import dim as dims
from symtensor.types.dim import Dim, Symbol
from symtensor.types.tensor import TensorType

__all__ = ["from_text", "register", "register_parameter", "text_and_places", "to_text"]

_INLINE = 16
"""Constants of at most so many elements are written as numbers."""
_named: dict[str, Any] = {}
_written: dict[str, tuple[type, Callable[[Any], Graph], Callable[[Graph], Any], Callable[[Any], str | None]]] = {}
_ESCAPES = {ord(character): f"~{short}" for character, short in zip("~\n'\"\\", "tnaqb")}
_ESCAPED = {short[1]: chr(character) for character, short in _ESCAPES.items()}
"""How the text of a graph is written within another: its length grows in proportion to the depth only."""
_LABEL = r"%[\w.]+"
_DECLARATION = re.compile(rf"\s*({_LABEL})(?: ('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))?: (\w+) (\(.*\))\s*")
_SPLIT = re.compile(r", (?=%\w)")
_PLACES = re.compile(r"(.*) @ (\d+(?: \d+)*)")


def register(name: str, value: Any) -> None:
    """Make an op, a class of ops or a class of their parameters known to text by `name`."""
    _named[name] = value


def register_parameter(name: str, kind: type, graph_of: Callable[[Any], Graph],
                       of_graph: Callable[[Graph], Any], identity_of: Callable[[Any], str | None]) -> None:
    """Parameters of ops that are of class `kind` hold a graph, and are written as `name("...")`, with its text.

    Where no names are written, its identity is written: short, the same for graphs that have one text; None if an op
    in it has no text.
    """
    _written[name] = kind, graph_of, of_graph, identity_of


# -- writing ----------------------------------------------------------------------------------------------

def to_text(graph: Graph, lines: bool = False, names: bool = True) -> str:
    """The graph as text; with `lines`, each input, node and equation followed by where the user wrote it.

    Without `names`, variables and symbols are numbered: then graphs that differ in nothing else have one text.

    Raises TextError for an op with a parameter that has no text, such as a Python function.
    """
    if not lines:
        return "\n".join(_Writer(graph, None, names).statements())
    places = Places()
    statements = list(_Writer(graph, places, names).statements())
    return "\n".join([*(f"place {number} = {[tuple(line) for line in lines]!r}"
                        for number, lines in enumerate(places.all)), *statements])


def text_and_places(graph: Graph) -> tuple[str, list[Lines]]:
    """The graph as text in which places are numbers, and these places: the text is the same wherever it was written.

    Raises TextError as `to_text` does.
    """
    places = Places()
    return "\n".join(_Writer(graph, places).statements()), places.all


class _Writer:
    """Labels of the variables and names of the symbols of one graph."""

    def __init__(self, graph: Graph, places: Places | None, names: bool = True) -> None:
        self.graph = graph
        self.places = places
        self.names = names
        symbols = self._symbols()
        self.symbols = size_text.names(symbols) if names else {s: f"s{n}" for n, s in enumerate(symbols)}
        self.nodes = applications([*graph.outputs, *(graph.sources[s] for s in self.symbols if s in graph.sources)],
                                  set(graph.inputs))
        self.labels: dict[Variable, str] = {}
        self.taken: set[str] = set()

    def _symbols(self) -> list[Symbol]:
        """Every symbol the graph mentions, oldest first."""
        graph = self.graph
        sizes = [size for variable in graph.inputs for size in variable.type.shape]
        for node in graph.nodes():
            sizes += [size for variable in node.outputs for size in variable.type.shape]
            sizes += node.op.sizes()
        sizes += [size for equation, _ in graph.equations for size in (equation.left, equation.right)]
        sizes += [size for pair in graph.solution.pairs() for size in pair]
        found = {*graph.sources, *(symbol for size in sizes for symbol in dims.symbols_of(size))}
        return sorted(found, key=lambda symbol: symbol.order)

    def statements(self) -> Iterator[str]:
        """The lines of the text."""
        body = list(self._definitions())
        for symbol, name in self.symbols.items():
            yield f"symbol {name}{self._source(symbol)}"
        yield from body
        for equation, lines in self.graph.equations:
            sign = "==" if equation.compare == "eq" else "<="
            yield (f"equation {self._size(equation.left)} {sign} {self._size(equation.right)}"
                   f" {equation.meaning!r}{self._lines([lines])}")
        for old, new in self.graph.solution.pairs():
            yield f"solved {self._size(old)} = {self._size(new)}"
        yield "return " + ", ".join(self.labels[v] for v in self.graph.outputs)

    def _source(self, symbol: Symbol) -> str:
        if symbol not in self.graph.sources:
            return ""
        what = "value" if symbol.axis is None else f"size {symbol.axis}"
        return f" = {what} of {self.labels[self.graph.sources[symbol]]}"

    def _definitions(self) -> Iterator[str]:
        for variable in self.graph.inputs:
            yield f"input {self._declare(variable)}{self._lines([variable.lines])}"
        for node in self.nodes:
            for variable in node.inputs:
                yield from self._constant(variable)
            operands = ", ".join(self.labels[v] for v in node.inputs)
            outputs = ", ".join(map(self._declare, node.outputs))
            name, parameters = self._op(node.op)
            yield f"{outputs} = {name}({operands}{parameters}){self._lines(self.graph.lines_of(node))}"
        for variable in self.graph.roots():
            yield from self._constant(variable)

    def _constant(self, variable: Variable) -> Iterator[str]:
        if isinstance(variable, Constant) and variable not in self.labels:
            yield f"{self._declare(variable)} = constant {_data_text(variable.data)}"

    def _declare(self, variable: Variable) -> str:
        """The label, name and type of a variable, which gets its label now."""
        name = variable.name if self.names else None
        plain = name is not None and re.fullmatch(r"[A-Za-z_]\w*", name) is not None and name not in self.taken
        label = str(name) if plain else str(len(self.labels) - len(self.taken))
        if plain:
            self.taken.add(label)
        self.labels[variable] = f"%{label}"
        shape = ", ".join(map(self._size, variable.type.shape)) + ("," if variable.type.ndim == 1 else "")
        return f"%{label}{'' if plain or name is None else f' {name!r}'}: {variable.type.dtype} ({shape})"

    def _size(self, size: dims.Size) -> str:
        return size_text.write(size, self.symbols)

    def _op(self, op: Op) -> tuple[str, str]:
        if _named.get(str(op)) == op:
            return str(op), ""
        parameters = ", ".join(f"{name}={text}" for name, text in self._fields(op))
        return _class_name(type(op)), f"; {parameters}" if parameters else ""

    def _fields(self, value: Any) -> Iterator[tuple[str, str]]:
        for field in fields(value):
            yield field.name, self._parameter(getattr(value, field.name), value)

    def _parameter(self, value: Any, owner: Any) -> str:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, str)):
            return repr(value)
        if isinstance(value, tuple):
            entries = [self._parameter(entry, owner) for entry in value]
            return f"({', '.join(entries)}{',' if len(entries) == 1 else ''})"
        if isinstance(value, Dim):
            return f"size({self._size(value)!r})"
        if isinstance(value, TensorType):
            return f"type({value.dtype!r}, {value.static_shape!r})"
        for name, (kind, graph_of, _, identity_of) in _written.items():
            if isinstance(value, kind) and not self.names and (identity := identity_of(value)) is not None:
                return f"{name}({identity})"
            if isinstance(value, kind):
                inner = "\n".join(_Writer(graph_of(value), self.places, self.names).statements())
                return f"{name}({inner.translate(_ESCAPES)!r})"
        if is_dataclass(value):
            return f"{_class_name(type(value))}({', '.join(f'{n}={t}' for n, t in self._fields(value))})"
        raise TextError(f"{value!r}, a parameter of {owner!r}, has no text",
                        fix="give the op parameters that are numbers, strings, tuples or dataclasses of them")

    def _lines(self, places: Sequence[Lines]) -> str:
        numbers = [str(self.places.number(lines)) for lines in places if lines] if self.places is not None else []
        return f" @ {' '.join(numbers)}" if numbers else ""


def _class_name(cls: type) -> str:
    name = cls.__name__
    if _named.setdefault(name, cls) is not cls:
        raise TextError(f"two classes are called {name}: {cls.__module__} and {_named[name].__module__}",
                        fix="rename one of them")
    return name


def _data_text(data: np.ndarray) -> str:
    if data.size <= _INLINE:
        text = repr(data.tolist())
        try:
            if _array(text, data.dtype.name, data.shape).tobytes() == data.tobytes():
                return text
        except (ValueError, SyntaxError):
            pass  # a complex number with a NaN for a part, say
    return f"base64 {base64.b64encode(data.tobytes()).decode()}"


# -- reading ----------------------------------------------------------------------------------------------

def from_text(text: str) -> Graph:
    """The graph that `to_text` wrote. Raises TextError, which names the line."""
    return _read(text, {})


def _read(text: str, places: dict[int, Lines]) -> Graph:
    reader = _Reader(places)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            reader.statement(line.strip())
        except (SymtensorError, ValueError, SyntaxError, TypeError, KeyError) as error:
            what = error.what if isinstance(error, SymtensorError) else f"{type(error).__name__}: {error}"
            raise TextError(f"line {number}: {what}", operands=[line.strip()[:200]],
                            fix=getattr(error, "fix", None)) from error
    return reader.finished()


class _Reader:
    """What the lines so far have defined."""

    def __init__(self, places: dict[int, Lines]) -> None:
        self.graph = Graph([], [])
        self.variables: dict[str, Variable] = {}
        self.symbols: dict[str, Symbol] = {}
        self.values: dict[str, list[Symbol]] = {}  # by label: the symbols whose source is the variable
        self.places = places

    def statement(self, line: str) -> None:
        """Read one line."""
        word, _, rest = line.partition(" ")
        reader = {"place": self._place, "symbol": self._symbol, "input": self._input, "equation": self._equation,
                  "solved": self._solved, "return": self._return}.get(word)
        if reader is not None:
            reader(rest)
        elif word.startswith("%"):
            self._definition(line)
        else:
            raise TextError(f"{word!r} begins no statement",
                            fix="one of place, symbol, input, equation, solved, return, or a variable: %1: ...")

    def finished(self) -> Graph:
        """The graph, once all lines are read."""
        if not self.graph.outputs:
            raise TextError("the text ends without a return")
        for label, symbols in self.values.items():
            if label not in self.variables:
                raise TextError(f"the source {label} of {symbols[0]} is not defined")
        return self.graph

    def _place(self, rest: str) -> None:
        number, _, lines = rest.partition(" = ")
        self.places[int(number)] = tuple(Line(*line) for line in ast.literal_eval(lines))

    def _placed(self, text: str) -> tuple[str, list[Lines]]:
        """A statement without the numbers of places at its end, and these places."""
        match = _PLACES.fullmatch(text)
        if match is None:
            return text, []
        return match.group(1), [self.places[int(number)] for number in match.group(2).split()]

    def _symbol(self, rest: str) -> None:
        match = re.fullmatch(rf"([\w.]+)(?: = (value|size (\d+)) of ({_LABEL}))?", rest)
        if match is None:
            raise TextError(f"{rest!r} declares no symbol")
        name, kind, axis, label = match.groups()
        self.symbols[name] = symbol = Symbol(name, label, None if axis is None else int(axis))
        if kind:
            self.values.setdefault(label, []).append(symbol)

    def _input(self, rest: str) -> None:
        rest, places = self._placed(rest)
        label, name, type = self._declaration(rest)
        with provenance.attributed(places[0] if places else ()):
            self._define(label, self.graph.add_input(Variable(type, name=name)))

    def _declaration(self, text: str) -> tuple[str, str | None, TensorType]:
        match = _DECLARATION.fullmatch(text)
        if match is None:
            raise TextError(f"{text!r} is no variable with its type")
        label, quoted, dtype, shape = match.groups()
        name = ast.literal_eval(quoted) if quoted else label[1:] if not label[1:].isdigit() else None
        sizes = size_text.read_all(shape[1:-1], self.symbols)
        return label, name, TensorType(dtype, sizes)

    def _define(self, label: str, variable: Variable) -> None:
        if label in self.variables:
            raise TextError(f"{label} is defined twice")
        self.variables[label] = variable
        for symbol in self.values.get(label, ()):
            self.graph.sources[symbol] = variable
            if symbol.axis is None and not isinstance(variable, Constant):
                variable.known_size = dims.of_atom(symbol)

    def _definition(self, line: str) -> None:
        left, _, right = line.partition(" = ")
        declared = [self._declaration(part) for part in _SPLIT.split(left)]
        if right.startswith("constant "):
            (label, name, type), = declared
            data = _array(right[len("constant "):], type.dtype, type.shape)
            self._define(label, self.graph.constant(Constant(data, name=name)))
            return
        right, places = self._placed(right)
        outputs = self._apply(right)
        if len(outputs) != len(declared):
            raise TextError(f"the op has {len(outputs)} outputs, not {len(declared)}")
        for (label, name, type), output in zip(declared, outputs):
            if output.type.dtype != type.dtype or output.type.ndim != type.ndim:
                raise TextError(f"{label} is {output.type.describe()}, not {type.describe()}")
            output.type = type
            output.name = name
            self._define(label, output)
        if places:
            self.graph.credit(outputs[0].owner, places)  # type: ignore[arg-type]

    def _apply(self, text: str) -> tuple[Variable, ...]:
        name, parenthesis, rest = text.partition("(")
        if not parenthesis or not rest.endswith(")"):
            raise TextError(f"{text!r} is no application of an op")
        operands, _, parameters = rest[:-1].partition(";")
        inputs = [self._variable(label) for label in operands.split(", ") if label]
        return self.graph.apply(self._op(name, parameters), tuple(inputs))

    def _op(self, name: str, parameters: str) -> Op:
        found = _lookup(name)
        if isinstance(found, Op):
            return found
        call = ast.parse(f"f({parameters.strip()})", mode="eval").body
        assert isinstance(call, ast.Call)
        op = found(**{str(keyword.arg): self._value(keyword.value) for keyword in call.keywords})
        assert isinstance(op, Op)
        return op

    def _value(self, tree: ast.expr) -> Any:
        """A parameter: a literal, a tuple, a size, a type or a dataclass."""
        if isinstance(tree, ast.Tuple):
            return tuple(map(self._value, tree.elts))
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            return _number(tree)
        positional = [ast.literal_eval(argument) for argument in tree.args]
        if tree.func.id == "size":
            return size_text.read(positional[0], self.symbols)
        if tree.func.id == "type":
            return TensorType(*positional)
        if tree.func.id in _written:
            return _written[tree.func.id][2](_read(re.sub("~(.)", _unescaped, positional[0]), self.places))
        return _lookup(tree.func.id)(**{str(k.arg): self._value(k.value) for k in tree.keywords})

    def _variable(self, label: str) -> Variable:
        if label not in self.variables:
            raise TextError(f"{label} is not defined before it is used")
        return self.variables[label]

    def _equation(self, rest: str) -> None:
        rest, places = self._placed(rest)
        match = re.fullmatch(r"(.*?) (==|<=) (.*?) (['\"].*)", rest)
        if match is None:
            raise TextError(f"{rest!r} is no equation")
        left, sign, right, meaning = match.groups()
        equation = Equation(size_text.read(left, self.symbols), size_text.read(right, self.symbols),
                            ast.literal_eval(meaning), "eq" if sign == "==" else "le")
        self.graph.equations.append((equation, places[0] if places else ()))

    def _solved(self, rest: str) -> None:
        old, _, new = rest.partition(" = ")
        self.graph.solution.record(size_text.read(old, self.symbols), size_text.read(new, self.symbols))

    def _return(self, rest: str) -> None:
        self.graph.outputs = [self._variable(label) for label in rest.split(", ")]


def _pickled(graph: Graph) -> tuple[Any, ...]:
    """A graph is pickled as its text, and the modules in which its ops are found."""
    modules = dict.fromkeys(node.op.module for node in graph.nodes())
    return _unpickled, (to_text(graph, lines=True), tuple(modules))


def _unpickled(text: str, modules: Sequence[str]) -> Graph:
    for module in modules:
        with suppress(ImportError):  # if an op is missing then, reading says which
            importlib.import_module(module)
    return from_text(text)


copyreg.pickle(Graph, _pickled)  # type: ignore[arg-type]


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPED[match[1]]


def _lookup(name: str) -> Any:
    if name not in _named:
        found = next((cls for cls in _subclasses(Op) if cls.__name__ == name), None)
        if found is None:
            raise TextError(f"there is no op {name!r}", fix="import the module that defines it first")
        _named[name] = found
    return _named[name]


def _subclasses(cls: type) -> Iterator[type]:
    pending = [cls]
    while pending:
        current = pending.pop()
        yield current
        pending += current.__subclasses__()


def _array(text: str, dtype: str, shape: Sequence[Any]) -> np.ndarray:
    if text.startswith("base64 "):
        return np.frombuffer(base64.b64decode(text[7:], validate=True), dtype).reshape(shape)
    return np.array(_number(ast.parse(text, mode="eval").body), dtype).reshape(shape)


def _number(tree: ast.expr) -> Any:
    """A literal, or a nested list of them, with nan and inf among the numbers."""
    if isinstance(tree, ast.List):
        return [_number(entry) for entry in tree.elts]
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return -_number(tree.operand)
    if isinstance(tree, ast.Name) and tree.id in ("nan", "inf"):
        return getattr(math, tree.id)
    return ast.literal_eval(tree)
