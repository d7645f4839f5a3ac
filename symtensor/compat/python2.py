"""`theano.compat`: what programs that run under Python 2 and 3 alike import from there.

>>> list(imap(abs, [-1, 2])), cmp(1, 2), exc_message(ValueError("no"))
([1, 2], -1, 'no')
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, ValuesView
from functools import partial
from io import BytesIO
from operator import truediv
from typing import Any

__all__ = ["BytesIO", "Callable", "DefaultOrderedDict", "DictMixin", "Iterable", "Mapping", "OrderedDict", "PY3",
           "ValuesView", "all", "any", "b", "cmp", "decode", "decode_iter", "defaultdict", "exc_message",
           "get_unbound_function", "ifilter", "imap", "izip", "next", "operator_div", "partial"]

PY3 = True
DictMixin = MutableMapping
imap, izip, ifilter, next, all, any, operator_div = map, zip, filter, next, all, any, truediv


def cmp(x: Any, y: Any) -> int:
    """-1, 0 or 1: how x compares with y."""
    return (x > y) - (x < y)


def exc_message(error: BaseException) -> Any:
    """What an exception says; of one raised for another, what that says."""
    message = error.args[0]
    return exc_message(message) if isinstance(message, BaseException) else message


def b(text: str) -> bytes:
    """A text as bytes."""
    return text.encode("latin-1")


def decode(data: bytes) -> str:
    """Bytes as a text."""
    return data.decode()


def decode_iter(lines: Iterable[bytes]) -> Iterator[str]:
    """Lines of bytes as texts."""
    return (line.decode() for line in lines)


def get_unbound_function(method: Any) -> Any:
    """The function of a method."""
    return getattr(method, "__func__", method)


class DefaultOrderedDict(OrderedDict[Any, Any]):
    """A dict that remembers the order, and makes what is missing.

    >>> counts = DefaultOrderedDict(int)
    >>> counts["a"] += 1
    >>> list(counts.items())
    [('a', 1)]
    """

    def __init__(self, default_factory: Callable[[], Any] | None = None, *pairs: Any, **more: Any) -> None:
        super().__init__(*pairs, **more)
        self.default_factory = default_factory

    def __missing__(self, key: Any) -> Any:
        if self.default_factory is None:
            raise KeyError(key)
        self[key] = made = self.default_factory()
        return made
