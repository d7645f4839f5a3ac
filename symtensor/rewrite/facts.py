"""What is known of square matrices: assumed by users, or seen from how they are computed.

>>> from symtensor.types.tensor import TensorType
>>> a = Variable(TensorType("float64", (3, 3)), name="a")
>>> sorted(facts_of(MatMul()(Cholesky(True, False)(a), Assume(("lower_triangular",))(a))))
['lower_triangular']
>>> holds("positive_definite", Inverse()(Assume(("positive_definite",))(a)))
True
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np

from symtensor.ir.node import Apply, Constant, Op, Variable
from symtensor.ops.assume import Assume
from symtensor.ops.contract import Kron, MatMul, is_swap
from symtensor.ops.elementwise import Cast, Elementwise
from symtensor.ops.index import Iota
from symtensor.ops.inverses import Inverse
from symtensor.ops.linalg import Cholesky
from symtensor.ops.shape import NEW, Broadcast, Dimshuffle
from symtensor.ops.spectra import Eigh, Qr, Svd
from symtensor.rewrite.pattern import uniform
from symtensor.types.dtype import COMPLEX, FLOATS

__all__ = ["facts_of", "holds"]

Facts = frozenset[str]

NOTHING: Facts = frozenset()
_IMPLIED = [
    ({"identity"}, {"diagonal", "positive_definite", "orthogonal", "positive_diagonal"}),
    ({"positive_definite"}, {"positive_semidefinite", "positive_diagonal"}),
    ({"positive_semidefinite"}, {"symmetric"}),
    ({"diagonal"}, {"symmetric", "lower_triangular", "upper_triangular"}),
    ({"lower_triangular", "upper_triangular"}, {"diagonal"}),
    ({"symmetric", "lower_triangular"}, {"diagonal"}),
    ({"symmetric", "upper_triangular"}, {"diagonal"}),
    ({"diagonal", "positive_diagonal"}, {"positive_definite"}),
]
"""What follows from what; a chain of them is followed to its end. Beside the facts that users assume there are
`identity`, `positive_semidefinite`, and `positive_diagonal`: no element on the diagonal is zero or negative."""

_TRANSPOSED = {"lower_triangular": "upper_triangular", "upper_triangular": "lower_triangular"}
_TRIANGLES = frozenset(_TRANSPOSED)
_LINEAR = frozenset({"symmetric", "diagonal", *_TRIANGLES})
"""What a sum of two has that both have."""
_PRODUCTS = frozenset({"diagonal", "orthogonal", "identity", *_TRIANGLES})
"""What a product of two has that both have."""
_LARGEST_CONSTANT = 10_000
"""Elements of a constant that is looked at."""

_known: WeakKeyDictionary[Variable, Facts] = WeakKeyDictionary()


def holds(fact: str, x: Variable) -> bool:
    """Whether a fact is known of the matrices in the last two axes of `x`."""
    return fact in facts_of(x)


def facts_of(x: Variable) -> Facts:
    """All that is known of the matrices in the last two axes of `x`."""
    pending = [x]
    while pending:
        variable = pending[-1]
        missing = [v for v in _asked(variable) if v not in _known] if variable not in _known else []
        if missing:
            pending += missing
            continue
        pending.pop()
        if variable not in _known:
            _known[variable] = _closed(_found(variable))
    return _known[x]


def _closed(facts: set[str] | Facts) -> Facts:
    """With all that follows."""
    closed = set(facts)
    while True:
        before = len(closed)
        for given, implied in _IMPLIED:
            if given <= closed:
                closed |= implied
        if len(closed) == before:
            return frozenset(closed)


def _is_square(x: Variable) -> bool:
    return x.type.ndim >= 2 and x.type.shape[-1] == x.type.shape[-2]


def _asked(x: Variable) -> list[Variable]:
    """The operands whose facts those of `x` may follow from."""
    if x.owner is None or not _is_square(x):
        return []
    node = x.owner
    if isinstance(node.op, MatMul):  # and the parts of what may be a congruence
        inner = [v for operand in node.inputs if operand.owner is not None and isinstance(operand.owner.op, MatMul)
                 for v in operand.owner.inputs]
        return [v for v in (*node.inputs, *inner) if _is_square(v)]
    return [v for v in node.inputs if _is_square(v)] if type(node.op) in _RULES else []


def _found(x: Variable) -> set[str] | Facts:
    if not _is_square(x) or x.type.dtype in COMPLEX:  # a factor times its transpose is not definite there
        return NOTHING
    if isinstance(x, Constant):
        return _of_constant(x)
    rule = None if x.owner is None else _RULES.get(type(x.owner.op))
    return NOTHING if rule is None or x.owner is None else rule(x.owner, x)


def _of(x: Variable) -> Facts:
    return _known.get(x, NOTHING)


def _of_constant(x: Constant) -> set[str]:
    data = x.data
    if data.ndim != 2 or data.size > _LARGEST_CONSTANT or x.type.dtype not in FLOATS or not np.diagonal(data).all():
        return set()  # with a zero on its diagonal, a triangle is singular: that is to be said when it is solved
    own = {"symmetric": (data == data.T).all(), "lower_triangular": not np.triu(data, 1).any(),
           "upper_triangular": not np.tril(data, -1).any(), "positive_diagonal": (np.diagonal(data) > 0).all(),
           "identity": (data == np.eye(len(data))).all()}
    found = {fact for fact, is_so in own.items() if is_so}
    return found if found & _TRIANGLES else found - {"positive_diagonal"}


# -- how facts follow, op by op ---------------------------------------------------------------------------

Rule = Callable[[Apply, Variable], "set[str] | Facts"]
_RULES: dict[type[Op], Rule] = {}


def _rule(*classes: type[Op]) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(classes, function))
        return function
    return register


@_rule(Assume)
def _assumed(node: Apply, x: Variable) -> set[str] | Facts:
    assert isinstance(node.op, Assume)
    return _of(node.inputs[0]) | set(node.op.facts)


@_rule(Dimshuffle)
def _moved(node: Apply, x: Variable) -> set[str] | Facts:
    assert isinstance(node.op, Dimshuffle)
    (inner,) = node.inputs
    if is_swap(x):
        return {_TRANSPOSED.get(fact, fact) for fact in _of(inner)}
    kept = [axis for axis in node.op.order if axis != NEW]
    in_order = kept == list(range(inner.type.ndim)) and NEW not in node.op.order[-2:]
    return _of(inner) if in_order else NOTHING


@_rule(Broadcast)
def _spread(node: Apply, x: Variable) -> set[str] | Facts:
    inner = node.inputs[0]
    return _of(inner) if inner.type.shape[-2:] == x.type.shape[-2:] else NOTHING


@_rule(Cholesky)
def _factor(node: Apply, x: Variable) -> set[str] | Facts:
    assert isinstance(node.op, Cholesky)
    return {"lower_triangular" if node.op.lower else "upper_triangular", "positive_diagonal"}


@_rule(Inverse)
def _inverse(node: Apply, x: Variable) -> set[str] | Facts:
    known = _of(node.inputs[0])
    positive = bool(known & (_TRIANGLES | {"positive_definite"}))
    return known if positive else known - {"positive_diagonal"}


@_rule(Kron)
def _blocks(node: Apply, x: Variable) -> set[str] | Facts:
    left, right = map(_of, node.inputs)
    return left & right


@_rule(Qr)
def _orthogonal_and_triangle(node: Apply, x: Variable) -> set[str] | Facts:
    return {"orthogonal"} if x.index == 0 and len(node.outputs) == 2 else {"upper_triangular"}


@_rule(Eigh, Svd)
def _vectors(node: Apply, x: Variable) -> set[str] | Facts:
    values = 0 if isinstance(node.op, Eigh) else len(node.outputs) // 2
    return NOTHING if x.index == values else {"orthogonal"}


@_rule(MatMul)
def _product(node: Apply, x: Variable) -> set[str] | Facts:
    a, b = node.inputs
    left, right = _of(a), _of(b)
    both = left & right
    found = set(both & _PRODUCTS)
    if both & _TRIANGLES and "positive_diagonal" in both:
        found.add("positive_diagonal")
    if _are_transposes(a, b):
        regular = bool(left & _TRIANGLES) and "positive_diagonal" in left
        found.add("identity" if "orthogonal" in left else "positive_definite" if regular else "positive_semidefinite")
    return found | _congruent(a, b)


def _are_transposes(a: Variable, b: Variable) -> bool:
    pairs = ((a, b), (b, a))
    return any(one.owner is not None and is_swap(one) and one.owner.inputs[0] is other for one, other in pairs)


def _congruent(a: Variable, b: Variable) -> Facts:
    """What x p x' has of p."""
    for product, other, outer, inner in ((a, b, 0, 1), (b, a, 1, 0)):
        if product.owner is not None and isinstance(product.owner.op, MatMul):
            parts = product.owner.inputs
            if _are_transposes(parts[outer], other):
                return _of(parts[inner]) & {"symmetric", "positive_semidefinite"}
    return NOTHING


