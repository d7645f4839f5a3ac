"""The names that programs written for Theano use are there, and each function shows how it is used."""

import inspect

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import DeviceError, TypeMismatch
from symtensor.ir.node import Variable
from symtensor.ops.elementwise import Elementwise

from .agree import agree, numbers, value

NAMES = {
    "elementwise": """abs_ angle exp exp2 expm1 neg inv log log2 log10 log1p sgn ceil floor trunc round iround sqr sqrt
        deg2rad rad2deg cos sin tan arccos arcsin arctan arctan2 cosh sinh tanh arccosh arcsinh arctanh erf erfc
        erfcx erfinv erfcinv gamma gammaln psi tri_gamma chi2sf gammainc gammaincc gammau gammal j0 j1 jv i0 i1
        iv real imag conj complex complex_from_polar maximum minimum clip add sub mul true_div int_div
        ceil_intdiv mod divmod pow isnan isinf isclose allclose lt gt le ge eq neq and_ or_ xor invert switch
        xlogx xlogy0 second fill""",
    "reductions": """sum prod mean var std all any max min argmax argmin max_and_argmax smallest largest ptp""",
    "creation": """zeros ones zeros_like ones_like fill alloc AllocEmpty eye identity_like arange tri tril triu diag
        AllocDiag mgrid ogrid stack stacklists concatenate join bartlett""",
    "shapes": """reshape flatten dimshuffle transpose swapaxes shape_padleft shape_padright shape_padaxis roll tile
        repeat squeeze split horizontal_stack vertical_stack patternbroadcast addbroadcast unbroadcast take
        choose compress diagonal pad""",
    "indexing": """set_subtensor inc_subtensor nonzero flatnonzero nonzero_values unravel_index ravel_multi_index
        inverse_permutation permute_row_elements""",
    "order": """sort argsort topk argtopk topk_and_argtopk cumsum cumprod diff bincount searchsorted fill_diagonal
        fill_diagonal_offset to_one_hot unique cov Unique CumOp""",
    "products": "dot outer tensordot batched_dot batched_tensordot",
}
METHODS = """T shape size ndim dtype reshape flatten ravel dimshuffle sum prod mean var std min max argmin argmax any
        all dot take copy norm nonzero nonzero_values sort argsort clip conj conjugate repeat round trace
        diagonal cumsum cumprod ptp swapaxes fill choose squeeze compress searchsorted transfer zeros_like
        ones_like astype real imag eval clone arccos arccosh arcsin arcsinh arctan arctanh ceil cos cosh deg2rad
        exp exp2 expm1 floor log log10 log1p log2 rad2deg sin sinh sqrt tan tanh trunc get_parents broadcastable"""


@pytest.mark.parametrize("family", NAMES)
def test_theanos_names(family):
    assert not [name for name in NAMES[family].split() if not hasattr(T, name)]


def test_theanos_methods():
    assert not [name for name in METHODS.split() if not hasattr(Variable, name)]


def test_each_function_shows_how_it_is_used():
    for name in T.__dict__:
        member = getattr(T, name)
        public = inspect.isfunction(member) and member.__module__.startswith("symtensor.tensor") and name[0] != "_"
        if public and member.__module__ != "symtensor.tensor.inputs":
            doc = inspect.getdoc(member)
            assert doc and ">>> " in doc, name
            assert doc.split("\n")[0].rstrip().endswith((".", ":", ",")) or "\n\n" in doc, name


@pytest.mark.parametrize("name", ["exp", "log1p", "arccos", "trunc", "deg2rad", "sqrt", "tanh"])
def test_functions_that_are_methods(name):
    agree(lambda x: getattr(x / 4, name)(), lambda a: getattr(np, name)(a / 4), abs(numbers(2, 3)))


def test_compress_and_transfer():
    agree(lambda x: x.compress([0, 1], 0), lambda a: a.compress([0, 1], 0), numbers(2, 3))
    x = T.dvector("x")
    assert x.transfer("cpu").eval({x: [1.0]}).tolist() == [1.0]
    assert x.get_parents() == [] and (x + 1).get_parents()[0].op is T.add
    with pytest.raises(DeviceError, match="there is no device or context .gpu0."):
        x.transfer("gpu0").eval({x: [1.0]})


def test_theanos_addresses():
    assert T.extra_ops.to_one_hot is T.to_one_hot and T.nlinalg.diag is T.diag
    assert T.inplace.exp_inplace is T.exp and T.inplace.abs_inplace is T.abs_ and T.inplace.sqr_inplace is T.sqr
    assert all(isinstance(getattr(T.inplace, name), Elementwise) or callable(getattr(T.inplace, name))
               for name in T.inplace.__all__)
    from symtensor.tensor.extra_ops import repeat
    assert repeat is T.repeat


def test_ops_made_with_parameters():
    x = numbers(2, 3)
    agree(T.CumOp(1), lambda a: np.cumsum(a, 1), x)
    agree(T.CumOp(0, mode="mul"), lambda a: np.cumprod(a, 0), x)
    agree(T.AllocDiag(1), lambda a: np.diag(a, 1), x[0])
    assert T.AllocEmpty("int32")(2, 3).type.static_shape == (2, 3)
    assert [v.tolist() for v in map(value, T.Unique(return_inverse=True)([3, 1, 3]))] == [[1, 3], [1, 0, 1]]
    with pytest.raises(TypeMismatch, match="CumOp: there is no mode 'sub'"):
        T.CumOp(mode="sub")


def test_a_program_of_many_functions_compiles_as_one():
    x = T.dmatrix("x")
    median = T.sort(x, 1)[:, x.shape[1] // 2]
    cost = T.gammaln(1 + x.cumsum(1) ** 2).sum() + T.topk(x, 2).sum() + T.erfcx(median).sum()
    point = numbers(3, 5)
    slope = st.function([x], st.grad(cost, x))(point)
    step = 1e-6
    up, down = point.copy(), point.copy()
    up[1, 2] += step
    down[1, 2] -= step
    f = st.function([x], cost)
    np.testing.assert_allclose(slope[1, 2], (f(up) - f(down)) / (2 * step), rtol=1e-5)
