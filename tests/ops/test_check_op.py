"""The checker itself: it accepts ops that keep their promises and finds each way of breaking one."""

import numpy as np
import pytest

from symtensor.base.errors import CheckFailed, GradientError, VerifyError
from symtensor.codegen.toolchain import toolchain
from symtensor.ir.interpret import evaluate
from symtensor.ir.node import Op
from symtensor.ops import scalar
from symtensor.ops.elementwise import elementwise
from symtensor.ops.shape import transpose
from symtensor.testing.check_op import check_op
from symtensor.testing.examples import Example
from symtensor.testing.verify_grad import interpreted, numeric_gradient, verify_grad
from symtensor.types.tensor import TensorType

POINT = np.array([[0.5, 1.0, 2.0], [0.1, 3.0, 0.7]])


class Cube(Op):
    """Each element to the third: an op that is right."""

    def infer(self, x):
        return x.type

    def evaluate(self, x):
        return x ** 3

    def pullback(self, x, y, dy):
        return dy * 3 * x * x


def examples(op):
    return [Example(op, (POINT,))]


def test_an_op_of_an_author():
    report = check_op(Cube(), examples(Cube()))
    assert report.derivatives == 2
    assert report.targets == (["numpy", "c"] if toolchain() else ["numpy"])


def test_an_elementwise_op_from_a_body():
    op = elementwise(lambda x, y: x * scalar.tanh(y), name="test_check_op_body")
    report = check_op(op)
    assert report.derivatives == 6
    assert report.skipped == ([] if toolchain() else ["c: there is no C compiler"])


def test_without_examples_the_author_is_told():
    with pytest.raises(CheckFailed, match="no examples of Cube are known"):
        check_op(Cube())


class WrongShape(Cube):
    def infer(self, x):
        return TensorType.of(x.type.dtype, x.type.shape[::-1])


class WrongDtype(Cube):
    def infer(self, x):
        return x.type.with_dtype("float32")


class WrongSlope(Cube):
    def pullback(self, x, y, dy):
        return dy * 2 * x * x


class WrongSecond(Cube):
    """The first derivative is right; the second is not, because part of it is hidden."""

    def pullback(self, x, y, dy):
        return dy * 3 * x * scalar.stop_gradient(x)


class WrongForward(Cube):
    def pushforward(self, x, y, dx):
        return dx * x


@pytest.mark.parametrize(("op", "error", "message"), [
    (WrongShape(), VerifyError, r"announced float64 \(x0.1, x0.0\)"), (WrongDtype(), VerifyError, "announced float32"),
    (WrongSlope(), GradientError, "reverse mode says"), (WrongSecond(), GradientError, "mode says"),
    (WrongForward(), GradientError, "forward mode says")], ids=lambda value: type(value).__name__)
def test_broken_promises_are_found(op, error, message):
    with pytest.raises(error, match=message):
        check_op(op, examples(op), targets=("numpy",))


def test_a_wrong_derivative_of_an_elementwise_op():
    op = elementwise(lambda x: scalar.exp(x) * x, name="test_check_op_wrong", pullback=lambda x, y, dy: dy * y)
    with pytest.raises(GradientError, match="derivative 1 of test_check_op_wrong by operand 0"):
        check_op(op, targets=("numpy",))
    assert check_op(op, targets=("numpy",), derivatives=False).derivatives == 0


def wrong_values(inputs, outputs):
    return lambda *values: [np.nextafter(result, np.inf) for result in interpreted(inputs, outputs)(*values)]


def wrong_types(inputs, outputs):
    return lambda *values: [result.astype("float32") for result in interpreted(inputs, outputs)(*values)]


def ignores_strides(inputs, outputs):
    """Reads the memory of every operand as if it were contiguous."""
    def run(*values):
        flat = [np.ndarray(value.shape, value.dtype, (value if value.base is None else value.base).tobytes())
                for value in values]
        return evaluate(outputs, dict(zip(inputs, flat)))
    return run


@pytest.mark.parametrize(("compile", "message"), [
    (wrong_values, r"at \(0, 0\) compiled code gave .* \(asarray operands, 0 ulps allowed\)"),
    (wrong_types, r"compiled code gave float32 \(2, 3\), NumPy float64"), (ignores_strides, "operands, 0 ulps")])
def test_compiled_code_that_differs_is_found(compile, message):
    with pytest.raises(CheckFailed, match=message):
        check_op(Cube(), examples(Cube()), compile=compile)


def test_ulps_may_be_allowed():
    assert check_op(Cube(), examples(Cube()), compile=wrong_values, ulps=1).targets == ["numpy", "c"]


# -- verify_grad ------------------------------------------------------------------------------------------

def test_verify_grad_accepts_and_refuses():
    verify_grad(lambda x, y: scalar.sin(x) * transpose(y), [POINT, POINT.T.copy()])
    verify_grad(scalar.exp, [POINT.astype("float32")])
    with pytest.raises(GradientError, match=r"derivative by argument 0 at \(.*\): reverse mode says"):
        verify_grad(WrongSlope(), [POINT])
    with pytest.raises(GradientError, match="forward mode"):
        verify_grad(WrongForward(), [POINT])
    with pytest.raises(TypeError, match="needs float arrays"):
        verify_grad(scalar.exp, [np.arange(3)])


def test_verify_grad_finds_a_nan():
    with pytest.raises(GradientError, match="nan"):
        verify_grad(scalar.sqrt, [np.array([-1.0])])


def test_verify_grad_takes_theanos_arguments():
    verify_grad(scalar.log, [POINT], n_tests=1, rng=np.random.RandomState(3), eps=1e-4, abs_tol=1e-5, rel_tol=1e-5)


def test_numeric_gradient_is_of_fourth_order():
    (slope,) = numeric_gradient(lambda x: float(np.exp(x).sum()), [np.array([0.0, 1.0])], 1e-3)
    np.testing.assert_allclose(slope, np.exp([0.0, 1.0]), rtol=1e-11)


def test_verify_grad_takes_theanos_arguments_by_place():
    verify_grad(scalar.sin, [POINT], 1, np.random, None, None, 1e-5, 1e-5, mode="FAST_RUN", cast_to_output_type=True)
    with pytest.raises(verify_grad.E_grad):
        verify_grad(WrongSlope(), [POINT])
