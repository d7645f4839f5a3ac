"""Batch, layer and local response normalization.

>>> import symtensor.tensor as T
>>> x = T.tensor4("x", shape=("batch", 3, 8, 8))
>>> gamma = beta = T.ones((1, 3, 1, 1))
>>> batch_normalization_train(x, gamma, beta, axes="spatial")[0].type
TensorType(float64, (batch, 3, 8, 8))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.shape import drop_axes, expand_dims
from symtensor.ops.size import dimension
from symtensor.ops.window import Window, reduce_windows
from symtensor.tensor.arguments import axes_of, product
from symtensor.tensor.manipulation import addbroadcast
from symtensor.tensor.reduction import Axis, mean, var
from symtensor.types.dtype import float_of

__all__ = ["batch_normalization", "batch_normalization_train", "batch_normalization_test", "layer_normalization",
           "local_response_normalization"]


def _axes(inputs: Variable, axes: str | Sequence[int], function: str) -> tuple[int, ...]:
    """The axes to normalize over: those named, or all but the second ("spatial"), or the first ("per-activation")."""
    if axes == "per-activation":
        return (0,)
    if axes == "spatial":
        return (0, *range(2, inputs.type.ndim))
    if isinstance(axes, str):
        raise complaint(TypeMismatch, f"{function}: there are no axes {axes!r}", inputs,
                        fix='"per-activation", "spatial" or a tuple of integers')
    return axes_of(inputs, axes, function)


def _parameter(value: Any, inputs: Variable, axes: tuple[int, ...]) -> Variable:
    """A parameter such that it broadcasts against the inputs: one value for all positions of the normalized axes."""
    value = as_variable(value)
    if value.type.ndim == inputs.type.ndim - len(axes):
        return expand_dims(value, axes)
    return addbroadcast(value, *axes)


def _as_given(statistic: Variable, parameter: Any, axes: tuple[int, ...]) -> Variable:
    """A statistic with the normalized axes, of size 1, or without: as a parameter is."""
    return drop_axes(statistic, axes) if as_variable(parameter).type.ndim < statistic.type.ndim else statistic


def batch_normalization(inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any,
                        mode: str = "low_mem") -> Variable:
    """(inputs - mean) * gamma / std + beta; all broadcast. `mode` is accepted for Theano's sake. Raises ShapeError.

    >>> batch_normalization([[1.0, 2.0]], 1.0, 0.0, [0.5, 0.5], [1.0, 1.0]).eval()
    array([[0.5, 1.5]])
    """
    return (as_variable(inputs) - mean) * (gamma / as_variable(std)) + beta


def batch_normalization_train(inputs: Any, gamma: Any, beta: Any, axes: str | Sequence[int] = "per-activation",
                              epsilon: float = 1e-4, running_average_factor: float = 0.1,
                              running_mean: Any = None, running_var: Any = None) -> tuple[Variable, ...]:
    """`inputs` normalized over `axes` to mean 0 and variance 1, then scaled by gamma and shifted by beta.

    `axes` is "per-activation" (the first), "spatial" (all but the second) or a tuple. `gamma`, `beta` and the running
    values have size 1 along these, or lack them. The result is the normalized tensor, the mean and 1 / the standard
    deviation, of gamma's rank; with `running_mean` and `running_var` also their new values, each of the old one's rank.
    Raises ShapeError, TypeMismatch.

    >>> [v.type for v in batch_normalization_train([[1.0, 2.0]], [1.0, 1.0], [0.0, 0.0])]
    [TensorType(float64, (1, 2)), TensorType(float64, (2,)), TensorType(float64, (2,))]
    """
    inputs = as_variable(inputs)
    over = _axes(inputs, axes, "batch_normalization_train")
    if (running_mean is None) != (running_var is None):
        raise complaint(TypeMismatch, "batch_normalization_train: running_mean and running_var go together", inputs,
                        fix="give both or neither")
    center, spread = mean(inputs, over, keepdims=True), var(inputs, over, keepdims=True)
    inverse = scalar.reciprocal(scalar.sqrt(spread + epsilon))
    result = (inputs - center) * (inverse * _parameter(gamma, inputs, over)) + _parameter(beta, inputs, over)
    statistics = [_as_given(value, gamma, over) for value in (center, inverse)]
    if running_mean is None:
        return (result, *statistics)
    count = cast(product(dimension(inputs, axis) for axis in over), inputs.type.dtype)
    unbiased = spread * (count / scalar.maximum(count - 1, 1))
    kept = 1 - running_average_factor
    new = [_as_given(_parameter(old, inputs, over) * kept + value * running_average_factor, old, over)
           for old, value in ((running_mean, center), (running_var, unbiased))]
    return (result, *statistics, *new)


def batch_normalization_test(inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any,
                             axes: str | Sequence[int] = "per-activation", epsilon: float = 1e-4) -> Variable:
    """`inputs` normalized by a given mean and variance, then scaled by gamma and shifted by beta.

    Arguments as in `batch_normalization_train`. Raises ShapeError, TypeMismatch.

    >>> batch_normalization_test([[1.0, 2.0]], [1.0, 1.0], [0.0, 0.0], [0.5, 0.5], [1.0, 1.0]).eval()
    array([[0.499975  , 1.49992501]])
    """
    inputs = as_variable(inputs)
    over = _axes(inputs, axes, "batch_normalization_test")
    gamma, beta, center, spread = (_parameter(value, inputs, over) for value in (gamma, beta, mean, var))
    return (inputs - center) * (gamma / scalar.sqrt(spread + epsilon)) + beta


def layer_normalization(x: Any, gamma: Any = None, beta: Any = None, axis: Axis = -1,
                        epsilon: float = 1e-5) -> Variable:
    """`x` normalized along `axis` to mean 0 and variance 1, then scaled by gamma and shifted by beta where given.

    Raises ShapeError.

    >>> layer_normalization([[1.0, 2.0]]).eval()
    array([[-0.99998,  0.99998]])
    """
    x = as_variable(x)
    result = (x - mean(x, axis, keepdims=True)) / scalar.sqrt(var(x, axis, keepdims=True) + epsilon)
    result = result if gamma is None else result * gamma
    return result if beta is None else result + beta


def local_response_normalization(x: Any, alpha: float = 1e-4, k: float = 2, beta: float = 0.75, n: int = 5,
                                 axis: int = 1) -> Variable:
    """`x` over (k + alpha * the sum of squares in `n` neighbouring channels) ** beta; the channels are along `axis`.

    These are Krizhevsky's numbers ("ImageNet Classification with Deep Convolutional Neural Networks", 2012, section
    3.3) and pylearn2's CrossChannelNormalization, whose channels come first: axis=0. Beyond the first and last channel
    there are zeros. PyTorch divides alpha by n. Raises TypeMismatch for an even n, ShapeError for an axis that does
    not exist.

    >>> local_response_normalization([[1.0, 2.0, 3.0]], alpha=1.0, k=0.0, beta=0.5, n=3).eval()
    array([[0.4472136 , 0.53452248, 0.83205029]])
    """
    x = as_variable(x)
    if not isinstance(n, int) or n < 1 or n % 2 == 0:
        raise complaint(TypeMismatch, f"local_response_normalization: n must be an odd positive integer, not {n!r}", x,
                        fix=f"use n={2 * (n // 2) + 1}" if isinstance(n, int) and n > 0 else "use n=5")
    x = cast(x, float_of(x.type.dtype))
    (channels,) = axes_of(x, axis, "local_response_normalization")
    window = Window((channels,), (n,), (1,), (n // 2,))
    nearby = reduce_windows("sum", scalar.square(x), window, [dimension(x, channels)])
    return x / (k + alpha * nearby) ** beta
