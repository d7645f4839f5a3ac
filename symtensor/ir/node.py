"""Variables, constants, applications and ops: the nodes of an expression graph.

A `Variable` has a type and either an owner (the `Apply` that computes it) or none (an input). An `Op`
says what an application means: its result types, its value, its derivative, its lowering. Variables
that users make have identity; `ir.graph.Graph` copies them into a space where equal nodes are one.

>>> from symtensor.types.tensor import TensorType
>>> class Double(Op):
...     def infer(self, x): return x.type
...     def evaluate(self, x): return 2 * x
>>> x = Variable(TensorType("float64", (3,)), name="x")
>>> y = Double()(x)
>>> y.owner.op, y.type, y.owner.inputs == (x,)
(Double(), TensorType(float64, (3,)), True)
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import MissingMethodError, SymtensorError, TypeMismatch
from symtensor.ir import provenance
from symtensor.ir.disagreement import contradiction, limit_error
from symtensor.ir.formula import Piece, formula, operator
from symtensor.ir.puts import Puts
from symtensor.ir.routine import RoutineCall
from symtensor.types import dim as dims
from symtensor.types.dim import Dim, Size
from symtensor.types.tensor import TensorType

__all__ = ["Variable", "Constant", "Apply", "Op", "Equation", "Masked", "Unknown", "Placeholder", "Tag", "equal_sizes",
           "at_most", "restate", "extend_variables", "constant_key", "describe", "complaint"]

_serial = itertools.count()


class Tag:
    """A place for users' own attributes on a variable."""

    def __repr__(self) -> str:
        return f"Tag({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


class Variable:
    """A value in a graph: `type`, `owner` and `index` (which output of it), `name`, `tag`, `lines`.

    >>> x = Variable(TensorType("float64", (None, 3)), name="x")
    >>> x, x.type, x.owner
    (x, TensorType(float64, (x.0, 3)), None)
    """

    if TYPE_CHECKING:  # the ops layer puts operators and methods here, see `extend_variables`
        def __add__(self, other: Any) -> Variable: ...
        def __radd__(self, other: Any) -> Variable: ...
        def __sub__(self, other: Any) -> Variable: ...
        def __rsub__(self, other: Any) -> Variable: ...
        def __mul__(self, other: Any) -> Variable: ...
        def __rmul__(self, other: Any) -> Variable: ...
        def __truediv__(self, other: Any) -> Variable: ...
        def __rtruediv__(self, other: Any) -> Variable: ...
        def __neg__(self) -> Variable: ...
        def __pow__(self, other: Any) -> Variable: ...

    __array_priority__ = 1000
    __array_ufunc__: Any = None  # numpy_array * variable asks the variable

    def __init__(self, type: TensorType, owner: Apply | None = None, index: int = 0,
                 name: str | None = None) -> None:
        self.serial = next(_serial)
        self.owner = owner
        self.index = index
        self.name = name
        self._lines: provenance.Lines | None = provenance.here() if owner is None else None
        self.type = type if owner is not None else type.complete(name or self._place(type))
        self._tag: Tag | None = None
        self.known_size: Dim | int | None = None  # memo of ops.size.size_of
        self.stable: dict[Any, Variable] | None = None  # memo of rewrite.phases.stabilized

    def __getstate__(self) -> tuple[Any, ...]:
        # The owner first: it leads through all that this is computed from, step by step instead of deeper and deeper.
        more = {name: value for name, value in vars(self).items() if name not in _OWN}
        return self.owner, self.index, self.name, self.type, self._lines, self._tag, self.known_size, more or None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.owner, self.index, self.name, self.type, self._lines, self._tag, self.known_size, more = state
        self.serial, self.stable = next(_serial), None
        vars(self).update(more or {})

    @property
    def tag(self) -> Tag:
        """Users' own attributes; `test_value` among them where the option `compute_test_value` is on."""
        if config.compute_test_value != "off":
            from symtensor.ir.trial import note  # which evaluates, and so knows nodes
            note(self)
        return self.known_tag

    @property
    def known_tag(self) -> Tag:
        """The tag as it is."""
        if self._tag is None:
            self._tag = Tag()
        return self._tag

    @property
    def lines(self) -> provenance.Lines:
        """The user's lines that made this variable, innermost first."""
        return self.owner.lines if self.owner is not None else self._lines or ()

    def __repr__(self) -> str:
        if self.name:
            return self.name
        return self._place(self.type) if self.owner is None else formula(self, depth=2)

    def _place(self, type: TensorType) -> str:
        """What to call an input without a name: its kind, and the line that made it."""
        kind = ("scalar", "vector", "matrix")[type.ndim] if type.ndim < 3 else f"tensor{type.ndim}"
        return f"{kind}@{self._lines[0].number}" if self._lines else f"{kind}{self.serial}"


