"""Sparse matrices as variables: compressed by rows ("csr") or by columns ("csc").

A `SparseVariable` is a matrix whose places that hold nothing are not stored. It is made of four tensors, of which all
that is computed with it is composed: `data`, the elements; `indices`, the place of each in its row (or column);
`starts`, where each row begins among them, called indptr in SciPy; and `minor`, how long a row is.

>>> x = csr_matrix("x")
>>> x.type, x.data.type.dtype, x.starts.type.dtype
(SparseType(csr, float64), 'float64', 'int32')
>>> import scipy.sparse
>>> x.toarray().eval({x.data: [5.0], x.indices: [1], x.starts: [0, 0, 1], x.minor: 3})
array([[0., 0., 0.],
       [0., 5., 0.]])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops.convert import as_variable
from symtensor.ops.size import dimension
from symtensor.ops.sparse import DAMAGED, MEND
from symtensor.runtime.shared import SharedVariable, shared
from symtensor.runtime.structured import Structured
from symtensor.tensor.manipulation import stack
from symtensor.types.dtype import check_dtype, fits
from symtensor.types.tensor import TensorType

__all__ = ["SparseType", "SparseVariable", "SparseConstant", "SparseSharedVariable", "as_sparse", "as_sparse_variable",
           "as_sparse_or_tensor_variable", "constant", "sparse_shared", "is_sparse", "matrix", "csr_matrix",
           "csc_matrix", "csr_dmatrix", "csr_fmatrix", "csc_dmatrix", "csc_fmatrix"]

FORMATS = ("csr", "csc")


@dataclass(frozen=True)
class SparseType:
    """The type of sparse matrices of a format, "csr" or "csc", and a dtype; called with a name it makes a variable.

    >>> SparseType("csc", "float32")("x").shape.type
    TensorType(int64, (2,))
    """

    format: str
    dtype: str
    ndim = 2

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise TypeMismatch(f"there is no sparse format {self.format!r}", fix='"csr" or "csc"')
        object.__setattr__(self, "dtype", check_dtype(self.dtype))

    def __call__(self, name: str | None = None) -> SparseVariable:
        own = f"{name}." if name else "sparse."
        vector = TensorType("int32", (None,))
        return SparseVariable(self.format, TensorType(self.dtype, (None,))(own + "data"), vector(own + "indices"),
                              vector(own + "starts"), TensorType("int64", ())(own + "minor"), name)

    def __repr__(self) -> str:
        return f"SparseType({self.format}, {self.dtype})"


class SparseVariable(Structured):
    """A sparse matrix: its format and its four parts.

    >>> x = csr_matrix("x")
    >>> (x + x).format, x.T.format, x.ndim
    ('csr', 'csc', 2)
    """

    __array_priority__ = 1001
    __array_ufunc__ = None
    ndim = 2

    def __init__(self, format: str, data: Variable, indices: Variable, starts: Variable, minor: Any,
                 name: str | None = None) -> None:
        self.type = SparseType(format, data.type.dtype)
        self.data, self.indices, self.starts, self.minor = data, indices, starts, as_variable(minor)
        self.name = name

    @property
    def parts(self) -> Sequence[Variable]:  # type: ignore[override]
        """Elements, indices, starts, length of a row."""
        return self.data, self.indices, self.starts, self.minor

    @property
    def format(self) -> str:
        """ "csr" or "csc"."""
        return self.type.format

    @property
    def dtype(self) -> str:
        """The dtype of the elements."""
        return self.type.dtype

    @property
    def major(self) -> Variable:
        """How many rows (columns, for csc) there are."""
        return dimension(self.starts, 0) - 1

    @property
    def sizes(self) -> tuple[Variable, Variable]:
        """The numbers of rows and columns."""
        return (self.major, self.minor) if self.format == "csr" else (self.minor, self.major)

    @property
    def shape(self) -> Variable:
        """The numbers of rows and columns, as a vector."""
        return stack(list(self.sizes))

    @property
    def T(self) -> SparseVariable:
        """The transpose: the same parts, in the other format."""
        other = "csc" if self.format == "csr" else "csr"
        return SparseVariable(other, self.data, self.indices, self.starts, self.minor)

    def transpose(self) -> SparseVariable:
        """The transpose."""
        return self.T

    def with_data(self, data: Variable) -> SparseVariable:
        """The matrix with other elements at the same places."""
        return SparseVariable(self.format, data, self.indices, self.starts, self.minor)

    def eval(self, inputs_to_values: Mapping[Any, Any] | None = None) -> Any:
        """The value, a scipy.sparse matrix, for given values of the variables it is computed from."""
        from symtensor.runtime.function import function
        values = dict(inputs_to_values or {})
        return function(list(values), self)(*values.values())

    # -- values -----------------------------------------------------------------------------------

    def split(self, value: Any) -> Sequence[Any]:
        """The parts of a scipy.sparse matrix of this format. Raises TypeMismatch for a damaged one and for all else."""
        label = self.name or "a sparse input"
        if not hasattr(value, "tocsr"):
            raise TypeMismatch(f"{label!r} must be a scipy.sparse matrix, not {type(value).__name__}",
                               fix=f"scipy.sparse.{self.format}_matrix(value)")
        if value.format != self.format:
            raise TypeMismatch(f"{label!r} must be of the format {self.format}, not {value.format}",
                               fix=f"value.to{self.format}()")
        if value.indices.dtype != np.int32 and (value.nnz > 2**31 - 1 or max(value.shape) > 2**31 - 1):
            raise TypeMismatch(f"{label!r} has positions that 32 bits do not hold", operands=[repr(value)])
        if not fits(value.dtype, self.dtype):
            raise TypeMismatch(f"{label!r} must be {self.dtype}, and {value.dtype} may not fit it",
                               fix=f'value.astype("{self.dtype}")')
        minor = value.shape[1] if self.format == "csr" else value.shape[0]
        if not _is_sound(value, minor):
            raise TypeMismatch(f"{label!r}: {DAMAGED}", fix=MEND,
                               operands=[f"{label}: {value.format} {value.dtype} {value.shape}"])
        indices, starts = (part.astype("int32", copy=False) for part in (value.indices, value.indptr))
        return value.data.astype(self.dtype, copy=False), indices, starts, np.int64(minor)

    def joined(self, arrays: Sequence[Any]) -> Any:
        """The scipy.sparse matrix of the parts."""
        import scipy.sparse
        data, indices, starts, minor = arrays
        shape = (len(starts) - 1, int(minor)) if self.format == "csr" else (int(minor), len(starts) - 1)
        make = scipy.sparse.csr_matrix if self.format == "csr" else scipy.sparse.csc_matrix
        return make((data, indices, starts), shape=shape)

    @property
    def continuous(self) -> Variable:
        """The elements: what is not stored is no variable, so derivatives are those by what is (structured)."""
        return self.data

    def derivative(self, values: Variable) -> SparseVariable:
        """A derivative: a sparse matrix with elements at the same places."""
        return self.with_data(values)

    def __iter__(self) -> Iterator[Any]:
        raise complaint(TypeMismatch, f"{self!r} cannot be iterated over: the number of its rows is not known",
                        fix="x[row] for one row, or a list of matrices where several are wanted")

    def __repr__(self) -> str:
        return self.name or f"<sparse {self.format} {self.dtype}>"


class SparseConstant(SparseVariable):
    """A sparse matrix whose value is known.

    >>> import scipy.sparse
    >>> SparseConstant(scipy.sparse.eye(2, format="csr")).value.nnz
    2
    """

    def __init__(self, value: Any, name: str | None = None) -> None:
        value = _compressed(value)
        parts = SparseType(value.format, value.dtype.name)("constant").split(value)
        data, indices, starts, minor = map(Constant, parts)
        super().__init__(value.format, data, indices, starts, minor, name)
        self.value = value


class SparseSharedVariable(SparseVariable):
    """A sparse matrix that lives between calls; its parts are shared variables.

    >>> import scipy.sparse
    >>> SparseSharedVariable(scipy.sparse.eye(2, format="csr")).get_value().nnz
    2
    """

    def __init__(self, value: Any, name: str | None = None) -> None:
        value = _compressed(value)
        own = f"{name}." if name else "sparse."
        parts = SparseType(value.format, value.dtype.name)(name).split(value)
        data, indices, starts, minor = (shared(part, own + label) for part, label in
                                        zip(parts, ("data", "indices", "starts", "minor")))
        super().__init__(value.format, data, indices, starts, minor, name)

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The value, a scipy.sparse matrix; its arrays are copies unless `borrow`."""
        return self.joined([part.get_value(borrow=borrow) for part in self.parts])  # type: ignore[attr-defined]

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Give a new value of the same format and dtype. Raises TypeMismatch."""
        for part, array in zip(self.parts, self.split(new_value)):
            assert isinstance(part, SharedVariable)
            part.set_value(array, borrow=borrow)


def _is_sound(value: Any, minor: int) -> bool:
    """Whether all positions of a scipy.sparse matrix lie in it: such as SciPy would say are damaged are nobody's."""
    indices, starts, stored = value.indices, value.indptr, len(value.data)
    unsigned = indices.view(f"u{indices.itemsize}")  # what is negative is very large
    return (len(starts) > 0 and starts[0] == 0 and starts[-1] == stored == len(indices)
            and bool((starts[1:] >= starts[:-1]).all()) and (not stored or int(unsigned.max()) < minor))


