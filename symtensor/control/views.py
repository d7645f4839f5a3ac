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

from symtensor.control.blocks import Blocks, as_blocks
from symtensor.control.scan import Updates, scan

__all__ = ["foldl", "foldr", "map", "reduce", "scan_checkpoints"]


def map(fn: Callable[..., Any], sequences: Any, non_sequences: Any = None, truncate_gradient: int = -1,
        go_backwards: bool = False, mode: Any = None, name: str | None = None) -> tuple[Any, Updates]:
    """`fn` of each row of the sequences, stacked, and updates; no step depends on another. Raises as `scan` does.

    >>> import symtensor.tensor as T
    >>> map(lambda v: v * v, T.constant([1.0, 2.0]))[0].eval()
    array([1., 4.])
    """
    return scan(fn, sequences, None, non_sequences, truncate_gradient=truncate_gradient, go_backwards=go_backwards)


def reduce(fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None,
           go_backwards: bool = False, mode: Any = None, name: str | None = None, save_every: Any = None,
           save_bytes: Any = None) -> tuple[Any, Updates]:
    """What `fn` gives in the last step, each step being given what the one before gave, and updates.

    `save_every` and `save_bytes` say what derivatives keep, as for `scan`. Raises as `scan` does.

    >>> import symtensor.tensor as T
    >>> reduce(lambda v, total: total + v, T.constant([1.0, 2.0]), T.constant(0.0))[0].eval()
    array(3.)
    """
    outputs, updates = scan(fn, sequences, outputs_info, non_sequences, go_backwards=go_backwards,
                            save_every=as_blocks(save_every, save_bytes, last=True))
    if isinstance(outputs, list):
        return [output[-1] for output in outputs], updates
    return outputs[-1], updates


def foldl(fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
          name: str | None = None, save_every: Any = None, save_bytes: Any = None) -> tuple[Any, Updates]:
    """`reduce` from the first row to the last. Raises as `scan` does.

    >>> import symtensor.tensor as T
    >>> foldl(lambda v, total: total * 10 + v, T.constant([1.0, 2.0]), T.constant(0.0))[0].eval()
    array(12.)
    """
    return reduce(fn, sequences, outputs_info, non_sequences, save_every=save_every, save_bytes=save_bytes)


def foldr(fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
          name: str | None = None, save_every: Any = None, save_bytes: Any = None) -> tuple[Any, Updates]:
    """`reduce` from the last row to the first. Raises as `scan` does.

    >>> import symtensor.tensor as T
    >>> foldr(lambda v, total: total * 10 + v, T.constant([1.0, 2.0]), T.constant(0.0))[0].eval()
    array(21.)
    """
    return reduce(fn, sequences, outputs_info, non_sequences, go_backwards=True, save_every=save_every,
                  save_bytes=save_bytes)


def scan_checkpoints(fn: Callable[..., Any], sequences: Any = None, outputs_info: Any = None,
                     non_sequences: Any = None, name: str = "checkpointscan_fn", n_steps: Any = None,
                     save_every_N: Any = 10, padding: bool = True) -> tuple[Any, Updates]:
    """`scan`, of whose results there are only those of every `save_every_N`-th step, and of the last one.

    Derivatives keep no others: they compute the steps between anew, a block at a time. For the results of all steps
    use `scan(..., save_every=N)`. Without `padding` the number of steps must be a multiple of `save_every_N`, and
    there is no second loop for steps left over. Raises as `scan` does.

    >>> import symtensor as st
    >>> import symtensor.tensor as T
    >>> x = T.dvector("x")
    >>> sums, _ = scan_checkpoints(lambda v, total: total + v, x, T.constant(0.0), save_every_N=2)
    >>> st.function([x], sums)([1.0, 2.0, 3.0, 4.0, 5.0])
    array([ 3., 10., 15.])
    """
    return scan(fn, sequences, outputs_info, non_sequences, n_steps,
                save_every=Blocks(save_every_N, ends=True, whole=not padding))
