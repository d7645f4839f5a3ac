"""Files with graphs, shared variables, compiled functions and arrays: `dump`, `load`, and `function_dump`.

A file is a zip archive with a header, a pickle, and each large array by itself in NumPy's format, which others can read
too. A pickle can run any function when it is read; `load` lets it name what symtensor, NumPy and SciPy make graphs and
arrays of, and nothing else unless it is allowed.

>>> import symtensor as st, symtensor.tensor as T
>>> import io
>>> x, w = T.dvector("x"), st.shared([1.0, 2.0], name="w")
>>> file = io.BytesIO()
>>> dump(st.function([x], (w * x).sum()), file)
>>> load(file)([10.0, 1.0])
array(12.)
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import contextmanager
from types import FunctionType
from typing import IO, Any

import numpy as np

from symtensor.base.errors import LoadError
from symtensor.types.dtype import dtype_read

__all__ = ["dump", "function_dump", "load"]

_FORMAT = 1
_HEADER, _OBJECT = "header.json", "object.pickle"
_LARGE = 1024
"""Arrays of as many bytes get a file of their own in the archive."""

_LAYERS = ("base", "types", "ir", "ops", "control", "runtime", "sparse", "tensor", "sandbox", "typed_list")
"""The parts of symtensor that what is saved is made of: none of them runs programs when it is called."""
_PLAIN = {
    "builtins": "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple",
    "collections": "OrderedDict defaultdict", "copyreg": "_reconstructor",
    "symtensor._core": "Storage", "numpy": "dtype ndarray", "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar", "numpy.core.numeric": "_frombuffer",
    "numpy._core.numeric": "_frombuffer",
    "ml_dtypes": "bfloat16",
    "scipy.sparse._csr": "csr_matrix csr_array", "scipy.sparse._csc": "csc_matrix csc_array",
}
"""What a pickle may name beside classes of symtensor, by module."""


class _Pickler(pickle.Pickler):
    """Puts large arrays in the archive, under numbers."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile) -> None:
        super().__init__(file, protocol=5)
        self.archive = archive
        self.names: dict[int, str] = {}
        self.kept: list[np.ndarray] = []  # so that no other object gets the id of one of them

    def persistent_id(self, one: Any) -> str | None:
        """The name of the file of an array; None for what stays in the pickle."""
        if type(one) is not np.ndarray or one.nbytes < _LARGE or one.dtype.hasobject:
            return None
        if id(one) not in self.names:
            name = self.names[id(one)] = f"array_{len(self.names)}.npy"
            self.kept.append(one)
            with self.archive.open(name, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, one, allow_pickle=False)
        return self.names[id(one)]


class _Unpickler(pickle.Unpickler):
    """Finds arrays in the archive, and refuses to name what graphs are not made of."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, allow: tuple[str, ...]) -> None:
        super().__init__(file)
        self.archive = archive
        self.allow = allow
        self.arrays: dict[str, np.ndarray] = {}

    def persistent_load(self, name: Any) -> np.ndarray:
        """The array of a name."""
        if name not in self.arrays:
            with self.archive.open(name) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
            self.arrays[name] = array.view(dtype_read(array.dtype))
        return self.arrays[name]

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle names, if it may."""
        if module.partition(".")[0] in self.allow or module in self.allow:
            return super().find_class(module, name)
        package, layer, *_ = [*module.split("."), ""]
        if package == "symtensor" and layer in _LAYERS and not module.startswith("symtensor.runtime.cuda"):
            found = super().find_class(module, name)
            if "." not in name and _is_of_graphs(found, name):
                return found
        elif name in _PLAIN.get(module, "").split():
            return super().find_class(module, name)
        raise LoadError(f"the file names {module}.{name}, which no graph is made of, and which could be any program",
                        fix=f'if you trust the file: load(file, allow=["{module}"])')


def _is_of_graphs(found: Any, name: str) -> bool:
    """Whether a thing of a module of symtensor's is what graphs are made of, and made there.

    That is a class, one of its instances, or a private function, as those are that put things together again.
    """
    is_function = isinstance(found, FunctionType)
    home = found.__module__ if is_function or isinstance(found, type) else type(found).__module__
    return home.partition(".")[0] == "symtensor" and (not is_function or name.startswith("_"))


def dump(obj: Any, file_handler: Any) -> None:
    """Write an object to a file, given as a path or as a binary file: graphs, variables, functions, arrays, lists.

    What is in the file says which version wrote it, and a checksum is kept with each part.

    >>> file = io.BytesIO()
    >>> dump({"weights": np.ones(200)}, file)
    >>> zipfile.ZipFile(file).namelist()
    ['header.json', 'array_0.npy', 'object.pickle']
    """
    from symtensor import __version__
    with zipfile.ZipFile(file_handler, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_HEADER, json.dumps({"format": _FORMAT, "symtensor": __version__, "numpy": np.__version__}))
        written = io.BytesIO()
        _Pickler(written, archive).dump(obj)
        archive.writestr(_OBJECT, written.getvalue())


def load(f: Any, allow: Iterable[str] = ()) -> Any:
    """What `dump` wrote to a file.

    `allow` are modules that the file may name too, such as the one that defines your ops; to name a module is to let
    the file call what is in it. Raises LoadError for a file that is damaged, cut off, of another kind or of a later
    format, and for one that names what it may not.

    >>> file = io.BytesIO()
    >>> dump(print, file)
    >>> load(file)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    symtensor.base.errors.LoadError: the file names builtins.print, which no graph is made of, and which could be any...
      fix      if you trust the file: load(file, allow=["builtins"])
    """
    import symtensor.tensor  # noqa: F401  # gives variables their methods
    with _explained(f), zipfile.ZipFile(f) as archive:
        header = json.loads(archive.read(_HEADER))
        if header["format"] > _FORMAT:
            raise LoadError(f"the file was written by symtensor {header['symtensor']} in format {header['format']}, and"
                            f" this one reads up to {_FORMAT}", fix="install that version, or write the file anew")
        return _Unpickler(io.BytesIO(archive.read(_OBJECT)), archive, tuple(allow)).load()


@contextmanager
def _explained(f: Any) -> Any:
    """What is wrong with a file, as a LoadError."""
    try:
        yield
    except LoadError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, pickle.UnpicklingError, LookupError, ValueError,
            OverflowError) as error:
        raise LoadError(f"{_called(f)} is damaged, or was not written by symtensor.dump: {error}",
                        fix="write it anew; a file of pickle.dump is read by pickle.load") from error
    except (AttributeError, ImportError, TypeError) as error:
        raise LoadError(f"{_called(f)} was written by a version of symtensor, or of a module, that has what this one"
                        f" has not: {error}", fix="install the version that the file's header names") from error


def _called(f: Any) -> str:
    name = getattr(f, "name", f)
    return repr(name) if isinstance(name, str) else "the file"


def function_dump(filename: Any, inputs: Any, outputs: Any = None, **options: Any) -> None:
    """Write the arguments of a call of `function` to a file, to show a defect to others or to compile it elsewhere.

    `function(**load(filename))` is the function.

    >>> import symtensor as st, symtensor.tensor as T
    >>> x, file = T.dscalar("x"), io.BytesIO()
    >>> function_dump(file, [x], x + 1, mode="FAST_COMPILE")
    >>> st.function(**load(file))(1.0)
    array(2.)
    """
    dump({"inputs": inputs, "outputs": outputs, **options}, filename)
