"""Where something stands in a model file, and what is done with it, for messages."""

from dataclasses import dataclass

from pysd_runner.engine.errors import InvalidModel

# Characters of a text of the file that a message quotes.
QUOTED = 200


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """A text of a model file and where it begins."""

    line: int = 0
    column: int = 1
    text: str = ""  # as it stands in the file

    def at(self, offset: int) -> str:
        """Where a character of the text stands in the file, as a person would say it."""
        offset = offset or len(self.text) - len(self.text.lstrip())
        before = self.text[: max(offset, 0)]
        breaks = before.count("\n")
        column = len(before) - before.rfind("\n") if breaks else self.column + len(before)
        return f"line {self.line + breaks}, column {column}"


class Misplaced(InvalidModel):
    """An error about one name of an equation; `at` is where the name stands in it."""

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.at = at


def fault(place: SourcePlace, offset: int, message: str) -> InvalidModel:
    """An error about a character of a text."""
    return InvalidModel(f"{place.at(offset)}: {message}")


def shortened(text: str) -> str:
    """A text of the file on one line, cut where it is long."""
    line = " ".join(text[: 2 * QUOTED].split())
    return line if len(line) <= QUOTED else line[:QUOTED] + "..."


READ = "honoured"
DRAWN = "how the model is drawn; no number depends on it"
SHOWN = "how numbers are shown; none depends on it"
PROGRAM = "settings of the program that wrote the file; no number depends on them"
ABOUT = "about the file; no number depends on it"
STUDY = "a study that the program offers beside the run; it is not done here"
OUTPUT = "where the program writes results; nothing is written here"
REPLACED = "shown as question marks; save the file as UTF-8 to see them"
