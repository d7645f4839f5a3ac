"""Types and input variables under Theano's names.

`matrix("x")` is a variable of dtype `config.floatX`; `dmatrix` is the type of float64 matrices, and `dmatrix("x")` a
variable of it. The letters: b w i l for int8 to int64, f d for float32 and float64, c z for complex64 and complex128.
Sizes may be fixed or named, and one name is one size wherever it stands.

>>> matrix("x", shape=("batch", 784)).type
TensorType(float64, (batch, 784))
>>> fmatrix, ivector("i").type
(TensorType(float32, (?, ?)), TensorType(int32, (i.0,)))
>>> dmatrices("x", "y")
[x, y]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.types.tensor import TensorType

PATTERNS: dict[str, tuple[int | None, ...]] = {
    "scalar": (), "vector": (None,), "row": (1, None), "col": (None, 1), "matrix": (None, None),
    **{f"tensor{ndim}": (None,) * ndim for ndim in range(3, 8)},
}
"""The sizes of each named rank: None for any, 1 for an axis that broadcasts."""
LETTERS = {"b": "int8", "w": "int16", "i": "int32", "l": "int64", "f": "float32", "d": "float64",
           "c": "complex64", "z": "complex128"}
"""The dtype of each prefix."""


def tensor(dtype: Any = None, broadcastable: Sequence[Any] | None = None, name: str | None = None,
           shape: Sequence[Any] | None = None) -> Variable:
    """A new input variable of any dtype and rank.

    `broadcastable` has True for each axis of size 1; `shape` has an int, a name or None for each axis. One of the two
    is given. Raises TypeMismatch.

    >>> tensor("float32", (False, True), "x").type, tensor("int64", shape=("n", 3)).type
    (TensorType(float32, (x.0, 1)), TensorType(int64, (n, 3)))
    """
    if (broadcastable is None) == (shape is None):
        raise complaint(TypeMismatch, "tensor needs either broadcastable or shape", fix="give shape=() for a scalar")
    sizes = broadcastable if shape is None else shape
    return TensorType("floatX" if dtype is None else dtype, sizes)(name)  # type: ignore[arg-type]


def _constructor(kind: str, pattern: tuple[int | None, ...]) -> Callable[..., Variable]:
    def construct(name: str | None = None, dtype: Any = None, shape: Sequence[Any] | None = None) -> Variable:
        sizes = pattern if shape is None else tuple(shape)
        if len(sizes) != len(pattern) or any(want == 1 != got for want, got in zip(pattern, sizes)):
            raise complaint(ShapeError, f"{sizes} is not the shape of a {kind}", fix="use tensor(dtype, shape=...)")
        return tensor(dtype, name=name, shape=sizes)

    construct.__name__ = construct.__qualname__ = kind
    construct.__doc__ = (f"A new input variable with {len(pattern)} axes; dtype `config.floatX` unless given.\n\n"
                         "    `shape` may fix or name sizes. Raises TypeMismatch, ShapeError.\n\n"
                         f"    >>> {kind}('x', dtype='float32').type\n"
                         f"    {TensorType('float32', pattern)('x').type}\n    ")
    return construct


def _several(name: str, make: Callable[..., Variable]) -> Callable[..., Any]:
    """Theano's plural of a constructor: a variable for each name or letter of a name, or as many as a number says."""
    def make_several(*names: Any) -> Any:
        if len(names) == 1:
            names = (None,) * names[0] if isinstance(names[0], int) else tuple(names[0])
        return [make(name) for name in names]

    plural = make_several.__name__ = make_several.__qualname__ = _plural(name)
    make_several.__doc__ = (f"`{name}` for each name, or letter of one name; or as many as a number says.\n\n"
                            f"    >>> {plural}('x', 'y'), len({plural}(3))\n    ([x, y], 3)\n    ")
    return make_several


def _plural(kind: str) -> str:
    return kind[:-1] + "ces" if kind.endswith("matrix") else kind + "s"


# Every rank, every rank with every letter, and the plurals of all: 180 names made from two short tables.
_made: dict[str, Any] = {kind: _constructor(kind, pattern) for kind, pattern in PATTERNS.items()}
_made |= {letter + kind: TensorType(dtype, pattern)
          for kind, pattern in PATTERNS.items() for letter, dtype in LETTERS.items()}
_made |= {_plural(name): _several(name, make) for name, make in _made.items()}
globals().update(_made)

__all__ = ["tensor", "TensorType", *_made]


def __getattr__(name: str) -> Any:  # read by type checkers, which cannot see the names made above
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
