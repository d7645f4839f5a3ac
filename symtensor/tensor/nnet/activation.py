"""Activations and softmax.

The compiler fuses a softmax into one kernel that passes over each row in cache, so none of these is an op.

>>> from symtensor.tensor.inputs import fmatrix
>>> x = fmatrix("x")
>>> relu(x).type, softmax(x).type
(TensorType(float32, (x.0, x.1)), TensorType(float32, (x.0, x.1)))
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.complex_parts import real_part
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.index import gather, subtensor
from symtensor.ops.scalar import sigmoid, softplus
from symtensor.ops.shape import expand_dims
from symtensor.tensor.creation import arange
from symtensor.tensor.elementwise import clip
from symtensor.tensor.linear import batched_dot, dot, tensordot
from symtensor.tensor.manipulation import flatten, reshape
from symtensor.tensor.reduction import Axis, max, sum
from symtensor.types.dtype import float_of

__all__ = ["sigmoid", "ultra_fast_sigmoid", "hard_sigmoid", "softplus", "softsign", "relu", "elu", "selu", "softmax",
           "softmax_grad", "logsoftmax", "log_softmax", "logsumexp", "softmax_with_bias", "softmax_graph",
           "h_softmax"]


def _float(x: Any) -> Variable:
    """`x` as a variable of floats."""
    x = as_variable(x)
    return cast(x, float_of(x.type.dtype))


def ultra_fast_sigmoid(x: Any) -> Variable:
    """An approximation of the sigmoid by a quotient near 0 and lines beyond; off by at most 0.028.

    >>> ultra_fast_sigmoid([0.5]).eval()
    array([0.65])
    """
    x = _float(x)
    size = 0.5 * scalar.abs_(x)
    near, middle = 1.5 * size / (1 + size), 0.935409070603099 + 0.0458812946797165 * (size - 1.7)
    bent = scalar.switch(scalar.lt(size, 1.7), near, scalar.switch(scalar.lt(size, 3), middle, 0.99505475368673))
    return 0.5 * (scalar.sign(x) * bent + 1)


def hard_sigmoid(x: Any) -> Variable:
    """An approximation of the sigmoid by three lines: 0.2 * x + 0.5 brought into 0..1.

    >>> hard_sigmoid([0.5]).eval()
    array([0.6])
    """
    return clip(0.2 * _float(x) + 0.5, 0, 1)


def softsign(x: Any) -> Variable:
    """x / (1 + |x|).

    >>> softsign([0.5]).eval()
    array([0.33333333])
    """
    x = _float(x)
    return x / (1 + scalar.abs_(x))


def relu(x: Any, alpha: Any = 0) -> Variable:
    """max(x, alpha * x) for alpha up to 1: x where it is positive, alpha * x elsewhere.

    `alpha` is a number or a tensor that broadcasts. Raises ShapeError.

    >>> relu([-1.0, 2.0]).eval()
    array([0., 2.])
    """
    x = as_variable(x)
    negative = 0 if isinstance(alpha, (int, float)) and alpha == 0 else alpha * x
    return scalar.switch(scalar.gt(x, 0), x, negative)


def elu(x: Any, alpha: Any = 1) -> Variable:
    """x where it is positive, alpha * (exp(x) - 1) elsewhere.

    >>> elu([-1.0, 2.0]).eval()
    array([-0.63212056,  2.        ])
    """
    x = _float(x)
    return scalar.switch(scalar.gt(x, 0), x, alpha * scalar.expm1(scalar.minimum(x, 0)))


def selu(x: Any) -> Variable:
    """`elu` with the scales that keep mean 0 and variance 1 from layer to layer.

    >>> selu([-1.0, 2.0]).eval()
    array([-1.11133074,  2.10140197])
    """
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def _shifted(x: Variable, axis: Axis) -> Variable:
    """`x` less its largest real part, so that exp cannot overflow; the shift is a constant to differentiation."""
    if not x.type.ndim:
        raise complaint(TypeMismatch, "softmax needs at least one axis", x, fix="use sigmoid for a single score")
    return x - scalar.stop_gradient(max(real_part(x), axis, keepdims=True))


def softmax(c: Any, axis: Axis = -1) -> Variable:
    """exp(c) divided by its sum along `axis`, the last by default. Raises ShapeError, TypeMismatch for a scalar.

    >>> softmax([[1.0, 2.0]]).eval()
    array([[0.26894142, 0.73105858]])
    """
    powers = scalar.exp(_shifted(_float(c), axis))
    return powers / sum(powers, axis, keepdims=True)


softmax_graph = softmax


def softmax_grad(dy: Any, sm: Any) -> Variable:
    """The gradient by scores, given that by their softmax along the last axis, and the softmax. Raises ShapeError.

    >>> softmax_grad([[1.0, 0.0]], [[0.25, 0.75]]).eval()
    array([[ 0.1875, -0.1875]])
    """
    weighted = as_variable(dy) * sm
    return weighted - sum(weighted, -1, keepdims=True) * sm


def logsoftmax(c: Any, axis: Axis = -1) -> Variable:
    """The logarithm of `softmax`, without its underflow. Raises as `softmax` does.

    >>> logsoftmax([[1.0, 2.0]]).eval()
    array([[-1.31326169, -0.31326169]])
    """
    shifted = _shifted(_float(c), axis)
    return shifted - scalar.log(sum(scalar.exp(shifted), axis, keepdims=True))


log_softmax = logsoftmax


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """log(sum(exp(x))) over axes, without overflow. Raises ShapeError.

    >>> logsumexp([1000.0, 1000.0]).eval()
    array(1000.69314718)
    """
    x = _float(x)
    peak = scalar.stop_gradient(max(real_part(x), axis, keepdims=True))
    finite = scalar.switch(scalar.isinf(peak), 0, peak)  # an infinite peak would give inf - inf
    total = scalar.log(sum(scalar.exp(x - finite), axis, keepdims=True)) + finite
    return total if keepdims else sum(total, axis)


def softmax_with_bias(x: Any, b: Any) -> Variable:
    """`softmax(x + b)` of a matrix, the bias added to each row. Raises ShapeError.

    >>> softmax_with_bias([[1.0, 2.0]], [0.5, 0.5]).eval()
    array([[0.26894142, 0.73105858]])
    """
    return softmax(as_variable(x) + b)


def h_softmax(x: Any, batch_size: Any, n_outputs: int, n_classes: int, n_outputs_per_class: int, W1: Any, b1: Any,
              W2: Any, b2: Any, target: Any = None) -> Variable:
    """A softmax in two steps: over classes, then over the outputs of a class, each with weights of its own.

    `x` is a matrix of `batch_size` rows; `W1` (features, n_classes) and `b1` (n_classes) belong to the first step, `W2`
    (n_classes, features, n_outputs_per_class) and `b2` (n_classes, n_outputs_per_class) to the second. With `target`,
    an integer for each row, the result is the probability of that output: only its class is computed. Without, it is
    the probabilities of all `n_outputs` outputs. Raises ShapeError, TypeMismatch.

    >>> import symtensor.tensor as T
    >>> x, w1, w2 = T.ones((5, 4)), T.ones((4, 3)), T.ones((3, 4, 2))
    >>> h_softmax(x, 5, 6, 3, 2, w1, T.zeros(3), w2, T.zeros((3, 2))).type
    TensorType(float64, (5, 6))
    """
    x, W2, b2 = as_variable(x), as_variable(W2), as_variable(b2)
    classes = softmax(dot(x, W1) + b1)
    if target is None:
        within = softmax(tensordot(x, W2, [[1], [1]]) + b2)
        every = reshape(expand_dims(classes, [2]) * within, (batch_size, n_classes * n_outputs_per_class))
        return subtensor(every, (slice(None), slice(None, n_outputs)))
    target = flatten(target)
    rows, own_class, place = arange(batch_size), target // n_outputs_per_class, target % n_outputs_per_class
    within = softmax(batched_dot(x, gather(W2, {0: own_class})) + gather(b2, {0: own_class}))
    return gather(classes, {0: rows, 1: own_class}) * gather(within, {0: rows, 1: place})
