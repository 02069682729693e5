"""Write files and folders atomically, under hidden draft names until they are complete; tables as CSV and workbooks."""

import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pysd_runner.core.errors import suggest

if TYPE_CHECKING:
    import pandas as pd

try:
    import fcntl
except ImportError:  # Windows, where drafts are not locked, so that abandoned drafts cannot be identified
    fcntl: Any = None  # type: ignore[no-redef]

DRAFT, ASIDE = ".part", ".old"


def write_text_whole(path: str | Path, text: str) -> Path:
    """Write a UTF-8 text file atomically; an interruption leaves the previous file, or none.

    Parameters
    ----------
    path
        Where to write; missing folders are made.
    text
        The content; line ends are written as given.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    OSError
        If the folder cannot be made or the file cannot be written; nothing is left behind.
    """
    return write_bytes_whole(path, text.encode("utf-8"))


def write_bytes_whole(path: str | Path, content: bytes) -> Path:
    """Write a binary file atomically; an interruption leaves the previous file, or none.

    Parameters
    ----------
    path
        Where to write; missing folders are made.
    content
        The content.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    OSError
        If the folder cannot be made or the file cannot be written; nothing is left behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The draft is in the same folder, so that renaming it cannot cross file systems and is atomic.
    try:
        with draft_file(path) as draft:
            with draft.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.chmod(0o666 & ~_umask())
            draft.replace(path)
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)  # errors such as a full disk do not name the file
        raise
    return path


@contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """A hidden empty file in the folder of a path; removed afterwards, unless it was renamed."""
    with _draft(path, lambda name: _closed(*tempfile.mkstemp(dir=path.parent, prefix=name, suffix=DRAFT))) as draft:
        yield draft


@contextmanager
def draft_folder(path: Path, suffix: str = DRAFT) -> Iterator[Path]:
    """A hidden folder in the folder of a path; removed afterwards with its contents, unless it was renamed."""
    with _draft(path, lambda name: tempfile.mkdtemp(dir=path.parent, prefix=name, suffix=suffix)) as draft:
        yield draft


def publish_new(draft: Path, path: Path) -> None:
    """Rename a draft to a path that must not exist; raises `FileExistsError`, without race conditions, if it does."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        # On a file system without links, create the file first and then replace it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        draft.replace(path)


def remove_leftovers(path: Path) -> None:
    """Remove drafts of a path whose processes have died, and restore an earlier result that one of them moved away."""
    if fcntl is None:
        return
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}({re.escape(DRAFT)}|{re.escape(ASIDE)})")
    # Nothing is removed from a folder that does not exist or cannot be modified.
    with suppress(OSError):
        for item in [item for item in path.parent.iterdir() if pattern.fullmatch(item.name)]:
            with suppress(OSError):
                _remove_dead(item, path)


def published(path: Path) -> Path:
    """The name that a path in a draft has once the draft is renamed."""
    return Path(*(re.sub(rf"^\.(.+)\.[a-z0-9_]{{8}}{re.escape(DRAFT)}$", r"\1", part) for part in path.parts))


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with its contents."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _draft(path: Path, make: Callable[[str], str]) -> Iterator[Path]:
    """A draft that is locked while its process works on it."""
    remove_leftovers(path)
    while True:
        draft = Path(make(f".{path.name}."))
        try:
            lock = None if fcntl is None else os.open(draft, os.O_RDONLY)
        except FileNotFoundError:
            continue  # another process removed it as abandoned before it was locked
        try:
            if lock is None or _is_ours(lock, draft):
                try:
                    yield draft
                finally:
                    remove(draft)
                return
        finally:
            if lock is not None:
                os.close(lock)


def _is_ours(lock: int, draft: Path) -> bool:
    """Lock a draft; False if another process has locked or removed it as abandoned."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, where drafts are never removed
    return os.path.lexists(draft)


def _remove_dead(item: Path, path: Path) -> None:
    """Remove an abandoned draft, which is not locked."""
    lock = os.open(item, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        earlier = item / path.name
        if item.suffix == ASIDE and os.path.lexists(earlier) and not os.path.lexists(path):
            earlier.rename(path)
        remove(item)
    finally:
        os.close(lock)


def _closed(descriptor: int, name: str) -> str:
    os.close(descriptor)
    return name


def _umask() -> int:
    """The umask of the process, which mkstemp ignores: its files are readable by their owner only."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


