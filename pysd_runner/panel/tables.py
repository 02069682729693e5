"""A file or a data frame as columns of entries, nothing interpreted, every row numbered as in the file."""

import csv
import datetime
import io
import re
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import Message
from pysd_runner.panel.names import OFFICES, key, tidy
from pysd_runner.panel.problems import Problem

if TYPE_CHECKING:
    import pandas as pd

Rows = list[tuple[int, list[str]]]
TextArray = NDArray[np.object_]
IndexArray = NDArray[np.int64]
# A column: texts as they stand in a file, or the numbers of a typed frame, which become text only where one is shown.
Entries = NDArray[Any]

_SPREADSHEETS = {".xlsx", ".xlsm"}
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BEYOND_LATIN = 0x250
_DELIMITERS = (",", ";", "\t")
# Lines in which the mark between cells is looked for.
_LOOKED_AT = 30
# Columns from which on a line with two cells is no row of a table, and cells a note may have.
_WIDE_TABLE, _NOTE = 4, 2
_THOUSANDS = re.compile(r"-?[0-9]{1,3}\.[0-9]{3}")
# A workbook that unpacks to more, or a sheet that spans more, is no table of observations; a sheet has no more rows.
MOST_BYTES, MOST_CELLS, MOST_ROWS = 100_000_000, 2_000_000, 1_048_576
LONGEST_HEADING = 1000
_FOOTERS = set(map(key, OFFICES["footers"]))


def _no_rows() -> IndexArray:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TextFile:
    """A file, or a data frame that stands for one."""

    header: tuple[str, ...] = ()
    header_row: int = 1  # row of the file they stand in
    rows: IndexArray = field(default_factory=_no_rows)  # row of the file of each data row
    columns: tuple[Entries, ...] = ()  # one for each heading, each as long as `rows`
    encoding: str = ""  # encoding of a text file, or the name of the sheet
    titles: tuple[str, ...] = ()  # lines above the header
    problems: tuple[Problem, ...] = ()  # what is wrong with the file as a file

    @property
    def readable(self) -> bool:
        """Whether there is a header to interpret."""
        return bool(self.header)

    @property
    def named(self) -> list[tuple[str, Entries]]:
        """Columns with their headings."""
        return list(zip(self.header, self.columns, strict=True))

    def taken(self, kept: NDArray[Any] | slice) -> "TextFile":
        """Some of the rows."""
        return replace(self, rows=self.rows[kept], columns=tuple(column[kept] for column in self.columns))


