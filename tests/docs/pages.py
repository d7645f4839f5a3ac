"""Pages of documentation as programs: their blocks of Python and of shell commands, run in order.

A ```python block is a session with an interpreter: what follows `>>>` is run, and what is shown below it must be what
is printed, with `...` for any text. A ```console block is a session with a shell: `$ symtensor ...` is run, and
`$ cat > file <<END` writes a file. All blocks of a page share one namespace and one empty directory.

>>> [block.language for block in blocks_of("text\\n```python\\n>>> 1 + 1\\n2\\n```\\n")]
['python']
>>> run_python(blocks_of("```python\\n>>> x = 20\\n>>> x + 1\\n22\\n```")[0], {})
Traceback (most recent call last):
...
AssertionError: line 3: x + 1
expected:
    22
got:
    21
"""

from __future__ import annotations

import doctest
import io
import re
import shlex
import subprocess
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symtensor.tools.command import main

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """The text between two fences, and the number of its first line in the page."""

    language: str
    text: str
    line: int


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page that have a language."""
    return [Block(match[1], match[2], page.count("\n", 0, match.start(2)) + 1) for match in _FENCE.finditer(page)]


def run_page(path: Path) -> int:
    """Run all sessions of a page, in the current directory; how many statements and commands were run."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    runners: dict[str, Callable[[Block, dict[str, Any]], int]] = {"python": run_python, "console": run_console}
    return sum(runners[block.language](block, namespace)
               for block in blocks_of(path.read_text(encoding="utf-8")) if block.language in runners)


def run_python(block: Block, namespace: dict[str, Any]) -> int:
    """Run a session; AssertionError, with the line of the page, for output that is not what is shown."""
    examples = doctest.DocTestParser().get_examples(block.text)
    assert examples, f"line {block.line}: a block of Python without >>>"
    for example in examples:
        got = _printed(example.source, namespace)
        want = example.want if example.exc_msg is None else _TRACE + example.exc_msg
        _compare(block.line + example.lineno, example.source, want, got)
    return len(examples)


_TRACE = "Traceback (most recent call last):\n"


def _printed(source: str, namespace: dict[str, Any]) -> str:
    """What an interpreter prints for a statement, an error without its stack."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        try:
            # <stdin>, as where readers type it: it is what errors name as the user's file.
            exec(compile(source, "<stdin>", "single"), namespace)
        except Exception as error:
            output.write(_TRACE + "".join(traceback.format_exception_only(error)))
    return output.getvalue()


def run_console(block: Block, namespace: dict[str, Any]) -> int:
    """Run the commands of a session; AssertionError for output that is not what is shown."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    for part in parts:
        command, _, rest = part.partition("\n")
        if "<<END" in command:
            body, _, rest = rest.partition("END\n")
            Path(shlex.split(command)[2]).write_text(body, encoding="utf-8")
            continue
        _compare(block.line, command, rest, _shell(command))
    return len(parts)


def _shell(command: str) -> str:
    """What a command prints; `a | b` hands on what a prints."""
    given = ""
    for stage in command.split(" | "):
        words = shlex.split(stage)
        output = io.StringIO()
        if words[0] == "symtensor":
            import sys
            before, sys.stdin = sys.stdin, io.StringIO(given)
            try:
                with redirect_stdout(output), redirect_stderr(output):
                    main(words[1:])
            finally:
                sys.stdin = before
            given = output.getvalue()
        else:
            given = subprocess.run(words, input=given, capture_output=True, text=True, check=True).stdout
    return given


def _compare(line: int, source: str, want: str, got: str) -> None:
    if not doctest.OutputChecker().check_output(want, got, _OPTIONS):
        shown = "".join(f"\n    {text}" for text in got.rstrip().split("\n"))
        expected = "".join(f"\n    {text}" for text in want.rstrip().split("\n"))
        raise AssertionError(f"line {line}: {source.rstrip()}\nexpected:{expected}\ngot:{shown}")
