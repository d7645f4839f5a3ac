"""A joint kernel for processors: a table of the parts, each of which does what it has of the units asked for.

>>> part = Body("int KERNEL(...) { ... }", ("b0", "b1", "s0"))
>>> print(join([part, part]))
int KERNEL_0(...) { ... }
int KERNEL(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  static const struct { int (*run)(void *const *, const long *, long, long, void *); int buffer, size; }
    parts[] = {{KERNEL_0, 0, 0}, {KERNEL_0, 2, 1}};
  int status = 0;
  for (int part = 0; part < 2 && end > 0; ++part) {
    const long units = sizes[2 + part];
    if (begin < units)
      status |= parts[part].run(buffers + parts[part].buffer, sizes + parts[part].size,
                                begin > 0 ? begin : 0, end < units ? end : units, scratch);
    begin -= units;
    end -= units;
  }
  return status;
}
<BLANKLINE>
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from symtensor.codegen.joint import shared_functions
from symtensor.lower.target import Body

__all__ = ["join"]

_HEAD = "int KERNEL(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {"


def join(bodies: Sequence[Body]) -> str:
    """The text of a kernel that does the units of all parts, whose `parameters` are named "b..." and "s..."."""
    functions, own = shared_functions(bodies)
    first_buffer, first_size = ([0, *accumulate(sum(name.startswith(kind) for name in body.parameters)
                                                for body in bodies)] for kind in "bs")
    parts = ", ".join(f"{{KERNEL_{function}, {buffer}, {size}}}"
                      for function, buffer, size in zip(own, first_buffer, first_size))
    return "\n".join([
        *functions, _HEAD,
        "  static const struct { int (*run)(void *const *, const long *, long, long, void *); int buffer, size; }",
        f"    parts[] = {{{parts}}};",
        "  int status = 0;",
        f"  for (int part = 0; part < {len(bodies)} && end > 0; ++part) {{",
        f"    const long units = sizes[{first_size[-1]} + part];",
        "    if (begin < units)",
        "      status |= parts[part].run(buffers + parts[part].buffer, sizes + parts[part].size,",
        "                                begin > 0 ? begin : 0, end < units ? end : units, scratch);",
        "    begin -= units;",
        "    end -= units;",
        "  }",
        "  return status;",
        "}", ""])
