"""Folders that are written atomically, except that files finished before an interruption are kept."""

import ctypes
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pysd_runner.core.errors import InvalidInput, Message, of_system
from pysd_runner.export.files import ASIDE, draft_folder, publish_new, remove, remove_leftovers

# A folder with one of these files was written by this package and may be replaced on request.
MARKS = (
    "run.json",
    "fitted.json",
    "fit",
    "evaluation.md",
    "forecast.md",
    "future.json",
    "attribution.md",
    "optimum.md",
    "advice.md",
    "brief.json",
    "revisions.csv",
)

# File extensions that imply a format.
KINDS = {".csv", ".html", ".json", ".md", ".nc", ".ods", ".parquet", ".pdf", ".png", ".svg", ".xls", ".xlsx", ".yaml"}


class WholeFolder:
    """A folder that appears under its name only when everything in it has been written."""

    # Until then it is a hidden folder in the same parent folder. If the work ends early, parts marked `finished` are
    # kept under the name, or under a similar one if an earlier result has it; without such parts, nothing is left.

    def __init__(self, path: str | Path, *, replace: bool = False) -> None:
        self.path = Path(path)
        self._replace = replace
        self._finished: list[str] = []
        remove_leftovers(self.path)
        check_target(self.path, replace=replace)

    def __enter__(self) -> Self:
        self._made = [folder for folder in self.path.parents if not folder.exists()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._open = ExitStack()
        self.draft = self._open.enter_context(draft_folder(self.path))
        return self

    def finished(self, name: str) -> None:
        """Mark a file or subfolder to be kept even if the work ends early."""
        self._finished.append(name)

    @property
    def kept(self) -> Path:
        """Folder for finished files if the work ends early; an earlier result is left in place."""
        stands = self.path.is_dir() and any(self.path.iterdir())
        return fresh_folder(self.path) if stands else self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open:
            if error is None:
                self._publish()
                return
            for item in self.draft.iterdir():
                if item.name not in self._finished:
                    remove(item)
            if any(self.draft.iterdir()):
                self.path = self.kept
                # The error that ended the work early is the one to report.
                with suppress(InvalidInput):
                    self._publish()
                return
        for folder in self._made:
            if not any(folder.iterdir()):
                folder.rmdir()

    def _publish(self) -> None:
        """Move the draft to its name, or to a similar one if the name was taken in the meantime."""
        self.draft.chmod(0o755)
        try:
            check_target(self.path, replace=self._replace)
            _move(self.draft, self.path)
        except (InvalidInput, OSError) as cause:
            kept = fresh_folder(self.path)
            self.draft.rename(kept)
            reason = str(cause)
            if isinstance(cause, OSError):
                reason = Message("{where}: {said}", where=self.path, said=of_system(cause))
            raise _elsewhere(reason, kept) from cause


def check_target(path: Path, *, replace: bool) -> None:
    """Make sure that a folder can be written under a name."""
    if os.path.ismount(path) or path.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise InvalidInput(
            "{path} is the current folder or the top of a disk, which cannot be replaced as a whole; name a folder in "
            "it with --out",
            path=path,
        )
    _check_writable(path)
    if not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir():
        what = Message("a file") if path.exists() else Message("a link to nothing")
        raise InvalidInput(
            "{path} is {what}; results go into a folder: give another name with --out", path=path, what=what
        )
    is_ours = any((path / mark).exists() for mark in MARKS)
    if not is_ours:
        raise InvalidInput(
            "{path} holds files that were not written by gapsim; give another folder with --out", path=path
        )
    if not replace:
        raise InvalidInput(
            "{path} holds earlier results; give another folder with --out, or replace them with --force", path=path
        )


def check_file(path: Path, ending: str, *, replace: bool, inputs: Iterable[str | Path] = ()) -> None:
    """Make sure that a file can be written under a name."""
    if path.is_dir():
        raise InvalidInput("{path} is a folder; name a file with --out", path=path)
    check_inputs(path, inputs)
    _check_writable(path)
    if path.suffix.lower() in KINDS - {ending}:
        raise InvalidInput(
            "{path} would hold something else than its name says; name a file that ends in {ending} with --out",
            path=path,
            ending=ending,
        )
    if path.exists() and not replace:
        raise InvalidInput(
            "{path} exists already; choose another file with --out, or replace it with --force", path=path
        )


def _check_writable(path: Path) -> None:
    """Make sure that the folder of a path, or the one in which it will be created, is writable."""
    folder = next((folder for folder in path.absolute().parents if folder.exists()), path.absolute().parent)
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InvalidInput(
            "{path} cannot be written: {where}: {reason}; give another name with --out",
            path=path,
            where=folder,
            reason=of_system(error),
        ) from error


def check_inputs(path: Path, inputs: Iterable[str | Path]) -> None:
    """Make sure that writing does not replace an input."""
    written = path.resolve()
    for name in inputs:
        read = Path(name)
        if read.is_file() and written in (read.resolve(), *read.resolve().parents) and path.exists():
            what = Message("is read") if path.is_file() else Message("holds {read}, which is read", read=read)
            raise InvalidInput(
                "{path} {what} and would be replaced; give another name with --out", path=path, what=what
            )


def fresh_folder(path: str | Path) -> Path:
    """Name of a folder that does not exist yet."""
    wanted = Path(path)
    return _free(wanted, lambda number: wanted.with_name(f"{wanted.name}-{number}"))


def fresh_file(path: Path) -> Path:
    """Name of a file that does not exist yet, with the same extension."""
    return _free(path, lambda number: path.with_name(f"{path.stem}-{number}{path.suffix}"))


def _free(wanted: Path, other: Callable[[int], Path]) -> Path:
    candidate, number = wanted, 1
    while os.path.lexists(candidate):
        number += 1
        candidate = other(number)
    return candidate


def save_whole(path: Path, ending: str, save: Callable[[Path], object], *, replace: bool) -> None:
    """Write a file atomically, under a similar name if its name was taken since the work began."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft_folder(path) as folder:
        draft = folder / path.name
        save(draft)
        try:
            check_file(path, ending, replace=replace)
            if replace:
                draft.replace(path)
            else:
                publish_new(draft, path)
        except (InvalidInput, FileExistsError) as cause:
            kept = _published_beside(draft, path)
            reason = Message("{path} exists already", path=path) if isinstance(cause, FileExistsError) else str(cause)
            raise _elsewhere(reason, kept) from cause


def _published_beside(draft: Path, path: Path) -> Path:
    """Publish a file under the first free name similar to `path`."""
    while True:
        kept = fresh_file(path)
        with suppress(FileExistsError):
            publish_new(draft, kept)
            return kept


def _elsewhere(reason: str, kept: Path) -> InvalidInput:
    return InvalidInput("{reason}. This came up when all was done: the results are in {path}", reason=reason, path=kept)


def _move(draft: Path, path: Path) -> None:
    """Move a folder to a name, where an earlier result remains until it is replaced."""
    if not os.path.lexists(path):
        draft.rename(path)
    elif not _exchanged(draft, path):
        _moved_in_two_steps(draft, path)


def _exchanged(draft: Path, path: Path) -> bool:
    """Swap two folders atomically, even if the process is killed; False where unsupported."""
    names = os.fsencode(draft), os.fsencode(path)
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, 2) == 0)
        here = -100  # the working folder, for relative paths
        return bool(library.renameat2(here, names[0], here, names[1], 2) == 0)
    except (AttributeError, OSError, TypeError):
        return False


def _moved_in_two_steps(draft: Path, path: Path) -> None:
    """Move the earlier result aside first; if the process is killed in between, the next start restores its name."""
    with draft_folder(path, ASIDE) as aside:
        earlier = aside / path.name
        try:
            path.rename(earlier)
            draft.rename(path)
        except BaseException:
            if os.path.lexists(earlier):
                earlier.rename(path)
            raise
