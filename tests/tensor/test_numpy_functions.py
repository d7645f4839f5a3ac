"""NumPy's functions called with variables: all in the tables against NumPy itself, and what is said of all others."""

import operator

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.tensor.numpy_functions import FUNCTIONS, UFUNCS

rng = np.random.default_rng(0)
A, B, V = rng.uniform(0.1, 0.9, size=(3, 4)), rng.uniform(0.1, 0.9, size=(3, 4)), rng.uniform(0.1, 0.9, size=4)
SQUARE = rng.normal(size=(3, 3)) + 3 * np.eye(3)
DEFINITE = SQUARE @ SQUARE.T
WHOLE, TRUTH = rng.integers(1, 9, size=(3, 4)), rng.uniform(size=(3, 4)) > 0.5

WITH_WHOLE_NUMBERS = {"bitwise_and", "bitwise_or", "bitwise_xor", "invert"}


def variables_of(*arrays):
    return [T.tensor(a.dtype, shape=[None] * a.ndim, name=f"x{i}") for i, a in enumerate(arrays)]


def agree(function, *arrays):
    """A function gives of variables what it gives of arrays."""
    variables = variables_of(*arrays)
    made, wanted = function(*variables), function(*arrays)
    several = isinstance(wanted, tuple)
    compute = st.function(variables, list(made) if several else made, on_unused_input="ignore")
    found = compute(*arrays)
    for one, own in zip(found, wanted, strict=True) if several else [(found, wanted)]:
        own = np.asarray(own)
        assert one.dtype == own.dtype and one.shape == own.shape
        np.testing.assert_allclose(one, own, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", UFUNCS)
def test_ufuncs(name):
    ufunc = getattr(np, name)
    first, second = (WHOLE, WHOLE + 1) if name in WITH_WHOLE_NUMBERS else (A, B)
    if name == "matmul":
        second = second.T.copy()
    if name == "arccosh":
        first = first + 1
    agree(ufunc, *(first, second)[:ufunc.nin])
    if ufunc.nin == 2:
        agree(lambda x: ufunc(first, x), second)
        agree(lambda x: ufunc(x, second), first)


CALLS = {
    "all": lambda a: np.all(a > 0.5, axis=1),
    "any": lambda a: np.any(a > 0.5, 0),
    "allclose": lambda a: np.allclose(a, A),
    "isclose": lambda a: np.isclose(a, A + 1e-12, rtol=1e-9),
    "argmax": lambda a: np.argmax(a, axis=1),
    "argmin": lambda a: np.argmin(a),
    "argsort": lambda a: np.argsort(a, axis=0),
    "bincount": (lambda a: np.bincount(np.ravel(a), minlength=12), WHOLE),
    "broadcast_to": lambda a: np.broadcast_to(a, (2, 3, 4)),
    "choose": (lambda a: np.choose(a % 2, [A, B]), WHOLE),
    "compress": lambda a: np.compress([True, False, True], a, axis=0),
    "concatenate": lambda a: np.concatenate([a, A], axis=1),
    "cov": lambda a: np.cov(a, ddof=0),
    "cumprod": lambda a: np.cumprod(a, axis=1),
    "cumsum": lambda a: np.cumsum(a),
    "diag": (lambda a: np.diag(a, 1), SQUARE),
    "diagonal": (lambda a: np.diagonal(a, offset=1), SQUARE),
    "diff": lambda a: np.diff(a, axis=0),
    "dot": lambda a: np.dot(a, A.T),
    "einsum": lambda a: np.einsum("ij,kj->ik", a, A),
    "flatnonzero": lambda a: np.flatnonzero(a > 0.5),
    "full_like": lambda a: np.full_like(a, 2.0),
    "i0": lambda a: np.i0(a),
    "imag": lambda a: np.imag(a * 1j),
    "real": lambda a: np.real(a * 1j),
    "angle": lambda a: np.angle(a * 1j),
    "kron": lambda a: np.kron(a, B),
    "linspace": (lambda v: np.linspace(v[0], v[1], 5), V),
    "max": lambda a: np.max(a, axis=0, keepdims=True),
    "mean": lambda a: np.mean(a, axis=(0, 1)),
    "min": lambda a: np.min(a, 1),
    "amax": lambda a: np.amax(a),
    "amin": lambda a: np.amin(a, axis=1),
    "moveaxis": lambda a: np.moveaxis(a, 0, 1),
    "nonzero": lambda a: np.nonzero(a > 0.5),
    "ones_like": lambda a: np.ones_like(a),
    "outer": lambda a: np.outer(a[0], V),
    "pad": lambda a: np.pad(a, 1, mode="edge"),
    "prod": lambda a: np.prod(a, axis=1),
    "ptp": lambda a: np.ptp(a, axis=0),
    "ravel": lambda a: np.ravel(a),
    "ravel_multi_index": (lambda a: np.ravel_multi_index((a % 3, a % 4), (3, 4)), WHOLE),
    "repeat": lambda a: np.repeat(a, 2, axis=0),
    "reshape": lambda a: np.reshape(a, (4, 3)),
    "roll": lambda a: np.roll(a, 1, axis=0),
    "searchsorted": lambda a: np.searchsorted(np.sort(V), a, side="right"),
    "shape": lambda a: np.asarray(np.shape(A)) + np.shape(a),
    "sort": lambda a: np.sort(a, axis=0),
    "squeeze": lambda a: np.squeeze(a[:1], axis=0),
    "stack": lambda a: np.stack([a, A], axis=1),
    "std": lambda a: np.std(a, axis=0, ddof=1),
    "sum": lambda a: np.sum(a, axis=0, keepdims=True),
    "var": lambda a: np.var(a),
    "swapaxes": lambda a: np.swapaxes(a, 0, 1),
    "take": lambda a: np.take(a, [0, 2], axis=1),
    "take_along_axis": lambda a: np.take_along_axis(a, np.argsort(A, axis=1), axis=1),
    "tensordot": lambda a: np.tensordot(a, A, axes=([0, 1], [0, 1])),
    "tile": lambda a: np.tile(a, (2, 1)),
    "trace": (lambda a: np.trace(a, offset=1), SQUARE),
    "transpose": lambda a: np.transpose(a, (1, 0)),
    "tril": lambda a: np.tril(a, k=1),
    "triu": lambda a: np.triu(a),
    "unique": (lambda a: np.unique(a), WHOLE),
    "unravel_index": (lambda a: np.unravel_index(a, (3, 4)), WHOLE),
    "where": lambda a: np.where(a > 0.5, a, B),
    "zeros_like": lambda a: np.zeros_like(a),
    "around": lambda a: np.around(a * 9),
    "round": lambda a: np.round(a * 9),
    "ndim": lambda a: np.asarray(np.ndim(a)) + np.size(a),
    "size": lambda a: np.size(a, 1) + np.size(a),
    "expand_dims": lambda a: np.expand_dims(a, (0, -1)),
    "clip": lambda a: np.clip(a, 0.3, np.max(a) / 2),
    "linalg.cholesky": (lambda a: np.linalg.cholesky(a), DEFINITE),
    "linalg.det": (lambda a: np.linalg.det(a), SQUARE),
    "linalg.eig": (lambda a: np.linalg.eig(a)[0].real, DEFINITE),
    "linalg.eigh": (lambda a: np.linalg.eigh(a)[0], DEFINITE),
    "linalg.eigvals": (lambda a: abs(np.linalg.eigvals(a)), DEFINITE),
    "linalg.inv": (lambda a: np.linalg.inv(a), SQUARE),
    "linalg.eigvalsh": (lambda a: np.linalg.eigvalsh(a), DEFINITE),
    "linalg.matrix_power": (lambda a: np.linalg.matrix_power(a, 3), SQUARE),
    "linalg.norm": lambda a: np.linalg.norm(a, axis=0),
    "linalg.pinv": lambda a: np.linalg.pinv(a),
    "linalg.qr": lambda a: np.linalg.qr(a)[1],
    "linalg.slogdet": (lambda a: np.linalg.slogdet(a)[1], SQUARE),
    "linalg.solve": (lambda a: np.linalg.solve(a, DEFINITE), SQUARE),
    "linalg.svd": lambda a: np.linalg.svd(a, full_matrices=False)[1],
    "linalg.svdvals": lambda a: np.linalg.svd(a, compute_uv=False),
    "linalg.tensorinv": (lambda a: np.linalg.tensorinv(a, ind=1), SQUARE),
    "linalg.tensorsolve": (lambda a: np.linalg.tensorsolve(a, V[:3]), SQUARE),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    call, array = CALLS[name] if isinstance(CALLS[name], tuple) else (CALLS[name], A)
    if name == "linalg.svdvals" and hasattr(np.linalg, "svdvals"):
        agree(lambda a: np.linalg.svdvals(a), array)
    agree(call, array)


@pytest.mark.parametrize("combine", [operator.add, operator.mul, operator.truediv, operator.pow, operator.floordiv,
                                     operator.mod, operator.sub, operator.lt, operator.ge, operator.eq, operator.ne])
def test_operators_with_arrays_and_scalars_of_numpy_on_either_side(combine):
    for other in (B, np.float32(2), np.float64(0.5), np.int8(3), np.asarray(1.5)):
        agree(lambda x, other=other: combine(other, x), A)
        agree(lambda x, other=other: combine(x, other), A)


def test_products_with_arrays_on_either_side():
    agree(lambda x: A @ x, V)
    agree(lambda x: x @ V, A)
    agree(lambda x: divmod(A, x), B)


def test_an_array_and_a_function_are_one_expression():
    x = T.dvector("x")
    cost = np.sum(np.maximum(np.dot(A, x), 0) ** 2)
    slope = st.function([x], st.grad(cost, x))(V)
    np.testing.assert_allclose(slope, 2 * A.T @ np.maximum(A @ V, 0))
    assert st.function([x], np.exp(x)).launches == 1
    assert repr(np.exp(x)) == "exp(x)" and "test_numpy_functions" in np.exp(x).lines[0].file


def test_sizes_in_a_tuple_are_multiplied_as_objects():
    x = T.dmatrix("x")
    f = st.function([x], np.prod((x.shape[0], 2, x.shape[1])) + sum((x.shape[0], 1)))
    assert f(A) == 2 * A.size + 4
    with pytest.raises(ValueError, match="setting an array element") as caught:
        np.asarray(x.sum(), "float64")
    assert "is not a number: it is a symbolic expression" in str(caught.value.__cause__)


def test_a_constant_is_an_array():
    assert np.asarray(T.constant([1.0, 2.0])).tolist() == [1.0, 2.0]


def refused():
    x, z = T.dvector("x"), T.zvector("z")
    own = np.zeros(4)

    def add_to():
        nonlocal own
        own += x

    return {
        "out": (lambda: np.exp(x, out=own), "np.exp: an expression cannot be written", "leave out="),
        "in place": (add_to, "np.add: an expression cannot be written", "leave out="),
        "where": (lambda: np.exp(x, where=own > 0), "np.exp: there is no where= for expressions", "T.switch"),
        "dtype": (lambda: np.add(x, 1, dtype="float32"), "np.add: the dtype follows from the arguments", "astype"),
        "casting": (lambda: np.add(x, 1, casting="no"), "np.add: there is no casting=", "leave casting="),
        "reduce": (lambda: np.add.reduce(x), "np.add.reduce takes arrays, and not", "T.sum"),
        "outer": (lambda: np.multiply.outer(x, x), "np.multiply.outer takes arrays, and not", "T.outer"),
        "at": (lambda: np.add.at(own, [0], x), "np.add.at takes arrays, and not", "T.inc_subtensor"),
        "subtract at": (lambda: np.subtract.at(own, [0], x), "np.subtract.at takes arrays", "np.subtract, or"),
        "no such ufunc": (lambda: np.heaviside(x, 1.0), "np.heaviside takes arrays, and not", "compose it"),
        "near ufunc": (lambda: np.logaddexp(x, x), "np.logaddexp takes arrays, and not", "T."),
        "no such function": (lambda: np.median(x), "np.median takes arrays, and not", "composition"),
        "of a module": (lambda: np.fft.fft(x), "np.fft.fft takes arrays, and not", "T.fft"),
        "sum out": (lambda: np.sum(x, out=own), "np.sum: an expression cannot be written", "leave out="),
        "initial": (lambda: np.sum(x, initial=1.0), "np.sum: there is no initial=", "combine the result"),
        "option": (lambda: np.unique(x, axis=0), "np.unique: there is no axis= for expressions", "leave axis= away"),
        "decimals": (lambda: np.round(x, 2), "np.round of an expression gives whole numbers", "T.round(a * 10 ** n)"),
        "copyto": (lambda: np.copyto(own, x), "np.copyto takes arrays, and not", "x.eval() is an array"),
        "asarray": (lambda: np.asarray(x), "x is no array: it is a symbolic expression", "x.eval(), x.get_value()"),
        "list": (lambda: np.array([x, x]), "x is no array: it is a symbolic expression", "x.eval(), x.get_value()"),
        "float": (lambda: float(x), "x is not a number: it is a symbolic expression", "x.eval()"),
        "complex": (lambda: np.floor(z), "floor takes real numbers, not complex128", "use real(z)"),
        "shapes": (lambda: np.add(T.constant(np.ones(3)), np.ones(4)), "3 and 4", ""),
    }


@pytest.mark.parametrize("name", refused())
def test_what_is_refused_says_what_to_do(name):
    call, message, fix = refused()[name]
    with pytest.raises((TypeMismatch, ShapeError)) as caught:
        call()
    assert message in str(caught.value) and fix in str(caught.value)
    assert "test_numpy_functions" in str(caught.value)
