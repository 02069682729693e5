"""Read text files and workbooks as uninterpreted columns of text, with row numbers as in the file."""

import csv
import io
import re
import shlex
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding
from pysd_runner.data.cells import TextFile, decimal_text, of_texts
from pysd_runner.data.names import OFFICES, ROLE_OF, key, tidy, year_heading

Rows = list[tuple[int, list[str]]]

_SPREADSHEETS, _OTHER_SPREADSHEETS = {".xlsx", ".xlsm"}, {".xls", ".xlsb", ".ods"}
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BEYOND_LATIN = 0x250
_HIGH = re.compile(rb"[\x80-\xff]+")
_NUMBER = re.compile(r"[-+]?[0-9][0-9., ]*")
_DELIMITERS = (",", ";", "\t")
# Maximum number of lines searched for the delimiter.
_LOOKED_AT = 30
# Minimum number of columns at which a line with two filled cells is a title; maximum filled cells of a footnote.
_WIDE_TABLE, _NOTE = 4, 2
# Maximum size of an unpacked workbook, and number of cells and rows of a sheet (the format allows no more rows).
MOST_BYTES, MOST_CELLS, MOST_ROWS = 100_000_000, 2_000_000, 1_048_576
LONGEST_HEADING = 1000
# Separator between the two headings of a column.
TWO_ROWS = " | "
_FOOTERS = set(map(key, OFFICES["footers"]))


def read_table(path: Path, *, encoding: str | None = None, sheet: str | None = None) -> TextFile:
    """Read a text file or workbook into columns of text."""
    if not path.is_file():
        return TextFile.failed(
            "no-file",
            Message("there is no file {path!r}", path=str(path)),
            expected=Message("the path of a CSV or xlsx file"),
        )
    if path.suffix.lower() in _SPREADSHEETS:
        return _read_workbook(path, sheet)
    content = path.read_bytes()
    is_binary = path.suffix.lower() in _OTHER_SPREADSHEETS and b"\0" in content
    if is_binary or content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return TextFile.failed(
            "wrong-format",
            Message(
                "{name!r} is a workbook of another kind; open it in a spreadsheet program, and save it as .xlsx or CSV",
                name=path.name,
            )
            if path.suffix.lower() in _OTHER_SPREADSHEETS
            else Message("{name!r} is a workbook by its content, not a CSV", name=path.name),
            expected=Message("CSV, or a workbook named .xlsx"),
        )
    return _read_text(content, encoding)


def _read_text(content: bytes, encoding: str | None) -> TextFile:
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), None)
    failures: list[TextFile] = []
    # Bytes of Chinese characters occur in pairs, those of Western letters mostly singly.
    runs = _HIGH.findall(content)
    is_western = 2 * sum(len(run) == 1 for run in runs) > len(runs)
    guessed = ["utf-8", "cp1252", "gb18030"] if is_western else ["utf-8", "gb18030"]
    for name in [encoding] if encoding else [marked] if marked else guessed:
        try:
            text = content.decode(name)
        except LookupError:
            expected = Message("utf-8, gb18030 or another Python codec name")
            return TextFile.failed("encoding", Message("unknown encoding"), found=name, expected=expected)
        except UnicodeDecodeError as error:
            failures.append(_undecodable(content, error))
        else:
            if "\0" in text:
                return _with_nothing(text, name)
            table = _assemble(_split(text))
            doubts = () if encoding else _doubts(text, name, content)
            return replace(table, encoding=name, problems=(*doubts, *table.problems))
    return failures[0]


def _with_nothing(text: str, name: str) -> TextFile:
    return TextFile.failed(
        "encoding",
        Message(
            "read as {name}, the text has characters of value zero, as UTF-16 and UTF-32 without a mark at the "
            "beginning do; name the encoding",
            name=name,
        ),
        row=text.count("\n", 0, text.index("\0")) + 1,
        found="\\x00",
        expected=Message("text, for instance in utf-16-le"),
    )


