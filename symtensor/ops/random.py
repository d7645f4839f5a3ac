"""Random numbers without a state: a block cipher applied to a counter.

Which random number stands at a place is a function of a key and the place, so it is the same on any number of threads
and on any target, it is fused into what uses it, and it is computed again where it is needed again. The cipher is
Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): of a counter of four
words of 32 bits, and a key of two, it makes four random words.

>>> from symtensor.types.tensor import TensorType
>>> number = Variable(TensorType("uint64", (2, None)), name="number")
>>> random32(1, 0, number).type
TensorType(uint64, (2, number.1))
>>> [hex(random32.evaluate(*map(np.uint64, (0, 0, number)))) for number in (0, 16, 32, 48)]
['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symtensor.ir.node import Variable
from symtensor.ops.elementwise import cast, elementwise
from symtensor.ops.scalar import abs_, eq, exp, log, lt, sqrt, square, switch

__all__ = ["NEIGHBOURS", "normal_tail", "philox", "random32", "random64"]

_LOW = 2**32 - 1
_MULTIPLIERS, _WEYL, _ROUNDS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85), 10
NEIGHBOURS = 16
"""How far apart the numbers are that one block gives: as many blocks as fill vector registers lie side by side, and
their first words come first, then their second words."""


def philox(counter: Sequence[Any], key: Sequence[Any]) -> list[Any]:
    """Four random words for a counter of four words and a key of two, each in the lower half of a uint64.

    What is in the upper halves is not looked at, and to be ignored in the result. Works on variables and on arrays.
    """
    a, b, c, d = counter
    for round in range(_ROUNDS):
        left, right = (a & _LOW) * _MULTIPLIERS[0], (c & _LOW) * _MULTIPLIERS[1]
        first, second = (own + round * weyl % 2**32 for own, weyl in zip(key, _WEYL))
        a, b, c, d = right // 2**32 ^ b ^ first, right, left // 2**32 ^ d ^ second, left
    return [a, b, c, d]


def _block(key: Any, call: Any, number: Any, words: int) -> tuple[list[Any], Any]:
    """The block in which a number of so many words is, and which of the block's numbers it is."""
    group = NEIGHBOURS * (4 // words)
    block = number // group * NEIGHBOURS + number % NEIGHBOURS
    counter = (block, block // 2**32, call, call // 2**32)
    return philox(counter, (key, key // 2**32)), number // NEIGHBOURS % (4 // words)


def _no_derivative(*values: Variable) -> Any:
    return None, None, None


@elementwise(kind="bits", pullback=_no_derivative, cost=60)
def random32(key: Any, call: Any, number: Any) -> Any:
    """32 random bits as a uint64: word number `number` of call number `call` under a key."""
    (a, b, c, d), place = _block(key, call, number, 1)
    return switch(lt(place, 2), switch(eq(place, 0), a, b), switch(eq(place, 2), c, d)) & _LOW


@elementwise(kind="bits", pullback=_no_derivative, cost=60)
def random64(key: Any, call: Any, number: Any) -> Any:
    """64 random bits: pair of words number `number` of call number `call` under a key."""
    (a, b, c, d), place = _block(key, call, number, 2)
    return switch(eq(place, 0), a, c) * 2**32 + (switch(eq(place, 0), b, d) & _LOW)


_TAIL = {
    "float32": ((1.2533141562924093897, 2.4854132566646055109, 3.7140774573669480961, 3.2729552319599830627,
                 1.7732944779128845333, 0.35649297335502144288),
                (1.0, 1.983075869313228428, 3.4633051751526526496, 3.6042312006731784719, 2.7102637019655697523,
                 1.2640421348877826574, 0.25184398198597382292)),
    "float64": ((1.2533141373155005067, 4.1044341420531830371, 10.179683295618513695, 17.116030482275339475,
                 22.703780944604983654, 23.230543984329197854, 18.638589452935617594, 11.312197226378819146,
                 4.9301471351688107849, 1.3491516397602099513, 0.16795921724500690593, 0.0062458154624003401904,
                 -5.392031458963792936e-9),
                (1.0, 3.2748646327765148527, 8.6222121354236483454, 15.294048780965168724, 21.997636289641578771,
                 24.779148579373977555, 22.610300492008509249, 16.284913803918893342, 9.0792750107174790615,
                 3.6747054414935561241, 0.96442224884493925405, 0.11881074010812285486, 0.0044159840634180898299)),
}
"""Numerator and denominator of z / w as a function of the root of w, where z is exceeded with probability exp(-w) / 2:
the relative error is least, 1.4e-8 up to w = 22.5 and 1.9e-16 up to w = 44.8."""


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    result: Any = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        result = result * x + coefficient
    return result


def _normal_tail_pullback(p: Variable, z: Variable, dz: Variable) -> Any:
    return -dz * exp(square(z) / 2) * float(np.sqrt(2 * np.pi))  # type: ignore[operator]


@elementwise(pullback=_normal_tail_pullback, cost=40)
def normal_tail(p: Any) -> Any:
    """The number that a normal one exceeds with probability p, for p from 2**-32 (float32), 2**-64 (float64) to 1/2.

    One formula without branches for all of them; narrow floats are computed in float32.
    """
    if p.type.dtype not in _TAIL:
        return normal_tail(cast(p, "float32"))
    numerator, denominator = _TAIL[p.type.dtype]
    w = abs_(log(p + p))
    root = sqrt(w)
    return w * (_polynomial(numerator, root) / _polynomial(denominator, root))
