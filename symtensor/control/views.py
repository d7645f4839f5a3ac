"""Loops of one kind each, as `scan` with fewer questions: `map`, `reduce`, `foldl`, `foldr`.

>>> import symtensor as st
>>> import symtensor.tensor as T
>>> x = T.dvector("x")
>>> total, _ = foldl(lambda x, total: total + x, x, T.constant(0.0))
>>> squares, _ = map(lambda x: x ** 2, x)
>>> st.function([x], [total, squares])([1.0, 2.0, 3.0])
[array(6.), array([1., 4., 9.])]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symtensor.control.scan import Updates, scan

__all__ = ["foldl", "foldr", "map", "reduce"]


def map(fn: Callable[..., Any], sequences: Any, non_sequences: Any = None, truncate_gradient: int = -1,
        go_backwards: bool = False, mode: Any = None, name: str | None = None) -> tuple[Any, Updates]:
    """`fn` of each row of the sequences, stacked, and updates; no step depends on another. Raises as `scan` does."""
    return scan(fn, sequences, None, non_sequences, truncate_gradient=truncate_gradient, go_backwards=go_backwards)


def reduce(fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None,
           go_backwards: bool = False, mode: Any = None, name: str | None = None) -> tuple[Any, Updates]:
    """What `fn` gives in the last step, each step being given what the one before gave, and updates.

    Raises as `scan` does.
    """
    outputs, updates = scan(fn, sequences, outputs_info, non_sequences, go_backwards=go_backwards)
    if isinstance(outputs, list):
        return [output[-1] for output in outputs], updates
    return outputs[-1], updates


def foldl(fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
          name: str | None = None) -> tuple[Any, Updates]:
    """`reduce` from the first row to the last. Raises as `scan` does."""
    return reduce(fn, sequences, outputs_info, non_sequences)


def foldr(fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
          name: str | None = None) -> tuple[Any, Updates]:
    """`reduce` from the last row to the first. Raises as `scan` does."""
    return reduce(fn, sequences, outputs_info, non_sequences, go_backwards=True)
