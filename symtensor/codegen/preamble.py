"""What stands before generated C: prototypes of the math library and a few inline functions. No #include.

>>> "float expf(float)" in preamble(vector=True)
True
"""

from __future__ import annotations

from functools import cache

from symtensor.codegen.cpu.stretches import NOTHING
from symtensor.codegen.dialect import TYPES
from symtensor.codegen.exponential import exponentials
from symtensor.codegen.narrow import conversions
from symtensor.types.dtype import FLOATS, NARROW

__all__ = ["helpers", "preamble"]

_VECTOR = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan",
           "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "cbrt"]
_VECTOR_TWO = ["pow", "atan2", "hypot"]
_SCALAR = ["lgamma", "tgamma"]
# These become instructions: they must not be declared as calls into the vector library.
_BUILTIN = ["sqrt", "fabs", "floor", "ceil", "trunc", "rint", "round"]

_SIGNED_HELPERS = """
static inline {type} floor_div_{name}({type} x, {type} y) {{
  if (!y) return 0;
  if (y == -1) return ({type})(0 - (unsigned long)x);  /* the division traps for the lowest x */
  {type} q = x / y;
  return q - ((x % y != 0) & ((x % y < 0) != (y < 0)));
}}
static inline {type} modulo_{name}({type} x, {type} y) {{
  if (!y || y == -1) return 0;
  {type} r = x % y;
  return r + (((r != 0) & ((r < 0) != (y < 0))) ? y : 0);
}}
"""
_UNSIGNED_HELPERS = """
static inline {type} floor_div_{name}({type} x, {type} y) {{ return y ? x / y : 0; }}
static inline {type} modulo_{name}({type} x, {type} y) {{ return y ? x % y : 0; }}
"""
_INTEGER_HELPERS = """
static inline {type} integer_power_{name}({type} x, {type} y) {{
  if (y < 0) return x == 1 ? 1 : x == ({type})-1 ? (y & 1 ? -1 : 1) : 0;
  {type} result = 1;
  while (y) {{
    if (y & 1) result = ({type})((unsigned long)result * x);
    x = ({type})((unsigned long)x * x);
    y >>= 1;
  }}
  return result;
}}
"""
_FLOAT_HELPERS = """
static inline {type} modulo_{name}({type} x, {type} y) {{
  {type} r = __builtin_fmod{f}(x, y);
  if (r != 0) return (r < 0) != (y < 0) ? r + y : r;
  return __builtin_copysign{f}(0, y);
}}
static inline {type} floor_div_{name}({type} x, {type} y) {{
  if (y == 0) return x / y;
  {type} r = __builtin_fmod{f}(x, y);
  {type} q = (x - r) / y;
  if (r != 0 && (r < 0) != (y < 0)) q -= 1;
  if (q == 0) return __builtin_copysign{f}(0, x / y);
  {type} down = __builtin_floor{f}(q);
  return q - down > 0.5{f} ? down + 1 : down;
}}
"""
_INDEX_HELPER = """
static inline long wrap_index(long index, long size, int *status) {
  long counted = index < 0 ? index + size : index;
  int bad = (unsigned long)counted >= (unsigned long)size;
  *status |= bad;
  return bad ? 0 : counted;
}
"""


@cache
def preamble(vector: bool) -> str:
    """The text before generated kernels; `vector` declares the vector forms that libmvec has."""
    # A function that the compiler does not know by its name (see `toolchain`) is const only if that is said.
    simd = '__attribute__((const, simd("notinbranch"))) ' if vector else "__attribute__((const)) "
    lines = []
    for type_name, suffix in (("float", "f"), ("double", "")):
        one, two = f"({type_name})", f"({type_name}, {type_name})"
        lines += [f"{simd}{type_name} {name}{suffix}{one};" for name in _VECTOR]
        lines += [f"{simd}{type_name} {name}{suffix}{two};" for name in _VECTOR_TWO]
        lines += [f"{type_name} {name}{suffix}{one};" for name in _SCALAR + _BUILTIN]
    return "\n".join([*lines, NOTHING]) + exponentials() + conversions() + helpers()


def helpers() -> str:
    """The inline functions on numbers and indices, which are the same for all targets."""
    lines = []
    for name, c_type in TYPES.items():
        if name in NARROW:
            continue
        if name in FLOATS:
            lines.append(_FLOAT_HELPERS.format(type=c_type, name=name, f="f" if name == "float32" else ""))
        elif name != "bool":
            template = (_UNSIGNED_HELPERS if name.startswith("u") else _SIGNED_HELPERS) + _INTEGER_HELPERS
            lines.append(template.format(type=c_type, name=name))
    return "\n".join(lines) + _INDEX_HELPER