_OWN = frozenset(vars(Variable(TensorType("bool", ()))))
"""The attributes that all variables have."""


class Placeholder(Variable):
    """Stands for variables still to be found, as in a rewrite rule: ops given one ask it for their result."""

    def receive(self, op: Op, arguments: tuple[Any, ...]) -> Any:
        """What `op` applied to `arguments`, this placeholder among them, is."""
        raise NotImplementedError(f"{type(self).__name__}.receive")


class Constant(Variable):
    """A variable whose value is known: `data`, a read-only array.

    >>> Constant([1, 2]).data
    array([1, 2])
    """

    def __init__(self, data: Any, name: str | None = None) -> None:
        array = np.array(data, copy=True, order="C")
        array.setflags(write=False)
        self.data = array
        super().__init__(TensorType(array.dtype, array.shape), name=name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        super().__setstate__(state)
        self.data.setflags(write=False)

    @property
    def value(self) -> Any:
        """The array."""
        return self.data

    def __repr__(self) -> str:
        if self.name:
            return self.name
        if self.data.size <= 4:
            return str(self.data.tolist())
        return f"<constant {self.type.describe()}>"


def constant_key(data: np.ndarray) -> tuple[Any, ...]:
    """What makes two constants one: dtype, shape and bits (0.0 is not -0.0, a NaN is itself)."""
    content = data.tobytes()
    if len(content) > 256:
        content = hashlib.blake2b(content, digest_size=16).digest()
    return (data.dtype.name, data.shape, content)


@dataclass(frozen=True)
class Equation:
    """Two sizes an application needs equal, or the left at most the right; `meaning` is the message otherwise.

    `operands` are what it is applied to; `lines` where that was written, if not where the node was.
    """

    left: Size
    right: Size
    meaning: str
    compare: str = "eq"
    operands: tuple[Variable, ...] = field(default=(), repr=False, compare=False)
    lines: provenance.Lines = field(default=(), repr=False, compare=False)

    def describe(self) -> list[str]:
        """The operands for a message: those of these sizes, or all."""
        concerned = [v for v in self.operands if self.left in v.type.shape or self.right in v.type.shape]
        return [describe(variable) for variable in concerned or self.operands]


@dataclass(frozen=True)
class Masked:
    """A cotangent that is `value` where `where` holds, and exactly zero elsewhere, whatever `value` is there.

    What the pullback of an op that selects (switch, maximum) returns, so that the infinite slope of
    something not chosen never meets the zero. `where` is a bool variable that broadcasts to `value`.
    """

    value: Variable
    where: Variable


@dataclass(frozen=True)
class Unknown:
    """A cotangent that an op cannot give: to differentiate by that operand is an error, for this `reason`."""

    reason: str


class Apply:
    """An op applied to inputs: the node that computes its outputs.

    >>> x = Variable(TensorType("float64", ()), name="x")
    >>> from symtensor.ops import scalar
    >>> scalar.exp(x).owner.inputs
    (x,)
    """

    __slots__ = ("op", "inputs", "outputs", "lines", "equations", "__weakref__")

    def __init__(self, op: Op, inputs: Sequence[Variable]) -> None:
        self.op = op
        self.inputs = tuple(inputs)
        self.lines = provenance.here()
        self.equations: list[Equation] = []
        outer, _inference.node = _inference.node, self
        try:
            types = op.infer(*inputs)
        finally:
            _inference.node = outer
        if not isinstance(types, (list, tuple)):
            types = (types,)
        self.outputs = tuple(self._output(type, index) for index, type in enumerate(types))

    def _output(self, type: TensorType, index: int) -> Variable:
        output = Variable(type, self, index)
        if None in type.shape:  # known only once the value is: a symbol whose source is the value
            shape = [dims.symbol(f"{self.op}.{axis}", output, axis) if size is None else size
                     for axis, size in enumerate(type.shape)]
            output.type = TensorType.of(type.dtype, tuple(shape))
        return output

    def __getstate__(self) -> tuple[Any, ...]:
        from symtensor.ir.pickling import Before  # which walks graphs, and so knows nodes
        return Before.of(self), self.op, self.inputs, self.outputs, self.lines, self.equations

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.op, self.inputs, self.outputs, self.lines, self.equations = state

    @property
    def out(self) -> Variable:
        """The output, or the first of several."""
        return self.outputs[0]

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(repr, self.inputs))})"


