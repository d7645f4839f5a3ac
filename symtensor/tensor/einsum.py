"""Sums of products in Einstein's notation.

>>> from symtensor.tensor.inputs import tensor
>>> a, b = tensor("float64", shape=("n", 3), name="a"), tensor("float64", shape=(3, "m"), name="b")
>>> einsum("ij,jk->ki", a, b).type
TensorType(float64, (m, n))
"""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops.convert import together
from symtensor.ops.elementwise import cast
from symtensor.ops.reduce import sum_axes
from symtensor.ops.shape import dimshuffle, drop_axes
from symtensor.tensor.linear import contract
from symtensor.tensor.selection import diagonal
from symtensor.types.dtype import promote

__all__ = ["einsum"]

_UNKNOWN_SIZE = 64
"""What a size that is not known counts as when the order of products is chosen."""


@dataclass(frozen=True)
class Term:
    """A tensor with a label for each axis."""

    value: Variable
    labels: str

    def summed(self, labels: Iterable[str]) -> Term:
        """This term with the given labels summed away."""
        gone = set(labels)
        axes = [axis for axis, label in enumerate(self.labels) if label in gone]
        return Term(sum_axes(self.value, axes), "".join(label for label in self.labels if label not in gone))

    def ordered(self, labels: str) -> Term:
        """This term with its axes in the order of `labels`."""
        return Term(dimshuffle(self.value, [self.labels.index(label) for label in labels]), labels)


def einsum(subscripts: str, *operands: Any) -> Variable:
    """Products of elements of the operands, summed over the labels that the result does not have.

    `subscripts` names each axis of each operand by a letter, "ij,jk->ik"; without an arrow the result has the labels
    that occur once, in the order of the alphabet. A label that occurs twice in one operand takes its diagonal; "..."
    stands for axes that broadcast. Products are made two at a time, small results first. The dtype is what the
    operands promote to. Raises TypeMismatch for subscripts that do not fit, ShapeError for sizes that do not.

    >>> einsum("ii", [[1, 2], [3, 4]]).type, einsum("i,j->ij", [1, 2], [1.5]).type
    (TensorType(int64, ()), TensorType(float64, (2, 1)))
    """
    variables = together(operands)
    dtype = promote(*(v.type.dtype for v in variables)) if variables else "bool"
    inputs, output = _parsed(subscripts, variables)
    terms = [_without_repeats(Term(cast(v, dtype), labels)) for v, labels in zip(variables, inputs)]
    terms = _without_ones(terms)
    while len(terms) > 1:
        first, second = min(combinations(range(len(terms)), 2), key=lambda pair: _cost(terms, pair, output))
        right, left = terms.pop(second), terms.pop(first)
        terms.append(_product(left, right, _needed(terms, output)))
    (result,) = terms
    return result.summed(set(result.labels) - set(output)).ordered(output).value


# -- subscripts -------------------------------------------------------------------------------------------

def _parsed(subscripts: str, operands: Sequence[Variable]) -> tuple[list[str], str]:
    """The labels of each operand and of the result, with letters in the place of dots."""
    text = subscripts.replace(" ", "")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(operands):
        raise complaint(TypeMismatch, f"einsum: {subscripts!r} is for {len(inputs)} operands, not {len(operands)}",
                        *operands, fix="give the labels of each operand, with commas between")
    free = [letter for letter in string.ascii_letters if letter not in text]
    dots = ""
    for labels, operand in zip(inputs, operands):
        count = operand.type.ndim - len(labels.replace("...", ""))
        if count < 0 or (count and "..." not in labels):
            raise complaint(TypeMismatch, f"einsum: {labels!r} does not label {operand.type.ndim} axes", operand,
                            fix="one letter for each axis, or ... for the rest")
        dots = max(dots, "".join(free[:count]), key=len)
    spelled = [_spelled(labels, dots, operand.type.ndim) for labels, operand in zip(inputs, operands)]
    if arrow:
        output = output.replace("...", dots)
    else:
        times = Counter("".join(spelled))
        output = dots + "".join(sorted(label for label in times if times[label] == 1 and label not in dots))
    _check_labels(subscripts, "".join(spelled), output)
    return spelled, output


