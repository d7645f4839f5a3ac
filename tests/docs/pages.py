"""Pages of documentation as programs: their blocks of Python and of shell commands, run in order.

A ```python block is a session with an interpreter: what follows `>>>` is run, and what is shown below it must be what
is printed, with `...` for any text. A ```console block is a session with a shell: `$ symtensor ...` is run, and
`$ cat > file <<END` writes a file. All blocks of a page share one namespace and one empty directory.

    python -m tests.docs.pages docs/tutorial.md

writes into pages what is printed now; read the difference before you keep it.

>>> [block.language for block in blocks_of("text\\n```python\\n>>> 1 + 1\\n2\\n```\\n")]
['python']
>>> [step.source for step in blocks_of("```python\\n>>> x = 20\\n>>> x + 1\\n22\\n```")[0].steps()]
['x = 20\\n', 'x + 1\\n']
>>> refreshed("```python\\n>>> 20 + 1\\n22\\n```")
'```python\\n>>> 20 + 1\\n21\\n```'
"""

from __future__ import annotations

import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symtensor.base.config import config
from symtensor.tools.command import main

_FENCE = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_TRACE = "Traceback (most recent call last):\n"


@dataclass(frozen=True)
class Step:
    """A statement or command: its text, what it says when run, what the page shows, the number of its line."""

    prompted: str
    source: str
    shown: str
    line: int


@dataclass(frozen=True)
class Block:
    """The text between two fences, and the number of its first line in the page."""

    language: str
    text: str
    line: int

    def steps(self) -> Iterator[Step]:
        """What is to be run, in order."""
        if self.language == "console":
            yield from self._commands()
            return
        for example in doctest.DocTestParser().get_examples(self.text):
            first, *more = example.source.rstrip("\n").split("\n")
            prompted = "\n".join([f">>> {first}", *(f"... {text}".rstrip() for text in more)])
            shown = example.want if example.exc_msg is None else f"{_TRACE}...\n{example.exc_msg}"
            yield Step(prompted, example.source, shown, self.line + example.lineno)

    def _commands(self) -> Iterator[Step]:
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            if "<<END" in command:
                body, _, shown = shown.partition("END\n")
                command = f"{command}\n{body}END"
            yield Step(f"$ {command}", command, shown, self.line)


def blocks_of(page: str) -> list[Block]:
    """The sessions of a page."""
    return [Block(match[1], match[2], page.count("\n", 0, match.start(2)) + 1) for match in _FENCE.finditer(page)]


# -- running ----------------------------------------------------------------------------------------------

class Session:
    """Runs the steps of a page, one after the other, in one namespace."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}

    def printed(self, block: Block, step: Step) -> str:
        """What a step prints."""
        # One line for each place in the user's program, as in an interpreter, where nothing stands above <stdin>.
        with config.change(traceback_limit=1):
            return self._statement(step.source) if block.language == "python" else _command(step.source)

    def _statement(self, source: str) -> str:
        output = io.StringIO()
        with redirect_stdout(output), redirect_stderr(output):
            try:
                # <stdin>, as where readers type it: it is what errors name as the user's file.
                exec(compile(source, "<stdin>", "single"), self.namespace)
            except Exception as error:
                output.write(f"{_TRACE}...\n{''.join(traceback.format_exception_only(error))}")
        return output.getvalue()


def _command(source: str) -> str:
    """What a shell command prints; `a | b` hands on what a prints, `cat > file <<END` prints nothing."""
    command, _, body = source.partition("\n")
    if "<<END" in command:
        Path(shlex.split(command)[2]).write_text(body.removesuffix("END"), encoding="utf-8")
        return ""
    given = ""
    for stage in command.split(" | "):
        words = shlex.split(stage)
        if words[0] == "symtensor":
            given = _symtensor(words[1:], given)
        else:
            given = subprocess.run(words, input=given, capture_output=True, text=True, check=True).stdout
    return given


def _symtensor(arguments: list[str], given: str) -> str:
    output = io.StringIO()
    before, sys.stdin = sys.stdin, io.StringIO(given)
    try:
        with redirect_stdout(output), redirect_stderr(output):
            main(arguments)
    finally:
        sys.stdin = before
    return output.getvalue()


def run_page(path: Path) -> int:
    """Run all sessions of a page, in the current directory; how many steps there were.

    Raises AssertionError, with the line of the page, for the first step that prints something else than is shown.
    """
    session, count = Session(), 0
    for block in blocks_of(path.read_text(encoding="utf-8")):
        for step in block.steps():
            count += 1
            got = session.printed(block, step)
            assert _agree(step.shown, got), (
                f"{path.name}, line {step.line}: {step.prompted}\n{_indented(got)}\nis printed, and not\n"
                f"{_indented(step.shown)}\nto write the page anew: python -m tests.docs.pages {path}")
    return count


def _agree(shown: str, got: str) -> bool:
    return doctest.OutputChecker().check_output(shown, got, _OPTIONS)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().split("\n"))


# -- writing ----------------------------------------------------------------------------------------------

def refreshed(page: str) -> str:
    """The page with what its steps print now, run in the current directory."""
    session = Session()

    def session_text(match: re.Match[str]) -> str:
        block = Block(match[1], match[2], 0)
        parts = [part for step in block.steps()
                 for part in (step.prompted, _kept(step.shown, session.printed(block, step)))]
        return "\n".join([f"```{match[1]}", *filter(None, parts), "```"])

    return _FENCE.sub(session_text, page)


def _kept(shown: str, got: str) -> str:
    """What to show for `got`: the lines shown, with their `...`, wherever they agree."""
    if _agree(shown, got):
        return shown.rstrip("\n")
    old, new = shown.rstrip("\n").split("\n"), got.rstrip("\n").split("\n")
    if len(old) != len(new):
        return "\n".join(new)
    return "\n".join(was if "..." in was and _agree(was, now) else now for was, now in zip(old, new))


def write(name: str) -> None:
    """Write a page anew, run in an empty directory."""
    path = Path(name).resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        text = refreshed(path.read_text(encoding="utf-8"))
        os.chdir(path.parent)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        write(sys.argv[1])
    for page in sys.argv[1:] if len(sys.argv) > 2 else ():  # each in a process of its own: what one defines is its own
        subprocess.run([sys.executable, "-m", "tests.docs.pages", page], check=True)
