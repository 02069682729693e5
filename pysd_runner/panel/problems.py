"""What is wrong in a panel file, one value per fault."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pysd_runner.core.errors import Message

Severity = Literal["error", "warning"]

SHOWN = 5
# An unclosed quote makes the rest of a file one cell.
LONGEST_FOUND = 500
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One fault of a panel file, placed by row and column of the file.

    Parameters
    ----------
    rule
        Short name of the rule that was broken, stable for programs: ``"not-a-number"``.
    message
        The fault in one sentence, with what to do.
    row
        Row of the file, counted as an editor or a spreadsheet counts (the header is row 1 when it comes
        first); None when the fault is not in one row.
    column
        Heading as it stands in the file; empty when the fault is not in one column.
    found
        What stands there, cut after 500 characters.
    expected
        What should stand there.
    severity
        ``"error"`` stops the panel from loading, ``"warning"`` does not.
    """

    rule: str
    message: str
    row: int | None = None
    column: str = ""
    found: str = ""
    expected: str = ""
    severity: Severity = "error"

    def __post_init__(self) -> None:
        if len(self.found) > LONGEST_FOUND:
            object.__setattr__(self, "found", f"{self.found[:LONGEST_FOUND]}...")

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the fields as plain values, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """One line: severity, place, sentence, found and expected."""
        place = [Message("row {row}", row=self.row)] if self.row is not None else []
        place += [Message("column {column!r}", column=self.column)] if self.column else []
        parts = [f"{self.severity}: {', '.join(place) + ': ' if place else ''}{self.message.rstrip('.')}"]
        parts += [Message("found {what!r}", what=self.found)] if self.found else []
        parts += [Message("expected {expected}", expected=self.expected)] if self.expected else []
        return "; ".join(parts).replace("\n", " ")


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
        lines.append(f"  ... and {len(problems) - SHOWN} more; `check_panel` or `gapsim data check` lists them all")
    return "\n".join(lines)
