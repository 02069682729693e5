"""Numbers that a model reads from files beside it: constants, table functions and series over time.

PySD's own classes read them, so that a cell, a row or a named range means the same. The files are data: cells hold
numbers or nothing, and nothing of a file is executed.
"""

import hashlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.frontend.lowering.tables import UNDEFINED, Points, sorted_points
from pysd_runner.engine.frontend.translated.source import Source
from pysd_runner.engine.ir import Mode
from pysd_runner.errors import InvalidModel

SPREADSHEETS = frozenset({".xls", ".xlsx", ".xlsm", ".xlsb", ".odf", ".ods", ".odt"})

# PySD keeps what it has read in a place that all threads share.
_READING = threading.Lock()


@dataclass(slots=True)
class DataFiles:
    """The data files of one model, and what was found in them.

    Parameters
    ----------
    model
        The model file; names of data files are relative to its folder.
    sha256
        Hash of every file that was read, by its path.
    by_name
        The same by its name in the model.
    """

    model: Path
    sha256: dict[str, str] = field(default_factory=dict)
    by_name: dict[str, str] = field(default_factory=dict)
    _sheets: dict[Any, Any] = field(default_factory=dict)
    _books: dict[Any, Any] = field(default_factory=dict)

    def close(self) -> None:
        """Let go of what was read; the hashes stay."""
        for book in self._books.values():
            book.close()
        self._sheets.clear()
        self._books.clear()

    def path(self, name: str) -> Path:
        """Place of a data file; its hash is kept.

        Parameters
        ----------
        name
            As written in the model.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        InvalidModel
            If it is not there, or the name is no path relative to the model.
        """
        relative = relative_name(name)
        path = self.model.parent / relative
        if not path.is_file():
            raise InvalidModel(f"there is no file {path}; put it there, or change its name in the model")
        path = path.resolve()
        if str(path) not in self.sha256:
            self.sha256[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        self.by_name[relative] = self.sha256[str(path)]
        return path

    def constants(self, node: Any, counts: Sequence[int]) -> NDArray[np.float64]:
        """Numbers of a GET XLS CONSTANTS or GET DIRECT CONSTANTS.

        Parameters
        ----------
        node
            PySD's ``GetConstantsStructure``.
        counts
            Number of elements each subscript on the left side stands for.

        Returns
        -------
        ndarray
            Shape `counts`.

        Raises
        ------
        InvalidModel
            If the file, the sheet or a number is missing.
        """

        def read(file: str, coords: dict[str, list[int]]) -> Any:
            from pysd.py_backend.external import ExtConstant

            return ExtConstant(file, node.tab, node.cell, coords, self.model.parent, coords, "")

        data = self._read(node, counts, read)
        values = np.asarray(data, dtype=float).reshape(tuple(counts))
        if np.isnan(values).any():
            raise InvalidModel(_message(node, "a cell is empty or no number"))
        return values

    def series(self, node: Any, counts: Sequence[int], mode: Mode) -> list[Points]:
        """Points of a GET XLS DATA, GET XLS LOOKUPS or their DIRECT forms.

        Missing values are filled in as PySD does, by the rule that holds between points.

        Parameters
        ----------
        node
            PySD's ``GetDataStructure`` or ``GetLookupsStructure``.
        counts
            Number of elements each subscript on the left side stands for.
        mode
            What holds between points.

        Returns
        -------
        list of Points
            One for each element, in C order.

        Raises
        ------
        InvalidModel
            If the file, the sheet or all numbers are missing.
        """

        def read(file: str, coords: dict[str, list[int]]) -> Any:
            from pysd.py_backend.external import ExtData, ExtLookup

            root = self.model.parent
            if type(node).__name__ == "GetLookupsStructure":
                return ExtLookup(file, node.tab, node.x_row_or_col, node.cell, coords, root, coords, "")
            return ExtData(file, node.tab, node.time_row_or_col, node.cell, mode, coords, root, coords, "")

        data = self._read(node, counts, read)
        x = np.asarray(data[data.dims[0]], dtype=float)
        columns = np.asarray(data, dtype=float).reshape(x.size, -1).T
        known = ~np.isnan(x)
        if not known.any() or np.isnan(columns[:, known]).all():
            raise InvalidModel(_message(node, "there is no number in it"))
        return [_points(x[known], column[known]) for column in columns]

    def elements(self, name: str, found: Mapping[str, str]) -> list[str]:
        """Elements of a range that is a GET XLS SUBSCRIPT or GET DIRECT SUBSCRIPT.

        Parameters
        ----------
        name
            The range.
        found
            What PySD's translator read in the model: file, sheet, first and last cell, prefix.

        Returns
        -------
        list of str
            The text of every cell that is not empty, after the prefix.

        Raises
        ------
        InvalidModel
            If the file or the sheet is missing, or all cells are empty.
        """
        cells = [found[item] for item in ("tab", "firstcell", "lastcell", "prefix")]
        try:
            path = self.path(found["file"])
            _check_separator(path, found["tab"])
            from pysd.py_backend.external import ExtSubscript

            with self._own_sheets(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                elements = [str(item) for item in ExtSubscript(str(path), *cells, self.model.parent).subscript]
            if not elements:
                raise InvalidModel("all cells are empty")
        except Exception as error:
            # pandas, openpyxl and PySD raise whatever they run into.
            reason = str(error) if isinstance(error, InvalidModel) else _reason(error)
            place = ", ".join(f"{item} {text!r}" for item, text in found.items() if text)
            raise InvalidModel(
                f"{self.model}: subscript range {name!r}: reading {place}: {reason.rstrip('.')}."
            ) from error
        return elements

    def _read(self, node: Any, counts: Sequence[int], build: Callable[[str, dict[str, list[int]]], Any]) -> Any:
        coords = {f"d{place}": list(range(count)) for place, count in enumerate(counts)}
        try:
            path = self.path(node.file)
            _check_separator(path, node.tab)
            with self._own_sheets(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reader = build(str(path), coords)
                reader.initialize()
                return reader.data
        except InvalidModel as error:
            raise InvalidModel(_message(node, str(error))) from error
        except Exception as error:
            # pandas, openpyxl and PySD raise whatever they run into.
            raise InvalidModel(_message(node, _reason(error))) from error

    @contextmanager
    def _own_sheets(self) -> Iterator[None]:
        """Let PySD keep what it reads here, so that a later model does not see it."""
        from pysd.py_backend.external import Excels

        with _READING:
            before = Excels._Excels, Excels._Excels_opyxl
            Excels._Excels, Excels._Excels_opyxl = self._sheets, self._books
            try:
                yield
            finally:
                Excels._Excels, Excels._Excels_opyxl = before


def with_listed_ranges(source: Source, files: DataFiles) -> Source:
    """A model in whose subscript ranges no file is left to read.

    Parameters
    ----------
    source
        A parsed model.
    files
        Its data files.

    Returns
    -------
    Source
        The same with the elements that were read.

    Raises
    ------
    InvalidModel
        If a file cannot be read.
    """
    ranges = source.abstract.sections[0].subscripts
    return source.with_ranges(
        {item.name: files.elements(item.name, item.subscripts) for item in ranges if isinstance(item.subscripts, dict)}
    )


def relative_name(name: str) -> str:
    """Name of a data file with forward slashes.

    Parameters
    ----------
    name
        As written in a model.

    Returns
    -------
    str
        The same, relative.

    Raises
    ------
    InvalidModel
        If it is not relative to the folder of the model, or stands for a name that is only known elsewhere.
    """
    windows = PureWindowsPath(name)
    if name.startswith("?"):
        raise InvalidModel(f"the file name {name!r} is set in Vensim's own settings; write the file's name instead")
    if not name.strip() or "\0" in name or windows.anchor or PurePosixPath(name).is_absolute():
        raise InvalidModel(f"the file name {name!r} is not relative to the folder of the model")
    return windows.as_posix()


def _check_separator(path: Path, tab: str) -> None:
    """Refuse separators that pandas would take for a regular expression."""
    if path.suffix.lower() not in SPREADSHEETS and len(tab) > 1 and not tab[0].isalnum() and tab != "\\t":
        raise InvalidModel(f"the separator {tab!r} is more than one character")


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    return UNDEFINED if np.isnan(y).all() else sorted_points(x.tolist(), y.tolist())


def _message(node: Any, reason: str) -> str:
    names = {"file": "file", "tab": "sheet or separator", "cell": "cell"}
    places = ", ".join(f"{names.get(item.name, 'along')} {getattr(node, item.name)!r}" for item in fields(node))
    return f"reading {places}: {reason.rstrip('.')}."


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
