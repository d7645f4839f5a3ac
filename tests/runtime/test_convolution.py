"""The routine of convolutions: with each of the libraries, without any, from several threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.runtime.core import core, load_library
from tests.threads import in_threads

pytestmark = pytest.mark.skipif(core is None, reason="the C runtime is not built")

LIBRARIES = {"onednn": ("onednn", "blas"), "blas": ("blas",), "none": ()}


@pytest.fixture(params=list(LIBRARIES))
def libraries(request: pytest.FixtureRequest) -> Iterator[str]:
    """Only some libraries known."""
    addresses = {name: load_library(name) for name in ("onednn", "blas")}
    for library, functions in addresses.items():
        for name, address in functions.items():
            core.set_library(name, address if library in LIBRARIES[request.param] else 0)
    yield request.param
    for functions in addresses.values():
        for name, address in functions.items():
            core.set_library(name, address)


def function(dtype: str, **options: object) -> st.function:  # type: ignore[valid-type]
    x, w = T.tensor4("x", dtype=dtype), T.tensor4("w", dtype=dtype)
    y = T.nnet.conv2d(x, w, **options)
    return st.function([x, w], [y, *st.grad((y ** 2).sum(), [x, w])])


def whole(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Small whole numbers, whose sums are exact."""
    return random.integers(-2, 3, shape)


@pytest.mark.parametrize("options", [{}, {"border_mode": "half", "subsample": (2, 1)}, {"num_groups": 2},
                                     {"filter_dilation": (2, 1), "border_mode": (3, 0)}], ids=str)
def test_all_ways_give_the_same(libraries: str, options: dict[str, object]) -> None:
    random = np.random.default_rng(0)
    x, w = whole(random, 3, 4, 9, 8), whole(random, 6, 4 // options.get("num_groups", 1), 3, 2)  # type: ignore[operator]
    with st.config.change(backend="numpy"):
        wanted = function("float64", **options)(x * 1.0, w * 1.0)
    for dtype in ("float32", "float64"):
        for one, other in zip(function(dtype, **options)(x.astype(dtype), w.astype(dtype)), wanted):
            np.testing.assert_array_equal(one, other)


def test_a_large_gradient_by_filters_is_exact() -> None:
    """An image that caches do not hold, with channels that pay for having it in blocks of them."""
    random = np.random.default_rng(0)
    x, dy = whole(random, 2, 65, 80, 66).astype("float32"), whole(random, 2, 130, 80, 66).astype("float32")
    w, seed = T.TensorType("float32", (130, 65, 3, 3))("w"), T.tensor4("dy", dtype="float32")
    images = T.tensor4("x", dtype="float32")
    y = T.nnet.conv2d(images, w, border_mode="half", filter_flip=False)
    f = st.function([images, w, seed], st.grad(None, w, known_grads={y: seed}), on_unused_input="ignore")
    slope = f(x, np.zeros(w.type.shape, "float32"), dy)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for row, column in ((0, 0), (1, 2), (2, 2)):
        window = padded[:, :, row:row + 80, column:column + 66]
        np.testing.assert_array_equal(slope[:, :, row, column], np.einsum("ncyx,nfyx->fc", window, dy, optimize=True))


def test_nothing_to_convolve(libraries: str) -> None:
    f = function("float32")
    for images, filters in (((0, 2, 5, 5), (3, 2, 2, 2)), ((2, 0, 5, 5), (3, 0, 2, 2)), ((2, 2, 5, 5), (0, 2, 2, 2)),
                            ((2, 2, 4, 5), (3, 2, 5, 2))):
        y, dx, dw = f(np.ones(images, "float32"), np.ones(filters, "float32"))
        assert y.shape[:2] == (images[0], filters[0]) and not y.any()
        assert dx.shape == images and dw.shape == filters and not dx.any() and not dw.any()


def test_many_shapes_one_after_the_other() -> None:
    """More than primitives are kept for."""
    f, random = function("float32"), np.random.default_rng(0)
    for width in [*range(3, 103), 3]:
        x, w = whole(random, 1, 1, 3, width), whole(random, 1, 1, 2, 2)
        y = f(x.astype("float32"), w.astype("float32"))[0]
        turned = w[0, 0, ::-1, ::-1]
        windows = np.lib.stride_tricks.sliding_window_view(x[0, 0], (2, 2))
        np.testing.assert_array_equal(y[0, 0], (windows * turned).sum((2, 3)))


def test_from_several_threads() -> None:
    random = np.random.default_rng(0)
    x, w = whole(random, 4, 8, 20, 20).astype("float32"), whole(random, 8, 8, 3, 3).astype("float32")
    functions = [function("float32", border_mode="half") for _ in range(4)]
    wanted = [a.copy() for a in functions[0](x, w)]

    def work(number: int) -> None:
        for _ in range(20):
            for one, other in zip(functions[number](x, w), wanted):
                np.testing.assert_array_equal(one, other)

    in_threads(4, work)
