"""Special functions: error functions, gamma functions, Bessel functions.

Their meaning is SciPy's; their code is `special_text`, in double whatever the dtype, so that float32 results are
rounded once. Where the two differ by more than a few units in the last place (`ulps`) it is SciPy that is further from
the truth: tests/ops/test_special.py holds the code against many digits.

>>> from symtensor.ops.convert import as_variable
>>> round(float(erfcx.evaluate(10.0)), 8), gammaln(as_variable(3)).type.dtype
(0.05614099, 'float32')
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symtensor.ir.node import Unknown, Variable
from symtensor.ops import special_text
from symtensor.ops.elementwise import Elementwise, primitive
from symtensor.ops.scalar import eq, exp, log, square, switch
from symtensor.types.dtype import promote

__all__ = ["erfcx", "erfinv", "erfcinv", "gamma", "gammaln", "psi", "polygamma", "gammainc", "gammaincc", "jv", "iv"]


def _in_double(name: str) -> Callable[..., Any]:
    """A function of scipy.special, computed in double and rounded to the dtype of its first argument."""
    def call(*values: Any) -> Any:
        import scipy.special  # heavy to import and seldom needed
        dtype = np.asarray(values[0]).dtype
        wide = [np.asarray(value).astype(promote(dtype.name, "float64")) for value in values]
        return np.asarray(getattr(scipy.special, name)(*wide)).astype(dtype)
    return call


def _special(name: str, arity: int, c: str, doc: str, functions: str = "", scipy: str | Callable[..., Any] = "",
             **facts: Any) -> Elementwise:
    meaning = _in_double(scipy or name) if isinstance(scipy, str) else scipy
    return primitive(name, arity, "real float", meaning, c, doc, c_functions=functions, cost=100, **facts)


def _polygamma(n: Any, x: Any) -> Any:
    whole = (n >= 0) & (n <= 170) & (n == np.floor(n))  # beyond, a factorial overflows
    return np.where(whole, _in_double("polygamma")(np.where(whole, n, 0), x), np.nan).astype(np.asarray(x).dtype)


erfcx = _special("erfcx", 1, "special_erfcx({0})", "exp(x * x) * erfc(x), far out too.", special_text.ERROR)
erfinv = _special("erfinv", 1, "special_erfinv({0})", "The y with erf(y) = x.", special_text.ERROR)
erfcinv = _special("erfcinv", 1, "special_erfcinv({0})", "The y with erfc(y) = x.", special_text.ERROR)
gamma = _special("gamma", 1, "tgamma((double){0})", "Gamma function, (x - 1)! for whole x.")
gammaln = _special("gammaln", 1, "special_gammaln({0})", "Logarithm of the absolute value of gamma(x).",
                   special_text.GAMMALN, ulps=100)
psi = _special("psi", 1, "special_psi({0})", "Derivative of gammaln (digamma).", special_text.POLYGAMMA, ulps=30)
polygamma = _special("polygamma", 2, "special_polygamma({0}, {1})",
                     "Derivative of order n of psi(x), for whole n up to 170.", special_text.POLYGAMMA,
                     scipy=_polygamma, ulps=100)
gammainc = _special("gammainc", 2, "special_gamma_part({0}, {1}, 0)",
                    "Lower incomplete gamma function of order k up to x, over gamma(k).", special_text.INCOMPLETE_GAMMA,
                    ulps=1000)
gammaincc = _special("gammaincc", 2, "special_gamma_part({0}, {1}, 1)", "1 - gammainc(k, x), where that is small too.",
                     special_text.INCOMPLETE_GAMMA, ulps=1000)
jv = _special("jv", 2, "special_jv({0}, {1})", "Bessel function of the first kind of order v.", special_text.BESSEL,
              ulps=1000)
iv = _special("iv", 2, "special_iv({0}, {1})", "Modified Bessel function of the first kind of order v.",
              special_text.BESSEL, ulps=30)

_HALF_ROOT_PI = float(np.sqrt(np.pi) / 2)
_ORDER = Unknown("the derivative by the order of this function has no code")


def _density(k: Variable, x: Variable) -> Variable:
    """x ** (k - 1) * exp(-x) / gamma(k), the derivative of gammainc by x."""
    power = switch(eq(x, 0) & eq(k, 1), 0, (k - 1) * log(x))  # type: ignore[operator]
    return exp(power - x - gammaln(k))


erfcx.define_pullback(lambda x, y, dy: dy * (x * y * 2 - float(2 / np.sqrt(np.pi))))
erfinv.define_pullback(lambda x, y, dy: dy * exp(square(y)) * _HALF_ROOT_PI)
erfcinv.define_pullback(lambda x, y, dy: -dy * exp(square(y)) * _HALF_ROOT_PI)
gamma.define_pullback(lambda x, y, dy: dy * y * psi(x))
gammaln.define_pullback(lambda x, y, dy: dy * psi(x))
psi.define_pullback(lambda x, y, dy: dy * polygamma(1, x))
polygamma.define_pullback(lambda n, x, y, dy: (_ORDER, dy * polygamma(n + 1, x)))
gammainc.define_pullback(lambda k, x, y, dy: (_ORDER, dy * _density(k, x)))
gammaincc.define_pullback(lambda k, x, y, dy: (_ORDER, -dy * _density(k, x)))
jv.define_pullback(lambda v, x, y, dy: (_ORDER, dy * (jv(v - 1, x) - jv(v + 1, x)) / 2))
iv.define_pullback(lambda v, x, y, dy: (_ORDER, dy * (iv(v - 1, x) + iv(v + 1, x)) / 2))
