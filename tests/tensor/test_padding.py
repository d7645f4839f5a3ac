"""Tensors made larger, against NumPy."""

import numpy as np
import pytest

import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.testing.verify_grad import verify_grad

from .agree import agree, numbers

WIDTHS = [0, 2, (1, 2), ((1, 0), (3, 2)), ((2, 1),), [2], ((1,), (2,))]
MODES = ["constant", "edge", "wrap", "reflect", "symmetric", "maximum", "minimum", "mean"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", WIDTHS, ids=str)
def test_pad(mode, width):
    for shape in [(3, 4), (1, 2), (2, 1)]:
        for dtype in ("float64", "int8"):
            if dtype == "int8" and mode == "mean":
                continue
            agree(lambda x: T.pad(x, width, mode), lambda a: np.pad(a, width, mode), numbers(*shape, dtype=dtype))


def test_means_of_integers_are_rounded():
    agree(lambda x: T.pad(x, 1, "mean"), lambda a: np.pad(a, 1, "mean"), np.array([1, 2, 2, 9]))


@pytest.mark.parametrize("values", [1.5, (1, 2), ((1, 2), (3, 4))], ids=str)
def test_constants(values):
    agree(lambda x: T.pad(x, ((1, 2), (2, 1)), constant_values=values),
          lambda a: np.pad(a, ((1, 2), (2, 1)), constant_values=values), numbers(2, 3))
    agree(lambda x: T.pad(x, 1), lambda a: np.pad(a, 1), numbers(0, 3))


def test_widths_that_are_variables():
    agree(lambda x, n: T.pad(x, (n, n + 1), "wrap"), lambda a, n: np.pad(a, (n, n + 1), "wrap"), numbers(3),
          np.array(4))
    agree(lambda x, n: T.pad(x, n), lambda a, n: np.pad(a, n), numbers(2, 3), np.array(2))


@pytest.mark.parametrize("mode", MODES)
def test_derivatives(mode):
    verify_grad(lambda x: T.pad(x, ((1, 2), (2, 0)), mode), [numbers(2, 3)])


def test_what_cannot_be_padded():
    x = T.dmatrix("x")
    with pytest.raises(TypeMismatch, match="pad: there is no mode 'nothing'"):
        T.pad(x, 1, "nothing")
    with pytest.raises(ShapeError, match="pad: a width of -1 is negative"):
        T.pad(x, -1)
    for width in (((1, 2), (3, 4), (5, 6)), (1, 2, 3), ((1, 2, 3),)):
        with pytest.raises(ShapeError, match="pad: pad_width must be a number, a pair, or a pair for each of 2 axes"):
            T.pad(x, width)


@pytest.mark.parametrize("offset", [-2, 0, 1])
@pytest.mark.parametrize("axes", [(0, 1), (1, 0), (-2, -1), (0, -1)])
def test_alloc_diag_is_undone_by_diagonal(offset, axes):
    for shape in [(3,), (2, 3), (0,), (2, 1, 3)]:
        array = numbers(*shape)
        agree(lambda x: T.diagonal(T.alloc_diag(x, offset, *axes), offset, *axes), lambda a: a, array)
        agree(lambda x: T.alloc_diag(x, offset, *axes).sum(), lambda a: a.sum(), array)
    verify_grad(lambda x: T.alloc_diag(x, offset, *axes), [numbers(2, 3)])


def test_alloc_diag_of_what_has_no_diagonal():
    with pytest.raises(TypeMismatch, match="alloc_diag takes vectors"):
        T.alloc_diag(1.5)
    with pytest.raises(ShapeError, match="alloc_diag: axis 1 is named twice"):
        T.alloc_diag([1.0], 0, 1, -1)
