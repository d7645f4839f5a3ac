"""A reduction in two kernels: partial results of blocks, which can be computed side by side, then their combination.

Whether to split, and into what blocks, a target decides; blocks that depend on sizes only keep the bits the same.

>>> from symtensor.lower.kernel import Scope
>>> scope, i = Scope(), Loop.make("i", 1000)
>>> total = Kernel("total", [i], [i], [Reduction("sum", scope.load(0, i.counter, "float32"))],
...                [Store(1, 0, scope.result(0, "float32"))], ["float32"] * 2)
>>> is_divisible(total)
True
>>> for part, buffers in split(total, 100):
...     print(part.name, part.loops[0].extent, buffers)
total 10 (0, Partial(dtype='float32', length=10))
total_total 10 (Partial(dtype='float32', length=10), 1)
"""

from __future__ import annotations

from symtensor.lower.form import Column, form_of
from symtensor.lower.kernel import Kernel, Loop, Reduction, Scope, Store, needs_result, product
from symtensor.lower.relocate import Relocation, with_used_slots
from symtensor.lower.target import Partial
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["is_divisible", "split"]


def is_divisible(kernel: Kernel) -> bool:
    """Whether the outermost loop is reduced over, in one pass, so that blocks of it can be done side by side."""
    if not kernel.reductions or kernel.loops[0] not in kernel.reduce:
        return False
    if kernel.parallel and (not isinstance(form_of(kernel), Column) or len(kernel.parallel) > 1):
        return False
    if any(r.kind.startswith("arg") or needs_result(r.value) for r in kernel.reductions):
        return False
    return not any(needs_result(store.value) for store in _point_stores(kernel))


def split(kernel: Kernel, rows: Size) -> list[tuple[Kernel, tuple[int | Partial, ...]]]:
    """Two kernels for a divisible one, with their buffers: its slots and partial results.

    The first reduces blocks of `rows` rounds of the outermost loop, the second combines their results and
    computes what follows from those.
    """
    outermost, *others = kernel.loops
    block = Loop.make("block", dims.ceildiv(outermost.extent, rows))
    partials = [Partial(r.value.dtype, block.extent * product(kernel.parallel)) for r in kernel.reductions]
    buffers = [*range(len(kernel.dtypes)), *partials]
    dtypes = kernel.dtypes + [partial.dtype for partial in partials]
    first, second = _parts_of_blocks(kernel, block, rows), _combination(kernel, block)
    made: list[tuple[Kernel, tuple[int | Partial, ...]]] = []
    for part in (first, second):
        part.dtypes = dtypes
        compact, slots = with_used_slots(part)
        made.append((compact, tuple(buffers[slot] for slot in slots)))
    return made


def _parts_of_blocks(kernel: Kernel, block: Loop, rows: Size) -> Kernel:
    outermost, *others = kernel.loops
    inside = Loop.make("j", dims.minimum(rows, outermost.extent - block.counter * rows))
    moved = Relocation(Scope(), {outermost.symbol: block.counter * rows + inside.counter})
    results = [Store(len(kernel.dtypes) + number, _place(kernel, block), moved.scope.result(number, r.value.dtype))
               for number, r in enumerate(kernel.reductions)]
    return Kernel(kernel.name, [block, inside, *others], [inside, *kernel.reduce[1:]],
                  [Reduction(r.kind, moved.value(r.value)) for r in kernel.reductions],
                  [moved.store(store) for store in _point_stores(kernel)] + results, [], kernel.lines)


def _combination(kernel: Kernel, block: Loop) -> Kernel:
    again, scope = Loop.make("block", block.extent), Scope()
    loads = [scope.load(len(kernel.dtypes) + number, _place(kernel, again), r.value.dtype)
             for number, r in enumerate(kernel.reductions)]
    return Kernel(kernel.name + "_total", [again, *kernel.parallel], [again],
                  [Reduction(r.kind, load) for r, load in zip(kernel.reductions, loads)],
                  [store for store in kernel.stores if store not in _point_stores(kernel)], [], kernel.lines)


def _place(kernel: Kernel, block: Loop) -> Size:
    """Where the result of a block lies among the partial results: a row of columns for each block."""
    column: Size = kernel.parallel[0].counter if kernel.parallel else 0
    return block.counter * product(kernel.parallel) + column


def _point_stores(kernel: Kernel) -> list[Store]:
    """The stores made at every point of R."""
    inner = {loop.symbol for loop in kernel.reduce}
    return [s for s in kernel.stores if any(symbol in inner for symbol in dims.symbols_of(s.offset))]
