"""Rules about matrices checked on random ones that are what the rules ask for, far from singular.

>>> from symtensor.rewrite.rules.inverses import inverse_of_inverse
>>> is_about_matrices(inverse_of_inverse), len(list(matrix_candidates(inverse_of_inverse)))
(True, 4)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symtensor.base.errors import CheckFailed
from symtensor.ir.graph import leaves
from symtensor.ir.interpret import evaluate
from symtensor.ir.node import Constant, Variable
from symtensor.ops.assume import FACTS, Assume
from symtensor.ops.contract import Kron
from symtensor.ops.inverses import Inverse, Pinv, SlogDet
from symtensor.ops.linalg import Cholesky, Solve, SolveTriangular, identity_like
from symtensor.ops.shape import broadcast_like
from symtensor.rewrite.pattern import Applied, Bindings, build
from symtensor.rewrite.rule import Equation
from symtensor.types.tensor import TensorType

__all__ = ["check_on_matrices", "is_about_matrices", "matrix_candidates"]

_OPS = (Cholesky, Inverse, Kron, Pinv, SlogDet, Solve, SolveTriangular)
_SHAPES = ((3, 3), (2, 3, 3))
_TOLERANCES = {"float32": 1e-3, "float64": 1e-10}


def is_about_matrices(rule: Equation) -> bool:
    """Whether a rule has ops of linear algebra, or asks for facts."""
    pending, found = [rule.left], bool(rule.facts)
    while pending and not found:
        pattern = pending.pop()
        if isinstance(pattern, Applied):
            found = isinstance(pattern.op, _OPS)
            pending += pattern.inputs
    return found


def matrix_candidates(rule: Equation) -> Iterator[Bindings]:
    """Square matrices that are known to be what the rule asks for, and parameters from its examples."""
    parameters = [hole for hole in rule.holes if str(hole.name) in rule.examples]
    for values in itertools.product(*(rule.examples[str(hole.name)] for hole in parameters)):
        for dtype, shape in itertools.product(_TOLERANCES, _SHAPES):
            own = [hole for hole in rule.holes if hole not in parameters]
            made = (Variable(TensorType(dtype, shape), name=str(hole.name)) for hole in own)
            known = (_known(x, rule.facts.get(str(hole.name))) for hole, x in zip(own, made))
            yield dict(zip(parameters, values)) | dict(zip(own, known))


def _known(x: Variable, fact: str | None) -> Variable:
    """A matrix of which a fact is known."""
    if fact == "identity":
        return broadcast_like(identity_like(x), x)
    return x if fact is None else Assume((fact,))(x)  # type: ignore[no-any-return]


_MAKE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "symmetric": lambda a: a + np.swapaxes(a, -1, -2), "lower_triangular": np.tril, "upper_triangular": np.triu,
    "positive_definite": lambda a: a @ np.swapaxes(a, -1, -2) + np.eye(a.shape[-1]),
    "diagonal": lambda a: a * np.eye(a.shape[-1]), "orthogonal": lambda a: np.linalg.qr(a)[0],
}
assert set(_MAKE) == set(FACTS)


def check_on_matrices(rule: Equation, bindings: Bindings) -> None:
    """Raise CheckFailed where the sides of a rule differ, in dtype, shape or value."""
    rng = np.random.default_rng(7)
    left, right = (_outputs(build(side, bindings)) for side in (rule.left, rule.right))
    arrays: dict[Variable, np.ndarray] = {}
    for variable in leaves([*left, *right]):
        if not isinstance(variable, Constant):
            values = rng.normal(size=[int(n) for n in variable.type.static_shape if n is not None])
            values += 3 * np.eye(values.shape[-1])
            fact = rule.facts.get(str(variable.name))
            arrays[variable] = (_MAKE[fact](values) if fact in _MAKE else values).astype(variable.type.dtype)
    found = evaluate([*left, *right], arrays)
    for one, other in zip(found[:len(left)], found[len(left):]):
        tolerance = _TOLERANCES[one.dtype.name]
        if one.dtype != other.dtype or one.shape != other.shape or not np.allclose(one, other, tolerance, tolerance):
            raise CheckFailed(f"rule {rule.name} does not keep {rule.keeps}: {rule!r}",
                              operands=[*(f"{v.name} = {array}" for v, array in arrays.items()), f"left  {one}",
                                        f"right {other}"],
                              fix="correct it, or say in `facts` what it relies on")


def _outputs(built: Any) -> list[Variable]:
    return built if isinstance(built, list) else [built]
