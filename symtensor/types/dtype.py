"""Dtypes by name, and the one table that says how they combine.

Python numbers are weak: they take the dtype of the array they meet, and only widen it where
the value does not fit. NumPy arrays and variables are strong and combine by NumPy's table.
With the default `cast_policy`, a float wider than `config.floatX` that only comes from mixing integers
with narrower floats is kept at floatX, as Theano documents.

NumPy knows bfloat16 by the package `ml_dtypes` only, which is imported when somebody names that dtype, and as one of
kind "V". So what is to be known of dtypes is asked here: `kind_of`, `fits`, `limits`, `converted`. It combines with
integers as float16 does, and with float16 to float32.

>>> promote("int8", "uint8"), promote("int32", "float32"), promote("bool", "int8")
('int16', 'float64', 'int8')
>>> promote("bfloat16", "int8"), promote("bfloat16", "int16"), promote("bfloat16", "float16")
('bfloat16', 'float32', 'float32')
>>> weak_dtype(2, "float32"), weak_dtype(2.5, "int32"), weak_dtype(1000, "int8")
('float32', 'float64', 'int16')
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import TypeMismatch

__all__ = ["ALL", "BOOL", "INTEGERS", "UNSIGNED", "DISCRETE", "FLOATS", "NARROW", "COMPLEX", "CONTINUOUS",
           "autocast_float_as", "autocast_of",
           "check_dtype", "itemsize", "promote", "weak_dtype", "float_of", "real_of", "complex_of", "accumulator",
           "computed_in", "numpy_dtype", "kind_of", "fits", "same_kind", "limits", "converted",
           "dtype_read", "widened"]

BOOL = ("bool",)
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = SIGNED + UNSIGNED
DISCRETE = BOOL + INTEGERS
FLOATS = ("bfloat16", "float16", "float32", "float64")
NARROW = ("bfloat16", "float16")
"""Floats that are only kept: they are computed in float32, see `computed_in`."""
COMPLEX = ("complex64", "complex128")
CONTINUOUS = FLOATS + COMPLEX
ALL = DISCRETE + CONTINUOUS


def check_dtype(dtype: object) -> str:
    """The name of a dtype given as a name, a NumPy dtype or type, or "floatX"; raises TypeMismatch."""
    if dtype == "floatX":
        dtype = str(config.floatX)
    if dtype == "bfloat16":
        numpy_dtype("bfloat16")  # from now on NumPy knows the name, too
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
    if dtype == "bfloat16":
        import ml_dtypes  # noqa: F401  # gives NumPy the name
    return np.dtype(dtype)


def itemsize(dtype: str) -> int:
    """Bytes of one element."""
    return int(numpy_dtype(dtype).itemsize)


def kind_of(dtype: str | np.dtype) -> str:
    """NumPy's letter for the kind of a dtype, "f" for bfloat16 too: of those of tensors b, i, u, f or c.

    >>> kind_of("bfloat16"), kind_of(np.dtype("int8")), kind_of(np.dtype("V2"))
    ('f', 'i', 'V')
    """
    name = dtype if isinstance(dtype, str) else dtype.name
    return _KINDS.get(name) or np.dtype(dtype).kind


_KINDS = {name: "f" if name in FLOATS else name[0] for name in ALL}


def dtype_read(dtype: str | np.dtype) -> np.dtype:
    """The NumPy dtype that a file or another library names: two bytes of no kind are bfloat16.

    Formats that have no name for it say `<V2`: NumPy's files, and the arrays of devices, PyTorch's among them.

    >>> dtype_read("<V2"), dtype_read("<f4")
    (dtype(bfloat16), dtype('float32'))
    """
    return numpy_dtype("bfloat16") if np.dtype(dtype) == np.dtype("V2") else np.dtype(dtype)


def limits(dtype: str | np.dtype) -> Any:
    """The limits of a float or complex dtype: an object as of `numpy.finfo`.

    >>> float(limits("bfloat16").eps), float(limits("float16").max)
    (0.0078125, 65504.0)
    """
    if (dtype if isinstance(dtype, str) else dtype.name) == "bfloat16":
        import ml_dtypes  # only who names bfloat16 needs it
        return ml_dtypes.finfo("bfloat16")  # type: ignore[no-untyped-call]
    return np.finfo(dtype)


def converted(array: Any, dtype: str) -> np.ndarray:
    """An array's elements as those of another dtype, a copy, as C and NumPy convert; each is rounded once.

    `ml_dtypes` rounds to float32 on the way to bfloat16. So what is no float32 becomes a neighbour whose last bit is
    set first, which then rounds as the number itself does.

    >>> converted([1 + 2.0**-8 + 2.0**-40], "bfloat16"), converted([2.7], "int8")
    (array([1.00781], dtype=bfloat16), array([2], dtype=int8))
    """
    array = np.asarray(array)
    with np.errstate(all="ignore"):
        if dtype == "bfloat16" and not fits(array.dtype, "float32") and kind_of(array.dtype) != "c":
            array = _odd_float32(array.astype("float64"))
        return np.array(array, numpy_dtype(dtype))


def widened(array: Any) -> np.ndarray:
    """An array in the dtype in which its values are computed; itself, if that is its own.

    So NumPy adds narrow floats with more digits, and orders bfloat16 where there are NaNs: by itself it does not.
    """
    array = np.asarray(array)
    return np.asarray(array, numpy_dtype(computed_in(array.dtype.name)))


def _odd_float32(exact: np.ndarray) -> np.ndarray:
    single = np.array(exact, "float32")
    back, bits = single.astype("float64"), single.view("uint32")
    bits -= np.abs(back) > np.abs(exact)
    bits |= (back != exact) & (back == back)
    return single


def fits(dtype: str | np.dtype, other: str | np.dtype) -> bool:
    """Whether each value of a dtype is one of the other, as far as its digits go: a safe conversion.

    >>> fits("int8", "bfloat16"), fits("float16", "bfloat16"), fits("bfloat16", "float32")
    (True, False, True)
    """
    one, two = (d if isinstance(d, str) else d.name for d in (dtype, other))
    return one in ALL and two in ALL and _joined((one, two)) == two


def same_kind(dtype: str | np.dtype, other: str | np.dtype) -> bool:
    """Whether a conversion loses digits at most, and no sign, fraction or imaginary part.

    >>> same_kind("float64", "bfloat16"), same_kind("float32", "int64"), same_kind("int64", "uint64")
    (True, False, False)
    """
    kind, wanted = kind_of(dtype), kind_of(other)
    return kind in "buifc" and wanted in "buifc" and "buifc".index(kind) <= "buifc".index(wanted)


@cache
def _joined(dtypes: tuple[str, ...]) -> str:
    """NumPy's table, in which bfloat16 stands where float16 does beside all but that one."""
    if "bfloat16" not in dtypes:
        return str(np.result_type(*dtypes).name)
    joined = _joined(tuple("float16" if dtype == "bfloat16" else dtype for dtype in dtypes))
    if joined != "float16":
        return joined
    return "float32" if "float16" in dtypes else "bfloat16"


def promote(*dtypes: str) -> str:
    """The dtype in which values of `dtypes` combine."""
    joined = _joined(dtypes)
    if config.cast_policy != "numpy+floatX" or joined not in FLOATS:
        return joined
    floatX = str(config.floatX)
    is_enough = all(fits(dtype, floatX) for dtype in dtypes if dtype in FLOATS)
    return floatX if is_enough and not fits(joined, floatX) else joined


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
    return "complex64" if computed_in(dtype) == "float32" else "complex128"


def _fits(value: int, dtype: str) -> bool:
    info = np.iinfo(dtype)
    return int(info.min) <= value <= int(info.max)


def _smallest_integer(value: int, dtype: str) -> str:
    for candidate in SIGNED + ("uint64",):
        if _fits(value, candidate):
            return _joined((candidate, dtype))
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
    return "complex64" if computed_in(float_of(dtype)) in ("float32", "complex64") else "complex128"


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