def _undecodable(content: bytes, error: UnicodeDecodeError) -> TextFile:
    message = Message(
        "byte {byte} of the file is not {encoding}; name the encoding", byte=error.start + 1, encoding=error.encoding
    )
    # Counts newline bytes, so in UTF-16 the row is only approximate.
    row = content.count(b"\n", 0, error.start) + 1
    found = content[error.start : error.end].hex(" ")
    return TextFile.failed("encoding", message, row=row, found=found, expected=Message("text in UTF-8 or GB18030"))


def _doubts(text: str, name: str, content: bytes) -> tuple[Finding, ...]:
    """Warn of an ambiguous encoding: GB18030 with rare characters, or UTF-8 that is also valid GB2312."""
    if name in ("gb18030", "cp1252"):
        message = Message("read as GB18030, where this is rare; if it looks wrong, name the encoding")
        if name == "cp1252":
            message = Message("read as Western European text; if it looks wrong, name the encoding")
        characters = [item for item in sorted(set(text)) if ord(item) > 127 and not _fits(item.encode, "gb2312")]
    else:
        message = Message("read as UTF-8, but it could be Chinese in GB18030; name the encoding to be sure")
        # Non-Latin letters whose bytes are also common Chinese: those of U+05F1 in UTF-8 are U+5986 in GB2312.
        characters = [item for item in sorted(set(text)) if ord(item) >= _BEYOND_LATIN]
        if name != "utf-8" or not _fits(content.decode, "gb2312"):
            return ()
    if not characters:
        return ()
    row = text.count("\n", 0, text.index(characters[0])) + 1
    found, expected = "".join(characters[:8]), Message("the right characters")
    return (Finding("encoding", message, "warning", row=row, found=found, expected=expected),)


def _fits(turn: Callable[[str], object], encoding: str) -> bool:
    try:
        turn(encoding)
    except UnicodeError:
        return False
    return True


def _split(text: str) -> Rows:
    """Split a text into rows, each with the line on which it starts; leading comments are skipped but counted."""
    lines = text.lstrip("\ufeff").splitlines(keepends=True)
    skipped = 0
    for line in lines:
        if line.strip() and not line.lstrip("\ufeff \t\"'").startswith("#"):
            break
        skipped += 1
    body = lines[skipped:]
    if not body:
        return []
    # An unclosed quote makes the rest of the file one cell; the higher limit allows it to be reported.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    # The line with most delimiters is a row of the table, whatever precedes it.
    at = max(range(len(body[:_LOOKED_AT])), key=lambda place: max(map(body[place].count, _DELIMITERS)))
    lines = body[:2] if any(body[0].count(mark) for mark in _DELIMITERS) else body[at : at + 2]
    reader = csv.reader(io.StringIO("".join(body), newline=""), delimiter=_delimiter(*lines))
    return list(_numbered(reader, skipped))


def _delimiter(header: str, first: str = "") -> str:
    """Delimiter that is most frequent in both header and first row; units and numbers may contain commas."""
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
        return TextFile.failed(
            "wrong-format",
            Message("{name!r} is not a readable workbook ({reason})", name=path.name, reason=error),
            expected=Message("an .xlsx file"),
        )
    if isinstance(read, TextFile):
        return read
    title, rows, problems = read
    table = _assemble(_padded(_after_comments(rows)))
    return replace(table, encoding=f"sheet {title}", problems=(*problems, *table.problems))


