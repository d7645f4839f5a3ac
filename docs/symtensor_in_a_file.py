"""symtensor in a file: expressions, a graph without repetition, rewriting, derivatives, a C kernel, a function.

The package has the same parts, for arrays of any rank and dtype. Here a value is a float64 number (rank 0) or vector
(rank 1), and all vectors of a function have one length.

>>> x = variable("x", rank=1)
>>> cost = sum_(log(1 + exp(x)))
>>> f = function([x], [cost, grad(cost, x)])
>>> [result.round(4).tolist() for result in f([0.0, 1000.0])]
[1000.6931, [0.5, 1.0]]
"""

from __future__ import annotations

import ctypes
import hashlib
import inspect
import itertools
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# -- 1. Ops: what an application means -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Op:
    """A value in NumPy, its text in C, its derivative: `f(*inputs, output, cotangent)`, None for zero."""

    name: str
    value: Callable[..., Any] | None = None
    c: str = ""
    pullback: Callable[..., Sequence[Any]] = lambda *_: ()
    commutative: bool = False

    def __call__(self, *arguments: Any) -> Node:
        return apply(self, *arguments)


add = Op("add", np.add, "{0} + {1}", lambda x, y, z, dz: (dz, dz), commutative=True)
mul = Op("mul", np.multiply, "{0} * {1}", lambda x, y, z, dz: (dz * y, dz * x), commutative=True)
div = Op("div", np.divide, "{0} / {1}", lambda x, y, z, dz: (dz / y, -(dz * z) / y))
neg = Op("neg", np.negative, "-{0}", lambda x, y, dy: (-dy,))
exp = Op("exp", np.exp, "exp({0})", lambda x, y, dy: (dy * y,))
log = Op("log", np.log, "log({0})", lambda x, y, dy: (dy / x,))
log1p = Op("log1p", np.log1p, "log1p({0})", lambda x, y, dy: (dy / (1 + x),))
sigmoid = Op("sigmoid", lambda x: 1 / (1 + np.exp(-x)), "1 / (1 + exp(-{0}))", lambda x, y, dy: (dy * y * (1 - y),))
softplus = Op("softplus", lambda x: np.logaddexp(0, x), "({0} > 0 ? {0} : 0) + log1p(exp(-fabs({0})))",
              lambda x, y, dy: (dy * sigmoid(x),))
spread = Op("spread", lambda x, like: np.full(len(like), x), "{0}", lambda x, like, z, dz: (dz, None))
sum_ = Op("sum", np.sum, pullback=lambda x, y, dy: (dy,))  # the one op that is a loop of its own
INPUT, CONSTANT = Op("input"), Op("constant")

# -- 2. Nodes: equal ones are one ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Node:
    """An op applied to nodes. `label` tells inputs apart, and holds the value of a constant."""

    op: Op
    inputs: tuple[Node, ...]
    rank: int
    label: Any
    serial: int

    def __add__(self, other: Any) -> Node: return add(self, other)
    def __radd__(self, other: Any) -> Node: return add(other, self)
    def __sub__(self, other: Any) -> Node: return add(self, neg(other))
    def __rsub__(self, other: Any) -> Node: return add(other, neg(self))
    def __mul__(self, other: Any) -> Node: return mul(self, other)
    def __rmul__(self, other: Any) -> Node: return mul(other, self)
    def __truediv__(self, other: Any) -> Node: return div(self, other)
    def __rtruediv__(self, other: Any) -> Node: return div(other, self)
    def __neg__(self) -> Node: return neg(self)

    def __repr__(self) -> str:
        return f"{self.op.name}({', '.join(map(repr, self.inputs))})" if self.inputs else str(self.label[0])


_nodes: dict[Any, Node] = {}
_serial = itertools.count()


def apply(op: Op, *arguments: Any, rank: int = 0, label: Any = None) -> Node:
    """The one node that applies `op` to these arguments; numbers become constants.

    >>> x = variable("x")
    >>> (x + 1) * 2 is 2 * (1 + x), variable("x") is x, constant(0.0) is constant(-0.0)
    (True, False, False)
    """
    inputs = tuple(a if isinstance(a, Node) else constant(a) for a in arguments)
    if op.commutative:  # constants first, then the older operand: x + 1 and 1 + x are one node
        inputs = tuple(sorted(inputs, key=lambda node: (node.op is not CONSTANT, node.serial)))
    key = op, inputs, label
    if key not in _nodes:
        rank = 0 if op is sum_ else max([rank, *(node.rank for node in inputs)])
        _nodes[key] = Node(op, inputs, rank, label, next(_serial))
    return _nodes[key]


def variable(name: str, rank: int = 0) -> Node:
    """An input: two of one name are two."""
    return apply(INPUT, rank=rank, label=(name, next(_serial)))


def constant(value: float) -> Node:
    """A number, known by its bits: 0.0 is not -0.0, and a NaN is itself."""
    return apply(CONSTANT, label=(float(value), np.float64(value).tobytes()))


