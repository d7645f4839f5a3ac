"""What kernels for processors ask of a launch."""

from symtensor.codegen.cpu.kernels import print_kernel
from symtensor.lower.kernel import Kernel, Loop, Reduction, Scope, Store
from symtensor.types import dim as dims
from symtensor.types.dim import Symbol, of_atom


def total(extent):
    """The kernel of the sum of a vector."""
    scope, loop = Scope(), Loop.make("i", extent)
    sum_of = Reduction("sum", scope.load(0, loop.counter, "float32"))
    return Kernel("total", [loop], [loop], [sum_of], [Store(1, 0, scope.result(0, "float32"))], ["float32"] * 2)


def test_blocks_of_a_split_reduction_count_as_all_their_elements():
    """The work decides how many threads there are: with that of the blocks alone a large sum would run on one."""
    length, million = Symbol("n"), 2**20
    first, second = print_kernel(total(of_atom(length)))
    assert dims.evaluate(first.work, {length: million}) == million
    assert dims.evaluate(second.work, {length: million}) == dims.evaluate(first.units, {length: million}) == 64


def test_short_reductions_are_not_split():
    assert len(print_kernel(total(1000))) == 1
