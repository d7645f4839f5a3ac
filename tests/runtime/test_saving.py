"""Files with graphs and functions: what is read is what was written, and no file can do anything else."""

import io
import os
import pickle
import re
import zipfile

import numpy as np
import pytest
import scipy.sparse

import symtensor as st
import symtensor.tensor as T
from symtensor import saving, sparse
from symtensor.base.errors import LoadError
from symtensor.tensor.shared_randomstreams import RandomStreams


def again(value, **options):
    file = io.BytesIO()
    st.dump(value, file)
    return st.load(file, **options)


def test_functions_of_all_kinds():
    x, k = T.dvector("x"), T.lscalar("k")
    total = st.shared(np.zeros(300), "total")
    steps, updates = st.scan(lambda a, x: a * x, outputs_info=T.ones_like(x), non_sequences=x, n_steps=k)
    u = RandomStreams(3).uniform((3,))
    outputs = [steps[-1], st.ifelse(T.gt(k, 2), x, -x), T.sort(x), x[::-1][[0, 1]],
               T.nlinalg.svd(x.dimshuffle(0, "x"))[1]]
    f = st.function([x, k], [*outputs, u + total[:3]], updates=[*updates, (total, total + 1)])
    g = again(f)
    for one, other in zip(f([1.0, 2.0], 3), g([1.0, 2.0], 3)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(g([1.0, 2.0], 3)[-1], f([1.0, 2.0], 3)[-1])


def test_values_of_all_kinds():
    matrix = scipy.sparse.eye(40, format="csr")
    shared = st.shared(matrix, "m")
    shown = again({"shared": shared, "matrix": matrix, "array": np.arange(1000)[::2],
                   "fortran": np.ones((30, 40), order="F"),
                   "small": np.float32(2), "expression": sparse.dot(shared, T.ones((40, 1))), "none": None,
                   "slice": slice(1, 2), "complex": 1j, "text": np.array(["a", "b"])})
    assert (shown["matrix"] != matrix).nnz == 0 and (shown["shared"].get_value() != matrix).nnz == 0
    assert shown["array"].tolist() == list(range(0, 1000, 2)) and shown["fortran"].flags.f_contiguous
    assert shown["expression"].eval().sum() == 40 and shown["small"].dtype == "float32"


@pytest.mark.parametrize("size", [0, 2, 5000])
def test_bfloat16_in_graphs_state_and_arrays(size):
    """In the pickle and in files of their own; what is read computes the same bits."""
    value = np.random.default_rng(0).normal(size=(size, 3)).astype("bfloat16")
    w, x = st.shared(value, name="w"), T.matrix("x", dtype="bfloat16")
    f = st.function([x], [w * x + T.constant(value), T.dot(x.T, w)], updates=[(w, w + x)])
    g, array = again((f, value))
    assert array.dtype == "bfloat16" and array.tobytes() == value.tobytes()
    assert pickle.loads(pickle.dumps(x.type)).dtype == "bfloat16"
    for _ in range(2):
        for one, other in zip(f(value), g(value)):
            assert one.dtype == "bfloat16" and one.tobytes() == other.tobytes()


def test_an_array_that_stands_twice_is_one():
    array = np.ones(1000)
    first, second = again([array, array])
    assert first is second


def test_arrays_are_numpys_files(tmp_path):
    path = str(tmp_path / "weights.zip")
    st.dump({"w": np.arange(500.0)}, path)
    with zipfile.ZipFile(path) as archive, archive.open("array_0.npy") as file:
        assert np.load(file).tolist() == list(range(500))
    assert st.load(path)["w"][3] == 3


class Exploit:
    def __reduce__(self):
        return os.system, ("echo harm",)


def _naming(module, name):
    """A pickle that names a thing and calls it."""
    texts = [b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)]
    return b"\x80\x04" + b"".join(texts) + b"\x93)R."


def _archive(content, header='{"format": 1, "symtensor": "0", "numpy": "2"}'):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("header.json", header)
        archive.writestr("object.pickle", content)
    return file


@pytest.mark.parametrize("content", [
    pickle.dumps(Exploit()), _naming("builtins", "eval"), _naming("os", "system"), _naming("builtins", "getattr"),
    _naming("symtensor.runtime.shared", "import_module"), _naming("symtensor.base.config", "os.system"),
    _naming("symtensor.codegen.process", "subprocess"), _naming("symtensor.tools.command", "main"),
    _naming("symtensor.ir.node", "Variable.__init__.__globals__"), _naming("symtensor.runtime.cuda.nvcc", "_run"),
    _naming("numpy", "load"), _naming("numpy.testing", "rundocs"), _naming("symtensor.tensor.io", "load"),
], ids=lambda content: re.sub(rb"[^a-zA-Z._]+", b" ", content).decode())
def test_a_file_calls_nothing_else(content, capfd):
    with pytest.raises(LoadError, match=r"the file names .*, which no graph is made of(.*\n)*  fix      if you trust"
                                        r" the file: load\(file, allow="):
        st.load(_archive(content))
    assert "harm" not in capfd.readouterr().out


def test_what_is_allowed_may_be_called():
    assert again(Exploit, allow=[__name__.partition(".")[0]]) is Exploit
    with pytest.raises(LoadError, match="Exploit"):
        again(Exploit)


def test_files_that_are_damaged():
    x = T.dvector("x")
    file = io.BytesIO()
    st.dump(st.function([x], T.exp(x) + np.arange(300.0)), file)
    whole = file.getvalue()
    for length in range(0, len(whole), max(1, len(whole) // 97)):
        with pytest.raises(LoadError, match="the file is damaged, or was not written by symtensor.dump"):
            st.load(io.BytesIO(whole[:length]))
    start = whole.index(b"object.pickle") + 200
    wrong = bytearray(whole)
    wrong[start] ^= 0xff
    with pytest.raises(LoadError, match="the file is damaged"):
        st.load(io.BytesIO(bytes(wrong)))


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "plain.pickle"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(LoadError, match=r"plain.pickle' is damaged, or was not written by symtensor.dump: .*\n"
                                        r"  fix      write it anew; a file of pickle.dump is read by pickle.load"):
        st.load(str(path))
    with pytest.raises(FileNotFoundError):
        st.load(str(tmp_path / "nothing"))


def test_files_of_other_versions():
    with pytest.raises(LoadError, match=r"written by symtensor 9.1 in format 7, and this one reads up to 1\n  fix "):
        st.load(_archive(b"", '{"format": 7, "symtensor": "9.1"}'))
    for module, name in [("symtensor.ops.elementwise", "NoSuchOp"), ("symtensor.ops.no_such_module", "Op")]:
        with pytest.raises(LoadError, match="written by a version of symtensor, or of a module, that has what"):
            st.load(_archive(_naming(module, name)))


def test_arguments_of_a_function(tmp_path):
    x, path = T.dscalar("x"), str(tmp_path / "call.zip")
    total = st.shared(1.0, "total")
    st.function_dump(path, [x], [x + total], updates=[(total, total + x)], name="adding", mode="FAST_COMPILE")
    f = st.function(**saving.load(path))
    assert f(2.0) == [3.0] and f(2.0) == [5.0] and total.get_value() == 1.0 and f.name == "adding"


def test_a_long_chain_is_written_and_read():
    x = T.dscalar("x")
    y = x
    for _ in range(3000):
        y = T.tanh(y)
    a, b = again((x, y))
    assert len(st.graph.ancestors([b])) == 3001 and b.owner.op is T.tanh and a in st.graph.inputs([b])