@_rule(Cast)
def _converted(node: Apply, x: Variable) -> set[str] | Facts:
    (inner,) = node.inputs
    if x.type.dtype not in FLOATS:
        return NOTHING
    return {"identity"} if inner.type.dtype == "bool" and _region(inner) == ("eq", 0) else _of(inner)


@_rule(Elementwise)
def _elementwise(node: Apply, x: Variable) -> set[str] | Facts:
    assert isinstance(node.op, Elementwise)
    own = _ELEMENTWISE.get(node.op.name)
    if own is not None:
        return own(node, x)
    return _of(node.inputs[0]) & {"symmetric"} if len(node.inputs) == 1 else NOTHING


def _whole(node: Apply, x: Variable) -> bool:
    """Whether all operands have whole matrices, and none is stretched."""
    return all(v.type.shape[-2:] == x.type.shape[-2:] for v in node.inputs)


def _sum(node: Apply, x: Variable) -> set[str] | Facts:
    if not _whole(node, x):
        return NOTHING
    left, right = map(_of, node.inputs)
    found = set(left & right & (_LINEAR | {"positive_semidefinite", "positive_diagonal"}))
    semidefinite = all("positive_semidefinite" in known for known in (left, right))
    return found | {"positive_definite"} if semidefinite and "positive_definite" in left | right else found


