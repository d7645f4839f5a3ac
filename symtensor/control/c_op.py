"""Ops written in C: a function of tensors, compiled like kernels and called from the virtual machine.

>>> import symtensor as st
>>> import symtensor.tensor as T
>>> double = COp('''
...     int twice(const st_tensor *x, st_tensor *y) {
...         const DTYPE_INPUT_0 *from = x->data;
...         DTYPE_OUTPUT_0 *to = y->data;
...         for (long i = 0; i < SIZE(x); ++i)
...             to[i] = 2 * from[i];
...         return 0;
...     }''', "twice", itypes=[T.dvector], otypes=[T.dvector], infer_shape=lambda shapes: shapes)
>>> x = T.dvector("x")
>>> st.function([x], double(x) + 1)([1.0, 2.0])
array([3., 5.])

The function takes a pointer to an `st_tensor` for each input, then for each output, and returns 0, or else that it
failed. An `st_tensor` is

    typedef struct { void *data; int ndim; const long *shape; } st_tensor;

with contiguous elements; the memory of the outputs is there, and inputs must not be written to. Macros:

* DTYPE_INPUT_i, DTYPE_OUTPUT_i: the C types of the elements;
* SIZE(t): how many elements a tensor has;
* APPLY_SPECIFIC(name): a name for other functions in the text, which no other op has.

The text may include headers of the C library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.codegen.dialect import TYPES
from symtensor.codegen.seal import digest
from symtensor.ir.node import Op, Unknown, Variable
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.types.tensor import TensorType

__all__ = ["COp", "ExternalCOp"]

_STRUCT = """\
#ifndef SIZE
typedef struct { void *data; int ndim; const long *shape; } st_tensor;
static inline long st_size(const st_tensor *t) {
  long size = 1;
  for (int axis = 0; axis < t->ndim; ++axis) size *= t->shape[axis];
  return size;
}
#define SIZE(t) st_size(t)
#endif
"""


class COp(Op):
    """The C function called `function` in the text `code`, as an op from tensors of `itypes` to those of `otypes`.

    Arguments are cast to the dtypes of `itypes`. `infer_shape(shapes)` gives the shapes of the outputs from those of
    the inputs; a type in `otypes` whose sizes are all fixed needs none. `pull(inputs, outputs, gradients)`, if given,
    gives the gradients of the inputs (None is zero). Raises TypeMismatch for what has no code in C, and CompileError
    with the compiler's message, when a function is made, for text that is not C.

    >>> scalar = TensorType("float64", ())
    >>> text = "int triple(const double *x, double *y) { *y = 3 * *x; return 0; }"
    >>> COp(text, "triple", (scalar,), (scalar,)).function
    'triple'
    """

    code: str
    function: str
    itypes: tuple[TensorType, ...]
    otypes: tuple[TensorType, ...]
    infer_shape: Callable[[Sequence[tuple[Any, ...]]], Sequence[Sequence[Any]]] | None = None
    pull: Callable[..., Sequence[Variable | None]] | None = None

    foldable = False

    def __post_init__(self) -> None:
        for name in ("itypes", "otypes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for type in (*self.itypes, *self.otypes):
            if type.dtype not in TYPES:
                raise TypeMismatch(f"{self}: there is no C for {type.dtype}")
        if self.infer_shape is None and any(None in type.static_shape for type in self.otypes):
            raise TypeMismatch(f"{self}: the sizes of the outputs are not known",
                               fix="infer_shape=lambda shapes: [shapes[0]], or otypes of fixed sizes")

    def prepare(self, *arguments: Any) -> Sequence[Variable]:
        if len(arguments) != len(self.itypes):
            raise TypeMismatch(f"{self} takes {len(self.itypes)} arguments, not {len(arguments)}",
                               fix="one for each of itypes")
        return [cast(as_variable(a), t.dtype) for a, t in zip(arguments, self.itypes)]

    def infer(self, *inputs: Variable) -> list[TensorType]:
        for position, (v, own) in enumerate(zip(inputs, self.itypes)):
            if v.type.ndim != own.ndim:
                raise TypeMismatch(f"argument {position} must have {own.ndim} axes, not {v.type.ndim}")
        if self.infer_shape is None:
            return list(self.otypes)
        shapes = [tuple(shape) for shape in self.infer_shape([v.type.shape for v in inputs])]
        given, wanted = [len(shape) for shape in shapes], [t.ndim for t in self.otypes]
        if given != wanted:
            raise TypeMismatch(f"infer_shape gave shapes of {given} axes, and the outputs have {wanted}",
                               fix="correct infer_shape or otypes")
        return [TensorType.of(t.dtype, shape) for t, shape in zip(self.otypes, shapes)]

    def evaluate(self, *values: np.ndarray) -> Any:
        from symtensor.runtime.function import function  # the value is what the C computes
        inputs = [t() for t in self.itypes]
        results = function(inputs, list(self.make(*inputs)))(*values)
        return tuple(results) if len(results) > 1 else results[0]

    def pullback(self, *values: Any) -> Any:
        if self.pull is None:
            return [Unknown(f"{self} is C, and nobody said what its derivative is")] * len(self.itypes)
        inputs, made = len(self.itypes), len(self.otypes)
        return self.pull(list(values[:inputs]), list(values[inputs:inputs + made]), list(values[inputs + made:]))

    def kernel_text(self) -> str:
        """The C text of a kernel of one unit: its buffers are the inputs and outputs, its sizes all their shapes."""
        types = [("INPUT", number, t) for number, t in enumerate(self.itypes)]
        types += [("OUTPUT", number, t) for number, t in enumerate(self.otypes)]
        macros = [f"DTYPE_{side}_{number} {TYPES[t.dtype]}" for side, number, t in types]
        own = digest(self.code, *macros)
        macros += [f"APPLY_SPECIFIC(name) name##_{own}", f"{self.function} {self.function}_{own}"]
        tensors, first = [], 0
        for buffer, (_, _, t) in enumerate(types):
            tensors.append(f"  st_tensor t{buffer} = {{buffers[{buffer}], {t.ndim}, sizes + {first}}};")
            first += t.ndim
        arguments = ", ".join(f"&t{buffer}" for buffer in range(len(types)))
        return "\n".join([
            f"{_STRUCT}#ifndef OP_{own}", f"#define OP_{own}", *(f"#define {macro}" for macro in macros),
            f'#line 1 "<{self.function}>"', self.code,
            *(f"#undef {macro.partition(' ')[0].partition('(')[0]}" for macro in macros), "#endif",
            "int KERNEL(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {",
            *tensors, f"  return {self.function}_{own}({arguments}) != 0;", "}", ""])

    def __repr__(self) -> str:
        return self.function


def ExternalCOp(func_files: Any, func_name: str, **options: Any) -> COp:
    """A `COp` whose text is in a file, or in several that are put together.

    Raises OSError for a file that cannot be read.
    """
    files = [func_files] if isinstance(func_files, (str, Path)) else list(func_files)
    return COp("\n".join(Path(file).read_text(encoding="utf-8") for file in files), func_name, **options)