def walk(outputs: Iterable[Node]) -> list[Node]:
    """All nodes that `outputs` need, each after its inputs. No recursion: graphs are deeper than Python's stack."""
    done: dict[Node, None] = {}
    pending = list(outputs)
    while pending:
        missing = [node for node in pending[-1].inputs if node not in done]
        pending += missing
        if not missing:
            done[pending.pop()] = None
    return list(done)


def evaluate(outputs: Sequence[Node], values: Mapping[Node, Any]) -> list[Any]:
    """The meaning of a graph, each op in NumPy: what everything else is tested against."""
    known = dict(values)
    for node in walk(outputs):
        if node not in known:
            known[node] = node.op.value(*(known[i] for i in node.inputs)) if node.op.value else node.label[0]
    return [known[node] for node in outputs]


# -- 3. Rules: equations, applied until none applies ---------------------------------------------------------

_rules: list[tuple[list[Node], Node, Node]] = []


def rule(function: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """Decorator: the function gives the two sides of an equation; its parameters stand for any expression."""
    holes = [variable(name) for name in inspect.signature(function).parameters]
    left, right = function(*holes)
    _rules.append((holes, left, right))
    if left.op.commutative:
        _rules.append((holes, replace(left, inputs=left.inputs[::-1]), right))
    return function


@rule
def log_one_plus_exp(x: Any) -> Any:
    """exp overflows from 710 on; softplus does not."""
    return log(1 + exp(x)), softplus(x)


@rule
def log_one_plus(x: Any) -> Any:
    """1 + x loses x below 1e-16; log1p does not."""
    return log(1 + x), log1p(x)


@rule
def times_one(x: Any) -> Any:
    """Derivatives are full of these."""
    return 1 * x, x


@rule
def times_spread(x: Any, y: Any, like: Any) -> Any:
    """A product spreads numbers by itself."""
    return x * spread(y, like), x * y


def match(pattern: Node, node: Node, holes: Sequence[Node]) -> dict[Node, Node] | None:
    """What the holes stand for if `node` is an instance of `pattern`."""
    bindings: dict[Node, Node] = {}
    pending = [(pattern, node)]
    while pending:
        wanted, found = pending.pop()
        if wanted in holes:
            if bindings.setdefault(wanted, found) is not found:
                return None
        elif wanted is not found:
            if wanted.op is not found.op or not wanted.inputs:
                return None
            pending += zip(wanted.inputs, found.inputs)
    return bindings


def rewritten(node: Node) -> Node:
    """What the first rule that applies makes of a node, of the same rank; the node itself if none does."""
    for holes, left, right in _rules:
        made = match(left, node, holes) or {}
        for part in walk([right]) if made else []:
            if part not in made:
                made[part] = apply(part.op, *(made[i] for i in part.inputs)) if part.inputs else part
        if made and made[right].rank == node.rank:
            return made[right]
    return node


def normalize(outputs: Sequence[Node]) -> list[Node]:
    """The outputs in a form to which no rule applies.

    >>> x = variable("x")
    >>> normalize([log(exp(x) + 1) * 1])
    [softplus(x)]
    """
    normal: dict[Node, Node] = {}
    pending = list(outputs)
    while pending:
        node = pending[-1]
        missing = [i for i in node.inputs if i not in normal]
        if node in normal:
            pending.pop()
        elif missing:
            pending += missing
        else:
            new = rewritten(apply(node.op, *(normal[i] for i in node.inputs)) if node.inputs else node)
            if new is node or new in normal:
                normal[node] = normal.get(new, new)
            else:
                pending.append(new)  # its own parts may match a rule in turn
    return [normal[node] for node in outputs]


# -- 4. Derivatives: expressions again -----------------------------------------------------------------------

def grad(cost: Node, wrt: Node) -> Node:
    """The derivative of a number by an input. The cost takes its stable form first, so that slopes are right too.

    >>> x = variable("x")
    >>> normalize([grad(log(1 + exp(x)), x)])
    [sigmoid(x)]
    """
    [cost] = normalize([cost])
    cotangents: dict[Node, Node] = {cost: constant(1)}
    for node in reversed(walk([cost])):
        if node not in cotangents:
            continue
        for x, dx in zip(node.inputs, node.op.pullback(*node.inputs, node, cotangents[node])):
            if dx is not None:
                cotangents[x] = cotangents[x] + fitted(dx, x) if x in cotangents else fitted(dx, x)
    return cotangents.get(wrt, fitted(constant(0), wrt))


def fitted(dx: Node, x: Node) -> Node:
    """A cotangent of the rank of x: what was spread is summed, what was summed is spread."""
    return sum_(dx) if dx.rank > x.rank else spread(dx, x) if dx.rank < x.rank else dx


# -- 5. C: one kernel, with a loop for each stage ------------------------------------------------------------

def kernel(inputs: Sequence[Node], outputs: Sequence[Node]) -> str:
    """The C text of a function.

    A sum ends a stage: what needs its result is in the next. Numbers are computed between the loops, elements of
    vectors in each loop that needs them; so no vector is stored but those that are results.
    """
    order = walk(outputs)
    names = {node: f"v{number}" for number, node in enumerate(order)}
    stage: dict[Node, int] = {}
    for node in order:
        stage[node] = max([stage[i] + (i.op is sum_) for i in node.inputs], default=0)
    lines = []
    for number in range(max(stage.values()) + 1):
        now = [node for node in order if stage[node] == number]
        lines += [statement(node, names, inputs) for node in now if not node.rank and node.op is not sum_]
        sums = [node for node in now if node.op is sum_]
        stored = [node for node in now if node.rank and node in outputs]
        lines += [f"double {names[node]} = 0;" for node in sums]
        if sums or stored:
            elements = [node for node in walk([*(s.inputs[0] for s in sums), *stored]) if node.rank]
            lines += ["for (long i = 0; i < n; i++) {", *(f"  {statement(e, names, inputs)}" for e in elements)]
            lines += [f"  {names[node]} += {names[node.inputs[0]]};" for node in sums]
            lines += [f"  out[{k}][i] = {names[node]};" for k, node in enumerate(outputs) if node in stored] + ["}"]
    lines += [f"out[{k}][0] = {names[node]};" for k, node in enumerate(outputs) if not node.rank]
    body = "\n".join(f"  {line}" for line in lines)
    return f"#include <math.h>\nvoid kernel(const double **in, double **out, long n) {{\n{body}\n}}\n"


def statement(node: Node, names: Mapping[Node, str], inputs: Sequence[Node]) -> str:
    """The C statement that computes a node: one operation, one name."""
    if node.op is INPUT:
        text = f"in[{inputs.index(node)}][{'i' if node.rank else '0'}]"
    else:
        text = node.op.c.format(*(names[i] for i in node.inputs)) or repr(node.label[0])
    return f"const double {names[node]} = {text};"


def compiled(text: str) -> Any:
    """The C function, from a file named by its text; a file appears whole or not at all, so no lock is needed."""
    folder = os.path.join(tempfile.gettempdir(), f"symtensor-in-a-file-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    target = os.path.join(folder, hashlib.sha256(text.encode()).hexdigest()[:16] + ".so")
    if not os.path.exists(target):
        private = f"{target}.{os.getpid()}"
        subprocess.run(["gcc", "-O3", "-shared", "-fPIC", "-x", "c", "-", "-o", private, "-lm"], input=text, text=True,
                       check=True)
        os.replace(private, target)
    return ctypes.CDLL(target).kernel


# -- 6. The function -----------------------------------------------------------------------------------------

def function(inputs: Sequence[Node], outputs: Sequence[Node]) -> Callable[..., list[np.ndarray]]:
    """A callable that computes `outputs` from values of `inputs`; its attribute `text` is its C text."""
    outputs = normalize(outputs)
    text = kernel(inputs, outputs)
    code = compiled(text)

    def call(*values: Any) -> list[np.ndarray]:
        arrays = [np.asarray(value, np.float64, order="C") for value in values]
        if [array.ndim for array in arrays] != [node.rank for node in inputs]:
            raise TypeError(f"{inputs} have {[node.rank for node in inputs]} axes, not {[a.ndim for a in arrays]}")
        lengths = {array.size for array in arrays if array.ndim}
        if len(lengths) > 1:
            raise ValueError(f"vectors must have one length, not {lengths}")
        n = max(lengths, default=1)
        results = [np.empty((n,) * node.rank) for node in outputs]
        code(pointers(arrays), pointers(results), ctypes.c_long(n))
        return results

    call.text = text  # type: ignore[attr-defined]
    return call


def pointers(arrays: Sequence[np.ndarray]) -> Any:
    """The addresses of arrays, as C takes them."""
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


# -- 7. The test ---------------------------------------------------------------------------------------------

def self_test() -> str:
    """Logistic regression with one weight, compared with NumPy and with differences; the C text of it."""
    x, y, w = variable("x", rank=1), variable("y", rank=1), variable("w")
    cost = sum_(log(1 + exp(-y * x * w))) + w * w
    slope = grad(cost, w)
    outputs = [cost, slope, grad(slope, w), grad(cost, x)]
    f = function([x, y, w], outputs)
    rng = np.random.default_rng(0)
    point: dict[Node, Any] = {x: rng.normal(size=10), y: np.sign(rng.normal(size=10)), w: 0.3}
    results = f(*point.values())
    for got, wanted in zip(results, evaluate(outputs, point)):
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
    above, below = (f(point[x], point[y], point[w] + step) for step in (1e-5, -1e-5))
    for order in (0, 1):
        np.testing.assert_allclose((above[order] - below[order]) / 2e-5, results[order + 1], rtol=1e-7)
    return str(f.text)  # type: ignore[attr-defined]


if __name__ == "__main__":
    print(self_test())
