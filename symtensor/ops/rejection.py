"""Samples that take a random number of random numbers: drawn by NumPy's generator, on a counter as all others are.

>>> state = Variable(TensorType("uint64", (2,)), name="state")
>>> rate = Variable(TensorType("float64", (None,)), name="rate")
>>> Sample("poisson")(state, rate).type
TensorType(int64, (rate.0,))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.base.errors import IndexOutOfRange, TypeMismatch
from symtensor.ir.node import Op, Unknown, Variable, equal_sizes
from symtensor.types.tensor import TensorType

__all__ = ["Sample"]

KINDS = {"poisson": "int64", "standard_gamma": "float64"}


class Sample(Op):
    """One number of a distribution for each parameter: the state, two uint64, a key and the number of the call.

    The numbers are those of `numpy.random.Generator` on the bit generator Philox with that key, where call c begins
    at the counter c * 2**128: no two calls share random bits. Raises IndexOutOfRange for a parameter below zero.
    """

    kind: str
    foldable = False

    def infer(self, state: Variable, parameter: Variable) -> TensorType:
        if state.type.dtype != "uint64" or state.type.ndim != 1 or parameter.type.dtype != "float64":
            raise TypeMismatch("a sample needs a state of two uint64, and parameters of float64")
        equal_sizes(state.type.shape[0], 2, "numbers of a random state")
        return parameter.type.with_dtype(KINDS[self.kind])

    def evaluate(self, state: np.ndarray, parameter: np.ndarray) -> Any:
        key, call = map(int, state)
        generator = np.random.Generator(np.random.Philox(key=key, counter=call << 128))
        try:
            return np.asarray(getattr(generator, self.kind)(parameter))
        except ValueError as error:
            raise IndexOutOfRange(f"{self}: {error}", fix="give parameters of 0 and above") from None

    def pullback(self, state: Variable, parameter: Variable, sample: Variable, cotangent: Variable) -> Any:
        return None, Unknown("a sample of it has none")

    def __repr__(self) -> str:
        return self.kind
