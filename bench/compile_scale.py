"""How long large graphs take to compile: seconds of each stage, by family and number of nodes.

    python bench/compile_scale.py [nodes ...]

Stages up to the program are seconds of this process; C is seconds of the compilers' processes together, and those that
pass meanwhile. Nothing is taken from the cache.

>>> [len(stages(FAMILIES[name], 200)) for name in FAMILIES]
[7, 7, 7, 7]
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Callable

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.codegen.cache import load_kernels
from symtensor.codegen.cpu.kernels import print_kernel
from symtensor.codegen.preamble import preamble
from symtensor.codegen.toolchain import require
from symtensor.ir.graph import Graph
from symtensor.ir.node import Variable
from symtensor.lower.plan import plan
from symtensor.rewrite.phases import optimize

Family = Callable[[int], tuple[list[Variable], list[Variable]]]
UNARY = (T.exp, T.tanh, T.sin, T.log1p, T.sqr, T.nnet.sigmoid)


def chain(nodes: int) -> tuple[list[Variable], list[Variable]]:
    """Each value is made of the one before it."""
    x = y = T.dvector("x")
    for _ in range(nodes // 2):
        y = T.sin(y) + x
    return [x], [y]


def wide(nodes: int) -> tuple[list[Variable], list[Variable]]:
    """Many values of one matrix, all of them results."""
    x = T.dmatrix("x")
    return [x], [UNARY[n % len(UNARY)](x * float(n)) + x for n in range(nodes // 3)]


def mixed(nodes: int) -> tuple[list[Variable], list[Variable]]:
    """Values of others chosen at random: elementwise, summed over either axis, shifted, multiplied as matrices."""
    rng = random.Random(0)
    x, w = T.fmatrix("x"), T.fmatrix("w")
    steps: list[Callable[[Variable, Variable], Variable]] = [
        lambda a, b: rng.choice(UNARY)(a) + b, lambda a, b: a * b, lambda a, b: T.switch(a > b, a, b),
        lambda a, b: a - b.sum(axis=0), lambda a, b: a / b.max(axis=1, keepdims=True), lambda a, b: T.dot(a, w) + b,
        lambda a, b: T.concatenate([a[1:], b[:1]]), lambda a, b: T.nnet.softmax(a)]
    pool = [x]
    while len(pool) < nodes // 2:
        pool.append(rng.choice(steps)(rng.choice(pool[-20:]), rng.choice(pool[-100:])))
    return [x, w], pool[-20:]


def network(nodes: int) -> tuple[list[Variable], list[Variable]]:
    """A recurrent network written out, with its gradient."""
    x, w, u = T.fmatrix("x"), T.fmatrix("w"), T.fmatrix("u")
    state = x
    for _ in range(nodes // 10):
        state = T.tanh(T.dot(state, w) + T.dot(x, u))
    cost = T.sqr(state).sum()
    return [x, w, u], [cost, *st.grad(cost, [w, u])]


FAMILIES: dict[str, Family] = {"chain": chain, "wide": wide, "mixed": mixed, "network": network}


def stages(family: Family, size: int) -> dict[str, float]:
    """Nodes after rewriting and kernels, and seconds of each stage."""
    clock = time.process_time
    inputs, outputs = family(size)
    begin = clock()
    graph = Graph(inputs, outputs)
    copied = clock()
    optimize(graph)
    rewritten = clock()
    program = plan(graph, len(inputs), [], print_kernel)
    planned, started, before = clock(), time.perf_counter(), _seconds_of_children()
    with config.change(cache=False):
        load_kernels(program.kernels, preamble=preamble(require().vector_math))
    return {"nodes": len(graph.nodes()), "kernels": len(program.kernels), "graph": copied - begin,
            "rewrite": rewritten - copied, "plan": planned - rewritten, "C": _seconds_of_children() - before,
            "C, elapsed": time.perf_counter() - started}


def _seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    for size in map(int, sys.argv[1:] or ["1000", "10000"]):
        for name, family in FAMILIES.items():
            found = stages(family, size)
            print(f"{name:8} {size:7}", *(f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}"
                                          for key, value in found.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
