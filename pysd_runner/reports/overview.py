"""A projection on one screen: what each scenario changes, how surely, and what that rests on."""

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pysd_runner.export import Summary, summary_table
from pysd_runner.projection import Projection
from pysd_runner.reports.certainty import certainty_lines
from pysd_runner.reports.evidence import declarations_of, evidence_lines
from pysd_runner.reports.levels import level_table
from pysd_runner.reports.phrases import say

# More classes than this do not fit on the screen; the others are in the tables of the folder.
MOST_CLASSES = 3
LINE = 90
_GAP = 2

Interval = tuple[float, float, float]


def summarise(projection: Projection) -> Summary | None:
    """Summary of a projection, each scenario against its own baseline.

    Parameters
    ----------
    projection
        What was projected.

    Returns
    -------
    Summary or None
        In the last year, with the classes that trail the leading one; None when no policy was projected or no
        population was observed.
    """
    if not projection.policies or has_equal_shares(projection):
        return None
    return summary_table(
        projection.data["output"],
        projection.data["population"],
        baseline=dict(projection.baselines),
        classes=trailing_classes(projection),
    )


def has_equal_shares(projection: Projection) -> bool:
    """Whether population was not observed, so that what it weights is left out."""
    return any(text.startswith("Initial Population: missing, equal shares") for text in projection.imputed)


def trailing_classes(projection: Projection) -> list[str]:
    """Classes that trail the leading one without policy, the widest gap first."""
    if "class_gap" not in projection.data:
        return []
    reference = next(iter(projection.baselines.values()))
    gaps = projection.data["class_gap"].sel(scenario=reference).isel(year=-1).median("draw")
    ranked = gaps.to_series().sort_values(ascending=False)
    return [str(name) for name, gap in ranked.items() if gap > 0]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Column:
    """One measure: its heading, where its numbers come from, and how they are written."""

    heading: tuple[str, str]
    measure: str
    level: tuple[str, str] | None = None
    factor: float = 1.0
    level_factor: float = 1.0
    digits: int = 2

    def text(self, values: Interval) -> tuple[str, str]:
        """Median, and the interval, empty when there is none."""
        low, middle, high = (_number(value * self.factor, self.digits) for value in values)
        return middle, "" if np.isnan(values[0]) else f"{low}…{high}"


def overview(projection: Projection, summary: Summary | None, *, lang: str = "en") -> list[str]:
    """Say what each scenario changes, in about seven numbers, and what they rest on.

    Parameters
    ----------
    projection
        What was projected.
    summary
        What `summarise` gave.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    list of str
        Lines of about 80 columns.
    """
    columns = _columns(projection, lang)
    labels = _labels(projection, lang)
    levels = level_table(projection)
    end, draws = int(projection.data["year"][-1]), projection.data.sizes["draw"]
    years = {"origin": projection.origin, "year": end}
    blocks: list[tuple[str, list[list[str]]]] = []
    for name in projection.scenarios:
        falls = levels[(levels["scenario"] == name) & (levels["variable"] == "national_gap")]["probability_falls"]
        if projection.baselines[name] == name:
            heading = say("since origin", lang, label=labels[name], **years)
            values = [_since_origin(levels[levels["scenario"] == name], column) for column in columns]
        else:
            heading = say("against", lang, label=labels[name], baseline=labels[projection.baselines[name]], year=end)
            values = [_against(projection, summary, name, column) for column in columns]
        share = np.nan if falls.empty or draws == 1 else float(falls.iloc[0])
        blocks.append((heading, _block(values, columns, share, lang, is_single=draws == 1)))
    lines = [say("how single" if draws == 1 else "how", lang, draws=draws), "", *_table(columns, blocks, lang)]
    notes = [say("gap note", lang), say("falls note", lang, **years)]
    if has_equal_shares(projection):
        notes.append(say("equal shares", lang))
    explained = [line for note in notes for line in _filled(note, "  ")]
    evidence = [line for text in evidence_lines(projection, lang=lang) for line in _filled(f"- {text}", "  ")]
    return [*lines, "", *explained, "", say("evidence", lang), *evidence, *_behind(projection, lang)]


def _behind(projection: Projection, lang: str) -> list[str]:
    """The calibrated parameters, below everything that depends on them; nothing without a calibration."""
    fitted = projection.provenance.get("fitted")
    if fitted is None:
        return []
    found = certainty_lines(fitted, declarations_of(projection), lang=lang)
    return ["", *found] if found else []