def _difference(node: Apply, x: Variable) -> set[str] | Facts:
    left, right = map(_of, node.inputs)
    return left & right & _LINEAR if _whole(node, x) else NOTHING


def _negated(node: Apply, x: Variable) -> set[str] | Facts:
    return _of(node.inputs[0]) & _LINEAR


def _is_scalar(x: Variable) -> bool:
    """Whether all elements of a matrix meet one number."""
    return all(size == 1 for size in x.type.shape[-2:])


def _scaled(node: Apply, x: Variable) -> set[str] | Facts:
    """A matrix times a scalar, or element by element."""
    for scalar, matrix in (node.inputs, node.inputs[::-1]):
        if _is_scalar(scalar) and _is_square(matrix):
            number = uniform(scalar)
            is_positive = number is not None and number > 0
            definite = {"positive_definite", "positive_semidefinite", "positive_diagonal"} if is_positive else NOTHING
            return _of(matrix) & (_LINEAR | definite)
    left, right = map(_of, node.inputs)
    found = set((left | right) & (_TRIANGLES | {"diagonal"}))
    if _whole(node, x):
        found |= left & right & (_LINEAR | {"positive_definite", "positive_semidefinite"})
    return found


def _divided(node: Apply, x: Variable) -> set[str] | Facts:
    matrix, divisor = node.inputs
    return _scaled(node, x) if _is_scalar(divisor) and _is_square(matrix) else NOTHING


def _masked(node: Apply, x: Variable) -> set[str] | Facts:
    """A triangle or diagonal that is kept, zeros elsewhere."""
    condition, chosen, other = node.inputs
    region = _region(condition)
    if region is None:
        return NOTHING
    kind, offset = region
    if uniform(other) == 0:
        kept, own = (kind, offset), chosen
    elif uniform(chosen) == 0 and kind != "eq":
        kept, own = ("ge", offset + 1) if kind == "le" else ("le", offset - 1), other
    else:
        return NOTHING
    found = set(_of(own) & _TRIANGLES) if _is_square(own) else set()
    fits = {"eq": {"diagonal"} if kept[1] == 0 else set(), "le": {"lower_triangular"} if kept[1] <= 0 else set(),
            "ge": {"upper_triangular"} if kept[1] >= 0 else set()}
    return found | fits[kept[0]]


_ELEMENTWISE: dict[str, Rule] = {
    "add": _sum, "sub": _difference, "neg": _negated, "mul": _scaled, "true_div": _divided, "switch": _masked,
    "identity": lambda node, x: _of(node.inputs[0]), "stop_gradient": lambda node, x: _of(node.inputs[0]),
}


# -- comparisons of positions -----------------------------------------------------------------------------

_MIRRORED = {"eq": "eq", "le": "ge", "ge": "le", "lt": "gt", "gt": "lt"}


def _region(condition: Variable) -> tuple[str, int] | None:
    """Where a comparison of rows and columns holds: ("eq", k) for column - row == k, or with "le" or "ge"."""
    node = condition.owner
    if node is None or not isinstance(node.op, Elementwise) or node.op.name not in _MIRRORED:
        return None
    left, right = map(_position, node.inputs)
    if left is None or right is None or left[0] == right[0]:
        return None
    name, offset = node.op.name, right[1] - left[1]  # column - row, compared with an offset
    if left[0] == "row":
        name, offset = _MIRRORED[name], -offset
    return {"lt": ("le", offset - 1), "gt": ("ge", offset + 1)}.get(name, (name, offset))


def _position(x: Variable) -> tuple[str, int] | None:
    """The row or the column of an element, with a number added."""
    kind, offset = "column", 0
    while x.owner is not None and not isinstance(x.owner.op, Iota):
        node = x.owner
        amount = uniform(node.inputs[-1])
        if isinstance(node.op, Dimshuffle) and node.op.order == (0, NEW) and kind == "column":
            kind = "row"
        elif isinstance(node.op, Elementwise) and node.op.name in ("add", "sub") and amount is not None:
            offset += int(amount) if node.op.name == "add" else -int(amount)
        else:
            return None
        x = node.inputs[0]
    return (kind, offset) if x.owner is not None else None
