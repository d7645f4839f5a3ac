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
from symtensor.runtime.cuda import software
from symtensor.tools import cached, compare, cuda_check, doctor, install_pycuda, stages, tables

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
    for add in (_add_doctor, _add_cache, _add_config, _add_tables, _add_stages, _add_compare,
                _add_cuda_check, _add_install_pycuda):
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


def _add_cuda_check(commands: Commands) -> None:
    parser = commands.add_parser("cuda-check", help="a program that uses CUDA, on the software driver: what is wrong"
                                                    " with its kernels, and what they ask of memory")
    parser.add_argument("--mode", default="check", choices=software.MODES,
                        help="; ".join(f"{name}: {meaning}" for name, meaning in software.MODES.items()))
    parser.add_argument("--devices", type=int, help="how many devices there are")
    parser.add_argument("--memory", type=int, help="the bytes of each device")
    parser.add_argument("--seed", type=int, help="of the orders in the mode shuffled")
    parser.add_argument("program", help="the Python program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    parser.set_defaults(run=lambda chosen: cuda_check.checked(
        chosen.program, chosen.arguments, mode=chosen.mode, devices=chosen.devices, memory=chosen.memory,
        seed=chosen.seed))


def _add_install_pycuda(commands: Commands) -> None:
    parser = commands.add_parser("install-pycuda", help="build pycuda and install it; needs no CUDA toolkit, no GPU")
    parser.set_defaults(run=lambda chosen: install_pycuda.install())


def _size(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


if __name__ == "__main__":
    sys.exit(main())
