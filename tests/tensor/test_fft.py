"""Fourier transforms against NumPy's, with every norm and parity; derivatives; what is refused."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.tensor import fft
from symtensor.testing.verify_grad import verify_grad

NORMS = {None: ("backward", "backward"), "ortho": ("ortho", "ortho"), "no_norm": ("backward", "forward")}
RNG = np.random.default_rng(0)


def pairs(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], -1)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", [(3, 8), (2, 7), (2, 4, 6), (1, 3, 5), (2, 1), (0, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(norm: Any, shape: tuple[int, ...], dtype: str) -> None:
    """There and back, real and complex."""
    forward, backward = NORMS[norm]
    x, z = RNG.normal(size=shape).astype(dtype), RNG.normal(size=(*shape, 2)).astype(dtype)
    axes = range(1, len(shape))
    real, both = T.tensor(dtype, (None,) * x.ndim), T.tensor(dtype, (None,) * z.ndim)
    half = fft.rfft(real, norm)
    f = st.function([real, both], [half, fft.irfft(half, norm, is_odd=bool(shape[-1] % 2)), fft.fft(both, norm),
                                   fft.ifft(both, norm)])
    found, tolerance = f(x, z), 1e-5 if dtype == "float32" else 1e-12
    if not x.size:
        assert [v.shape for v in found] == [(0, shape[-1] // 2 + 1, 2), shape, z.shape, z.shape]
        return
    wanted = np.fft.rfftn(x, axes=axes, norm=forward)
    whole = z[..., 0] + 1j * z[..., 1]
    for own, other in zip(found, (pairs(wanted), np.fft.irfftn(wanted, shape[1:], axes, norm=backward),
                                  pairs(np.fft.fftn(whole, axes=axes, norm=forward)),
                                  pairs(np.fft.ifftn(whole, axes=axes, norm=backward)))):
        assert own.dtype == dtype
        np.testing.assert_allclose(own, other, atol=tolerance * np.abs(other).max(initial=1))


@pytest.mark.parametrize("length", [5, 6])
def test_derivatives(length: int) -> None:
    """First and second, in one and two dimensions, with a spectrum that no real numbers have."""
    half = RNG.normal(size=(2, 3, length // 2 + 1, 2))
    verify_grad(lambda x: fft.rfft(x) ** 2, [RNG.normal(size=(2, 3, length))], rng=np.random.RandomState(0))
    verify_grad(lambda z: fft.irfft(z, "ortho", bool(length % 2)) ** 2, [half], rng=np.random.RandomState(0))
    verify_grad(lambda z: fft.fft(z) * fft.ifft(z, "no_norm"), [half], rng=np.random.RandomState(0))


def test_a_convolution_by_spectra() -> None:
    """What transforms are for: a circular convolution, and its derivative."""
    x, w = T.dmatrix("x"), T.dmatrix("w")
    a, b = fft.rfft(x), fft.rfft(w)
    (c, d), (e, g) = ((v[..., 0], v[..., 1]) for v in (a, b))
    product = T.stack([c * e - d * g, c * g + d * e], -1)
    f = st.function([x, w], [fft.irfft(product), st.grad(fft.irfft(product)[0, 0], w)])
    one, other = RNG.normal(size=(1, 8)), RNG.normal(size=(1, 8))
    wanted = [sum(one[0, j] * other[0, (i - j) % 8] for j in range(8)) for i in range(8)]
    found, slope = f(one, other)
    np.testing.assert_allclose(found[0], wanted, atol=1e-12)
    np.testing.assert_allclose(slope[0], [one[0, -j % 8] for j in range(8)], atol=1e-12)


@pytest.mark.parametrize("make, message", [
    (lambda: fft.rfft(T.dvector()), "a batch is needed: 2 axes at least"),
    (lambda: fft.rfft(T.dmatrix(), "half"), "rfft: there is no norm 'half'"),
    (lambda: fft.irfft(T.dmatrix()), "irfft: a batch of pairs is needed"),
    (lambda: fft.rfft(T.zmatrix()), "a Fourier transform needs float32 or float64"),
    (lambda: fft.fft(T.tensor("float64", (None, None, 3))), "real and imaginary parts along the last axis"),
])
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises((TypeMismatch, ShapeError), match=message):
        make()


def test_half_of_a_spectrum_is_not_empty() -> None:
    """Found before anything is computed from the number of places, which would be negative."""
    x = T.dtensor3("x")
    f = st.function([x], fft.irfft(x))
    with pytest.raises(ShapeError, match="half of the spectrum has one place at least"):
        f(np.zeros((3, 0, 2)))
    assert f(np.zeros((3, 1, 2))).shape == (3, 0)


LENGTHS = [1, 2, 3, 4, 5, 8, 12, 15, 16, 31, 37, 60, 74, 97, 128, 169, 210, 331, 1009, 1024, 2000, 4099, 10007]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 3, 20])
def test_every_kind_of_length(dtype: str, rows: int) -> None:
    """Powers, products of small factors, primes small and large; rows alone, and side by side."""
    z, x = T.tensor("complex64" if dtype == "float32" else "complex128", (None, None)), T.tensor(dtype, (None, None))
    f = st.function([z, x], [fft.fft(z), fft.ifft(z, "no_norm"), fft.rfft(x)])
    eps = np.finfo(dtype).eps
    for length in LENGTHS:
        parts = RNG.normal(size=(2, rows, length)).astype(dtype)
        numbers = parts[0] + 1j * parts[1]
        wanted = [np.fft.fft(numbers), np.fft.ifft(numbers, norm="forward"), pairs(np.fft.rfft(parts[0]))]
        for own, other in zip(f(numbers, parts[0]), wanted):
            assert np.linalg.norm(own - other) <= 8 * eps * np.linalg.norm(other), length


@pytest.mark.parametrize("shape", [(2, 5, 74), (3, 74, 5), (1, 3, 4, 10), (2, 7, 1, 9)])
def test_several_axes(shape: tuple[int, ...]) -> None:
    z = RNG.normal(size=shape) + 1j * RNG.normal(size=shape)
    axes = range(1, len(shape))
    np.testing.assert_allclose(fft.fft(z).eval(), np.fft.fftn(z, axes=axes), rtol=1e-11, atol=1e-11)
    half = fft.rfft(z.real).eval()
    np.testing.assert_allclose(half, pairs(np.fft.rfftn(z.real, axes=axes)), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(fft.irfft(half, is_odd=bool(shape[-1] % 2)).eval(), z.real, rtol=1e-11, atol=1e-11)


def test_many_axes() -> None:
    z = RNG.normal(size=(2, 2, 3, 2, 3)) + 0j
    np.testing.assert_allclose(fft.ifft(fft.fft(z)).eval(), z, atol=1e-14)


def test_between_spectra_are_kernels() -> None:
    """Complex numbers to their spectrum, changed there, and back: only the transforms are calls of Python."""
    z, w = T.zmatrix("z"), T.zvector("w")
    filtered = fft.ifft(T.exp(1j * T.angle(w)) * fft.fft(z) + T.conj(w))
    f = st.function([z, w], [filtered, st.grad(abs(filtered).sum(), z)])
    kinds = [type(one).__name__ for one in f.program.instructions]
    assert set(kinds) == {"Launch", "Call"} and kinds.count("Call") == 4
    a, b = RNG.normal(size=(2, 3, 12)) @ np.eye(12) + 1j * RNG.normal(size=(2, 3, 12))
    found, slope = f(a, b[0])
    np.testing.assert_allclose(found, np.fft.ifft(np.exp(1j * np.angle(b[0])) * np.fft.fft(a) + b[0].conj()))
    assert found.flags.c_contiguous and slope.flags.c_contiguous and slope.dtype == "complex128"


def test_derivatives_by_complex_numbers() -> None:
    z = RNG.normal(size=(2, 5)) + 1j * RNG.normal(size=(2, 5))
    verify_grad(lambda z: fft.fft(z) * T.conj(fft.ifft(z, "ortho")), [z])


def test_transforms_in_several_threads_agree() -> None:
    x = T.zmatrix("x")
    f = st.function([x], fft.fft(x))
    numbers = RNG.normal(size=(600, 1000)) + 0j
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        first, second = threads.map(f, [numbers, numbers])
    assert np.array_equal(first, second) and np.array_equal(first, f(numbers))


@pytest.mark.parametrize("function", [fft.fft, fft.ifft])
def test_numbers_of_a_complex_dtype_are_given_to_the_library_as_they_are(function) -> None:
    z = T.zmatrix("z")
    f = st.function([z], function(z, norm="no_norm"))
    assert [type(one).__name__ for one in f.program.instructions] == ["Call"]
    many = T.tensor("complex128", (None, None, None), name="many")
    own = np.random.default_rng(0).normal(size=(2, 3, 4)) * (1 + 2j)
    batched = st.function([many], st.vectorize(function(z), {z: many}))(own)
    np.testing.assert_allclose(batched, [st.function([z], function(z))(one) for one in own])