def _compressed(value: Any) -> Any:
    if not hasattr(value, "tocsr"):
        raise TypeMismatch(f"{type(value).__name__} is not a scipy.sparse matrix", fix="scipy.sparse.csr_matrix(value)")
    return value if value.format in FORMATS else value.tocsr()


def is_sparse(x: Any) -> bool:
    """Whether `x` is a sparse variable or a scipy.sparse matrix.

    >>> is_sparse(csr_matrix("x")), is_sparse([1.0])
    (True, False)
    """
    return isinstance(x, SparseVariable) or hasattr(x, "tocsr")


def as_sparse_variable(x: Any, name: str | None = None) -> SparseVariable:
    """`x` as a sparse variable: scipy.sparse matrices become constants, variables stay. Raises TypeMismatch.

    >>> import scipy.sparse
    >>> as_sparse_variable(scipy.sparse.eye(3, format="csr")).type
    SparseType(csr, float64)
    """
    if isinstance(x, SparseVariable):
        return x
    if isinstance(x, Variable):
        raise TypeMismatch(f"{x!r} is dense, and a sparse matrix is needed", fix="csr_from_dense(x)")
    return SparseConstant(x, name)


as_sparse = as_sparse_variable


def as_sparse_or_tensor_variable(x: Any, name: str | None = None) -> Any:
    """`x` as a variable, sparse if it is sparse.

    >>> as_sparse_or_tensor_variable([1.0, 2.0]).ndim
    1
    """
    return as_sparse_variable(x, name) if is_sparse(x) else as_variable(x, name)


