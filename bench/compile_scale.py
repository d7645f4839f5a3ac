"""How compile time grows: processor seconds of each stage, for families of graphs of growing size.

    python bench/compile_scale.py [nodes ...] [--family NAME ...] [--compile]

Timed are making the graph (`write`: the user's expression, `intern`: the graph of it), rewriting it, planning the
program and printing its kernels. With `--compile` the kernels are compiled too, none taken from the cache: `C` is what
the compilers' processes take together, `elapsed` what passes meanwhile. `us/node` is what rewriting takes for a node.

>>> [line.split()[0] for line in rows(["chain"], [100])]
['family', 'chain']
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import ShapeError
from symtensor.codegen.cache import load_kernels
from symtensor.codegen.cpu.kernels import print_kernel
from symtensor.codegen.preamble import preamble
from symtensor.codegen.toolchain import require
from symtensor.ir.graph import Graph, applications, leaves, substitute
from symtensor.ir.node import Constant, Variable
from symtensor.lower.kernel import Kernel
from symtensor.lower.plan import plan
from symtensor.lower.program import Program
from symtensor.lower.target import PrintedKernel
from symtensor.rewrite.phases import optimize
from symtensor.testing.mixed_graphs import mixed_graph
from symtensor.types.dim import Dim

STAGES = ("write", "intern", "rewrite", "plan", "print")
COMPILING = ("C", "elapsed")


def chain(nodes: int) -> list[Variable]:
    """One elementwise op after the other."""
    y = T.dvector("x")
    for _ in range(nodes // 2):
        y = T.tanh(y) + 1
    return [y]


def wide(nodes: int) -> list[Variable]:
    """Many short expressions of one input, each an output."""
    x = T.dvector("x")
    return [T.exp(x * number) + x for number in range(nodes // 3)]


def mixed(nodes: int) -> list[Variable]:
    """Random expressions, each of inputs and sizes of its own: slices, joins, gathers, reductions, sizes known late."""
    outputs: list[Variable] = []
    for seed in itertools.count():
        if len(applications(outputs)) >= nodes:
            return outputs
        made = mixed_graph(random.Random(seed), steps=40)
        own = {}
        for v in made.inputs:
            shape = [f"{size}{seed}" if isinstance(size, Dim) else size for size in v.type.shape]
            own[v] = v.type(v.name, shape)
        with contextlib.suppress(ShapeError):  # it has sizes that can never agree
            Graph(made.inputs, made.outputs)
            outputs += substitute(made.outputs, own)
    raise AssertionError


def network(nodes: int) -> list[Variable]:
    """A recurrent network unrolled in time, with the derivatives by its weights."""
    x, w, u, b = T.dtensor3("x"), T.dmatrix("w"), T.dmatrix("u"), T.dvector("b")
    state = T.dmatrix("state")
    for step in range(max(1, nodes // 16)):
        state = T.tanh(T.dot(state, w) + T.dot(x[step], u) + b)
    return [*st.grad((state ** 2).sum(), [w, u, b])]


def slices(nodes: int) -> list[Variable]:
    """Slices of slices of a vector, with arithmetic between."""
    x = T.dvector("x")
    for number in range(nodes // 3):
        x = T.tanh(x[1:]) if number % 2 else x[:-1] * 2
    return [x]


FAMILIES: dict[str, Callable[[int], list[Variable]]] = {
    made.__name__: made for made in (chain, wide, mixed, network, slices)}


def seconds(family: str, nodes: int, compiling: bool = False) -> tuple[int, list[float]]:
    """The nodes of a graph of a family, and what each stage takes; at the end those of compiling, if asked for."""
    marks = [time.process_time()]
    outputs = FAMILIES[family](nodes)
    marks.append(time.process_time())
    graph = Graph([v for v in leaves(outputs) if not isinstance(v, Constant)], outputs)
    marks.append(time.process_time())
    count = len(graph.nodes())
    optimize(graph)
    marks.append(time.process_time())
    printing = 0.0

    def timed(kernel: Kernel) -> PrintedKernel:
        nonlocal printing
        started = time.process_time()
        printed = print_kernel(kernel)
        printing += time.process_time() - started
        return printed
    program = plan(graph, len(graph.inputs), [], timed)
    marks.append(time.process_time())
    taken = [end - start for start, end in zip(marks, marks[1:])]
    return count, [*taken[:-1], taken[-1] - printing, printing, *(_compiled(program) if compiling else ())]


def _compiled(program: Program) -> tuple[float, float]:
    """Seconds of the compilers' processes, and those that pass."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with config.change(cache=False):
        load_kernels([(k.name, k.text) for k in program.kernels], preamble=preamble(require().vector_math))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return taken, time.perf_counter() - started


def rows(families: Sequence[str], sizes: Sequence[int], compiling: bool = False) -> Iterator[str]:
    """A table, line by line as it is measured."""
    stages = STAGES + COMPILING if compiling else STAGES
    yield f"{'family':<9}{'nodes':>8}" + "".join(f"{stage:>9}" for stage in stages) + f"{'us/node':>9}"
    for family in families:
        for size in sizes:
            count, taken = seconds(family, size, compiling)
            each = taken[STAGES.index("rewrite")] / count * 1e6
            yield f"{family:<9}{count:>8}" + "".join(f"{value:>9.2f}" for value in taken) + f"{each:>9.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", nargs="*", type=int, default=[1_000, 10_000])
    parser.add_argument("--family", nargs="*", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    for row in rows(arguments.family, arguments.nodes, arguments.compile):
        print(row, flush=True)
