"""Settings of a Vensim file, behind its sketch: every one that is known, and what is done with it."""

from collections import Counter
from collections.abc import Iterable

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.notes import ABOUT, OUTPUT, PROGRAM, READ, SHOWN, STUDY
from pysd_runner.engine.ir import Feature

CALENDAR = "the calendar of the axis of time; no number depends on it"

# Number of a setting -> its name and what is done with it.
KNOWN: dict[int, tuple[str, str]] = {
    1: ("runs", SHOWN),
    4: ("axis of time", SHOWN),
    5: ("selected variable", SHOWN),
    6: ("selected subscript", SHOWN),
    8: ("graphs", SHOWN),
    9: ("name of the run", OUTPUT),
    10: ("changed constants", "constants that the program reads from a file before a run; give their values instead"),
    11: ("optimisation", STUDY),
    12: ("payoff", STUDY),
    13: ("data", "series that the program reads from other runs; give their values"),
    15: ("method of integration", READ),
    18: ("sensitivity", STUDY),
    19: ("zoom", SHOWN),
    20: ("list of saved variables", OUTPUT),
    22: ("equivalent units", "honoured where units are checked"),
    30: ("names of files", READ),
    31: ("reference mode", SHOWN),
    32: ("reference mode", SHOWN),
    33: ("reference mode", SHOWN),
    44: ("encoding", ABOUT),
    48: ("list of saved variables", OUTPUT),
    **dict.fromkeys(range(35, 42), ("calendar", CALENDAR)),
    **dict.fromkeys((23, 24, 25, 26, 27, 34), ("graphs", SHOWN)),
    **dict.fromkeys((42, 43, 45, 46, 47, *range(49, 60), *range(71, 98)), ("other settings", PROGRAM)),
    **dict.fromkeys((*range(102, 106), 110, 111), ("other settings", PROGRAM)),
}

# Settings that change numbers where the program runs the model.
WARN = frozenset({10})

ALIAS = 30


def features(lines: Iterable[tuple[int, str]]) -> list[Feature]:
    """What the settings of a file ask for."""
    found: Counter[tuple[str, str, bool]] = Counter()
    for number, line in lines:
        code, colon, value = line.partition(":")
        if not line.strip() or (colon and value.strip() in ("", "0")):
            continue
        known = KNOWN.get(int(code)) if colon and code.strip().isdecimal() else None
        if known is None:
            raise InvalidModel(
                f"line {number}: the setting {line.strip()[:60]!r} is not known here, and the numbers may depend on "
                "it; remove it if they do not"
            )
        found[f"setting: {known[0]}", known[1], int(code) in WARN] += 1
    return [Feature(name, done, count, warns) for (name, done, warns), count in found.items()]


def aliases(lines: Iterable[tuple[int, str]]) -> dict[str, str]:
    """What names of data files that begin with a question mark stand for."""
    found = {}
    for _, line in lines:
        code, _, value = line.partition(":")
        if code.strip() == str(ALIAS):
            name, _, file = value.partition("=")
            found[name.strip()] = file.strip()
    return found
