"""Tables as CSV: written whole, readable by spreadsheet programs in any script."""

from pathlib import Path

import pandas as pd

from pysd_runner.export.files import write_bytes_whole


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