def text_of(value: Any) -> str:
    """An entry as the text a file would hold; a number keeps every digit."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, datetime.date):
        text = value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else value.isoformat()
        return "" if text == "NaT" else text
    if isinstance(value, float | np.floating):
        # A number has a decimal point, whatever the texts beside it have: not to be taken for thousands.
        text = repr(float(value))
        return f"{text}0" if _THOUSANDS.fullmatch(text) else text
    if isinstance(value, np.datetime64):
        return "" if np.isnat(value) else str(value.astype("datetime64[s]")).replace("T", " ")
    text = str(value).strip()
    return "" if text in ("NaT", "<NA>", "nan") else text


def is_typed(entries: Entries) -> bool:
    """Whether a column holds numbers, not texts."""
    return entries.dtype != object


def texts_of(entries: Entries) -> TextArray:
    """A column as texts; equal numbers are written once."""
    if not is_typed(entries):
        return entries
    import pandas as pd

    codes, found = pd.factorize(entries)
    # The last text is that of a missing value, whose code is -1.
    return _of_texts([*map(text_of, found), ""])[codes]


def is_empty(entries: Entries, missing: Collection[str] = ()) -> NDArray[np.bool_]:
    """Where nothing stands, or a text for a missing value."""
    if not is_typed(entries):
        empty = np.asarray(entries == "", dtype=bool)
        return empty | np.isin(entries.astype(str), list(missing)) if missing else empty
    empty = np.isnan(entries)
    for text in missing:
        with suppress(ValueError):
            empty = empty | (entries == float(text))
    return empty


def same(text: str, count: int) -> TextArray:
    """A column with one text in every row, which takes no space."""
    return np.broadcast_to(np.array(text, dtype=object), count)


def stacked(parts: Sequence[Entries]) -> Entries:
    """Entries one below the other: texts where some of them are."""
    if not parts:
        return np.empty(0, dtype=object)
    return np.concatenate(parts if all(map(is_typed, parts)) else list(map(texts_of, parts)))


def _of_texts(texts: Sequence[str]) -> TextArray:
    column = np.empty(len(texts), dtype=object)
    column[:] = texts
    return column


def of_frame(frame: "pd.DataFrame") -> TextFile:
    """A data frame as it stands: numbers stay numbers, everything else is text."""
    if frame.empty:
        problem = Problem(
            rule="empty-file", message=Message("the data hold no row"), expected=Message("a row for each moment")
        )
        return TextFile(problems=(problem,))
    header = tuple(str(item) if not isinstance(item, datetime.date) else item.isoformat() for item in frame.columns)
    columns = tuple(_of_series(frame.iloc[:, place]) for place in range(len(header)))
    return TextFile(header=header, rows=np.arange(2, len(frame) + 2), columns=columns)


def _of_series(series: "pd.Series[Any]") -> Entries:
    import pandas as pd
    from pandas.api import types

    if types.is_numeric_dtype(series.dtype) and not types.is_bool_dtype(series.dtype):
        if not types.is_complex_dtype(series.dtype):
            return series.to_numpy(float, na_value=np.nan) if series.hasnans else series.to_numpy()
    elif series.dtype != object or types.infer_dtype(series) == "string":
        codes, found = pd.factorize(series)
        return _of_texts([*map(text_of, found), ""])[codes]
    return _of_texts(list(map(text_of, series)))


def read_table(path: Path, *, encoding: str | None = None, sheet: str | None = None) -> TextFile:
    """Read a file as text."""
    if not path.is_file():
        return _failed(
            "no-file",
            Message("there is no file {path!r}", path=str(path)),
            expected=Message("the path of a CSV or xlsx file"),
        )
    if path.suffix.lower() in _SPREADSHEETS:
        return _read_workbook(path, sheet)
    content = path.read_bytes()
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _failed(
            "wrong-format",
            Message("{name!r} is a workbook by its content, not a CSV", name=path.name),
            expected=Message("CSV, or a workbook named .xlsx"),
        )
    return _read_text(content, encoding)


def _failed(rule: str, message: str, **fields: str) -> TextFile:
    return TextFile(problems=(Problem(rule=rule, message=message, **fields),))  # type: ignore[arg-type]


def _read_text(content: bytes, encoding: str | None) -> TextFile:
    decoded = _decode(content, encoding)
    if isinstance(decoded, Problem):
        return TextFile(problems=(decoded,))
    text, used, problems = decoded
    table = _assemble(_split(text))
    return replace(table, encoding=used, problems=(*problems, *table.problems))


def _decode(content: bytes, encoding: str | None) -> tuple[str, str, list[Problem]] | Problem:
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), None)
    candidates = [encoding] if encoding else [marked] if marked else ["utf-8", "gb18030"]
    failures: list[Problem] = []
    for name in candidates:
        try:
            text = content.decode(name)
        except LookupError:
            return Problem(
                rule="encoding",
                message=Message("unknown encoding"),
                found=name,
                expected=Message("utf-8, gb18030 or another Python codec name"),
            )
        except UnicodeDecodeError as error:
            failures.append(_undecodable(content, error))
        else:
            if "\0" in text:
                return _with_nothing(text, name)
            return text, name, [] if encoding else _doubts(text, name, content)
    return failures[0]


def _with_nothing(text: str, name: str) -> Problem:
    row = text.count("\n", 0, text.index("\0")) + 1
    return Problem(
        rule="encoding",
        message=Message(
            "read as {name}, the text has characters of value zero, as UTF-16 and UTF-32 without a mark at the "
            "beginning do; name the encoding",
            name=name,
        ),
        row=row,
        found="\\x00",
        expected=Message("text, for instance in utf-16-le"),
    )


def _undecodable(content: bytes, error: UnicodeDecodeError) -> Problem:
    # Two bytes a character in UTF-16, so counting the byte is right there too for the rows of a panel.
    row = content.count(b"\n", 0, error.start) + 1
    return Problem(
        rule="encoding",
        message=Message(
            "byte {byte} of the file is not {encoding}; name the encoding",
            byte=error.start + 1,
            encoding=error.encoding,
        ),
        row=row,
        found=content[error.start : error.end].hex(" "),
        expected=Message("text in UTF-8 or GB18030"),
    )


def _doubts(text: str, name: str, content: bytes) -> list[Problem]:
    """Doubt a guessed encoding: GB18030 that needs rare characters, UTF-8 that is as well Chinese in GB2312."""
    if name == "gb18030":
        return _doubt(
            Message("read as GB18030, where this is rare; if it looks wrong, name the encoding"),
            text,
            _rare_characters(text),
        )
    if name == "utf-8":
        message = Message("read as UTF-8, but it could be Chinese in GB18030; name the encoding to be sure")
        return _doubt(message, text, _taken_for_another_script(text, content))
    return []


def _doubt(message: str, text: str, characters: list[str]) -> list[Problem]:
    if not characters:
        return []
    return [
        Problem(
            rule="encoding",
            message=message,
            row=text.count("\n", 0, text.index(characters[0])) + 1,
            found="".join(characters[:8]),
            expected=Message("the right characters"),
            severity="warning",
        )
    ]


def _taken_for_another_script(text: str, content: bytes) -> list[str]:
    """Find letters beyond Latin where every byte is also common Chinese: U+5986 in GB2312 is U+05F1 in UTF-8."""
    beyond_latin = sorted({character for character in text if ord(character) >= _BEYOND_LATIN})
    if not beyond_latin:
        return []
    try:
        content.decode("gb2312")
    except UnicodeDecodeError:
        return []
    return beyond_latin


def _rare_characters(text: str) -> list[str]:
    unusual = sorted({character for character in text if ord(character) > 127})
    return [character for character in unusual if not _in_gb2312(character)]


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _split(text: str) -> Rows:
    """Rows with the line they start on; leading comment lines are left out but counted."""
    lines = text.lstrip("\ufeff").splitlines(keepends=True)
    skipped = 0
    for line in lines:
        if line.strip() and not line.lstrip("\ufeff \t\"'").startswith("#"):
            break
        skipped += 1
    body = lines[skipped:]
    if not body:
        return []
    # One unclosed quote makes the rest of the file one cell; it is reported, not refused for its length.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    # The line that has most marks is a row of the table, whatever stands above it.
    at = max(range(len(body[:_LOOKED_AT])), key=lambda place: max(map(body[place].count, _DELIMITERS)))
    lines = body[:2] if any(body[0].count(mark) for mark in _DELIMITERS) else body[at : at + 2]
    reader = csv.reader(io.StringIO("".join(body), newline=""), delimiter=_delimiter(*lines))
    return list(_numbered(reader, skipped))


def _delimiter(header: str, first: str = "") -> str:
    """The mark that is there most often in the header, and in the first row as well: units and numbers have commas."""
    if "\\TIME" in header.upper().partition("\t")[0] and "\t" in header:
        return "\t"
    return max(_DELIMITERS, key=lambda mark: (min(header.count(mark), first.count(mark)), header.count(mark)))


def _numbered(reader: Iterator[list[str]], skipped: int) -> Iterator[tuple[int, list[str]]]:
    start = skipped + 1
    for cells in reader:
        yield start, cells
        start = skipped + 1 + reader.line_num  # type: ignore[attr-defined]


def _read_workbook(path: Path, sheet: str | None) -> TextFile:
    try:
        with path.open("rb") as stream:
            read = _rows_of(stream, path.name, sheet)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl raises whatever it runs into in a damaged file
        return _failed(
            "wrong-format",
            Message("{name!r} is not a readable workbook ({reason})", name=path.name, reason=error),
            expected=Message("an .xlsx file"),
        )
    if isinstance(read, TextFile):
        return read
    title, rows, problems = read
    table = _assemble(_padded(_after_comments(rows)))
    return replace(table, encoding=f"sheet {title}", problems=(*problems, *table.problems))


def _rows_of(stream: BinaryIO, name: str, sheet: str | None) -> tuple[str, Rows, list[Problem]] | TextFile:
    """Name and rows of the sheet and what to doubt, or a table that says why there are none."""
    import openpyxl

    with zipfile.ZipFile(stream) as archive:
        size = sum(item.file_size for item in archive.infolist())
    if size > MOST_BYTES:
        return _too_large(name, f"{size} bytes", Message("at most {count} bytes when unpacked", count=MOST_BYTES))
    with closing(openpyxl.load_workbook(stream, read_only=True, data_only=True)) as book:
        if sheet is not None and sheet not in book.sheetnames:
            names = ", ".join(book.sheetnames)
            return _failed(
                "no-sheet",
                Message("the workbook has no such sheet"),
                found=sheet,
                expected=Message("one of {names}", names=names),
            )
        chosen = book[sheet] if sheet is not None else book.worksheets[0]
        # What a sheet says of its size may be wrong.
        chosen.reset_dimensions()
        rows: Rows = []
        width = 1
        for number, row in enumerate(chosen.iter_rows(values_only=True), start=1):
            cells = _filled([_cell_text(value) for value in row])
            width = max(width, len(cells))
            if number > MOST_ROWS or (cells and number * width > MOST_CELLS):
                return _too_large(name, f"{number} x {width} cells", f"at most {MOST_CELLS} cells")
            rows.append((number, cells))
        others = _other_sheets(book.sheetnames, chosen.title, sheet)
    return chosen.title, rows, [*others, *_unsaved_formulas(stream, chosen.title, rows)]


def _filled(cells: list[str]) -> list[str]:
    """Cells up to the last that is not empty: columns and rows far beyond a table often have a format and no value."""
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _too_large(name: str, found: str, expected: str) -> TextFile:
    message = Message(
        "{name!r} is larger than any table of observations; does a cell stand far away from the table?", name=name
    )
    return _failed("too-large", message, found=found, expected=expected)


def _after_comments(rows: Rows) -> Rows:
    for position, (_, cells) in enumerate(rows):
        first = next((cell for cell in cells if cell), "")
        if first and not first.startswith("#"):
            return rows[position:]
    return []


def _padded(rows: Rows) -> Rows:
    """Pad rows of a sheet up to the last that is not empty; cells never written are empty."""
    while rows and not rows[-1][1]:
        rows.pop()
    width = max((len(cells) for _, cells in rows), default=0)
    return [(number, cells + [""] * (width - len(cells))) for number, cells in rows]


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        # A number of a workbook has a decimal point, whatever the texts beside it have: not to be taken for thousands.
        return f"{text}0" if _THOUSANDS.fullmatch(text) else text
    return str(value)


def _other_sheets(names: Sequence[str], used: str, asked: str | None) -> list[Problem]:
    if asked is not None or len(names) == 1:
        return []
    others = [name for name in names if name != used]
    return [
        Problem(
            rule="other-sheets",
            message=Message(
                "only the first sheet {used!r} was read; name another in a mapping file (sheet: ...), or move it to "
                "the front",
                used=used,
            ),
            found=", ".join(others),
            severity="warning",
        )
    ]


def _unsaved_formulas(stream: BinaryIO, sheet: str, rows: Rows) -> list[Problem]:
    """Formulas whose result was never stored read as empty cells: a missing value that is none."""
    with zipfile.ZipFile(stream) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
        if not any(re.search(rb"<f[ >]", archive.read(name)) for name in sheets):
            return []
    import openpyxl

    with closing(openpyxl.load_workbook(stream, read_only=True)) as book:
        book[sheet].reset_dimensions()
        found = [
            cell
            for (_, texts), cells in zip(rows, book[sheet].iter_rows(), strict=True)
            for place, cell in enumerate(cells)
            if cell.data_type == "f" and not any(texts[place : place + 1])
        ]
    return [
        Problem(
            rule="formula",
            message=Message("a formula without a stored result; open the workbook, save it, or paste values"),
            row=cell.row,
            column=cell.column_letter,
            found=str(cell.value),
            expected=Message("a value"),
        )
        for cell in found
    ]


def _assemble(rows: Rows) -> TextFile:
    """Header, data rows of the header's length, and the faults of shape."""
    if not rows:
        return _failed(
            "empty-file",
            Message("the file is empty"),
            expected=Message("a header and one row for each region and year"),
        )
    rows, titles, told = _without_titles(rows)
    (header_row, headings), *body = rows
    used = max((len(cells) for _, cells in body if any(cell.strip() for cell in cells)), default=0)
    while headings and not tidy(headings[-1]) and not _column_used(body, len(headings) - 1, used):
        headings = headings[:-1]
    header = tuple(tidy(heading) for heading in headings)
    if too_long := [place for place, heading in enumerate(header) if len(heading) > LONGEST_HEADING]:
        return TextFile(problems=(_no_heading(header_row, too_long[0], header),))
    numbers, cells, uneven = _even_rows(_without_footer(body), len(header))
    problems = [*told, *uneven]
    if not numbers:
        problems.append(
            Problem(
                rule="empty-file",
                message=Message("there is a header but no data row"),
                row=header_row,
                expected=Message("one row for each region and year"),
            )
        )
    return TextFile(
        header=header,
        header_row=header_row,
        rows=np.array(numbers, dtype=np.int64),
        columns=tuple(_of_texts([row[place].strip() for row in cells]) for place in range(len(header))),
        titles=titles,
        problems=tuple(problems),
    )


