"""Where a function spends its time: `function(..., profile=True)`, then `f.profile.summary()`.

>>> from symtensor.runtime.function import function
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float64", (None,))("x")
>>> f = function([x], x * 2 + 1, name="line", profile=True)
>>> f([1.0, 2.0]), f([3.0])
(array([3., 5.]), array([7.]))
>>> print(f.profile.text())  # doctest: +ELLIPSIS
line: 2 calls, ... ms in instructions; made in ... ms (...)
     time   of all      a call  what
 ... ms   100.0% ... us  kernel mul add at ...
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Mapping, MutableMapping
from functools import cache
from typing import Any, TextIO
from weakref import WeakKeyDictionary

from symtensor.ir import provenance
from symtensor.lower.program import Branch, Call, Launch, Loop, Routine

__all__ = ["ProfileStats", "printed_at_exit"]

_KINDS: Mapping[type, str] = {Launch: "kernel", Routine: "library", Call: "Python", Loop: "loop", Branch: "branch"}
_MOST_LINES = 20


class ProfileStats:
    """The times of one function, or of several that were made with `profile=` this.

    Time is added up by instruction, from when a function was made; what loops contain is counted in them, too. With
    `atexit_print` the summary is printed when Python ends.
    """

    def __init__(self, atexit_print: bool = False) -> None:
        # Functions know what measures them, and this does not keep them, unless they are to be told of at the end.
        self._calls_before: MutableMapping[Any, int] = {} if atexit_print else WeakKeyDictionary()
        if atexit_print:
            atexit.register(self.summary)

    def add(self, function: Any) -> None:
        """Measure a function, from zero."""
        self._calls_before[function] = function.call_count
        function.measure(True)

    def remove(self, function: Any) -> None:
        """Measure a function no longer."""
        self._calls_before.pop(function, None)
        function.measure(False)

    def __contains__(self, function: Any) -> bool:
        return function in self._calls_before

    def text(self, n_ops_to_print: int = _MOST_LINES) -> str:
        """For each function its calls and the instructions that took longest, with the lines they come from."""
        return "\n\n".join(self._of(function, n_ops_to_print) for function in self._calls_before)

    def summary(self, file: TextIO | None = None, n_ops_to_print: int = _MOST_LINES) -> None:
        """Print the text, by default to the standard error."""
        print(self.text(n_ops_to_print), file=file or sys.stderr)

    def _of(self, function: Any, most: int) -> str:
        calls = function.call_count - self._calls_before[function]
        times, program = function.timings, function.program
        total = max(sum(times), 1)
        made = ", ".join(f"{step} {seconds * 1e3:.1f}" for step, seconds in function.compile_seconds.items())
        lines = [f"{function.name or 'function'}: {calls} calls, {sum(times) / 1e6:.3f} ms in instructions; made in"
                 f" {sum(function.compile_seconds.values()) * 1e3:.1f} ms ({made})",
                 "     time   of all      a call  what"]
        for number in sorted(range(len(times)), key=lambda n: -times[n])[:most]:
            names, places, _ = program.origins[number]
            kind = _KINDS.get(type(program.instructions[number]), "other")
            where = [text for place in places for text in provenance.describe(program.places[place][:1])][:1]
            time = times[number]
            lines.append(f"{time / 1e6:9.3f} ms {100 * time / total:6.1f}% {time / 1e3 / max(calls, 1):10.2f} us"
                         f"  {kind} {names}" + (f" at {where[0]}" if where else ""))
        return "\n".join(lines)


@cache
def printed_at_exit() -> ProfileStats:
    """The times of all functions that the option `profile` has measured."""
    return ProfileStats(atexit_print=True)
