"""Decode a Vensim file, and read the parts that follow its equations: sketch and settings."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from pysd_runner.engine.errors import InvalidModel, Message, joined
from pysd_runner.engine.frontend.syntax import ABOUT, FORMATTED, OUTPUT, PROGRAM, READ, STUDY
from pysd_runner.engine.ir import Drawn, Feature, Integration
from pysd_runner.engine.kinds import frozen

# Separator between equations and sketch; some files have one backslash too many or too few.
_SKETCH = re.compile(rb"\\+---///")

# Encoding declared in the first line of most files, {UTF-8}.
_DECLARED = re.compile(rb"\{([^{}\r\n]*)\}")

# Encodings in which messages show a line that cannot be decoded, so that its author recognises the right one.
_LIKELY = ("GB18030", "Windows-1252")

# A byte that cannot be decoded (as a surrogate escape), and one directly before a syntactic character.
UNREAD = re.compile("[\udc80-\udcff]")
_HIDDEN_MARK = re.compile(r'[\udc80-\udcff](?=[{}~|"\\])')

_SETTINGS = re.compile(r":L\x7f?<%\^E!@")

# Settings that name the encoding of a file by the number of its code page.
_CODE_PAGE = re.compile(rb"^(?:44|61):\s*(\d{3,5})\s*$", re.MULTILINE)

_METHOD = re.compile(r"15:(?:[^,]*,){3}\s*([^,]*)")

# Integration method by the fourth number of setting 15. Vensim's two methods of second order, one of which adapts its
# step, are not distinguished; the method of fourth order replaces both.
METHODS = {
    "0": Integration(),
    "1": Integration("rk4", "Runge and Kutta's method with automatic steps (Vensim's RK4 Auto)"),
    "2": Integration("euler", "difference equations (Vensim's Diff), which save auxiliaries one interval later"),
    "3": Integration("rk4", "Runge and Kutta's method of second order (Vensim's RK2)"),
    "4": Integration("rk4", "Runge and Kutta's method of second order (Vensim's RK2)"),
    "5": Integration("rk4"),
}


@frozen
class VensimText:
    """Decoded text of a Vensim file, in its three parts."""

    equations: str  # text before the sketch; bytes that cannot be decoded are surrogate escapes
    sketch: str  # sketch with its separator; bytes that cannot be decoded are replaced
    settings: tuple[tuple[int, str], ...] = ()  # lines of the settings, each with its line number
    encoding: str = "utf-8"

    def unreadable(self, place: int) -> InvalidModel:
        """Error about a byte that cannot be decoded, with its line decoded in other likely encodings."""
        before, first = self.equations.count("\n", 0, place), self.equations.rfind("\n", 0, place) + 1
        start = self.equations[first:place].encode(self.encoding, errors="surrogateescape")
        line = self.equations[first:].split("\n", 1)[0].encode(self.encoding, errors="surrogateescape")
        readings = [
            Message("; with {encoding} this line is {text!r}", encoding=f"{{{name}}}", text=text)
            for name in _LIKELY
            if (text := _decoded(line.strip(), name))
        ]
        return InvalidModel(
            "line {line}, byte {place}: {byte:#04x} is no {encoding}. Save the file as UTF-8, or "
            "name its encoding in its first line{names}",
            line=before + 1,
            place=len(start) + 1,
            byte=line[len(start)],
            encoding=self.encoding.upper(),
            names=joined(readings, "") if readings else "",
        )

    @property
    def integration(self) -> Integration:
        """Integration method requested by the settings."""
        found = next((found for _, line in self.settings if (found := _METHOD.match(line))), None)
        if found is None:
            return Integration()
        asked = found[1].strip()
        return METHODS.get(asked) or Integration(None, f"integration setting {asked[:20]!r}")


def read_text(data: bytes) -> VensimText:
    """Decode a Vensim file with the encoding it declares, by default UTF-8."""
    encoding = _encoding(data)
    found = _SKETCH.search(data)
    end = len(data) if found is None else found.start()
    equations = _lines(data[:end].decode(encoding, errors="surrogateescape"))
    sketch, *settings = _SETTINGS.split(_lines(data[end:].decode(encoding, errors="replace")), 1)
    first = equations.count("\n") + sketch.count("\n") + 1
    lines = tuple(enumerate(settings[0].split("\n"), first)) if settings else ()
    text = VensimText(equations, sketch, lines, encoding)
    # The second byte of a character in another encoding may look like a syntactic character.
    if (hidden := _HIDDEN_MARK.search(equations)) is not None:
        raise text.unreadable(hidden.start())
    return text


def readable(text: str) -> str:
    """Replace bytes that could not be decoded by U+FFFD."""
    return UNREAD.sub("\ufffd", text)


def _encoding(data: bytes) -> str:
    """Encoding that a file declares in its first line; otherwise UTF-8 if it is, or the code page of its settings."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    names = [found[1].decode("ascii", errors="replace").strip() for found in [_DECLARED.match(data)] if found]
    try:
        data.decode()
    except ValueError:
        names += [f"cp{page.decode()}" for page in _CODE_PAGE.findall(data)]
    for name in names:
        # The braces may hold an ordinary comment, or a codec that is not a text encoding and changes ASCII text.
        with suppress(LookupError, ValueError):
            if name and b"a = 1 ~~|".decode(name) == "a = 1 ~~|":
                return name
    return "utf-8"


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(line: bytes, encoding: str) -> str:
    try:
        return line.decode(encoding)[:60]
    except UnicodeDecodeError:
        return ""


