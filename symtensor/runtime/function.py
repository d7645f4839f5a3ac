"""`function(inputs, outputs)`: from expressions to a fast callable.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float64", (None,))("x")
>>> f = function([x], x * 2 + 1)
>>> f([1.0, 2.0])
array([3., 5.])
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from symtensor.base.config import config
from symtensor.base.errors import GraphError, MissingInputError, ShapeError, TypeMismatch, UnusedInputError
from symtensor.grad.origins import origins
from symtensor.ir import provenance
from symtensor.ir.graph import Graph, leaves, substitute
from symtensor.ir.node import Constant, Variable, describe
from symtensor.ops.branch import lazily
from symtensor.ops.convert import as_variable
from symtensor.ops.derivative import without_marks
from symtensor.runtime.arguments import In, Out
from symtensor.runtime.compiled import compile_graph
from symtensor.runtime.profile import printed_at_exit
from symtensor.runtime.shared import SharedVariable
from symtensor.runtime.structured import StructuredFunction, flattened_pairs, is_structured
from symtensor.types.tensor import TensorType

__all__ = ["function", "In", "Out"]

Pairs = Mapping[Any, Any] | Sequence[tuple[Any, Any]] | None


@dataclass
class _Outputs:
    """The expressions to compute and how the caller wants them: None, "single", "list" or keys."""

    variables: list[Variable]
    wrap: Any


def function(inputs: Sequence[Any], outputs: Any = None, mode: Any = None, updates: Pairs = None, givens: Pairs = None,
             no_default_updates: Any = False, accept_inplace: bool = False, name: str | None = None,
             rebuild_strict: bool = True, allow_input_downcast: bool | None = None, profile: Any = None,
             on_unused_input: str | None = None, device: str | None = None) -> Any:
    """A callable that computes `outputs` from values of `inputs`.

    `inputs`: variables or `In`s. `outputs`: a variable (the call returns its array), a list (a list), a dict
    (a dict), or None. `updates`: pairs (shared variable, new value), computed at once and assigned
    after the call. `givens`: pairs (variable, replacement). `mode`: a `Mode` or the name of one.
    `profile`: True to measure it, for `f.profile.summary()`; several functions may share a ProfileStats.
    `device`: where it runs, "cpu", "cuda", "cuda1" or the name of a context, by default that of the option `device`.
    Raises GraphError and its kinds (MissingInputError, UnusedInputError), TypeMismatch, ShapeError.

    >>> import symtensor.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> function([x, y], {"sum": x + y, "product": x * y})(2, 3)
    {'product': array(6.), 'sum': array(5.)}
    """
    updates, givens = flattened_pairs(updates), flattened_pairs(givens)
    if is_structured(inputs, outputs):
        return StructuredFunction(function, _sequence(inputs, "inputs"), outputs, mode=mode, updates=updates,
                                  givens=givens, no_default_updates=no_default_updates, name=name,
                                  rebuild_strict=rebuild_strict, allow_input_downcast=allow_input_downcast,
                                  profile=profile)
    declared = [_as_input(value, allow_input_downcast) for value in _sequence(inputs, "inputs")]
    wanted = _as_outputs(outputs)
    pairs = _update_pairs(updates)
    replaced = _givens(givens, rebuild_strict)
    _add_input_updates(declared, pairs, replaced)
    written = wanted.variables + list(pairs.values())
    expressions = substitute(written, replaced)
    _add_default_updates(expressions, pairs, no_default_updates, len(wanted.variables))
    expressions = without_marks(expressions)
    _check_inputs(declared, expressions, written, on_unused_input or config.on_unused_input)
    arguments = [i.variable for i in declared if not i.is_state]
    shared = _shared_variables(expressions, pairs, arguments)
    given = arguments + list(shared)
    graph = Graph(given, lazily(expressions, given))
    storages = list(shared)
    made = compile_graph(graph, declared=declared, shared=storages, wrap=wanted.wrap, mode=mode, name=name,
                         updates=[storages.index(v) for v in pairs], written=([*arguments, *storages], expressions),
                         device=device)
    if profile:
        made.profile = profile
    elif config.profile and profile is None and made.program is not None:
        made.profile = printed_at_exit()
    return made


def _sequence(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise TypeMismatch(f"{what} of a function must be a list, not {type(value).__name__}",
                           fix=f"write [{value!r}]" if isinstance(value, Variable) else None)
    return value


def _as_input(value: Any, allow_downcast: bool | None) -> In:
    if not isinstance(value, In):
        value = In(*value) if isinstance(value, tuple) else In(value)
    if isinstance(value.variable, Constant):
        raise GraphError(f"a constant cannot be an input: {describe(value.variable)}")
    if isinstance(value.variable, SharedVariable):
        raise TypeMismatch(f"the shared variable {value.variable!r} cannot be an input: it has its value already",
                           fix="use givens to give it another value for one function")
    return value.for_function(allow_downcast)


def _as_outputs(outputs: Any) -> _Outputs:
    def variable(value: Any) -> Variable:
        return as_variable(value.variable if isinstance(value, Out) else value)

    if outputs is None:
        return _Outputs([], None)
    if isinstance(outputs, Mapping):
        keys = sorted(outputs, key=str)
        for key in keys:
            if not isinstance(key, str):
                raise TypeMismatch(f"keys of a dict of outputs must be texts, not {key!r}")
        return _Outputs([variable(outputs[key]) for key in keys], tuple(keys))
    if isinstance(outputs, (list, tuple)):
        return _Outputs([variable(value) for value in outputs], "list")
    return _Outputs([variable(outputs)], "single")


def _items(pairs: Pairs, what: str) -> list[tuple[Any, Any]]:
    if pairs is None:
        return []
    items = list(pairs.items()) if isinstance(pairs, Mapping) else list(pairs)
    for item in items:
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            raise TypeMismatch(f"{what} are pairs, not {item!r}", fix=f"{what}=[(variable, expression)]")
    return [(key, value) for key, value in items]


def _update_pairs(updates: Pairs) -> dict[SharedVariable, Variable]:
    found: dict[SharedVariable, Variable] = {}
    for target, value in _items(updates, "updates"):
        if not isinstance(target, SharedVariable):
            raise TypeMismatch(f"only shared variables can be updated, not {target!r}",
                               fix="make it with shared(value)")
        if target in found:
            raise GraphError(f"{target!r} is updated twice")
        found[target] = _fitting_update(target, _of_type(value, target))
    return found


def _fitting_update(target: SharedVariable, value: Variable) -> Variable:
    """The new value of a shared variable, which must be of its type. Raises TypeMismatch, ShapeError."""
    if value.type.dtype != target.type.dtype or value.type.ndim != target.type.ndim:
        raise TypeMismatch(
            f"the update of {target!r} is {value.type.describe()}, and the variable holds {target.type.describe()}",
            where=provenance.describe(value.lines), operands=[describe(target), describe(value)],
            fix=f'cast the new value: value.astype("{target.type.dtype}")'
            if value.type.ndim == target.type.ndim else "give a value of as many axes")
    for axis, (own, size) in enumerate(zip(target.type.static_shape, value.type.static_shape)):
        if own is not None and size is not None and own != size:
            raise ShapeError(f"the update of {target!r} has size {size} along axis {axis}, not {own}",
                             where=provenance.describe(value.lines))
    return value


def _of_type(value: Any, wanted: Variable) -> Variable:
    """What a user wrote as a variable; a number or array, if it fits, as a constant of the dtype that is wanted."""
    if isinstance(value, Variable):
        return value
    made = as_variable(value)
    if isinstance(made, Constant) and made.type.dtype != wanted.type.dtype and made.type.ndim == wanted.type.ndim:
        with suppress(TypeMismatch):
            return Constant(TensorType(wanted.type.dtype, (None,) * wanted.type.ndim).filter(value))
    return made


def _givens(givens: Pairs, strict: bool) -> dict[Variable, Variable]:
    replaced: dict[Variable, Variable] = {}
    for old, new in _items(givens, "givens"):
        if not isinstance(old, Variable):
            raise TypeMismatch(f"givens replace variables, not {old!r}")
        if old in replaced:
            raise GraphError(f"{old!r} is replaced twice by givens")
        value = _of_type(new, old)
        if value.type.ndim != old.type.ndim or (strict and value.type.dtype != old.type.dtype):
            raise TypeMismatch(f"givens replace {describe(old)} by {describe(value)}, of another type",
                               fix=f'cast the replacement: astype("{old.type.dtype}")'
                               if value.type.ndim == old.type.ndim else "give one of as many axes")
        replaced[old] = value
    return replaced


def _add_input_updates(declared: list[In], pairs: dict[SharedVariable, Variable],
                       replaced: dict[Variable, Variable]) -> None:
    """Inputs with an `update` are state of the function: shared variables in their place, no longer arguments."""
    for number, entry in enumerate(declared):
        if not entry.is_state:
            continue
        behind = [i for i in declared[number + 1:] if not i.is_state and not i.implicit]
        if behind and not entry.implicit:
            raise GraphError(f"the input {entry.variable!r}, which has an update, stands before {behind[0].variable!r},"
                             " which has none", fix="give inputs with an update last, or make them implicit=True")
        assert entry.kept is not None
        if entry.kept in pairs or entry.variable in replaced:
            raise GraphError(f"{entry.variable!r} is updated or replaced twice")
        replaced[entry.variable] = entry.kept
        if entry.update is not None:
            pairs[entry.kept] = _fitting_update(entry.kept, as_variable(entry.update))
            entry.update = None  # it is the graph's now


def _add_default_updates(expressions: list[Variable], pairs: dict[SharedVariable, Variable], exclude: Any,
                         outputs: int) -> None:
    """Add `default_update`s of the shared variables used, those of the added ones included."""
    if exclude is True:
        return
    excluded = set(exclude) if isinstance(exclude, (list, tuple, set)) else set()
    while True:
        fresh = [v for v in leaves(expressions) if isinstance(v, SharedVariable) and v not in pairs
                 and v.default_update is not None and v not in excluded]
        if not fresh:
            return
        for variable in fresh:
            pairs[variable] = _fitting_update(variable, as_variable(variable.default_update))
            expressions.append(pairs[variable])


def _check_inputs(declared: Sequence[In], expressions: Sequence[Variable], written: Sequence[Variable],
                  on_unused: str) -> None:
    """Raise unless what is to be computed needs the inputs and nothing else; `written` is that before givens."""
    arguments = [i.variable for i in declared if not i.is_state]
    for number, variable in enumerate(arguments):
        if variable in arguments[:number]:
            raise GraphError(f"{variable!r} is an input twice", fix="name it once, or make two variables")
    needed = leaves(expressions, set(arguments))
    for variable in needed:
        if variable not in arguments and not isinstance(variable, (Constant, SharedVariable)):
            raise MissingInputError(f"an output depends on {variable!r}, which is not an input and has no value",
                                    where=provenance.describe(variable.lines), operands=[describe(variable)],
                                    fix="add it to the inputs, or replace it by givens")
    unused = [v for v in arguments if v not in needed] if on_unused != "ignore" else []
    mentioned = origins(written) if unused else set()
    for variable in unused:
        if variable in mentioned:  # a derivative was made from it
            continue
        message = f"the input {variable!r} is used by no output"
        if on_unused == "warn":
            warnings.warn(message, stacklevel=4)
        else:
            raise UnusedInputError(message, operands=[describe(variable)],
                                   fix="leave it out, or give on_unused_input='ignore'")


def _shared_variables(expressions: Sequence[Variable], pairs: Mapping[SharedVariable, Variable],
                      arguments: Sequence[Variable]) -> dict[SharedVariable, None]:
    found = dict.fromkeys(v for v in leaves(expressions, set(arguments)) if isinstance(v, SharedVariable))
    found.update(dict.fromkeys(pairs))
    return found
