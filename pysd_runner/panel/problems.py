"""What is wrong in a panel file: findings in order, and the text of an exception."""

from collections.abc import Iterable, Sequence

from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding as Problem
from pysd_runner.core.findings import Severity

__all__ = ["Problem", "Severity", "errors_of", "heaviest_first", "in_file_order", "summary", "with_hint"]

SHOWN = 5
# Rules of warnings: what changes results most comes first, what may not matter at all last, all others between.
HEAVIEST = (
    # Two spellings of a region come with gaps and jumps of both.
    "region-spelling",
    "invisible",
    "jump",
    "magnitude",
    "unit-doubt",
    "number-style",
    "year-form",
    "total",
    "region-no-value",
    "zero",
    "gap",
    "incomplete-region",
    "left-out",
    "absent-region",
    "other-sheets",
    "unused-column",
)
LIGHTEST = ("blank-row", "no-population", "no-unit")


def with_hint(suggestion: str) -> str:
    """How a message ends: with a name that may have been meant, or without one."""
    return Message(".{suggestion}", suggestion=suggestion) if suggestion else "."


def in_file_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems by row of the file, those of the whole file first."""
    return sorted(problems, key=lambda problem: -1 if problem.row is None else problem.row)


def heaviest_first(problems: Iterable[Problem]) -> list[Problem]:
    """Sort warnings by how much they may change results."""
    rank = {rule: place - len(HEAVIEST) for place, rule in enumerate(HEAVIEST)}
    rank |= {rule: place + 1 for place, rule in enumerate(LIGHTEST)}
    return sorted(problems, key=lambda problem: rank.get(problem.rule, 0))


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Problems that stop a panel from loading."""
    return [problem for problem in problems if problem.severity == "error"]


def summary(problems: Sequence[Problem], where: str) -> str:
    """Text of an exception: how many problems, and the first few."""
    noun = "problem" if len(problems) == 1 else "problems"
    lines = [f"{where}: {len(problems)} {noun}"]
    lines += [f"  {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"  ... and {len(problems) - SHOWN} more; `check_data` or `gapsim data check` lists them all")
    return "\n".join(lines)
