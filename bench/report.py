"""Measurements as tables: medians, the ratio to the fastest peer, the bar to reach, what failed.

>>> quantity(1.5e-6, "s"), quantity(0.25, "s"), quantity(3.2e6, "B"), quantity(None, "s")
('1.50 us', '250 ms', '3.20 MB', '-')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from harness import FRAMEWORKS, OURS, Case

__all__ = ["Result", "quantity", "text_table", "markdown_table", "summary", "describe_machine", "excerpt"]

_SCALES = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")), "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))}


def quantity(value: float | None, unit: str) -> str:
    """Seconds or bytes with three digits."""
    if value is None:
        return "-"
    scale, name = next((entry for entry in _SCALES[unit] if value >= entry[0]), _SCALES[unit][-1])
    scaled = value / scale
    return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {name}"


@dataclass
class Result:
    """What was measured for one case: for each framework the value of each round, or why there is none."""

    case: Case
    unit: str = "s"
    rounds: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    limit: float | None = None

    def value(self, framework: str) -> float | None:
        """The median of the rounds."""
        return median(self.rounds[framework]) if self.rounds.get(framework) else None

    def rival(self) -> str | None:
        """The peer that the ratio is to: the one the case names, or the best."""
        if self.case.rival:
            return self.case.rival if self.rounds.get(self.case.rival) else None
        compilers = [name for name in self.rounds if name not in (OURS, "numpy")]  # NumPy is the plain way, no rival
        peers = {name: self.value(name) for name in compilers if self.rounds[name]}
        return min(peers, key=lambda name: peers[name] or 0.0, default=None)

    def ratio(self) -> float | None:
        """How many times the rival's value ours is better; above 1 we are ahead."""
        rival = self.rival()
        ours, theirs = self.value(OURS), self.value(rival) if rival else None
        return theirs / ours if ours and theirs else None

    def met(self) -> bool | None:
        """Whether each bar is reached; None if there is none."""
        ours, ratio = self.value(OURS), self.ratio()
        verdicts = []
        if self.case.bar is not None:
            verdicts.append(ratio is not None and ratio >= self.case.bar)
        if self.case.absolute is not None:
            verdicts.append(ours is not None and ours < self.case.absolute)
        return all(verdicts) if verdicts else None

    def cells(self, frameworks: Sequence[str] = FRAMEWORKS) -> list[str]:
        """The row of a table."""
        values = ["failed" if name in self.failures else quantity(self.value(name), self.unit) for name in frameworks]
        return [self.case.name, *values, quantity(self.limit, self.unit), self._ratio_text(), self._bar_text(),
                {True: "yes", False: "NO", None: ""}[self.met()]]

    def _ratio_text(self) -> str:
        ratio = self.ratio()
        return "" if ratio is None else f"{ratio:.2f}x {self.rival()}"

    def _bar_text(self) -> str:
        parts = [] if self.case.bar is None else [f"{self.case.bar}x"]
        if self.case.absolute is not None:
            parts.append(f"< {quantity(self.case.absolute, self.unit)}")
        return ", ".join(parts)




def _headings(frameworks: Sequence[str]) -> list[str]:
    return ["", *frameworks, "limit", "ratio to", "bar", "met"]


HEADINGS = _headings(FRAMEWORKS)
RULE = ["---"] + ["---:"] * (len(HEADINGS) - 1)


def text_table(results: Sequence[Result], frameworks: Sequence[str] = FRAMEWORKS) -> str:
    """A table for a terminal."""
    rows = [_headings(frameworks), *(result.cells(frameworks) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def markdown_table(results: Sequence[Result]) -> str:
    """The same table for a page."""
    return "\n".join(_markdown(row) for row in [HEADINGS, RULE, *(result.cells() for result in results)])


def _markdown(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def excerpt(page: str) -> str:
    """What README shows of the page of all tables: of each, the first and the last case and those that miss their bar.

    >>> heading = _markdown(HEADINGS)
    >>> rows = [_markdown([name, "1 s", *["2 s"] * 6, "-", "2.00x numpy", "", met])
    ...         for name, met in (("sum", "yes"), ("mean", "yes"), ("norm", "NO"), ("product", "yes"))]
    >>> print(*excerpt("\\n".join(["`make bench`: 2026-01-01, a machine", heading, *rows])).splitlines()[4:], sep="\\n")
    | sum | 1 s | 2 s | 2 s | 2 s | 2 s | 2 s | 2 s | 2.00x numpy |
    | norm | 1 s | 2 s | 2 s | 2 s | 2 s | 2 s | 2 s | 2.00x numpy |
    | product | 1 s | 2 s | 2 s | 2 s | 2 s | 2 s | 2 s | 2.00x numpy |
    """
    shown = [HEADINGS.index(name) for name in ("", *FRAMEWORKS, "ratio to")]
    cases: list[list[str]] = []
    for section in page.split("<!-- end -->"):
        lines = [line for line in section.splitlines() if line.startswith("| ")]
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
        rows = [row for row in rows if row not in (HEADINGS, RULE)]
        cases += [row for row in rows if row in (rows[0], rows[-1]) or row[HEADINGS.index("met")] == "NO"]
    measured = sorted({line.split("`: ")[1] for line in page.splitlines() if line.startswith("`make bench")})
    table = [_markdown([row[column] for column in shown]) for row in [HEADINGS, RULE, *cases]]
    return "\n".join(["Measured " + "; ".join(measured) + ".", "", *table, ""])


def summary(results: Sequence[Result]) -> list[str]:
    """Where a bar is missed, and what failed and why: one line each."""
    lines = [f"missed: {result.case.name}: {quantity(result.value(OURS), result.unit)}, {result._ratio_text()},"
             f" bar {result._bar_text()}" for result in results if result.met() is False]
    return lines + [f"failed: {result.case.name} in {name}: {why}"
                    for result in results for name, why in result.failures.items()]


def describe_machine(machine: Mapping[str, float]) -> str:
    """The measured limits in words."""
    return (f"read {machine['read'] / 1e9:.0f} GB/s, copy {machine['copy'] / 1e9:.0f} GB/s,"
            f" float32 arithmetic {machine['flops'] / 1e9:.0f} Gflop/s")
