"""Linear algebra: systems, decompositions and functions of matrices, under the names of NumPy and SciPy.

>>> solve([[2.0, 1.0], [1.0, 3.0]], [3.0, 4.0]).eval()
array([1., 1.])
"""

from symtensor.tensor import decompositions, matrix_functions, systems
from symtensor.tensor.decompositions import *  # noqa: F403
from symtensor.tensor.linear import kron, matrix_dot
from symtensor.tensor.matrix_functions import *  # noqa: F403
from symtensor.tensor.selection import diagonal, trace
from symtensor.tensor.systems import *  # noqa: F403

__all__ = [*decompositions.__all__, *matrix_functions.__all__, *systems.__all__, "diagonal", "kron", "matrix_dot",
           "trace"]
