"""Arrays read from files.

>>> LoadFromDisk("weights.npy", TensorType("float32", (None, 3)))().type.dtype
'float32'
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.base.errors import LoadError
from symtensor.ir.node import Op
from symtensor.types.dtype import dtype_read
from symtensor.types.tensor import TensorType

__all__ = ["LoadFromDisk"]


class LoadFromDisk(Op):
    """The array in a file of NumPy's format, read each time it is computed.

    >>> LoadFromDisk("weights.npy", TensorType("int64", ())).ttype
    TensorType(int64, ())
    """

    path: str
    ttype: TensorType
    mmap_mode: str | None = None
    foldable = False

    def infer(self) -> TensorType:  # type: ignore[override]
        return self.ttype

    def evaluate(self) -> Any:  # type: ignore[override]
        try:
            array = np.load(self.path, mmap_mode=self.mmap_mode, allow_pickle=False)  # type: ignore[arg-type]
        except (OSError, ValueError, EOFError) as error:
            raise LoadError(f"{self.path!r} cannot be loaded: {error}", fix="numpy.save(path, array) writes such files"
                            ) from error
        if isinstance(array, np.ndarray):
            array = array.view(dtype_read(array.dtype))
        if not isinstance(array, np.ndarray) or not self.ttype.accepts(array):
            found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "several arrays"
            raise LoadError(f"{self.path!r} should hold {self.ttype.describe()}, and holds {found}",
                            fix="load it with that dtype and as many axes, and cast it then")
        return array

    def __repr__(self) -> str:
        return f"load[{self.path!r}]"
