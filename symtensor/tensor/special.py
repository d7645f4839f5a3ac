"""Special functions under Theano's names: the primitives of `ops.special`, and what is composed from them.

Integers become floats. Derivatives by the order of a function (the `k` of gammainc, the `v` of jv) are not known.

>>> from symtensor.tensor.inputs import fvector
>>> gammaln(fvector("x")).type, chi2sf(fvector("x"), 2).type
(TensorType(float32, (x.0,)), TensorType(float32, (x.0,)))
"""

from __future__ import annotations

from typing import Any

from symtensor.ir.node import Variable
from symtensor.ops import special
from symtensor.ops.convert import together
from symtensor.ops.special import *  # noqa: F403  (every primitive is public under its own name)

__all__ = ["tri_gamma", "chi2sf", "gammal", "gammau", "j0", "j1", "i0", "i1", *special.__all__]


def tri_gamma(x: Any) -> Variable:
    """The second derivative of gammaln, polygamma(1, x).

    >>> tri_gamma(1.0).eval()
    array(1.64493407)
    """
    return special.polygamma(1, x)


def gammal(k: Any, x: Any) -> Variable:
    """The lower incomplete gamma function of order `k` up to `x`: gammainc(k, x) * gamma(k).

    >>> gammal(3.0, 1.0).eval()
    array(0.16060279)
    """
    k, x = together([k, x])
    return special.gammainc(k, x) * special.gamma(k)


def gammau(k: Any, x: Any) -> Variable:
    """The upper incomplete gamma function of order `k` from `x` on: gammaincc(k, x) * gamma(k).

    >>> gammau(3.0, 1.0).eval()
    array(1.83939721)
    """
    k, x = together([k, x])
    return special.gammaincc(k, x) * special.gamma(k)


def chi2sf(x: Any, k: Any) -> Variable:
    """The chance that a chi-squared variable of `k` degrees of freedom is larger than `x`.

    >>> chi2sf(3.84, 1).eval()
    array(0.05004352)
    """
    x, k = together([x, k])
    return special.gammaincc(k / 2, x / 2)


def j0(x: Any) -> Variable:
    """The Bessel function of the first kind of order 0.

    >>> j0(1.0).eval()
    array(0.76519769)
    """
    return special.jv(0, x)


def j1(x: Any) -> Variable:
    """The Bessel function of the first kind of order 1.

    >>> j1(1.0).eval()
    array(0.44005059)
    """
    return special.jv(1, x)


def i0(x: Any) -> Variable:
    """The modified Bessel function of the first kind of order 0.

    >>> i0(1.0).eval()
    array(1.26606588)
    """
    return special.iv(0, x)


def i1(x: Any) -> Variable:
    """The modified Bessel function of the first kind of order 1.

    >>> i1(1.0).eval()
    array(0.5651591)
    """
    return special.iv(1, x)
