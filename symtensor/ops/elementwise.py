"""Elementwise ops: one scalar definition each, from which value, C and CUDA code come.

Inputs of one application have one dtype (conversions are explicit `cast` nodes) and broadcast as in
NumPy, aligned at the right; what broadcasts is decided when the node is made: only an axis
whose size is known to be 1, or that is missing, stretches.

>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float32", (None, 3)), name="x")
>>> from symtensor.ops.scalar import sin
>>> double_sine = elementwise(lambda v: 2 * sin(v), name="double_sine")
>>> double_sine(x).type
TensorType(float32, (x.0, 3))
>>> round(float(double_sine.evaluate(np.float64(0.5))), 6)
0.958851
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property, reduce
from itertools import product
from pickle import PicklingError
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import GraphError, SymtensorError, TypeMismatch
from symtensor.ir import text
from symtensor.ir.formula import Piece
from symtensor.ir.graph import applications
from symtensor.ir.interpret import evaluate
from symtensor.ir.node import Constant, Op, Variable, equal_sizes
from symtensor.ops.convert import together
from symtensor.types import dtype as dtypes
from symtensor.types.dim import Size
from symtensor.types.tensor import TensorType

__all__ = ["Elementwise", "Cast", "Definition", "elementwise", "primitive", "primitives", "cast", "broadcast_shapes",
           "zeros_like", "as_bool"]

_TAKE_PARTS = "use real(z), imag(z) or abs(z)"
Kind = str
"""How dtypes go in and out. same: promoted; arithmetic: the same, but bools count as int8; float: integers
become floats; division: integers become floatX; compare and predicate: the result is bool; bits: integers or
bool only; switch: a condition and two of one dtype; real: the dtype of a complex dtype's parts; complex: floats become
complex; real float: integers become floats, and complex numbers are refused."""


@dataclass(eq=False)
class Definition:
    """All facts about one elementwise op.

    `numpy` is the value; `c` the C expression in `{0}`, `{1}`... with `{f}` for the suffix of math functions
    ("f" for float32) and `{s}` for that of the preamble's functions ("_float32"); `c_integer` and `c_bool` are the
    same for integers (and bool) and for bool where they differ. An op with a `body` needs none of them: its trace
    gives them.
    """

    name: str
    arity: int
    kind: Kind
    numpy: Callable[..., Any] | None = None
    c: str = ""
    c_integer: str = ""
    c_bool: str = ""
    parts: Callable[..., Any] | None = None
    """What it is of complex numbers, from real ops: of the parts of all operands in turn the parts of the result, or
    the result if that is real. None: it is not computed by generated code."""
    c_functions: str = ""
    """C functions that `c` calls, each defined once however often the text stands in a unit."""
    commutative: bool = False
    associative: bool = False
    identity: Any = None
    body: Callable[..., Any] | None = None
    pullback: Callable[..., Any] | None = None
    cost: int = 1
    """About how many additions one element costs: decides what is recomputed and what is stored."""
    ulps: int = 0
    """How many units in the last place code and NumPy may differ; 0 for what the cost suggests."""
    fails: str = ""
    """The message of the error this op may raise at run time; empty when it cannot."""
    doc: str = ""
    jumps: bool = False
    """Whether the least change of an operand may change the result by much, as in comparisons and conversions: operands
    that were computed in a wider dtype than their own are rounded first."""
    traces: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.jumps = self.jumps or self.kind in ("compare", "predicate")


primitives: dict[str, Elementwise] = {}
"""Every elementwise op by name."""
_definitions: dict[str, Definition] = {}


def broadcast_shapes(shapes: Sequence[tuple[Size, ...]]) -> tuple[Size, ...]:
    """The shape in which shapes combine, aligned at the right; unknown sizes that meet are equated."""
    ndim = max(map(len, shapes), default=0)
    result: list[Size] = []
    for axis in range(-ndim, 0):
        size: Size = 1
        for shape in shapes:
            if len(shape) < -axis or shape[axis] == 1:
                continue
            size = shape[axis] if size == 1 else equal_sizes(size, shape[axis], f"sizes of axis {ndim + axis}")
        result.append(size)
    return tuple(result)


class Elementwise(Op):
    """A scalar function applied to each element; the definition is found by name.

    There is one op for each definition: to define a name anew makes another op, and leaves the first as it was.
    """

    name: str
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @cached_property
    def definition(self) -> Definition:
        """The facts about this op."""
        return _definitions[self.name]

    @property
    def module(self) -> str:
        """The module that defines it."""
        body = self.definition.body
        return body.__module__ if body is not None else __name__

    @property
    def commutative(self) -> bool:  # type: ignore[override]
        """Whether exchanging the two inputs changes nothing."""
        return self.definition.commutative

    @property
    def fails(self) -> bool:  # type: ignore[override]
        """Whether some values are an error."""
        return bool(self.definition.fails)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        doc = self.definition.doc
        return doc if not doc or ">>>" in doc else f"{doc}\n\n{_example(self)}"

    def prepare(self, *arguments: Any) -> Sequence[Variable]:
        definition = self.definition
        if len(arguments) != definition.arity:
            raise TypeMismatch(f"{self.name} takes {definition.arity} arguments, not {len(arguments)}")
        chosen = 1 if definition.kind == "switch" else 0
        operands = _one_dtype(together(arguments[chosen:]), "same" if chosen else definition.kind, self.name)
        if operands[0].type.dtype in dtypes.COMPLEX and not self._takes_complex:
            raise TypeMismatch(f"{self.name} takes real numbers, not {operands[0].type.dtype}", fix=_TAKE_PARTS)
        return [as_bool(together(arguments[:1])[0]), *operands] if chosen else operands

    @cached_property
    def _takes_complex(self) -> bool:
        """Whether NumPy has this function of complex numbers."""
        with suppress(TypeError), np.errstate(all="ignore"):  # which TypeMismatch is, too
            self.evaluate(*[np.zeros((), "complex128")] * self.definition.arity)
            return True
        return False

    def __call__(self, *arguments: Any) -> Any:
        """The op applied; an associative one takes any number of arguments from one up: add(a, b, c)."""
        if arguments and len(arguments) != 2 and self.definition.associative:
            return reduce(super().__call__, arguments) if len(arguments) > 2 else together(arguments)[0]
        return super().__call__(*arguments)

    def infer(self, *inputs: Variable) -> TensorType:
        switch = self.definition.kind == "switch"
        if len(inputs) != self.definition.arity:
            raise TypeMismatch(f"takes {self.definition.arity} operands, not {len(inputs)}")
        if len({v.type.dtype for v in inputs[switch:]}) != 1 or (switch and inputs[0].type.dtype != "bool"):
            raise TypeMismatch("inputs of one elementwise op must have one dtype", fix="cast them")
        dtype = self.result_dtype(inputs[-1].type.dtype)
        return TensorType.of(dtype, broadcast_shapes([v.type.shape for v in inputs]))

    def result_dtype(self, dtype: str) -> str:
        """The dtype of the result for operands of `dtype`."""
        kind = self.definition.kind
        if kind in ("compare", "predicate"):
            return "bool"
        made = {"real": dtypes.real_of, "complex": dtypes.complex_of}.get(kind)
        return made(dtype) if made else dtype

    def trace(self, types: tuple[str, ...]) -> tuple[list[Variable], Variable]:
        """The body as a graph over scalars of the given dtypes: inputs and output."""
        definition = self.definition
        if types not in definition.traces:
            assert definition.body is not None
            scalars = [Variable(TensorType(t, ())) for t in types]
            result = together([definition.body(*scalars)])[0]
            if result.type.ndim:
                raise GraphError(f"the body of {self.name} must give a scalar, not {result.type.describe()}")
            definition.traces[types] = (scalars, cast(result, self.infer(*scalars).dtype))
        return definition.traces[types]

    def on_parts(self, dtype: str) -> bool:
        """Whether the op, applied to operands of `dtype`, is one of real and imaginary parts."""
        return self.definition.parts is not None and (dtype in dtypes.COMPLEX or self.definition.kind == "complex")

    def parts(self, *parts: Variable) -> Any:
        """The parts of the result from those of all operands."""
        assert self.definition.parts is not None
        return self.definition.parts(*parts)

    def traced_parts(self, dtype: str) -> tuple[list[Variable], list[Variable]]:
        """What it does to the parts of operands of `dtype` as a graph over scalars: inputs and outputs."""
        found, key = self.definition.traces, (dtype, self.result_dtype(dtype))
        if key not in found:
            first = ["bool"] if self.definition.kind == "switch" else []
            each = [dtypes.real_of(dtype)] * (2 if dtype in dtypes.COMPLEX else 1)
            scalars = [Variable(TensorType(d, ())) for d in first + each * (self.definition.arity - len(first))]
            made = self.parts(*scalars)
            outputs = together(list(made) if isinstance(made, tuple) else [made])
            found[key] = scalars, [cast(v, dtypes.real_of(key[1])) for v in outputs]
        return found[key]  # type: ignore[no-any-return]

    def evaluate(self, *values: np.ndarray) -> Any:
        own = [np.asarray(v).dtype.name for v in values]
        wide = tuple(map(dtypes.computed_in, own))
        operands = [v if name == w else np.asarray(v, w) for v, name, w in zip(values, own, wide)]
        if self.definition.numpy is None:
            result = self._traced_value(wide, operands)
        else:
            with np.errstate(all="ignore"):
                result = self.definition.numpy(*operands)
        return result if wide == tuple(own) else dtypes.converted(result, self.result_dtype(own[-1]))

    def _traced_value(self, types: tuple[str, ...], values: Sequence[Any]) -> Any:
        """The value that the body gives."""
        inputs, output = self.trace(types)
        known: dict[Variable, Any] = dict(zip(inputs, values))
        for node in applications([output], known):
            arguments = [v.data if isinstance(v, Constant) else known[v] for v in node.inputs]
            known[node.outputs[0]] = node.op.evaluate(*arguments)
        return np.asarray(output.data if isinstance(output, Constant) else known[output])

    def pullback(self, *values: Variable) -> Any:
        definition = self.definition
        if definition.pullback is None:
            raise NotImplementedError(f"{self.name} has no derivative")
        return definition.pullback(*values)

    def element(self, index: tuple[Size, ...], *inputs: Any) -> Any:
        """The output element at `index`, from elements of the inputs."""
        scalars = [x.at(broadcast_index(index, x.type.shape)) for x in inputs]
        narrow = any(x.type.dtype in dtypes.NARROW for x in inputs)
        if narrow and self.jumps(tuple(scalar.dtype for scalar in scalars)):
            scalars = [scalar.kept(x.type.dtype).computed() for scalar, x in zip(scalars, inputs)]
        return self.combine(*scalars).computed()

    def jumps(self, types: tuple[str, ...]) -> bool:
        """Whether it does, for operands of these dtypes (see `Definition`), or an op of its body does."""
        if self.definition.body is None:
            return self.definition.jumps
        inputs, output = self.trace(types)
        return any(node.op.jumps(tuple(v.type.dtype for v in node.inputs))  # type: ignore[attr-defined]
                   for node in applications([output], inputs))

    def combine(self, *scalars: Any) -> Any:
        """This op applied to scalars of a kernel."""
        return scalars[0].compute(self, *scalars)

    def define_pullback(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: the derivative, `f(*inputs, output, cotangent)` giving one cotangent for each input."""
        self.definition.pullback = function
        return function

    def define_parts(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: what the op is of complex numbers, by `Definition.parts`."""
        self.definition.parts = function
        return function

    @property
    def is_current(self) -> bool:
        """Whether this op is the one that its name stands for."""
        return _definitions.get(self.name) is self.definition

    def __reduce__(self) -> Any:
        if not self.is_current:
            raise PicklingError(f"{self.name} has been defined anew since this op was made")
        return _find, (self.name, self.module)

    def __repr__(self) -> str:
        return self.name


def _example(op: Elementwise) -> str:
    """An application to the first of some numbers at which the op is finite, as it would be typed, and its value."""
    chosen = [(True,)] * (op.definition.kind == "switch")
    for numbers in product(*[*chosen, (0.5, 2.0, 6), (2.0, 0.5, 3), (3.0,)][:op.definition.arity]):
        try:
            with np.errstate(all="ignore"):
                (value,) = evaluate([op(*numbers)], {})
        except SymtensorError:
            continue
        if np.isfinite(value):
            return f">>> {op.name}({', '.join(map(str, numbers))}).eval()\n{value!r}"
    return ""


def _find(name: str, module: str) -> Elementwise:
    if name not in primitives:
        with suppress(ImportError):
            importlib.import_module(module)
    if name not in primitives:
        raise GraphError(f"there is no elementwise op {name!r}", fix="import the module that defines it first")
    return primitives[name]


def broadcast_index(index: tuple[Size, ...], shape: tuple[Size, ...]) -> tuple[Size, ...]:
    """Where in an operand of `shape` the element for output index `index` lies."""
    own = index[len(index) - len(shape):]
    return tuple(0 if size == 1 else i for i, size in zip(own, shape))


def _one_dtype(inputs: list[Variable], kind: Kind, name: str) -> list[Variable]:
    dtype = dtypes.promote(*(v.type.dtype for v in inputs))
    if kind == "arithmetic" and dtype == "bool":
        dtype = "int8"
    elif kind in ("complex", "real float") and dtype in dtypes.COMPLEX:
        raise TypeMismatch(f"{name} takes real numbers, not {dtype}", fix=_TAKE_PARTS)
    elif kind in ("float", "complex", "real float"):
        dtype = dtypes.float_of(dtype)
    elif kind == "division" and dtype in dtypes.DISCRETE:
        dtype = str(config.floatX)
    elif kind == "bits" and dtype not in dtypes.DISCRETE:
        raise TypeMismatch(f"{name} needs integers or bool, not {dtype}", fix="compare first: (x > 0) & (y > 0)")
    return [cast(v, dtype) for v in inputs]


class Cast(Elementwise):
    """Conversion to another dtype, as C and NumPy convert; complex to real is an error."""

    dtype: str

    def infer(self, *inputs: Variable) -> TensorType:
        (x,) = inputs
        if x.type.dtype in dtypes.COMPLEX and self.dtype not in dtypes.COMPLEX:
            raise TypeMismatch(f"casting {x.type.dtype} to {self.dtype} would lose the imaginary part",
                               fix="use real(x), imag(x) or abs(x)")
        return x.type.with_dtype(self.dtype)

    def result_dtype(self, dtype: str) -> str:
        return self.dtype

    def on_parts(self, dtype: str) -> bool:
        return self.dtype in dtypes.COMPLEX

    def parts(self, *parts: Variable) -> Any:
        return (*parts, 0.0)[:2]

    def evaluate(self, *values: np.ndarray) -> Any:
        return dtypes.converted(values[0], self.dtype)

    def pullback(self, *values: Variable) -> Any:
        x, _, dy = values
        if x.type.dtype not in dtypes.CONTINUOUS:
            return None
        if dy.type.dtype in dtypes.COMPLEX and x.type.dtype not in dtypes.COMPLEX:
            dy = primitives["real"](dy)
        return cast(dy, x.type.dtype)

    def formula(self, inputs: Sequence[Variable]) -> list[Piece]:
        return [f"{self.dtype}(", inputs[0], ")"]

    def __reduce__(self) -> Any:
        return Cast, ("cast", self.dtype)

    def __repr__(self) -> str:
        return f"cast[{self.dtype}]"


_definitions["cast"] = Definition("cast", 1, "same", doc="Conversion to another dtype.", jumps=True)


@cache
def _cast_op(dtype: str) -> Cast:
    return Cast("cast", dtype)


def cast(x: Any, dtype: Any) -> Variable:
    """`x` converted to `dtype`; `x` itself when it is of that dtype. Raises TypeMismatch for complex to real.

    >>> cast(together([2.7])[0], "int32").type
    TensorType(int32, ())
    """
    dtype = dtypes.check_dtype(dtype)
    (variable,) = together([x])
    if variable.type.dtype == dtype:
        return variable
    if isinstance(variable, Constant) and not variable.type.ndim and not variable.name:
        return Constant(dtypes.converted(variable.data, dtype))
    return _cast_op(dtype)(variable)


Cast.prepare = lambda self, *arguments: together(arguments)  # type: ignore[method-assign]


def as_bool(x: Variable) -> Variable:
    """`x` as truth: itself if bool, else whether it is not zero."""
    return x if x.type.dtype == "bool" else primitives["neq"](x, 0)


def zeros_like(x: Variable) -> Variable:
    """A zero scalar of x's dtype, which broadcasts where x is expected."""
    return Constant(np.zeros((), dtypes.numpy_dtype(x.type.dtype)))


def primitive(name: str, arity: int, kind: Kind, numpy: Callable[..., Any], c: str, doc: str,
              **facts: Any) -> Elementwise:
    """Register an elementwise op given by its NumPy meaning and its C expression."""
    return _register(Definition(name, arity, kind, numpy, c, doc=doc, **facts))


def _register(definition: Definition) -> Elementwise:
    _definitions[definition.name] = definition
    primitives[definition.name] = op = Elementwise(definition.name)
    assert op.definition is definition  # looked up now: the name may be defined anew
    text.register(definition.name, op)
    return op


def elementwise(body: Callable[..., Any] | None = None, *, name: str | None = None, kind: Kind = "float",
                pullback: Callable[..., Any] | None = None, cost: int = 20) -> Any:
    """An elementwise op from a scalar body: value, C code, CUDA code and derivative come from it.

    Use as a decorator. `kind` says how dtypes go in and out: "float" (integers become floats), "same",
    "compare" (the result is bool). `pullback(*inputs, output, cotangent)` replaces the derived one. `cost` is about how
    many additions one element takes.

    >>> from symtensor.ops.scalar import sigmoid
    >>> @elementwise
    ... def swish(x):
    ...     '''x times its sigmoid.'''
    ...     return x * sigmoid(x)
    >>> swish
    swish
    """
    if body is None:
        return lambda function: elementwise(function, name=name, kind=kind, pullback=pullback, cost=cost)
    own_name = name or body.__name__
    if own_name in primitives and primitives[own_name].definition.body is None:
        raise GraphError(f"{own_name!r} is the name of a primitive", fix="choose another name")
    arity = body.__code__.co_argcount
    return _register(Definition(own_name, arity, kind, body=body, pullback=pullback, doc=body.__doc__ or "",
                                cost=cost))
