"""Programs written for Theano run: their imports, their configuration, and the idioms of its users."""

import os
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor import compat
from symtensor.base.errors import ConfigError, MissingInputError, ShapeError
from symtensor.compat.addresses import _SHADOWED, ADDRESSES
from symtensor.compat.settings import WITHOUT_EFFECT, _kept

NAMES = {
    "theano": """Apply Constant In Op OpFromGraph OrderedUpdates Out Param Rop Lop Variable _asarray as_op change_flags
        clone compile config configparser dot foldl foldr function function_dump gof grad gradient ifelse map pp pprint
        printing reduce sandbox scalar scan shared sparse tensor typed_list""",
    "theano.compile": """In Mode Out UnusedInputError SharedVariable as_op function get_default_mode get_mode shared
        view_op""",
    "theano.compile.ops": "as_op view_op", "theano.compile.mode": "Mode get_default_mode get_mode",
    "theano.compile.sharedvalue": "SharedVariable shared", "theano.compile.builders": "OpFromGraph",
    "theano.configparser": "change_flags", "theano.ifelse": "ifelse",
    "theano.gof": "Apply COp Constant MissingInputError Op Variable", "theano.gof.fg": "MissingInputError",
    "theano.gof.graph": "Apply Constant Variable ancestors inputs io_toposort is_same_graph stack_search",
    "theano.gof.op": "get_test_value COp Op",
    "theano.gradient": """undefined_grad GradientError
        NullTypeGradError disconnected_grad grad grad_clip grad_scale hessian jacobian
        subgraph_grad verify_grad zero_grad DisconnectedInputError""",
    "theano.misc.pkl_utils": "dump load", "theano.printing": "Print debugprint pp pydotprint",
    "theano.sandbox.cuda": "cuda_enabled pygpu_activated", "theano.sandbox.cuda.dnn": "dnn_available dnn_present",
    "theano.sandbox.cuda.basic_ops": "gpu_contiguous", "theano.sandbox.rng_mrg": "MRG_RandomStreams",
    "theano.sandbox.softsign": "softsign", "theano.gpuarray": "pygpu_activated use",
    "theano.scalar": "sgn upcast", "theano.scan_module": "until scan",
    "theano.scan_module.scan_utils": "equal_computations map_variables",
    "theano.sparse": "as_sparse as_sparse_variable csr_matrix dense_from_sparse dot matrix SparseType",
    "theano.sparse.basic": "_is_sparse_variable as_sparse hstack structured_dot vstack",
    "theano.tensor": """Elemwise SharedVariable Tensor TensorConstant TensorType TensorVariable Variable
        advanced_set_subtensor1 basic extra_ops fft io nlinalg nnet raw_random shared_randomstreams sharedvar signal
        slinalg sort subtensor var xlogx load get_scalar_constant_value get_vector_length""",
    "theano.tensor.basic": "as_tensor_variable constant", "theano.tensor.extra_ops": "cumprod cumsum repeat to_one_hot",
    "theano.tensor.io": "load", "theano.tensor.nnet.abstract_conv": "AbstractConv2d_gradInputs bilinear_upsampling",
    "theano.tensor.nnet.bn": "batch_normalization", "theano.tensor.nnet.nnet": "softsign",
    "theano.tensor.shared_randomstreams": "RandomStateSharedVariable RandomStreams",
    "theano.tensor.sharedvar": "SharedVariable TensorSharedVariable", "theano.tensor.signal.pool": "Pool pool_2d",
    "theano.tensor.subtensor": "Subtensor", "theano.tensor.var": "TensorVariable",
    "theano.tensor.xlogx": "xlogx xlogy0", "theano.tests.unittest_tools": "assert_allclose seed_rng verify_grad",
    "theano.typed_list": "TypedListType append",
}


@pytest.fixture(autouse=True)
def installed():
    _kept.clear()  # what another test set
    with st.config.change(truth_of_variables="error"):
        compat.install()
        yield


def test_variables_are_true_unless_they_are_comparisons():
    import theano.tensor as T
    x = T.matrix("x")
    assert x and x * 2 and st.shared(0.0)
    for comparison in (x > 0, T.eq(x, 0)):
        with pytest.raises(TypeError, match="has no truth value"):
            bool(comparison)


def test_shared_variables_and_constants_are_no_tensor_variables():
    import theano
    import theano.tensor as T
    x = T.matrix("x")
    assert isinstance(x, T.TensorVariable) and isinstance(x * 2, T.TensorVariable)
    assert not any(isinstance(v, T.TensorVariable) for v in (theano.shared(1.0), T.constant(1.0), 1.0))
    assert issubclass(T.TensorVariable, theano.Variable)


def test_tensors_are_stacked_one_after_the_other_or_as_a_list():
    import theano.tensor as T
    x, y = T.vectors("x", "y")
    for stacked in (T.stack(x, y), T.stack([x, y]), T.stack((x, y), axis=0)):
        assert stacked.eval({x: [1.0], y: [2.0]}).tolist() == [[1.0], [2.0]]
    with pytest.raises(TypeError, match="stack takes a list of at least one tensor"):
        T.stack([])


def test_softmax_of_a_vector_is_a_matrix():
    import theano.tensor as T
    assert T.nnet.softmax([0.0, 0.0]).eval().tolist() == [[0.5, 0.5]]
    assert T.nnet.softmax([[0.0, 0.0]]).type == st.tensor.nnet.softmax([[0.0, 0.0]]).type


@pytest.mark.parametrize("address", NAMES)
def test_names_at_theanos_addresses(address):
    module = import_module(address)
    assert not [name for name in NAMES[address].split() if not hasattr(module, name)]
    for name in NAMES[address].split():
        exec(f"from {address} import {name}")


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_is_a_module_whose_homes_are_there(address):
    module = import_module(f"theano.{address}".rstrip("."))
    assert isinstance(module, compat.Address) and dir(module)


def test_functions_that_share_a_name_with_a_module():
    import theano
    assert callable(theano.function) and theano.tensor.var([1.0, 3.0]).eval() == 1
    assert all(callable(getattr(import_module(f"theano.{place}".rpartition(".")[0]), place.rpartition(".")[2]))
               for place in _SHADOWED)
    assert theano.tensor.nnet.sigmoid is T.nnet.sigmoid and theano.grad is st.grad
    with pytest.raises(AttributeError, match="theano.tensor has no 'nothing' in symtensor"):
        getattr(theano.tensor, "nothing")  # noqa: B009
    with pytest.raises(ImportError, match="theano.nowhere"):
        import_module("theano.nowhere")


def test_options():
    import theano
    for name, value in WITHOUT_EFFECT.items():
        target = theano.config
        for part in name.split("."):
            target = getattr(target, part)
        assert target == value
    theano.config.exception_verbosity = "high"
    theano.config.dnn.conv.algo_fwd = "time_once"
    assert theano.config.exception_verbosity == "high" and theano.config.dnn.conv.algo_fwd == "time_once"
    assert theano.config.dnn.enabled == "auto"
    with theano.change_flags({"dnn.enabled": "False", "dnn.library_path": "/opt/cudnn/lib"}):
        assert st.config.cuda_dnn is False and st.config.cuda_dnn_path == "/opt/cudnn/lib"
    with theano.change_flags({"gcc.cxxflags": "-DX"}, floatX="float32"):
        assert st.config.cflags == "-DX" and theano.tensor.vector().dtype == "float32"
    assert st.config.cflags == "" and st.config.floatX == "float64"
    with pytest.raises(ConfigError, match="neither Theano nor symtensor has an option 'floatx'"):
        getattr(theano.config, "floatx")  # noqa: B009

    @theano.configparser.change_flags(floatX="float16")
    def made():
        return theano.tensor.vector().dtype
    assert made() == made() == "float16"


def test_modes_as_theano_spells_them():
    x = T.dscalar("x")
    from theano.compile.mode import Mode, get_mode
    for mode in ["FAST_RUN", "FAST_COMPILE", Mode(optimizer="fast_compile"), get_mode("FAST_RUN").excluding("inplace"),
                 Mode(), None]:
        assert st.function([x], x + 1, mode=mode)(1) == 2
    with pytest.raises(ConfigError, match="there is no mode 'DebugMod'"):
        st.function([x], x + 1, mode="DebugMod")