# First characters of strings that spreadsheet programs interpret as formulas.
FORMULA = ("=", "+", "-", "@", "\t")
# Maximum number of rows shown in a notebook.
SCREEN = 20
# Maximum length of the name of a sheet, and replacements of characters it must not contain.
MAX_SHEET_NAME = 31
FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", "_"))


def csv_bytes(frame: "pd.DataFrame") -> bytes:
    r"""Encode a table as CSV.

    UTF-8, line ends ``\n``, ten significant digits. Files that are not ASCII begin with a byte-order mark: without it
    spreadsheet programs on Chinese systems read them as GBK and garble them. A text that a spreadsheet program would
    interpret as a formula (it begins with ``=``, ``+``, ``-``, ``@`` or a tab, and is not a number) is prefixed with an
    apostrophe, as OWASP recommends.

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


def save_csv(frame: "pd.DataFrame", path: str | Path) -> Path:
    """Write a table as CSV, atomically.

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


def save_workbook(sheets: "Mapping[str, pd.DataFrame]", path: str | Path) -> Path:
    """Write tables to a workbook, one sheet each, atomically."""
    import pandas as pd

    content = io.BytesIO()
    with pd.ExcelWriter(content, engine="openpyxl") as writer:
        for name, frame in sheets.items():
            title = name.translate(FORBIDDEN)[:MAX_SHEET_NAME]
            frame.to_excel(writer, sheet_name=title, index=False, freeze_panes=(1, 0))
        for sheet in writer.book.worksheets:
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"):
                cell.data_type = "s"  # a string that begins with = is not a formula
    return write_bytes_whole(path, content.getvalue())


def one_screen(frame: "pd.DataFrame") -> str:
    """A table as HTML for a notebook; of a long one only the first and the last rows."""
    return str(frame.to_html(index=False, max_rows=SCREEN, float_format="{:.4g}".format))


class HasTable(Protocol):
    """A result that can be converted to a table."""

    def table(self, *args: Any, **kwargs: Any) -> "pd.DataFrame":
        """Return the result as a table."""


def missing(owner: object, name: str) -> Any:
    """Raise `AttributeError` with the attribute that may have been meant; for ``__getattr__``."""
    known = {*dir(type(owner)), *getattr(type(owner), "__dataclass_fields__", ())}
    if name.startswith("_") or name in known:
        return object.__getattribute__(owner, name)  # raises the error that occurred
    near: str = suggest(name, [item for item in known if not item.startswith("_")])
    if not near and "to_frame" in known:
        near = " `to_frame()` gives a data frame, which may have it."
    raise AttributeError(f"{type(owner).__name__} has no attribute {name!r}.{near}")


class Tabled:
    """Mixin with the output formats of results that can be converted to a table."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say which attribute may have been meant."""
            return missing(self, name)

    def to_latex(self: HasTable, *args: Any, digits: int = 3, **kwargs: Any) -> str:
        """Convert the table to LaTeX, for the package booktabs."""
        frame = _flat(self.table(*args, **kwargs))
        return str(frame.to_latex(index=False, na_rep="", escape=True, float_format=f"{{:.{digits}g}}".format))

    def to_excel(self: HasTable, path: str | Path) -> Path:
        """Write the table to a workbook."""
        return save_workbook({"table": _flat(self.table())}, path)

    def _repr_html_(self: HasTable) -> str:
        """The table as HTML for notebooks, without the middle of a long one."""
        return one_screen(_flat(self.table()))


def _flat(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A table with named index levels as columns, and a single name for each column."""
    frame = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    levels = [name if isinstance(name, tuple) else (name,) for name in frame.columns]
    return frame.set_axis([" ".join(str(part) for part in parts if part != "") for parts in levels], axis="columns")


def _without_formulas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table with an apostrophe before each text and heading that would be interpreted as a formula."""
    import numpy as np

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
    value = value.replace("\r", " ")  # a carriage return would start a new row
    if not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
