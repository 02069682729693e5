"""Tables as CSV: written whole, readable by spreadsheet programs in any script."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.export.files import write_bytes_whole

# Rows of a table that a screen holds.
SCREEN = 20


def csv_bytes(frame: pd.DataFrame) -> bytes:
    r"""Encode a table as CSV.

    UTF-8, line ends ``\n``, ten significant digits. A byte-order mark leads when a text is not ASCII:
    without it spreadsheet programs on Chinese systems read the file as GBK and show nonsense.

    Parameters
    ----------
    frame
        Any table; the index is not written.

    Returns
    -------
    bytes
        The content of the file.
    """
    text: str = frame.to_csv(index=False, lineterminator="\n", float_format="%.10g")
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


def one_screen(frame: pd.DataFrame) -> str:
    """A table as HTML for a notebook, at most a screen of it: the first and the last rows.

    Parameters
    ----------
    frame
        Any table; the index is not shown.

    Returns
    -------
    str
        HTML.
    """
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
