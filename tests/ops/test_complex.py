"""Complex numbers in compiled code: values where functions go wrong, what is one kernel, what is refused."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import TypeMismatch
from symtensor.gradient import verify_grad
from symtensor.ops.elementwise import primitives

PARTS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-3, -1e-9, 25.0, -40.0, 88.7, np.inf, -np.inf, np.nan]
EXTREME = [710.0, -745.0, 1e-300, -1e300]
ONE = [op for op in primitives.values() if op.definition.parts is not None and op.definition.arity == 1
       and op.definition.kind != "complex"]
TWO = [primitives[name] for name in ("add", "sub", "true_div", "eq", "neq", "lt", "le", "gt", "ge", "maximum",
                                    "minimum")]


def grid(dtype, parts):
    """All pairs of parts."""
    values = np.empty((len(parts),) * 2, dtype)
    values.real, values.imag = np.meshgrid(parts, parts)
    return values.ravel()


def agree(found, wanted, ulps):
    """Each part is the same, zeros by their sign too, or off by some units of the last place of the larger part."""
    assert found.dtype == wanted.dtype
    parts = [(found.real, wanted.real), (found.imag, wanted.imag)] if wanted.dtype.kind == "c" else [(found, wanted)]
    sizes = [np.where(np.isfinite(want), abs(want), 0) for _, want in parts]
    unit = np.max(sizes, axis=0) * np.finfo(wanted.dtype).eps if wanted.dtype.kind != "b" else 0
    with np.errstate(invalid="ignore"):
        for got, want in parts:
            if want.dtype == bool:
                assert np.array_equal(got, want)
                continue
            same = (got == want) & ((want != 0) | (np.signbit(got) == np.signbit(want)))
            right = same | (np.isnan(got) & np.isnan(want)) | (abs(got - want) <= ulps * unit) if ulps else same | (
                np.isnan(got) & np.isnan(want))
            assert right.all(), (np.flatnonzero(~right)[:5], found[~right][:5], wanted[~right][:5])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("op", ONE, ids=str)
def test_functions_of_special_values(op, dtype):
    values = grid(dtype, PARTS + (EXTREME if dtype == "complex128" and op.name != "square" else []))
    z = T.vector("z", dtype)
    found = st.function([z], op(z))(values)
    agree(found, np.asarray(op.evaluate(values)), 12)


@pytest.mark.parametrize("op", TWO, ids=str)
def test_operations_on_special_values(op):
    values = grid("complex128", PARTS)
    left, right = map(np.ravel, np.meshgrid(values, values))
    z, w = T.zvectors("z", "w")
    agree(st.function([z, w], op(z, w))(left, right), np.asarray(op.evaluate(left, right)),
          4 if op.name == "true_div" else 0)


def test_powers_of_special_values():
    values = grid("complex128", [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, np.inf, -np.inf, np.nan])
    left, right = map(np.ravel, np.meshgrid(values, values))
    z, w = T.zvectors("z", "w")
    found, wanted = st.function([z, w], z ** w)(left, right), primitives["power"].evaluate(left, right)
    for got, want in ((found.real, wanted.real), (found.imag, wanted.imag)):
        near = abs(got - want) <= 1e-13 * abs(wanted)
        assert ((got == want) | (np.isnan(got) & np.isnan(want)) | near).all()


def test_small_whole_powers_are_exact():
    z = T.zvector("z")
    values = np.array([1j, 2 + 1j, -3.0, 0.5j])
    f = st.function([z], [z ** 2, z ** 3, z ** -1, z ** 0])
    assert np.array_equal(f(values), [values ** 2, values ** 3, 1 / values, np.ones(4)])


def test_a_chain_is_one_kernel_and_so_are_its_sums():
    x, z = T.dmatrix("x"), T.zmatrix("z")
    chain = T.exp(1j * x) * z + T.conj(z)
    f = st.function([x, z], chain)
    assert f.launches == 1 and not f.library_calls
    g = st.function([x, z], [chain.sum(axis=1), abs(chain).sum(axis=1), T.real(chain)])
    assert g.launches == 1
    a, b = np.linspace(-3, 3, 21).reshape(3, 7), np.arange(21).reshape(3, 7) * (1 - 2j)
    wanted = np.exp(1j * a) * b + b.conj()
    np.testing.assert_allclose(f(a, b), wanted, rtol=1e-14)
    for own, other in zip(g(a, b), [wanted.sum(1), abs(wanted).sum(1), wanted.real]):
        np.testing.assert_allclose(own, other, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_moves_and_reductions(dtype):
    rng = np.random.default_rng(2)
    a = np.asarray(rng.normal(size=(40, 3, 5)) + 1j * rng.normal(size=(40, 3, 5)), dtype)
    z = T.tensor3("z", dtype)
    cases = [
        (z.sum(), a.sum()), (z.sum(axis=0), a.sum(0)), (z.mean(axis=(1, 2)), a.mean((1, 2))), (z.T, a.T),
        (z[::-2, :, 1:], a[::-2, :, 1:]), (z[[3, -1, 3]], a[[3, -1, 3]]), (z.reshape((12, 50)), a.reshape(12, 50)),
        (T.concatenate([z, z * 1j], axis=1), np.concatenate([a, a * 1j], 1)), (T.cumsum(z, axis=1), a.cumsum(1)),
        (T.switch(abs(z) > 1, z, 0), np.where(abs(a) > 1, a, 0)), (z.astype("complex128"), a.astype("complex128")),
        (T.neq(z, 0).any(axis=0), (a != 0).any(0)), (T.dot(z[0], z[1].T), a[0] @ a[1].T),
        (T.tensordot(z, z, [[0, 1], [0, 1]]), np.tensordot(a, a, [[0, 1], [0, 1]])),
        (T.einsum("ijk,ijl->kl", z, T.conj(z)), np.einsum("ijk,ijl->kl", a, a.conj())), (z.var(), a.var()),
        (T.prod(z / 2, axis=1), (a / 2).prod(1)),
    ]
    f = st.function([z], [case for case, _ in cases])
    assert "Call" not in {type(one).__name__ for one in f.program.instructions}
    for own, (_, other) in zip(f(a), cases):
        assert own.dtype == other.dtype and own.flags.c_contiguous
        np.testing.assert_allclose(own, other, rtol=2e-5 if dtype == "complex64" else 1e-12, atol=1e-5)


def test_scatters_add_both_parts():
    z, y = T.zvector("z"), T.zvector("y")
    f = st.function([z, y], T.inc_subtensor(z[[1, 1, 0]], y))
    assert f([1j, 2, 3], [1, 1j, 5 - 1j]).tolist() == [5, 3 + 1j, 3]


def test_a_loop_is_one_kernel():
    z, c = T.zvector("z"), T.zvector("c")
    n = T.lscalar("n")
    steps, _ = st.scan(lambda z, c: z * z + c, outputs_info=z, non_sequences=c, n_steps=n)
    f = st.function([z, c, n], [steps[-1], abs(steps).sum(axis=0)])
    a, b = np.array([0.1j, 0.2]), np.array([0.3, -0.1j])
    wanted = [a]
    for _ in range(5):
        wanted.append(wanted[-1] ** 2 + b)
    np.testing.assert_allclose(f(a, b, 5)[0], wanted[-1], rtol=1e-14)
    np.testing.assert_allclose(f(a, b, 5)[1], abs(np.array(wanted[1:])).sum(0), rtol=1e-14)
    assert any("scan" in kernel.name for kernel in f.kernels)


@pytest.mark.parametrize("make, message", [
    (lambda z: T.floor(z), "floor takes real numbers, not complex128"),
    (lambda z: T.arctan2(z, 1.0), "arctan2 takes real numbers, not complex128"),
    (lambda z: T.gamma(z), "gamma takes real numbers, not complex128"),
    (lambda z: T.max(z), "complex numbers have no order"),
    (lambda z: T.sort(z), "complex numbers have no order"),
    (lambda z: T.cast(z, "float64"), "casting complex128 to float64 would lose the imaginary part")])
def test_what_is_refused(make, message):
    with pytest.raises(TypeMismatch, match=message):
        make(T.zvector("z"))


def test_activations_are_what_they_are_written_out():
    values = (np.random.default_rng(0).normal(size=(5, 6)) * 9 + 1j * np.random.default_rng(1).normal(size=(5, 6)) * 9)
    z = T.zmatrix("z")
    found = st.function([z], [T.sigmoid(z), T.softplus(z), T.nnet.softmax(z), T.nnet.logsumexp(z),
                              T.nnet.logsoftmax(z)])
    powers = np.exp(values)
    whole = powers.sum(axis=-1, keepdims=True)
    sigmoid, softplus, softmax, total, log = found(values)
    for one, own in ((sigmoid, 1 / (1 + np.exp(-values))), (softplus, np.log1p(powers)), (softmax, powers / whole),
                     (np.exp(total), powers.sum()), (np.exp(log), powers / whole)):
        np.testing.assert_allclose(one, own, rtol=1e-10, atol=1e-15)
    extreme = found([[800 + 3j, -800 + 3j]])
    np.testing.assert_allclose(extreme[0], [[1, 0]], atol=1e-300)
    np.testing.assert_allclose(extreme[1], [[800 + 3j, 0]], atol=1e-300)


def test_derivatives_of_activations():
    values = np.random.default_rng(0).normal(size=4) + 1j * np.random.default_rng(1).normal(size=4)
    for function in (T.sigmoid, T.softplus, T.nnet.softmax, T.nnet.logsoftmax, T.tanh):
        verify_grad(function, [values])