def _rows_of(stream: BinaryIO, name: str, sheet: str | None) -> tuple[str, Rows, list[Finding]] | TextFile:
    """Name and rows of the sheet with warnings, or a failed `TextFile` with the reason."""
    import openpyxl

    with zipfile.ZipFile(stream) as archive:
        size = sum(item.file_size for item in archive.infolist())
    if size > MOST_BYTES:
        return _too_large(name, f"{size} bytes", Message("at most {count} bytes when unpacked", count=MOST_BYTES))
    with closing(openpyxl.load_workbook(stream, read_only=True, data_only=True)) as book:
        if sheet is not None and sheet not in book.sheetnames:
            names = ", ".join(book.sheetnames)
            return TextFile.failed(
                "no-sheet",
                Message("the workbook has no such sheet"),
                found=sheet,
                expected=Message("one of {names}", names=names),
            )
        chosen = book[sheet] if sheet is not None else book.worksheets[0]
        # The dimensions stored in a sheet may be wrong.
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
    """Remove trailing empty cells: formatted cells without values often extend far beyond the table."""
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _too_large(name: str, found: str, expected: str) -> TextFile:
    message = Message(
        "{name!r} is larger than any table of observations; does a cell stand far away from the table?", name=name
    )
    return TextFile.failed("too-large", message, found=found, expected=expected)


def _after_comments(rows: Rows) -> Rows:
    for position, (_, cells) in enumerate(rows):
        first = next((cell for cell in cells if cell), "")
        if first and not first.startswith("#"):
            return rows[position:]
    return []


def _padded(rows: Rows) -> Rows:
    """Remove trailing empty rows of a sheet, and pad the others to equal length."""
    while rows and not rows[-1][1]:
        rows.pop()
    width = max((len(cells) for _, cells in rows), default=0)
    return [(number, cells + [""] * (width - len(cells))) for number, cells in rows]


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return decimal_text(str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value))
    return str(value)


def _other_sheets(names: Sequence[str], used: str, asked: str | None) -> list[Finding]:
    if asked is not None or len(names) == 1:
        return []
    others = [name for name in names if name != used]
    return [
        Finding(
            "other-sheets",
            Message(
                "only the first sheet {used!r} was read; choose another with --sheet {other}",
                used=used,
                other=shlex.quote(others[0]),
            ),
            found=", ".join(others),
            severity="warning",
        )
    ]


def _unsaved_formulas(stream: BinaryIO, sheet: str, rows: Rows) -> list[Finding]:
    """Report formulas without a stored result, which would otherwise be read as missing values."""
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
        Finding(
            "formula",
            Message("a formula without a stored result; open the workbook, save it, or paste values"),
            row=cell.row,
            column=cell.column_letter,
            found=str(cell.value),
            expected=Message("a value"),
        )
        for cell in found
    ]


def _assemble(rows: Rows) -> TextFile:
    """Separate header and data rows, fit the rows to the header's length, and report faults of shape."""
    if not rows:
        return TextFile.failed(
            "empty-file",
            Message("the file is empty"),
            expected=Message("a header and one row for each region and year"),
        )
    rows, titles, told = _without_titles(rows)
    (header_row, headings), *body = _with_one_header(rows)
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
            Finding(
                "empty-file",
                Message("there is a header but no data row"),
                row=header_row,
                expected=Message("one row for each region and year"),
            )
        )
    return TextFile(
        header=header,
        header_row=header_row,
        rows=np.array(numbers, dtype=np.int64),
        columns=tuple(of_texts([_unquoted(row[place]) for row in cells]) for place in range(len(header))),
        titles=titles,
        problems=tuple(problems),
    )


def _no_heading(row: int, place: int, header: tuple[str, ...]) -> Finding:
    return Finding(
        "long-heading",
        Message("a heading is longer than any name; is there a quote that is not closed?"),
        row=row,
        column=Message("column {column}", column=place + 1),
        found=header[place],
        expected=Message("at most {count} characters", count=LONGEST_HEADING),
    )


def _without_titles(rows: Rows) -> tuple[Rows, tuple[str, ...], list[Finding]]:
    """Remove title lines above the header: one filled cell, or up to two if the table has four columns or more."""
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
    problem = Finding(
        "title-rows",
        Message("{count} lines above the table are titles", count=len(titles))
        if len(titles) > 1
        else Message("the line above the table is a title"),
        row=rows[0][0],
        found=titles[0],
        severity="warning",
    )
    return rows[start:], titles, [problem]


