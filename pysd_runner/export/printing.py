"""A summary in words: Markdown for documents, aligned text for the terminal."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pysd_runner.export.summary import Summary
from pysd_runner.export.words import has_word, word

# Beyond this a halving time only says that the gap hardly moves.
_LONGEST = 200
_NARROWEST = 10


def summary_markdown(summary: Summary, *, lang: str = "en") -> str:
    """Write a summary as a Markdown table with its title and notes.

    Parameters
    ----------
    summary
        What `summary_table` returned.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    InvalidInput
        If there is no such language.
    """
    header, rows = _cells(summary, lang)
    table = [_bar(header), _bar(["---"] + ["--:"] * (len(header) - 1)), *(_bar(row) for row in rows)]
    notes = [*_notes(summary, lang), *_rarer_notes(summary, lang)]
    return "\n".join([f"**{_title(summary, lang)}**", "", *table, "", *notes]) + "\n"


def summary_text(summary: Summary, *, lang: str = "en") -> str:
    """Write the main columns of a summary as aligned text.

    Parameters
    ----------
    summary
        What `summary_table` returned.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    str
        Text whose columns line up in a terminal, Chinese characters counted twice: gaps closed, national
        output, probability that the gap is smaller, and how many regions lose. The rest is in the Markdown
        and the frame.

    Raises
    ------
    InvalidInput
        If there is no such language.
    """
    header, rows = _cells(summary, lang, only_main=True)
    columns = range(len(header))
    widths = [max(_width(row[column]) for row in rows) for column in columns]
    heads = [_broken(header[column], max(widths[column], _NARROWEST)) for column in columns]
    widths = [max(widths[column], *map(_width, heads[column])) for column in columns]
    depth = max(map(len, heads))
    above = [[([""] * (depth - len(head)) + head)[line] for head in heads] for line in range(depth)]
    lines = [_aligned(row, widths) for row in [*above, *rows]]
    return "\n".join([_title(summary, lang), "", *lines, "", *_notes(summary, lang)]) + "\n"


def below_baseline_markdown(summary: Summary, *, lang: str = "en") -> str:
    """Write the probability that each region lies below its baseline as a Markdown table: winners and losers.

    Parameters
    ----------
    summary
        What `summary_table` returned.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    str
        Markdown, one row for each region and one column for each scenario that has a baseline.

    Raises
    ------
    InvalidInput
        If there is no such language.
    """
    scenarios = list(summary.baselines)
    header = [word("table.region", lang), *(_label(summary, name, lang) for name in scenarios)]
    title = word("table.title_losers", lang, baseline=_baseline(summary, lang), year=summary.year)
    rows = [
        [
            summary.labels[lang].get(str(code), str(code)),
            *(_number(float(summary.below_baseline.loc[name, code]), 2) for name in scenarios),  # type: ignore[arg-type]
        ]
        for code in summary.below_baseline.columns
    ]
    lines = [f"**{title}**", "", _bar(header), _bar(["---"] + ["--:"] * len(scenarios)), *(_bar(row) for row in rows)]
    return "\n".join([*lines, "", word("table.conditional", lang)]) + "\n"


def _title(summary: Summary, lang: str) -> str:
    """Title of the table."""
    return word("table.title", lang, baseline=_baseline(summary, lang), year=summary.year)


def _baseline(summary: Summary, lang: str) -> str:
    """Printed name of the baseline, or that each scenario has its own."""
    names = set(summary.baselines.values())
    return _label(summary, names.pop(), lang) if len(names) == 1 else word("baseline.own", lang)


def _label(summary: Summary, name: str, lang: str) -> str:
    """Printed name of a scenario."""
    own = summary.labels[lang].get(name, name)
    if own != name:
        return own
    return word(f"scenario.{name}", lang) if has_word(f"scenario.{name}") else name.replace("_", " ")


def _cells(summary: Summary, lang: str, *, only_main: bool = False) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table; without the rarer columns where room is short."""
    frame = summary.frame
    columns = _main_measures(frame) if only_main else _measures(frame)
    header = [word("table.scenario", lang), *(_heading(name, summary, lang) for name in columns)]
    rows = [
        [_label(summary, str(scenario), lang), *(_cell(frame.loc[scenario], name, lang) for name in columns)]
        for scenario in frame.index
    ]
    return header, rows


