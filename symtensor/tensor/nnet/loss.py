"""Losses, for each element or row; take the mean or sum as needed.

>>> import symtensor.tensor as T
>>> p, y = T.fmatrix("p"), T.ivector("y")
>>> categorical_crossentropy(p, y).type, binary_crossentropy(p, p).type
(TensorType(float32, (p.0,)), TensorType(float32, (p.0, p.1)))
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.index import gather
from symtensor.ops.shape import expand_dims
from symtensor.ops.size import dimension
from symtensor.tensor.creation import arange
from symtensor.tensor.linear import dot
from symtensor.tensor.nnet.activation import logsoftmax, softmax
from symtensor.tensor.reduction import argmax, max, sum
from symtensor.types.dtype import INTEGERS

__all__ = ["categorical_crossentropy", "binary_crossentropy", "sigmoid_binary_crossentropy",
           "crossentropy_categorical_1hot", "crossentropy_softmax_1hot", "crossentropy_softmax_1hot_with_bias",
           "crossentropy_softmax_argmax_1hot_with_bias", "crossentropy_softmax_max_and_argmax_1hot", "confusion_matrix"]


def _at_labels(rows: Variable, labels: Any, function: str) -> Variable:
    """The element of each row (along the last axis) that its label names."""
    labels = as_variable(labels)
    if labels.type.dtype not in INTEGERS or labels.type.ndim != rows.type.ndim - 1:
        raise complaint(TypeMismatch, f"{function}: labels must be integers, one for each row", rows, labels,
                        fix='cast them: labels.astype("int64")')
    others = range(labels.type.ndim)
    places = {axis: expand_dims(arange(dimension(rows, axis)), [a for a in others if a != axis]) for axis in others}
    return gather(rows, {**places, labels.type.ndim: labels})


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Variable:
    """-sum(true * log(coding)) for each row: what it costs to code samples of one distribution by another.

    `coding_dist` has a distribution in each row (its last axis). `true_dist` has either distributions too, or an
    integer label for each row. The result has an element for each row. Raises TypeMismatch, ShapeError.

    >>> categorical_crossentropy([[0.5, 0.5]], [1]).eval()
    array([0.69314718])
    """
    coding, true = as_variable(coding_dist), as_variable(true_dist)
    if true.type.ndim == coding.type.ndim:
        return -sum(true * scalar.log(coding), axis=coding.type.ndim - 1)
    return -_at_labels(scalar.log(coding), true, "categorical_crossentropy")


crossentropy_categorical_1hot = categorical_crossentropy


def binary_crossentropy(output: Any, target: Any) -> Variable:
    """-(target * log(output) + (1 - target) * log(1 - output)), element by element. Raises ShapeError.

    >>> binary_crossentropy([0.25], [1.0]).eval()
    array([1.38629436])
    """
    output, target = as_variable(output), as_variable(target)
    return -(target * scalar.log(output) + (1 - target) * scalar.log1p(-output))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Variable:
    """`binary_crossentropy(sigmoid(output), target)`, right for outputs of any size. Raises ShapeError.

    >>> sigmoid_binary_crossentropy([2.0], [1.0]).eval()
    array([0.12692801])
    """
    output, target = as_variable(output), as_variable(target)
    return target * scalar.softplus(-output) + (1 - target) * scalar.softplus(output)


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> tuple[Variable, Variable]:
    """The cross-entropy of labels under `softmax(x + b)`, a number for each row, and the softmax.

    Raises TypeMismatch for labels that are not integers, ShapeError.

    >>> [v.type for v in crossentropy_softmax_1hot_with_bias([[1.0, 2.0]], [0.5, 0.5], [0])]
    [TensorType(float64, (1,)), TensorType(float64, (1, 2))]
    """
    return crossentropy_softmax_1hot(as_variable(x) + b, y_idx)


def crossentropy_softmax_1hot(x: Any, y_idx: Any) -> tuple[Variable, Variable]:
    """The cross-entropy of labels under `softmax(x)`, a number for each row, and the softmax.

    Raises as `crossentropy_softmax_1hot_with_bias` does.

    >>> crossentropy_softmax_1hot([[1.0, 2.0]], [0])[0].eval()
    array([1.31326169])
    """
    return -_at_labels(logsoftmax(x), y_idx, "crossentropy_softmax_1hot"), softmax(x)


def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> tuple[Variable, Variable, Variable]:
    """The cross-entropy of labels under `softmax(x + b)`, the softmax, and its most probable label in each row.

    Raises as `crossentropy_softmax_1hot_with_bias` does.

    >>> crossentropy_softmax_argmax_1hot_with_bias([[1.0, 2.0]], [0.0, 0.0], [0])[2].eval()
    array([1])
    """
    scores = as_variable(x) + b
    return (*crossentropy_softmax_1hot(scores, y_idx), argmax(scores, axis=-1))


def crossentropy_softmax_max_and_argmax_1hot(x: Any, y_idx: Any) -> tuple[Variable, Variable, Variable, Variable]:
    """The cross-entropy of labels under `softmax(x)`, the softmax, its largest value and that label in each row.

    Raises as `crossentropy_softmax_1hot_with_bias` does.

    >>> len(crossentropy_softmax_max_and_argmax_1hot([[1.0, 2.0]], [0]))
    4
    """
    loss, probabilities = crossentropy_softmax_1hot(x, y_idx)
    return loss, probabilities, max(probabilities, axis=-1), argmax(x, axis=-1)


def confusion_matrix(actual: Any, pred: Any) -> list[Variable]:
    """How often each actual label was predicted as each: a matrix of counts, and the labels in its rows and columns.

    Labels are the integers from 0 to the largest that occurs. Raises TypeMismatch for labels that are no vector of
    integers.

    >>> [v.type.ndim for v in confusion_matrix([0, 1, 1], [0, 0, 1])]
    [2, 1]
    """
    actual, pred = as_variable(actual), as_variable(pred)
    if any(v.type.ndim != 1 or v.type.dtype not in INTEGERS for v in (actual, pred)):
        raise complaint(TypeMismatch, "confusion_matrix takes two vectors of integer labels", actual, pred,
                        fix="use argmax(axis=1) on rows of scores")
    order = arange(scalar.maximum(max(actual), max(pred)) + 1)
    rows, columns = (scalar.eq(expand_dims(v, [1]), order).astype("int64") for v in (actual, pred))
    return [dot(rows.T, columns), order]
