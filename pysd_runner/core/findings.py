"""Findings: errors, warnings and passed checks of a file, a scenario, a fit or an installation."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pysd_runner.core.errors import Message, joined

Severity = Literal["ok", "warning", "error"]
# Maximum length of `found`: an unclosed quote makes the rest of a file one cell.
LONGEST_FOUND = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """An error, a warning or a passed check.

    Parameters
    ----------
    rule
        Short name of the rule that was broken or of what was examined, stable for programs: ``"not-a-number"``.
    message
        Description in one sentence, with advice.
    severity
        ``"error"``: the work stops, or a diagnostic failed; ``"warning"``: the work goes on; ``"ok"``: a passed check.
    where
        File, or name of the scenario; empty for the one file that is read.
    row
        Row or line of the file, counted as an editor or a spreadsheet counts (the header is row 1 when it comes
        first); None where it is not in one row.
    column
        Heading as in the file, or path of keys to the entry, such as ``policy.mix.access``.
    found
        Value that was found, cut after 500 characters.
    expected
        Description of a valid value.
    remedy
        Advice, or the most similar known name.
    """

    rule: str
    message: str
    severity: Severity = "error"
    where: str = ""
    row: int | None = None
    column: str = ""
    found: str = ""
    expected: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        if len(self.found) > LONGEST_FOUND:
            object.__setattr__(self, "found", f"{self.found[:LONGEST_FOUND]}...")

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the fields as plain values for JSON, without `where` and `remedy`."""
        return {name: value for name, value in asdict(self).items() if name not in {"where", "remedy"}}

    def __str__(self) -> str:
        """Format as one line: severity or file, position, message, found and expected."""
        if self.where:
            return self._of_entry()
        if self.row is None and not (self.column or self.found or self.expected):
            said = {"error": "error: {said}", "warning": "warning: {said}", "ok": "{said}"}
            return Message(said[self.severity], said=self.message)
        place = [f"row {self.row}"] if self.row is not None else []
        place += [f"column {self.column!r}"] if self.column else []
        parts = [f"{self.severity}: {', '.join(place) + ': ' if place else ''}{self.message.rstrip('.')}"]
        parts += [f"found {self.found!r}"] if self.found else []
        parts += [f"expected {self.expected}"] if self.expected else []
        return "; ".join(parts).replace("\n", " ")

    def _of_entry(self) -> str:
        """Format a finding about an entry of a file with keys as one line."""
        parts = [self.message] if self.message else []
        parts += [Message("found {what}", what=self.found)] if self.found else []
        parts += [Message("expected {expected}", expected=self.expected)] if self.expected else []
        detail = joined(parts, "; ")
        end = "" if detail.endswith((".", "?")) else Message(".")
        gap = "" if not self.remedy or self.remedy.startswith(" ") else " "
        told = Message("{said}{end}{gap}{remedy}", said=detail, end=end, gap=gap, remedy=self.remedy)
        if self.column:
            told = Message("{where}: {said}", where=self.column, said=told)
        where = self.where if self.row is None else f"{self.where}:{self.row}"
        return Message("{where}: {said}", where=where, said=told)


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings of severity ``"error"``."""
    return [item for item in findings if item.severity == "error"]


def listed(names: Sequence[str], most: int = 5) -> str:
    """Join names with commas, the first ones if there are many."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def with_hint(suggestion: str) -> str:
    """End of a message: a full stop and the suggestion, if there is one."""
    return Message(".{suggestion}", suggestion=suggestion) if suggestion else "."
