"""The meaning of a graph: every op's `evaluate`, one after the other, on NumPy arrays.

This is the reference each target is tested against, and what runs a function when there is no
compiler. It works on users' expressions and on the compiler's `Graph` alike. Sizes that ops
name are found from the shapes of the given arrays and from integer scalars on the way.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> evaluate([x * 2 + 1], {x: np.array([1.0, 2.0])})
[array([3., 5.])]
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from symtensor.base.errors import MissingInputError, ShapeError, TypeMismatch, VerifyError
from symtensor.ir import provenance
from symtensor.ir.disagreement import declaration_error, equation_error, explained
from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Equation, Variable, describe
from symtensor.ir.provenance import Lines
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol
from symtensor.types.tensor import TensorType

__all__ = ["Step", "Watch", "evaluate", "evaluate_graph", "evaluation", "watched"]


@dataclass
class Step:
    """One op that an evaluation comes to: the node, the arrays it is given, and, once it is done, those it gives."""

    node: Apply
    lines: Lines
    inputs: Sequence[np.ndarray]
    outputs: Sequence[np.ndarray] = ()

    def operands(self) -> list[str]:
        """The inputs with their shapes, for a message."""
        return [f"{describe(v)}, here of shape {array.shape}" for v, array in zip(self.node.inputs, self.inputs)]


class Watch:
    """What is told of each op that is evaluated, those in steps of loops and in branches included."""

    def before(self, step: Step) -> None:
        """The op is about to be computed."""

    def after(self, step: Step) -> None:
        """It has been."""


class _Watching(threading.local):
    watch: Watch | None = None


_watching = _Watching()


@contextmanager
def watched(watch: Watch | None) -> Iterator[None]:
    """For the length of a `with` block `watch` is told what this thread evaluates.

    >>> from symtensor import ops
    >>> class Names(Watch):
    ...     def after(self, step): print(step.node.op, step.outputs[0])
    >>> x = Variable(TensorType("float64", ()), name="x")
    >>> with watched(Names()):
    ...     result = evaluate([x * 2 + 1], {x: 3.0})
    mul 6.0
    add 7.0
    """
    before, _watching.watch = _watching.watch, watch
    try:
        yield
    finally:
        _watching.watch = before


def evaluate(outputs: Sequence[Variable], values: Mapping[Variable, Any]) -> list[np.ndarray]:
    """The arrays that `outputs` are when the variables in `values` have the given values.

    Any variable may be given, also one that is computed. Raises MissingInputError for an input without a
    value, TypeMismatch or ShapeError for a value that does not fit, IndexOutOfRange for an index that
    does not, VerifyError for an op whose result is not of the type it announced.

    >>> from symtensor import ops
    >>> n = Variable(TensorType("int64", ()), name="n")
    >>> evaluate([n + 1, n * n], {n: 3})
    [array(4), array(9)]
    """
    run = _Run(values, {})
    for variable, array in run.known.items():
        run.learn(variable, variable.type, array.shape)
    return run.results(outputs)


def evaluate_graph(graph: Graph, arrays: Sequence[Any]) -> list[np.ndarray]:
    """The outputs of an interned graph for arrays in the order of its inputs; raises as `evaluate` does.

    >>> from symtensor import ops
    >>> x = Variable(TensorType("float64", ()), name="x")
    >>> evaluate_graph(Graph([x], [x - 1]), [3.0])
    [array(2.)]
    """
    return _run(graph, arrays).results(graph.outputs)


def evaluation(graph: Graph, arrays: Sequence[Any]) -> Callable[[Sequence[Variable]], list[np.ndarray]]:
    """What gives the values of any variables of a graph, those included that are no longer part of it.

    A value is computed once. Raises as `evaluate` does.

    >>> from symtensor import ops
    >>> x = Variable(TensorType("float64", ()), name="x")
    >>> graph = Graph([x], [x * 2 - 1])
    >>> evaluation(graph, [3.0])(graph.nodes()[0].outputs)
    [array(6.)]
    """
    return _run(graph, arrays).results


def _run(graph: Graph, arrays: Sequence[Any]) -> _Run:
    run = _Run(dict(zip(graph.inputs, arrays)), dict(graph.sources), graph.place_of)
    for variable in graph.inputs:  # the user's own symbols first: equations have put others in the place of some
        run.learn(variable, graph.origin[variable].type, run.known[variable].shape)
    run.expect(graph.equations)
    for variable, array in run.known.items():
        run.learn(variable, variable.type, array.shape)
    return run


class _Run:
    """One evaluation: the arrays and the symbols known so far. `lines_of` says where the user wrote a node."""

    def __init__(self, values: Mapping[Variable, Any], sources: Mapping[Symbol, Variable],
                 lines_of: Callable[[Apply], Lines] = attrgetter("lines")) -> None:
        self.lines_of = lines_of
        self.known = {variable: _admitted(variable, value) for variable, value in values.items()}
        self.sources = sources
        self.symbols: dict[Symbol, int] = {}
        self.expected: dict[Variable, list[tuple[Equation, Lines]]] | None = None

    # -- sizes ------------------------------------------------------------------------------------

    def learn(self, variable: Variable, type: TensorType, shape: Sequence[int]) -> None:
        """Take the symbols of a type from the shape of a value of it. Raises ShapeError for a contradiction."""
        for axis, (size, actual) in enumerate(zip(type.shape, shape)):
            lone = dims.lone_symbol(size)
            if lone is not None:
                self.symbols.setdefault(lone, actual)
            expected = self.size(size)
            if expected is not None and expected != actual:
                raise declaration_error(variable.name or repr(variable), axis, actual, (str(size), expected),
                                        provenance.describe(variable.lines))

    def size(self, size: Size) -> int | None:
        """The number a size is; None while it is not known."""
        if isinstance(size, int):
            return size
        for symbol in dims.symbols_of(size):
            if symbol not in self.symbols and not self._look_up(symbol):
                return None
        return dims.evaluate(size, self.symbols)

    def _look_up(self, symbol: Symbol) -> bool:
        source = self._source(symbol)
        array = source.data if isinstance(source, Constant) else self.known.get(source)
        if array is None:
            return False
        self.symbols[symbol] = int(array) if symbol.axis is None else array.shape[symbol.axis]
        return True

    def _source(self, symbol: Symbol) -> Any:
        return self.sources.get(symbol, symbol.source)

    def expect(self, equations: Sequence[tuple[Equation, Lines]]) -> None:
        """These equations are to hold, and not those of the nodes: rules have changed the nodes.

        Each is checked as soon as all of its sizes are known.
        """
        self.expected = {}
        for equation, lines in equations:
            self.check(equation, lines)
            for symbol in (*dims.symbols_of(equation.left), *dims.symbols_of(equation.right)):
                source = self.sources.get(symbol)
                if source is not None and source.owner is not None and source not in self.known:
                    self.expected.setdefault(source, []).append((equation, lines))

    def check(self, equation: Equation, lines: Lines) -> None:
        """Raise ShapeError or IndexOutOfRange if an equation between known sizes does not hold."""
        left, right = self.size(equation.left), self.size(equation.right)
        if left is None or right is None:
            return
        if not (left == right if equation.compare == "eq" else left <= right):
            raise equation_error(equation.meaning, equation.compare, (str(equation.left), left),
                                 (str(equation.right), right), provenance.describe(lines), equation.describe())

    # -- values -----------------------------------------------------------------------------------

    def results(self, outputs: Sequence[Variable]) -> list[np.ndarray]:
        """Evaluate what `outputs` need, and what sizes that are to be checked are known from, and read them."""
        pending = [*reversed(outputs), *(self.expected or ())]
        while pending:
            variable = pending[-1]
            missing = [] if variable in self.known else self._needed(variable)
            if missing:
                pending += reversed(missing)
                continue
            pending.pop()
            if variable not in self.known:
                self._apply(variable.owner)  # type: ignore[arg-type]
        return [self.known[variable] for variable in outputs]

    def _needed(self, variable: Variable) -> list[Variable]:
        """What must be known before `variable` can be: its node's inputs, and sources of sizes the op names."""
        node = variable.owner
        if node is None:
            self.known[variable] = _data(variable)
            return []
        needed = [v for v in node.inputs if v not in self.known]
        for size in node.op.sizes():
            needed += [self._source(s) for s in dims.symbols_of(size)
                       if s not in self.symbols and self._source(s) not in self.known]
        if None in needed:
            raise MissingInputError(f"{variable!r} needs a size that no given value has",
                                    where=provenance.describe(variable.lines))
        return needed

    def _apply(self, node: Apply) -> None:
        if self.expected is None:
            for equation in node.equations:
                self.check(equation, node.lines)
        watch, step = _watching.watch, Step(node, self.lines_of(node), [self.known[v] for v in node.inputs])
        if watch is not None:
            watch.before(step)
        for variable, result in zip(node.outputs, _results(step, [self.size(size) for size in node.op.sizes()])):
            array = np.asarray(result)
            if not (variable.type.accepts(array) and self._sizes_fit(variable.type, array.shape)):
                raise VerifyError(f"{node.op} announced {variable.type.describe()} and its evaluate gave"
                                  f" {array.dtype} {array.shape}", where=provenance.describe(step.lines),
                                  operands=step.operands(),
                                  fix=f"correct infer or evaluate of {type(node.op).__name__}")
            self.known[variable] = array
            for equation, lines in (self.expected or {}).get(variable, ()):
                self.check(equation, lines)
        if watch is not None:
            step.outputs = [self.known[variable] for variable in node.outputs]
            watch.after(step)

    def _sizes_fit(self, type: TensorType, shape: Sequence[int]) -> bool:
        """Whether no size known so far contradicts a shape."""
        return all(self.size(size) in (None, actual) for size, actual in zip(type.shape, shape))


