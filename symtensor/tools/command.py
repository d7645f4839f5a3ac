"""The `symtensor` command: what is installed, what is cached, and each stage of the compiler on text.

>>> main(["cache", "info"])  # doctest: +ELLIPSIS
directory ...
0
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from symtensor.base.config import config
from symtensor.base.errors import SymtensorError
from symtensor.tools import cached, compare, doctor, stages, tables

__all__ = ["main"]

Commands = Any
"""What subcommands are added to; argparse gives its type no public name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the status of the process."""
    chosen = _parser().parse_args(arguments)
    try:
        text, status = chosen.run(chosen)
    except (SymtensorError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(text)
    return int(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="symtensor", description="A symbolic tensor expression compiler.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for add in (_add_doctor, _add_cache, _add_config, _add_tables, _add_stages, _add_compare):
        add(commands)
    return parser


def _add_doctor(commands: Commands) -> None:
    parser = commands.add_parser("doctor", help="what was found on this machine, and how to get what was not")
    parser.set_defaults(run=lambda chosen: doctor.report())


def _add_cache(commands: Commands) -> None:
    parser = commands.add_parser("cache", help="compiled kernels and programs on disk")
    parser.add_argument("action", nargs="?", default="info", choices=cached.ACTIONS,
                        help="; ".join(f"{name}: {action.__doc__}" for name, action in cached.ACTIONS.items()))
    parser.set_defaults(run=lambda chosen: (cached.ACTIONS[chosen.action](), 0))


def _add_config(commands: Commands) -> None:
    parser = commands.add_parser("config", help="the options, their values and meanings")
    parser.set_defaults(run=lambda chosen: (config.describe(), 0))


def _add_tables(commands: Commands) -> None:
    for name, table in tables.TABLES.items():
        parser = commands.add_parser(name, help=table.__doc__)
        parser.add_argument("--markdown", action="store_true", help="as the page in docs/reference")
        parser.set_defaults(run=lambda chosen, name=name: (tables.written(name, chosen.markdown), 0))


def _add_stages(commands: Commands) -> None:
    for name, stage in stages.STAGES.items():
        parser = commands.add_parser(name, help=stage.__doc__)
        parser.add_argument("graph", type=argparse.FileType(), help="a file with a graph as text; - for standard input")
        parser.set_defaults(run=lambda chosen, stage=stage: (stage(stages.read(chosen.graph)), 0))


def _add_compare(commands: Commands) -> None:
    parser = commands.add_parser("compare", help="a graph computed with and without rewriting and C; the rule to blame")
    parser.add_argument("graph", type=argparse.FileType(), help="a file with a graph as text; - for standard input")
    parser.add_argument("--size", action="append", default=[], type=_size, metavar="NAME=NUMBER",
                        help="the value of a symbol; may be given several times")
    parser.add_argument("--seed", type=int, default=0, help="of the random arguments")
    parser.set_defaults(run=lambda chosen: compare.compared(chosen.graph.read(), dict(chosen.size), chosen.seed))


def _size(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


if __name__ == "__main__":
    sys.exit(main())
