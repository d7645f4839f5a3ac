"""Products of tensors and Einstein sums, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symtensor.tensor as T
from symtensor.base.errors import ShapeError, SymtensorError
from symtensor.ir.graph import applications
from symtensor.ops.contract import MatMul

from .agree import agree, numbers, value

DOTS = [((), (3,)), ((2, 3), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((2, 3, 4), (4,)),
        ((4,), (2, 4, 3)), ((2, 3, 4), (4, 5)), ((2, 3), (4, 3, 5)), ((2, 3, 4), (5, 4, 2)), ((0, 3), (3, 2)), ((2, 0),
                                                                                                                (0, 3)),
        ((1, 3), (3, 1)), ((0,), (0,))]


@pytest.mark.parametrize("a, b", DOTS)
def test_dot(a, b):
    agree(T.dot, np.dot, numbers(*a), numbers(*b, seed=1))
    agree(lambda x, y: x.dot(y), np.dot, numbers(*a, dtype="float32"), numbers(*b, seed=1), rtol=1e-6)
    agree(T.dot, np.dot, numbers(*a, dtype="int32"), numbers(*b, dtype="int32", seed=1))


MATMULS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
           ((5, 2, 3), (5, 3, 4)),
           ((1, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)), ((0, 2, 3),
                                                                                                     (1, 3, 2)),
           ((1, 2, 3), (1, 3, 2))]


@pytest.mark.parametrize("a, b", MATMULS)
def test_matmul(a, b):
    agree(T.matmul, np.matmul, numbers(*a), numbers(*b, seed=1))
    agree(lambda x, y: x @ y, np.matmul, numbers(*a), numbers(*b, seed=1))


def test_arrays_on_the_left_of_at():
    array = numbers(2, 3)
    agree(lambda x: array @ x, lambda b: array @ b, numbers(3, 4))


def test_a_batch_times_one_matrix_is_one_product():
    product = T.matmul(T.tensor3("x"), T.matrix("w"))
    (op,) = [node.op for node in applications([product]) if isinstance(node.op, MatMul)]
    assert op == MatMul()


@pytest.mark.parametrize("a, b, axes", [
    ((2, 3), (3, 4), 1), ((2, 3), (2, 3), 2), ((2,), (3,), 0), ((2, 3, 4), (4, 3, 5), ((1, 2), (1, 0))),
    ((2, 3, 4), (3, 2), ((-2,), (0,))), ((2, 3), (4, 3), (1, 1)), ((2, 3, 4), (2, 3, 4), 3), ((2, 3), (3,), [[1], [0]]),
    ((2, 0), (0, 3), 1)])
def test_tensordot(a, b, axes):
    agree(lambda x, y: T.tensordot(x, y, axes), lambda x, y: np.tensordot(x, y, axes), numbers(*a), numbers(*b, seed=1))


@pytest.mark.parametrize("a, b", [((4, 2, 3), (4, 3, 5)), ((4, 3), (4, 3, 5)), ((4, 2, 3), (4, 3)), ((4, 3), (4, 3)),
                                  ((4,), (4, 2)),
                                  ((4, 2, 6, 3), (4, 3, 5)), ((1, 2, 3), (1, 3, 2)), ((0, 2, 3), (0, 3, 2))])
def test_batched_dot(a, b):
    def each(x, y):
        shape = np.dot(np.zeros(a[1:]), np.zeros(b[1:])).shape
        return np.array([np.dot(p, q) for p, q in zip(x, y, strict=True)]).reshape((a[0], *shape))

    agree(T.batched_dot, each, numbers(*a), numbers(*b, seed=1))


def test_batched_tensordot():
    a, b = numbers(5, 2, 3, 4), numbers(5, 4, 3, 6, seed=1)
    agree(lambda x, y: T.batched_tensordot(x, y, [[2, 3], [2, 1]]),
          lambda x, y: np.einsum("nabc,ncbd->nad", x, y), a, b)
    agree(lambda x, y: T.batched_tensordot(x, y, 1), lambda x, y: np.einsum("nabc,ncde->nabde", x, y), a, b)


def test_other_products():
    agree(T.outer, np.outer, numbers(2, 3), numbers(4))
    agree(T.kron, np.kron, numbers(2, 3), numbers(3, 2, seed=1))
    agree(T.matrix_dot, lambda *a: np.linalg.multi_dot(a), numbers(2, 3), numbers(3, 4), numbers(4, 2))


COVARIANCES = [{}, {"bias": True}, {"ddof": 0}, {"ddof": 2}, {"fweights": np.array([1, 2, 1, 3])},
               {"aweights": np.array([0.5, 1, 2, 0.25])},
               {"aweights": np.array([0.5, 1, 2, 0.25]), "fweights": np.array([1, 2, 1, 3])},
               {"aweights": np.array([0.5, 1, 2, 0.25]), "bias": True}]


@pytest.mark.parametrize("options", COVARIANCES, ids=str)
def test_cov(options):
    agree(lambda x: T.cov(x, **options), lambda a: np.cov(a, **options), numbers(3, 4))
    agree(lambda x: T.cov(x, **options), lambda a: np.cov(a, **options), numbers(4))
    agree(lambda x: T.cov(x, rowvar=False, **options), lambda a: np.cov(a, rowvar=False, **options), numbers(4, 2))
    agree(lambda x, y: T.cov(x, y, **options), lambda a, b: np.cov(a, b, **options), numbers(2, 4), numbers(4, seed=1))


EINSUMS = ["ij,jk->ik", "ij,jk", "ij,kj->ik", "ij->ji", "ij->", "ij->j", "ii->i", "ii", "iij->ij", "ij,ij->",
           "ij,ij->ij",
           "i,j->ij", "i,i", "bij,bjk->bik", "bij,bkj->bik", "bi,bi->b", "bi,bij->bj", "ij,jk,kl->il",
           "ij,jk,ki->", "i,i,i->i",
           "ab,bc,cd,de->ae", "abc,cd->abd", "abc,abd->cd", "ab,cd->abcd", "a...,a...->...", "...ij,...jk->...ik",
           "...i->i...", "ij,j", "ba", "i,->i", ",", "ijk,jil->kl", "bhqd,bhkd->bhqk", "aab,b->a", "i,ij,j"]


@pytest.mark.parametrize("subscripts", EINSUMS)
def test_einsum(subscripts):
    sizes = {label: 2 + (ord(label) % 3) for label in "abcdefhijklq"}
    dots = (2, 3)
    operands = []
    for seed, labels in enumerate(subscripts.split("->")[0].split(",")):
        before, dotted, after = labels.partition("...")
        shape = [sizes[k] for k in before] + list(dots) * bool(dotted) + [sizes[k] for k in after]
        operands.append(numbers(*shape, seed=seed))
    agree(lambda *x: T.einsum(subscripts, *x), lambda *a: np.einsum(subscripts, *a), *operands)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_einsum_of_any_labels(data):
    labels = "abcd"
    sizes = {label: data.draw(st.integers(0, 3)) for label in labels}
    terms = data.draw(st.lists(st.text(labels, max_size=3), min_size=1, max_size=4))
    present = sorted(set("".join(terms)))
    output = "".join(data.draw(st.lists(st.sampled_from(present), unique=True) if present else st.just([])))
    operands = [numbers(*(sizes[k] for k in term), seed=i) for i, term in enumerate(terms)]
    subscripts = ",".join(terms) + "->" + output
    agree(lambda *x: T.einsum(subscripts, *x), lambda *a: np.einsum(subscripts, *a), *operands, rtol=1e-9)


def test_einsum_broadcasts_axes_of_size_one():
    agree(lambda x, y: T.einsum("...i,...i->...", x, y), lambda x, y: np.einsum("...i,...i->...", x, y),
          numbers(2, 1, 3), numbers(4, 3))
    agree(lambda x, y: T.einsum("bi,bj->bij", x, y), lambda x, y: np.einsum("bi,bj->bij", x, y), numbers(1, 3),
          numbers(4, 2))


def test_einsum_makes_small_products_first():
    a, b, v = T.matrix("a", shape=(100, 100)), T.matrix("b", shape=(100, 100)), T.vector("v", shape=(100,))
    products = [node.outputs[0].type.shape for node in applications([T.einsum("ij,jk,k->i", a, b, v)])
                if isinstance(node.op, MatMul)]
    assert [set(shape) for shape in products] == [{1, 100}, {1, 100}]


def test_einsum_promotes():
    agree(lambda x, y: T.einsum("i,i->i", x, y), lambda x, y: x * y, numbers(3, dtype="float32"),
          numbers(3, dtype="int8"))


MISUSES = {
    "einsum: 'ij,jk' is for 2 operands, not 1": lambda x: T.einsum("ij,jk", x),
    "einsum: 'i' does not label 2 axes": lambda x: T.einsum("i->i", x),
    "einsum: 'ijk' does not label 2 axes": lambda x: T.einsum("ijk", x),
    "einsum: '1' in 'i1->i' is not a label": lambda x: T.einsum("i1->i", x),
    "einsum: the result of 'ij->ik' has 'k', which no operand has": lambda x: T.einsum("ij->ik", x),
    "einsum: the result of 'ij->ii' has a label twice": lambda x: T.einsum("ij->ii", x),
    "einsum: 'i' is both 2 and 3 long": lambda x: T.einsum("ii", T.zeros((2, 3))),
    "columns of the left and rows of the right matrix: 3 and 2 can never be equal":
        lambda x: T.dot(T.zeros((2, 3)), T.zeros((2, 3))),
    "matmul: a scalar is not a matrix": lambda x: T.matmul(x, 2),
    "tensordot: there are no 3 axes to sum over": lambda x: T.tensordot(x, x, 3),
    "tensordot: 2 is not one of 2 axes": lambda x: T.tensordot(x, x, [[2], [0]]),
    "tensordot: [[0, 1], [0]] does not pair axes one to one": lambda x: T.tensordot(x, x, [[0, 1], [0]]),
    "tensordot: [[0, 0], [0, 1]] names an axis twice": lambda x: T.tensordot(x, x, [[0, 0], [0, 1]]),
    "batched_tensordot: [[0], [1]] names an axis twice, or that of the batch":
        lambda x: T.batched_tensordot(x, x, [[0], [1]]),
    "batched_dot: a scalar has no first axis": lambda x: T.batched_dot(x, 2),
    "cov takes a vector or a matrix, not 3 axes": lambda x: T.cov(T.tensor3("c")),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_is_wrong(message):
    with pytest.raises(SymtensorError) as caught:
        MISUSES[message](T.dmatrix("x"))
    assert message in str(caught.value)


def test_a_product_that_fits_transposed_is_proposed():
    x, w, v = T.matrix("x", shape=(None, 5)), T.matrix("w", shape=(3, 5)), T.vector("v", shape=(3,))
    with pytest.raises(ShapeError, match=r"fix      dot\(x, w.T\)$"):
        T.dot(x, w)
    with pytest.raises(ShapeError, match=r"fix      dot\(w.T, v\)$"):
        T.dot(w, v)


def test_axes_summed_together_do_not_broadcast():
    with pytest.raises(ShapeError):
        T.dot(T.zeros(1), T.zeros(3))
    with pytest.raises(ShapeError):
        T.batched_dot(T.zeros((2, 1)), T.zeros((2, 3)))
    x, one = T.dvector("x"), T.vector("one", shape=(1,))
    with pytest.raises(ShapeError):
        value(T.dot(x, one), {x: numbers(3), one: numbers(1)})
