"""The calibrated parameters behind a result: how much of each is data, in a table that fits the screen."""

import textwrap
import unicodedata
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from pysd_runner.spec import ModelSpec
from pysd_runner.text import say
from pysd_runner.text.notices import panel_title

_INDENT = 2
# Columns of numbers: estimate, interval, share of data.
_NUMBERS = frozenset({1, 2, 3})
# Normal score of the ends of a 90 % interval.
_NINETY = 1.6448536269514722
# Of a parameter that a panel is not asked for first, the least contraction with which it is shown.
LEAST_SHOWN = 0.05
# At most so many of the combinations that the data see best.
MOST_DIRECTIONS = 4

SHAPES = {
    "both": "bounded",
    "below": "bounded below",
    "above": "bounded above",
    "flat": "flat",
    "two_modes": "two modes",
}
EVIDENCE = {
    "settled by the panel": "settled",
    "mostly the panel": "mostly panel",
    "panel and prior": "panel and prior",
    "mostly prior": "mostly prior",
    "prior": "prior only",
}
LINE = 90
_GAP = 2


def certainty_lines(fitted: Mapping[str, Any], spec: ModelSpec, *, lang: str = "en") -> list[str]:
    """Print the calibrated parameters, the best known first, with what the panel says of each."""
    verdicts: Mapping[str, Any] = fitted["provenance"].get("identifiability") or {}
    rows = _rows(fitted, spec, verdicts, lang)
    if not rows:
        return []
    level = f"{100 * float(verdicts.get('level', 0.9)):.0f}"
    heads = ["parameter", "estimate", "interval", "from data"]
    heads += ["profile", "moves with", "verdict"] if verdicts else []
    shown = [row[0] for row in rows]
    lines = [
        say(
            "report.certainty",
            lang,
            panel=panel_title(fitted["panel"], lang),
            first=fitted["first_year"],
            last=fitted["last_year"],
        )
    ]
    lines += aligned(
        [[say(f"report.column {head}", lang, level=level) for head in heads], *rows],
        words=_words(len(heads)),
        indent=_INDENT,
    )
    if verdicts:
        lines += filled(say("report.certainty note", lang), indent=_INDENT)
        lines += filled(_seen(verdicts, lang), indent=_INDENT)
    others = len(fitted["keys"]) - len(shown)
    if others:
        lines += filled(say("report.certainty others", lang, count=others), indent=_INDENT)
    sampling = fitted["provenance"].get("sampling")
    if sampling is not None:
        lines += filled(
            say("report.sampled" if sampling["is_trusted"] else "report.sampled badly", lang, **sampling),
            indent=_INDENT,
        )
    return lines


def _words(count: int) -> frozenset[int]:
    return frozenset(range(count)) - _NUMBERS


def _rows(fitted: Mapping[str, Any], spec: ModelSpec, verdicts: Mapping[str, Any], lang: str) -> list[list[str]]:
    shares = _shares(fitted)
    order = sorted(range(len(shares)), key=lambda place: -shares[place])
    judged = verdicts.get("parameters", {})
    rows = []
    for place in order:
        key, share = fitted["keys"][place], shares[place]
        if not (share > LEAST_SHOWN or spec.parameters[key].role.startswith("FREE")):
            continue
        verdict = judged.get(key)
        low, high = _interval(fitted, spec, place) if verdict is None else (verdict["low"], verdict["high"])
        estimate = fitted["estimates"][place]
        row = [key, f"{estimate:.3g}", f"{low:.3g}…{high:.3g}", f"{100 * max(share, 0.0):.0f} %"]
        if verdicts:
            row += _judged(verdict, lang) if verdict is not None else ["", "", ""]
        rows.append(row)
    return rows


def _shares(fitted: Mapping[str, Any]) -> list[float]:
    """Contraction of every parameter; one that is not known counts as nothing."""
    return [0.0 if share is None or np.isnan(share) else float(share) for share in fitted["contraction"]]


def _judged(verdict: Mapping[str, Any], lang: str) -> list[str]:
    shape = "" if verdict["shape"] is None else say(f"report.profile {SHAPES[verdict['shape']]}", lang)
    # The strongest comes first, and for two there is no room.
    partner = next((f"{key} {size:+.1f}".replace("-", "−") for key, size in verdict["partners"].items()), "")
    return [shape, partner, say(f"report.verdict {EVIDENCE[verdict['evidence']]}", lang)]


def _interval(fitted: Mapping[str, Any], spec: ModelSpec, place: int) -> tuple[float, float]:
    prior = spec.parameters[fitted["keys"][place]].prior
    if prior is None:
        return np.nan, np.nan
    centre = float(prior.to_unbounded(fitted["estimates"][place]))
    width = _NINETY * float(np.sqrt(fitted["covariance"][place][place]))
    return float(prior.from_unbounded(centre - width)), float(prior.from_unbounded(centre + width))


def _seen(verdicts: Mapping[str, Any], lang: str) -> str:
    """Which combinations the data say more about than the prior."""
    every = verdicts["directions"]
    seen = [item for item in every if item["strength"] > 1]
    shown = [
        " ".join(f"{size:+.1f} {key}" for key, size in item["weights"].items()).lstrip("+").replace("-", "−")
        for item in seen[:MOST_DIRECTIONS]
    ]
    parts = {"seen": len(seen), "count": len(every), "best": "; ".join(shown)}
    return say("report.certainty directions" if seen else "report.certainty none seen", lang, **parts)


def aligned(rows: Sequence[Sequence[str]], *, words: Container[int] = frozenset({0}), indent: int = 0) -> list[str]:
    """Columns as wide as they must be: words to the left, numbers to the right."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            room = " " * (widths[column] - width(cell))
            cells.append(cell + room if column in words else room + cell)
        lines.append((" " * indent + (" " * _GAP).join(cells)).rstrip())
    return lines


def width(text: str) -> int:
    """Columns a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def filled(text: str, *, indent: int = 0) -> list[str]:
    """A sentence in lines of the screen; scripts without spaces are left to the terminal."""
    room = " " * indent
    if any(unicodedata.east_asian_width(character) == "W" for character in text):
        return [room + text]
    return textwrap.wrap(text, LINE, initial_indent=room, subsequent_indent=room)
