"""Ops by users as Theano had them: from nodes, functions of numbers, derivatives, sizes, and what they may not do."""

import pickle

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor import compat
from symtensor.base.errors import GradientError, MissingMethodError, NotSupported, TypeMismatch
from symtensor.compat.scalars import KINDS


@pytest.fixture(autouse=True)
def installed():
    with st.config.change(truth_of_variables="error"):
        compat.install()
        yield


def operations():
    import theano

    class Scaled(theano.Op):
        """A vector times a number that is a parameter, and its sum."""

        __props__ = ("factor",)

        def __init__(self, factor):
            self.factor = factor

        def make_node(self, x):
            x = theano.tensor.as_tensor_variable(x)
            return theano.Apply(self, [x], [x.type(), theano.tensor.scalar(dtype=x.dtype)])

        def perform(self, node, inputs, output_storage):
            (x,), (scaled, total) = inputs, output_storage
            assert node.op == self and node.inputs[0].dtype == node.outputs[1].type.dtype == x.dtype.name
            scaled[0] = x * self.factor
            total[0] = np.asarray(x.sum(), x.dtype)

        def infer_shape(self, node, shapes):
            return [shapes[0], ()]

        def grad(self, inputs, output_grads):
            return [output_grads[0] * self.factor + output_grads[1]]

    class Halves(theano.gof.Op):
        """The first half of a vector: its size is not known before it is there, unless `told`."""

        def __init__(self, told):
            self.told = told
            if told:
                self.infer_shape = lambda node, shapes: [(shapes[0][0] // 2,)]

        def make_node(self, x):
            return theano.gof.Apply(self, [x], [x.type()])

        def perform(self, node, inputs, output_storage, params=None):
            output_storage[0][0] = inputs[0][:len(inputs[0]) // 2]

    return Scaled, Halves


def test_an_op_runs_has_a_derivative_and_sizes():
    scaled, _ = operations()
    x = T.fvector("x")
    y, total = scaled(3.0)(x)
    assert y.type == x.type and y.type.shape == x.type.shape and isinstance(y.owner.op, scaled)
    cost = (y * x).sum() + total
    f = st.function([x], [cost, st.grad(cost, x), st.grad(total, x)])
    assert [np.asarray(v).tolist() for v in f([1.0, 2.0])] == [18, [7, 13], [1, 1]]
    assert f.graph.outputs[0].type.dtype == "float32"


def test_ops_are_equal_by_their_props():
    scaled, halves = operations()
    assert scaled(2.0) == scaled(2.0) != scaled(3.0) and hash(scaled(2.0)) == hash(scaled(2.0))
    assert halves(True) != halves(True) and str(scaled(2.0)) == "Scaled{factor=2.0}" and str(halves(True)) == "Halves"
    x = T.dvector("x")
    f = st.function([x], [scaled(2.0)(x)[0], scaled(2.0)(x)[0] + 1])
    assert sum(isinstance(node.op, scaled) for node in f.graph.nodes()) == 1


@pytest.mark.parametrize("told", [True, False])
def test_sizes_are_told_or_found(told):
    _, halves = operations()
    x = T.dvector("x")
    y = halves(told)(x)
    assert (str(y.type.shape[0]) == "(x.0 // 2)") == told
    f = st.function([x], [y.shape[0], (y * 2).sum()])
    assert [float(v) for v in f(np.ones(7))] == [3, 6]


def test_given_outputs_are_those_of_the_application():
    import theano
    x, y = T.dvector("x"), T.dvector("y")
    node = theano.Apply(theano.compile.view_op, inputs=[x * 2], outputs=[y])
    assert node.outputs == (y,) and y.owner is node and y.eval({x: [3.0]}) == 6
    _, halves = operations()
    z = T.dvector("z")
    theano.Apply(halves(False), [y], [z])
    assert st.function([x], [z, z.shape[0]])([1.0, 2.0])[0].tolist() == [2]


def test_ops_without_make_node_say_their_types():
    import theano

    class Norm(theano.Op):
        itypes, otypes = [T.dvector, T.dscalar], [T.dscalar]

        def perform(self, node, inputs, output_storage):
            output_storage[0][0] = np.asarray(np.linalg.norm(inputs[0]) * inputs[1])

        def R_op(self, inputs, eval_points):
            (x, _), (dx, _) = inputs, eval_points
            return [(x * dx).sum() / self(x, 1.0)]

    x, v = T.dvector("x"), T.dvector("v")
    assert Norm()(x, 2).eval({x: [3.0, 4.0]}) == 10
    assert st.function([x, v], st.Rop(Norm()(x, 1.0), x, v))([3.0, 4.0], [1.0, 0.0]) == 0.6
    with pytest.raises(TypeMismatch, match="Norm takes 2 inputs, not 1"):
        Norm()(x)


def test_what_an_op_does_not_say_is_an_error_that_says_so():
    import theano
    from theano.gradient import DisconnectedType, grad_undefined

    class Coded(theano.Op):
        def make_node(self, x):
            return theano.Apply(self, [x], [x.type()])

        def c_code(self, node, name, inputs, outputs, sub):
            return ""

    class Promised(Coded):
        def perform(self, node, inputs, output_storage):
            output_storage[0][0] = inputs[0].astype("complex64")

        def grad(self, inputs, output_grads):
            return [grad_undefined(self, 0, inputs[0], "it jumps")]

    class Cut(Promised):
        def grad(self, inputs, output_grads):
            return [DisconnectedType()()]

    x = T.dvector("x")
    with pytest.raises(NotSupported, match="Coded has no perform, and c_code is not run here\n  fix      define p"):
        Coded()(x)
    with pytest.raises(GradientError, match="Promised has no derivative by x: .* argument 0: it jumps"):
        st.grad(Promised()(x).sum(), x)
    assert st.grad(Cut()(x).sum(), x).eval({x: [1.0]}) == 0
    with pytest.raises(TypeMismatch, match=r"Promised announced float64 and its perform gave complex64 \(1,\)"):
        st.function([x], Promised()(x))([1.0])
    with pytest.raises(TypeMismatch, match="the inputs and outputs of Apply are variables, not list"):
        theano.Apply(Coded(), [[1.0]], [x.type()])
    with pytest.raises(NotSupported, match="Op says neither make_node nor itypes and otypes"):
        theano.Op()(x)


def test_ops_are_not_folded_that_say_so_and_are_run_each_time():
    import theano

    class Counter(theano.Op):
        count = 0

        def make_node(self):
            return theano.Apply(self, [], [T.lscalar()])

        def perform(self, node, inputs, output_storage):
            Counter.count += 1
            output_storage[0][0] = np.asarray(self.count)

        def do_constant_folding(self, node):
            return False

    f = st.function([], Counter()() * 2)
    assert [int(f()), int(f())] == [2, 4]


class Twice:
    """Pickled by reference."""


def test_functions_with_ops_are_pickled():
    import theano

    class Twice(theano.Op):
        __props__ = ()
        __qualname__ = "Twice"

        def make_node(self, x):
            return theano.Apply(self, [x], [x.type()])

        def perform(self, node, inputs, output_storage):
            output_storage[0][0] = 2 * inputs[0]

    globals()["Twice"] = Twice
    x = T.dvector("x")
    again = pickle.loads(pickle.dumps(st.function([x], Twice()(x))))
    assert again([2.0]) == 4


def test_functions_of_numbers():
    import theano
    from theano.scalar import BinaryScalarOp, UnaryScalarOp, upcast_out, upgrade_to_float

    class Step(UnaryScalarOp):
        def impl(self, x):
            return 1.0 if x > 0.5 else 0.0

        def grad(self, inputs, gradients):
            return [gradients[0] * 0 + 7]

    class Largest(BinaryScalarOp):
        def impl(self, x, y):
            return max(x, y)

        def grad(self, inputs, gradients):
            return [gradients[0] * (inputs[0] >= inputs[1]), theano.gradient.DisconnectedType()()]

    class Scaled(UnaryScalarOp):
        nfunc_spec = ("scipy.special.i0e", 1, 1)

        def grad(self, inputs, gradients):
            return [gradients[0] * step_scalar(inputs[0])]

    step_scalar = Step(upgrade_to_float, name="step")
    step = theano.tensor.Elemwise(step_scalar, name="step")
    largest = theano.tensor.Elemwise(Largest(upcast_out, name="largest"))
    x, n = T.fmatrix("x"), T.lvector("n")
    assert step(x).dtype == "float32" and step(n).dtype == "float64" and largest(x, n).dtype == "float64"
    f = st.function([x, n], [step(x), largest(x, n), st.grad(step(x).sum(), x)])
    found = f([[0.0, 1.0]], [3, -3])
    assert [v.tolist() for v in found] == [[[0, 1]], [[3, 1]], [[7, 7]]]
    assert isinstance(step(x).owner.op, theano.tensor.Elemwise)
    slopes = st.grad(largest(x, T.exp(x)).sum(), x), st.grad(largest(T.exp(x), x).sum(), x)
    assert [v.tolist() for v in st.function([x], list(slopes))([[0.0]])] == [[[0]], [[1]]]
    y = T.dvector("y")
    bessel = theano.tensor.Elemwise(Scaled(upgrade_to_float))(y)
    value, slope = st.function([y], [bessel, st.grad(bessel.sum(), y)])([0.0, 1.0])
    np.testing.assert_allclose(value, [1, 0.46575961])
    assert slope.tolist() == [0, 1]
    with pytest.raises(MissingMethodError, match="the scalar op unaryscalarop has no impl"):
        st.function([y], theano.tensor.Elemwise(UnaryScalarOp(upgrade_to_float))(y))([1.0])


def test_theanos_classes_of_its_own_functions_are_those_functions():
    import theano.scalar as scalar
    import theano.tensor
    x = T.dvector("x")
    for name, own in KINDS.items():
        kind = getattr(scalar.basic, name)
        assert kind(scalar.upgrade_to_float, name="mine").name == own
    assert isinstance((x + 1).owner.op, scalar.basic.Add) and not isinstance((x * 2).owner.op, scalar.basic.Add)
    assert [str(t) for t in (scalar.int8, *scalar.float_types)] == ["int8", "float16", "float32", "float64"]
    assert theano.tensor.Elemwise(scalar.basic_scipy.GammaLn(scalar.upgrade_to_float))(x).eval({x: [1.0]}) == 0


def test_subclasses_of_variables_are_what_they_are():
    import theano.tensor

    class Own(theano.tensor.TensorVariable):
        pass

    class Other(theano.tensor.TensorVariable):
        pass

    one = Own(T.dscalar().type)
    assert isinstance(one, Own) and isinstance(one, theano.tensor.TensorVariable) and not isinstance(one, Other)
    assert not isinstance(T.dscalar(), Own)
