"""Tables as CSV: written whole, readable by spreadsheet programs in any script."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.export.files import write_bytes_whole

# What a spreadsheet program takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t")
# Rows of a table that a screen holds.
SCREEN = 20


def csv_bytes(frame: pd.DataFrame) -> bytes:
    r"""Encode a table as CSV.

    UTF-8, line ends ``\n``, ten significant digits. A byte-order mark leads when a text is not ASCII:
    without it spreadsheet programs on Chinese systems read the file as GBK and show nonsense. A text that a spreadsheet
    program would take for a formula (it begins with ``=``, ``+``, ``-``, ``@`` or a tab, and is no number) gets an
    apostrophe in front, as OWASP advises.

    Parameters
    ----------
    frame
        Any table; the index is not written.

    Returns
    -------
    bytes
        The content of the file.
    """
    text: str = _without_formulas(frame).to_csv(index=False, lineterminator="\n", float_format="%.10g")
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


def _without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before each text and each heading that would be a formula."""
    plain = frame.rename(columns=_as_text)
    for place, column in enumerate(frame.dtypes):
        values = [] if column.kind in "biufcmM" else frame.iloc[:, place].tolist()
        texts = [_as_text(value) for value in values]
        if texts != values:
            plain.isetitem(place, np.array(texts, dtype=object))
    return plain


def _as_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.replace("\r", " ")  # it would begin a row of its own
    if not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def one_screen(frame: pd.DataFrame) -> str:
    """A table as HTML for a notebook, at most a screen of it: the first and the last rows."""
    return str(frame.to_html(index=False, max_rows=SCREEN, float_format="{:.4g}".format))


def save_csv(frame: pd.DataFrame, path: str | Path) -> Path:
    """Write a table as CSV, whole or not at all.

    Parameters
    ----------
    frame
        Any table; the index is not written.
    path
        Where to write; missing folders are made.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    return write_bytes_whole(path, csv_bytes(frame))


def baselines_of(scenarios: Sequence[str], baseline: str | Mapping[str, str]) -> dict[str, str]:
    """Baseline of each scenario that has one.

    >>> baselines_of(["baseline", "zoned"], "baseline")
    {'zoned': 'baseline'}
    """
    # Scenarios under other assumptions need a baseline of their own: a policy and its baseline must share everything
    # but the policy.
    found = dict.fromkeys(scenarios, baseline) if isinstance(baseline, str) else dict(baseline)
    lacking = [name for name in scenarios if name not in found]
    if lacking:
        raise InvalidInput(f"baseline: no entry for {', '.join(map(repr, lacking))}; each scenario needs one")
    pairs = {name: found[name] for name in scenarios}
    for name in pairs.values():
        if name not in scenarios:
            known = ", ".join(scenarios)
            raise UnknownName(f"no scenario is called {name!r}; there are {known}.{suggest(name, scenarios)}")
    references = set(pairs.values())
    compared = {name: other for name, other in pairs.items() if name not in references}
    if not compared:
        raise InvalidInput(f"there is no scenario besides {', '.join(sorted(references))} to compare with it")
    return compared
