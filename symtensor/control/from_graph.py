"""`OpFromGraph`: an expression as an op, with derivatives of its own if that is wished.

>>> import symtensor as st
>>> import symtensor.tensor as T
>>> x, y = T.dscalars("x", "y")
>>> clipped = OpFromGraph([x, y], [x * y], grad_overrides=lambda inputs, grads: [T.clip(grads[0], -1, 1), grads[0]])
>>> a, b = T.dscalars("a", "b")
>>> st.function([a, b], [clipped(a, b), *st.grad(clipped(a, b) * 5, [a, b])])(3.0, 4.0)
[array(12.), array(1.), array(5.)]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from symtensor.base.errors import GraphError, TypeMismatch
from symtensor.grad.forward import pushforward
from symtensor.grad.reverse import pullback
from symtensor.ir.graph import leaves, substitute
from symtensor.ir.node import Constant, Variable, complaint, describe
from symtensor.ops.convert import as_variable
from symtensor.ops.derivative import OwnDerivative
from symtensor.ops.elementwise import cast
from symtensor.runtime.shared import SharedVariable
from symtensor.tensor.creation import zeros_like

__all__ = ["OpFromGraph"]

DEFAULT = "default"


class OpFromGraph:
    """The expressions `outputs` of the variables `inputs`, to be applied to others.

    Applied, it is the expression itself, so that it is rewritten and compiled together with what stands around it:
    `inline` is accepted for Theano's sake. Shared variables in it stay what they are.

    What says how derivatives go, in place of differentiating the expressions:

    * `lop_overrides(inputs, outputs, output_gradients)` gives the gradients of the inputs; so does
      `grad_overrides(inputs, output_gradients)`;
    * `rop_overrides(inputs, tangents)` gives the tangents of the outputs.

    Each may be a function, an `OpFromGraph` of the same arguments, or a list with one for each input (output): a
    function, None for zero, or "default". Raises GraphError for inputs that are none, or outputs that depend on others.

    >>> import symtensor.tensor as T
    >>> x = T.dvector("x")
    >>> norm = OpFromGraph([x], [T.sqrt((x ** 2).sum())])
    >>> norm([3.0, 4.0]).eval()
    array(5.)
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable], inline: bool = False,
                 lop_overrides: Any = DEFAULT, grad_overrides: Any = DEFAULT, rop_overrides: Any = DEFAULT,
                 connection_pattern: Any = None, name: str | None = None) -> None:
        self.inputs, self.outputs, self.name = list(inputs), list(outputs), name
        for variable in self.inputs:
            if not isinstance(variable, Variable) or isinstance(variable, (Constant, SharedVariable)):
                raise GraphError(f"OpFromGraph: {variable!r} cannot be an input", fix="give variables without a value")
        free = [v for v in leaves(self.outputs, set(self.inputs))
                if v not in self.inputs and not isinstance(v, (Constant, SharedVariable))]
        if free:
            raise GraphError("OpFromGraph: the outputs depend on what is not among the inputs",
                             operands=map(describe, free), fix="add it to the inputs")
        if lop_overrides != DEFAULT and grad_overrides != DEFAULT:
            raise GraphError("OpFromGraph: both lop_overrides and grad_overrides are given", fix="give one of them")
        self._overrides = None
        if any(override != DEFAULT for override in (lop_overrides, grad_overrides, rop_overrides)):
            self._overrides = _Overrides(grad_overrides if lop_overrides == DEFAULT else lop_overrides,
                                         lop_overrides != DEFAULT, rop_overrides)

    def __call__(self, *arguments: Any) -> Any:
        """The outputs for other values of the inputs: one variable, or a list. Raises TypeMismatch."""
        if len(arguments) != len(self.inputs):
            raise TypeMismatch(f"{self!r} takes {len(self.inputs)} arguments, not {len(arguments)}",
                               fix=f"give {', '.join(map(repr, self.inputs))}")
        given = [_fitting(wanted, as_variable(v)) for wanted, v in zip(self.inputs, arguments)]
        made: Sequence[Variable] = substitute(self.outputs, dict(zip(self.inputs, given)))
        if self._overrides is not None:  # a mark stands between the inputs and all that uses the outputs
            made = OwnDerivative(len(given), self._overrides.pull, self._overrides.push).make(*given, *made)
        return made[0] if len(made) == 1 else list(made)

    def __repr__(self) -> str:
        return self.name or "OpFromGraph"


@dataclass(frozen=True)
class _Overrides:
    """What says how derivatives go. What asks for gradients is given the outputs too if `with_outputs`."""

    gradients: Any
    with_outputs: bool
    tangents: Any

    def pull(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
             cotangents: Sequence[Variable | None]) -> list[Variable | None]:
        """The cotangents of the inputs."""
        def by_default(number: int) -> Variable | None:
            return pullback(list(outputs), list(cotangents), [inputs[number]])[0]
        full = [_filled(c, v) for c, v in zip(cotangents, outputs)]
        arguments = [list(inputs), *([list(outputs)] if self.with_outputs else []), full]
        return _overridden(self.gradients, arguments, by_default, len(inputs))

    def push(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
             tangents: Sequence[Variable | None]) -> list[Variable | None]:
        """The tangents of the outputs."""
        def by_default(number: int) -> Variable | None:
            return pushforward([outputs[number]], list(inputs), list(tangents))[0]
        full = [_filled(t, v) for t, v in zip(tangents, inputs)]
        return _overridden(self.tangents, [list(inputs), full], by_default, len(outputs))


def _fitting(wanted: Variable, given: Variable) -> Variable:
    if given.type.ndim != wanted.type.ndim:
        raise complaint(TypeMismatch, f"OpFromGraph: {given!r} has {given.type.ndim} axes, and {wanted!r} has"
                        f" {wanted.type.ndim}", given)
    return cast(given, wanted.type.dtype)


def _filled(derivative: Variable | None, template: Variable) -> Variable:
    return zeros_like(template) if derivative is None else derivative


def _overridden(override: Any, arguments: Sequence[list[Variable]], by_default: Callable[[int], Variable | None],
                count: int) -> list[Variable | None]:
    """The derivatives that an override gives, one for each of `count` variables."""
    if isinstance(override, (list, tuple)):
        if len(override) != count:
            raise GraphError(f"OpFromGraph: {len(override)} overrides were given for {count} variables")
        return [by_default(number) if one == DEFAULT else None if one is None else _called(one, arguments)
                for number, one in enumerate(override)]
    if override == DEFAULT:
        return [by_default(number) for number in range(count)]
    found = _called(override, arguments)
    several = list(found) if isinstance(found, (list, tuple)) else [found]
    if len(several) != count:
        raise GraphError(f"OpFromGraph: an override gave {len(several)} derivatives for {count} variables")
    return several


def _called(override: Any, arguments: Sequence[list[Variable]]) -> Any:
    if isinstance(override, OpFromGraph):
        return override(*(v for own in arguments for v in own))
    return override(*arguments)