def _main_measures(frame: pd.DataFrame) -> list[str]:
    """Measures for narrow tables: of the classes only the one farthest behind."""
    measures = _measures(frame)
    classes = [name for name in measures if name.startswith("class_gap_closed:")]
    return ["gap_closed", *classes[:1], "output_change", "probability_gap_below", "regions_likely_below"]


def _measures(frame: pd.DataFrame) -> list[str]:
    """Measures in the order of the table, each once."""
    stems = [str(column).removesuffix("_p05").removesuffix("_p50").removesuffix("_p95") for column in frame.columns]
    return list(dict.fromkeys(stems))


def _heading(name: str, summary: Summary, lang: str) -> str:
    """Heading of a column."""
    if name.startswith("class_gap_closed:"):
        own = name.split(":", 1)[1]
        return word("table.class_gap_closed", lang, name=summary.labels[lang].get(own, own))
    key = {"regions_likely_below": "regions_below"}.get(name, name)
    return word(f"table.{key}", lang, year=summary.start)


def _cell(row: pd.Series, name: str, lang: str) -> str:
    """One cell: a probability, a count, or a median with its interval."""
    if name.startswith("probability"):
        return _number(float(row[name]), 2)
    if name == "regions_likely_below":
        return _number(float(row[name]), 0)
    middle, low, high = (float(row[f"{name}_{key}"]) for key in ("p50", "p05", "p95"))
    if np.isnan(middle):
        return "–"
    if name == "halving_time":
        return _years(middle, lang)
    factor, digits = (1000.0, 1) if name in {"theil_change", "sigma_change"} else (1.0, 2)
    interval = word("table.range", lang, low=_number(low * factor, digits), high=_number(high * factor, digits))
    return f"{_number(middle * factor, digits)} ({interval})"


def _years(value: float, lang: str) -> str:
    """A halving time."""
    if np.isinf(value):
        return word("table.never", lang)
    return f">{_LONGEST}" if value > _LONGEST else f"{value:.0f}"


def _number(value: float, digits: int) -> str:
    """A number with a true minus sign; a dash where there is none."""
    if np.isnan(value):
        return "–"
    rounded = round(value, digits)
    return f"{rounded + 0.0:.{digits}f}".replace("-", "−")


def _notes(summary: Summary, lang: str) -> list[str]:
    """What the numbers mean and what they rest on."""
    notes = [
        word("table.interval", lang, draws=summary.draws),
        word("table.leader_gap", lang),
    ]
    if summary.failed:
        notes.append(word("caption.failed", lang, failed=summary.failed, draws=summary.draws + summary.failed))
    return [*notes, word("table.conditional", lang)]


def _rarer_notes(summary: Summary, lang: str) -> list[str]:
    """What the columns mean that only the full table has."""
    return [word("table.halving", lang, start=summary.start, year=summary.year)]


def _bar(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _width(text: str) -> int:
    """Columns a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One line of aligned text: the first column to the left, the others to the right."""
    filled = []
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        filling = " " * (width - _width(cell))
        filled.append(cell + filling if column == 0 else filling + cell)
    return "  ".join(filled).rstrip()


def _broken(text: str, width: int) -> list[str]:
    """A heading in lines no wider than a width, unless a word is; Chinese may break anywhere."""
    pieces = text.split(" ") if " " in text else list(text)
    joint = " " if " " in text else ""
    lines = [pieces[0]]
    for piece in pieces[1:]:
        longer = lines[-1] + joint + piece
        if _width(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines
