"""Values that are one to the user and several tensors to the compiler, such as sparse matrices.

A `Structured` has `parts`, which are variables, and says how a value is split into theirs and joined from them. The
graph knows the parts only. A function with such inputs or outputs is a `StructuredFunction`, which splits and joins
around the function of the parts.

>>> from symtensor.types.tensor import TensorType
>>> class Pair(Structured):
...     def __init__(self, first, second): self.parts, self.name = (first, second), None
...     def split(self, value): return value
...     def joined(self, arrays): return tuple(map(float, arrays))
>>> x, y = (Variable(TensorType("float64", ()), name=name) for name in "xy")
>>> from symtensor.runtime.function import function
>>> swapped = function([Pair(x, y)], Pair(y, x * 2))
>>> swapped((1.0, 5.0))
(5.0, 2.0)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable

__all__ = ["Structured", "StructuredFunction", "flattened_pairs", "is_structured"]


class Structured:
    """Several variables that are one value to the user. Subclasses give `parts`, `split` and `joined`."""

    parts: Sequence[Variable]
    name: str | None

    def split(self, value: Any) -> Sequence[Any]:
        """The arrays of the parts, from a value a caller gave. Raises TypeMismatch for one that does not fit."""
        raise NotImplementedError

    def joined(self, arrays: Sequence[Any]) -> Any:
        """The value, from the arrays of the parts."""
        raise NotImplementedError

    @property
    def continuous(self) -> Variable:
        """The part that derivatives are taken by."""
        raise TypeMismatch(f"{self!r} has no derivative")

    def derivative(self, values: Variable) -> Any:
        """A derivative by this value, from the derivative by its continuous part."""
        raise TypeMismatch(f"{self!r} has no derivative")


def is_structured(inputs: Any, outputs: Any) -> bool:
    """Whether a function's inputs or outputs have a structured value among them."""
    return any(isinstance(value, Structured) for value in (*_each(inputs), *_each(outputs)))


def _each(values: Any) -> Iterator[Any]:
    if isinstance(values, Mapping):
        yield from values.values()
    elif isinstance(values, (list, tuple)):
        yield from values
    else:
        yield values


def _flattened(values: Any) -> list[Any]:
    return [part for value in _each(values) for part in (value.parts if isinstance(value, Structured) else [value])]


def flattened_pairs(pairs: Any) -> Any:
    """Pairs of structured values (updates, givens) as pairs of their parts; others as they are."""
    items = list(pairs.items()) if isinstance(pairs, Mapping) else list(pairs or ())
    if not any(isinstance(item, (tuple, list)) and item and isinstance(item[0], Structured) for item in items):
        return pairs
    found: list[Any] = []
    for item in items:
        if not isinstance(item[0], Structured):
            found.append(item)
            continue
        old, new = item
        if not isinstance(new, Structured) or len(new.parts) != len(old.parts):
            raise TypeMismatch(f"{old!r} can be given another value of its kind only, not {new!r}")
        found += zip(old.parts, new.parts)
    return found


class StructuredFunction:
    """A compiled function of the parts, called with whole values. What else it is asked, the function answers."""

    def __init__(self, compile: Any, inputs: Any, outputs: Any, **options: Any) -> None:
        self._inputs = list(_each(inputs))
        self._outputs = None if outputs is None else list(_each(outputs))
        self._keys = sorted(outputs, key=str) if isinstance(outputs, Mapping) else None
        if self._keys is not None:
            self._outputs = [outputs[key] for key in self._keys]
        self._alone = outputs is not None and not isinstance(outputs, (Mapping, list, tuple))
        # A matrix counts as used if one of its parts is: its shape may be all that matters.
        if any(isinstance(value, Structured) for value in self._inputs):
            options["on_unused_input"] = "ignore"
        flat = None if self._outputs is None else _flattened(self._outputs)
        self.function = compile(_flattened(self._inputs), flat, **options)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        results = self.function(*self._split(arguments, named))
        if self._outputs is None:
            return None
        remaining = list(results)
        made = []
        for output in self._outputs:
            count = len(output.parts) if isinstance(output, Structured) else 1
            own, remaining = remaining[:count], remaining[count:]
            made.append(output.joined(own) if isinstance(output, Structured) else own[0])
        if self._keys is not None:
            return dict(zip(self._keys, made))
        return made[0] if self._alone else made

    def _split(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> Iterator[Any]:
        names = [getattr(declared, "name", None) for declared in self._inputs]
        unknown = [name for name in named if name not in names[len(arguments):]]
        if unknown or len(arguments) + len(named) != len(names):
            expected = ", ".join(name or f"argument {number}" for number, name in enumerate(names))
            raise TypeMismatch(f"the function has no input named {unknown[0]!r}" if unknown else
                               f"the function takes {len(names)} arguments, not {len(arguments) + len(named)}",
                               operands=[expected])
        for number, declared in enumerate(self._inputs):
            value = arguments[number] if number < len(arguments) else named[names[number] or ""]
            yield from declared.split(value) if isinstance(declared, Structured) else [value]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "function":
            raise AttributeError(name)
        return getattr(self.function, name)

    def __repr__(self) -> str:
        return repr(self.function)
