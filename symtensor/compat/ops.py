"""Ops by users, written as Theano's are: `make_node` and `perform`, with `grad`, `R_op` and `infer_shape`.

They run in Python, between kernels. Compiled code of their own is not run: an op that has `c_code` and no `perform`
is an error when it is called.

>>> from symtensor.tensor import as_tensor_variable, dvector
>>> from symtensor.runtime.function import function
>>> from symtensor.gradient import grad
>>> class Double(Op):
...     __props__ = ()
...     def make_node(self, x):
...         x = as_tensor_variable(x)
...         return Apply(self, [x], [x.type()])
...     def perform(self, node, inputs, output_storage):
...         output_storage[0][0] = 2 * inputs[0]
...     def infer_shape(self, node, shapes):
...         return shapes
...     def grad(self, inputs, output_grads):
...         return [2 * output_grads[0]]
>>> x = dvector("x")
>>> y = Double()(x)
>>> y, y.type, isinstance(y.owner.op, Double), isinstance(y.owner, Apply)
(Double(x), TensorType(float64, (x.0,)), True, True)
>>> function([x], [y, grad(y.sum(), x)])([1.0, 2.0])
[array([2., 4.]), array([2., 2.])]
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import NotSupported, TypeMismatch
from symtensor.ir import node as nodes
from symtensor.ir.node import Unknown, Variable
from symtensor.ir.trial import try_out
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast, zeros_like
from symtensor.ops.shape import broadcast_like
from symtensor.ops.size import shape_of, size_of
from symtensor.runtime.shared import SharedVariable
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import CONTINUOUS, same_kind
from symtensor.types.tensor import TensorType

__all__ = ["Apply", "DisconnectedType", "NullType", "Op", "PureOp", "grad_not_implemented", "grad_undefined"]


class _Announced(threading.local):
    outputs: Sequence[Variable] | None = None
    """What the node that is being made is to give, as its `make_node` says."""


_announced = _Announced()


@contextmanager
def _announcing(outputs: Sequence[Variable]) -> Iterator[None]:
    before, _announced.outputs = _announced.outputs, outputs
    try:
        yield
    finally:
        _announced.outputs = before


class _AnyApply(type):

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, nodes.Apply)


class Apply(metaclass=_AnyApply):
    """An application of an op: what `make_node` returns. Every application in a graph is an instance.

    The outputs are those given, if nothing computes them yet; of their sizes those are known that are 1, and that the
    op infers. Raises TypeMismatch for what is no variable.
    """

    def __new__(cls, op: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:  # type: ignore[misc]
        for value in (*inputs, *outputs):
            if not isinstance(value, Variable):
                raise TypeMismatch(f"{op}: the inputs and outputs of Apply are variables, not {type(value).__name__}",
                                   fix="convert inputs with as_tensor_variable; make outputs with TensorType(...)()")
        with _announcing(outputs):
            node = nodes.Apply(op, inputs)
        node.outputs = tuple(_adopted(own, given, inputs) for own, given in zip(node.outputs, outputs))
        return node


def _adopted(own: Variable, given: Variable, inputs: Sequence[Variable]) -> Variable:
    """The variable that a user gave for an output, in the place of the output."""
    if given.owner is not None or given in inputs or isinstance(given, (nodes.Constant, SharedVariable)):
        own.name = given.name
        return own
    lone = [dims.lone_symbol(size) for size in own.type.shape]
    sizes = [dims.symbol(one.name, given, axis) if one is not None and one.source is own else size
             for axis, (size, one) in enumerate(zip(own.type.shape, lone))]
    given.owner, given.index, given.type = own.owner, own.index, TensorType.of(own.type.dtype, tuple(sizes))
    return given


class _AnyOp(type):

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, nodes.Op) if cls is Op else type.__instancecheck__(cls, value)


class Op(nodes.Op, metaclass=_AnyOp):
    """An op in Theano's terms. Two are equal if their class and what `__props__` names are. All ops are instances.

    To be given: `make_node(*inputs)` or `itypes` and `otypes`, and `perform(node, inputs, output_storage)`. Optional:
    `grad(inputs, output_grads)` or `L_op(inputs, outputs, output_grads)`, `R_op(inputs, eval_points)`,
    `infer_shape(node, shapes)`, `params_type` and `get_params`, `destroy_map`. An op that says itself whether it may be
    computed when it is compiled, by `do_constant_folding`, is not. Raises NotSupported when it is called without
    `perform`.
    """

    default_output: Any = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        # Not dataclasses, as ops are otherwise: they have constructors of their own, and attributes.
        super(nodes.Op, cls).__init_subclass__(**keywords)
        cls.foldable = not hasattr(cls, "do_constant_folding")
        if cls.R_op is not Op.R_op:
            cls.pushforward = cls._pushforward  # type: ignore[assignment]

    def make_node(self, *inputs: Any) -> Any:
        """The application to some inputs; by default to those that `itypes` names, giving `otypes`."""
        wanted, given = getattr(self, "itypes", None), getattr(self, "otypes", None)
        if wanted is None or given is None:
            raise NotSupported(f"{self} says neither make_node nor itypes and otypes",
                               fix=f"define make_node(self, *inputs) in class {type(self).__name__}")
        if len(inputs) != len(wanted):
            raise TypeMismatch(f"{self} takes {len(wanted)} inputs, not {len(inputs)}")
        variables = [cast(as_variable(value), type.dtype) for value, type in zip(inputs, wanted)]
        return Apply(self, variables, [type() for type in given])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        """Compute: put into `output_storage[i][0]` an array for each output."""
        raise NotSupported(f"{self} has no perform" + (", and c_code is not run here" * hasattr(self, "c_code")),
                           fix=f"define perform(self, node, inputs, output_storage) in class {type(self).__name__}, "
                           "or write the op as a COp")

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        """The tangents of the outputs; by default what transposing the gradient gives."""
        raise NotImplementedError(f"{self} has no R_op")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The output for some inputs, or a list of them; options besides name and return_list are make_node's."""
        name, as_list = options.pop("name", None), options.pop("return_list", False)
        node = self.make_node(*inputs, **options)
        if type(self).perform is Op.perform:
            self.perform(node, (), ())
        outputs = list(node.outputs)
        if name is not None:
            outputs[0].name = name
        if config.compute_test_value in ("warn", "raise"):
            try_out(outputs)
        if self.default_output is not None and not as_list:
            return outputs[self.default_output]
        return outputs[0] if len(outputs) == 1 and not as_list else outputs

    # -- what the compiler asks -----------------------------------------------------------------------------

    def infer(self, *inputs: Variable) -> list[TensorType]:
        outputs = _announced.outputs
        if outputs is not None:
            with _announcing(None):  # type: ignore[arg-type]
                return self._types(inputs, outputs)
        node = self.make_node(*inputs)
        return self._types(inputs, node.outputs)

    def _types(self, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> list[TensorType]:
        known: Any = [tuple(1 if size == 1 else None for size in v.type.shape) for v in outputs]
        if hasattr(self, "infer_shape"):
            told = self.infer_shape(_Signature(self, inputs, outputs), [tuple(shape_of(v)) for v in inputs])
            known = [tuple(own if own is not None else _told_by(inputs, size) for own, size in zip(shape, sizes))
                     for shape, sizes in zip(known, told)]
        types = [TensorType.of(v.type.dtype, tuple(shape)) for v, shape in zip(outputs, known)]
        vars(self)["_made"] = {**vars(self).get("_made", {}), _key(inputs): (
            [TensorType(v.type.dtype, v.type.static_shape) for v in inputs],
            [TensorType(v.type.dtype, (None,) * v.type.ndim) for v in outputs])}
        return types

    def evaluate(self, *values: np.ndarray) -> Any:
        node = self._node(values)
        destroyed = {place for places in getattr(self, "destroy_map", {}).values() for place in places}
        inputs = [np.array(value) if place in destroyed else value for place, value in enumerate(values)]
        storage: list[list[Any]] = [[None] for _ in node.outputs]
        if getattr(self, "params_type", None) is not None:
            self.perform(node, inputs, storage, self.get_params(node))  # type: ignore[attr-defined]
        else:
            self.perform(node, inputs, storage)
        results = [self._fitting(cell[0], v.type.dtype) for cell, v in zip(storage, node.outputs)]
        return results[0] if len(results) == 1 else tuple(results)

    def _fitting(self, result: Any, dtype: str) -> np.ndarray:
        """What `perform` gave, of the dtype that was announced: floats may be given in another precision."""
        array = np.asarray(result)
        if result is None or not same_kind(array.dtype, dtype):
            what = "nothing" if result is None else f"{array.dtype} {array.shape}"
            raise TypeMismatch(f"{self} announced {dtype} and its perform gave {what}",
                               fix="put an array of the announced dtype into output_storage[i][0]")
        return array.astype(dtype, copy=False)

    def _node(self, values: Sequence[np.ndarray]) -> _Signature:
        """The node that `perform` is given: inputs and outputs of the types there are."""
        made = vars(self).get("_made", {})
        key = tuple((value.dtype.name, value.ndim) for value in values)
        if key not in made:  # read from a file
            self.infer(*(TensorType(value.dtype.name, (None,) * value.ndim)() for value in values))
        inputs, outputs = vars(self)["_made"][key]
        return _Signature(self, [t() for t in inputs], [t() for t in outputs])

    def pullback(self, *values: Any) -> Any:
        count = self._inputs_of(values)
        made = (len(values) - count) // 2
        return cotangents_by(self, values[:count], values[count:count + made], values[-made:])

    def _inputs_of(self, values: Sequence[Any]) -> int:
        """How many of inputs, outputs and cotangents are inputs."""
        return next(number for number, v in enumerate(values)
                    if isinstance(v, Variable) and v.owner is not None and v.owner.op == self
                    and v.owner.inputs == tuple(values[:number]))

    def _pushforward(self, *values: Any) -> Any:
        count = self._inputs_of(values)
        inputs, tangents = list(values[:count]), list(values[-count:])
        found = self.R_op(inputs, tangents)
        return found if isinstance(found, Variable) else list(found)

    # -- equality and text ----------------------------------------------------------------------------------

    def _properties(self) -> tuple[Any, ...] | None:
        names = getattr(self, "__props__", None)
        return None if names is None else tuple(getattr(self, name) for name in names)

    def __eq__(self, other: object) -> bool:
        if self is other or type(self) is not type(other):
            return self is other
        own = self._properties()
        return own is not None and own == other._properties()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        own = self._properties()
        return object.__hash__(self) if own is None else hash((type(self), own))

    def __str__(self) -> str:
        own = self._properties()
        text = ", ".join(f"{name}={value!r}" for name, value in zip(getattr(self, "__props__", ()), own or ()))
        return type(self).__name__ + (f"{{{text}}}" if text else "")

    def __repr__(self) -> str:
        return str(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_made"}


PureOp = Op


class _Signature:
    """A node as `perform` and `infer_shape` see it: its op, inputs and outputs."""

    def __init__(self, op: Op, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self.op, self.inputs, self.outputs = op, list(inputs), list(outputs)
        self.tag = nodes.Tag()


def _key(variables: Sequence[Variable]) -> tuple[tuple[str, int], ...]:
    return tuple((v.type.dtype, v.type.ndim) for v in variables)


def _told_by(inputs: Sequence[Variable], size: Any) -> Size | None:
    """A size that `infer_shape` gave, if it follows from the inputs' sizes; None if only the value tells it."""
    if isinstance(size, (int, np.integer)):
        return int(size)
    found = size_of(as_variable(size))
    known = {symbol for v in inputs for one in (*v.type.shape, v.known_size or 0) for symbol in dims.symbols_of(one)}
    return found if known.issuperset(dims.symbols_of(found)) else None


# -- what `grad` may return besides variables -------------------------------------------------------------

class DisconnectedType:
    """`DisconnectedType()()` in what `grad` returns: nothing depends on that input."""

    def __call__(self) -> DisconnectedType:
        return self


class NullType:
    """`NullType(why)()` in what `grad` returns: there is no derivative, and to ask for it is an error."""

    def __init__(self, why_null: str = "nobody said why") -> None:
        self.why_null = why_null

    def __call__(self) -> Unknown:
        return Unknown(self.why_null)


def grad_undefined(op: Any, x_pos: int, x: Any, comment: str = "") -> Unknown:
    """In what `grad` returns: there is no derivative by input `x_pos`. To ask for it is an error."""
    return Unknown(f"{op} has no derivative by argument {x_pos}{': ' * bool(comment)}{comment}")


def grad_not_implemented(op: Any, x_pos: int, x: Any, comment: str = "") -> Unknown:
    """In what `grad` returns: nobody wrote the derivative by input `x_pos`. To ask for it is an error."""
    return Unknown(f"{op} does not say its derivative by argument {x_pos}{': ' * bool(comment)}{comment}")


def cotangents_by(op: Any, inputs: Sequence[Any], outputs: Sequence[Any], slopes: Sequence[Any]) -> list[Any]:
    """What the `L_op` or `grad` of a user's op gives, for the compiler: None where nothing depends on an input."""
    given = [broadcast_like(zeros_like(v), v) if slope is None else slope for v, slope in zip(outputs, slopes)]
    if hasattr(op, "L_op"):
        found = op.L_op(list(inputs), list(outputs), given)
    elif hasattr(op, "grad"):
        found = op.grad(list(inputs), given)
    else:
        raise NotImplementedError(f"{op} has no grad")
    return [_cotangent(slope, variable) for slope, variable in zip(found, inputs)]


def _cotangent(slope: Any, variable: Variable) -> Any:
    if slope is None or isinstance(slope, DisconnectedType) or variable.type.dtype not in CONTINUOUS:
        return None
    return slope if isinstance(slope, Unknown) else cast(as_variable(slope), variable.type.dtype)
