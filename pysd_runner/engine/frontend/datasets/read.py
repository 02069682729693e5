"""Read data sets of every format, and join those of a model."""

import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.frontend.datasets.binary import read_binary
from pysd_runner.engine.frontend.datasets.series import MOST_BYTES, DataSet, Label, Series, decoded
from pysd_runner.engine.frontend.datasets.text import read_dat, read_rows, read_table


def read_set(path: Path) -> DataSet:
    """Read the series of one data set.

    Parameters
    ----------
    path
        A ``.dat``, ``.tab``, ``.txt``, ``.csv``, ``.xlsx``, ``.vdf`` or ``.vdfx``.

    Returns
    -------
    DataSet
        The series by the keys of their names and elements, in the order of the file.

    Raises
    ------
    InvalidModel
        If the file cannot be read; the message names it and the place in it.
    """
    try:
        read = READERS.get(path.suffix.lower())
        if read is None:
            raise InvalidModel("unknown ending; expected one of {known}", known=", ".join(READERS))
        if path.stat().st_size > MOST_BYTES:
            raise InvalidModel("more than {most:,} bytes", most=MOST_BYTES)
        found = read(path)
        if not found:
            raise InvalidModel("there is no series in it")
    except InvalidModel as error:
        raise InvalidModel("{file}: {error}", file=path.name, error=error) from error
    except OSError as error:
        reason = Message(error.strerror or str(error))
        raise InvalidModel("{path}: the file cannot be read: {reason}", path=path, reason=reason) from error
    return found


def _workbook(path: Path) -> dict[Label, Series]:
    import openpyxl

    found: dict[Label, Series] = {}
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(item.file_size for item in packed.infolist()) > MOST_BYTES:
                raise InvalidModel("more than {most:,} bytes when unpacked", most=MOST_BYTES)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
        book.close()
    except InvalidModel:
        raise
    except Exception as error:
        # openpyxl may raise any exception for a damaged file.
        raise InvalidModel(
            "the workbook cannot be read: {name}: {error}", name=type(error).__name__, error=error
        ) from error
    for title, rows in sheets.items():
        try:
            found |= read_rows(rows)
        except InvalidModel as error:
            raise InvalidModel("sheet {title!r}: {error}", title=title, error=error) from error
    return found


def _text(read: Callable[[str], dict[Label, Series]]) -> Callable[[Path], dict[Label, Series]]:
    return lambda path: read(decoded(path.read_bytes()))


# Reader by the ending of a file.
READERS: Mapping[str, Callable[[Path], DataSet]] = {
    ".dat": _text(read_dat),
    **dict.fromkeys((".tab", ".txt"), _text(partial(read_table, delimiter="\t"))),
    ".csv": _text(partial(read_table, delimiter=",")),
    **dict.fromkeys((".xlsx", ".xlsm"), _workbook),
    **dict.fromkeys((".vdf", ".vdfx"), lambda path: read_binary(path.read_bytes())),
}