if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:
    def dataclass_transform(**keywords):
        """Tells type checkers that subclasses become dataclasses; does nothing when run."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Op:
    """What an application means. Subclasses are frozen dataclasses: their fields are their parameters.

    Methods to give: `infer`, `evaluate`, `pullback`; `pushforward` only where transposing the
    pullback would be wasteful. `__call__` takes what users write, `make` takes variables as they are.

    >>> class Twice(Op):
    ...     def infer(self, x): return x.type
    ...     def evaluate(self, x): return x + x
    >>> Twice()(Constant(3.0)).type
    TensorType(float64, ())
    """

    commutative: ClassVar[bool] = False
    """Whether exchanging the two inputs changes nothing."""
    foldable: ClassVar[bool] = True
    """Whether an application to constants may be computed at compile time."""
    fails: ClassVar[bool] = False
    """Whether some values are an error, which generated code tells and `evaluate` names."""
    moves: ClassVar[bool] = False
    """Whether the op only says where elements are found, so that computing it again costs nothing."""
    sizes_from: ClassVar[int | None] = None
    """The first input that is a size or a bound: known to the type, not read when elements are computed."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        dataclass(frozen=True, repr=False)(cls)

    @property
    def module(self) -> str:
        """The module to import before the op can be found by its name."""
        return type(self).__module__

    def infer(self, *inputs: Variable) -> Any:
        """The type of the result, or a sequence of types; raises TypeMismatch or ShapeError.

        Sizes that must agree but cannot be proved to are stated with `equal_sizes`.
        """
        raise _not_given(self, "infer(self, *inputs)", "the type of the result")

    def evaluate(self, *values: np.ndarray) -> Any:
        """The result for NumPy arrays (a tuple when there are several): the reference for every target."""
        raise _not_given(self, "evaluate(self, *arrays)", "the value of the result")

    def pullback(self, *inputs_outputs_cotangents: Variable) -> Any:
        """Cotangents of the inputs from inputs, outputs and the outputs' cotangents, in that order.

        One variable, or a sequence with one entry for each input. None is an exact zero, both as a result
        and as the cotangent of one of several outputs; `Masked` is an exact zero in places; `Unknown` is an error for
        those who ask for it.
        """
        raise NotImplementedError(f"{type(self).__name__}.pullback")

    pushforward: ClassVar[Callable[..., Any] | None] = None
    """Tangents of the outputs from inputs, outputs and the inputs' tangents (None is zero). Optional."""

    element: ClassVar[Callable[..., Any] | None] = None
    """`element(index, *inputs)`: the element of the output at an index, as a function of elements of the inputs, which
    are asked for by `input.at(index)`. Optional: generated code is made from it."""

    puts: ClassVar[Callable[..., Puts] | None] = None
    """`puts(*inputs)`: the index space of what `put` puts into the first input. Optional, instead of `element`."""
    put: ClassVar[Callable[..., Any] | None] = None
    """`put(index, *inputs)`: a place in the first input and the element that is put there, for an index of `puts`."""

    routine: ClassVar[Callable[..., RoutineCall | None] | None] = None
    """`routine(*inputs, *outputs)`: the call of a library's routine that computes the outputs; None where there is none
    for these types. Optional, instead of `element`."""

    kernel_text: ClassVar[Callable[..., str] | None] = None
    """`kernel_text()`: the C text of a kernel of one unit, whose buffers are the inputs and outputs, and whose sizes
    are those of all their axes. Optional, instead of `element`."""

    def library_call(self, node: Apply) -> RoutineCall | None:
        """How a library computes an application of this op, if one does."""
        return None if self.routine is None else self.routine(*node.inputs, *node.outputs)

    def formula(self, inputs: Sequence[Variable]) -> list[Piece]:
        """How an application is written in a formula: texts, and variables where their formulas go."""
        return operator(str(self), inputs)

    def reads(self, inputs: Sequence[Variable]) -> Sequence[Variable]:
        """The inputs whose elements are read."""
        return inputs[:self.sizes_from]

    def sizes(self) -> Sequence[Size]:
        """Sizes among the op's parameters; `evaluate` gets their values after those of its inputs."""
        return ()

    def with_sizes(self, sizes: Sequence[Size]) -> Op:
        """The op with other sizes in the place of its own."""
        raise NotImplementedError(f"{type(self).__name__}.with_sizes")

    def functions(self) -> Mapping[str, Any]:
        """The parameters that are functions of the IR (`ir.function`), by name: they are rewritten with the graph."""
        return {}

    def prepare(self, *arguments: Any) -> Sequence[Variable]:
        """Variables from what a caller wrote; by default the arguments must be variables already."""
        for argument in arguments:
            if not isinstance(argument, Variable):
                raise TypeMismatch(f"{self} needs variables, not {type(argument).__name__}",
                                   fix=f"{self}(T.as_tensor_variable(value)), or give the op a method prepare")
        return arguments

    def make(self, *inputs: Variable) -> tuple[Variable, ...]:
        """Apply to variables as they are; the outputs."""
        try:
            return Apply(self, inputs).outputs
        except SymtensorError as error:
            _explain(error, self, inputs)
            raise

    def __call__(self, *arguments: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, Placeholder):
                return argument.receive(self, arguments)
        try:
            inputs = self.prepare(*arguments)
        except SymtensorError as error:
            _explain(error, self, [v for v in arguments if isinstance(v, Variable)])
            raise
        outputs = self.make(*inputs)
        if config.compute_test_value in ("warn", "raise"):
            from symtensor.ir.trial import try_out
            try_out(outputs)
        return outputs[0] if len(outputs) == 1 else list(outputs)

    def __repr__(self) -> str:
        values = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({values})"


