"""Dtypes by name, and the one table that says how they combine.

Python numbers are weak: they take the dtype of the array they meet, and only widen it where
the value does not fit. NumPy arrays and variables are strong and combine by NumPy's table.
With the default `cast_policy`, a float wider than `config.floatX` that only comes from mixing integers
with narrower floats is kept at floatX, as Theano documents.

>>> promote("int8", "uint8"), promote("int32", "float32"), promote("bool", "int8")
('int16', 'float64', 'int8')
>>> weak_dtype(2, "float32"), weak_dtype(2.5, "int32"), weak_dtype(1000, "int8")
('float32', 'float64', 'int16')
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import TypeMismatch

__all__ = ["ALL", "BOOL", "INTEGERS", "UNSIGNED", "DISCRETE", "FLOATS", "NARROW", "COMPLEX", "CONTINUOUS",
           "autocast_float_as", "autocast_of",
           "check_dtype", "itemsize", "promote", "weak_dtype", "float_of", "real_of", "complex_of", "accumulator",
           "computed_in", "numpy_dtype"]

BOOL = ("bool",)
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = SIGNED + UNSIGNED
DISCRETE = BOOL + INTEGERS
FLOATS = ("float16", "float32", "float64")
NARROW = ("float16",)
"""Floats that are only kept: they are computed in float32, see `computed_in`."""
COMPLEX = ("complex64", "complex128")
CONTINUOUS = FLOATS + COMPLEX
ALL = DISCRETE + CONTINUOUS


def check_dtype(dtype: object) -> str:
    """The name of a dtype given as a name, a NumPy dtype or type, or "floatX"; raises TypeMismatch."""
    if dtype == "floatX":
        return str(config.floatX)
    if isinstance(dtype, str) and dtype in ALL:
        return dtype
    try:
        name = np.dtype(dtype).name  # type: ignore[call-overload]
    except TypeError:
        name = str(dtype)
    if name not in ALL:
        raise TypeMismatch(f"{dtype!r} is not a tensor dtype", fix="one of " + ", ".join(ALL))
    return str(name)


@cache
def numpy_dtype(dtype: str) -> np.dtype:
    """The NumPy dtype object of a dtype name."""
    return np.dtype(dtype)


def itemsize(dtype: str) -> int:
    """Bytes of one element."""
    return int(numpy_dtype(dtype).itemsize)


@cache
def _numpy_promote(dtypes: tuple[str, ...]) -> str:
    return str(np.result_type(*dtypes).name)


def promote(*dtypes: str) -> str:
    """The dtype in which values of `dtypes` combine."""
    joined = _numpy_promote(dtypes)
    if config.cast_policy != "numpy+floatX" or joined not in FLOATS or joined in dtypes:
        return joined
    return joined if _wider(config.floatX, joined, *dtypes) else str(config.floatX)


def _wider(floatX: str, joined: str, *dtypes: str) -> bool:
    """Whether floatX is no narrower than what dtypes join to, or than one of them."""
    wider = FLOATS[FLOATS.index(floatX) + 1:]
    return joined not in wider or any(dtype in wider for dtype in dtypes)


_autocast: ContextVar[tuple[str, ...]] = ContextVar("autocast", default=())


@contextmanager
def autocast_float_as(*dtypes: str) -> Iterator[None]:
    """Within a `with` block, Python floats are of the first of these dtypes that holds them exactly, else of the last.

    Elsewhere they are of no dtype of their own, and take that of what they meet. Raises TypeMismatch for what is no
    float dtype.

    >>> with autocast_float_as("float32", "float64"):
    ...     weak_dtype(0.5, "float32"), weak_dtype(0.1, "float32")
    ('float32', 'float64')
    """
    for dtype in dtypes:
        if dtype not in FLOATS:
            raise TypeMismatch(f"autocast_float_as: {dtype!r} is no float dtype", fix="one of " + ", ".join(FLOATS))
    before = _autocast.set(dtypes)
    try:
        yield
    finally:
        _autocast.reset(before)


def autocast_of(value: float) -> str | None:
    """The dtype that a Python float has within `autocast_float_as`; None elsewhere."""
    with np.errstate(over="ignore"):
        exact = (dtype for dtype in _autocast.get() if value != value or float(np.dtype(dtype).type(value)) == value)
        return next(exact, (_autocast.get() or (None,))[-1])


def weak_dtype(value: bool | int | float | complex, dtype: str) -> str:
    """The dtype a Python number takes when it meets an array of `dtype`."""
    if isinstance(value, bool):
        return dtype
    if isinstance(value, int):
        if dtype in CONTINUOUS:
            return dtype
        floor = "int8" if dtype == "bool" else dtype
        return floor if _fits(value, floor) else _smallest_integer(value, floor)
    if isinstance(value, float):
        own = autocast_of(value)
        return promote(own, dtype) if own else dtype if dtype in CONTINUOUS else str(config.floatX)
    if dtype in COMPLEX:
        return dtype
    return "complex64" if dtype in ("float16", "float32") else "complex128"


def _fits(value: int, dtype: str) -> bool:
    info = np.iinfo(dtype)
    return int(info.min) <= value <= int(info.max)


def _smallest_integer(value: int, dtype: str) -> str:
    for candidate in SIGNED + ("uint64",):
        if _fits(value, candidate):
            return _numpy_promote((candidate, dtype))
    raise TypeMismatch(f"the Python int {value} fits no integer dtype", fix="use a float")


def float_of(dtype: str) -> str:
    """The float dtype in which a function of `dtype` is computed: small integers in float32, wide in float64."""
    if dtype in CONTINUOUS:
        return dtype
    return "float32" if dtype in ("bool", "int8", "uint8", "int16", "uint16") else "float64"


def real_of(dtype: str) -> str:
    """The dtype of a complex dtype's parts; any other dtype itself."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def complex_of(dtype: str) -> str:
    """The complex dtype whose parts hold a real dtype: complex64 up to float32, else complex128."""
    return "complex64" if float_of(dtype) in ("float16", "float32", "complex64") else "complex128"


def accumulator(dtype: str) -> str:
    """The dtype in which sums and products of `dtype` are returned: 64 bits for integers."""
    if dtype in UNSIGNED:
        return "uint64"
    return "int64" if dtype in DISCRETE else dtype


def computed_in(dtype: str) -> str:
    """The dtype in which values of `dtype` are computed: for narrow floats float32, rounded when a value is kept.

    >>> computed_in("float16"), computed_in("float64")
    ('float32', 'float64')
    """
    return "float32" if dtype in NARROW else dtype
