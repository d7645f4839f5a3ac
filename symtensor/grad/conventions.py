"""What a derivative by a complex number is.

The derivative of a real cost C by z = x + iy is dC/dx + i dC/dy, as Theano and PyTorch have it: the direction in which
C grows most, so that z - rate * derivative is a step downhill. `grad`, `Lop` and `jacobian` give it, and take it as
`known_grads` and `eval_points`.

On the way, cotangents are the conjugates of that, dC/dx - i dC/dy, so that dC is the real part of the sum of
cotangent * dz. Then the cotangent of z, where w = f(z) is differentiable as a complex function, is that of w times
f'(z): a pullback that is right for real numbers is right for complex ones, and so are those of all linear ops. What an
op's `pullback` is given and gives, therefore, is a conjugate. Tangents are what they seem: changes of z.

>>> from symtensor.ir.interpret import evaluate
>>> from symtensor.ir.node import Variable
>>> from symtensor.types.tensor import TensorType
>>> dz = Variable(TensorType("complex128", ()), name="dz")
>>> evaluate([outside(dz)], {dz: 1 + 2j})
[array(1.-2.j)]
"""

from __future__ import annotations

from symtensor.ir.node import Variable
from symtensor.ops.complex_parts import conjugate

__all__ = ["inside", "outside"]


def inside(derivative: Variable | None) -> Variable | None:
    """The cotangent that a derivative is."""
    return None if derivative is None else conjugate(derivative)  # type: ignore[no-any-return]


def outside(cotangent: Variable | None) -> Variable | None:
    """The derivative that a cotangent is."""
    return inside(cotangent)