def _no_heading(row: int, place: int, header: tuple[str, ...]) -> Problem:
    return Problem(
        rule="long-heading",
        message=Message("a heading is longer than any name; is there a quote that is not closed?"),
        row=row,
        column=Message("column {column}", column=place + 1),
        found=header[place],
        expected=Message("at most {count} characters", count=LONGEST_HEADING),
    )


def _without_titles(rows: Rows) -> tuple[Rows, tuple[str, ...], list[Problem]]:
    """Take lines above the header away: they fill a cell, or two where the table has four columns or more."""
    filled = [sum(bool(cell.strip()) for cell in cells) for _, cells in rows]
    most = 1 if max(filled) < _WIDE_TABLE else 2
    start = next((place for place, count in enumerate(filled) if count > most), 0)
    titles = tuple(
        ": ".join(cell.strip() for cell in cells if cell.strip())
        for _, cells in rows[:start]
        if any(map(str.strip, cells))
    )
    if not titles:
        return rows[start:], (), []
    problem = Problem(
        rule="title-rows",
        message=Message("{count} lines above the table are titles", count=len(titles))
        if len(titles) > 1
        else Message("the line above the table is a title"),
        row=rows[0][0],
        found=titles[0],
        severity="warning",
    )
    return rows[start:], titles, [problem]