class _Inference(threading.local):
    node: Apply | None = None
    """The application whose types are being inferred."""


_inference = _Inference()


def equal_sizes(left: Size, right: Size, meaning: str) -> Size:
    """Called from `Op.infer`: the two sizes must be equal; the better known of them.

    Raises ShapeError when they cannot be; states an equation when that is not known yet.
    """
    if left == right:
        return left
    if dims.known_different(left, right):
        raise contradiction(meaning, left, right)
    _state(left, right, meaning, "eq")
    return right if isinstance(right, int) else left


def at_most(left: Size, right: Size, meaning: str) -> None:
    """Called from `Op.infer`: `left <= right` must hold. Raises ShapeError when it cannot."""
    difference = dims.lower_bound(left - right)
    if difference > 0:
        raise limit_error(meaning)
    if dims.upper_bound(left - right) > 0:
        _state(left, right, meaning, "le")


def restate(equation: Equation, left: Size, right: Size, lines: provenance.Lines) -> None:
    """Called from `Op.infer`: an equation of a function that is applied here, between sizes that it is about here.

    Raises ShapeError, with the operands and lines of the equation, when it cannot hold.
    """
    difference = left - right
    is_equation = equation.compare == "eq"
    if left == right or (not is_equation and dims.upper_bound(difference) <= 0):
        return
    if dims.known_different(left, right) if is_equation else dims.lower_bound(difference) > 0:
        where, operands = provenance.describe(lines), equation.describe()
        if not is_equation:
            raise limit_error(equation.meaning, where, operands)
        raise contradiction(equation.meaning, left, right, where, operands)
    node = _inference.node
    if node is not None:
        node.equations.append(Equation(left, right, equation.meaning, equation.compare, equation.operands, lines))


def _state(left: Size, right: Size, meaning: str, compare: str) -> None:
    node = _inference.node
    if node is not None:
        node.equations.append(Equation(left, right, meaning, compare, node.inputs))


def describe(variable: Variable) -> str:
    """A variable as an operand in a message: name, dtype, shape."""
    return f"{variable!r}: {variable.type.describe()}"


def complaint(kind: type[SymtensorError], what: str, *operands: Variable, fix: str | None = None) -> SymtensorError:
    """An error to raise about what the user is writing: it says where that is, and what the operands are.

    >>> complaint(TypeMismatch, "too long", Constant([1, 2])).operands
    ('[1, 2]: int64 (2,)',)
    """
    return kind(what, where=provenance.describe(provenance.here()), operands=map(describe, operands), fix=fix)


def _not_given(op: Op, method: str, what: str) -> SymtensorError:
    """The error for an op that does not say what was asked of it."""
    name = type(op).__name__
    theano = " (make_node and perform are Theano's)" if hasattr(op, "make_node") or hasattr(op, "perform") else ""
    return MissingMethodError(f"{op} does not say {what}{theano}",
                              fix=f"define {method} in class {name}; docs/ops.md shows how")


def _explain(error: SymtensorError, op: Op, inputs: Sequence[Variable]) -> None:
    """Fill in what an error raised while making a node does not say yet."""
    if not error.operands:
        error.operands = tuple(describe(v) for v in inputs)
    if not error.where:
        error.where = tuple(provenance.describe(provenance.here()))
    if not error.what.startswith(str(op)):
        error.what = f"{op}: {error.what}"


def extend_variables(namespace: type) -> type:
    """Give every variable the methods and operators of `namespace` (a class decorator)."""
    for name, member in vars(namespace).items():
        if name not in ("__module__", "__dict__", "__weakref__", "__doc__", "__qualname__",
                        "__firstlineno__", "__static_attributes__"):
            setattr(Variable, name, member)
    return namespace
