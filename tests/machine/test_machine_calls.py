"""The virtual machine on programs built by hand: elementwise calls, shapes, arguments."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from plan import Plan, affine


@pytest.mark.parametrize("shape", [(), (1,), (5,), (0,), (3, 4), (3, 0), (2, 3, 4), (1,) * 20])
def test_elementwise(shape: tuple[int, ...]) -> None:
    x = np.asarray(np.random.default_rng(0).normal(size=shape))
    y = affine(len(shape))(x)
    assert type(y) is np.ndarray and y.shape == shape and y.dtype == np.float64
    np.testing.assert_array_equal(y, 2 * x + 1)


@pytest.mark.parametrize("wrap, expected", [("list", [[3.0], [7.0]]), (("a", "b"), {"a": [3.0], "b": [7.0]}),
                                            (None, None)])
def test_wraps(wrap: Any, expected: Any) -> None:
    plan = Plan()
    x = plan.argument()
    y, z = plan.output(plan.buffers[x].shape), plan.output(plan.buffers[x].shape)
    plan.launch("affine", [x, y])
    plan.launch("affine", [y, z])
    assert plan.function(wrap)(np.ones(1)) == expected


def test_wrap_must_fit() -> None:
    for wrap in ("pair", ("a", "b"), 3, "list "):
        with pytest.raises(ValueError, match="wrap is None"):
            affine(wrap=wrap)


SCALARS = [
    ("float64", 1.5, 1.5), ("float64", 3, 3.0), ("float64", True, 1.0), ("float64", np.float32(0.5), 0.5),
    ("float64", np.int32(-3), -3.0), ("float64", np.bool_(True), 1.0), ("float64", float("inf"), float("inf")),
    ("float32", 1.5, 1.5), ("float32", 7, 7.0), ("float32", np.float32(2), 2.0), ("float32", np.int16(2), 2.0),
    ("float32", 1e300, None), ("float32", np.float64(1.5), None), ("float32", float("-inf"), float("-inf")),
    ("int64", 5, 5), ("int64", -2**63, -2**63), ("int64", 2**63, None), ("int64", 1.0, None), ("int64", True, 1),
    ("int64", np.int8(-1), -1), ("int64", np.uint64(1), None), ("int8", 127, 127), ("int8", 128, None),
    ("int8", -128, -128), ("int8", -129, None), ("uint8", 255, 255), ("uint8", 256, None), ("uint8", -1, None),
    ("uint32", 2**32 - 1, 2**32 - 1), ("uint64", 2**63 - 1, 2**63 - 1), ("uint64", -1, None), ("int16", 40000, None),
    ("bool", True, True), ("bool", False, False), ("bool", 1, None), ("bool", np.bool_(True), True),
    ("complex128", 2.5, 2.5), ("complex128", np.complex64(1j), 1j), ("complex64", 2, 2), ("complex64", 1j, None),
    ("float64", "1", None), ("float64", None, None), ("float64", [1.0], None), ("float16", 1.0, None),
]


@pytest.mark.parametrize("dtype, given, expected", SCALARS)
def test_scalars(dtype: str, given: Any, expected: Any) -> None:
    """Numbers that fit are stored without Python; the others go to `convert`."""
    plan = Plan()
    plan.results.append(plan.argument(0, dtype))
    converted = []

    def convert(args: tuple[Any, ...], keywords: Any) -> tuple[np.ndarray, ...]:
        converted.append((args, keywords))
        return (np.zeros((), dtype),)

    result = plan.function(convert=convert)(given)
    assert result.dtype == dtype and result.shape == ()
    if expected is None:
        assert converted == [((given,), None)] and result == 0
    else:
        assert not converted and result == expected


@pytest.mark.parametrize("args, keywords", [
    ((), {}), ((1, 2), {}), ((), {"x": 1}), ((np.ones(1),), {"y": 1}), ((np.ones(3, "float32"),), {}),
    ((np.ones((3, 3))[:, 0],), {}),
    ((np.ones(3, ">f8"),), {}), ((np.ones((3, 1)),), {}), ((np.ones(3).view(np.recarray),), {}), (([1.0],), {}),
    ((np.frombuffer(b"\0" * 25, dtype="u1")[1:].view("f8"),), {})])
def test_other_arguments_are_converted(args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    seen = []

    def convert(args: tuple[Any, ...], keywords: Any) -> tuple[np.ndarray, ...]:
        seen.append((args, keywords))
        return (np.ones(2),)

    f = affine(convert=convert)
    np.testing.assert_array_equal(f(*args, **keywords), [3, 3])
    assert len(seen) == 1 and seen[0][0] is not None and seen[0][1] == (keywords or None)
    assert all(a is b for a, b in zip(seen[0][0], args, strict=True))


def test_keywords() -> None:
    plan = Plan()
    x, y, z = plan.argument(0), plan.argument(0), plan.argument(0)
    plan.results = [x, y, z]
    converted = []
    f = plan.function("list", convert=lambda args, keywords: converted.append(1) or (0, 0, 0))
    made = {"x" + "012"[i]: i + 1 for i in range(3)}      # strings that are not interned
    assert f(1, 2, 3) == f(1, 2, x2=3) == f(1, x2=3, x1=2) == f(x1=2, x2=3, x0=1) == f(**made) == [1, 2, 3]
    assert not converted
    for args, keywords in (((1, 2, 3), {"x0": 1}), ((1, 2), {"x1": 3}), ((1, 2), {"y": 3}), ((1,), {"x1": 2}),
                           ((1, 2), {"x2": "three"})):
        converted.clear()
        assert f(*args, **keywords) == [0, 0, 0] and converted


@pytest.mark.parametrize("answer", [None, [], (), (1.0, 2.0), (np.ones((2, 2)),), (np.ones(2, "float32"),), ("x",)])
def test_convert_must_keep_its_word(answer: Any) -> None:
    f = affine(convert=lambda args, keywords: answer)
    with pytest.raises(TypeError, match="convert"):
        f()
    np.testing.assert_array_equal(f(np.ones(1)), [3])


def test_convert_may_raise() -> None:
    def convert(args: tuple[Any, ...], keywords: Any) -> tuple[np.ndarray, ...]:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        affine(convert=convert)()


def test_argument_is_never_written_nor_kept() -> None:
    f, x = affine(), np.ones(4)
    x.flags.writeable = False
    count = sys.getrefcount(x)
    f(x)
    assert sys.getrefcount(x) == count and (x == 1).all()