def _unquoted(cell: str) -> str:
    """A cell without surrounding space, and without quotes that follow a space and so belong to the cell."""
    plain = cell.strip()
    return plain[1:-1].strip() if len(plain) > 1 and plain[0] == plain[-1] == '"' else plain


def _with_one_header(rows: Rows) -> Rows:
    """Join a header of two rows, in which a heading stands above several others or beside the key of the rows."""
    if len(rows) < 2:
        return rows
    (row, upper), (_, lower) = ((number, [tidy(cell) for cell in cells]) for number, cells in rows[:2])
    width = max(len(upper), len(lower))
    upper, lower = (cells + [""] * (width - len(cells)) for cells in (upper, lower))
    below = [place for place in range(width) if lower[place] and lower[place] != upper[place]]
    if ROLE_OF.get(key(upper[0])) == "year" and below and all(is_of_regions(lower[place]) for place in below):
        return [(row, [below_ or above for above, below_ in zip(upper, lower, strict=True)]), *rows[2:]]
    is_merged = 0 not in below and any(not upper[place] for place in below)
    if not is_merged or any(_NUMBER.fullmatch(lower[place]) and year_heading(lower[place]) is None for place in below):
        return rows
    header, above = [], ""
    for place in range(width):
        above = upper[place] or above
        header.append(f"{above}{TWO_ROWS}{lower[place]}" if place in below else upper[place])
    return [(row, header), *rows[2:]]


def is_of_regions(heading: str) -> bool:
    """Whether a heading names a column of regions."""
    return ROLE_OF.get(key(heading)) in ("region", "region_name")


def _without_footer(body: Rows) -> Rows:
    """Remove notes on source and method below the table, from the first row that is recognised as a note."""
    filled = [[cell for cell in cells if cell.strip()] for _, cells in body]
    start = end = len(body)
    while start and _may_be_note(filled[start - 1]):
        start -= 1
        end = start if not filled[start] or _is_note(filled[start]) else end
    return body[:end]


def _may_be_note(told: Sequence[str]) -> bool:
    """Whether a row is empty, or has few cells, the last of which is not a number."""
    return not told or _is_note(told) or (len(told) <= _NOTE and _NUMBER.fullmatch(told[-1].strip()) is None)


def _is_note(told: Sequence[str]) -> bool:
    word = re.split("[:,.]", tidy(told[0]), maxsplit=1)[0]
    return len(told) <= _NOTE and key(word) in _FOOTERS


def _column_used(body: Rows, position: int, width: int) -> bool:
    return position < width and any(len(cells) > position and cells[position].strip() for _, cells in body)


def _even_rows(body: Rows, width: int) -> tuple[list[int], list[list[str]], list[Finding]]:
    filled = {number: cells for number, cells in body if any(map(str.strip, cells))}
    blank = [number for number, _ in body if number not in filled]
    problems = [
        _uneven(number, len(cells), width)
        for number, cells in filled.items()
        if len(cells) < width or any(map(str.strip, cells[width:]))
    ]
    if blank:
        problems.append(
            Finding(
                "blank-row",
                Message("{count} blank rows between data rows hold nothing", count=len(blank)),
                row=blank[0],
                severity="warning",
            )
        )
    rows = [cells[:width] + [""] * (width - len(cells)) for cells in filled.values()]
    return list(filled), rows, problems


def _uneven(number: int, found: int, width: int) -> Finding:
    message = Message("the row has fewer cells than the header")
    if found > width:
        message = Message(
            "the row has more cells than the header; is there a comma inside a number or a name that is not in quotes?"
        )
    return Finding(
        "row-length",
        message,
        row=number,
        found=Message("{count} cells", count=found),
        expected=Message("{count} cells", count=width),
    )