def _labels(projection: Projection, lang: str) -> Mapping[str, str]:
    texts = projection.data[f"label_{lang}"].to_numpy()
    return {name: str(text) for name, text in zip(projection.scenarios, texts, strict=True)}


def _columns(projection: Projection, lang: str) -> list[_Column]:
    from pysd_runner.export.words import has_word, word

    spread = [
        _Column(
            heading=(say(name, lang), say("thousandth", lang)),
            measure=f"{name}_change",
            level=(name, ""),
            factor=1000,
            digits=1,
        )
        for name in ("theil", "sigma")
        if name in projection.data
    ]
    if has_equal_shares(projection):
        return spread
    gaps = [
        _Column(heading=("", say("nation", lang)), measure="gap_closed", level=("national_gap", ""), level_factor=-100)
    ]
    for name in trailing_classes(projection)[:MOST_CLASSES]:
        label = word(f"class.{name}", lang) if has_word(f"class.{name}") else name
        gaps.append(
            _Column(
                heading=("", label), measure=f"class_gap_closed:{name}", level=("class_gap", name), level_factor=-100
            )
        )
    return [
        *gaps,
        *spread,
        _Column(heading=(say("output", lang), say("percent of output", lang)), measure="output_change"),
    ]


def _since_origin(levels: pd.DataFrame, column: _Column) -> Interval:
    """How far a measure moves from the last observed year; gaps count as closed when they fall."""
    if column.level is None:
        return (np.nan, np.nan, np.nan)
    variable, group = column.level
    row = levels[(levels["variable"] == variable) & (levels["class"] == group)].iloc[0]
    low, middle, high = (float(row[f"change_{key}"]) * column.level_factor for key in ("p05", "p50", "p95"))
    return (min(low, high), middle, max(low, high))


def _against(projection: Projection, summary: Summary | None, name: str, column: _Column) -> Interval:
    """How far a policy moves a measure away from its baseline."""
    if summary is None:
        if column.level is None:
            return (np.nan, np.nan, np.nan)
        change = projection.difference(column.level[0]).sel(scenario=name).isel(year=-1)
        low, middle, high = (float(x) for x in np.quantile(change, (0.05, 0.5, 0.95)))
        return (low, middle, high)
    row = summary.frame.loc[name].to_dict()
    low, middle, high = (float(row[f"{column.measure}_{key}"]) for key in ("p05", "p50", "p95"))
    return (low, middle, high)


def _block(
    values: Sequence[Interval], columns: Sequence[_Column], falls: float, lang: str, *, is_single: bool
) -> list[list[str]]:
    """Medians, and intervals below them where there are any."""
    texts = [column.text(value) for column, value in zip(columns, values, strict=True)]
    share = "–" if np.isnan(falls) else say("probability", lang, percent=f"{100 * falls:.0f}")
    middle = [*(text for text, _ in texts), share]
    return [middle] if is_single else [middle, [interval for _, interval in texts] + [""]]


def _table(columns: Sequence[_Column], blocks: Sequence[tuple[str, list[list[str]]]], lang: str) -> list[str]:
    heads = [column.heading for column in columns] + [(say("gap word", lang), say("falls", lang))]
    widths = [
        max(_width(cell) for cell in (*heads[place], *(row[place] for _, block in blocks for row in block)))
        for place in range(len(heads))
    ]
    gaps = sum(column.measure.startswith(("gap", "class")) for column in columns)
    top, rooms = [cell for cell, _ in heads[gaps:]], widths[gaps:]
    if gaps:
        over = say("gap", lang)
        widths[0] += max(0, _width(over) - sum(widths[:gaps]) - _GAP * (gaps - 1))
        top, rooms = [over, *top], [sum(widths[:gaps]) + _GAP * (gaps - 1), *rooms]
    lines = [_row(top, rooms)]
    lines.append(_row([cell for _, cell in heads], widths))
    for heading, block in blocks:
        lines += ["", heading, *(_row(row, widths) for row in block)]
    return lines


def _number(value: float, digits: int) -> str:
    """A number with a true minus sign; a dash where there is none."""
    if np.isnan(value):
        return "–"
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (" " * (width - _width(cell)) + cell for cell, width in zip(cells, widths, strict=True))
    return (" " * _GAP).join(padded).rstrip()


def _width(text: str) -> int:
    """Columns a text takes in a terminal; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _filled(text: str, indent: str) -> list[str]:
    """A sentence in lines of the screen; scripts without spaces are left to the terminal."""
    return textwrap.wrap(text, LINE, subsequent_indent=indent) if text.isascii() else [text]