def test_what_is_known_of_expressions():
    from theano.tensor import NotScalarConstantError, get_scalar_constant_value, get_vector_length
    x = T.matrix("x", shape=(None, 3))
    assert get_scalar_constant_value(x.shape[1] * 2) == 6 and get_vector_length(x.shape) == 2
    with pytest.raises(NotScalarConstantError, match=r"is not known to be one number(.*\n)*  fix      give its inputs"):
        get_scalar_constant_value(x.shape[0])
    with pytest.raises(ValueError, match="the length of v is not known"):
        get_vector_length(T.dvector("v"))


def test_trial_values():
    from theano.gof.op import get_test_value
    x, w = T.dmatrix("x"), st.shared(np.ones(3), "w")
    x.tag.test_value = np.arange(6.0).reshape(2, 3)
    y = T.dot(x, w)
    assert not hasattr(y.tag, "test_value") and get_test_value(y).tolist() == [3, 12]
    with st.config.change(compute_test_value="ignore"):
        assert (y * 2).tag.test_value.tolist() == [6, 24] and not hasattr((y + T.dscalar("z")).tag, "test_value")
    with pytest.raises(AttributeError, match="z has no test value"):
        get_test_value(T.dscalar("z") + 1)


def test_trial_values_are_computed_as_the_expression_is_written():
    x, y, z = T.dvector("x"), T.dvector("y"), T.dvector("z")
    x.tag.test_value, y.tag.test_value = np.ones(2), np.ones(3)
    with st.config.change(compute_test_value="raise"):
        assert vars((x * 2)._tag)["test_value"].tolist() == [2, 2]
        with pytest.raises(ShapeError, match=r"sizes of axis 0: x.0 is 2 and y.0 is 3"):
            x + y
        with pytest.raises(MissingInputError, match=r"z has no test value(.*\n)*  fix      z.tag.test_value = an"):
            x + z
    with st.config.change(compute_test_value="warn"), pytest.warns(UserWarning, match="z has no test value"):
        x + z


def test_trial_values_of_what_the_step_of_a_loop_is_given():
    xs, h0, past = T.dvector("xs"), T.dscalar("h0"), T.dvector("past")
    xs.tag.test_value, h0.tag.test_value = np.arange(2.0, 5.0), np.array(10.0)
    past.tag.test_value = np.array([7.0, 8.0])
    seen = []

    def step(x, before, older, last, free):
        seen.extend(v.tag.test_value for v in (x, before, older, last, free + x))
        return x + before, older + last

    with st.config.change(compute_test_value="raise"):
        sums, _ = st.scan(step, xs, [h0, dict(initial=past, taps=[-2, -1])], non_sequences=[h0 * 2])
        assert [float(value) for value in seen] == [2, 10, 7, 8, 22]
        assert sums[0].tag.test_value.tolist() == [12, 15, 19]
        with pytest.raises(MissingInputError, match="unknown.* has no test value"):
            st.scan(lambda x: x + 1, T.dvector("unknown"))


PROGRAM = '''
import sys
import numpy
import theano
import theano.tensor as T
from theano import config, shared
from theano.ifelse import ifelse
from theano.tensor.shared_randomstreams import RandomStreams
from theano.sandbox.rng_mrg import MRG_RandomStreams as MRG

rng = numpy.random.RandomState(0)
x, y = T.matrix("x"), T.ivector("y")
w = shared(rng.randn(4, 3).astype(config.floatX), name="w", borrow=True)
b = theano.shared(value=numpy.zeros(3, dtype=config.floatX), name="b")
p = T.nnet.softmax(T.dot(x, w) + b)
cost = T.mean(T.nnet.categorical_crossentropy(p, y)) + 0.01 * (w ** 2).sum()
updates = theano.OrderedUpdates()
for v, g in zip([w, b], T.grad(cost, [w, b])):
    updates[v] = v - T.cast(0.5, config.floatX) * g
train = theano.function([x, y], cost, updates=updates, mode="FAST_RUN", allow_input_downcast=True)
data = rng.randn(50, 4)
labels = data[:, :3].argmax(1).astype("int32")
costs = [float(train(data, labels)) for _ in range(60)]
noise = MRG(seed=1).binomial(size=(3,), p=0.5, dtype=config.floatX) + RandomStreams(1).normal((3,))
steps, more = theano.scan(fn=lambda a, k: a * k, outputs_info=T.ones_like(x[0]), non_sequences=x[0], n_steps=3)
cube = theano.function([x], [ifelse(T.gt(x[0, 0], 0), steps[-1], -steps[-1]), noise], updates=more)
print(sys.argv[1:], costs[-1] < 0.5 * costs[0], cube(2 * numpy.ones((1, 2)))[0], theano.config.mode)
'''