def _without_footer(body: Rows) -> Rows:
    """Take notes on source and method away that stand below the table."""
    end = len(body)
    while end and (not (told := [cell for cell in body[end - 1][1] if cell.strip()]) or _is_note(told)):
        end -= 1
    return body[:end]


def _is_note(told: Sequence[str]) -> bool:
    word = re.split("[:,.]", tidy(told[0]), maxsplit=1)[0]
    return len(told) <= _NOTE and key(word) in _FOOTERS


def _column_used(body: Rows, position: int, width: int) -> bool:
    return position < width and any(len(cells) > position and cells[position].strip() for _, cells in body)


def _even_rows(body: Rows, width: int) -> tuple[list[int], list[list[str]], list[Problem]]:
    numbers: list[int] = []
    kept: list[list[str]] = []
    problems: list[Problem] = []
    blank: list[int] = []
    last = max((number for number, cells in body if any(cell.strip() for cell in cells)), default=0)
    for number, cells in body:
        if not any(cell.strip() for cell in cells):
            blank += [number] if number < last else []
            continue
        trimmed = cells[:width] + [""] * (width - len(cells))
        extra = [cell for cell in cells[width:] if cell.strip()]
        if extra or len(cells) < width:
            problems.append(_uneven(number, len(cells), width))
        numbers.append(number)
        kept.append(trimmed)
    if blank:
        problems.append(
            Problem(
                rule="blank-row",
                message=Message("{count} blank rows between data rows hold nothing", count=len(blank)),
                row=blank[0],
                severity="warning",
            )
        )
    return numbers, kept, problems


def _uneven(number: int, found: int, width: int) -> Problem:
    message = Message("the row has fewer cells than the header")
    if found > width:
        message = Message(
            "the row has more cells than the header; is there a comma inside a number or a name that is not in quotes?"
        )
    return Problem(
        rule="row-length",
        message=message,
        row=number,
        found=Message("{count} cells", count=found),
        expected=Message("{count} cells", count=width),
    )
