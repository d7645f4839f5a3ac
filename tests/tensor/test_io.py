"""Tensors read from files when a function runs."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import LoadError, TypeMismatch


@pytest.mark.parametrize("mode", [None, "r", "c", "r+"])
@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_a_file_is_read_at_each_call(tmp_path, mode, backend):
    path = tmp_path / "values.npy"
    x = T.io.load(path, "float32", (None, 2), mmap_mode=mode)
    with st.config.change(backend=backend):
        f = st.function([], [x, (x * 2).sum(), x.T])
    for rows in (3, 0, 5):
        value = np.asfortranarray(np.arange(2.0 * rows, dtype="float32").reshape(rows, 2))
        np.save(path, value)
        found, total, transposed = f()
        assert found.tolist() == value.tolist() and total == 2 * value.sum() and transposed.shape == (2, rows)
        found[...] = 7  # a caller's own: the file stays as it is
        assert np.load(path).tolist() == value.tolist()


def test_bfloat16_has_no_name_in_files(tmp_path):
    """NumPy writes it as two bytes of no kind, and reads it so; to be a tensor they are what they were."""
    path, value = tmp_path / "values.npy", np.array([[1.5, -2.0], [np.inf, 3.0e38]], "bfloat16")
    np.save(path, value)
    assert np.load(path).dtype == "V2"
    for mode in (None, "r"):
        x = T.io.load(path, "bfloat16", (None, 2), mmap_mode=mode)
        found, double = st.function([], [x, x.astype("float64")])()
        assert found.dtype == "bfloat16" and found.tobytes() == value.tobytes()
        assert double.tolist() == value.astype("float64").tolist()
    with pytest.raises(LoadError, match=r"should hold float16 .*, and holds bfloat16"):
        st.function([], T.io.load(path, "float16", (None, 2)))()


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_files_that_do_not_fit(tmp_path, backend):
    path = str(tmp_path / "values.npy")
    with st.config.change(backend=backend):
        f = st.function([], T.io.load(path, "float64", (False,)) + 1)
    with pytest.raises(LoadError, match=r"' cannot be loaded: .*No such file(.*\n)*  where .*\n(.*\n)*  fix "):
        f()
    for wrong, found in [(np.ones(2, "float32"), r"float32 \(2,\)"), (np.ones((2, 1)), r"float64 \(2, 1\)")]:
        np.save(path, wrong)
        with pytest.raises(LoadError, match=r"should hold float64 \(.*\), and holds " + found):
            f()
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(LoadError, match="cannot be loaded: Object arrays"):
        f()
    (tmp_path / "values.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(LoadError, match="cannot be loaded"):
        f()


def test_what_cannot_be():
    with pytest.raises(TypeMismatch, match="a path must be a text, not Variable"):
        T.io.load(T.dscalar("path"), "float64", ())
    with pytest.raises(TypeMismatch, match="there is no mmap_mode 'w'"):
        T.io.load("x.npy", "float64", (), mmap_mode="w")
