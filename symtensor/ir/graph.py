"""Graphs: walks and substitution on users' expressions, and the interned `Graph` the compiler works on.

In a `Graph` equal applications are one node, so common subexpressions exist once without a pass.
Constants are keyed by bits, inputs by identity. Every walk is iterative.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> graph = Graph([x], [(x + 1) * (x + 1)])
>>> [str(node.op) for node in graph.nodes()]
['add', 'mul']
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from symtensor.base.errors import ShapeError
from symtensor.ir import provenance
from symtensor.ir.node import Apply, Constant, Equation, Op, Variable, constant_key
from symtensor.ir.provenance import Lines
from symtensor.types import dim as dims
from symtensor.types.dim import Dim, Size, Symbol
from symtensor.types.tensor import TensorType

__all__ = ["applications", "leaves", "ancestors", "remake", "substitute", "Graph", "SizeSolution"]


def applications(outputs: Iterable[Variable], stop: Container[Variable] = (),
                 needs: Callable[[Apply], Iterable[Variable]] = attrgetter("inputs")) -> list[Apply]:
    """The applications that compute `outputs`, each after those it needs; the walk ends at `stop`."""
    order: list[Apply] = []
    done: set[Apply] = set()
    pending = [v.owner for v in outputs if v.owner is not None and v not in stop]
    pending.reverse()
    while pending:
        node = pending[-1]
        if node in done:
            pending.pop()
            continue
        needed = [v.owner for v in needs(node)
                  if v.owner is not None and v.owner not in done and v not in stop]
        if needed:
            pending += reversed(needed)
        else:
            done.add(node)
            order.append(node)
            pending.pop()
    return order


def leaves(outputs: Iterable[Variable], stop: Container[Variable] = ()) -> list[Variable]:
    """The variables without an owner (or in `stop`) that `outputs` are computed from, in order of first use."""
    outputs = list(outputs)
    found: dict[Variable, None] = {}
    uses = [v for node in applications(outputs, stop) for v in node.inputs]
    for variable in uses + outputs:
        if variable.owner is None or variable in stop:
            found[variable] = None
    return list(found)


def ancestors(outputs: Iterable[Variable], stop: Container[Variable] = ()) -> list[Variable]:
    """All variables that `outputs` are computed from, themselves included."""
    outputs = list(outputs)
    found = dict.fromkeys(leaves(outputs, stop))
    found.update((v, None) for node in applications(outputs, stop) for v in node.outputs)
    return list(found)


def substitute(outputs: Sequence[Variable], replace: Mapping[Variable, Variable]) -> list[Variable]:
    """Copies of `outputs` in which variables are replaced at once; parts that do not change are shared."""
    made: dict[Variable, Variable] = dict(replace)
    for node in applications(outputs, replace):
        remake(node, made)
    return [made.get(v, v) for v in outputs]


def remake(node: Apply, made: dict[Variable, Variable]) -> None:
    """Enter the outputs that a node has over what was `made` of its inputs, if that are others."""
    inputs = [made.get(v, v) for v in node.inputs]
    if all(new is old for new, old in zip(inputs, node.inputs)):
        return
    with provenance.attributed(node.lines):
        new_outputs = node.op.make(*inputs)
    for old, new in zip(node.outputs, new_outputs):
        new.name = old.name
        made.setdefault(old, new)


class SizeSolution:
    """Equations between sizes, solved: which symbols, and which whole sizes, stand for others.

    >>> n, m = dims.symbol("n"), dims.symbol("m")
    >>> solution = SizeSolution()
    >>> solution.assume(dims.maximum(0, n - 1), dims.maximum(0, m - 1))
    >>> solution.assume(n, m)
    >>> solution(dims.maximum(0, m - 1)), solution(dims.maximum(0, n - 1) + m)
    (max(0, n - 1), n + max(0, n - 1))
    """

    def __init__(self) -> None:
        self._symbols: dict[Symbol, Size] = {}
        self._wholes: dict[Dim, Size] = {}
        self._mentions: dict[Symbol, list[Dim]] = {}

    def __call__(self, size: Size) -> Size:
        """The size that stands for `size`."""
        if isinstance(size, int) or not (self._symbols or self._wholes):
            return size
        while True:
            new = self._wholes.get(size) if isinstance(size, Dim) else None
            if new is None:
                new = dims.substitute(size, self._of_symbol)
            if new == size or isinstance(new, int):
                return new
            size = new

    def _of_symbol(self, symbol: Symbol) -> Size | None:
        """What stands for a symbol; the chain of symbols that leads there is made short for the next time."""
        chain, found = [symbol], self._symbols.get(symbol)
        while found is not None:
            lone = dims.lone_symbol(found)
            if lone is None or lone not in self._symbols:
                self._symbols.update(dict.fromkeys(chain, found))
                break
            chain.append(lone)
            found = self._symbols[lone]
        return found

    def pairs(self) -> Iterator[tuple[Size, Size]]:
        """Each size for which another stands, and the other."""
        yield from ((dims.of_atom(symbol), new) for symbol, new in self._symbols.items())
        yield from self._wholes.items()

    def record(self, old: Size, new: Size) -> None:
        """Let `new` stand for `old`, if they are not one yet: recording the pairs of a solution makes it again."""
        if self(old) == self(new):
            return
        lone = dims.lone_symbol(old)
        if lone is not None and lone not in dims.symbols_of(new):
            self._symbols[lone] = new
        elif isinstance(old, Dim):
            self._wholes[old] = new
            for symbol in {*old.symbols, *dims.symbols_of(new)}:
                self._mentions.setdefault(symbol, []).append(old)

    def assume(self, left: Size, right: Size) -> None:
        """Take two sizes as equal from now on. What is known sooner stands for what a call computes later."""
        pending = [(left, right)]
        while pending:
            left, right = map(self, pending.pop())
            if left == right:
                continue
            straight = _straightened(left, right)
            if straight is not None:
                pending.append(straight)
                continue
            old, new = _late_and_early(left, right)
            self.record(old, new)
            solved = dims.lone_symbol(old)
            if solved in self._symbols:  # wholes that mention it, or stand for one that does, are others now
                pending += [(whole, self._wholes.pop(whole)) for whole in self._mentions.pop(solved, ())
                            if whole in self._wholes]


def _straightened(left: Size, right: Size) -> tuple[Size, Size] | None:
    """What is equal if the positive part of something is equal to a size that is not zero."""
    for size, known in ((left, right), (right, left)):
        straight = dims.positive_part_of(size)
        if straight is not None and dims.lower_bound(known) > 0:
            return straight, known
    return None


def _late_and_early(left: Size, right: Size) -> tuple[Size, Size]:
    """Which of two sizes that are equal is to be replaced, and by which."""
    left_known, right_known = _known_since(left), _known_since(right)
    if left_known != right_known:
        return (left, right) if left_known > right_known else (right, left)
    for old, new in ((right, left), (left, right)):
        lone = dims.lone_symbol(old)
        if lone is not None and lone not in dims.symbols_of(new):
            return old, new
    if isinstance(left, Dim) and (isinstance(right, int) or len(repr(left)) >= len(repr(right))):
        return left, right
    return right, left


def _known_since(size: Size) -> int:
    """The moment of a call from which a size is known: -1 at its start, else the number of its latest symbol."""
    computed = (s for s in dims.symbols_of(size) if s.source is not None and s.source.owner is not None)
    return max((symbol.order[1] for symbol in computed), default=-1)


class Graph:
    """An expression in interned form.

    `inputs` and `outputs` are this graph's own variables; `origin` leads from an input to the variable
    it was copied from. `sources` holds for each symbol that is the value of an integer scalar the variable
    that computes it: outputs of a kind, kept alive as long as a type mentions the symbol.
    `equations` are the sizes that must be equal, with the lines that need it.
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self._table: dict[tuple[Op, tuple[Variable, ...]], tuple[Variable, ...]] = {}
        self._constants: dict[tuple[object, ...], Variable] = {}
        self._members: set[Variable] = set()
        self._lines: dict[Apply, dict[Lines, None]] = {}
        self.origin: dict[Variable, Variable] = {}
        self.sources: dict[Symbol, Variable] = {}
        self.equations: list[tuple[Equation, Lines]] = []
        self.solution = SizeSolution()
        stop = set(inputs)
        nodes = applications(outputs, stop)
        self._collect_equations(nodes)
        self.inputs = [self._copy_input(v) for v in inputs]
        copies = dict(zip(inputs, self.inputs))
        self._copy(nodes, copies)
        self.outputs = [self._leaf(v, copies) for v in outputs]

    # -- building ---------------------------------------------------------------------------------

    def _collect_equations(self, nodes: Iterable[Apply]) -> None:
        for node in nodes:
            for equation in node.equations:
                self.equations.append((equation, equation.lines or node.lines))
                if equation.compare == "eq":
                    self._solve(equation, node.lines)

    def _solve(self, equation: Equation, lines: Lines) -> None:
        left, right = self.solution(equation.left), self.solution(equation.right)
        if dims.known_different(left, right):
            sizes = " and ".join(f"{size} (here {solved})" if size != solved else str(size)
                                 for size, solved in ((equation.left, left), (equation.right, right)))
            raise ShapeError(f"{equation.meaning}: {sizes} can never be equal, where all other sizes that must be are",
                             where=provenance.describe(lines), operands=equation.describe())
        self.solution.assume(left, right)

    def _copy_input(self, variable: Variable) -> Variable:
        shape = tuple(map(self.solution, variable.type.shape))
        copy = Variable(TensorType.of(variable.type.dtype, shape), name=variable.name)
        copy._lines = variable.lines
        copy.known_size = variable.known_size
        self._members.add(copy)
        self.origin[copy] = variable
        self._note_source(variable, copy)
        return copy

    def add_input(self, variable: Variable) -> Variable:
        """A variable as one more input of this graph, itself and not a copy."""
        self.inputs.append(variable)
        self._members.add(variable)
        self.origin[variable] = variable
        return variable

    def _leaf(self, variable: Variable, copies: dict[Variable, Variable]) -> Variable:
        if variable not in copies:
            if isinstance(variable, Constant):
                copies[variable] = self.constant(variable)
            else:
                copies[variable] = self._copy_input(variable)
                self.inputs.append(copies[variable])
        return copies[variable]

    def _copy(self, nodes: Iterable[Apply], copies: dict[Variable, Variable]) -> None:
        for node in nodes:
            inputs = tuple(self._leaf(v, copies) for v in node.inputs)
            for old, new in zip(node.outputs, self.apply(node.op, inputs, node.lines)):
                if old not in copies:
                    copies[old] = new
                    new.name = new.name or old.name
                    self._note_source(old, new)

    def _note_source(self, old: Variable, new: Variable) -> None:
        """`new` computes what `old` did: it answers for the symbols of old's value and sizes, if there are any."""
        lone = dims.lone_symbol(old.known_size) if old.known_size is not None else None
        copied = old.owner is None and lone not in self.sources  # an input, itself a copy of one of another graph
        if lone is not None and old.known_size is not None and (lone.source is old or copied):
            self.sources[lone] = new
            if new.known_size is None:
                new.known_size = old.known_size
            elif old.known_size != new.known_size:
                self.solution.assume(old.known_size, new.known_size)
        for size, own in zip(old.type.shape, new.type.shape):
            lone = dims.lone_symbol(size)
            if lone is not None and lone.source is old:
                self.sources[lone] = new
                self.solution.assume(size, own)

    def constant(self, variable: Constant) -> Variable:
        """The member that is this constant."""
        key = constant_key(variable.data)
        if key not in self._constants:
            self._constants[key] = variable
            self._members.add(variable)
        return self._constants[key]

    def apply(self, op: Op, inputs: tuple[Variable, ...], lines: Lines = ()) -> tuple[Variable, ...]:
        """The outputs of the one node that applies `op` to members; `lines` join its own."""
        key = (op, inputs)
        found = self._table.get(key)
        if found is None:
            with provenance.attributed(lines):
                found = op.make(*inputs)
            self._adopt(key, found)
        if lines:
            self.credit(found[0].owner, [lines])  # type: ignore[arg-type]
        return found

    def credit(self, node: Apply, places: Iterable[Lines]) -> None:
        """`node` stands for these places in the user's program too."""
        self._lines.setdefault(node, {}).update(dict.fromkeys(places))

    def find(self, op: Op, inputs: tuple[Variable, ...]) -> tuple[Variable, ...] | None:
        """The outputs of the node that applies `op` to members, if there is one."""
        return self._table.get((op, inputs))

    def __contains__(self, variable: object) -> bool:
        return variable in self._members

    def _adopt(self, key: tuple[Op, tuple[Variable, ...]], outputs: tuple[Variable, ...]) -> None:
        self._table[key] = outputs
        self._members.update(outputs)

    def intern(self, variable: Variable, lines: Lines = ()) -> Variable:
        """The member equal to an expression over members, constants and new applications."""
        if variable in self._members:
            return variable
        copies: dict[Variable, Variable] = {}
        for node in applications([variable], self._members):
            inputs = tuple(self._member(v, copies) for v in node.inputs)
            key = (node.op, inputs)
            if key not in self._table and all(new is old for new, old in zip(inputs, node.inputs)):
                self._adopt(key, node.outputs)  # already over members: no need to make it again
            new_outputs = self.apply(node.op, inputs, lines)
            copies.update(zip(node.outputs, new_outputs))
            for old, new in zip(node.outputs, new_outputs):
                self._note_source(old, new)
        return self._member(variable, copies)

    def _member(self, variable: Variable, copies: Mapping[Variable, Variable]) -> Variable:
        if variable in self._members:
            return variable
        if variable in copies:
            return copies[variable]
        assert isinstance(variable, Constant), f"{variable!r} is no member of the graph"
        return self.constant(variable)

    def settle_sizes(self) -> None:
        """Let types name the sizes that stand for others: then equal sizes are one, as far as equations tell.

        Of the symbols for the size of one axis of a computed variable one remains.
        """
        for symbol, variable in list(self.sources.items()):
            if symbol.axis is None:
                continue
            self.solution.assume(dims.of_atom(symbol), variable.type.shape[symbol.axis])
            left = dims.lone_symbol(self.solution(dims.of_atom(symbol)))
            if left is not symbol:
                del self.sources[symbol]
                if left is not None and left.source is not None and left.axis is not None:
                    self.sources.setdefault(left, variable)
        for variable in (*self.inputs, *(v for node in self.nodes() for v in node.outputs)):
            shape = tuple(map(self.solution, variable.type.shape))
            if shape != variable.type.shape:
                variable.type = TensorType.of(variable.type.dtype, shape)

    def copy(self) -> Graph:
        """A graph of its own that is the same: what is known of sizes included."""
        made = self._again(self.inputs, self.outputs, self.sources)
        made.origin = {new: self.origin[old] for new, old in made.origin.items()}
        stated = {equation for equation, _ in self.equations}
        made.equations = self.equations + [pair for pair in made.equations if pair[0] not in stated]
        return made

    def part(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
             known: Mapping[Variable, Variable] | None = None) -> Graph:
        """A graph of its own from some inputs to some outputs, with what is known of sizes and tells those it needs.

        What variables are in it can be said by `known`.
        """
        told = self.telling(outputs)
        roots = substitute([*outputs, *told.values()], known or {})
        return self._again(inputs, roots[:len(outputs)], dict(zip(told, roots[len(outputs):])))

    def telling(self, outputs: Sequence[Variable]) -> dict[Symbol, Variable]:
        """The sources that are computed for `outputs`, or tell what sizes are that ops need for them."""
        found: dict[Symbol, Variable] = {}
        pending, inputs = list(outputs), set(self.inputs)
        while pending:
            nodes = applications(pending, inputs)
            needed = {symbol for node in nodes for size in node.op.sizes()
                      for whole in (size, self.solution(size)) for symbol in dims.symbols_of(whole)}
            computed = {v for node in nodes for v in node.outputs}
            new = {symbol: v for symbol, v in self.sources.items()
                   if symbol not in found and (symbol in needed or v in computed)}
            found.update(new)
            pending = list(new.values())
        return found

    def _again(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
               sources: Mapping[Symbol, Variable]) -> Graph:
        made = Graph(inputs, [*outputs, *sources.values()])
        copies = made.outputs[len(outputs):]
        del made.outputs[len(outputs):]
        again, made.solution = made.solution, SizeSolution()  # in this graph another of two sizes may stand for both
        for old, new in self.solution.pairs():
            made.solution.record(old, new)
        for old, new in again.pairs():
            made.solution.assume(old, new)
        for symbol, variable in zip(sources, copies):
            made._answer_for(symbol, variable)
        return made

    def _answer_for(self, symbol: Symbol, variable: Variable) -> None:
        """Let a variable tell what a symbol is."""
        self.sources[symbol] = variable
        size = dims.of_atom(symbol)
        if symbol.axis is not None:
            self.solution.assume(size, variable.type.shape[symbol.axis])
        elif variable.known_size is not None:
            self.solution.assume(size, variable.known_size)
        elif not isinstance(variable, Constant):
            variable.known_size = size

    # -- reading ----------------------------------------------------------------------------------

    def lines_of(self, node: Apply) -> list[Lines]:
        """All the places in the user's program that this node stands for."""
        return list(self._lines.get(node, {})) or ([node.lines] if node.lines else [])

    def place_of(self, node: Apply) -> Lines:
        """The first of these places, which stands for all; () if none is known."""
        return next(iter(self.lines_of(node)), ())

    def roots(self) -> list[Variable]:
        """What keeps nodes alive: the values that sizes are made of, those known sooner first, and the outputs."""
        return [self.sources[symbol] for symbol in sorted(self.sources, key=attrgetter("order"))] + self.outputs

    def nodes(self) -> list[Apply]:
        """The live applications, each after those it needs."""
        return applications(self.roots(), set(self.inputs))

    toposort = nodes

    def users(self) -> dict[Variable, list[Apply | None]]:
        """For each live variable the nodes that use it, and None if it is kept for itself."""
        users: dict[Variable, list[Apply | None]] = {}
        for node in self.nodes():
            for variable in node.inputs:
                users.setdefault(variable, []).append(node)
        for variable in self.roots():
            users.setdefault(variable, []).append(None)
        return users

    @property
    def apply_nodes(self) -> set[Apply]:
        """The live applications, in no order."""
        return set(self.nodes())

    # -- changing ---------------------------------------------------------------------------------

    def replace(self, mapping: Callable[[Variable], Variable]) -> None:
        """Send outputs and sources to what `mapping` gives for them, and forget what is dead."""
        self.outputs = [mapping(v) for v in self.outputs]
        for symbol, variable in list(self.sources.items()):
            self.sources[symbol] = mapping(variable)
        self.prune()

    def prune(self) -> None:
        """Forget sources of symbols that no live type mentions, and nodes that nothing needs."""
        members: set[Variable] = set()
        sizes: set[Size] = {size for e, _ in self.equations for size in (e.left, e.right)}
        nodes: list[Apply] = []
        kept: dict[Symbol, Variable] = {}
        pending = self.inputs + self.outputs
        while pending:
            found = applications(pending, members.union(self.inputs))
            members.update(pending, *((*node.inputs, *node.outputs) for node in found))
            sizes.update(size for v in pending for size in sizes_in(v))
            sizes.update(size for node in found for v in node.outputs for size in sizes_in(v))
            wanted = {s for size in sizes for whole in (size, self.solution(size)) for s in dims.symbols_of(whole)}
            nodes += found
            needed = {s: v for s, v in self.sources.items() if s in wanted and s not in kept}
            kept.update(needed)
            pending = [v for v in needed.values() if v not in members]
        self.sources = kept
        self._table = {(node.op, node.inputs): node.outputs for node in nodes}
        self._members = members
        self._constants = {constant_key(v.data): v for v in members if isinstance(v, Constant)}
        self._lines = {node: self._lines[node] for node in nodes if node in self._lines}


def sizes_in(variable: Variable) -> Sequence[Size]:
    """Sizes in a variable's type, the one it is as a scalar, and those in the op that computes it."""
    own = () if variable.known_size is None else (variable.known_size,)
    return (*variable.type.shape, *own, *(variable.owner.op.sizes() if variable.owner is not None else ()))
