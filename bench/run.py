"""symtensor beside its peers and the limits of the machine, in one run: `make bench`.

Each framework runs in processes of its own, all with one number of threads. The rounds of a case go through the
frameworks in turn; a round's value is the least of a few samples, the table shows medians of rounds. What is measured
is in the other files here, one family each.

>>> parse(["--only", "sums", "--threads", "1"]).threads
1
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import processes
from harness import FRAMEWORKS, Case, Failed, Worker, environment, run_process
from report import Result, describe_machine, excerpt, markdown_table, summary, text_table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
README = HERE.parent / "README.md"
CACHE = Path(sys.prefix, "cache")
TIMED = ("overhead", "chain", "rows", "sums", "mlp", "cnn", "loops", "joining", "ordering", "sampling",
         "sparse_products", "linalg", "per_example")
PACKAGES = ("symtensor", "numpy", "torch", "jax", "pytensor", "numba")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", action="append", choices=[*TIMED, "processes"], help="one family (may be repeated)")
    parser.add_argument("--frameworks", default=",".join(FRAMEWORKS), help="which to compare, separated by commas")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads for all of them")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: the processors' seconds, for one"
                        " thread on a machine that others use too")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help=f"write each table to {PAGE.relative_to(HERE.parent)}")
    return parser.parse_args(arguments)


Measure = Callable[[Case, str], float]


def collect(case: Case, frameworks: Sequence[str], rounds: int, measure: Measure, unit: str = "s") -> Result:
    """Measure a case with each framework in turn, round by round; one that fails is left out from then on."""
    result = Result(case, unit)
    for _ in range(rounds):
        for framework in frameworks:
            if framework in result.failures:
                continue
            try:
                result.rounds.setdefault(framework, []).append(measure(case, framework))
            except Failed as error:
                result.failures[framework] = str(error)
    return result


def timed(name: str, options: argparse.Namespace, machine: Mapping[str, float]) -> list[Result]:
    """The results of a family of calls; every framework keeps one process."""
    family = import_module(name)
    variables = environment(options.threads, options.clock, CACHE)
    workers = {framework: Worker(name, framework, variables) for framework in options.frameworks}
    results = []
    for case in family.CASES:
        taking_part = [framework for framework in options.frameworks if framework in case.frameworks]
        for framework in taking_part:  # made and checked first, so that the rounds are alike
            with suppress(Failed):  # it fails again in the first round, and is reported there
                workers[framework].measure(case.name)
        result = collect(case, taking_part, options.rounds, lambda c, f: workers[f].measure(c.name))
        result.limit = case.limit(machine)
        results.append(result)
    for worker in workers.values():
        worker.close()
    return results


def in_processes(options: argparse.Namespace) -> list[Result]:
    """The results that take a process for each measurement, with caches that start empty."""
    with tempfile.TemporaryDirectory() as directory:
        results = []
        for case in processes.CASES:
            empty = [Path(directory, case.arguments[0], str(number)) for number in range(options.rounds)]
            taking_part = [name for name in processes.PARTICIPANTS[case.arguments[0]] if name in options.frameworks]
            cold = case.name.endswith("cold")
            fresh = {name: iter(empty) for name in taking_part}

            def measure(case: Case, framework: str) -> float:
                cache = next(fresh[framework]) if cold else empty[0]  # noqa: B023
                return processes.measure(case, framework, environment(options.threads, options.clock, cache))

            # Some peers take half a minute to compile: once is enough to see it.
            rounds = 1 if cold else min(options.rounds, 3)
            unit = "B" if case.arguments[0] == "memory" else "s"
            results.append(collect(case, taking_part, rounds, measure, unit))
        return results


def heading(options: argparse.Namespace, machine: Mapping[str, float]) -> str:
    """When and where, with which versions."""
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return (f"{datetime.date.today()}, {_processor()}, threads for each framework: {options.threads},"
            f" {options.clock} clock, Python {platform.python_version()}\n{versions}\n"
            f"measured limits: {describe_machine(machine)}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(working tree)"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def write_section(name: str, head: str, results: Sequence[Result]) -> None:
    """Put a family's table into its place on the page, with the command that made it, and the excerpt into README."""
    lines = "".join(f"* {line}\n" for line in summary(results)) or "Every bar is reached.\n"
    command = f"`make bench BENCH_FLAGS='{' '.join(sys.argv[1:])}'`"
    replace_section(PAGE, name, f"{command}: {head}\n\n{markdown_table(results)}\n\n{lines}")
    replace_section(README, "comparison", excerpt(PAGE.read_text(encoding="utf-8")))


def replace_section(path: Path, name: str, section: str) -> None:
    """Replace what stands on a page between the mark of a section and the next end mark."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    assert begin and end, f"{path} has no place for {name}"
    path.write_text(before + begin + section + end + after, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the page if asked to."""
    options = parse(arguments)
    options.frameworks = options.frameworks.split(",")
    names = options.only or [*TIMED, "processes"]
    variables = environment(options.threads, options.clock, CACHE)
    machine: dict[str, Any] = json.loads(run_process([str(HERE / "limits.py")], variables))
    head = heading(options, machine)
    print(head)
    results: list[Result] = []
    for name in names:
        family = in_processes(options) if name == "processes" else timed(name, options, machine)
        print("\n" + text_table(family), flush=True)
        if options.write:
            write_section(name, head, family)
        results += family
    print("\n" + ("\n".join(summary(results)) or "every bar is reached"))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