def test_a_program_runs_unchanged(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    root = str(Path(__file__).parents[2])
    run = partial(subprocess.run, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}, timeout=300)
    done = run([sys.executable, "-m", "symtensor.compat", str(program), "one"])
    assert (done.stdout, done.returncode) == ("['one'] True [8. 8.] Mode\n", 0), done.stderr
    bare = run([sys.executable, "-m", "symtensor.compat"])
    assert bare.returncode == 1 and "usage: python -m symtensor.compat program.py" in bare.stderr


def test_star_imports_give_the_vocabulary():
    found = {}
    exec("from theano.tensor import *", found)
    assert {"dmatrix", "exp", "dot", "zvector", "TensorType", "float_dtypes", "set_subtensor"} < found.keys()
    assert not {"Any", "sys", "annotations"} & found.keys()


def test_classes_of_ops():
    import theano.tensor as T
    from theano import scalar
    from theano.tensor.elemwise import CAReduce, DimShuffle, Prod, ProdWithoutZeros, Sum
    from theano.tensor.subtensor import AdvancedIncSubtensor1, AdvancedSubtensor1, IncSubtensor, Subtensor
    x, places = T.dmatrix("x"), T.lvector("places")
    made = {DimShuffle: x.T, Sum: x.sum(), Prod: x.prod(), CAReduce: x.max(), Subtensor: x[1:], T.Argmax: x.argmax(0),
            IncSubtensor: T.set_subtensor(x[1:], 0), AdvancedSubtensor1: x[places], T.Alloc: T.alloc(1.0, places[0]),
            AdvancedIncSubtensor1: T.inc_subtensor(x[places], 1.0), T.Dot: T.dot(x, x)}
    for kind, result in made.items():
        others = made.keys() - {kind, CAReduce}
        assert isinstance(result.owner.op, kind), kind
        assert not any(isinstance(result.owner.op, other) for other in others)
    value = np.array([[0.0, 2.0], [3.0, 4.0]])
    for function, expected in [
            (DimShuffle((False, False), (1, 0)), value.T), (Sum(axis=0), [3, 6]), (Prod(), 0),
            (ProdWithoutZeros(axis=0), [3, 8]), (CAReduce(scalar.maximum), 4)]:
        np.testing.assert_array_equal(function(x).eval({x: value}), expected)
    first, second = T.Split(2)(x, 0, [1, 1])
    assert second.eval({x: value}).tolist() == [[3, 4]]
    assert T.Dot()(x, x).eval({x: value}).tolist() == [[6, 8], [12, 22]] and T.ARange("int8")(0, 3, 1).eval()[2] == 2
    with pytest.raises(TypeError, match="ops of this class are made by indexing"):
        IncSubtensor()


def test_updates_are_of_shared_variables():
    from theano import OrderedUpdates, shared
    count, x = shared(0.0, "count"), T.dscalar("x")
    updates = OrderedUpdates({count: count + 1}) + OrderedUpdates()
    assert list(updates) == [count]
    for add in (lambda: OrderedUpdates({x: x}), lambda: updates.update({"count": 1})):
        with pytest.raises(TypeError, match="only shared variables can be updated, not"):
            add()


def test_what_a_function_tells_of_itself_as_in_theano():
    x = T.dvector("x")
    f = st.function([x], T.exp(x).sum(), mode="FAST_COMPILE")
    nodes = f.maker.fgraph.toposort()
    assert nodes == f.graph.nodes() and f.maker.fgraph.apply_nodes == set(nodes) and nodes[0].out is nodes[1].inputs[0]
    assert f.maker.mode.optimizer == "fast_compile" and f.maker.inputs[0].variable is x