def _spelled(labels: str, dots: str, ndim: int) -> str:
    """Labels with letters for the dots: the last ones of `dots`, since axes align at the right."""
    count = ndim - len(labels.replace("...", ""))
    return labels.replace("...", dots[len(dots) - count:])


def _check_labels(subscripts: str, inputs: str, output: str) -> None:
    strange = [label for label in inputs + output if label not in string.ascii_letters]
    if strange:
        raise complaint(TypeMismatch, f"einsum: {strange[0]!r} in {subscripts!r} is not a label", fix="use letters")
    missing = [label for label in output if label not in inputs]
    if missing:
        raise complaint(TypeMismatch, f"einsum: the result of {subscripts!r} has {missing[0]!r}, which no operand has",
                        fix="use labels of the operands after the arrow")
    if len(set(output)) != len(output):
        raise complaint(TypeMismatch, f"einsum: the result of {subscripts!r} has a label twice",
                        fix="use each label once after the arrow, and diag to make a matrix of a diagonal")


# -- terms ------------------------------------------------------------------------------------------------

def _without_repeats(term: Term) -> Term:
    """A label that occurs twice takes the diagonal of its two axes."""
    while len(set(term.labels)) != len(term.labels):
        label = next(label for label, count in Counter(term.labels).items() if count > 1)
        first = term.labels.index(label)
        second = term.labels.index(label, first + 1)
        rest = "".join(own for axis, own in enumerate(term.labels) if axis not in (first, second))
        sizes = [term.value.type.shape[axis] for axis in (first, second)]
        if all(isinstance(size, int) for size in sizes) and sizes[0] != sizes[1]:
            raise complaint(ShapeError, f"einsum: {label!r} is both {sizes[0]} and {sizes[1]} long", term.value,
                            fix="use two labels")
        term = Term(diagonal(term.value, axis1=first, axis2=second), rest + label)
    return term


def _without_ones(terms: list[Term]) -> list[Term]:
    """Axes of size 1 dropped where another operand has the label too: this is how they broadcast."""
    wide = {label for term in terms for label, size in zip(term.labels, term.value.type.shape) if size != 1}
    result = []
    for term in terms:
        ones = [axis for axis, label in enumerate(term.labels) if label in wide and term.value.type.shape[axis] == 1]
        kept = "".join(label for axis, label in enumerate(term.labels) if axis not in ones)
        result.append(Term(drop_axes(term.value, ones), kept))
    return result


def _needed(others: Sequence[Term], output: str) -> set[str]:
    return set(output).union(*(term.labels for term in others))


def _cost(terms: Sequence[Term], pair: tuple[int, int], output: str) -> tuple[float, float]:
    """How many more elements are held after the product of a pair than before; then, how many products it takes."""
    left, right = (terms[position] for position in pair)
    needed = _needed([term for position, term in enumerate(terms) if position not in pair], output)
    sizes = {label: size if isinstance(size, int) else _UNKNOWN_SIZE
             for term in (left, right) for label, size in zip(term.labels, term.value.type.shape)}

    def count(labels: Iterable[str]) -> float:
        return math.prod(sizes[label] for label in labels)

    return count(set(sizes) & needed) - count(left.labels) - count(right.labels), count(sizes)


def _product(left: Term, right: Term, needed: set[str]) -> Term:
    """The product of two terms, with the labels that nothing else needs summed."""
    left = left.summed(set(left.labels) - needed - set(right.labels))
    right = right.summed(set(right.labels) - needed - set(left.labels))
    shared = [label for label in left.labels if label in right.labels]
    batch = "".join(label for label in shared if label in needed)
    gone = [label for label in shared if label not in needed]
    rows, columns = ("".join(label for label in term.labels if label not in shared) for term in (left, right))
    left = left.ordered(batch + rows + "".join(gone))
    right = right.ordered(batch + "".join(gone) + columns)
    axes_left = [left.labels.index(label) for label in gone]
    axes_right = [right.labels.index(label) for label in gone]
    return Term(contract(left.value, right.value, axes_left, axes_right, len(batch)), batch + rows + columns)
