"""A joint kernel for CUDA: the blocks of the first part, then those of the next, and so on.

Parts of one text share a function, which is called once: a block finds the pointers and sizes of its part. The function
is told which of how many blocks it is.

>>> part = body(["float *b0", "long s0"], ["  if (!blockIdx.x) b0[threadIdx.x] = s0;"], barriers=False)
>>> print(join([part, part]))
inline void KERNEL_0(float *b0, long s0, const long block_x, const long grid_x) {
  if (!block_x) b0[threadIdx.x] = s0;
}
extern "C" __global__ void __launch_bounds__(256, 4) KERNEL(float *b0, float *b1, long s0, long s1, long s2, long s3) {
  long block = blockIdx.x;
  {
    float *p0 = b0;
    long p1 = s0;
    long blocks = s2;
    if (block >= blocks) { block -= blocks; p0 = b1; p1 = s1; blocks = s3; }
    return KERNEL_0(p0, p1, block, blocks);
  }
}
SYMTENSOR_KERNEL(KERNEL, 0)
<BLANKLINE>
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from symtensor.codegen.cuda.grid import kernel_text
from symtensor.codegen.named import with_name
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Map, form_of
from symtensor.lower.target import Body

__all__ = ["body", "join", "may_join"]

BLOCKS = 4
"""Blocks that a multiprocessor holds at least: a kernel has the registers that its most demanding part needs."""


def body(parameters: Sequence[str], lines: Sequence[str], barriers: bool, before: str = "") -> Body:
    """The part that a kernel is, of its parameters' declarations, its lines, and text before it."""
    own = [line.replace("blockIdx.x", "block_x").replace("gridDim.x", "grid_x") for line in lines]
    head = f"inline void KERNEL({', '.join([*parameters, 'const long block_x', 'const long grid_x'])}) {{"
    return Body(before + "\n".join([head, *own, "}"]), tuple(parameters), "barriers" if barriers else "")


def join(bodies: Sequence[Body]) -> str:
    """The text of a kernel that does the blocks of all parts; those of one text stand side by side."""
    functions, own = _shared_functions(bodies)
    names, declared = _named(bodies)
    units = [f"s{sum(name.startswith('s') for name in declared) + part}" for part in range(len(bodies))]
    lines = ["  long block = blockIdx.x;"]
    alike = [list(parts) for _, parts in groupby(range(len(bodies)), own.__getitem__)]
    for parts in alike:
        last = parts is alike[-1]
        total = " + ".join(units[part] for part in parts)
        lines.append("  {" if last else f"  if (block < {total}) {{")
        lines += [f"    {line}" for line in _found(bodies[parts[0]], parts, names, units)]
        arguments = [f"p{number}" for number in range(len(names[parts[0]]))]
        lines.append(f"    return KERNEL_{own[parts[0]]}({', '.join([*arguments, 'block', 'blocks'])});")
        lines.append("  }")
        if not last:
            lines.append(f"  block -= {total};")
    parameters = [*declared.values(), *(f"long {name}" for name in units)]
    return "\n".join([*functions, kernel_text(parameters, lines, any(body.kind for body in bodies), BLOCKS)])


def _named(bodies: Sequence[Body]) -> tuple[list[list[str]], dict[str, str]]:
    """What the parameters of each part are called, and their declarations: the buffers of all parts, then the sizes."""
    counts = {"b": 0, "s": 0}
    names: list[list[str]] = []
    declared: dict[str, dict[str, str]] = {"b": {}, "s": {}}
    for body in bodies:
        names.append([])
        for declaration in body.parameters:
            kind = _name_of(declaration)[0]
            name = f"{kind}{counts[kind]}"
            counts[kind] += 1
            names[-1].append(name)
            declared[kind][name] = _renamed(declaration, name)
    return names, {**declared["b"], **declared["s"]}


def _found(body: Body, parts: Sequence[int], names: Sequence[Sequence[str]], units: Sequence[str]) -> list[str]:
    """Lines that give p0, p1, ... and `blocks` what they are for the part that a block belongs to."""
    first, *others = parts
    lines = [f"{_renamed(declaration, f'p{number}').replace('__restrict__ ', '')} = {name};"
             for number, (declaration, name) in enumerate(zip(body.parameters, names[first]))]
    lines.append(f"long blocks = {units[first]};")
    for part in others:
        moves = [f"p{number} = {name};" for number, name in enumerate(names[part])]
        lines.append(f"if (block >= blocks) {{ {' '.join(['block -= blocks;', *moves, f'blocks = {units[part]};'])} }}")
    return lines


def _name_of(declaration: str) -> str:
    return re.findall(r"\w+", declaration)[-1]


def _renamed(declaration: str, name: str) -> str:
    return re.sub(r"\w+$", name, declaration)


def may_join(printer: ScalarPrinter) -> bool:
    """Whether a kernel may be part of a joint one: it reduces nothing, and so one unit is much as any other's."""
    return not printer.fails and isinstance(form_of(printer.kernel), Map)


def _shared_functions(bodies: Sequence[Body]) -> tuple[list[str], list[int]]:
    """The texts of the functions KERNEL_0, KERNEL_1, ... that parts need, and which is each part's."""
    numbers: dict[str, int] = {}
    own = [numbers.setdefault(body.text, len(numbers)) for body in bodies]
    return [with_name(text, f"KERNEL_{number}") for text, number in numbers.items()], own