# Number of a setting -> its name and how it is handled; numbers above `ALIAS` are none of a run.
KNOWN: dict[int, tuple[str, str]] = {
    9: (Message("name of the run"), OUTPUT),
    10: (
        Message("change files"),
        Message("files that the program applies before a run; `gapsim study` names them for every command"),
    ),
    11: (Message("optimisation"), STUDY),
    12: (Message("payoff"), STUDY),
    13: (
        Message("data sets"),
        Message("series that the program reads from files; `gapsim study` names them for every command"),
    ),
    15: (Message("method of integration"), READ),
    17: (Message("list of saved variables"), OUTPUT),
    18: (Message("sensitivity"), STUDY),
    20: (Message("list of saved variables"), OUTPUT),
    # No page of the vendor says what this one is; in the files that docs/conformance.md counts it is prose on a run.
    21: (Message("comment on a run"), ABOUT),
    22: (Message("equivalent units"), Message("honoured where units are checked")),
    30: (Message("names of files"), READ),
    **dict.fromkeys((1, 4, 5, 6, 8, 19, *range(23, 28)), (Message("what is shown"), FORMATTED)),
}

# Settings that change the results of a run in Vensim.
WARN = frozenset({10})

ALIAS = 30


def features(lines: Iterable[tuple[int, str]]) -> list[Feature]:
    """Settings of a file, and how each is handled."""
    found: Counter[Feature] = Counter()
    unknown = []
    for number, line in lines:
        code, colon, value = line.partition(":")
        if not line.strip() or (colon and value.strip() in ("", "0")):
            continue
        setting = int(code) if colon and code.strip().isdecimal() else 0
        name, done = KNOWN.get(setting, (Message("other settings"), PROGRAM if setting > ALIAS else ""))
        found[Feature(Message("setting: {name}", name=name), done, warns=setting in WARN)] += 1
        if not done:
            unknown.append(f"line {number}: {line.strip()[:60]!r}")
    if unknown:
        raise InvalidModel(
            "settings that are not known here, and on which the numbers may depend: {lines}; remove those that do not "
            "matter",
            lines=", ".join(unknown),
        )
    return [replace(feature, count=count) for feature, count in found.items()]


def aliases(lines: Iterable[tuple[int, str]]) -> dict[str, str]:
    """Data files by their aliases, which begin with a question mark."""
    found = {}
    for _, line in lines:
        code, _, value = line.partition(":")
        if code.strip() == str(ALIAS):
            name, _, file = value.partition("=")
            found[name.strip()] = file.strip()
    return found


# Sketch line of a variable: 10, number, name, x, y, width, height, shape, bits; bit 0 is unset for a shadow variable.
VARIABLE = "10"
_X, _Y, _BITS = 3, 4, 8


def drawn_in(sketch: str) -> Iterator[Drawn]:
    """Positions of variables in the sketch."""
    view, before = "", ""
    for line in sketch.split("\n"):
        if line.startswith("*") and before.startswith("V"):
            view = line[1:].strip()
        before = line
        if not line.startswith(f"{VARIABLE},"):
            continue
        parts = next(csv.reader([line.replace('\\"', '""')]))
        try:
            x, y, bits = float(parts[_X]), float(parts[_Y]), int(parts[_BITS])
        except (IndexError, ValueError):
            continue
        yield Drawn(parts[2], view, x, y, is_copy=not bits & 1)
