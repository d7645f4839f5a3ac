"""The stages of the compiler, each run alone on a graph as text.

>>> graph = from_text('''symbol n
... input %x: float64 (n,)
... %1: float64 () = constant 1.0
... %2: float64 (n,) = exp(%x)
... %3: float64 (n,) = add(%1, %2)
... %4: float64 (n,) = log(%3)
... return %4''')
>>> print(rewritten(graph))
symbol n
input %x: float64 (n,)
%0: float64 (n,) = softplus(%x)
return %0
>>> print(groups(graph))
kernel softplus: softplus
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TextIO

from symtensor import ops  # noqa: F401  (text finds an op by name among those that are imported)
from symtensor.codegen.cpu.kernels import print_kernel
from symtensor.codegen.cuda import kernels as cuda
from symtensor.codegen.cuda.joint import join
from symtensor.codegen.named import with_name
from symtensor.ir.graph import Graph
from symtensor.ir.text import from_text, to_text
from symtensor.ir.verify import verify
from symtensor.lower.kernel import Kernel
from symtensor.lower.plan import plan
from symtensor.lower.target import Joiner, PrintedKernel, Printer
from symtensor.rewrite.phases import optimize
from symtensor.runtime.compiled import describe_program
from symtensor.tools.explain import parts_of
from symtensor.tools.kernel_text import kernel_text

__all__ = ["STAGES", "read", "rewritten", "groups", "loops", "kernels", "cuda_kernels", "program"]


def read(file: TextIO) -> Graph:
    """The graph in a file, verified. Raises TextError or VerifyError."""
    graph = from_text(file.read())
    verify(graph)
    return graph


def rewritten(graph: Graph) -> str:
    """a graph as text, optimised"""
    optimize(graph)
    return to_text(graph)


def groups(graph: Graph) -> str:
    """which nodes of a graph share a kernel, and why not more do; the graph is taken as it is"""
    text = []
    for part in parts_of(graph):
        text.append(f"{part.title}: {' '.join(str(node.op) for node in part.nodes)}")
        text += [f"  apart from {reason}" for reason in part.apart]
    return "\n".join(text)


def loops(graph: Graph) -> str:
    """a graph's kernels as loops and scalars, before they are C; the graph is taken as it is"""
    found: list[str] = []

    def note(kernel: Kernel) -> Sequence[PrintedKernel]:
        found.append(kernel_text(kernel))
        return print_kernel(kernel)

    plan(graph, len(graph.inputs), [], note)
    return "\n\n".join(found)


def kernels(graph: Graph) -> str:
    """the C text of a graph's kernels; the graph is taken as it is"""
    return _texts(graph, print_kernel)


def cuda_kernels(graph: Graph) -> str:
    """the CUDA text of a graph's kernels; the graph is taken as it is"""
    return _texts(graph, cuda.print_kernel, join)


def _texts(graph: Graph, printer: Printer, joiner: Joiner | None = None) -> str:
    made = plan(graph, len(graph.inputs), [], printer, join=joiner).kernels
    return "\n".join(with_name(text, name) for name, text, _ in made).rstrip()


def program(graph: Graph) -> str:
    """the program of a graph: sizes, buffers, instructions; the graph is taken as it is"""
    return describe_program(plan(graph, len(graph.inputs), [], print_kernel))


STAGES: dict[str, Callable[[Graph], str]] = {
    "rewrite": rewritten, "groups": groups, "loops": loops, "kernels": kernels,
    "cuda-kernels": cuda_kernels, "program": program}
"""The stages that are commands; the docstrings are their help."""