def constant(x: Any, name: str | None = None) -> SparseConstant:
    """A sparse constant from a scipy.sparse matrix. Raises TypeMismatch.

    >>> import scipy.sparse
    >>> constant(scipy.sparse.eye(2, format="csc")).format
    'csc'
    """
    return SparseConstant(x, name)


def sparse_shared(value: Any, name: str | None = None, **options: Any) -> SparseSharedVariable:
    """A shared variable that holds a scipy.sparse matrix; `symtensor.shared` makes it too.

    >>> import scipy.sparse
    >>> weights = sparse_shared(scipy.sparse.eye(2, format="csc"))
    >>> weights.get_value().toarray()
    array([[1., 0.],
           [0., 1.]])
    """
    return SparseSharedVariable(value, name)


def matrix(format: str, name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A variable for sparse matrices of a format; dtype floatX unless given. Raises TypeMismatch.

    >>> matrix("csc", dtype="float32").type
    SparseType(csc, float32)
    """
    return SparseType(format, config.floatX if dtype is None else dtype)(name)


def csr_matrix(name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A variable for matrices compressed by rows; dtype floatX unless given.

    >>> csr_matrix("x", dtype="float32").type
    SparseType(csr, float32)
    """
    return matrix("csr", name, dtype)


def csc_matrix(name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A variable for matrices compressed by columns; dtype floatX unless given.

    >>> csc_matrix("x").type
    SparseType(csc, float64)
    """
    return matrix("csc", name, dtype)


csr_dmatrix, csr_fmatrix = SparseType("csr", "float64"), SparseType("csr", "float32")
csc_dmatrix, csc_fmatrix = SparseType("csc", "float64"), SparseType("csc", "float32")