def _admitted(variable: Variable, value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.name != variable.type.dtype and not isinstance(value, (np.ndarray, np.generic)):
        array = array.astype(variable.type.dtype)
    if not variable.type.accepts(array):
        fits = array.dtype.name == variable.type.dtype and array.ndim == variable.type.ndim
        raise (ShapeError if fits else TypeMismatch)(f"the value given for {variable!r} is {array.dtype} {array.shape}",
                                                     where=provenance.describe(variable.lines),
                                                     operands=[describe(variable)],
                                                     fix=f"give an array of {variable.type.describe()}")
    return array


def _data(variable: Variable) -> np.ndarray:
    if isinstance(variable, Constant):
        return variable.data
    raise MissingInputError(f"{variable!r} has no value", where=provenance.describe(variable.lines),
                            operands=[describe(variable)], fix="give it one")


def _results(step: Step, sizes: Sequence[int | None]) -> Sequence[Any]:
    """The op's results; errors say where the user wrote it and what it was applied to."""
    node = step.node
    try:
        result = node.op.evaluate(*step.inputs, *sizes)  # type: ignore[arg-type]
    except Exception as error:
        better = explained(error, str(node.op), provenance.describe(step.lines), step.operands())
        if better is error:
            raise
        raise better from error
    results = result if isinstance(result, tuple) else (result,)
    if len(results) != len(node.outputs):
        raise VerifyError(f"{node.op} announced {len(node.outputs)} results and its evaluate gave {len(results)}",
                          where=provenance.describe(step.lines), operands=step.operands())
    return results
