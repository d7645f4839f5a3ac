"""e to the x as C that compilers turn into vector instructions, within 1 ulp: faster than a call, and as accurate.

x = k log(2) + r, with k a whole number and |r| <= log(2) / 2; then e to the r is a polynomial, and 2 to the k
an addition to the exponent. The whole number is read from the bits of a sum with a number so large that no
fraction is left. Where the result is subnormal, or 0, it is made larger first and smaller at the end, to round once.

>>> "float exp_float32(float x)" in exponentials()
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["exponentials"]

_TEMPLATE = """
static inline __attribute__((always_inline)) {type} exp_{name}({type} x) {{
  const {type} least = x < {least} ? {least} : x;
  const {type} shifted = least * {per_log2} + {shift};
  const {type} k = shifted - {shift};
  const {type} r = (least - k * {log2_high}) - k * {log2_low};
  {type} q = {first};
{steps}
  {type} result = r * r * q + r + 1, factor;
  {bits} raised = -({bits})(x < {small}) & (({bits}){raised} << {mantissa}), exponent, sum, lowered;
  __builtin_memcpy(&exponent, &shifted, sizeof exponent);
  __builtin_memcpy(&sum, &result, sizeof sum);
  sum += (exponent << {mantissa}) + raised;
  lowered = {one} - raised;
  __builtin_memcpy(&result, &sum, sizeof result);
  __builtin_memcpy(&factor, &lowered, sizeof factor);
  return x <= {most} ? result * factor : x + {infinity};  /* infinity, and NaN of NaN */
}}
"""


@dataclass(frozen=True)
class _Precision:
    """The constants for one dtype. `coefficients` are of (e^r - 1 - r) / r^2, the highest power first."""

    type: str
    bits: str
    mantissa: int
    suffix: str
    shift: str          # 1.5 * 2^mantissa: the last bit of a number near it counts ones
    log2_high: str      # of so few bits that its product with k is exact
    log2_low: str
    small: str          # below, results may be subnormal
    least: str          # from here down, the result rounds to 0
    most: str           # the largest x with a finite result
    raised: str
    one: str
    coefficients: Sequence[str]


_PRECISIONS = {
    "float32": _Precision(
        "float", "unsigned int", 23, "f", "0x1.8p+23f", "0x1.62ep-1f", "0x1.0bfbe8p-15f", "-87.0f", "-104.0f",
        "0x1.62e42ep+6f", "64", "0x3f800000",
        ("0.00019891080f", "0.0013933731f", "0.0083333108f", "0.041666464f", "0.16666667f", "0.5f")),
    "float64": _Precision(
        "double", "unsigned long", 52, "", "0x1.8p+52", "0x1.62e42fefa38p-1", "0x1.ef35793c7673p-45", "-708.0",
        "-746.0", "0x1.62e42fefa39efp+9", "512", "0x3ff0000000000000",
        ("0x1.1f7340dbc337ep-29", "0x1.af4e554377204p-26", "0x1.27e4db46cddd1p-22", "0x1.71de01fdbf9cap-19",
         "0x1.a01a01a6e1e2ap-16", "0x1.a01a01abf85abp-13", "0x1.6c16c16c162c3p-10", "0x1.11111111100bep-7",
         "0x1.5555555555556p-5", "0x1.5555555555557p-3", "0.5")),
}


def exponentials() -> str:
    """The functions `exp_float32` and `exp_float64`."""
    return "".join(_function(name, precision) for name, precision in _PRECISIONS.items())


def _function(name: str, precision: _Precision) -> str:
    first, *others = precision.coefficients
    return _TEMPLATE.format(
        **vars(precision), name=name, first=first, per_log2=f"0x1.71547652b82fep+0{precision.suffix}",
        infinity=f"__builtin_inf{precision.suffix}()", steps="\n".join(f"  q = q * r + {each};" for each in others))
