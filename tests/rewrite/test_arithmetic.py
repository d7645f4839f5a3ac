"""What becomes of sums, products, powers, truth values and conversions."""

import itertools
import sys

import numpy as np
import pytest

from symtensor.ir.node import Constant
from symtensor.ops.elementwise import cast
from symtensor.ops.scalar import (
    abs_,
    and_,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    cos,
    cosh,
    eq,
    erf,
    exp,
    floor,
    invert,
    isnan,
    log,
    maximum,
    minimum,
    neg,
    neq,
    or_,
    power,
    reciprocal,
    sin,
    sinh,
    sqrt,
    square,
    switch,
    tan,
    tanh,
    wrap_index,
)
from symtensor.ops.shape import expand_dims
from symtensor.rewrite.pattern import uniform
from symtensor.rewrite.rules import canonicalize
from tests.rewrite.forms import form, integers, matrix, rewritten, scalar, text, truths, vector

x, y, z = (vector(name) for name in "xyz")
a, b = (scalar(name) for name in "ab")
m = matrix("m")
i, j = (integers(name) for name in "ij")
p, q = (truths(name) for name in "pq")
floats32 = vector.with_dtype("float32")


@pytest.mark.parametrize(("expression", "expected"), [
    # zeros, ones, signs
    (x + 0, "x"), (0 + x, "x"), (x - 0.0, "x"), (1 * x, "x"), (x / 1, "x"), (neg(neg(x)), "x"), (0 - x, "neg(x)"),
    (x * -1, "neg(x)"), (x + np.zeros((1,)), "x"), (x * np.ones((1,)), "x"), (i * 1 + 0, "i"),
    (x * 0 + y, "y"), (x - (-y), "add(x, y)"), (-(x - y), "sub(y, x)"), ((-x) * (-y), "mul(x, y)"),
    ((-x) / y, "neg(true_div(x, y))"), (abs_(-x), "abs(x)"), (square(-x), "square(x)"),
    # sums
    (x - x + y, "y"), (x + y - x, "y"), (x + x, "mul(2.0, x)"), (x + 2 * x, "mul(3.0, x)"),
    (x + y + x, "add(mul(2.0, x), y)"), ((x + 1) + 2, "add(3.0, x)"),
    ((x + 1) - (x - 1), "broadcast[1](2.0, SizeValue(size=x.0)())"),
    (2 * (x + y) - 2 * x, "mul(2.0, y)"), (x - 3 + 1, "sub(x, 2.0)"), (i + i + 3 - i, "add(3, i)"),
    (m + a + b, "add(add(a, b), m)"), (x - y, "sub(x, y)"), ((x + y) + z, "add(add(x, y), z)"),
    # products
    (x / x * y, "y"), (x * y / x, "y"), (x * x, "square(x)"), (x * x * x, "mul(square(x), x)"),
    (2 * x * 3, "mul(6.0, x)"), (x / y / z, "true_div(x, mul(y, z))"), (x / (y / z), "true_div(mul(x, z), y)"),
    (x * y * x, "mul(square(x), y)"), (x / 3 * 6, "mul(2.0, x)"), (x / 3, "true_div(x, 3.0)"),
    (x / 4, "mul(x, 0.25)"), (x / 3 * 2, "true_div(x, 1.5)"), (a * (m * b), "mul(mul(a, b), m)"),
    (i * i * i, "mul(square(i), i)"), (x / sqrt(x), "sqrt(x)"), (x * reciprocal(y), "true_div(x, y)"),
    (1 / (1 / x), "x"), (x * (2 / x), "broadcast[1](2.0, SizeValue(size=x.0)())"),
    ((x * y) / (x * z), "true_div(y, z)"), (x * y, "mul(x, y)"), (x / y, "true_div(x, y)"),
    # powers
    (x ** 1, "x"), (x ** 2, "square(x)"), (x ** 3, "mul(square(x), x)"), (x ** 4, "square(square(x))"),
    (x ** 0.5, "sqrt(x)"), (x ** -1, "reciprocal(x)"), (x ** -0.5, "reciprocal(sqrt(x))"), (x ** 0.3, "power(x, 0.3)"),
    (x ** 1.5, "mul(x, sqrt(x))"), (x ** -2, "reciprocal(square(x))"), (power(2.0, x), "exp2(x)"),
    (x ** y, "power(x, y)"), (i ** 2, "square(i)"),
    # inverses
    (log(exp(x)), "x"), (exp(log(x)), "x"), (sqrt(square(x)), "abs(x)"), (exp(3 * log(x)), "mul(square(x), x)"),
    (maximum(x, x), "x"), (maximum(maximum(x, 1.0), 2.0), "maximum(x, 2.0)"),
    (minimum(minimum(x, y), y), "minimum(x, y)"),
    (floor(floor(x)), "floor(x)"), (floor(i), "i"),
    # conversions
    (cast(cast(i, "float64"), "float64"), "cast[float64](i)"), (cast(cast(floats32("f"), "float64"), "float32"), "f"),
    (cast(cast(p, "int8"), "float64"), "cast[float64](p)"), (neq(cast(p, "float64"), 0), "p"),
    (cast(cast(x, "float32"), "float64"), "cast[float64](cast[float32](x))"),
])
def test_forms(expression, expected):
    assert form(expression) == expected


