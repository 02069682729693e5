"""What is wrong with a scenario file: one record per finding, reported together."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pysd_runner.core.errors import InvalidScenario

LONGEST_QUOTE = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One finding in a scenario.

    Parameters
    ----------
    place
        File, or name of the scenario when there is no file.
    line
        Line of the file, from 1; None when unknown.
    path
        Keys that lead to the finding, as ``policy.mix.access``.
    message
        What is wrong.
    found, expected
        What stands there, and what could stand there.
    remedy
        What to do, or the nearest known name.
    severity
        Errors stop the work, warnings do not.
    """

    place: str
    path: str
    message: str
    line: int | None = None
    found: str = ""
    expected: str = ""
    remedy: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = self.place if self.line is None else f"{self.place}:{self.line}"
        key = f"{self.path}: " if self.path else ""
        detail = "; ".join(
            part
            for part in (
                self.message,
                f"found {self.found}" if self.found else "",
                f"expected {self.expected}" if self.expected else "",
            )
            if part
        )
        end = "" if detail.endswith((".", "?")) else "."
        return f"{where}: {key}{detail}{end} {self.remedy.strip()}".rstrip()


class InvalidScenarioFile(InvalidScenario):
    """Scenarios with everything that is wrong with them.

    Parameters
    ----------
    problems
        The findings; warnings are listed only beside errors.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        errors = [problem for problem in self.problems if problem.severity == "error"]
        if len(errors) == 1:
            return str(errors[0])
        return "\n  ".join([f"{len(errors)} problems:", *map(str, errors)])


def quoted(value: object) -> str:
    """Short text of something found in a file."""
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def join_path(keys: Iterable[str | int]) -> str:
    """Keys of a nested document as one text."""
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            path += f".{key}" if path else key
    return path
