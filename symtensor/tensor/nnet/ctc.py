"""The cost of sequences of labels whose times are not known.

>>> import symtensor.tensor as T
>>> ctc(T.zeros((2, 1, 3)), [[1]], [2]).eval()  # of 9 paths through 2 steps, 3 read as the label: 1-, -1, 11
array([1.09861229])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.index import gather, join, subtensor
from symtensor.ops.loop import Loop
from symtensor.ops.shape import broadcast_to, expand_dims
from symtensor.ops.size import dimension
from symtensor.tensor.creation import arange
from symtensor.tensor.nnet.activation import logsoftmax
from symtensor.tensor.reduction import sum
from symtensor.types.dtype import FLOATS, INTEGERS
from symtensor.types.tensor import TensorType

__all__ = ["ctc"]

NEVER = -1e30
"""The logarithm of the probability of what cannot be; no infinity, whose slopes would be no numbers."""


def ctc(activations: Any, labels: Any, input_lengths: Any) -> Variable:
    """-log of the probability that a softmax of the activations at each time gives the labels: a number for each
    sequence of the batch.

    `activations` is (time, batch, classes), of which class 0 is blank; `labels` (batch, most labels), rows filled up
    with negative numbers; `input_lengths` says how many steps each sequence has. What is read at all times, without
    repetitions and then without blanks, are the labels. Where they do not fit into the steps, the cost is 1e30 or so.
    Graves, Fernandez, Gomez and Schmidhuber, "Connectionist temporal classification" (2006). Raises TypeMismatch,
    ShapeError.

    >>> ctc([[[0.0, 0.0]]], [[1]], [1]).eval()
    array([0.69314718])
    """
    scores, wanted, lengths = map(as_variable, (activations, labels, input_lengths))
    fits = (scores.type.ndim, wanted.type.ndim, lengths.type.ndim) == (3, 2, 1) and scores.type.dtype in FLOATS
    if not fits or any(v.type.dtype not in INTEGERS for v in (wanted, lengths)):
        raise complaint(TypeMismatch, "ctc takes floats (time, batch, classes), integers (batch, labels) and integers"
                        " (batch,)", scores, wanted, lengths, fix="cast the operands, or add axes")
    dtype, batch = scores.type.dtype, dimension(scores, 1)
    path = _with_blanks(wanted)
    rows = expand_dims(arange(batch), [1])
    chances = gather(logsoftmax(scores), {1: rows, 2: path})
    last = _last_of_loop(chances, lengths, _may_skip(path), _start(path, dtype))
    count = 2 * sum(cast(scalar.ge(wanted, 0), "int64"), 1)
    ends = [gather(last, {0: arange(batch), 1: place}) for place in (count, scalar.maximum(count - 1, 0))]
    return -_added(ends[0], scalar.switch(scalar.gt(count, 0), ends[1], np.asarray(NEVER, dtype)))


def _with_blanks(labels: Variable) -> Variable:
    """Each sequence of labels with blanks around and between them."""
    width = 2 * dimension(labels, 1) + 1
    place = arange(width)
    own = scalar.maximum(scalar.minimum(scalar.floor_div(place, 2), dimension(labels, 1) - 1), 0)
    spread = gather(cast(labels, "int64"), {1: own})
    return scalar.switch(scalar.eq(scalar.mod(place, 2), 1), scalar.maximum(spread, 0), 0)


def _may_skip(path: Variable) -> Variable:
    """Whether the blank before a label may be left out: not between equal labels."""
    place = arange(dimension(path, 1))
    before = gather(path, {1: scalar.maximum(place - 2, 0)})
    return scalar.and_(scalar.and_(scalar.eq(scalar.mod(place, 2), 1), scalar.ge(place, 2)), scalar.neq(path, before))


def _start(path: Variable, dtype: str) -> Variable:
    """Before the first step, all are before the first blank."""
    row = scalar.switch(scalar.eq(arange(dimension(path, 1)), 0), np.asarray(0, dtype), np.asarray(NEVER, dtype))
    return broadcast_to(row, [dimension(path, 0), dimension(path, 1)])


def _added(a: Variable, b: Variable) -> Variable:
    """log(exp(a) + exp(b))."""
    return scalar.maximum(a, b) + scalar.softplus(-scalar.abs_(a - b))


def _last_of_loop(chances: Variable, lengths: Variable, skip: Variable, start: Variable) -> Variable:
    """The chances to be at each place of the path after all steps that a sequence has."""
    dtype = chances.type.dtype
    matrix = TensorType(dtype, (None, None))
    now, chance = (Variable(matrix, name=name) for name in ("now", "chance"))
    step, may, total = (Variable(TensorType(t, shape)) for t, shape in (
        ("int64", ()), ("bool", (None, None)), ("int64", (None,))))

    def behind(places: int) -> Variable:
        """What is so many places further back on the path."""
        edge = broadcast_to(np.asarray(NEVER, dtype), [dimension(now, 0), places])
        moved: Variable = join(1, [edge, now])
        return subtensor(moved, (slice(None), slice(None, dimension(now, 1))))

    skipped = scalar.switch(may, behind(2), np.asarray(NEVER, dtype))
    new = _added(_added(now, behind(1)), skipped) + chance
    loop = Loop(dimension(chances, 0))
    carry = loop.carry(now, start)
    loop.rows[chance], loop.rows[step] = chances, arange(dimension(chances, 0))
    loop.others[may], loop.others[total] = skip, cast(lengths, "int64")
    carry.new = scalar.switch(expand_dims(scalar.lt(step, total), [1]), new, now)
    return loop.make()[carry]