@pytest.mark.parametrize(("expression", "expected"), [
    (and_(p, p), "p"), (or_(p, invert(p)), "broadcast[1](True, SizeValue(size=p.0)())"), (invert(invert(p)), "p"),
    (p & True, "p"), (p | False, "p"), (p ^ True, "invert(p)"), (and_(p, or_(p, q)), "p"), (i & -1, "i"),
    (x > y, "lt(y, x)"), (x >= y, "le(y, x)"), (invert(eq(x, y)), "neq(x, y)"), (invert(i < j), "le(j, i)"),
    (invert(x < y), "invert(lt(x, y))"), (eq(i, i), "broadcast[1](True, SizeValue(size=i.0)())"),
    (eq(x, x), "eq(x, x)"),
    (x < x, "broadcast[1](False, SizeValue(size=x.0)())"), (isnan(i), "broadcast[1](False, SizeValue(size=i.0)())"),
    (switch(p, x, x), "x"), (switch(True, x, y), "x"), (switch(invert(p), x, y), "switch(p, y, x)"),
    (switch(p, switch(p, x, y), z), "switch(p, x, z)"), (switch(p, x, switch(p, y, z)), "switch(p, x, z)"),
    (switch(p, True, False), "p"), (switch(p, False, True), "invert(p)"), (switch(p, 1.0, 0.0), "switch(p, 1.0, 0.0)"),
])
def test_truth_values(expression, expected):
    assert form(expression) == expected


@pytest.mark.parametrize("op", [arcsin, arcsinh, arctan, arctanh, erf, sin, sinh, tan, tanh])
def test_signs_leave_odd_functions(op):
    assert form(op(-x)) == f"neg({op}(x))"


@pytest.mark.parametrize("op", [cos, cosh])
def test_signs_vanish_in_even_functions(op):
    assert form(op(-x)) == f"{op}(x)"


def test_what_is_known_is_folded():
    assert form(x + (Constant(2.0) * 3 + exp(Constant(0.0)))) == "add(x, 7.0)"
    table = Constant(np.arange(6.0).reshape(2, 3))
    assert form(expand_dims(table * 2, [0])).startswith("<constant float64 (1, 2, 3)>")


def test_operands_exchanged_are_one_node():
    graph = rewritten([exp(x + y), log(y + x), eq(x, y), eq(y, x), x - y, y - x])
    a, b, c, d, e, f = graph.outputs
    assert a.owner.inputs == b.owner.inputs and c is d and e is not f


def test_large_results_are_not_folded():
    row = Constant(np.zeros((1, 1000)))
    column = Constant(np.arange(1000.0).reshape(1000, 1))
    assert "add" in form(row + 1.0 * column + Constant(np.arange(1000.0)))


def test_what_raises_is_left_to_run_time():
    graph_text = form(x + 0 * cast(wrap_index(Constant(0), Constant(3)), "float64"))
    assert graph_text == "x"
    assert text(rewritten([wrap_index(Constant(7), Constant(3))]).outputs[0]) == "wrap_index(7, 3)"


def test_infinite_constants_are_not_made():
    assert form(x * 1e200 * 1e200) == "mul(mul(x, 1e+200), 1e+200)"
    assert form(x * 1e-200 * 1e-200) == "mul(mul(x, 1e-200), 1e-200)"


def test_what_others_use_is_not_taken_apart():
    inner = x + y
    graph = rewritten([inner + x, inner * 2])
    assert [str(v.owner.op) for v in graph.outputs] == ["add", "mul"]
    assert graph.outputs[0].owner.inputs[0] is graph.outputs[1].owner.inputs[0]


def test_a_long_sum_is_collected_in_linear_time():
    def calls(terms):
        """How many functions are called meanwhile."""
        total, count = x, itertools.count()
        for _ in range(terms):
            total = total + x
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, argument: next(count) if event == "call" else None)
        try:
            found = form(total, [canonicalize])
        finally:
            sys.setprofile(before)
        assert found == f"mul({terms + 1.0}, x)"
        return next(count)
    calls(50)
    assert calls(2000) < 5 * calls(500)


@pytest.mark.parametrize(("data", "value"), [
    (np.zeros((2, 2)), 0.0), (np.array([0.0, -0.0]), None), (np.full(3, np.inf), np.inf), (np.zeros(0), None),
    (np.array([True, True]), True), (np.full((2, 1), 1 + 2j), 1 + 2j), (np.array([1, 2, 1]), None), (np.array(5), 5)])
def test_the_number_all_elements_are(data, value):
    assert uniform(Constant(data)) == value


def test_float16_products_do_not_overflow_in_the_compiler():
    half = vector.with_dtype("float16")("half")
    assert form((half * 300) * 300) == "mul(mul(half, 300.0), 300.0)"
